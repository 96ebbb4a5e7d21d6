// How suggestions came about, the last one first. Pure.

import type { ContextItem, Explanation, NextEditExplanation } from '../protocol'
import { code, escape, page, table } from './html'

export function whyPage(known: Explanation[], message: string, nextEdits: NextEditExplanation[] = []): string {
  const [last, ...older] = known
  const edits = nextEdits.length ? `<h2>Next edits</h2>${nextEdits.map(nextEdit).join('')}` : ''
  if (!last) return page('Why', `<p class="lead">Nothing has been asked yet.</p><p class="dim">${escape(message)}</p>${edits}`)
  const rest = older.map((one) => `<details><summary>${heading(one)}</summary>${explanation(one)}</details>`)
  const before = rest.length ? `<h2>Before that</h2>${rest.join('')}` : ''
  return page('Why', `<p class="dim">${heading(last)}</p>${explanation(last)}${edits}${before}`)
}

/** The place that it was asked at, what came of it, and each proposal with what the judge made of it. */
function nextEdit(one: NextEditExplanation, n: number): string {
  const at = new Date(one.at * 1000).toLocaleTimeString()
  const head = `${at} · ${one.path}:${one.line}:${one.column} · ${Math.round(one.latencyMs)} ms`
  const rows = one.proposals.map((each) => [
    escape(`${each.path}:${each.line}`), code(each.old.join('\n')), code(each.new.join('\n')), escape(each.layer),
    `${Math.round(100 * each.probability)} %`, escape(each.verdict),
  ])
  const proposals = rows.length ? table(['place', 'before', 'after', 'rule', 'wanted', ''], rows) : ''
  return `<details${n ? '' : ' open'}><summary>${escape(head)}</summary><p>${escape(one.sentence)}</p>${proposals}</details>`
}

function heading(one: Explanation): string {
  const at = new Date(one.at * 1000).toLocaleTimeString()
  return escape(`${at} · ${one.path}:${one.line}:${one.column} · ${one.outcome} · ${Math.round(one.latencyMs)} ms`)
}

function explanation(one: Explanation): string {
  return [
    `<p class="lead">${escape(one.sentence ?? one.reason)}</p>`,
    one.text ? `<h2>Shown</h2>${code(one.text)}` : '',
    one.raw && one.raw !== one.text ? `<h2>What the model wrote</h2>${code(one.raw)}` : '',
    steps(one),
    ranked(one),
    `<h2>What it saw</h2>${facts(one)}${tree(one.context)}`,
    `<h2>Time</h2>${times(one)}`,
  ].join('')
}

function steps(one: Explanation): string {
  if (!one.steps.length) return ''
  const rows = one.steps.map((step) => [escape(step.name.replaceAll('_', ' ')), code(step.before), code(step.after)])
  return `<h2>What was changed</h2>${table(['by', 'before', 'after'], rows)}`
}

function ranked(one: Explanation): string {
  if (one.ranked.length < 2) return ''
  const rows = one.ranked.map(([text, score]) => [code(text), score.toFixed(1)])
  return `<h2>Answers that were compared</h2>${table(['answer', 'log-probability with what follows'], rows)}`
}

function facts(one: Explanation): string {
  const prompt = one.nPrompt ? `${one.nPrompt} tokens, ${one.nComputed} of them computed for this answer` : 'none: the model was not asked'
  const rows = [
    ['prompt', prompt],
    ['asked', [one.trigger, one.mode, one.format].filter(Boolean).join(', ')],
  ]
  if (one.probability !== null) rows.push(['kept by you', `with a probability of ${Math.round(100 * one.probability)} %`])
  if (one.unknownNames.length) rows.push(['unknown names', one.unknownNames.join(', ')])
  return table(['', ''], rows.map((row) => row.map(escape)))
}

/** Snippets of other files, by file. */
function tree(context: ContextItem[]): string {
  if (!context.length) return '<p class="dim">No other file.</p>'
  const files = new Map<string, ContextItem[]>()
  for (const item of context) files.set(item.path, [...(files.get(item.path) ?? []), item])
  const lines = [...files].map(([path, items]) => {
    const each = items.map((item) => {
      const size = item.tokens ? `${item.tokens} tokens` : 'no room'
      return `<li>${escape(item.about || 'a passage')} <span class="dim">${escape(item.sources.join(', '))} · ${size}</span></li>`
    })
    return `<li>${escape(path)}<ul>${each.join('')}</ul></li>`
  })
  return `<ul>${lines.join('')}</ul>`
}

function times(one: Explanation): string {
  const rows = Object.entries(one.timingsMs).map(([stage, ms]) => [escape(stage), `${ms.toFixed(1)} ms`])
  return table(['stage', ''], rows)
}
