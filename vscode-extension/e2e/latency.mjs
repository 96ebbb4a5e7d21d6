// Two measurements in the real VS Code, as one JSON line: `npm run latency` (the machine should do nothing else).
//
//   ghost: from a key to visible ghost text, in the page, for requests whose prompt is warm, beside the server's own time
//   typing: from a key to the changed line, in the page, in alternating blocks with midfill on and off
//
// VS Code itself waits 50 ms before it asks for inline suggestions.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { makeCache, pull, removeCache, SERVER } from './cache.mjs'
import { Editor, GHOST, sleep } from './editor.mjs'

const N_GHOST = 40
const N_BLOCKS = 4
const N_KEYS = 300
const STARTS = ['total', 'count', 'result', 'self', 'item', 'value', 'for ', 'if ', 'return ', 'print', 'names', 'while ']
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
  const marks = (window.marks = { key: 0, line: 0, ghost: 0, lines: [] })
  document.addEventListener('keydown', () => {
    marks.key = performance.now()
    marks.line = marks.ghost = 0
  }, true)
  new MutationObserver(() => {
    const now = performance.now()
    if (!marks.line) {
      marks.line = now
      if (marks.key) marks.lines.push(now - marks.key)
    }
    if (!marks.ghost && document.querySelector(ghost)) marks.ghost = now
  }).observe(document.querySelector('.monaco-editor .view-lines'), { childList: true, subtree: true, characterData: true })
}

function quantiles(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share) => Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN).toFixed(1))
  return { n: sorted.length, p25: at(0.25), p50: at(0.5), p75: at(0.75), p95: at(0.95) }
}

async function ghosts(window) {
  const waits = []
  for (let n = 0; n < N_GHOST; n++) {
    const word = STARTS[n % STARTS.length]
    await window.page.keyboard.type(word.slice(0, -1), { delay: 20 })
    await sleep(2500) // the prompt up to here is computed
    await window.press('Escape')
    await sleep(300)
    await window.page.keyboard.type(word.slice(-1))
    await window.page.waitForFunction(() => window.marks.ghost, null, { timeout: 4000 }).catch(() => undefined)
    const { key, ghost } = await window.page.evaluate(() => window.marks)
    if (ghost) waits.push(ghost - key)
    await window.press('Escape', 'Escape')
    for (let left = word.length; left; left--) await window.press('Backspace')
  }
  return waits
}

async function typed(window) {
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
const settings = { 'midfill.server.command': SERVER, 'midfill.quietness': 0 }
const editor = await Editor.start({ files: { 'basket.py': `${TEXT}        ` }, settings, env: { MIDFILL_CACHE: cache } })
try {
  const window = await editor.window()
  await window.open('basket.py')
  await window.statusIs(/midfill$/)
  await window.toEnd()
  await window.page.evaluate(watch, GHOST)
  const waits = await ghosts(window)
  const why = JSON.parse(execFileSync(join(SERVER, '..', 'midfill'), ['why', '--last', '50', '--json'], { env: { ...process.env, MIDFILL_CACHE: cache }, encoding: 'utf8' }))
  const own = why.filter((one) => one.outcome === 'ok' && !one.reused).map((one) => one.latencyMs)
  const typing = { on: [], off: [] }
  for (let block = 0; block < N_BLOCKS; block++) {
    const name = block % 2 ? 'off' : 'on'
    typing[name].push(...(await typed(window)))
    await window.run('midfill: Enable or Disable Everywhere')
    await sleep(1500)
    await window.press('Escape')
  }
  console.log(JSON.stringify({
    ghost_ms: quantiles(waits), server_ms: quantiles(own),
    typing_on_ms: quantiles(typing.on), typing_off_ms: quantiles(typing.off),
  }))
} finally {
  await editor.stop()
  removeCache(cache)
}
