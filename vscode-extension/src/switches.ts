// Turning midfill off and on: for all, for a language, for a while.

import * as vscode from 'vscode'
import type { Client } from './client'
import type { Status } from './status'

const SNOOZE_MINUTES = [5, 15, 30, 60, 240]

export class Switches {
  constructor(
    private readonly client: Client,
    private readonly status: Status,
  ) {}

  async everywhere(): Promise<void> {
    const configuration = vscode.workspace.getConfiguration('midfill')
    await configuration.update('enabled', !configuration.get('enabled', true), vscode.ConfigurationTarget.Global)
    this.client.poll(200)
  }

  async language(): Promise<void> {
    const language = vscode.window.activeTextEditor?.document.languageId
    if (!language) return void vscode.window.showInformationMessage('midfill: open a file of the language first.')
    const configuration = vscode.workspace.getConfiguration('midfill')
    const off = configuration.get<string[]>('disabledLanguages', [])
    const next = off.includes(language) ? off.filter((one) => one !== language) : [...off, language]
    await configuration.update('disabledLanguages', next, vscode.ConfigurationTarget.Global)
    this.client.poll(200)
  }

  async snooze(minutes?: number): Promise<void> {
    const chosen = minutes ?? (await this.askForMinutes())
    if (chosen === undefined) return
    await this.client.request('workspace/executeCommand', { command: 'midfill.snooze', arguments: [chosen] })
    this.status.snooze(chosen)
  }

  private async askForMinutes(): Promise<number | undefined> {
    const items = [...(this.status.isSnoozed ? [0] : []), ...SNOOZE_MINUTES].map((value) => ({
      label: value === 0 ? 'Wake up now' : `${value} minutes`,
      value,
    }))
    return (await vscode.window.showQuickPick(items, { placeHolder: 'Suggest nothing while I type, for...' }))?.value
  }
}
