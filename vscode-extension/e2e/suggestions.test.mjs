// What a user does all day, in the real editor with the real server and the real default model.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { kill, makeCache, processes, pull, removeCache, SERVER, statistics } from './cache.mjs'
import { Editor, sleep } from './editor.mjs'

const FIB = 'def fibonacci(n: int) -> int:\n    """The n-th Fibonacci number."""\n    if n < 2:\n        return n\n    '
const BODY = 'def word_counts(text: str) -> dict[str, int]:\n    """How often each word occurs in a text."""'
let editor, window, cache

before(async () => {
  pull()
  cache = makeCache()
  const settings = { 'midfill.server.command': SERVER, 'midfill.quietness': 0, 'editor.wordBasedSuggestions': 'off' }
  editor = await Editor.start({ files: { 'fib.py': FIB }, settings, env: { MIDFILL_CACHE: cache } })
  window = await editor.window()
  await window.open('fib.py')
  await window.statusIs(/midfill(: \d+ ms)?$/)
  await sleep(1000)
})

after(async () => {
  await editor?.stop()
  if (cache) removeCache(cache)
})

beforeEach(async () => {
  // Opened anew: what is deleted in an open document is not suggested there again.
  await window.press('Escape', 'Escape')
  await window.run('View: Revert and Close Editor')
  await window.page.waitForSelector('.tab.active', { state: 'detached' })
  writeFileSync(join(editor.workspace, 'fib.py'), FIB)
  await window.open('fib.py')
  await window.toEnd()
})

test('ghost text appears while typing, Tab accepts it, and the file has it', async () => {
  await window.type('ret')
  assert.match(await window.ghost(), /^urn fibonacci\(n ?- ?1\)/)
  await window.picture('ghost-text')
  await window.press('Tab')
  await window.noGhost()
  await window.press('Control+s')
  await sleep(700)
  assert.match(readFileSync(join(editor.workspace, 'fib.py'), 'utf8'), /    return fibonacci\(n ?- ?1\) ?\+ ?fibonacci\(n ?- ?2\)$/)
  assert.match(await window.statusIs(/\d+ ms/), /midfill: \d+ ms/)
})

test('a word is accepted, and the rest stays', async () => {
  await window.type('ret')
  const ghost = await window.ghost()
  await window.press('Control+ArrowRight')
  await sleep(400)
  assert.match(await window.text(), /return/)
  const rest = await window.ghost()
  assert.ok(rest && ghost.endsWith(rest.trimStart()) && rest.length < ghost.length, `${ghost} -> ${rest}`)
  await window.picture('word-accepted')
})

test('a line of a block is accepted, and the rest stays', async () => {
  await window.press('Control+a', 'Delete')
  await window.page.keyboard.insertText(`${BODY}\n    `)
  await window.press('Control+End', 'Escape', 'Alt+Backslash')
  await window.ghost()
  await window.picture('block')
  await window.press('Control+Alt+ArrowRight')
  await sleep(500)
  await window.picture('line-accepted')
  await window.press('Control+s')
  await sleep(700)
  const saved = readFileSync(join(editor.workspace, 'fib.py'), 'utf8').slice(BODY.length).trimEnd().split('\n')
  assert.equal(saved.length, 2, saved.join('\n'))
  assert.match(saved[1], /^    \S.*$/)
  assert.ok(await window.ghost(1000))
})

test('typing what is suggested keeps it, typing something else ends it', async () => {
  await window.type('ret')
  const ghost = await window.ghost()
  await window.type('urn f')
  await sleep(200)
  assert.equal(await window.ghost(2000), ghost.slice('urn f'.length))
  await window.type('oobar = ')
  await sleep(600)
  assert.doesNotMatch(await window.ghost(1000), /^ibonacci/)
})

test('Escape dismisses', async () => {
  await window.type('ret')
  assert.ok(await window.ghost())
  await window.press('Escape')
  await window.noGhost()
})

test('asked for, there are several suggestions to go through', async () => {
  await window.press('Alt+Backslash')
  const first = await window.ghost()
  assert.ok(first)
  await window.picture('several')
  // The first is there at once; what is found behind it comes with the next press.
  let second = first
  for (let n = 0; n < 30 && second === first; n++) {
    await window.press('Alt+Backslash')
    await sleep(400)
    second = await window.ghost(2000)
  }
  assert.notEqual(second, first)
  await window.press('Alt+BracketRight')
  await sleep(400)
  assert.notEqual(await window.ghost(2000), second)
  await window.picture('another-suggestion')
})

test('two windows use one model process', async () => {
  const other = await editor.window()
  try {
    await other.open('fib.py')
    await other.toEnd()
    await other.statusIs(/midfill(: \d+ ms)?$/)
    await other.type('\nfib')
    await other.ghost()
    assert.equal(processes('model.daemon', cache).length, 1)
  } finally {
    await other.page.close()
  }
})

test('a server that is killed is back, and so are suggestions', async () => {
  kill('--stdio', cache)
  await window.statusIs(/starting|loading/)
  await window.statusIs(/midfill(: \d+ ms)?$/)
  await sleep(500)
  await window.type('ret')
  assert.match(await window.ghost(), /^urn fibonacci/)
})

test('a model process that is killed is back, and so are suggestions', async () => {
  kill('model.daemon', cache)
  await sleep(500)
  for (let n = 0, ghost = ''; !ghost.startsWith('urn fib'); n++) {
    assert.ok(n < 12, `only ${JSON.stringify(ghost)}`)
    await sleep(2000)
    await window.press('Escape', 'Control+Backspace')
    await window.type('ret')
    ghost = await window.ghost(4000)
  }
})

test('the last suggestion is explained', async () => {
  await window.type('ret')
  await window.ghost()
  await window.run('midfill: Explain the Last Suggestion')
  const page = window.page.frameLocator('iframe.webview').last().frameLocator('iframe')
  await page.locator('h2', { hasText: 'Time' }).first().waitFor()
  assert.match(await page.locator('body').innerText(), /fib\.py:5/)
  await window.picture('why')
  await window.press('Control+w')
})

test('the context window at the cursor is shown, of text that is not saved', async () => {
  await window.type('ret')
  await window.ghost()
  await window.run('midfill: Show the Context Window')
  const page = window.page.frameLocator('iframe.webview').last().frameLocator('iframe')
  await page.locator('h1', { hasText: 'Context window' }).waitFor()
  const text = await page.locator('body').innerText()
  assert.match(text, /fib\.py:5:8/)
  assert.match(text, /\d+ of at most 8192 tokens/)
  await window.picture('context')
  await window.press('Control+w')
})

test('what was accepted is counted, and shown', async () => {
  const { all } = statistics(cache)
  assert.ok(all.accepted + all.partial >= 2, JSON.stringify(all))
  await window.run('midfill: Show Statistics')
  const page = window.page.frameLocator('iframe.webview').last().frameLocator('iframe')
  await page.locator('h2', { hasText: 'By language' }).waitFor()
  await window.picture('statistics')
  await window.press('Control+w')
})

test('the menu behind the status bar', async () => {
  await window.run('midfill: Show Menu')
  await window.page.waitForSelector('.quick-input-list .monaco-list-row[aria-label*="Explain the last"]')
  await sleep(400)
  await window.picture('menu')
  await window.press('Escape')
})
