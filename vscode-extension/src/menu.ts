// The menu behind the status bar item.

import * as vscode from 'vscode'
import type { Status } from './status'

type Item = vscode.QuickPickItem & { command?: string }

export async function showMenu(status: Status, hasServer: boolean): Promise<void> {
  const chosen = await vscode.window.showQuickPick(hasServer ? items(status) : withoutServer(), { placeHolder: 'midfill' })
  if (chosen?.command) await vscode.commands.executeCommand(chosen.command)
}

function items(status: Status): Item[] {
  const configuration = vscode.workspace.getConfiguration('midfill')
  const language = vscode.window.activeTextEditor?.document.languageId
  const verb = configuration.get<string[]>('disabledLanguages', []).includes(language ?? '') ? 'Enable' : 'Disable'
  return [
    { label: status.last?.message ?? 'the server does not answer', kind: vscode.QuickPickItemKind.Separator },
    { label: '$(sparkle) Suggest now', command: 'midfill.trigger' },
    { label: '$(question) Explain the last suggestion', command: 'midfill.explain' },
    { label: `$(bell-slash) ${status.isSnoozed ? 'Snoozed...' : 'Snooze...'}`, command: 'midfill.snoozeFor' },
    { label: `$(circle-slash) ${configuration.get('enabled', true) ? 'Disable' : 'Enable'}`, command: 'midfill.toggle' },
    ...(language ? [{ label: `$(code) ${verb} for ${language}`, command: 'midfill.toggleLanguage' }] : []),
    { label: '', kind: vscode.QuickPickItemKind.Separator },
    { label: '$(list-tree) Context window at the cursor', command: 'midfill.context' },
    { label: '$(graph) Statistics', command: 'midfill.statistics' },
    { label: '$(package) Choose the model...', command: 'midfill.model' },
    { label: '$(dashboard) Measure this machine', command: 'midfill.benchmark' },
    { label: '$(pulse) Check everything', command: 'midfill.doctor' },
    { label: '$(refresh) Restart the server', command: 'midfill.restart' },
    { label: '$(output) Open the log', command: 'midfill.log' },
    { label: '$(gear) Settings', command: 'midfill.settings' },
  ]
}

function withoutServer(): Item[] {
  return [
    { label: '$(cloud-download) Install the server', command: 'midfill.install' },
    { label: '$(refresh) Restart the server', command: 'midfill.restart' },
    { label: '$(output) Open the log', command: 'midfill.log' },
    { label: '$(gear) Settings', command: 'midfill.settings' },
  ]
}
