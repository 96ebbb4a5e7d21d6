// The language client: starts the server, follows it, and starts it again when it ends.
//
// Rules: `start` never throws and never blocks; one message for a server that keeps ending.

import { dirname, join } from 'node:path'
import * as vscode from 'vscode'
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type CloseHandlerResult,
  type ErrorHandler,
  type LanguageClientOptions,
  State,
} from 'vscode-languageclient/node'
import { Backoff } from './backoff'
import { install, isComplete, NoPython } from './install'
import { locate, type Server } from './locate'
import type { Log } from './log'
import type { StatusReply } from './protocol'
import { serverPart, serverSettings } from './settings'
import type { Status } from './status'
import { isUnderWay } from './status-text'

const SELECTOR = [{ scheme: 'file' }, { scheme: 'untitled' }, { scheme: 'vscode-notebook-cell' }, { scheme: 'vscode-remote' }]
const POLL_MS = 1000
// After an answer: the server has written it down by then.
const AFTER_ANSWER_MS = 250

export class Client implements vscode.Disposable {
  private client: LanguageClient | undefined
  private server: Server | undefined
  private readonly backoff = new Backoff()
  private timer: NodeJS.Timeout | undefined
  private stopping = false

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: Log,
    private readonly status: Status,
  ) {}

  /** The environment that the extension makes. */
  get venv(): string {
    return join(this.context.globalStorageUri.fsPath, 'server')
  }

  /** The `midfill` command line of the server in use. */
  get midfill(): string | undefined {
    return this.server?.midfill
  }

  async start(): Promise<void> {
    this.stopping = false
    const settings = serverSettings()
    this.server = locate(settings.command, this.venv)
    if (!this.server && !(await this.offerInstall())) return
    this.server ??= locate(settings.command, this.venv)
    if (!this.server) return
    this.log.channel.info(`server: ${this.server.command} (${this.server.origin})`)
    this.status.say('starting')
    this.client = new LanguageClient('midfill', 'midfill', { command: this.server.command, args: ['--stdio'] }, this.options())
    this.client.onDidChangeState(({ newState }) => this.onState(newState))
    try {
      await this.client.start()
    } catch (error) {
      this.status.say('failed', String(error))
      const chosen = await this.log.fail(`the server did not start: ${words(error)}`, 'Repair')
      if (chosen === 'Repair') await this.reinstall()
    }
  }

  async stop(): Promise<void> {
    this.stopping = true
    clearTimeout(this.timer)
    const client = this.client
    this.client = undefined
    await client?.stop().catch(() => undefined)
  }

  async restart(): Promise<void> {
    this.backoff.reset()
    await this.stop()
    await this.start()
  }

  async reinstall(): Promise<void> {
    await this.stop()
    if (await this.installWithProgress()) await this.start()
  }

  /** Ask the server; undefined when there is none. */
  async request<T>(method: string, params: object = {}): Promise<T | undefined> {
    if (this.client?.state !== State.Running) return undefined
    return this.client.sendRequest<T>(method, params)
  }

  dispose(): void {
    clearTimeout(this.timer)
  }

  private options(): LanguageClientOptions {
    return {
      documentSelector: SELECTOR,
      outputChannel: this.log.channel,
      synchronize: { configurationSection: 'midfill' },
      initializationOptions: () => serverPart(vscode.workspace.getConfiguration('midfill')),
      progressOnInitialization: false,
      errorHandler: this.errorHandler(),
      middleware: {
        workspace: {
          configuration: async (params, token, next) => {
            const found = await next(params, token)
            return Array.isArray(found) ? found.map(serverPart) : found
          },
        },
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          const began = Date.now()
          const items = await next(document, position, context, token)
          this.status.answered(Date.now() - began)
          this.poll(AFTER_ANSWER_MS)
          return items
        },
      },
    }
  }

  private errorHandler(): ErrorHandler {
    return {
      error: () => ({ action: ErrorAction.Continue }),
      closed: async (): Promise<CloseHandlerResult> => {
        if (this.stopping) return { action: CloseAction.DoNotRestart, handled: true }
        const wait = this.backoff.next(Date.now())
        if (wait === undefined) {
          this.status.say('failed', 'the server keeps ending')
          void this.log.fail('the server ended six times in three minutes and is left off.', 'Restart').then((chosen) => {
            if (chosen === 'Restart') void this.restart()
          })
          return { action: CloseAction.DoNotRestart, handled: true }
        }
        this.status.say('starting', `the server ended, and is started again in ${wait / 1000} s`)
        await new Promise((resolve) => setTimeout(resolve, wait))
        return { action: CloseAction.Restart, handled: true }
      },
    }
  }

  private onState(state: State): void {
    void vscode.commands.executeCommand('setContext', 'midfill.running', state === State.Running)
    if (state === State.Running) this.poll(0)
    else clearTimeout(this.timer)
  }

  /** Ask for the status soon; again and again while the model is not ready. */
  poll(afterMs: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.refresh(), afterMs)
  }

  private async refresh(): Promise<void> {
    const reply = await this.request<StatusReply>('midfill/status').catch(() => undefined)
    if (!reply) return
    this.suggestNow(this.status.last, reply)
    this.status.update(reply)
    void vscode.commands.executeCommand('setContext', 'midfill.ready', reply.phase === 'ready')
    if (isUnderWay(reply.phase)) this.poll(POLL_MS)
  }

  /** Who typed while the model was being made ready sees a suggestion as soon as it is. */
  private suggestNow(before: StatusReply | undefined, now: StatusReply): void {
    const became = before !== undefined && isUnderWay(before.phase) && now.phase === 'ready'
    if (became && now.last?.outcome === 'not_ready') {
      void vscode.commands.executeCommand('editor.action.inlineSuggest.trigger')
    }
  }

  private async offerInstall(): Promise<boolean> {
    this.status.say('missing')
    const chosen = await vscode.window.showInformationMessage(
      'midfill needs its server: a Python environment of its own (about 1 GB with PyTorch), and a model (0.5 GB). Both stay on this machine.',
      'Install',
      'Use My Own...',
      'Not Now',
    )
    if (chosen === 'Use My Own...') await vscode.commands.executeCommand('workbench.action.openSettings', 'midfill.server')
    return chosen === 'Install' && (await this.installWithProgress())
  }

  private async installWithProgress(): Promise<boolean> {
    const abort = new AbortController()
    const options = { location: vscode.ProgressLocation.Notification, title: 'midfill: installing the server', cancellable: true }
    return vscode.window.withProgress(options, async (progress, token) => {
      token.onCancellationRequested(() => abort.abort())
      this.status.say('installing')
      try {
        await install(this.venv, serverSettings(), {
          cwd: dirname(this.venv),
          signal: abort.signal,
          onLine: (line) => {
            this.log.channel.info(line)
            progress.report({ message: line.length > 80 ? `${line.slice(0, 77)}...` : line })
          },
        })
        return isComplete(this.venv)
      } catch (error) {
        this.status.say('missing')
        if (abort.signal.aborted) return false
        const remedy = error instanceof NoPython ? [] : ['Try Again']
        void this.log.fail(`installing failed: ${words(error)}`, ...remedy).then((chosen) => {
          if (chosen === 'Try Again') void this.reinstall()
        })
        return false
      }
    })
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
