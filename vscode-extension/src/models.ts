// Choosing a model: the server fetches and prepares it when its setting changes.

import * as vscode from 'vscode'

export const MODELS = [
  { label: 'qwen2.5-coder-0.5b', description: 'fast on any laptop', detail: 'Apache-2.0, 0.5 GB to fetch' },
  { label: 'qwen2.5-coder-1.5b', description: 'better, three times the work', detail: 'Apache-2.0, 1.1 GB to fetch' },
]

export async function chooseModel(configuration: vscode.WorkspaceConfiguration): Promise<void> {
  const now = configuration.get('model', '')
  const own = { label: 'A model of my own...', description: 'a GGUF file, or a safetensors folder', detail: '' }
  const items = [...MODELS, own].map((item) => ({ ...item, picked: item.label === now }))
  const chosen = await vscode.window.showQuickPick(items, { placeHolder: `The model now: ${now}` })
  if (!chosen) return
  let model = chosen.label
  if (model === own.label) {
    const [file] = (await vscode.window.showOpenDialog({ canSelectFolders: true, openLabel: 'Use This Model' })) ?? []
    if (!file) return
    model = file.fsPath
  }
  await configuration.update('model', model, vscode.ConfigurationTarget.Global)
}
