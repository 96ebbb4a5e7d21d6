// The status bar item: what midfill does, in a word or two, and a menu behind it.

import * as vscode from 'vscode'
import type { StatusReply } from './protocol'
import { appearance, type Doing } from './status-text'

export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('midfill', vscode.StatusBarAlignment.Right, 100)
  private latencyMs: number | undefined
  private reply: StatusReply | undefined
  private snoozedUntil = 0
  private timer: NodeJS.Timeout | undefined
  private readonly follows = vscode.window.onDidChangeActiveTextEditor(() => this.redraw())

  constructor() {
    this.item.name = 'midfill'
    this.item.command = 'midfill.menu'
    this.say('starting')
    this.item.show()
  }

  get last(): StatusReply | undefined {
    return this.reply
  }

  get isSnoozed(): boolean {
    return Date.now() < this.snoozedUntil
  }

  /** A state that the server does not know of: there is none. */
  say(doing: Doing, detail = ''): void {
    this.reply = this.latencyMs = undefined
    this.draw(appearance({ doing, detail }))
  }

  update(reply: StatusReply): void {
    this.reply = reply
    this.redraw()
  }

  answered(ms: number): void {
    this.latencyMs = ms
  }

  snooze(minutes: number): void {
    this.snoozedUntil = minutes > 0 ? Date.now() + 60_000 * minutes : 0
    clearTimeout(this.timer)
    if (minutes > 0) this.timer = setTimeout(() => this.redraw(), 60_000 * minutes + 500)
    this.redraw()
  }

  /** There is nothing more to say: the extension goes. */
  hide(): void {
    this.item.hide()
  }

  dispose(): void {
    clearTimeout(this.timer)
    this.follows.dispose()
    this.item.dispose()
  }

  private redraw(): void {
    if (!this.reply) return
    const language = vscode.window.activeTextEditor?.document.languageId
    this.draw(appearance({ reply: this.reply, latencyMs: this.latencyMs, snoozed: this.isSnoozed, language }))
  }

  private draw({ text, tooltip, warns }: ReturnType<typeof appearance>): void {
    this.item.text = text
    this.item.tooltip = new vscode.MarkdownString(tooltip)
    this.item.backgroundColor = warns ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined
  }
}
