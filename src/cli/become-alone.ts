// A process that has read its settings goes on as another program under the same id: what reading took, a quarter of a mirror's own memory, is gone
// with it. `run-alone.ts` is the other side.
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { AloneProgram } from '#process/agent/agent-host.ts'
import type { processLog } from '#process/process-log.ts'

type LogLevel = Parameters<typeof processLog>[0]['level']

/** The variable that says what the next program is to know. There is no secret in it: those are read again from their files. */
export const handedVariable = 'BALLAST_HANDED_OVER'

export interface AloneWish {
  /** Undefined: there is none, and nothing happens. */
  readonly program: AloneProgram | undefined
  readonly level: LogLevel
  readonly gracefulMs: number
}

/** What the next program reads. */
export interface HandedOver {
  readonly knows: unknown
  readonly level: LogLevel
  readonly gracefulMs: number
}

/** Bytes: Linux takes 128 KiB for one variable, and what is more than that ends the process. */
const mostHanded = 98_304

/**
 * Becomes the program; comes back where it cannot: on systems other than Linux, below a launcher, whose line to us would break, and where more is to
 * be known than fits. @throws the reason of `signal` where the process was asked to end before
 */
export async function becomeAlone({ program, level, gracefulMs }: AloneWish, signal: AbortSignal): Promise<void> {
  if (program === undefined || !canBecome(program.entry)) return
  const handed = JSON.stringify({ knows: program.knows, level, gracefulMs } satisfies HandedOver)
  if (Buffer.byteLength(handed) > mostHanded) return
  // A signal that has come is heard in the next turn of the loop, and would be forgotten.
  const { promise, resolve } = Promise.withResolvers<void>()
  setImmediate(resolve)
  await promise
  signal.throwIfAborted()
  const { execPath, execArgv, argv0, argv } = process
  // The words of the command come along: who lists processes is to see what runs here.
  const words = [argv0, ...execArgv, ...program.flags, program.entry, ...argv.slice(2)]
  process.execve?.(execPath, words, { ...process.env, [handedVariable]: handed })
}

/** One that fails ends the process: what can be seen before is looked at. */
function canBecome(entry: string): boolean {
  if (process.platform !== 'linux' || process.execve === undefined || process.channel !== undefined) return false
  // Started by a loader that is named, the loader is what would be run.
  return basename(process.execPath).startsWith('node') && existsSync(process.execPath) && existsSync(entry)
}
