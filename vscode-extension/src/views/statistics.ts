// What was suggested and accepted, with charts. Pure.

import type { Statistics, Usage } from '../protocol'
import { escape, page, table } from './html'

const WIDTH = 640
const HEIGHT = 120

export function statisticsPage(found: Statistics): string {
  const { all } = found
  if (!all.shown) return page('Statistics', `<p class="lead">Nothing was suggested in the last ${found.days} days.</p>${PRIVATE}`)
  const lead = `<p class="lead">${counted(all.shown, 'suggestion')} shown in ${found.days} days, ${all.accepted + all.partial} accepted: ${share(all)}. ${
    all.judged ? `${Math.round((100 * all.kept) / all.judged)} % of what was accepted still stood five minutes later. ` : ''
  }${counted(all.characters, 'character')} written.</p>`
  const languages = Object.entries(found.languages).sort(([, a], [, b]) => b.shown - a.shown)
  const rows = [...languages, ['all', all] as [string, Usage]].map(([name, usage]) => [
    escape(name),
    String(usage.shown),
    String(usage.accepted),
    String(usage.partial),
    share(usage),
    String(usage.characters),
    `${usage.p50_ms.toFixed(0)}\u00a0ms`,
    `${usage.p95_ms.toFixed(0)}\u00a0ms`,
  ])
  const head = ['language', 'shown', 'accepted', 'in part', 'share', 'characters', 'median wait', 'p95']
  return page('Statistics', `${lead}<h2>By day</h2>${chart(found)}<h2>By language</h2>${table(head, rows)}${PRIVATE}`)
}

export function share(usage: Usage): string {
  return usage.shown ? `${Math.round((100 * (usage.accepted + usage.partial)) / usage.shown)}\u00a0%` : '-'
}

function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

/** Bars of what was shown by day, and in them what was accepted. */
export function chart({ daily }: Statistics): string {
  const most = Math.max(1, ...daily.map((day) => day.shown))
  const step = WIDTH / Math.max(1, daily.length)
  const bars = daily.map((day, n) => {
    const bar = (value: number, name: string): string => {
      const height = (value / most) * HEIGHT
      const x = (n * step + step * 0.1).toFixed(1)
      return `<rect class="${name}" x="${x}" y="${(HEIGHT - height).toFixed(1)}" width="${(step * 0.8).toFixed(1)}" height="${height.toFixed(1)}"/>`
    }
    return `<g><title>${escape(`${day.day}: ${day.shown} shown, ${day.accepted} accepted`)}</title>${bar(day.shown, 'bar')}${bar(day.accepted, 'bar2')}</g>`
  })
  const first = escape(daily[0]?.day ?? '')
  const last = escape(daily.at(-1)?.day ?? '')
  const axis = `<div class="axis dim"><span>${first}</span><span>${last}</span></div>`
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="100%" role="img" aria-label="shown and accepted by day">${bars.join('')}</svg>${axis}<p class="dim">blue: shown, green: accepted</p>`
}

const PRIVATE = '<p class="dim">Counted on this machine and sent nowhere. <code>midfill stats --erase</code> forgets it all; the setting <code>midfill.statistics</code> turns it off.</p>'
