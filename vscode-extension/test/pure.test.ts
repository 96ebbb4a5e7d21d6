import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Backoff } from '../src/backoff'
import { carriedWheel, cpuIndex, isComplete, isNewEnough, isPrepared, pipArguments, program, pythons, withExtra } from '../src/install'
import { isThere, locate } from '../src/locate'
import { isLocked, takeLock } from '../src/lock'
import type { ContextWindow, Explanation, StatusReply, Usage } from '../src/protocol'
import { shapeOf } from '../src/next-edit-shape'
import { remedyFor } from '../src/remedies'
import { ProgramFailed, run } from '../src/run'
import { entry } from '../src/server-log'
import { folderSize, inMegabytes } from '../src/sizes'
import { appearance, isUnderWay } from '../src/status-text'
import { isOlder } from '../src/versions'
import { contextPage } from '../src/views/context'
import { escape, page } from '../src/views/html'
import { chart, share, statisticsPage } from '../src/views/statistics'
import { textPage } from '../src/views/text'
import { whyPage } from '../src/views/why'

const SETTINGS = { command: '', python: '', package: 'midfill', pipOptions: [] as string[], torch: 'auto' as const, cpuIndex: 'https://example.org/cpu' }

test('a server that ends is started again, later and later, and not for ever', () => {
  const backoff = new Backoff()
  assert.deepEqual([0, 1, 2, 3, 4, 5].map((at) => backoff.next(at)), [1000, 2000, 4000, 8000, 16000, undefined])
  assert.equal(backoff.next(1_000_000), 1000)
})

test('a Python is new enough from 3.11 on', () => {
  assert.deepEqual(['Python 3.10.4', 'Python 3.11.0', 'Python 3.14.0rc1', 'Python 2.7', 'zsh: not found'].map(isNewEnough), [
    false, true, true, false, false,
  ])
})

test('the Python that the user chose is the only one tried', () => {
  assert.deepEqual(pythons('/opt/py'), [['/opt/py', []]])
  assert.deepEqual(pythons('', 'win32')[0], ['py', ['-3']])
})

test('on Linux without a card the CPU build of torch is installed, unless the user has an index', () => {
  assert.equal(cpuIndex(SETTINGS, 'cpu', 'linux'), 'https://example.org/cpu')
  assert.equal(cpuIndex(SETTINGS, 'cuda', 'linux'), '')
  assert.equal(cpuIndex(SETTINGS, 'cpu', 'darwin'), '')
  const offline = { ...SETTINGS, pipOptions: ['--no-index', '--find-links', 'wheels'] }
  assert.equal(cpuIndex(offline, 'cpu', 'linux'), '')
  assert.deepEqual(pipArguments(offline, '', '').slice(-4), ['--no-index', '--find-links', 'wheels', 'midfill'])
  assert.deepEqual(pipArguments(SETTINGS, 'quantize', 'https://example.org/cpu').slice(3, 5), ['--extra-index-url', 'https://example.org/cpu'])
  assert.equal(pipArguments(SETTINGS, 'cuda', '').at(-1), 'midfill[cuda]')
  assert.ok(pipArguments(SETTINGS, '', '').includes('--no-compile'))
})

test('an extra is asked for where pip wants it', () => {
  const asked = ['midfill', 'midfill==0.1.0', 'midfill @ file:///a/b.whl', '/a/midfill-0.1.0-py3-none-any.whl', '/src/midfill', 'midfill[tune]']
  assert.deepEqual(asked.map((wanted) => withExtra(wanted, 'quantize')), [
    'midfill[quantize]', 'midfill[quantize]==0.1.0', 'midfill[quantize] @ file:///a/b.whl',
    '/a/midfill-0.1.0-py3-none-any.whl[quantize]', '/src/midfill[quantize]', 'midfill[tune]',
  ])
  assert.deepEqual(asked.map((wanted) => withExtra(wanted, '')), asked)
})

