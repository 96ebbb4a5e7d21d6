// More than one file in a folder: notebooks, whose cells see each other, and workspaces of several folders.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeCache, processes, pull, removeCache, SERVER } from './cache.mjs'
import { Editor, sleep } from './editor.mjs'

function notebook(...cells) {
  const code = { cell_type: 'code', execution_count: null, metadata: {}, outputs: [] }
  return JSON.stringify({
    cells: cells.map((source) => ({ ...code, source })), metadata: { language_info: { name: 'python' } }, nbformat: 4, nbformat_minor: 5,
  })
}

/** What the context window at the cursor shows first of other files. */
async function firstPassage(window) {
  await window.run('midfill: Show the Context Window')
  const page = window.page.frameLocator('iframe.webview').last().frameLocator('iframe')
  await page.locator('h1', { hasText: 'Context window' }).waitFor()
  return page.locator('details').first().textContent()
}

test('a cell is completed, and sees what another cell defines', { timeout: 240_000 }, async () => {
  pull()
  const cache = makeCache()
  const files = { 'a.ipynb': notebook('def zoned_average(values, zone_weights):\n    return sum(values) / sum(zone_weights)', 'values, zone_weights = [3, 4], [1, 2]\nprint(z') }
  const editor = await Editor.start({ files, settings: { 'midfill.server.command': SERVER, 'midfill.quietness': 0 }, env: { MIDFILL_CACHE: cache } })
  try {
    const window = await editor.window()
    await window.statusIs(/midfill$/)
    await window.page.keyboard.press('Control+p')
    await window.page.waitForSelector('.quick-input-widget input')
    await window.page.keyboard.type('a.ipynb')
    await window.page.waitForSelector('.quick-input-list .monaco-list-row.focused[aria-label*="a.ipynb"]')
    await window.page.keyboard.press('Enter')
    await window.page.locator('.notebookOverlay .monaco-editor .view-lines').nth(1).click()
    await window.press('Control+End')
    await window.type('o')
    await sleep(3000) // a pause: what the other cell defines becomes context
    await window.press('Escape')
    await window.type('ned_')
    // The cells of a notebook are one text: it is the other cell that has this name.
    assert.match(await window.ghost(), /^average\(/)
    await window.picture('notebook')
  } finally {
    await editor.stop()
    removeCache(cache)
  }
})

test('one server serves all folders of a workspace, each with its own files', { timeout: 240_000 }, async () => {
  pull()
  const cache = makeCache()
  const files = {
    'all.code-workspace': JSON.stringify({ folders: [{ path: 'one' }, { path: 'two' }] }),
    'one/alpha.py': 'def alpha_total(values):\n    return sum(values)\n',
    'one/uses_alpha.py': 'from alpha import alpha_total\n\nprint(al',
    'two/beta.py': 'def beta_total(values):\n    return sum(values)\n',
    'two/uses_beta.py': 'from beta import beta_total\n\nprint(be',
  }
  const editor = await Editor.start({ files, settings: { 'midfill.server.command': SERVER, 'midfill.quietness': 0 }, env: { MIDFILL_CACHE: cache } })
  try {
    const window = await editor.window('all.code-workspace')
    for (const [file, name] of [['uses_alpha.py', 'alpha_total'], ['uses_beta.py', 'beta_total']]) {
      await window.open(file)
      await window.statusIs(/midfill(: \d+ ms)?$/)
      await window.toEnd()
      await sleep(3000) // both folders are read by then
      assert.ok((await firstPassage(window)).includes(name))
      await window.picture(`folder-of-${name}`)
      await window.press('Control+w')
    }
    assert.equal(processes('--stdio', cache).length, 1)
  } finally {
    await editor.stop()
    removeCache(cache)
  }
})
