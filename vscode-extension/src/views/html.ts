// Pieces of pages. Pure. Everything that comes from outside is escaped; the page may load nothing and run nothing.

export function escape(text: unknown): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return String(text).replace(/[&<>"']/g, (character) => names[character] ?? character)
}

export function page(title: string, body: string): string {
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title><style>${STYLE}</style></head><body><h1>${escape(title)}</h1>${body}</body></html>`
}

/** In a narrow panel each row becomes a block: the first cell as its title, the others with their columns' names. */
export function table(head: string[], rows: string[][]): string {
  const first = `<tr>${head.map((name) => `<th>${name}</th>`).join('')}</tr>`
  const cells = (row: string[]): string => row.map((cell, n) => `<td data-head="${head[n] ?? ''}">${cell}</td>`).join('')
  return `<table><thead>${first}</thead><tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('')}</tbody></table>`
}

export function code(text: string): string {
  return `<pre>${escape(text)}</pre>`
}

const STYLE = `
body { font-family: var(--vscode-font-family); color: var(--vscode-foreground); line-height: 1.5; max-width: 60em; padding: 0 1em 2em; }
h1 { font-size: 1.4em; font-weight: 600; } h2 { font-size: 1.1em; margin-top: 1.8em; }
pre { font-family: var(--vscode-editor-font-family); font-size: var(--vscode-editor-font-size); background: var(--vscode-textCodeBlock-background); padding: .6em .8em; white-space: pre-wrap; border-radius: 4px; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 600; } th, td { padding: .2em 1.2em .2em 0; vertical-align: top; }
td pre { margin: 0; } td { overflow-wrap: anywhere; } .dim { color: var(--vscode-descriptionForeground); }
.bar { fill: var(--vscode-charts-blue); } .bar2 { fill: var(--vscode-charts-green); } .rest { fill: var(--vscode-textCodeBlock-background); } th { white-space: nowrap; } code { white-space: nowrap; }
.axis { display: flex; justify-content: space-between; font-size: .85em; }
@media (max-width: 40em) {
  table, tbody { display: block; } thead { display: none; } tr { display: grid; grid-template-columns: repeat(auto-fill, minmax(6em, 1fr)); padding: .4em 0; }
  td { padding: .1em .6em .1em 0; } td:first-child, td:nth-child(2):last-child, td:has(pre) { grid-column: 1 / -1; } td:first-child { font-weight: 600; }
  td:not(:first-child)::before { content: attr(data-head); display: block; font-size: .85em; color: var(--vscode-descriptionForeground); }
}
details { margin: .4em 0; } summary { cursor: pointer; } .lead { font-size: 1.05em; }
`
