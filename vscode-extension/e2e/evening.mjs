// A person types real edits in the real VS Code, with the real server and model: what she was shown, to read.
//
//   python e2e/wish.py ./tool==v1..HEAD 300 > wish.json
//   node e2e/evening.mjs --wish wish.json --shown shown.jsonl
//
// She types a key in 200 ms; now and then she waits for what is suggested. What agrees with what she wants she takes by Tab,
// the next word by its own key. Each edit ends with a look whether the text is what she wrote.

import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeCache, pull, removeCache, SERVER } from './cache.mjs'
import { Editor, GHOST, sleep } from './editor.mjs'

const { values: options } = parseArgs({ options: { wish: { type: 'string' }, shown: { type: 'string' }, patience: { type: 'string', default: '2000' } } })
const KEY_MS = 200
const EVERY = 5 // keys: then she waits
const PATIENCE_MS = Number(options.patience)
const LINES_ABOVE = 8
const LINES_BELOW = 3

const { language, history, files, edits } = JSON.parse(readFileSync(options.wish, 'utf8'))
const texts = { ...files }

const lineOf = (text, offset) => text.slice(0, offset).split('\n').length
const columnOf = (text, offset) => offset - (text.lastIndexOf('\n', offset - 1) + 1) + 1

/** The ghost text that is there, or comes within a time; also the lines of it that stand in a zone of their own. */
async function ghost(window, timeout) {
  await window.page.waitForSelector(GHOST, { timeout }).catch(() => undefined)
  const parts = await window.page.locator(GHOST).allTextContents()
  return parts.join('').replaceAll('\u00a0', ' ')
}

function tell(edit, position, shown, accepted) {
  const text = texts[edit.path]
  const at = edit.at + position
  const above = text.slice(0, at).split('\n').slice(-LINES_ABOVE - 1).join('\n')
  const below = text.slice(at).split('\n').slice(0, LINES_BELOW + 1).join('\n')
  const row = { history, language, path: edit.path, edit: edit.number, line: lineOf(text, at), around: `${above}▮${below}`, ghost: shown,
    wished: edit.text.slice(position).split('\n')[0], accepted, trigger: 'automatic', editor: 'code-server' }
  appendFileSync(options.shown, `${JSON.stringify(row)}\n`)
}

/** The cursor goes to an offset of the file that is open, or is opened. */
async function enter(window, path, offset) {
  await window.open(path.split('/').at(-1))
  await window.goTo(lineOf(texts[path], offset), columnOf(texts[path], offset))
  await sleep(500)
}

function put(path, at, removed, text) {
  texts[path] = texts[path].slice(0, at) + text + texts[path].slice(at + removed.length)
}

async function play(window, edit) {
  const page = window.page
  if (edit.removed) {
    await enter(window, edit.path, edit.at)
    for (const _ of edit.removed) await page.keyboard.press('Shift+ArrowRight')
    await page.keyboard.press('Delete')
    put(edit.path, edit.at, edit.removed, '')
  }
  await enter(window, edit.path, edit.at)
  let position = 0
  let known = '' // what is left of the ghost that was told of
  for (let n = 1; position < edit.n_typed; n++) {
    const shown = await ghost(window, n % EVERY === 0 ? PATIENCE_MS : KEY_MS)
    const rest = edit.text.slice(position)
    let took = ''
    if (shown.length > 1 && !shown.includes('\n') && rest.startsWith(shown)) took = shown
    if (shown && shown !== known) tell(edit, position, shown, took.length)
    if (took) await page.keyboard.press('Tab')
    else if (rest[0] === '\n') {
      took = /^\n[ \t]*/.exec(rest)[0]
      await page.keyboard.press('Enter')
      if (took.length > 1) await page.keyboard.insertText(took.slice(1))
    } else {
      took = /^[ \t]/.test(rest) ? /^[ \t]+/.exec(rest)[0] : rest[0]
      if (took.length > 1 || took === '\t') await page.keyboard.insertText(took)
      else await page.keyboard.type(took)
    }
    put(edit.path, edit.at + position, '', took)
    position += took.length
    known = shown.startsWith(took) ? shown.slice(took.length) : ''
  }
  if (position < edit.text.length) {
    await page.keyboard.insertText(edit.text.slice(position))
    put(edit.path, edit.at + position, '', edit.text.slice(position))
  }
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+s')
  await sleep(700)
}

pull()
writeFileSync(options.shown, '')
const cache = makeCache()
const editor = await Editor.start({ files, settings: { 'midfill.server.command': SERVER }, env: { MIDFILL_CACHE: cache } })
try {
  const window = await editor.window()
  await window.open(edits[0].path.split('/').at(-1))
  console.log(await window.statusIs(/midfill(: \d+ ms)?$/, 300_000))
  for (const edit of edits) {
    await play(window, edit)
    const saved = readFileSync(join(editor.workspace, edit.path), 'utf8')
    if (saved !== texts[edit.path]) {
      console.log(`edit ${edit.number} of ${edit.path}: the file is not what was written`)
      writeFileSync(`${options.shown}.${edit.number}.saved`, saved)
      writeFileSync(`${options.shown}.${edit.number}.wanted`, texts[edit.path])
      break
    }
  }
  console.log((await window.messages()).join('\n'))
  await window.picture('evening')
} finally {
  await editor.stop()
  removeCache(cache)
}
