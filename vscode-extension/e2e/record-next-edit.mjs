// Records next edits in the real VS Code as frames in out/frames/: a function that three files use is renamed.
// `python e2e/record.py ../docs/next-edit.gif` makes one picture of them.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeCache, pull, removeCache, SERVER } from './cache.mjs'
import { Editor, OUT, sleep } from './editor.mjs'

const FRAMES = join(OUT, 'frames')
const FILES = {
  'rows.py': 'import csv\n\n\ndef load_rows(path):\n    with open(path, newline="") as file:\n        return list(csv.reader(file))\n\n\n'
    + 'def first_row(path):\n    return load_rows(path)[0]\n',
  'report.py': 'from rows import load_rows\n\n\ndef report(path):\n    for row in load_rows(path):\n        print(row)\n',
  'total.py': 'from rows import load_rows\n\n\ndef total(path):\n    return sum(int(row[1]) for row in load_rows(path))\n',
}

rmSync(FRAMES, { recursive: true, force: true })
mkdirSync(FRAMES, { recursive: true })
pull()
const cache = makeCache()
const settings = {
  'midfill.server.command': SERVER, 'midfill.nextEdit.enabled': true,
  'editor.fontSize': 15, 'workbench.activityBar.location': 'hidden', 'editor.occurrencesHighlight': 'off',
}
const editor = await Editor.start({ files: FILES, settings, env: { MIDFILL_CACHE: cache } })
try {
  const window = await editor.window(undefined, { width: 760, height: 440 })
  await window.open('rows.py')
  await window.press('Control+b')
  await window.statusIs(/midfill$/)
  await sleep(4000) // the files are read
  let n = 0
  const frame = async (times = 1) => {
    for (let k = 0; k < times; k++) await window.page.screenshot({ path: join(FRAMES, `${String(n++).padStart(3, '0')}.png`) })
  }
  await window.goTo(4, 5)
  await window.press('Control+Shift+ArrowRight')
  await frame(3)
  for (const character of 'read_rows') {
    await window.page.keyboard.type(character)
    await frame()
  }
  for (const said of [/line 10/, /accept/, /→/, /accept/, /line 5/, /accept/, /→/, /accept/, /line 5/, /accept/]) {
    await window.hint(said)
    await frame(7)
    await window.press('Tab')
  }
  await window.noHint()
  await frame(10)
} finally {
  await editor.stop()
  removeCache(cache)
}