test('the wheel inside of the extension is found, and none where there is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'midfill-'))
  assert.equal(carriedWheel(folder), '')
  mkdirSync(join(folder, 'server'))
  assert.equal(carriedWheel(folder), '')
  writeFileSync(join(folder, 'server', 'midfill-0.1.0-py3-none-any.whl'), '')
  assert.equal(carriedWheel(folder), join(folder, 'server', 'midfill-0.1.0-py3-none-any.whl'))
})

test('a model that was quantized here before needs no PyTorch', () => {
  const list = JSON.stringify([{ name: 'small', stores: ['int4'] }, { name: 'large', stores: [] }])
  assert.deepEqual(['small', 'large', '/a/model.gguf'].map((model) => isPrepared(list, model)), [true, false, false])
})

test('the server is the one that was set, else the installed one, else one on the PATH beside midfill', () => {
  const folder = mkdtempSync(join(tmpdir(), 'midfill-'))
  assert.equal(locate('/own/lsp_server', folder, '')?.origin, 'setting')
  assert.equal(locate('', folder, ''), undefined)
  const files = new Set(['/a/lsp_server', '/b/lsp_server', '/b/midfill'])
  const exists = (file: string): boolean => files.has(file)
  assert.equal(locate('', folder, '/a:/b', exists, 'linux')?.command, '/b/lsp_server')
  mkdirSync(join(folder, 'bin'))
  writeFileSync(program(folder, 'lsp_server', 'linux'), '')
  assert.equal(isComplete(folder), false) // an installation that was broken off
  writeFileSync(join(folder, '.midfill-complete'), '')
  assert.equal(locate('', folder, '/b', exists, 'linux')?.origin, 'installed')
})

test('a server that is typed is there when its name is complete: a program, no folder, no text', () => {
  const folder = mkdtempSync(join(tmpdir(), 'midfill-'))
  const command = join(folder, 'lsp_server')
  writeFileSync(command, '')
  assert.equal(isThere(command), false)
  chmodSync(command, 0o755)
  assert.equal(isThere(command), true)
  assert.equal(isThere(command.slice(0, -1)), false)
  assert.equal(isThere(folder), false)
  assert.equal(isThere('lsp_server', `/nowhere:${folder}`), true)
  assert.equal(isThere('lsp_serve', folder), false)
  assert.equal(isThere('', folder), false)
})

test('a program that fails says why, and what it prints comes line by line', async () => {
  const lines: string[] = []
  assert.equal(await run('sh', ['-c', 'echo one; echo two'], { onLine: (line) => lines.push(line) }), 'one\ntwo\n')
  assert.deepEqual(lines, ['one', 'two'])
  await assert.rejects(run('sh', ['-c', 'echo no room >&2; exit 3']), (error: Error) => {
    return error instanceof ProgramFailed && error.message === 'sh ended with 3: no room' && error.said === 'no room\n'
  })
  await assert.rejects(run('no-such-program', []), ProgramFailed)
})

function reply(changes: Partial<StatusReply>): StatusReply {
  return { phase: 'ready', message: 'ready', engine: '', outcomes: {}, last: null, indexes: {}, config: { model: 'm' }, ...changes }
}

