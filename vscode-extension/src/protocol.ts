// What the server says in its own requests (lsp_server/status.py, lsp_server/explain.py).

export interface StatusReply {
  phase: 'starting' | 'fetching' | 'quantizing' | 'loading' | 'ready' | 'down' | 'failed' | string
  message: string
  engine: string
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
