// Leaving: what midfill has put on the machine goes, and nothing else.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { processes, SERVER } from './cache.mjs'
import { Editor, sleep } from './editor.mjs'

test('everything is removed, after it was named with its size', { timeout: 120_000 }, async () => {
  const cache = mkdtempSync(join(tmpdir(), 'midfill-cache-'))
  mkdirSync(join(cache, 'models'))
  writeFileSync(join(cache, 'models', 'own.gguf'), 'x'.repeat(2_000_000))
  writeFileSync(join(cache, 'not-ours'), '')
  const settings = { 'midfill.server.command': SERVER, 'midfill.enabled': false }
  const editor = await Editor.start({ files: { 'a.py': '' }, settings, env: { MIDFILL_CACHE: cache } })
  try {
    const window = await editor.window()
    await window.statusIs(/off$/)
    await window.run('midfill: Uninstall Everything')
    const dialog = window.page.locator('.monaco-dialog-box')
    await dialog.waitFor()
    assert.match(await dialog.innerText(), /models \(model files as they were published, 2\.0 MB\)/)
    assert.ok((await dialog.innerText()).includes(cache))
    await sleep(300)
    await window.picture('uninstall')
    await dialog.getByRole('button', { name: 'Remove All' }).click()
    for (let n = 0; existsSync(join(cache, 'models')) || processes('--stdio', cache).length; n++) {
      assert.ok(n < 100, 'it is still there')
      await sleep(200)
    }
    const extensions = join(editor.folder, 'exts', 'extensions.json')
    for (let n = 0; readFileSync(extensions, 'utf8').includes('midfill') || (await window.status()); n++) {
      assert.ok(n < 100, 'the extension is still there')
      await sleep(200)
    }
    assert.ok(existsSync(join(cache, 'not-ours')))
    assert.equal(existsSync(join(editor.folder, 'data', 'User', 'globalStorage', 'midfill.midfill')), false)
    await window.picture('uninstalled')
  } finally {
    await editor.stop()
    rmSync(cache, { recursive: true, force: true })
  }
})
