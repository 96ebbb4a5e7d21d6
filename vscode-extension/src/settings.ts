// The settings that are the extension's own. All others are the server's, and go to it as they are.

import * as vscode from 'vscode'

export type Torch = 'auto' | 'cpu' | 'cuda'

export interface ServerSettings {
  command: string // of lsp_server; "" to find or install it
  python: string // that makes the environment; "" to find one
  package: string // what pip installs
  pipOptions: string[]
  torch: Torch
  cpuIndex: string // of torch's CPU builds for Linux; "" for none
}

export function serverSettings(): ServerSettings {
  const section = vscode.workspace.getConfiguration('midfill.server')
  return {
    command: section.get('command', ''),
    python: section.get('python', ''),
    package: section.get('package', 'midfill'),
    pipOptions: section.get('pipOptions', []),
    torch: section.get<Torch>('torch', 'auto'),
    cpuIndex: section.get('cpuIndex', ''),
  }
}

/** The server's part of the section `midfill`: it complains of keys that it does not know. */
export function serverPart(section: unknown): unknown {
  if (typeof section !== 'object' || section === null) return section
  const { server: _server, trace: _trace, ...rest } = section as Record<string, unknown>
  return rest
}
