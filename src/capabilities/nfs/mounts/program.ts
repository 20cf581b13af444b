// Programs of the machine, by their arguments and never through a shell: each with a limit. One that hangs in the kernel is told apart from one that
// has ended: it cannot be killed, and what it holds is still held.

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import type { Cancel, Clock } from '#kube/clock.ts'

/** What a program says is kept up to here. */
const mostOutput = 16 * 1024
/** A program whose own child was ended has so long to take note of it and end, too. */
const lastWordsMs = 1_000
const lookMs = 250

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
    /** Told its number, which is its group's, too. */
    readonly began?: (pid: number) => void
  },
) => Promise<ProgramEnd>

export type RunProgram = Run<ProgramOfMounts>

/** @returns a way to run programs of this machine. A signal ends one as a limit does. */
export function machinePrograms(clock: Clock): Run<string> {
  return (program, args, { limitMs, signal, saysErrorsOnly = false, began }) => {
    const { promise, resolve } = Promise.withResolvers<ProgramEnd>()
    const gone = Promise.withResolvers<void>()
    // Messages are read, so they are in no other language; and nothing of our environment goes along.
    const child = spawn(program, args, {
      stdio: ['ignore', saysErrorsOnly ? 'ignore' : 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      detached: true,
    })
    let output = ''
    const add = (chunk: Buffer) => {
      if (output.length < mostOutput) output = (output + chunk.toString('utf8')).slice(0, mostOutput)
    }
    child.stdout?.on('data', add)
    child.stderr?.on('data', add)
    if (child.pid !== undefined) began?.(child.pid)
    let isLate = false
    let isAbsent = false
    let cancelKill: Cancel = () => undefined
    const kill = () => {
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

/** Ends the processes of a group, wherever they came from. */
export const killGroup = (pid: number): void => killProcess(-pid)

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It has ended meanwhile.
    if (!hasCode(error, 'ESRCH')) throw error
  }
}

/** Empty also where the system does not say it. */
function childrenOf(pid: number): readonly number[] {
  const text = readOrMissing(`/proc/${pid}/task/${pid}/children`) ?? ''
  return text.split(' ').filter(Boolean).map(Number)
}

/** Resolves once nothing runs in the groups of processes that are nobody's here any more. */
export async function groupsGone(groups: ReadonlySet<number>, clock: Clock): Promise<void> {
  while (runs(groups)) await clock.after(lookMs)
}

/** By the tables of the system: what is dead and was not taken note of runs no more. */
function runs(groups: ReadonlySet<number>): boolean {
  return readdirSync('/proc').some(name => {
    if (!/^\d+$/.test(name)) return false
    // The name of a program, in parentheses, may have any characters.
    const stat = readOrMissing(`/proc/${name}/stat`) ?? ''
    const [state = 'Z', , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return !/[ZX]/.test(state) && groups.has(Number(group))
  })
}

function readOrMissing(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}

const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.some(code => code === error.code)
