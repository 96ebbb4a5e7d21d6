// Where the server is: the user's own, the one installed by the extension, or one on the PATH; in this order.

import { existsSync } from 'node:fs'
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

function server(command: string, origin: Server['origin'], platform: NodeJS.Platform): Server {
  return { command, midfill: join(dirname(command), platform === 'win32' ? 'midfill.exe' : 'midfill'), origin }
}
