// Choosing a model: the server fetches and prepares it when its setting changes.

import * as vscode from 'vscode'
import type { Model } from './protocol'

const AUTO = {
  label: 'auto',
  description: 'The best one on this machine that it is fast enough for, the default',
  detail: '',
}
const OWN = { label: 'A model of my own...', description: 'a GGUF file, or a safetensors folder', detail: '' }

export async function chooseModel(configuration: vscode.WorkspaceConfiguration, models: Model[]): Promise<void> {
  const now = configuration.get('model', '')
  const known = models.map((model) => ({ label: model.name, ...described(model) }))
  const chosen = await vscode.window.showQuickPick([AUTO, ...known, OWN], { placeHolder: `The model now: ${now}` })
  if (!chosen) return
  const model = chosen === OWN ? await fileOfOwn() : chosen.label
  if (model) await configuration.update('model', model, vscode.ConfigurationTarget.Global)
}

/** What a model's line in the list says. */
export function described(model: Model): { description: string; detail: string } {
  const size = `${(model.sizeBytes / 1e9).toFixed(1)} GB`
  const there = model.isCached ? `${size}, on this machine` : `${size} to fetch`
  return { description: model.title, detail: `${model.license}, ${there}` }
}

async function fileOfOwn(): Promise<string | undefined> {
  const [file] = (await vscode.window.showOpenDialog({ canSelectFolders: true, openLabel: 'Use This Model' })) ?? []
  return file?.fsPath
}
