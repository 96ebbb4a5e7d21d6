// The extension's output channel: what the server writes to standard error, and what the extension itself does.

import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import * as vscode from 'vscode'
import { entry, type Level } from './server-log'

export class Log implements vscode.Disposable {
  readonly channel = vscode.window.createOutputChannel('midfill', { log: true })

  show(): void {
    this.channel.show(true)
  }

  /** Take over what the server writes, line by line. */
  follow(stream: Readable): void {
    let level: Level = 'error' // what comes before any entry is Python's own complaint
    createInterface({ input: stream }).on('line', (line) => {
      const [next, words] = entry(line, level)
      level = next
      this.channel[level](words)
    })
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
