// The extension, as a table of contents. `activate` is the only place that knows all parts.
//
// Rules: nothing here waits for the server: the editor is never blocked, and every failure is one message with a remedy.

import * as vscode from 'vscode'
import { Client } from './client'
import { registerCommands } from './commands'
import { Log } from './log'
import { NextEdits } from './next-edit'
import { Status } from './status'

let client: Client | undefined

export function activate(context: vscode.ExtensionContext): void {
  const log = new Log()
  const status = new Status()
  client = new Client(context, log, status)
  context.subscriptions.push(log, status, client, new NextEdits(client), ...registerCommands(context, client, status, log))
  const settings = vscode.workspace.onDidChangeConfiguration((change) => {
    if (change.affectsConfiguration('midfill.server.command')) client?.chosenAnew()
  })
  context.subscriptions.push(settings, followCursor(client))
  void client.start()
}

/** Tells of lines that the cursor comes to; what is typed tells of itself. */
function followCursor(client: Client): vscode.Disposable {
  let last = ''
  return vscode.window.onDidChangeTextEditorSelection(({ textEditor, selections }) => {
    const { uri } = textEditor.document
    const position = selections[0]?.active
    const place = `${uri} ${position?.line}`
    if (position && place !== last && selections.length === 1) client.moved(uri.toString(), position)
    last = place
  })
}

export async function deactivate(): Promise<void> {
  await client?.stop()
}
