// Runs a program and hands on what it writes, line by line. No shell: arguments are never interpreted.

import { spawn } from 'node:child_process'
import { basename } from 'node:path'

export class ProgramFailed extends Error {
  constructor(
    message: string,
    readonly said = '', // the end of all that it wrote
  ) {
    super(message)
  }
}

export interface RunOptions {
  cwd?: string
  env?: Record<string, string>
  onLine?: (line: string) => void
  signal?: AbortSignal
}

/** What a program wrote to standard output. Throws ProgramFailed with the last lines of what it said. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      signal: options.signal,
      windowsHide: true,
    })
    let out = ''
    let said = ''
    const read = (text: string): void => {
      said = (said + text).slice(-4000)
      for (const line of text.split(/\r?\n|\r/)) if (line.trim()) options.onLine?.(line)
    }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      read(text)
    })
    child.stderr.setEncoding('utf8').on('data', read)
    child.on('error', (error) => reject(new ProgramFailed(`${command}: ${error.message}`)))
    child.on('close', (code) => {
      if (code === 0) resolve(out)
      else reject(new ProgramFailed(`${basename(command)} ended with ${code}: ${lastWords(said)}`, said))
    })
  })
}

/** The last lines of a text, as one line. */
export function lastWords(text: string, n = 3): string {
  return text.trim().split('\n').slice(-n).join(' ').trim() || 'it said nothing'
}
