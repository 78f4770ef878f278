// Starts `ppc lsp` for .game files and lets the editor talk with it.
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function start() {
  const command = vscode.workspace.getConfiguration("ppc").get("path") || "ppc";
  client = new LanguageClient(
    "ppc",
    "ppc",
    { command, args: ["lsp"] },
    {
      documentSelector: [
        { language: "game", scheme: "file" },
        { language: "game", scheme: "untitled" },
      ],
      synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher("**/*.game") },
    }
  );
  return client.start().catch((problem) => {
    vscode.window.showErrorMessage(`ppc: \`${command} lsp\` does not start (${problem.message}). The setting ppc.path says where the program is.`);
  });
}

async function stop() {
  const old = client;
  client = undefined;
  if (old) await old.stop().catch(() => {});
}

function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("ppc.restart", async () => {
      await stop();
      await start();
    }),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (!change.affectsConfiguration("ppc.path")) return;
      await stop();
      await start();
    })
  );
  return start();
}

module.exports = { activate, deactivate: stop };
