// One thing a user does with kubectl, what they see of it, and how a list of those is run against a cluster.
import { spawn } from 'node:child_process'
import { type CommandResult, runCommand } from '../run-command.ts'

/** A string is the whole text but for white space around it; of a list, every string is contained and every pattern matches. */
export type Expected = string | RegExp | readonly (string | RegExp)[]

export interface Step {
  /** Arguments; a string is split at spaces. */
  readonly kubectl: string | readonly string[]
  /** Written to standard input, for `-f -`. */
  readonly input?: string
  /** Expected exit code; 0 when absent. */
  readonly code?: number
  readonly out?: Expected
  readonly err?: Expected
  /** A command that runs until it is stopped: once it has written something, `meanwhile` runs, until the output matches `out`. */
  readonly meanwhile?: readonly Step[]
  readonly limitMs?: number
}

export interface CommandCase {
  readonly name: string
  readonly steps: readonly Step[]
}

/** A {@link Step} in one line. */
export function step(kubectl: string | readonly string[], out?: Expected, rest: Omit<Step, 'kubectl' | 'out'> = {}): Step {
  return { kubectl, ...(out === undefined ? {} : { out }), ...rest }
}

/** A step that fails with code 1 and has these words on standard error. */
export function refused(kubectl: string | readonly string[], err: Expected, rest: Omit<Step, 'kubectl' | 'err'> = {}): Step {
  return { kubectl, code: 1, err: typeof err === 'string' ? [err] : err, ...rest }
}

export interface Kubectl {
  readonly program: string
  readonly kubeconfig: string
  readonly cacheDirectory: string
}

const defaultLimitMs = 60_000

/** Runs a case's steps in order. Yields what differs from what was expected; nothing when all is well. */
export async function runCase(kubectl: Kubectl, one: CommandCase): Promise<readonly string[]> {
  const differences: string[] = []
  for (const next of one.steps) {
    const result = next.meanwhile === undefined ? await run(kubectl, next) : await runMeanwhile(kubectl, next, next.meanwhile)
    const found = differencesOf(next, result)
    if (found.length === 0) continue
    differences.push(`${one.name}: kubectl ${wordsOf(next).join(' ')}\n    ${found.join('\n    ')}`)
    // What follows stands on this step.
    break
  }
  return differences
}

function wordsOf({ kubectl }: Step): readonly string[] {
  return typeof kubectl === 'string' ? kubectl.split(' ') : kubectl
}

function argumentsOf(kubectl: Kubectl, next: Step): readonly string[] {
  return [`--kubeconfig=${kubectl.kubeconfig}`, `--cache-dir=${kubectl.cacheDirectory}`, ...wordsOf(next)]
}

function run(kubectl: Kubectl, next: Step): Promise<CommandResult> {
  return runCommand(kubectl.program, argumentsOf(kubectl, next), {
    timeoutMs: next.limitMs ?? defaultLimitMs,
    ...(next.input === undefined ? {} : { input: next.input }),
  })
}

async function runMeanwhile(kubectl: Kubectl, next: Step, meanwhile: readonly Step[]): Promise<CommandResult> {
  const child = spawn(kubectl.program, argumentsOf(kubectl, next), { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  let changed = Promise.withResolvers<void>()
  const note = () => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    note()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  let hasEnded = false
  const end = () => {
    hasEnded = true
    note()
  }
  child.once('close', end)
  child.once('error', end)
  const limit = setTimeout(() => child.kill('SIGKILL'), next.limitMs ?? defaultLimitMs)
  const until = async (isDone: () => boolean) => {
    while (!isDone() && !hasEnded) await changed.promise
  }
  try {
    await until(() => stdout !== '')
    for (const other of meanwhile) {
      const found = differencesOf(other, await run(kubectl, other))
      if (found.length > 0) return { code: -1, stdout, stderr: `kubectl ${wordsOf(other).join(' ')}: ${found.join('; ')}` }
    }
    await until(() => next.out === undefined || mismatch(next.out, stdout) === undefined)
    return { code: hasEnded ? -1 : 0, stdout, stderr }
  } finally {
    clearTimeout(limit)
    child.kill('SIGKILL')
  }
}

function differencesOf(next: Step, result: CommandResult): readonly string[] {
  const wanted = next.code ?? 0
  const code =
    result.code === wanted ? [] : [`exit code ${result.code}, expected ${wanted}; standard error: ${result.stderr.trim()}`]
  const out = next.out === undefined ? undefined : mismatch(next.out, result.stdout)
  const err = next.err === undefined ? undefined : mismatch(next.err, result.stderr)
  return [
    ...code,
    ...(out === undefined ? [] : [`standard output ${out}`]),
    ...(err === undefined ? [] : [`standard error ${err}`]),
  ]
}

function mismatch(expected: Expected, text: string): string | undefined {
  const found = JSON.stringify(text.length > 4000 ? `${text.slice(0, 4000)}…` : text)
  if (typeof expected === 'string') {
    return text.trim() === expected.trim() ? undefined : `is ${found}, expected ${JSON.stringify(expected)}`
  }
  for (const part of expected instanceof RegExp ? [expected] : expected) {
    const isThere = typeof part === 'string' ? text.includes(part) : part.test(text)
    if (!isThere) return `has no ${typeof part === 'string' ? JSON.stringify(part) : String(part)}: ${found}`
  }
  return undefined
}
