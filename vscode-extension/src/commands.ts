// The commands, by name. Those of more than a few lines are in files of their own.

import * as vscode from 'vscode'
import type { Client } from './client'
import { CommandLine } from './command-line'
import type { Log } from './log'
import { showMenu } from './menu'
import { chooseModel } from './models'
import type { ContextWindow, Explanation, Model, NextEditExplanation, Statistics } from './protocol'
import type { Status } from './status'
import { Switches } from './switches'
import { uninstall } from './uninstall'
import { contextPage } from './views/context'
import { Panel } from './views/panel'
import { statisticsPage } from './views/statistics'
import { textPage } from './views/text'
import { whyPage } from './views/why'

export function registerCommands(context: vscode.ExtensionContext, client: Client, status: Status, log: Log): vscode.Disposable[] {
  const panel = new Panel()
  const pages = new Pages(panel, client, status, new CommandLine(client, log))
  const switches = new Switches(client, status)
  const table: Record<string, (...args: never[]) => unknown> = {
    'midfill.menu': () => showMenu(status, client.midfill !== undefined),
    'midfill.toggle': () => switches.everywhere(),
    'midfill.toggleLanguage': () => switches.language(),
    'midfill.snoozeFor': (minutes?: number) => switches.snooze(minutes),
    'midfill.trigger': trigger,
    'midfill.explain': () => pages.explain(),
    'midfill.context': () => pages.context(),
    'midfill.statistics': () => pages.statistics(),
    'midfill.model': () => pages.model(),
    'midfill.benchmark': () => pages.printed('this machine', ['bench', '--quick']),
    'midfill.doctor': () => pages.doctor(),
    'midfill.log': () => log.show(),
    'midfill.settings': () => vscode.commands.executeCommand('workbench.action.openSettings', `@ext:${context.extension.id}`),
    'midfill.install': () => client.install(),
    'midfill.restart': () => client.restart(),
    'midfill.uninstall': () => uninstall(context, client, status),
  }
  return [panel, ...Object.entries(table).map(([name, command]) => vscode.commands.registerCommand(name, command))]
}

/** The commands that show something. */
class Pages {
  constructor(
    private readonly panel: Panel,
    private readonly client: Client,
    private readonly status: Status,
    private readonly commandLine: CommandLine,
  ) {}

  async explain(): Promise<void> {
    const reply = await this.client.request<{ explanations: Explanation[]; nextEdits?: NextEditExplanation[] }>('midfill/why', { last: 20 })
    const message = this.status.last?.message ?? 'The server does not run.'
    this.panel.show('midfill: why', whyPage(reply?.explanations ?? [], message, reply?.nextEdits))
  }

  async context(): Promise<void> {
    const editor = vscode.window.activeTextEditor
    if (!editor) return void vscode.window.showInformationMessage('midfill: put the cursor where you want to know.')
    const { line, character } = editor.selection.active
    const params = { textDocument: { uri: editor.document.uri.toString() }, position: { line, character } }
    this.panel.show('midfill: context', contextPage(await this.client.request<ContextWindow>('midfill/context', params)))
  }

  async statistics(): Promise<void> {
    const found = await this.commandLine.json<Statistics>('statistics', ['stats', '--days', '30'])
    if (found) this.panel.show('midfill: statistics', statisticsPage(found))
  }

  async model(): Promise<void> {
    const models = await this.commandLine.json<Model[]>('models', ['model', 'list'])
    if (models) await chooseModel(vscode.workspace.getConfiguration('midfill'), models)
  }

  async doctor(): Promise<void> {
    await this.printed('doctor', ['doctor', ...savedPlace(), ...ofModel()])
  }

  /** Show what a command prints. */
  async printed(title: string, args: string[]): Promise<void> {
    const text = await this.commandLine.run(title, args)
    if (text !== undefined) this.panel.show(`midfill: ${title}`, textPage(title, text))
  }
}

/** FILE:LINE:COL of the cursor, of a file that is on the disk as it is here. */
function savedPlace(): string[] {
  const editor = vscode.window.activeTextEditor
  if (!editor || editor.document.isDirty || editor.document.uri.scheme !== 'file') return []
  const { line, character } = editor.selection.active
  return [`${editor.document.uri.fsPath}:${line + 1}:${character + 1}`]
}

function ofModel(): string[] {
  const model = vscode.workspace.getConfiguration('midfill').get('model', '')
  return model ? ['--model', model] : []
}

/** Ask now. VS Code keeps what was asked for while the text stays, and would not hear what was found since: others. */
async function trigger(): Promise<void> {
  await vscode.commands.executeCommand('editor.action.inlineSuggest.hide')
  await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger')
}
