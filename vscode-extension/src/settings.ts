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

/** Show the settings of the server. They are the machine's, which a window on another one has on a page of its own. */
export async function openServerSettings(query = 'midfill.server'): Promise<void> {
  const ofRemote = 'workbench.action.openRemoteSettings'
  const isRemote = (await vscode.commands.getCommands(true)).includes(ofRemote)
  if (isRemote) await vscode.commands.executeCommand(ofRemote, { query })
  else await vscode.commands.executeCommand('workbench.action.openSettings', query)
}
