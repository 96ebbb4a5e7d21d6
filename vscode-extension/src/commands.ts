// The commands, one function each; the table at the end gives them their names.

import * as vscode from 'vscode'
import type { Client } from './client'
import { uninstall } from './uninstall'
import type { Log } from './log'
import { chooseModel } from './models'
import type { Explanation, Statistics } from './protocol'
import { ProgramFailed, run } from './run'
import type { Status } from './status'
import { Panel } from './views/panel'
import { statisticsPage } from './views/statistics'
import { textPage } from './views/text'
import { whyPage } from './views/why'

const SNOOZE_MINUTES = [5, 15, 30, 60, 240]

export function registerCommands(
  context: vscode.ExtensionContext,
  client: Client,
  status: Status,
  log: Log,
): vscode.Disposable[] {
  const panel = new Panel()
  const configuration = (): vscode.WorkspaceConfiguration => vscode.workspace.getConfiguration('midfill')

  async function midfill(title: string, args: string[]): Promise<string | undefined> {
    const command = client.midfill
    if (!command) return void (await vscode.commands.executeCommand('midfill.install'))
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath
    const options = { location: vscode.ProgressLocation.Notification, title: `midfill: ${title}`, cancellable: true }
    return vscode.window.withProgress(options, async (progress, token) => {
      const abort = new AbortController()
      token.onCancellationRequested(() => abort.abort())
      try {
        return await run(command, args, {
          ...(folder === undefined ? {} : { cwd: folder }),
          env: { COLUMNS: '110', NO_COLOR: '1', TERM: 'dumb' },
          signal: abort.signal,
          onLine: (line) => {
            log.channel.info(line)
            progress.report({ message: line.trim().slice(0, 80) })
          },
        })
      } catch (error) {
        if (!abort.signal.aborted) void log.fail(error instanceof ProgramFailed ? error.message : String(error))
        return undefined
      }
    })
  }

  /** Show what a command prints. */
  async function show(title: string, args: string[]): Promise<void> {
    const text = await midfill(title, args)
    if (text !== undefined) panel.show(`midfill: ${title}`, textPage(title, text))
  }

  /** FILE:LINE:COL of the cursor, saved to disk first where that is the user's own wish anyway. */
  function place(): string | undefined {
    const editor = vscode.window.activeTextEditor
    if (!editor || editor.document.uri.scheme !== 'file') {
      void vscode.window.showInformationMessage('midfill: open a file, and put the cursor where you want to know.')
      return undefined
    }
    const { line, character } = editor.selection.active
    return `${editor.document.uri.fsPath}:${line + 1}:${character + 1}`
  }

  async function toggle(): Promise<void> {
    const enabled = configuration().get('enabled', true)
    await configuration().update('enabled', !enabled, vscode.ConfigurationTarget.Global)
    client.poll(200)
  }

  async function toggleLanguage(): Promise<void> {
    const language = vscode.window.activeTextEditor?.document.languageId
    if (!language) return void vscode.window.showInformationMessage('midfill: open a file of the language first.')
    const off = configuration().get<string[]>('disabledLanguages', [])
    const next = off.includes(language) ? off.filter((one) => one !== language) : [...off, language]
    await configuration().update('disabledLanguages', next, vscode.ConfigurationTarget.Global)
    void vscode.window.setStatusBarMessage(`midfill is ${next.includes(language) ? 'off' : 'on'} for ${language}`, 4000)
  }

  async function snooze(minutes?: number): Promise<void> {
    if (minutes === undefined) {
      const items = [...(status.isSnoozed ? [0] : []), ...SNOOZE_MINUTES].map((value) => ({
        label: value === 0 ? 'Wake up now' : `${value} minutes`,
        value,
      }))
      const chosen = await vscode.window.showQuickPick(items, { placeHolder: 'Suggest nothing while I type, for...' })
      if (!chosen) return
      minutes = chosen.value
    }
    await client.request('workspace/executeCommand', { command: 'midfill.snooze', arguments: [minutes] })
    status.snooze(minutes)
  }

  async function explain(): Promise<void> {
    const reply = await client.request<{ explanations: Explanation[] }>('midfill/why', { last: 20 })
    panel.show('midfill: why', whyPage(reply?.explanations ?? [], status.last?.message ?? 'The server does not run.'))
  }

  async function statistics(): Promise<void> {
    const text = await midfill('statistics', ['stats', '--json', '--days', '30'])
    if (text !== undefined) panel.show('midfill: statistics', statisticsPage(JSON.parse(text) as Statistics))
  }

  async function showPlace(title: string, command: string): Promise<void> {
    const here = place()
    const model = String(configuration().get('model', ''))
    if (here) await show(title, [command, here, ...(model ? ['--model', model] : [])])
  }

  async function menu(): Promise<void> {
    const language = vscode.window.activeTextEditor?.document.languageId
    const off = configuration().get<string[]>('disabledLanguages', [])
    const items: (vscode.QuickPickItem & { command?: string })[] = [
      { label: status.last?.message ?? 'The server does not run.', kind: vscode.QuickPickItemKind.Separator },
      { label: '$(sparkle) Suggest now', command: 'midfill.trigger' },
      { label: '$(question) Explain the last suggestion', command: 'midfill.explain' },
      { label: '$(bell-slash) Snooze...', command: 'midfill.snoozeFor' },
      { label: `$(circle-slash) ${configuration().get('enabled', true) ? 'Disable' : 'Enable'}`, command: 'midfill.toggle' },
    ]
    if (language) {
      const verb = off.includes(language) ? 'Enable' : 'Disable'
      items.push({ label: `$(code) ${verb} for ${language}`, command: 'midfill.toggleLanguage' })
    }
    items.push(
      { label: '', kind: vscode.QuickPickItemKind.Separator },
      { label: '$(list-tree) Context window at the cursor', command: 'midfill.context' },
      { label: '$(graph) Statistics', command: 'midfill.statistics' },
      { label: '$(package) Choose the model...', command: 'midfill.model' },
      { label: '$(dashboard) Measure this machine', command: 'midfill.benchmark' },
      { label: '$(pulse) Check everything', command: 'midfill.doctor' },
      { label: '$(output) Open the log', command: 'midfill.log' },
    )
    const chosen = await vscode.window.showQuickPick(items, { placeHolder: 'midfill' })
    if (chosen?.command) await vscode.commands.executeCommand(chosen.command)
  }

  const table: Record<string, (...args: never[]) => unknown> = {
    'midfill.menu': menu,
    'midfill.toggle': toggle,
    'midfill.toggleLanguage': toggleLanguage,
    'midfill.trigger': () => vscode.commands.executeCommand('editor.action.inlineSuggest.trigger'),
    'midfill.snoozeFor': snooze,
    'midfill.explain': explain,
    'midfill.context': () => showPlace('context window', 'context'),
    'midfill.statistics': statistics,
    'midfill.model': () => chooseModel(configuration()),
    'midfill.benchmark': () => show('this machine', ['bench', '--quick']),
    'midfill.doctor': () => show('doctor', ['doctor']),
    'midfill.log': () => log.show(),
    'midfill.install': () => client.reinstall(),
    'midfill.restart': () => client.restart(),
    'midfill.uninstall': () => uninstall(context, client),
  }
  const registered = Object.entries(table).map(([name, command]) => vscode.commands.registerCommand(name, command))
  return [panel, ...registered]
}
