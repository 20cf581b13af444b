// Programs of the machine, by their arguments and never through a shell: each with a limit. One that hangs in the kernel is told apart from one that
// has ended: it cannot be killed, and what it holds is still held.

import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Cancel, Clock } from '#kube/clock.ts'

/** What a program says is kept up to here. */
const mostOutput = 16 * 1024
/** A program whose own child was ended has so long to take note of it and end, too. */
const lastWordsMs = 1_000
const lookMs = 500
/** In the environment of a program, and of what that starts itself, it says who started it. */
export const markVariable = 'BALLAST_STARTED_BY'

export interface ProgramEnd {
  /** The exit code; undefined where it was killed, or could not be started. */
  readonly code: number | undefined
  /** What it wrote to both of its outputs. */
  readonly output: string
  readonly isLate: boolean
  /** It could not be started, since there is no such program. */
  readonly isAbsent: boolean
  /** Resolves when the program is gone: at once but for one that hangs. */
  readonly gone: Promise<void>
}

/** What this room starts: the image has each of them (`scripts/image/debian-base.ts`), and nothing else may be started. */
export const programsOfMounts = ['mount', 'mount.nfs', 'umount', 'stat', 'chmod'] as const
type ProgramOfMounts = (typeof programsOfMounts)[number]

/** Starts a program and waits for its end, at most for a time. */
type Run<Program extends string> = (
  program: Program,
  args: readonly string[],
  options: {
    readonly limitMs: number
    readonly signal?: AbortSignal | undefined
    /** What it writes to its standard output is left unread: a pipe less for programs that say there nothing but how far they are. */
    readonly saysErrorsOnly?: boolean
  },
) => Promise<ProgramEnd>

export type RunProgram = Run<ProgramOfMounts>

/**
 * A way to run programs of this machine. A signal ends one as a limit does.
 * @param mark by which `endMarked` finds them
 */
export function machinePrograms(clock: Clock, mark?: string): Run<string> {
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', ...(mark === undefined ? {} : { [markVariable]: mark }) }
  return (program, args, { limitMs, signal, saysErrorsOnly = false }) => {
    const { promise, resolve } = Promise.withResolvers<ProgramEnd>()
    const gone = Promise.withResolvers<void>()
    // Messages are read, so they are in no other language; and nothing of our environment goes along.
    const child = spawn(program, args, {
      stdio: ['ignore', saysErrorsOnly ? 'ignore' : 'pipe', 'pipe'],
      env,
      detached: true,
    })
    let output = ''
    const add = (chunk: Buffer) => {
      if (output.length < mostOutput) output = (output + chunk.toString('utf8')).slice(0, mostOutput)
    }
    child.stdout?.on('data', add)
    child.stderr?.on('data', add)
    let isLate = false
    let isAbsent = false
    let cancelKill: Cancel = () => undefined
    const kill = () => {
      if (isLate) return
      isLate = true
      cancelKill = endGroup(child.pid, clock)
      resolve({ code: undefined, output, isLate, isAbsent, gone: gone.promise })
    }
    const cancelTimer = clock.schedule(limitMs, kill)
    signal?.addEventListener('abort', kill, { once: true })
    if (signal?.aborted) kill()
    const end = (code: number | undefined) => {
      cancelTimer()
      cancelKill()
      signal?.removeEventListener('abort', kill)
      gone.resolve()
      resolve({ code, output, isLate, isAbsent, gone: gone.promise })
    }
    child.on('error', error => {
      add(Buffer.from(error.message))
      isAbsent = 'code' in error && error.code === 'ENOENT'
      // A program that never began has no other end.
      if (child.pid === undefined) end(undefined)
    })
    child.on('close', code => end(code ?? undefined))
    return promise
  }
}

/**
 * Ends a program with what it started itself: `mount` starts `mount.nfs`. Its children go first, so that it takes note of their end: the first process of a container
 * would have them as dead ones that nobody takes note of, for ever.
 */
function endGroup(pid: number | undefined, clock: Clock): Cancel {
  if (pid === undefined) return () => undefined
  const children = childrenOf(pid)
  if (children.length === 0) {
    killGroup(pid)
    return () => undefined
  }
  for (const child of children) killProcess(child)
  return clock.schedule(lastWordsMs, () => killGroup(pid))
}

const killGroup = (pid: number): void => killProcess(-pid)

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It has ended meanwhile, or became another user, who ends it by itself.
    if (!hasCode(error, 'ESRCH', 'EPERM')) throw error
  }
}

/** Empty also where the system does not say it. */
function childrenOf(pid: number): readonly number[] {
  const text = readOrMissing(`/proc/${pid}/task/${pid}/children`) ?? ''
  return text.split(' ').filter(Boolean).map(Number)
}

/** Ends programs that have a mark, whoever's they are by now, and resolves once none is left. One that hangs in the kernel is waited for. */
export async function endMarked(mark: string, clock: Clock): Promise<void> {
  for (let marked = markedWith(mark); marked.length > 0; marked = markedWith(mark)) {
    for (const pid of marked) killProcess(pid)
    await clock.after(lookMs)
  }
}

/** Those that are dead have no environment any more. */
function markedWith(mark: string): readonly number[] {
  const wanted = `${markVariable}=${mark}`
  const pids = existsSync('/proc') ? readdirSync('/proc').filter(name => /^\d+$/.test(name)) : []
  return pids.filter(pid => readOrMissing(`/proc/${pid}/environ`)?.split('\0').includes(wanted) === true).map(Number)
}

/** Undefined also of somebody else's. */
function readOrMissing(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined
    throw error
  }
}

const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.some(code => code === error.code)
