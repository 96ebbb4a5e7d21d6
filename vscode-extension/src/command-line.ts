// Runs the server's `midfill` command line, with progress, a way to cancel, and a message when it fails.

import * as vscode from 'vscode'
import type { Client } from './client'
import type { Log } from './log'
import { ProgramFailed, run } from './run'

const ENVIRONMENT = { COLUMNS: '110', NO_COLOR: '1', TERM: 'dumb' }

export class CommandLine {
  constructor(
    private readonly client: Client,
    private readonly log: Log,
  ) {}

  /** What a command prints; undefined when there is no server, it failed or was cancelled, which the user knows then. */
  async run(title: string, args: string[]): Promise<string | undefined> {
    const command = this.client.midfill
    if (!command) return void (await vscode.commands.executeCommand('midfill.install'))
    const options = { location: vscode.ProgressLocation.Notification, title: `midfill: ${title}`, cancellable: true }
    return vscode.window.withProgress(options, async (progress, token) => {
      const abort = new AbortController()
      token.onCancellationRequested(() => abort.abort())
      const onLine = (line: string): void => {
        this.log.channel.info(line)
        progress.report({ message: line.trim().slice(0, 80) })
      }
      try {
        return await run(command, args, { ...folder(), env: ENVIRONMENT, signal: abort.signal, onLine })
      } catch (error) {
        if (!abort.signal.aborted) void this.log.fail(error instanceof ProgramFailed ? error.message : String(error))
        return undefined
      }
    })
  }

  /** What a command prints with `--json`. */
  async json<T>(title: string, args: string[]): Promise<T | undefined> {
    const text = await this.run(title, [...args, '--json'])
    return text === undefined ? undefined : (JSON.parse(text) as T)
  }
}

/** The workspace folder of the file in view, else the first one. */
function folder(): { cwd?: string } {
  const uri = vscode.window.activeTextEditor?.document.uri
  const found = (uri && vscode.workspace.getWorkspaceFolder(uri)) ?? vscode.workspace.workspaceFolders?.[0]
  return found?.uri.scheme === 'file' ? { cwd: found.uri.fsPath } : {}
}
