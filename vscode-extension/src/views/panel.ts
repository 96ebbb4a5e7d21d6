// One webview panel, reused: a page at a time, without scripts.

import * as vscode from 'vscode'

export class Panel implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined

  show(title: string, html: string): void {
    if (!this.panel) {
      const options = { enableScripts: false, localResourceRoots: [] }
      this.panel = vscode.window.createWebviewPanel('midfill', title, vscode.ViewColumn.Beside, options)
      this.panel.onDidDispose(() => (this.panel = undefined))
    }
    this.panel.title = title
    this.panel.webview.html = html
    this.panel.reveal(undefined, true)
  }

  dispose(): void {
    this.panel?.dispose()
  }
}
