// Draws a next edit into an editor: what goes is struck, what comes stands behind it or in a box, and the end of the
// cursor's line says what Tab does.
//
// Rules: decorations alone. Nothing that was drawn is left behind: the next drawing takes the place of the last one.

import * as vscode from 'vscode'
import type { Box, Hint, Shape } from './next-edit-shape'

const REMOVED = new vscode.ThemeColor('diffEditor.removedTextBackground')
const INSERTED = new vscode.ThemeColor('diffEditor.insertedTextBackground')
// Told, since what stands behind a word would have that word's color.
const GHOST = { color: new vscode.ThemeColor('editor.foreground'), fontStyle: 'italic' }
const TINT = 'var(--vscode-diffEditor-insertedTextBackground)'
const HINT = { color: new vscode.ThemeColor('editorCodeLens.foreground'), margin: '0 0 0 2em' }
const NO_BREAK = '\u00a0'

export class Drawing implements vscode.Disposable {
  private readonly removed = vscode.window.createTextEditorDecorationType({
    textDecoration: 'line-through',
    opacity: '0.6',
    backgroundColor: REMOVED,
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  })
  private readonly inserted = vscode.window.createTextEditorDecorationType({})
  private readonly place = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    borderStyle: 'solid',
    borderWidth: '1px 0 0 0',
    borderColor: new vscode.ThemeColor('editorGhostText.foreground'),
  })
  private readonly hint = vscode.window.createTextEditorDecorationType({})
  private editor: vscode.TextEditor | undefined

  /** Draw an edit, if it is in this document, and a hint at the end of a line. */
  show(editor: vscode.TextEditor, shape: Shape | undefined, hint: Hint): void {
    if (this.editor !== editor) this.clear()
    this.editor = editor
    const { document } = editor
    const pieces = shape?.pieces ?? []
    const struck = pieces.filter(({ from, to }) => to > from).map(({ line, from, to }) => new vscode.Range(line, from, line, to))
    editor.setDecorations(this.removed, struck)
    const { end } = document.lineAt(Math.min(hint.line, document.lineCount - 1)).range
    const ghosts = pieces.filter(({ text }) => text).map(({ line, to, text }) => ({ at: new vscode.Position(line, to), text }))
    const inLine = ghosts.filter(({ at }) => !at.isEqual(end)).map(({ at, text }) => ({ range: new vscode.Range(at, at), renderOptions: { after: ghost(text) } }))
    editor.setDecorations(this.inserted, [...inLine, ...(shape?.box ? boxed(document, shape.box) : [])])
    const above = shape?.box?.isInsertion && shape.box.line < document.lineCount ? [document.lineAt(shape.box.line).range] : []
    editor.setDecorations(this.place, above)
    // In one place the order of two decorations is not told: a ghost at the line's end and the hint are one.
    const before = ghosts.filter(({ at }) => at.isEqual(end)).map(({ text }) => ghost(text))[0]
    const renderOptions = { ...(before ? { before } : {}), after: { ...HINT, contentText: hint.text } }
    editor.setDecorations(this.hint, [{ range: new vscode.Range(end, end), renderOptions }])
  }

  clear(): void {
    for (const type of [this.removed, this.inserted, this.place, this.hint]) this.editor?.setDecorations(type, [])
    this.editor = undefined
  }

  dispose(): void {
    for (const type of [this.removed, this.inserted, this.place, this.hint]) type.dispose()
  }
}

function ghost(text: string): vscode.ThemableDecorationAttachmentRenderOptions {
  return { contentText: text.replaceAll(' ', NO_BREAK), backgroundColor: INSERTED, ...GHOST }
}

/** One decoration a line: each holds one line of text. They hang at the first line and stand below each other by their style. */
function boxed(document: vscode.TextDocument, box: Box): vscode.DecorationOptions[] {
  const line = Math.min(box.line, document.lineCount - 1)
  const width = Math.max(...box.lines.map((each) => each.length)) + 2
  return box.lines.map((text, n) => {
    const top = `calc(100% * ${n + box.line - line})`
    const style = `none; position: absolute; z-index: 5; left: ${box.column}ch; top: ${top}; height: 100%; width: ${width}ch; white-space: pre; `
      + `background-image: linear-gradient(${TINT}, ${TINT})`
    const after = {
      ...GHOST,
      contentText: `${NO_BREAK}${text.replaceAll(' ', NO_BREAK)}`,
      backgroundColor: new vscode.ThemeColor('editorHoverWidget.background'),
      textDecoration: style,
    }
    return { range: new vscode.Range(line, 0, line, 0), renderOptions: { after } }
  })
}
