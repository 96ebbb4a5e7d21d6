// The window that a completion at the cursor would see. Pure.

import type { ContextWindow } from '../protocol'
import { code, escape, page, table } from './html'

export function contextPage(window: ContextWindow | undefined): string {
  const title = 'Context window'
  if (!window) return page(title, '<p class="lead">The server does not run.</p>')
  if (window.message) return page(title, `<p class="lead">${escape(window.message)}.</p>`)
  const inside = window.snippets.filter((snippet) => snippet.tokens)
  const outside = window.snippets.filter((snippet) => !snippet.tokens)
  const others = window.nPrompt - window.nFile
  return page(
    title,
    [
      `<p class="dim">${escape(`${window.path}:${window.line}:${window.column}`)}</p>`,
      `<p class="lead">${window.nPrompt} of at most ${window.maxTokens} tokens: ${window.nFile} of the file itself, ${others} of other files.</p>`,
      bar(window),
      window.skip ? `<p>Nothing is asked here while you type: ${escape(window.skip)}.</p>` : '',
      table(['', ''], [['completed as', `a ${window.mode}`], ['format', window.format], ['language', window.language]].map((row) => row.map(escape))),
      `<h2>Other files, the best first</h2>`,
      inside.length ? inside.map(passage).join('') : '<p class="dim">None: nothing here speaks of them, or the workspace is still being read.</p>',
      outside.length ? `<h2>No room for</h2>${outside.map(passage).join('')}` : '',
    ].join(''),
  )
}

function passage(snippet: ContextWindow['snippets'][number]): string {
  const size = snippet.tokens ? ` · ${snippet.tokens} tokens` : ''
  const why = `<span class="dim">${escape(snippet.sources.join(', '))}${size}</span>`
  return `<details><summary>${escape(snippet.path)} <b>${escape(snippet.about || firstLine(snippet.text))}</b> ${why}</summary>${code(snippet.text)}</details>`
}

function firstLine(text: string): string {
  const line = text.trimStart().split('\n', 1)[0]?.trim() ?? ''
  return line.length > 60 ? `${line.slice(0, 57)}...` : line
}

/** How full the window is: other files first, as in the prompt, then the file. */
function bar({ nPrompt, nFile, maxTokens }: ContextWindow): string {
  const [others, file] = [nPrompt - nFile, nFile].map((n) => (100 * n) / Math.max(1, maxTokens)) as [number, number]
  const rect = (x: number, width: number, name: string): string =>
    `<rect class="${name}" x="${x.toFixed(2)}%" width="${width.toFixed(2)}%" height="12"/>`
  return `<svg width="100%" height="12" role="img" aria-label="how full the window is"><rect class="rest" width="100%" height="12"/>${rect(0, others, 'bar')}${rect(others, file, 'bar2')}</svg><p class="dim">blue: other files, green: this file</p>`
}
