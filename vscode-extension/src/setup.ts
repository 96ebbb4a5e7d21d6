// Gets a server for somebody who has none: offers to install it, does it with progress, and says what helps when it fails.
//
// Rules: one window installs at a time, and the others wait for it; a cancelled or failed installation leaves nothing.

import { dirname, join } from 'node:path'
import * as vscode from 'vscode'
import { carriedWheel, install, isComplete, NoPython } from './install'
import { isLocked, takeLock } from './lock'
import type { Log } from './log'
import { remedyFor } from './remedies'
import { ProgramFailed } from './run'
import { openServerSettings, serverSettings } from './settings'
import type { Status } from './status'

const LOOK_MS = 2000
const OFFER =
  'midfill needs its server: a Python environment of its own (70 MB to download), a model (0.5 GB), and to quantize that once PyTorch (200 MB, for an NVIDIA card 3 GB). All stays on this machine.'

export class Setup {
  constructor(
    readonly venv: string,
    private readonly extension: string, // its folder
    private readonly log: Log,
    private readonly status: Status,
  ) {}

  private get lock(): string {
    return join(dirname(this.venv), 'installing')
  }

  /** Ask, and install; true when there is a server. It may also come from another window meanwhile. */
  async offer(): Promise<boolean> {
    const other = this.fromAnotherWindow()
    const answered = this.ask()
    const done = await Promise.race([answered, other.done])
    other.stop()
    return done
  }

  /** Make the environment anew; true when there is a server then. */
  async run(): Promise<boolean> {
    const giveBack = takeLock(this.lock)
    if (!giveBack) return this.waitForOther()
    try {
      return await this.withProgress()
    } finally {
      giveBack()
    }
  }

  private async ask(): Promise<boolean> {
    this.status.say(isLocked(this.lock) ? 'installing' : 'missing')
    if (isLocked(this.lock)) return this.waitForOther()
    const chosen = await vscode.window.showInformationMessage(OFFER, 'Install', 'Use My Own...', 'Not Now')
    if (chosen === 'Use My Own...') await openServerSettings()
    return chosen === 'Install' && (isComplete(this.venv) || (await this.run()))
  }

  /** Resolves when another window has installed the server; never, when none does. */
  private fromAnotherWindow(): { done: Promise<boolean>; stop: () => void } {
    let timer: NodeJS.Timeout | undefined
    const done = new Promise<boolean>((resolve) => {
      timer = setInterval(() => isComplete(this.venv) && !isLocked(this.lock) && resolve(true), LOOK_MS)
    })
    return { done, stop: () => clearInterval(timer) }
  }

  private async waitForOther(): Promise<boolean> {
    this.status.say('installing', 'Another window installs the server.')
    while (isLocked(this.lock)) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    if (!isComplete(this.venv)) this.status.say('missing')
    return isComplete(this.venv)
  }

  private async withProgress(): Promise<boolean> {
    const abort = new AbortController()
    const options = { location: vscode.ProgressLocation.Notification, title: 'midfill: installing the server', cancellable: true }
    this.status.say('installing')
    try {
      await vscode.window.withProgress(options, async (progress, token) => {
        token.onCancellationRequested(() => abort.abort())
        const settings = serverSettings()
        const carried = settings.package === 'midfill' ? carriedWheel(this.extension) : ''
        const model = vscode.workspace.getConfiguration('midfill').get('model', '')
        await install(this.venv, carried ? { ...settings, package: carried } : settings, model, {
          cwd: dirname(this.venv),
          signal: abort.signal,
          onLine: (line) => {
            this.log.channel.info(line)
            progress.report({ message: line.length > 80 ? `${line.slice(0, 77)}...` : line })
          },
        })
      })
    } catch (error) {
      this.status.say('missing')
      if (!abort.signal.aborted) this.tell(error)
    }
    return isComplete(this.venv)
  }

  private tell(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    const remedy = error instanceof ProgramFailed ? remedyFor(error.said) : ''
    if (remedy) this.log.channel.error(message)
    const action = error instanceof NoPython ? 'Choose a Python...' : 'Try Again'
    void this.log.fail(`the server was not installed: ${remedy || message}`, action, 'Settings').then((chosen) => {
      if (chosen === 'Try Again') void vscode.commands.executeCommand('midfill.install')
      else if (chosen === action) void choosePython()
      else if (chosen === 'Settings') void openServerSettings()
    })
  }
}

/** The user shows where a Python is; the installation begins again with it. */
async function choosePython(): Promise<void> {
  const [file] = (await vscode.window.showOpenDialog({ openLabel: 'Use This Python' })) ?? []
  if (!file) return
  await vscode.workspace.getConfiguration('midfill.server').update('python', file.fsPath, vscode.ConfigurationTarget.Global)
  await vscode.commands.executeCommand('midfill.install')
}
