// A file that says which process is doing something that only one may do at a time: several windows share one folder.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Take the lock; undefined when a living process has it, else what gives it back. */
export function takeLock(file: string, pid = process.pid): (() => void) | undefined {
  mkdirSync(dirname(file), { recursive: true })
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, String(pid), { flag: 'wx' })
      return () => rmSync(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (isLocked(file)) return undefined
      rmSync(file, { force: true }) // its process ended without giving it back
    }
  }
  return undefined
}

/** Whether a living process has the lock. */
export function isLocked(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
