// Two measurements in the real VS Code: `npm run latency` (the machine should do nothing else). One JSON line, and all
// values in out/latency.json. `--lines N` and `--keys N` for less.
//
//   ghost: from a key to visible ghost text, in the page, the prompt up to the key being warm. "computed": the model had to
//     answer, beside the server's own time for the same request; "reused": the key was the suggestion's next letter
//   typing: from a key to the changed line, in the page, in alternating blocks of an editor with and one without midfill
//
// VS Code itself waits 50 ms before it asks for inline suggestions.

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeCache, pull, removeCache, SERVER } from './cache.mjs'
import { Editor, GHOST, OUT, sleep } from './editor.mjs'

const { values: options } = parseArgs({ options: { lines: { type: 'string', default: '40' }, keys: { type: 'string', default: '300' } } })
const [N_LINES, N_KEYS] = [Number(options.lines), Number(options.keys)]
const N_BLOCKS = 6
const LETTERS = 'tscifrpw'
const INDENT = ' '.repeat(8)
const TEXT = `class Basket:
    """What somebody wants to buy."""

    def __init__(self):
        self.items = []
        self.prices = {}

    def total(self, items, prices):
        """The sum of the prices of all items."""
        `

/** In the page: when was the last key, when did a line change after it, when did ghost text come after it? */
function watch(ghost) {
  const marks = (window.marks = { key: 0, line: 0, ghost: 0, keyAt: 0, lines: [] })
  document.addEventListener('keydown', () => {
    marks.key = performance.now()
    marks.keyAt = Date.now()
    marks.line = marks.ghost = 0
  }, true)
  new MutationObserver(() => {
    const now = performance.now()
    if (!marks.line && marks.key) {
      marks.line = now
      marks.lines.push(now - marks.key)
    }
    if (!marks.ghost && document.querySelector(ghost)) marks.ghost = now
  }).observe(document.querySelector('.monaco-editor .view-lines'), { childList: true, subtree: true, characterData: true })
}

function quantiles(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share) => Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN).toFixed(1))
  return { n: sorted.length, p25: at(0.25), p50: at(0.5), p75: at(0.75), p95: at(0.95), max: at(1) }
}

/** An editor with a file open, the cursor at its end, and the watch in its page. */
async function opened(settings, cache, extension) {
  const editor = await Editor.start({ files: { 'basket.py': TEXT }, settings, env: { MIDFILL_CACHE: cache }, extension })
  const window = await editor.window()
  await window.open('basket.py')
  if (extension) await window.statusIs(/midfill$/)
  await window.toEnd()
  await window.page.evaluate(watch, GHOST)
  return window
}

/** How long the server took for the answer between two moments; null when it was the rest of an earlier one. */
function ownTime(cache, from, to) {
  const said = execFileSync(join(SERVER, '..', 'midfill'), ['why', '--last', '20', '--json'], {
    env: { ...process.env, MIDFILL_CACHE: cache }, encoding: 'utf8',
  })
  const one = JSON.parse(said).find((one) => one.outcome === 'ok' && !one.reused && one.at * 1000 >= from && one.at * 1000 <= to)
  return one?.latencyMs ?? null
}

/** On a new line, pause, and type one letter: one row for each that led to ghost text. */
async function ghosts(window, cache) {
  const rows = []
  for (let n = 0; n < N_LINES; n++) {
    await window.page.keyboard.insertText(`item_${n} = items[${n}]\n${INDENT}`)
    await sleep(2500) // the prompt up to here is computed
    await window.press('Escape')
    await sleep(300)
    const letter = LETTERS[n % LETTERS.length]
    await window.page.keyboard.type(letter)
    await window.page.waitForFunction(() => window.marks.ghost, null, { timeout: 5000 }).catch(() => undefined)
    const { key, ghost, keyAt } = await window.page.evaluate(() => window.marks)
    await window.press('Escape', 'Escape', 'Backspace')
    await sleep(3000) // what the server says of it is written some seconds later
    if (ghost) rows.push({ letter, page: ghost - key, server: ownTime(cache, keyAt, keyAt + ghost - key) })
  }
  return rows
}

/** Times of a block of keys. */
async function typed(window) {
  await window.page.bringToFront()
  await window.toEnd()
  await window.page.evaluate(() => (window.marks.lines.length = 0))
  for (let n = 0; n < N_KEYS; n++) {
    await window.page.keyboard.type('abcdefgh = '[n % 11])
    await sleep(60)
    if (n % 44 === 43) await window.press('Enter')
  }
  return window.page.evaluate(() => [...window.marks.lines])
}

pull()
const cache = makeCache()
const windows = []
try {
  const settings = { 'midfill.server.command': SERVER, 'midfill.quietness': 0 }
  windows.push(await opened(settings, cache, true))
  const rows = await ghosts(windows[0], cache)
  windows.push(await opened({}, cache, false))
  const blocks = []
  for (let block = 0; block < N_BLOCKS; block++) blocks.push(await typed(windows[block % 2]))
  const [on, off] = [0, 1].map((which) => blocks.filter((_, block) => block % 2 === which).flat())
  const computed = rows.filter((row) => row.server !== null)
  const result = {
    machine: `${cpus().length} x ${cpus()[0]?.model}`,
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname }).trim(),
    computed_page_ms: quantiles(computed.map((row) => row.page)), computed_server_ms: quantiles(computed.map((row) => row.server)),
    computed_beyond_server_ms: quantiles(computed.map((row) => row.page - row.server)),
    reused_page_ms: quantiles(rows.filter((row) => row.server === null).map((row) => row.page)),
    typing_on_ms: quantiles(on), typing_off_ms: quantiles(off),
  }
  mkdirSync(OUT, { recursive: true })
  writeFileSync(join(OUT, 'latency.json'), JSON.stringify({ ...result, rows, blocks }))
  console.log(JSON.stringify(result))
} finally {
  for (const window of windows) await window.editor.stop()
  removeCache(cache)
}
