// What goes wrong at the beginning, in the real editor: each time one message that says what helps, and no storm of them.

import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Editor, sleep } from './editor.mjs'

let folder

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'midfill-broken-'))
})

after(() => rmSync(folder, { recursive: true, force: true }))

/** A program that notes each start and ends like this. */
function program(name, script) {
  const file = join(folder, name)
  writeFileSync(file, `#!/bin/sh\necho start >> "${file}.starts"\n${script}\n`)
  chmodSync(file, 0o755)
  return file
}

function starts(file) {
  return existsSync(`${file}.starts`) ? readFileSync(`${file}.starts`, 'utf8').split('\n').length - 1 : 0
}

async function inWindow(settings, body, env = {}) {
  const editor = await Editor.start({ files: { 'a.py': 'x = 1\n' }, settings, env })
  try {
    const window = await editor.window()
    await body(window, editor)
  } finally {
    await editor.stop()
  }
}

test('a server that ends at once is started again with back-off, and then told of once', { timeout: 240_000 }, async () => {
  const command = program('dying', 'echo "no such module: lsp_server" >&2; exit 3')
  await inWindow({ 'midfill.server.command': command }, async (window) => {
    await window.statusIs(/starting/)
    await window.statusIs(/stopped/, 120_000)
    await sleep(2000)
    await window.picture('broken-server')
    assert.equal(starts(command), 6)
    const said = await window.messages()
    assert.equal(said.length, 1, said.join('\n'))
    assert.match(said[0], /ended six times/)
  })
})

test('a program that is not there is told of, with the way to its setting', { timeout: 120_000 }, async () => {
  await inWindow({ 'midfill.server.command': join(folder, 'nothing') }, async (window) => {
    await window.statusIs(/stopped/)
    await sleep(1000)
    await window.picture('broken-command')
    const said = await window.messages()
    assert.equal(said.length, 1, said.join('\n'))
    assert.match(said[0], /did not start.*nothing/)
  })
})

test('an installation that fails says what helps, and leaves nothing', { timeout: 240_000 }, async () => {
  const settings = { 'midfill.server.package': join(folder, 'no-such-package.whl'), 'midfill.server.pipOptions': ['--no-index'], 'midfill.server.torch': 'cpu' }
  const path = process.env.PATH.split(':').filter((part) => !existsSync(join(part, 'lsp_server'))).join(':')
  await inWindow(settings, async (window, editor) => {
    await window.statusIs(/not installed/)
    await window.page.locator('.notification-toast .monaco-button', { hasText: 'Install' }).first().click()
    await window.statusIs(/installing/)
    await window.statusIs(/not installed/, 120_000)
    await sleep(1500)
    await window.picture('broken-install')
    const said = await window.messages()
    assert.equal(said.length, 1, said.join('\n'))
    assert.match(said[0], /was not installed: There is no such package/)
    assert.equal(existsSync(join(editor.folder, 'data', 'User', 'globalStorage', 'midfill.midfill', 'server')), false)
  }, { PATH: path, VIRTUAL_ENV: '' })
})

test('an installation that is cancelled leaves nothing, and says nothing', { timeout: 120_000 }, async () => {
  const path = process.env.PATH.split(':').filter((part) => !existsSync(join(part, 'lsp_server'))).join(':')
  const settings = { 'midfill.server.package': join(import.meta.dirname, '..', '..') }
  await inWindow(settings, async (window, editor) => {
    await window.statusIs(/not installed/)
    await window.page.locator('.notification-toast .monaco-button', { hasText: 'Install' }).first().click()
    await window.statusIs(/installing/)
    await sleep(2000)
    await window.page.locator('.notification-toast .monaco-button', { hasText: 'Cancel' }).first().click()
    await window.statusIs(/not installed/)
    await sleep(1000)
    assert.deepEqual(await window.messages(), [])
    const storage = join(editor.folder, 'data', 'User', 'globalStorage', 'midfill.midfill')
    assert.deepEqual([existsSync(join(storage, 'server')), existsSync(join(storage, 'installing'))], [false, false])
  }, { PATH: path, VIRTUAL_ENV: '' })
})

test('without a Python that is new enough it says so', { timeout: 120_000 }, async () => {
  const old = program('python-old', 'echo "Python 3.9.2"')
  const path = process.env.PATH.split(':').filter((part) => !existsSync(join(part, 'lsp_server'))).join(':')
  await inWindow({ 'midfill.server.python': old }, async (window) => {
    await window.statusIs(/not installed/)
    await window.page.locator('.notification-toast .monaco-button', { hasText: 'Install' }).first().click()
    await sleep(3000)
    await window.picture('broken-python')
    const said = await window.messages()
    assert.equal(said.length, 1, said.join('\n'))
    assert.match(said[0], /is no Python 3\.11 or newer/)
  }, { PATH: path, VIRTUAL_ENV: '' })
})
