import { Editor, sleep } from './editor.mjs'
const editor = await Editor.start({ files: { 'fib.py': 'def fibonacci(n: int) -> int:\n    """The n-th Fibonacci number."""\n    if n < 2:\n        return n\n    ' }, settings: { 'midfill.server.command': process.env.LSP_SERVER } })
try {
  const w = await editor.window()
  await sleep(5000); await w.picture('try-0')
  await w.open('fib.py'); await w.toEnd()
  console.log('status', await w.statusIs(/midfill/, 20000).catch(String))
  await sleep(8000); console.log('status', await w.status())
  await w.type('ret'); console.log('ghost', JSON.stringify(await w.ghost(15000)))
  await w.picture('try-1')
  console.log(await w.text())
  await w.press('Tab'); await sleep(500); console.log(await w.text()); await w.picture('try-2'); console.log('status', await w.status())
} finally { await editor.stop() }
