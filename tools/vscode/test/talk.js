// `ppc lsp` and the library with which VS Code talks: a document is opened, its mistake arrives, and the place of a name.
//
//   node test/talk.js PPC
const { spawn } = require("child_process");
const protocol = require("vscode-languageserver-protocol/node");

async function main() {
  const server = spawn(process.argv[2], ["lsp"], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((done) => server.on("exit", done));
  const connection = protocol.createProtocolConnection(new protocol.StreamMessageReader(server.stdout), new protocol.StreamMessageWriter(server.stdin));
  const reported = new Promise((done) => connection.onNotification(protocol.PublishDiagnosticsNotification.type, done));
  const registered = new Promise((done) => connection.onRequest(protocol.RegistrationRequest.type, (params) => done(params.registrations[0].method)));
  connection.listen();
  const capabilities = { general: { positionEncodings: ["utf-16"] }, workspace: { didChangeWatchedFiles: { dynamicRegistration: true } } };
  const { capabilities: can } = await connection.sendRequest(protocol.InitializeRequest.type, { processId: process.pid, rootUri: null, capabilities });
  console.log("encoding", can.positionEncoding);
  await connection.sendNotification(protocol.InitializedNotification.type, {});
  console.log("registers", await registered);
  const uri = "untitled:Untitled-1";
  const text = 'game g\nplayer p\nplay {\n  let word = "😀" note "k" wrod win }\n';
  await connection.sendNotification(protocol.DidOpenTextDocumentNotification.type, { textDocument: { uri, languageId: "game", version: 1, text } });
  const { diagnostics } = await reported;
  console.log("reports", diagnostics.map((d) => `${d.code} ${d.range.start.line}:${d.range.start.character}`).join(", "));
  const actions = await connection.sendRequest(protocol.CodeActionRequest.type, { textDocument: { uri }, range: diagnostics[0].range, context: { diagnostics } });
  console.log("offers", actions.map((a) => a.title).join(", "));
  const hover = await connection.sendRequest(protocol.HoverRequest.type, { textDocument: { uri }, position: { line: 3, character: 7 } });
  console.log("says", hover.contents.value.split("\n")[1]);
  await connection.sendRequest(protocol.ShutdownRequest.type);
  await connection.sendNotification(protocol.ExitNotification.type);
  console.log("ends", await ended);
}

main();
