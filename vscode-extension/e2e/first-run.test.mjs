// A newcomer: the extension in a clean VS Code, no server, no model. One click on Install, and a suggestion.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { emptyCache, processes, removeCache } from './cache.mjs'
import { Editor, sleep } from './editor.mjs'

const FIB = 'def fibonacci(n: int) -> int:\n    """The n-th Fibonacci number."""\n    if n < 2:\n        return n\n    '
const MINUTES = 60_000

test('one click on Install leads to a suggestion', { timeout: 15 * MINUTES }, async () => {
  const cache = emptyCache()
  // Of this checkout, since it is this one that is tested; users get the published package.
  const settings = { 'midfill.server.package': join(import.meta.dirname, '..', '..') }
  const path = process.env.PATH.split(':').filter((folder) => !folder.includes('venv')).join(':')
  const editor = await Editor.start({ files: { 'fib.py': FIB }, settings, env: { MIDFILL_CACHE: cache, PATH: path, VIRTUAL_ENV: '' } })
  try {
    const window = await editor.window()
    await window.statusIs(/not installed/)
    await window.picture('first-run-1-offer')
    await window.page.locator('.notification-toast .monaco-button', { hasText: 'Install' }).first().click()
    await window.statusIs(/installing/)
    await sleep(3000)
    await window.picture('first-run-2-installing')
    await window.open('fib.py')
    await window.statusIs(/fetching the model/, 8 * MINUTES)
    await sleep(4000)
    await window.picture('first-run-3-model')
    await window.toEnd()
    await window.type('ret')
    await window.statusIs(/midfill(: \d+ ms)?$/, 8 * MINUTES)
    let ghost = await window.ghost(20_000)
    if (!ghost) {
      await window.type('u')
      ghost = await window.ghost()
    }
    assert.match(ghost, /n fibonacci\(n ?- ?1\)/)
    await window.picture('first-run-4-suggestion')
    assert.equal(processes('model.daemon', cache).length, 1)
  } finally {
    await editor.stop()
    removeCache(cache)
  }
})
