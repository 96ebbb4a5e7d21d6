// What the status bar says, from what is known. Pure.

import type { StatusReply } from './protocol'

export type Doing = 'starting' | 'missing' | 'installing' | 'failed'

export type Known =
  | { doing: Doing; detail: string }
  | { reply: StatusReply; latencyMs: number | undefined; snoozed: boolean; language: string | undefined } // of the file in view

export interface Appearance {
  text: string
  tooltip: string
  warns: boolean
}

const DOING: Record<Doing, [icon: string, words: string, tooltip: string]> = {
  starting: ['loading~spin', 'starting', 'The server is starting.'],
  missing: ['cloud-download', 'not installed', 'Click to install the server.'],
  installing: ['loading~spin', 'installing', 'The server is being installed; the log has the details.'],
  failed: ['warning', 'stopped', 'The server does not run; the log says why.'],
}
const PHASES: Record<string, string> = {
  starting: 'starting',
  fetching: 'fetching the model',
  quantizing: 'preparing the model',
  loading: 'loading the model',
}

/** Whether the model is being made ready: its state changes without a request. */
export function isUnderWay(phase: string): boolean {
  return phase in PHASES || phase === 'down'
}

export function appearance(known: Known): Appearance {
  if ('doing' in known) {
    const [icon, words, tooltip] = DOING[known.doing]
    return { text: label(icon, words), tooltip: known.detail || tooltip, warns: known.doing === 'failed' }
  }
  const { reply, latencyMs } = known
  const tooltip = [`**midfill** ${reply.message}`, `Model: ${String(reply.config['model'] ?? 'unknown')}`]
  if (reply.host) tooltip.push(`Code is sent to ${reply.host}.`)
  if (reply.machine) tooltip.push(`This machine: ${reply.machine}`)
  if (latencyMs !== undefined) tooltip.push(`Last answer: ${Math.round(latencyMs)} ms`)
  for (const [root, index] of Object.entries(reply.indexes)) {
    if (index.message) tooltip.push(`Index of ${root.split(/[\\/]/).pop()}: ${index.message}`)
  }
  return { text: text(known), tooltip: tooltip.join('\n\n'), warns: isBroken(reply) }
}

function text({ reply, latencyMs, snoozed, language }: Extract<Known, { reply: StatusReply }>): string {
  if (reply.config['enabled'] === false) return label('circle-slash', 'off')
  if (isBroken(reply)) return label('warning', 'no model')
  const phase = PHASES[reply.phase]
  if (phase !== undefined) return label('loading~spin', `${phase}${percent(reply.message)}`)
  const off = reply.config['disabledLanguages']
  if (language && Array.isArray(off) && off.includes(language)) return label('circle-slash', `off for ${language}`)
  if (snoozed) return label('bell-slash', 'snoozed')
  if (reply.config['automatic'] === false) return label('sparkle', reply.host ? `${reply.host}, on request` : 'on request')
  const ms = latencyMs === undefined ? '' : `${Math.round(latencyMs)} ms`
  return reply.host ? label('cloud-upload', ms ? `${reply.host}, ${ms}` : reply.host) : label('sparkle', ms)
}

function isBroken(reply: StatusReply): boolean {
  return reply.phase === 'failed' || reply.phase === 'down'
}

function percent(message: string): string {
  const match = /(\d+)\s?%/.exec(message)
  return match ? ` ${match[1]} %` : ''
}

function label(icon: string, words: string): string {
  return words ? `$(${icon}) midfill: ${words}` : `$(${icon}) midfill`
}
