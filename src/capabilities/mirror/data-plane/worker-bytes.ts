// What the kernel counts of another process of this user.
import { readFileSync } from 'node:fs'

/** Bytes that a process has written since it began; `gone`: there is no such process; undefined where the kernel does not say. */
export type Written = number | 'gone' | undefined

/** `worker` 0: unknown. */
export function writtenBy(worker: number): Written {
  if (worker === 0) return undefined
  try {
    const [, digits] = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${worker}/io`, 'latin1')) ?? []
    return digits === undefined ? undefined : Number(digits)
  } catch (error) {
    // Otherwise it is not ours to see: EACCES, or a kernel without it.
    return error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH'].includes(String(error.code)) ? 'gone' : undefined
  }
}

/** The group of processes that a process belongs to; undefined where it is gone. */
export function groupOf(worker: number): number | undefined {
  try {
    // Its name, in parentheses, may have any characters.
    return Number(readFileSync(`/proc/${worker}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[2])
  } catch {
    return undefined // ENOENT, ESRCH: it is gone
  }
}
