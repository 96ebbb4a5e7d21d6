// The extension's output channel: what the server writes to standard error, and what the extension itself does.

import * as vscode from 'vscode'

export class Log implements vscode.Disposable {
  readonly channel = vscode.window.createOutputChannel('midfill', { log: true })

  show(): void {
    this.channel.show(true)
  }

  dispose(): void {
    this.channel.dispose()
  }

  /** Tell the user of a failure, once, with a way to see more. */
  async fail(message: string, ...actions: string[]): Promise<string | undefined> {
    this.channel.error(message)
    const chosen = await vscode.window.showErrorMessage(`midfill: ${message}`, ...actions, 'Open Log')
    if (chosen === 'Open Log') this.show()
    return chosen
  }
}
