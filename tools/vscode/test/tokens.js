// The TextMate grammar on the sample and on games: no word of a good game is invalid, and the sample has the scopes that it
// says. Lines `// ^^^ SCOPE` of the sample name a part of the scopes of what stands above the carets.
//
//   node test/tokens.js FOLDER…     (after `npm install`)
const fs = require("fs");
const path = require("path");
const textmate = require("vscode-textmate");
const oniguruma = require("vscode-oniguruma");

async function grammar() {
  const wasm = fs.readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer;
  await oniguruma.loadWASM(wasm);
  const file = path.join(__dirname, "../syntaxes/game.tmLanguage.json");
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async (scope) => (scope === "source.game" ? textmate.parseRawGrammar(fs.readFileSync(file, "utf8"), file) : null),
  });
  return registry.loadGrammar("source.game");
}

/** Every line with its tokens: {text, scopes, begin, end}. */
function* tokenised(g, text) {
  let stack = textmate.INITIAL;
  let number = 0;
  for (const line of text.split(/\r?\n/)) {
    const result = g.tokenizeLine(line, stack);
    stack = result.ruleStack;
    yield { number: ++number, line, tokens: result.tokens };
  }
  if (stack.depth > 1) throw new Error(`at the end of the file ${stack.depth - 1} rules are open`);
}

function games(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const whole = path.join(folder, entry.name);
    return entry.isDirectory() ? games(whole) : entry.name.endsWith(".game") ? [whole] : [];
  });
}

async function main() {
  const g = await grammar();
  let problems = 0;
  const problem = (text) => {
    console.log(text);
    ++problems;
  };
  let count = 0;
  for (const file of process.argv.slice(2).flatMap(games)) {
    ++count;
    try {
      for (const { number, line, tokens } of tokenised(g, fs.readFileSync(file, "utf8")))
        for (const t of tokens)
          if (t.scopes.some((s) => s.startsWith("invalid")))
            problem(`${file}:${number}: ${JSON.stringify(line.slice(t.startIndex, t.endIndex))} is ${t.scopes.at(-1)}`);
    } catch (e) {
      problem(`${file}: ${e.message}`);
    }
  }
  let checks = 0;
  let above = null;
  for (const { number, line, tokens } of tokenised(g, fs.readFileSync(path.join(__dirname, "sample.game"), "utf8"))) {
    const said = /^(\s*\/\/\s*)(\^+)\s+(!?)(\S+)$/.exec(line);
    if (!said) {
      above = { line, tokens };
      continue;
    }
    const begin = said[1].length, end = begin + said[2].length;
    for (const t of above.tokens) {
      if (t.endIndex <= begin || t.startIndex >= end) continue;
      ++checks;
      const has = t.scopes.some((s) => s.includes(said[4]));
      if (has === (said[3] === "!"))
        problem(`sample.game:${number}: ${JSON.stringify(above.line.slice(t.startIndex, t.endIndex))} is ${t.scopes.join(" ")}, not ${said[3]}${said[4]}`);
    }
  }
  console.log(`${count} games, ${checks} scopes of the sample, ${problems} problems`);
  process.exitCode = problems || !count || !checks ? 1 : 0;
}

main();
