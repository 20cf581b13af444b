// What the kernel counts of another process of this user.
import { readFileSync } from 'node:fs'

/** Bytes that a process has written since it began; undefined where the kernel does not say. */
export function writtenBy(worker: number): number | undefined {
  if (worker === 0) return undefined
  try {
    const [, digits] = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${worker}/io`, 'latin1')) ?? []
    return digits === undefined ? undefined : Number(digits)
  } catch {
    return undefined // ENOENT, EACCES: it is gone, or not ours to see
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
