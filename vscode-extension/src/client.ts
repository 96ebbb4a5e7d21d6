// The language client: starts the server, follows it, and starts it again when it ends.
//
// Rules: `start` never throws and never blocks; one message for a server that keeps ending.

import { join } from 'node:path'
import * as vscode from 'vscode'
import { CloseAction, ErrorAction, type CloseHandlerResult, type ErrorHandler, State } from 'vscode-languageclient/node'
import { Backoff } from './backoff'
import { isThere, locate, type Server } from './locate'
import type { Log } from './log'
import { CAN_ASK, clientOptions } from './options'
import type { StatusReply } from './protocol'
import { QuietClient } from './quiet-client'
import { openServerSettings, serverSettings } from './settings'
import { Setup } from './setup'
import type { Status } from './status'
import { isUnderWay } from './status-text'
import { isOlder } from './versions'

const POLL_MS = 1000
// After an answer: the server has written it down by then.
const AFTER_ANSWER_MS = 250
// A server that could not start is known to have ended, or not, after this.
const SETTLED_MS = 200
// A server that is still starting is given this long before it is stopped.
const STARTING_MS = 5000
// A setting that is typed has its last letter when nothing more came for so long.
const TYPED_MS = 1000

/** What happens from a start to the stop that follows; a later start has another one. */
interface Life {
  isOver: boolean // it was stopped: whatever still comes of it counts no more
  hasEnded: boolean // the process ended by itself, which `closed` takes care of
}

export class Client implements vscode.Disposable {
  private readonly setup: Setup
  private readonly backoff = new Backoff()
  private client: QuietClient | undefined
  private server: Server | undefined
  private timer: NodeJS.Timeout | undefined
  private typing: NodeJS.Timeout | undefined
  private life: Life = { isOver: true, hasEnded: false }
  private told = '' // the version whose age the user knows of
  private readonly answers = new vscode.EventEmitter<number>()
  /** An answer came; of so many suggestions one is shown. */
  readonly onAnswer = this.answers.event

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: Log,
    private readonly status: Status,
  ) {
    this.setup = new Setup(join(context.globalStorageUri.fsPath, 'server'), context.extensionPath, log, status)
  }

  /** The `midfill` command line of the server in use. */
  get midfill(): string | undefined {
    return this.server?.midfill
  }

  async start(): Promise<void> {
    const life = (this.life = { isOver: false, hasEnded: false })
    this.server = this.find()
    if (!this.server && (await this.setup.offer())) this.server = this.find()
    if (!this.server || life.isOver) return
    this.log.channel.info(`server: ${this.server.command} (${this.server.origin})`)
    this.status.say('starting')
    const options = clientOptions(this.log, this.errorHandler(life), { answered: (ms, ids) => this.answered(ms, ids) })
    const client = new QuietClient('midfill', 'midfill', { command: this.server.command, args: ['--stdio'] }, options)
    this.client = client
    client.registerFeature(CAN_ASK)
    client.onDidChangeState(({ newState }) => this.onState(newState))
    try {
      await client.start()
      this.compareVersions(client.initializeResult?.serverInfo?.version ?? '')
    } catch (error) {
      await this.didNotStart(error, life)
    }
  }

  async stop(): Promise<void> {
    this.life.isOver = true
    clearTimeout(this.timer)
    const client = this.client
    this.client = undefined
    if (client?.state === State.Starting) await Promise.race([client.start().catch(() => undefined), pause(STARTING_MS)])
    await client?.stop().catch(() => undefined)
  }

  async restart(): Promise<void> {
    this.backoff.reset()
    await this.stop()
    await this.start()
  }

  /** Install the server, or make its environment anew; one that another window has installed meanwhile is used. */
  async install(): Promise<void> {
    if (this.server || !this.find()) {
      await this.stop()
      if (!(await this.setup.run())) return
    }
    await this.restart()
  }

  /** Ask the server; undefined when there is none. */
  async request<T>(method: string, params: object = {}): Promise<T | undefined> {
    if (this.client?.state !== State.Running) return undefined
    return this.client.sendRequest<T>(method, params)
  }

  /** Tell the server, if there is one. */
  notify(method: string, params: object): void {
    if (this.client?.state === State.Running) void this.client.sendNotification(method, params)
  }

  /** Tell the server that the cursor came to another line: it reads there ahead. */
  moved(uri: string, { line, character }: vscode.Position): void {
    this.notify('midfill/didMove', { textDocument: { uri }, position: { line, character } })
  }

  /** Ask for the status soon; again and again while the model is not ready. */
  poll(afterMs: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.refresh(), afterMs)
  }

  /** The setting that names the server was changed: start the one that it names now. */
  chosenAnew(): void {
    clearTimeout(this.typing)
    this.typing = setTimeout(() => {
      const found = this.find()
      if (found?.command === this.server?.command) return
      if (found?.origin !== 'setting' || isThere(found.command)) void this.restart()
      else if (this.client?.state !== State.Running) this.status.say('missing', `There is no program ${found.command}.`)
    }, TYPED_MS)
  }

  dispose(): void {
    this.answers.dispose()
    clearTimeout(this.timer)
    clearTimeout(this.typing)
  }

  private find(): Server | undefined {
    return locate(serverSettings().command, this.setup.venv)
  }

  private answered(ms: number, ids: string[]): void {
    for (const id of ids) this.notify('textDocument/didShowCompletion', { id })
    this.answers.fire(ids.length)
    this.status.answered(ms)
    this.poll(AFTER_ANSWER_MS)
  }

  private async didNotStart(error: unknown, life: Life): Promise<void> {
    await pause(SETTLED_MS)
    if (life.isOver || life.hasEnded) return
    const why = error instanceof Error ? error.message : String(error)
    this.status.say('failed', why)
    const remedy = this.server?.origin === 'setting' ? 'Settings' : 'Repair'
    const chosen = await this.log.fail(`the server did not start: ${why}`, remedy)
    if (chosen === 'Repair') await this.install()
    if (chosen === 'Settings') await openServerSettings('midfill.server.command')
  }

  private errorHandler(life: Life): ErrorHandler {
    return {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: async (): Promise<CloseHandlerResult> => {
        life.hasEnded = true
        if (life.isOver) return { action: CloseAction.DoNotRestart, handled: true }
        const wait = this.backoff.next(Date.now())
        if (wait === undefined) {
          this.status.say('failed', 'The server keeps ending; the log says why.')
          void this.log.fail('the server ended six times in three minutes and is left off.', 'Restart').then((chosen) => {
            if (chosen === 'Restart') void this.restart()
          })
          return { action: CloseAction.DoNotRestart, handled: true }
        }
        this.status.say('starting', `The server ended, and is started again in ${wait / 1000} s.`)
        await pause(wait)
        return { action: life.isOver ? CloseAction.DoNotRestart : CloseAction.Restart, handled: true }
      },
    }
  }

  private onState(state: State): void {
    void vscode.commands.executeCommand('setContext', 'midfill.running', state === State.Running)
    if (state === State.Running) this.poll(0)
    else clearTimeout(this.timer)
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

  /** The extension was updated, and its server was not. */
  private compareVersions(version: string): void {
    const wanted = String(this.context.extension.packageJSON.version)
    if (this.server?.origin !== 'installed' || this.told === version || !isOlder(version, wanted)) return
    this.told = version
    void vscode.window
      .showInformationMessage(`midfill: the server is ${version}, the extension ${wanted}.`, 'Update the Server', 'Later')
      .then((chosen) => {
        if (chosen === 'Update the Server') void this.install()
      })
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
