// Next edits: the change that follows from the last one, drawn where it would be. Tab goes there, Tab takes it, Escape
// does not want it.
//
// The server is asked when the text, the editor or the place changed and then rested; of its answer the first edit is
// offered. Once it is taken the next one is asked for, which may be in another file.
//
// Rules: nothing is asked unless it is switched on. What is offered is of the present text: a change takes it away.
// A suggestion at the cursor comes first: beside one nothing is drawn, and `package.json` binds no key. Silent when the
// server is away.

import * as vscode from 'vscode'
import type { Client } from './client'
import { Drawing } from './next-edit-drawing'
import { shapeOf } from './next-edit-shape'
import { SELECTOR } from './options'
import type { NextEdit, NextEditsReply } from './protocol'

// Who goes on typing is not to be asked after.
const PAUSE_MS = 150
const OFFERED = 'midfill.nextEditOffered'

interface Offer {
  editor: vscode.TextEditor
  version: number
  edit: NextEdit
}

export class NextEdits implements vscode.Disposable {
  private readonly drawing = new Drawing()
  private readonly parts: vscode.Disposable[]
  private offer: Offer | undefined
  private timer: NodeJS.Timeout | undefined
  private asked = 0
  private ghost: { document: vscode.TextDocument; version: number } | undefined // a suggestion of ours is shown in it

  constructor(private readonly client: Client) {
    this.parts = [
      this.drawing,
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length && document === vscode.window.activeTextEditor?.document) this.later()
      }),
      vscode.window.onDidChangeActiveTextEditor(() => this.later()),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.moved(textEditor)),
      client.onAnswer((n) => this.answered(n)),
      vscode.commands.registerCommand('midfill.nextEdit.follow', () => this.follow()),
      vscode.commands.registerCommand('midfill.nextEdit.dismiss', () => this.dismiss()),
    ]
  }

  dispose(): void {
    clearTimeout(this.timer)
    for (const part of this.parts) part.dispose()
  }

  /** Ask after a pause, unless something else happens. */
  private later(): void {
    this.takeAway()
    this.ghost = undefined
    this.asked += 1
    clearTimeout(this.timer)
    if (isOn()) this.timer = setTimeout(() => void this.ask(), PAUSE_MS)
  }

  private async ask(): Promise<void> {
    const editor = vscode.window.activeTextEditor
    if (!editor || !vscode.languages.match(SELECTOR, editor.document) || this.isBesideGhost(editor)) return
    const number = (this.asked += 1)
    const { document, selection } = editor
    const { version } = document
    const { line, character } = selection.active
    const params = { textDocument: { uri: document.uri.toString(), version }, position: { line, character } }
    const reply = await this.client.request<NextEditsReply>('midfill/nextEdit', params).catch(() => undefined)
    const edit = reply?.edits[0]
    const isPresent = this.asked === number && document.version === version && vscode.window.activeTextEditor === editor
    if (!edit || !isPresent || this.isBesideGhost(editor)) return
    this.offer = { editor, version, edit }
    this.draw()
    void vscode.commands.executeCommand('setContext', OFFERED, true)
  }

  private draw(): void {
    if (!this.offer) return
    const { editor, edit } = this.offer
    const { document } = editor
    const cursor = editor.selection.active.line
    const { line } = edit.position
    const isHere = isIn(document, edit)
    const way = line > cursor ? '↓' : '↑'
    const place = isHere ? `line ${line + 1} ${way}` : `${vscode.workspace.asRelativePath(uriOf(edit))}:${line + 1} →`
    const hint = { line: cursor, text: isHere && line === cursor ? 'Tab: accept' : `Tab: ${place}` }
    const lineAt = (n: number): string => (n < document.lineCount ? document.lineAt(n).text : '')
    const tabSize = Number(editor.options.tabSize) || 4
    this.drawing.show(editor, isHere ? shapeOf(lineAt, edit.range, edit.text, tabSize, hint) : undefined, hint)
  }

  /** The cursor went somewhere: the hint goes along. Beside the suggestion that it left nothing was drawn. */
  private moved(editor: vscode.TextEditor): void {
    if (editor === this.offer?.editor) this.draw()
    else if (this.ghost?.document === editor.document) this.later()
  }

  /** The server answered with suggestions at the cursor, so many of which are shown. */
  private answered(n: number): void {
    const document = vscode.window.activeTextEditor?.document
    this.ghost = n && document ? { document, version: document.version } : undefined
    if (n) this.takeAway()
  }

  private isBesideGhost({ document }: vscode.TextEditor): boolean {
    return this.ghost?.document === document && this.ghost.version === document.version
  }

  /** Go to the edit that is offered; there, take it. */
  private async follow(): Promise<void> {
    if (!this.offer) return
    const { editor, version, edit } = this.offer
    const place = new vscode.Position(edit.position.line, edit.position.character)
    const there = new vscode.Selection(place, place)
    if (!isIn(editor.document, edit)) {
      this.takeAway()
      await vscode.window.showTextDocument(uriOf(edit), { selection: there })
      clearTimeout(this.timer)
      return this.ask() // the server knows the file's present text by now
    }
    if (editor.selection.active.line !== place.line) {
      editor.selection = there
      editor.revealRange(there, vscode.TextEditorRevealType.InCenterIfOutsideViewport)
      return this.draw()
    }
    this.takeAway()
    if (editor.document.version !== version) return
    const { start, end } = edit.range
    const range = new vscode.Range(start.line, start.character, end.line, end.character)
    if (!(await editor.edit((builder) => builder.replace(range, edit.text)))) return
    const { command, arguments: words } = edit.command
    await this.client.request('workspace/executeCommand', { command, arguments: words }).catch(() => undefined)
    this.later()
  }

  /** What is offered is not wanted, nor anything like it. */
  private dismiss(): void {
    if (this.offer) this.client.notify('midfill/didDismissNextEdit', { id: this.offer.edit.id })
    this.takeAway()
  }

  private takeAway(): void {
    this.drawing.clear()
    if (!this.offer) return
    this.offer = undefined
    void vscode.commands.executeCommand('setContext', OFFERED, false)
  }
}

function isOn(): boolean {
  const settings = vscode.workspace.getConfiguration('midfill')
  return settings.get('enabled', true) && settings.get('nextEdit.enabled', false)
}

function uriOf(edit: NextEdit): vscode.Uri {
  return vscode.Uri.parse(edit.textDocument.uri)
}

function isIn(document: vscode.TextDocument, edit: NextEdit): boolean {
  return uriOf(edit).toString() === document.uri.toString()
}