test('the status bar says in a word what is going on', () => {
  const text = (known: StatusReply, snoozed = false, language = 'python'): string =>
    appearance({ reply: known, latencyMs: 12.4, snoozed, language }).text
  assert.equal(text(reply({})), '$(sparkle) midfill: 12 ms')
  assert.equal(text(reply({ host: 'gpu.example' })), '$(cloud-upload) midfill: gpu.example, 12 ms')
  assert.equal(text(reply({}), true), '$(bell-slash) midfill: snoozed')
  const fetching = reply({ phase: 'fetching', message: 'nothing is shown yet: fetching (43%)' })
  assert.equal(text(fetching, true), '$(loading~spin) midfill: fetching the model 43 %')
  assert.equal(text(reply({ config: { enabled: false } })), '$(circle-slash) midfill: off')
  assert.equal(text(reply({ config: { automatic: false } })), '$(sparkle) midfill: on request')
  assert.equal(text(reply({ config: { disabledLanguages: ['python'] } })), '$(circle-slash) midfill: off for python')
  assert.equal(text(reply({ config: { disabledLanguages: ['python'] } }), false, 'go'), '$(sparkle) midfill: 12 ms')
  const failed = appearance({ reply: reply({ phase: 'failed', message: 'no space left' }), latencyMs: undefined, snoozed: false, language: undefined })
  assert.deepEqual([failed.text, failed.warns], ['$(warning) midfill: no model', true])
  assert.match(failed.tooltip, /no space left/)
  const known = appearance({ reply: reply({ machine: '2 cores read 280 tokens a second' }), latencyMs: 1, snoozed: false, language: undefined })
  assert.match(known.tooltip, /This machine: 2 cores read 280 tokens a second/)
  assert.equal(appearance({ doing: 'missing', detail: '' }).text, '$(cloud-download) midfill: not installed')
  assert.deepEqual(['loading', 'down', 'ready', 'asleep', 'failed'].map(isUnderWay), [true, true, false, false, false])
})

test('what comes from outside cannot become part of a page', () => {
  assert.equal(escape('<b a="1">&\''), '&lt;b a=&quot;1&quot;&gt;&amp;&#39;')
  assert.match(page('t', ''), /default-src 'none'/)
  assert.match(textPage('t', '\x1b[31m<red>\x1b[0m'), /<pre>&lt;red&gt;<\/pre>/)
})

const EXPLANATION: Explanation = {
  sentence: 'The answer was a suggestion of 5 characters.', at: 1_700_000_000, path: 'a<b>.py', line: 3, column: 5, language: 'python',
  latencyMs: 41.2, trigger: 'automatic', format: 'left', outcome: 'ok', reason: '', mode: 'line', reused: false, nPrompt: 200,
  nCached: 190, nComputed: 10, nGenerated: 4, rung: 'exact', timingsMs: { prefill: 20.5, total: 41 }, raw: 'x = <1>  ', text: 'x = <1>',
  context: [
    { path: 'lib/b.py', about: 'class B', sources: ['definitions'], tokens: 40 },
    { path: 'lib/b.py', about: 'def c', sources: ['imports'], tokens: 0 },
  ],
  steps: [{ name: 'trailing_blanks', before: 'x = <1>  ', after: 'x = <1>' }], probability: 0.62,
  ranked: [['x = <1>', -3.2], ['x = 2', -5]], unknownNames: ['foo'], fate: 'accepted',
}

test('an explanation shows the text, what was changed, the context by file and the times', () => {
  const html = whyPage([EXPLANATION, { ...EXPLANATION, text: '', outcome: 'quiet' }], 'ready')
  for (const part of ['x = &lt;1&gt;', 'trailing blanks', 'lib/b.py', '40 tokens', 'no room', '20.5 ms', '62 %', 'foo', 'Before that', '-5.0']) {
    assert.ok(html.includes(part), part)
  }
  assert.ok(!html.includes('a<b>'))
  assert.match(whyPage([], 'loading <b>'), /loading &lt;b&gt;/)
})

const USAGE: Usage = { shown: 10, accepted: 3, partial: 1, dismissed: 2, kept: 3, judged: 4, characters: 99, p50_ms: 20.4, p95_ms: 300 }

test('statistics show shares and a chart as high as the most', () => {
  const daily = [{ day: '2026-01-01', shown: 4, accepted: 1 }, { day: '2026-01-02', shown: 8, accepted: 0 }]
  const html = statisticsPage({ days: 30, all: USAGE, languages: { python: USAGE }, daily })
  for (const part of ['40\u00a0%', '75 %', 'python', '300\u00a0ms', '2026-01-02: 8 shown, 0 accepted']) assert.ok(html.includes(part), part)
  assert.equal(share({ ...USAGE, shown: 0 }), '-')
  assert.match(chart({ days: 2, all: USAGE, languages: {}, daily }), /class="bar" x="352.0" y="0.0" width="256.0" height="120.0"/)
  assert.match(statisticsPage({ days: 30, all: { ...USAGE, shown: 0 }, languages: {}, daily: [] }), /Nothing was suggested/)
})

