// The extension and all that it needs can be loaded, here or from an unpacked package (node test/loads.js FOLDER), with
// something in place of the editor that takes everything.
const Module = require("module");
const path = require("path");

const handler = {
  get: (target, key) => (key === Symbol.toPrimitive ? () => "" : key === "then" ? undefined : key === "prototype" ? target.prototype : anything),
  apply: () => anything,
  construct: () => ({}),
};
const anything = new Proxy(class {}, handler);
const load = Module._load;
Module._load = (request, ...rest) => (request === "vscode" ? anything : load(request, ...rest));

const extension = require(path.resolve(process.argv[2] || path.join(__dirname, ".."), "extension.js"));
const missing = ["activate", "deactivate"].filter((name) => typeof extension[name] !== "function");
console.log(missing.length ? `no ${missing}` : "the extension loads");
process.exitCode = missing.length ? 1 : 0;
