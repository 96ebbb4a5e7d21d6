// The change that follows from the last one, in the real editor with the real server and model: drawn where it would
// be, gone to and taken with Tab, in this file and in others, and nobody's keys otherwise.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { makeCache, pull, removeCache, SERVER } from './cache.mjs'
import { Editor, sleep } from './editor.mjs'

const FILES = {
  'rows.py': 'import csv\n\n\ndef load_rows(path):\n    with open(path, newline="") as file:\n        return list(csv.reader(file))\n\n\n'
    + 'def first_row(path):\n    return load_rows(path)[0]\n',
  'report.py': 'from rows import load_rows\n\n\ndef report(path):\n    for row in load_rows(path):\n        print(row)\n',
  'total.py': 'from rows import load_rows\n\n\ndef total(path):\n    return sum(int(row[1]) for row in load_rows(path))\n',
}
const SETTINGS = {
  'midfill.server.command': SERVER, 'midfill.nextEdit.enabled': true, 'midfill.quietness': 0, 'editor.wordBasedSuggestions': 'currentDocument',
}
let editor, window, cache

before(async () => {
  pull()
  cache = makeCache()
  const more = { 'width.py': 'import rows\n\nWIDTH = 3\n\n\ndef wide():\n    return WIDTH * WIDTH\n' }
  editor = await Editor.start({ files: { ...FILES, ...more }, settings: SETTINGS, env: { MIDFILL_CACHE: cache } })
  window = await editor.window()
  await window.open('rows.py')
  await window.statusIs(/midfill(: \d+ ms)?$/)
  await sleep(4000) // the files are read
})

after(async () => {
  await editor?.stop()
  if (cache) removeCache(cache)
})

/** Select a word that stands so many columns behind the beginning of a line of the active file, and type another one. */
async function rename(line, column, text) {
  await window.goTo(line, column)
  await window.press('Control+Shift+ArrowRight')
  await window.type(text)
}

test('renaming a function that three files use is Tab after Tab', { timeout: 180_000 }, async () => {
  await rename(4, 5, 'read_rows')
  assert.equal(await window.hint(), 'Tab: line 10 ↓')
  assert.deepEqual(await window.struck(), ['load_rows'])
  await window.picture('next-edit-elsewhere')
  await window.press('Tab')
  assert.equal(await window.hint(/accept/), 'Tab: accept')
  await window.picture('next-edit-here')
  await window.press('Tab')
  assert.match(await window.hint(/→/), /^Tab: (report|total)\.py:1 →$/)
  assert.match(await window.text(), /return read_rows\(path\)\[0\]/)
  await window.picture('next-edit-other-file')
  for (let n = 0; n < 2; n++) {
    await window.press('Tab') // opens the next file
    assert.equal(await window.hint(/accept/), 'Tab: accept')
    await window.picture(`next-edit-file-${n + 2}`)
    await window.press('Tab')
    assert.equal(await window.hint(/line/), 'Tab: line 5 ↓')
    await window.press('Tab')
    assert.equal(await window.hint(/accept/), 'Tab: accept')
    await window.press('Tab')
    if (n === 0) await window.hint(/→/)
  }
  await window.noHint()
  await window.run('File: Save All Files')
  await sleep(1000)
  await window.picture('next-edit-all')
  for (const [name, text] of Object.entries(FILES)) assert.equal(saved(name), text.replaceAll('load_rows', 'read_rows'))
})

function saved(name) {
  return readFileSync(join(editor.workspace, name), 'utf8')
}

test('what was taken is one step to undo', async () => {
  await window.press('Control+z')
  await window.run('File: Save All Files')
  await sleep(1000)
  const texts = ['report.py', 'total.py'].map(saved)
  assert.deepEqual(texts.map((text) => text.match(/load_rows/g)?.length ?? 0).sort(), [0, 1])
  await window.press('Control+y')
  await window.noHint()
})

test('Escape dismisses it, and Tab is a tab again', async () => {
  await window.open('width.py')
  await rename(3, 1, 'BREADTH')
  assert.equal(await window.hint(), 'Tab: line 7 ↓')
  assert.deepEqual(await window.struck(), ['WIDTH', 'WIDTH'])
  await window.picture('next-edit-twice-in-a-line')
  await window.press('Escape')
  await window.noHint()
  await window.goTo(4, 1)
  await window.press('Tab')
  await sleep(500)
  await window.noHint()
  await window.press('Control+s')
  await sleep(700)
  assert.equal(saved('width.py').split('\n')[3], '    ')
})

test('the popup has its keys', async () => {
  await window.press('Control+z', 'Control+z', 'Control+s')
  await sleep(500)
  await window.goTo(7, 12)
  await rename(3, 1, 'BREADTHS')
  await window.hint()
  await window.goTo(7, 25)
  await window.type(' + w')
  await window.press('Control+Space')
  await window.page.waitForSelector('.suggest-widget.visible .monaco-list-row')
  await window.picture('next-edit-popup')
  await window.press('Tab')
  await window.page.waitForSelector('.suggest-widget.visible', { state: 'detached' }).catch(() => undefined)
  assert.match(await window.text(), /\+ wide/)
})

test('beside a suggestion at the cursor nothing is drawn, and Tab takes the suggestion', async () => {
  await window.open('report.py')
  await window.toEnd()
  await window.type('\n\ndef reports(paths):\n    for path in paths:\n        rep')
  await window.press('Alt+Backslash')
  const ghost = await window.ghost()
  assert.ok(ghost)
  await sleep(600)
  await window.noHint()
  await window.press('Tab')
  await window.noGhost()
  assert.ok((await window.text()).includes(`rep${ghost.split('\n')[0]}`))
})

test('lines that come in stand beside the place where they come in', { timeout: 120_000 }, async () => {
  const settings = { ...SETTINGS, 'midfill.nextEdit.eagerness': 1, 'midfill.automatic': false } // no suggestion is in the way
  const plain = 'import csv\n\n\ndef plain(path):\n    return csv.reader(path)\n'
  const other = await Editor.start({ files: { ...FILES, 'plain.py': plain }, settings, env: { MIDFILL_CACHE: cache } })
  try {
    const page = await other.window()
    await page.open('plain.py')
    await page.statusIs(/on request/)
    await sleep(4000)
    await page.toEnd()
    await page.type('\n\nprint(load_rows(plain(1)))\n')
    await sleep(1000) // what was offered in between is gone
    const hint = await page.hint(/line/)
    await page.picture('next-edit-lines')
    assert.match(hint, /^Tab: line [12] ↑$/)
    assert.deepEqual(await page.boxed(), ['from rows import load_rows'])
    await page.press('Tab')
    await page.hint(/accept/)
    await page.picture('next-edit-lines-here')
    await page.press('Tab')
    await sleep(500)
    assert.match(await page.text(), /^from rows import load_rows$/m)
  } finally {
    await other.stop()
  }
})