test('the size of a folder counts files below it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'midfill-'))
  mkdirSync(join(folder, 'a'))
  writeFileSync(join(folder, 'a', 'b'), 'x'.repeat(150_000))
  assert.equal(inMegabytes(folderSize(folder)), '0.1 MB')
  assert.equal(folderSize(join(folder, 'missing')), 0)
})

test('one process at a time has a lock, and a dead one has none', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'midfill-')), 'storage', 'lock')
  const giveBack = takeLock(file)
  assert.ok(giveBack && isLocked(file))
  assert.equal(takeLock(file), undefined)
  giveBack()
  assert.equal(isLocked(file), false)
  writeFileSync(file, '999999999')
  assert.equal(isLocked(file), false)
  assert.ok(takeLock(file))
  assert.equal(isLocked(file), true)
})

test('what pip and Python say leads to what helps', () => {
  const cases: [said: string, remedy: RegExp][] = [
    ['The virtual environment was not created successfully because ensurepip is not\navailable.', /python3-venv/],
    ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", /disk is full/],
    ["WARNING: Retrying ... NewConnectionError('... Failed to establish a new connection: [Errno -2] Name or service not known')\nERROR: Could not find a version that satisfies the requirement midfill", /cannot be reached/],
    ['ERROR: Could not find a version that satisfies the requirement midfil (from versions: none)\nERROR: No matching distribution found', /no such package/],
    ["ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Authentication Required'))", /proxy refused/],
    ["SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", /certificate/],
    ["ERROR: Package 'midfill' requires a different Python: 3.9.2 not in '>=3.11'", /another one/],
    ["ERROR: Directory '/x' is not installable. Neither 'setup.py' nor 'pyproject.toml' found.", /no such package/],
    ['Segmentation fault', /^$/],
  ]
  for (const [said, remedy] of cases) assert.match(remedyFor(said), remedy, said)
})

test('versions are compared by their numbers', () => {
  assert.equal(isOlder('0.9.0', '0.10.0'), true)
  assert.equal(isOlder('0.10.0', '0.10'), false)
  assert.equal(isOlder('0.10', '0.10.1'), true)
  assert.equal(isOlder('1.0.0', '0.9.9'), false)
  assert.equal(isOlder('', '0.1.0'), false)
})

const WINDOW: ContextWindow = {
  message: '', path: 'a<b>.py', line: 3, column: 5, language: 'python', mode: 'line', format: 'left', skip: '', maxTokens: 1000,
  nPrompt: 300, nFile: 200, snippets: [
    { path: 'lib/b.py', about: 'class B', sources: ['imported'], tokens: 100, text: 'class B<T>: ...' },
    { path: 'lib/c.py', about: '', sources: ['similar'], tokens: 0, text: '\n  def c(): ...\n    pass' },
  ],
}

test('a context window shows how full it is and each passage with its origin', () => {
  const html = contextPage(WINDOW)
  const parts = ['300 of at most 1000 tokens', '200 of the file itself, 100 of other files', 'class B&lt;T&gt;', 'imported', 'No room for', '<b>def c(): ...</b>',
    'x="0.00%" width="10.00%"', 'x="10.00%" width="20.00%"']
  for (const part of parts) assert.ok(html.includes(part), part)
  assert.ok(!html.includes('a<b>'))
  assert.ok(!html.includes('Nothing is asked here'))
  assert.match(contextPage({ ...WINDOW, skip: 'a word stands right behind the cursor' }), /Nothing is asked here while you type: a word/)
  assert.match(contextPage({ ...WINDOW, message: 'the document is not open', snippets: [] }), /not open/)
  assert.match(contextPage(undefined), /does not run/)
})

