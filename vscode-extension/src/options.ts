// How the language client talks to the server: which documents, which settings, and what is noticed of suggestions.

import * as vscode from 'vscode'
import type { ErrorHandler, LanguageClientOptions, Middleware, StaticFeature } from 'vscode-languageclient/node'
import type { Log } from './log'
import { serverPart } from './settings'

export const SELECTOR = [{ scheme: 'file' }, { scheme: 'untitled' }, { scheme: 'vscode-notebook-cell' }, { scheme: 'vscode-remote' }]

// The title of the server's progress (lsp_server/server.py).
const MODEL_PROGRESS = 'midfill: preparing the model'

/** A question of the server's is a notification here: it does not take the keys (lsp_server/engine/larger.py). */
export const CAN_ASK: StaticFeature = {
  fillClientCapabilities(capabilities) {
    capabilities.experimental = { midfillCanAsk: true }
  },
  initialize() {},
  getState: () => ({ kind: 'static' }),
  clear() {},
}

export interface Answers {
  /** An answer came, `ms` after it was asked for; `ids` of what is shown of it. */
  answered(ms: number, ids: string[]): void
}

export function clientOptions(log: Log, errorHandler: ErrorHandler, answers: Answers): LanguageClientOptions {
  return {
    documentSelector: SELECTOR,
    outputChannel: log.channel,
    stdioOptions: { stdout: (stream) => log.follow(stream), stderr: (stream) => log.follow(stream) },
    synchronize: { configurationSection: 'midfill' },
    initializationOptions: () => serverPart(vscode.workspace.getConfiguration('midfill')),
    progressOnInitialization: false,
    errorHandler,
    initializationFailedHandler: () => false,
    middleware: middleware(answers),
  }
}

function middleware(answers: Answers): Middleware {
  const ofModel = new Set<string | number>()
  return {
    // The status bar item says this already.
    handleWorkDoneProgress: (token, params, next) => {
      if (params.kind === 'begin' && params.title === MODEL_PROGRESS) ofModel.add(token)
      if (!ofModel.has(token)) next(token, params)
    },
    workspace: {
      configuration: async (params, token, next) => {
        const found = await next(params, token)
        return Array.isArray(found) ? found.map(serverPart) : found
      },
    },
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      const began = Date.now()
      const found = await next(document, position, context, token)
      const items = Array.isArray(found) ? found : (found?.items ?? [])
      // VS Code shows nothing of a request that it has cancelled, and tells no extension what it shows.
      const shown = token.isCancellationRequested ? [] : items.slice(0, 1)
      answers.answered(Date.now() - began, shown.flatMap(({ command }) => command?.arguments?.slice(0, 1) ?? []))
      return found
    },
  }
}
