// Sizes of folders, for people.

import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Bytes below a folder; links are not followed, what cannot be read counts nothing. */
export function folderSize(folder: string): number {
  try {
    return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
      const path = join(folder, entry.name)
      return sum + (entry.isDirectory() ? folderSize(path) : entry.isFile() ? lstatSync(path).size : 0)
    }, 0)
  } catch {
    return 0
  }
}

export function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