test("the server's lines keep their level, and a traceback that of its entry", () => {
  assert.deepEqual(entry('2026-01-31 12:00:00,123 INFO lsp_server.server engine ready', 'error'), ['info', 'lsp_server.server engine ready'])
  assert.deepEqual(entry('2026-01-31 12:00:00,123 WARNING a b', 'info'), ['warn', 'a b'])
  assert.deepEqual(entry('Traceback (most recent call last):', 'error'), ['error', 'Traceback (most recent call last):'])
  assert.deepEqual(entry('2026-01-31 12:00:00,123 Nothing of the kind', 'debug'), ['debug', '2026-01-31 12:00:00,123 Nothing of the kind'])
})

test('what was thought of as the next edit is explained', () => {
  const proposals = [{ path: 'a.py', line: 5, layer: 'rename', old: ['x = <load>()'], new: ['x = read()'], probability: 0.31, verdict: 'below the threshold' }]
  const one = { sentence: 'No next edit was offered: too unsure.', at: 0, path: 'a.py', line: 1, column: 2, latencyMs: 3.4, proposals }
  const html = whyPage([], '', [one, one])
  for (const part of ['No next edit was offered: too unsure.', 'x = &lt;load&gt;()', '31 %', 'below the threshold', 'a.py:1:2']) assert.ok(html.includes(part), part)
  assert.equal(html.match(/<details open>/g)?.length, 1)
  assert.ok(!whyPage([], '').includes('Next edits'))
})

const drawn = (before: string, range: [number, number, number, number], text: string) => {
  const lines = before.split('\n')
  const [line, character, endLine, end] = range
  return shapeOf((n) => lines[n] ?? '', { start: { line, character }, end: { line: endLine, character: end } }, text, 4)
}

test('a next edit within lines is drawn word by word', () => {
  const once = drawn('x = load(1)', [0, 4, 0, 6], 're') // the server sends the characters that differ
  assert.deepEqual(once, { pieces: [{ line: 0, from: 4, to: 8, text: 'read' }], box: undefined })
  const twice = drawn('load(load(1))', [0, 0, 0, 9], 'read(read')
  assert.deepEqual(twice.pieces, [{ line: 0, from: 0, to: 4, text: 'read' }, { line: 0, from: 5, to: 9, text: 'read' }])
  const both = drawn('a(1)\nb\na(2)', [0, 0, 2, 4], 'c(1)\nb\nc(2)')
  assert.deepEqual(both.pieces, [{ line: 0, from: 0, to: 1, text: 'c' }, { line: 2, from: 0, to: 1, text: 'c' }])
  assert.deepEqual(drawn('f(a)', [0, 3, 0, 3], ', b').pieces, [{ line: 0, from: 3, to: 3, text: ', b' }])
})

test('lines that go are struck, and lines that come stand beside the longest of those that they are drawn over', () => {
  assert.deepEqual(drawn('import os\nx', [0, 0, 1, 0], ''), { pieces: [{ line: 0, from: 0, to: 9, text: '' }], box: undefined })
  const came = drawn('a = 1\n\tlonger = 2\nb', [1, 0, 1, 0], '\tnew = 3\r\n')
  assert.deepEqual(came, { pieces: [], box: { line: 1, column: 18, lines: ['    new = 3'], isInsertion: true } })
  const became = drawn('  one\ntwo', [0, 2, 0, 5], 'first\n  second')
  assert.deepEqual(became.pieces, [{ line: 0, from: 2, to: 5, text: '' }])
  assert.deepEqual(became.box, { line: 0, column: 9, lines: ['  first', '  second'], isInsertion: false })
  const hinted = shapeOf(() => 'ab', { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } }, 'c\n', 4, { line: 0, text: 'Tab' })
  assert.equal(hinted.box?.column, 2 + 4 + 3 + 4)
})
