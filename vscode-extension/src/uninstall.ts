// Removes what midfill has put on this machine, after it has been named with its size.

import { rmSync } from 'node:fs'
import * as vscode from 'vscode'
import type { Client } from './client'
import { run } from './run'
import { folderSize, inMegabytes } from './sizes'

export async function uninstall(context: vscode.ExtensionContext, client: Client): Promise<void> {
  const midfill = client.midfill
  const cache = midfill ? (await run(midfill, ['cache'], { env: { COLUMNS: '200', NO_COLOR: '1' } }).catch(() => '')).trim() : ''
  const own = `${context.globalStorageUri.fsPath}: the server's environment, ${inMegabytes(folderSize(context.globalStorageUri.fsPath))}`
  const chosen = await vscode.window.showWarningMessage(
    'Remove all that midfill has put on this machine?',
    { modal: true, detail: `${own}\n\nModels, indexes and what was computed:\n${cache || 'not known: no server'}\n\nThe statistics go, too.` },
    'Remove All',
  )
  if (chosen !== 'Remove All') return
  await client.stop()
  if (midfill) {
    await run(midfill, ['stop']).catch(() => undefined)
    await run(midfill, ['stats', '--erase']).catch(() => undefined)
    await run(midfill, ['cache', 'clear', 'all']).catch(() => undefined)
  }
  rmSync(context.globalStorageUri.fsPath, { recursive: true, force: true })
  await vscode.commands.executeCommand('workbench.extensions.uninstallExtension', context.extension.id)
}
