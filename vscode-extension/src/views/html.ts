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

export function table(head: string[], rows: string[][]): string {
  const cells = (tag: string, row: string[]): string => `<tr>${row.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`
  return `<div class="wide"><table><thead>${cells('th', head)}</thead><tbody>${rows.map((row) => cells('td', row)).join('')}</tbody></table></div>`
}

export function code(text: string): string {
  return `<pre>${escape(text)}</pre>`
}

const STYLE = `
body { font-family: var(--vscode-font-family); color: var(--vscode-foreground); line-height: 1.5; max-width: 60em; padding: 0 1em 2em; }
h1 { font-size: 1.4em; font-weight: 600; } h2 { font-size: 1.1em; margin-top: 1.8em; }
pre { font-family: var(--vscode-editor-font-family); font-size: var(--vscode-editor-font-size); background: var(--vscode-textCodeBlock-background); padding: .6em .8em; white-space: pre-wrap; border-radius: 4px; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 600; } th, td { padding: .2em 1.2em .2em 0; vertical-align: top; }
td pre { margin: 0; } .wide { overflow-x: auto; } .dim { color: var(--vscode-descriptionForeground); }
.bar { fill: var(--vscode-charts-blue); } .bar2 { fill: var(--vscode-charts-green); } .rest { fill: var(--vscode-textCodeBlock-background); } text { fill: var(--vscode-descriptionForeground); font-size: 11px; } th { white-space: nowrap; }
details { margin: .4em 0; } summary { cursor: pointer; } .lead { font-size: 1.05em; }
`
