// Completion as it is typed: real shells on a terminal, the key pressed, and what then stands in the line; and kubectl, which asks its plug-ins.
import { match, ok, strictEqual } from 'node:assert'
import { spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { PartUnavailable } from '../cache.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { placeOf } from '../machine-programs.ts'
import { commandOutput } from '../run-command.ts'
import { ownExecutable, ownRelease, temporaryFolder } from './own-release.ts'

const answerLimitMs = 60_000
const prompt = 'type> '
const tab = '\t'
const clearLine = '\x15'
/** zsh draws a character again over itself. */
const backspaced = new RegExp(`.${String.fromCharCode(8)}`, 'g')

interface Typed {
  readonly keys: string
  /** What the line, or the list below it, then holds. */
  readonly shows: RegExp
}

const rows: readonly Typed[] = [
  { keys: `ballast comp${tab}`, shows: /ballast completion/ },
  { keys: `ballast completion fi${tab}`, shows: /ballast completion fish/ },
  { keys: `kubectl-ballast plan --output=js${tab}`, shows: /plan --output=json/ },
  { keys: `ballast plan --overl${tab}`, shows: /plan --overlay/ },
  { keys: `ballast version -o y${tab}`, shows: /version -o yaml/ },
  { keys: `ballast plan --cluster du${tab}`, shows: /--cluster dump\.yaml/ },
  { keys: `ballast chart --out re${tab}`, shows: /--out results/ },
  // Several: a list, at the latest at the second press.
  { keys: `ballast migrate ${tab}${tab}`, shows: /^(?=[\s\S]*apply)(?=[\s\S]*plan)[\s\S]*values/ },
]

interface Site {
  readonly folder: string
  readonly environment: NodeJS.ProcessEnv
  readonly completions: string
}

async function site(): Promise<Site> {
  const program = await ownExecutable('amd64')
  const completions = join(await ownRelease(), 'completions')
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'dump.yaml'), '')
  mkdirSync(join(folder, 'results'))
  const path = [dirname(program), process.env['PATH']].join(delimiter)
  return { folder, completions, environment: { PATH: path, HOME: join(folder, 'home'), TERM: 'xterm', LC_ALL: 'C.UTF-8' } }
}

export async function bashCompletes(): Promise<string> {
  const { folder, environment, completions } = await site()
  const start = join(folder, 'bashrc')
  writeFileSync(start, `PS1='${prompt}'\nbind 'set enable-bracketed-paste off'\nsource '${join(completions, 'ballast')}'\n`)
  return await typed(`bash --noprofile --rcfile '${start}' -i`, folder, environment)
}

export async function zshCompletes(): Promise<string> {
  if (placeOf('zsh') === undefined) throw new PartUnavailable('the machine has no zsh: install Debian’s package zsh')
  const { folder, environment, completions } = await site()
  // Found in fpath by its name, as a package places it.
  const functions = join(folder, 'functions')
  cpSync(join(completions, '_ballast'), join(functions, '_ballast'))
  const lines = [
    `PS1='${prompt}'`,
    'unsetopt zle_bracketed_paste',
    `fpath=('${functions}' $fpath)`,
    'autoload -Uz compinit',
    'compinit -u',
  ]
  writeFileSync(join(folder, '.zshrc'), `${lines.join('\n')}\n`)
  return await typed('zsh -d -i', folder, { ...environment, ZDOTDIR: folder })
}

/** Types each row into the shell, and waits for what it shows. */
async function typed(command: string, folder: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn('script', ['-qefc', `stty cols 200; ${command}`, '/dev/null'], {
    cwd: folder,
    env: environment,
    timeout: answerLimitMs * rows.length,
  })
  let said = ''
  let look: () => void = () => undefined
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      said += String(chunk)
      look()
    })
  let isOver = false
  child.once('close', () => {
    isOver = true
    look()
  })
  const shown = async (from: number, pattern: RegExp) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    look = () => {
      const text = stripVTControlCharacters(said.slice(from)).replaceAll(backspaced, '')
      if (pattern.test(text)) resolve()
      else if (isOver) reject(new Error(`${command}: it did not show ${pattern}: ${JSON.stringify(said.slice(from))}`))
    }
    look()
    await promise
  }
  try {
    await shown(0, new RegExp(prompt))
    for (const { keys, shows } of rows) {
      const from = said.length
      child.stdin.write(keys)
      await shown(from, shows)
      const next = said.length
      child.stdin.write(`${clearLine}\n`)
      await shown(next, new RegExp(prompt))
    }
    return `${rows.length} lines typed`
  } finally {
    child.kill('SIGKILL')
  }
}

export async function fishCompletes(): Promise<string> {
  if (placeOf('fish') === undefined) throw new PartUnavailable('the machine has no fish: install Debian’s package fish')
  const { folder, environment, completions } = await site()
  for (const { keys, shows } of rows) {
    const line = keys.replaceAll(tab, '')
    const said = await commandOutput(
      'fish',
      ['--no-config', '-c', `source '${join(completions, 'ballast.fish')}'; complete --do-complete '${line}'`],
      { cwd: folder, env: { ...environment, PATH: environment['PATH'] ?? '' } as Record<string, string> },
    )
    // What is told of are whole words: the line's last one is completed.
    const last = line.split(' ').at(-1) ?? ''
    const completed = said.split('\n').map(word => `${line.slice(0, line.length - last.length)}${word.split(tab)[0]}`)
    ok(shows.test(completed.join('\n')), `${line}: ${said}`)
  }
  return `${rows.length} lines`
}

export async function kubectlCompletes(): Promise<string> {
  const { folder, environment, completions } = await site()
  const plugin = join(folder, 'bin')
  mkdirSync(plugin)
  cpSync(join(completions, 'kubectl_complete-ballast'), join(plugin, 'kubectl_complete-ballast'))
  chmodSync(join(plugin, 'kubectl_complete-ballast'), 0o755)
  const seen = []
  for (const version of ['1.32', 'newest'] as const) {
    const kubectl = await kubectlPath(version)
    const env = { ...environment, PATH: [plugin, environment['PATH'] ?? ''].join(delimiter) } as Record<string, string>
    match(await commandOutput(kubectl, ['__complete', 'ballast', 'comp'], { cwd: folder, env }), /^completion\t.*\n:4$/m)
    match(await commandOutput(kubectl, ['__complete', 'ballast', 'version', '-o', 'j'], { cwd: folder, env }), /^json\n:4$/m)
    match(await commandOutput(kubectl, ['ballast', 'plan', '--help'], { cwd: folder, env }), /^Usage: kubectl ballast plan /)
    const said = JSON.parse(await commandOutput(kubectl, ['ballast', 'version', '--client', '-o', 'json'], { cwd: folder, env }))
    strictEqual(said.clientVersion.packedAs, 'executable')
    match(await commandOutput(kubectl, ['plugin', 'list'], { cwd: folder, env }), /kubectl-ballast/)
    seen.push(version)
  }
  return `kubectl ${seen.join(' and ')}`
}
