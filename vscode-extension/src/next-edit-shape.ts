// How a next edit is drawn: what is struck, what stands behind it, and which lines stand in a box beside them. Pure.
//
// Rules: nothing of a word is shown changed but the word. The text is not touched: lines that come in have no room of
// their own in it (the stable API makes none), so they stand to the right of all lines that they are drawn beside.

export interface Range {
  start: { line: number; character: number }
  end: { line: number; character: number }
}

/** Characters of a line that are struck, and the text that is shown behind them; either may be empty. */
export interface Piece {
  line: number
  from: number
  to: number
  text: string
}

/** Lines that are shown from a line on, `column` characters from the left; `isInsertion`: they come in above it. */
export interface Box {
  line: number
  column: number
  lines: string[]
  isInsertion: boolean
}

export interface Shape {
  pieces: Piece[]
  box: Box | undefined
}

const GAP_COLUMNS = 4
// Further right it would be out of sight.
const MAX_COLUMN = 90
const MAX_TOKENS = 200

/** What is written behind the end of a line already. */
export interface Hint {
  line: number
  text: string
}

/** `lineAt` gives the text of a line of the document, "" behind its end. */
export function shapeOf(lineAt: (line: number) => string, range: Range, text: string, tabSize: number, hint?: Hint): Shape {
  const { start, end } = range
  const old = Array.from({ length: end.line - start.line + 1 }, (_, n) => lineAt(start.line + n))
  const head = (old[0] ?? '').slice(0, start.character)
  const tail = (old.at(-1) ?? '').slice(end.character)
  const now = (head + text.replaceAll('\r\n', '\n') + tail).split('\n')
  let first = start.line
  while (old.length && now.length && old[0] === now[0]) {
    old.shift()
    now.shift()
    first += 1
  }
  while (old.length && now.length && old.at(-1) === now.at(-1)) {
    old.pop()
    now.pop()
  }
  if (old.length === now.length) return { pieces: old.flatMap((line, n) => changes(line, now[n] ?? '', first + n)), box: undefined }
  const pieces = old.map((line, n) => ({ line: first + n, from: indentation(line), to: line.length, text: '' }))
  if (!now.length) return { pieces, box: undefined }
  const beside = Array.from({ length: Math.max(old.length, now.length) }, (_, n) => {
    const behind = hint?.line === first + n ? GAP_COLUMNS + hint.text.length : 0
    return columns(lineAt(first + n), tabSize) + behind
  })
  const lines = now.map((line) => line.replaceAll('\t', ' '.repeat(tabSize)))
  const column = Math.min(MAX_COLUMN, Math.max(...beside) + GAP_COLUMNS)
  return { pieces, box: { line: first, column, lines, isInsertion: !old.length } }
}

/** What of a line becomes what, word by word. */
function changes(old: string, now: string, line: number): Piece[] {
  const [before, after] = [tokens(old), tokens(now)]
  const kept = before.length + after.length > MAX_TOKENS ? [] : common(before, after)
  const pieces: Piece[] = []
  let [a, b, at] = [0, 0, 0]
  for (const [keptA, keptB] of [...kept, [before.length, after.length] as const]) {
    const gone = before.slice(a, keptA).join('')
    const text = after.slice(b, keptB).join('')
    if (gone || text) pieces.push({ line, from: at, to: at + gone.length, text })
    at += gone.length + (before[keptA]?.length ?? 0)
    a = keptA + 1
    b = keptB + 1
  }
  return pieces
}

function tokens(line: string): string[] {
  return line.match(/[\p{L}\p{N}_$]+|\s+|[^]/gu) ?? []
}

/** The longest common subsequence: pairs of places. */
function common(a: string[], b: string[]): [number, number][] {
  const lengths = Array.from({ length: a.length + 1 }, () => b.map(() => 0))
  const length = (n: number, m: number): number => lengths[n]?.[m] ?? 0
  for (let n = a.length - 1; n >= 0; n--) {
    for (let m = b.length - 1; m >= 0; m--) {
      const row = lengths[n] as number[]
      row[m] = a[n] === b[m] ? length(n + 1, m + 1) + 1 : Math.max(length(n + 1, m), length(n, m + 1))
    }
  }
  const pairs: [number, number][] = []
  for (let n = 0, m = 0; n < a.length && m < b.length; ) {
    if (a[n] === b[m]) pairs.push([n++, m++])
    else if (length(n + 1, m) >= length(n, m + 1)) n++
    else m++
  }
  return pairs
}

function indentation(line: string): number {
  return line.length - line.trimStart().length
}

/** How many columns a line takes. */
function columns(line: string, tabSize: number): number {
  let n = 0
  for (const character of line) {
    if (character === '\t') n += tabSize - (n % tabSize)
    else n += (character.codePointAt(0) ?? 0) >= 0x1100 ? 2 : 1
  }
  return n
}
