// A cache folder for the tests: it shares the real model with the user's, and has a daemon and statistics of its own.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

export const SERVER = process.env.LSP_SERVER ?? join(import.meta.dirname, '..', '..', '.venv', 'bin', 'lsp_server')
const MIDFILL = join(SERVER, '..', 'midfill')
const USERS = process.env.MIDFILL_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'midfill')

/** Fetch and quantize the default model through the product's own command, into the user's cache. */
export function pull() {
  execFileSync(MIDFILL, ['model', 'pull'], { stdio: 'inherit' })
}

export function makeCache() {
  const folder = mkdtempSync(join(tmpdir(), 'midfill-cache-'))
  for (const part of ['models', 'stores']) symlinkSync(join(USERS, part), join(folder, part))
  return folder
}

export function emptyCache() {
  const folder = mkdtempSync(join(tmpdir(), 'midfill-cache-'))
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Process ids of programs whose command line has a word and whose environment names a cache. */
export function processes(word, cache) {
  return readdirSync('/proc').filter((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1')
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(word) && `\0${environment}\0`.includes(`\0MIDFILL_CACHE=${cache}\0`)
    } catch {
      return false
    }
  }).map(Number)
}

export function kill(word, cache) {
  for (const pid of processes(word, cache)) process.kill(pid, 'SIGKILL')
}

export function statistics(cache) {
  return JSON.parse(execFileSync(MIDFILL, ['stats', '--json'], { env: { ...process.env, MIDFILL_CACHE: cache }, encoding: 'utf8' }))
}

export function removeCache(cache) {
  kill('model.daemon', cache)
  if (existsSync(cache)) rmSync(cache, { recursive: true, force: true })
}
