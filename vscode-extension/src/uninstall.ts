// Removes what midfill has put on this machine, after it has been named with its size.

import { rmSync } from 'node:fs'
import * as vscode from 'vscode'
import type { Client } from './client'
import type { Cache } from './protocol'
import { run } from './run'
import type { Status } from './status'
import { folderSize, inMegabytes } from './sizes'

export async function uninstall(context: vscode.ExtensionContext, client: Client, status: Status): Promise<void> {
  const midfill = client.midfill
  const own = context.globalStorageUri.fsPath
  const cache = midfill && (await run(midfill, ['cache', '--json']).then((text) => JSON.parse(text) as Cache, () => undefined))
  const detail = whatGoes(own, folderSize(own), cache || undefined)
  const chosen = await vscode.window.showWarningMessage('Remove all that midfill has put on this machine?', { modal: true, detail }, 'Remove All')
  if (chosen !== 'Remove All') return
  await client.stop()
  if (midfill) {
    await run(midfill, ['stop']).catch(() => undefined)
    await run(midfill, ['stats', '--erase']).catch(() => undefined)
    await run(midfill, ['cache', 'clear', 'all']).catch(() => undefined)
  }
  status.hide()
  rmSync(own, { recursive: true, force: true })
  await vscode.commands.executeCommand('workbench.extensions.uninstallExtension', context.extension.id)
}

/** Paths with their sizes, a line each. */
export function whatGoes(own: string, ownBytes: number, cache: Cache | undefined): string {
  const rows = [`${own} (the server's environment, ${inMegabytes(ownBytes)})`]
  for (const part of cache?.parts ?? []) rows.push(`${part.path} (${part.about}, ${inMegabytes(part.sizeBytes)})`)
  if (!cache) rows.push('What lies in the cache folder stays: there is no server to remove it.')
  else rows.push('The statistics, and the extension itself.')
  return rows.join('\n\n')
}
