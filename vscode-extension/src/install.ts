// Makes a Python environment of midfill's own, and installs the server into it. Used by `client` and by a command.
// The server alone is small. PyTorch comes when the model has to be quantized here first, or for an NVIDIA card.
//
// Rules: pip is told nothing that the user's own pip configuration could not override (proxy, index, offline wheels);
// an environment that is not complete has no mark, and is made anew.

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Model } from './protocol'
import { run, type RunOptions } from './run'
import type { ServerSettings, Torch } from './settings'

const MARK = '.midfill-complete'
const OLDEST = [3, 11] as const

export class NoPython extends Error {}

/** Where an environment's programs are. */
export function binFolder(venv: string, platform: NodeJS.Platform = process.platform): string {
  return join(venv, platform === 'win32' ? 'Scripts' : 'bin')
}

export function program(venv: string, name: string, platform: NodeJS.Platform = process.platform): string {
  return join(binFolder(venv, platform), platform === 'win32' ? `${name}.exe` : name)
}

export function isComplete(venv: string): boolean {
  return existsSync(join(venv, MARK)) && existsSync(program(venv, 'lsp_server'))
}

/** [command, arguments] that may be a Python, the user's own choice first. */
export function pythons(chosen: string, platform: NodeJS.Platform = process.platform): [string, string[]][] {
  if (chosen) return [[chosen, []]]
  const names = ['python3.13', 'python3.12', 'python3.11', 'python3', 'python']
  const found: [string, string[]][] = names.map((name) => [name, []])
  return platform === 'win32' ? [['py', ['-3']], ...found.slice(3)] : found
}

/** Whether `python --version` speaks of one that is new enough. */
export function isNewEnough(version: string): boolean {
  const match = /Python (\d+)\.(\d+)/.exec(version)
  if (!match) return false
  const [major, minor] = [Number(match[1]), Number(match[2])]
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

export async function findPython(chosen: string): Promise<[string, string[]]> {
  for (const [command, args] of pythons(chosen)) {
    const version = await run(command, [...args, '--version']).catch(() => '')
    if (isNewEnough(version)) return [command, args]
  }
  const where = chosen ? `${chosen} is no Python ${OLDEST.join('.')} or newer` : `no Python ${OLDEST.join('.')} or newer was found`
  throw new NoPython(`${where}: install one, or set midfill.server.python to its path`)
}

/**
 * The index of torch's CPU builds, if it is wanted: the user has no other one, and needs no CUDA, of which the ordinary
 * build for Linux brings gigabytes. "" if not.
 */
export function cpuIndex(settings: ServerSettings, torch: Exclude<Torch, 'auto'>, platform = process.platform): string {
  const wanted = torch === 'cpu' && platform === 'linux' && !settings.pipOptions.some((option) => option.includes('index'))
  return wanted ? settings.cpuIndex : ''
}

/** The wheel that the extension carries, as those for one platform do; "" where there is none. */
export function carriedWheel(extension: string): string {
  const folder = join(extension, 'server')
  const wheel = existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith('.whl')) : undefined
  return wheel ? join(folder, wheel) : ''
}

/** A package with one of its extras, as pip wants it: behind a path, or within a requirement behind its name. */
export function withExtra(wanted: string, extra: string): string {
  if (!extra || wanted.includes('[')) return wanted
  const requirement = /^([A-Za-z0-9][\w.-]*)(\s*(?:[@=<>~!;].*)?)$/.exec(wanted)
  return requirement ? `${requirement[1]}[${extra}]${requirement[2]}` : `${wanted}[${extra}]`
}

/**
 * pip's arguments. Offline wheels and other indexes come with `pipOptions`, or from pip's own configuration. Python compiles
 * what it imports by itself: all of it would take seconds, and 35 MB.
 */
export function pipArguments(settings: ServerSettings, extra: string, index: string): string[] {
  const cpu = index ? ['--extra-index-url', index] : []
  return ['install', '--disable-pip-version-check', '--upgrade', ...cpu, '--no-compile', ...settings.pipOptions, withExtra(settings.package, extra)]
}

/** Whether a model was quantized on this machine before, by what `midfill model list --json` says. */
export function isPrepared(list: string, model: string): boolean {
  return (JSON.parse(list) as Model[]).some((row) => row.name === model && row.stores.length > 0)
}

/** Whether an index answers: pip would try one that does not for minutes. */
async function answers(url: string): Promise<boolean> {
  return fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(5000) }).then(() => true, () => false)
}

/** Which build of torch fits this machine. */
export async function chooseTorch(chosen: Torch): Promise<Exclude<Torch, 'auto'>> {
  if (chosen !== 'auto') return chosen
  const cards = await run('nvidia-smi', ['-L']).catch(() => '')
  return cards.includes('GPU') ? 'cuda' : 'cpu'
}

/** Make the environment that runs a model. Throws NoPython or ProgramFailed; what was begun is removed then. */
export async function install(venv: string, settings: ServerSettings, model: string, options: RunOptions): Promise<void> {
  const [python, args] = await findPython(settings.python)
  const torch = await chooseTorch(settings.torch)
  const pip = (extra: string, index: string): Promise<string> => run(program(venv, 'python'), ['-m', 'pip', ...pipArguments(settings, extra, index)], options)
  rmSync(venv, { recursive: true, force: true })
  mkdirSync(venv, { recursive: true })
  try {
    options.onLine?.(`making an environment with ${python}`)
    await run(python, [...args, '-m', 'venv', venv], options)
    await pip(torch === 'cuda' ? 'cuda' : '', '')
    if (!existsSync(program(venv, 'lsp_server'))) throw new Error(`${settings.package} has no lsp_server`)
    const { onLine: _, ...silently } = options
    if (torch === 'cpu' && !isPrepared(await run(program(venv, 'midfill'), ['model', 'list', '--json'], silently), model)) {
      const wanted = cpuIndex(settings, torch)
      const index = wanted && (await answers(wanted)) ? wanted : ''
      if (wanted && !index) options.onLine?.(`${wanted} does not answer: the default build of torch is installed, which may be large`)
      await pip('quantize', index)
    }
    writeFileSync(join(venv, MARK), new Date().toISOString())
  } catch (error) {
    rmSync(venv, { recursive: true, force: true })
    throw error
  }
}
