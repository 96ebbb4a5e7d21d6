// What the server says in its own requests and as JSON (lsp_server/status.py, explain.py, window.py, cli_*.py).

export interface StatusReply {
  phase: 'starting' | 'fetching' | 'quantizing' | 'loading' | 'ready' | 'down' | 'failed' | string
  message: string
  engine: string
  /** How fast this machine is, and what fits it; absent from older servers. */
  machine?: string
  /** Where code is sent; empty while it stays on this machine, absent from older servers. */
  host?: string
  outcomes: Record<string, number>
  last: { outcome: string; reason: string; timingsMs: Record<string, number> } | null
  indexes: Record<string, { phase: string; message: string }>
  config: Record<string, unknown>
}

export interface ContextItem {
  path: string
  about: string
  sources: string[]
  tokens: number
}

export interface Explanation {
  sentence?: string
  at: number
  path: string
  line: number
  column: number
  language: string
  latencyMs: number
  trigger: string | null
  format: string | null
  outcome: string
  reason: string
  mode: string
  reused: boolean
  nPrompt: number
  nCached: number
  nComputed: number
  nGenerated: number
  rung: string
  timingsMs: Record<string, number>
  context: ContextItem[]
  raw: string
  text: string
  steps: { name: string; before: string; after: string }[]
  probability: number | null
  ranked: [string, number][]
  unknownNames: string[]
  fate: string | null
}

/** How an answer to `midfill/nextEdit` came about. */
export interface NextEditExplanation {
  sentence: string
  at: number
  path: string
  line: number
  column: number
  latencyMs: number
  proposals: { path: string; line: number; layer: string; old: string[]; new: string[]; probability: number; verdict: string }[]
}

/** `midfill/context`; of a window that there is not, only `message` and `snippets`. */
export interface ContextWindow {
  message: string
  path: string
  line: number
  column: number
  language: string
  mode: string
  format: string
  skip: string
  maxTokens: number
  nPrompt: number
  nFile: number
  snippets: (ContextItem & { text: string })[]
}

/** `midfill model list --json`. */
export interface Model {
  name: string
  title: string
  license: string
  sizeBytes: number
  isDefault: boolean
  isCached: boolean
  stores: string[]
}

/** `midfill cache --json`. */
export interface Cache {
  cache: string
  parts: { name: string; path: string; sizeBytes: number; about: string }[]
}

export interface Usage {
  shown: number
  accepted: number
  partial: number
  dismissed: number
  kept: number
  judged: number
  characters: number
  p50_ms: number
  p95_ms: number
}

export interface Statistics {
  days: number
  all: Usage
  languages: Record<string, Usage>
  daily: { day: string; shown: number; accepted: number }[]
}

/** `midfill/nextEdit`: the edits that follow, in order. `version` is null in a file that is not open. */
export interface NextEdit {
  id: string
  text: string
  range: { start: Place; end: Place }
  position: Place
  textDocument: { uri: string; version: number | null }
  command: { command: string; arguments: unknown[] }
}

export interface NextEditsReply {
  edits: NextEdit[]
  reason: string
}

export interface Place {
  line: number
  character: number
}
