// Off and on, for all, for a language, for a while; and what a workspace that is not trusted cannot choose.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { makeCache, pull, removeCache, SERVER } from './cache.mjs'
import { Editor, sleep } from './editor.mjs'

const FIB = 'def fibonacci(n: int) -> int:\n    """The n-th Fibonacci number."""\n    if n < 2:\n        return n\n    '
const USERS = { 'midfill.server.command': SERVER, 'midfill.quietness': 0 }
const READY = /midfill(: \d+ ms)?$/
let cache

before(() => {
  pull()
  cache = makeCache()
})

after(() => removeCache(cache))

/** Type at the end of the file, and see whether anything comes; the file is then as it was. */
async function suggests(window, timeout) {
  await window.toEnd()
  await window.type('ret')
  const ghost = await window.ghost(timeout)
  await window.press('Escape', 'Backspace', 'Backspace', 'Backspace', 'Escape')
  return ghost !== ''
}

test('midfill is off for a language, for all, and snoozed, and on again', { timeout: 240_000 }, async () => {
  const editor = await Editor.start({ files: { 'fib.py': FIB, 'a.ts': 'const a = 1\n' }, settings: USERS, env: { MIDFILL_CACHE: cache } })
  try {
    const window = await editor.window()
    await window.open('fib.py')
    await window.statusIs(READY)
    assert.equal(await suggests(window, 20_000), true)
    await window.run('midfill: Enable or Disable for This Language')
    await window.statusIs(/off for python/)
    assert.equal(await suggests(window, 3000), false)
    await window.open('a.ts')
    await window.statusIs(READY)
    await window.open('fib.py')
    await window.statusIs(/off for python/)
    await window.run('midfill: Enable or Disable for This Language')
    await window.statusIs(READY)
    await window.run('midfill: Snooze')
    await window.page.waitForSelector('.quick-input-list .monaco-list-row[aria-label*="15 minutes"]')
    await window.press('ArrowDown', 'Enter')
    await window.statusIs(/snoozed/)
    assert.equal(await suggests(window, 3000), false)
    await window.toEnd()
    await window.press('Alt+Backslash') // asked for, it answers all the same
    assert.ok(await window.ghost())
    await window.picture('snoozed')
    await window.press('Escape')
    await window.run('midfill: Snooze')
    await window.page.waitForSelector('.quick-input-list .monaco-list-row[aria-label*="Wake up"]')
    await window.press('Enter')
    await window.statusIs(READY)
    await window.run('midfill: Enable or Disable Everywhere')
    await window.statusIs(/midfill: off$/)
    assert.equal(await suggests(window, 3000), false)
    await window.run('midfill: Enable or Disable Everywhere')
    await window.statusIs(READY)
    assert.equal(await suggests(window, 20_000), true)
  } finally {
    await editor.stop()
  }
})

test('a workspace that is not trusted chooses neither the program nor the model', { timeout: 120_000 }, async () => {
  const own = { 'midfill.server.command': '/bin/false', 'midfill.model': join('/', 'nowhere', 'evil.gguf'), 'midfill.maxLineTokens': 17 }
  const files = { 'fib.py': FIB, '.vscode/settings.json': JSON.stringify(own) }
  const editor = await Editor.start({ files, settings: USERS, env: { MIDFILL_CACHE: cache }, untrusted: true })
  try {
    const window = await editor.window()
    await window.page.getByText('Restricted Mode').first().waitFor()
    await window.open('fib.py')
    await window.statusIs(READY)
    assert.equal(await suggests(window, 20_000), true)
    await sleep(300)
    await window.picture('restricted')
    assert.deepEqual(await window.messages(), [])
  } finally {
    await editor.stop()
  }
})
