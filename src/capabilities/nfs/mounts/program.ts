// Programs of the machine, by their arguments and never through a shell: each with a limit. One that hangs in the kernel is told apart from one that
// has ended: it cannot be killed, and what it holds is still held.

import { spawn } from 'node:child_process'
import type { Clock } from '#kube/clock.ts'

/** What a program says is kept up to here. */
const mostOutput = 16 * 1024

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

/** @returns a way to run programs of this machine. A signal ends one as a limit does. */
export function machinePrograms(clock: Clock): Run<string> {
  return (program, args, { limitMs, signal, saysErrorsOnly = false }) => {
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
    let isLate = false
    let isAbsent = false
    const kill = () => {
      isLate = true
      killGroup(child.pid)
      resolve({ code: undefined, output, isLate, isAbsent, gone: gone.promise })
    }
    const cancelTimer = clock.schedule(limitMs, kill)
    signal?.addEventListener('abort', kill, { once: true })
    if (signal?.aborted) kill()
    const end = (code: number | undefined) => {
      cancelTimer()
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

/** With what it started itself: `mount` starts `mount.nfs`. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
