// Where the server is: the user's own, the one installed by the extension, or one on the PATH; in this order.

import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { isComplete, program } from './install'

export interface Server {
  command: string // of lsp_server
  midfill: string // the command line, from the same environment
  origin: 'setting' | 'installed' | 'path'
}

export function locate(
  chosen: string,
  venv: string,
  path = process.env.PATH ?? '',
  exists: (file: string) => boolean = existsSync,
  platform: NodeJS.Platform = process.platform,
): Server | undefined {
  if (chosen) return server(chosen, 'setting', platform)
  if (isComplete(venv)) return server(program(venv, 'lsp_server', platform), 'installed', platform)
  // Another program may be called lsp_server: ours lies beside `midfill`.
  for (const folder of path.split(delimiter).filter(Boolean)) {
    const command = join(folder, platform === 'win32' ? 'lsp_server.exe' : 'lsp_server')
    const found = server(command, 'path', platform)
    if (exists(command) && exists(found.midfill)) return found
  }
  return undefined
}

/** Whether a command is a program that is there, as a path or by its name on the PATH; while one is typed it is not. */
export function isThere(command: string, path = process.env.PATH ?? '', platform: NodeJS.Platform = process.platform): boolean {
  const folders = /[\\/]/.test(command) ? [''] : path.split(delimiter).filter(Boolean)
  const endings = platform === 'win32' ? ['', '.exe', '.cmd', '.bat'] : ['']
  return folders.some((folder) => endings.some((ending) => isProgram(join(folder, command + ending))))
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

function server(command: string, origin: Server['origin'], platform: NodeJS.Platform): Server {
  return { command, midfill: join(dirname(command), platform === 'win32' ? 'midfill.exe' : 'midfill'), origin }
}
