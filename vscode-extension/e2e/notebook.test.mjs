// A notebook: its cells are completed, and see each other.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeCache, pull, removeCache, SERVER } from './cache.mjs'
import { Editor, sleep } from './editor.mjs'

function notebook(...cells) {
  const code = { cell_type: 'code', execution_count: null, metadata: {}, outputs: [] }
  return JSON.stringify({
    cells: cells.map((source) => ({ ...code, source })), metadata: { language_info: { name: 'python' } }, nbformat: 4, nbformat_minor: 5,
  })
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
    assert.ok(await window.ghost())
    await window.picture('notebook')
    await window.run('midfill: Show the Context Window')
    const page = window.page.frameLocator('iframe.webview').last().frameLocator('iframe')
    await page.locator('h1', { hasText: 'Context window' }).waitFor()
    assert.match(await page.locator('details').first().textContent(), /a\.ipynb.*zoned_average/s)
    await window.picture('notebook-context')
  } finally {
    await editor.stop()
    removeCache(cache)
  }
})
