// Records a session in the real VS Code as frames in out/frames/; `python e2e/record.py FILE` makes one picture of them.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeCache, pull, removeCache, SERVER } from './cache.mjs'
import { Editor, OUT, sleep } from './editor.mjs'

const FRAMES = join(OUT, 'frames')
const TEXT = `from dataclasses import dataclass


@dataclass
class Item:
    name: str
    price: float
    quantity: int


class Basket:
    def __init__(self) -> None:
        self.items: list[Item] = []

`

pull()
rmSync(FRAMES, { recursive: true, force: true })
mkdirSync(FRAMES, { recursive: true })
const cache = makeCache()
const settings = { 'midfill.server.command': SERVER, 'editor.autoIndent': 'full', 'editor.fontSize': 15, 'workbench.activityBar.location': 'hidden' }
const editor = await Editor.start({ files: { 'basket.py': TEXT }, settings, env: { MIDFILL_CACHE: cache } })
try {
  const window = await editor.window(undefined, { width: 760, height: 520 })
  await window.open('basket.py')
  await window.press('Control+b')
  await window.statusIs(/midfill$/)
  await window.toEnd()
  await sleep(4000) // the file is read
  let n = 0
  const frame = async () => window.page.screenshot({ path: join(FRAMES, `${String(n++).padStart(3, '0')}.png`) })
  const type = async (text) => {
    for (const character of text) {
      await window.page.keyboard.type(character)
      await sleep(120)
      await frame()
    }
  }
  const suggestion = async () => {
    await window.ghost(15_000)
    await sleep(400)
    for (let k = 0; k < 4; k++) await frame()
    await window.press('Tab')
    await sleep(300)
    for (let k = 0; k < 3; k++) await frame()
  }
  await window.press('Tab')
  await type('def total(self)')
  await suggestion()
  await window.press('Enter')
  await suggestion()
  await window.press('Enter', 'Enter', 'Escape', 'Shift+Tab')
  await type('def add(')
  await suggestion()
  for (let k = 0; k < 6; k++) await frame()
} finally {
  await editor.stop()
  removeCache(cache)
}
