// Bundles the extension into dist/extension.js, or with --tests each unit test into dist/test/.
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

const common = { bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'warning' }

if (process.argv.includes('--tests')) {
  rmSync('dist/test', { recursive: true, force: true })
  const tests = readdirSync('test').filter((name) => name.endsWith('.test.ts'))
  await build({ ...common, entryPoints: tests.map((name) => `test/${name}`), outdir: 'dist/test', outExtension: { '.js': '.cjs' } })
} else {
  const production = process.argv.includes('--production')
  cpSync('../LICENSE', 'LICENSE')
  await build({
    ...common,
    entryPoints: ['src/extension.ts'],
    outfile: 'dist/extension.js',
    external: ['vscode'],
    minify: production,
    sourcemap: !production,
  })
}
