// Lines that the server writes to standard error, as entries of the log at their own level. Pure.

export type Level = 'debug' | 'info' | 'warn' | 'error'

const LEVELS: Record<string, Level> = { DEBUG: 'debug', INFO: 'info', WARNING: 'warn', ERROR: 'error', CRITICAL: 'error' }
// The form of lsp_server/__main__.py: "2026-01-31 12:00:00,000 INFO lsp_server.handlers words".
const LINE = /^\d{4}-\d\d-\d\d [\d:,]+ ([A-Z]+) (.*)$/

/** The level and the words; what has no level (a traceback, say) goes with the entry before it. */
export function entry(line: string, before: Level): [Level, string] {
  const match = LINE.exec(line)
  const level = match?.[1] === undefined ? undefined : LEVELS[match[1]]
  return level ? [level, match?.[2] ?? ''] : [before, line]
}
