// The processes of an agent's nginx, for checks that kill them.
import { readFileSync } from 'node:fs'
import type { Agent } from './agents.ts'

interface NginxProcesses {
  readonly first: number
  readonly workers: readonly number[]
}

/** `undefined` where it does not run now. */
export function nginxOf({ program }: Agent): NginxProcesses | undefined {
  // Only the later ones say by their names what they are, however it was started.
  const isWorker = (pid: number) => textOf(pid, 'cmdline').includes('nginx: worker')
  const first = childrenOf(program.pid).find(pid => childrenOf(pid).some(isWorker))
  return first === undefined ? undefined : { first, workers: childrenOf(first).filter(isWorker) }
}

/** Whether a process runs, as far as one can see: one that has ended and is not waited for does not. */
export const runs = (pid: number): boolean => /^State:\s+[^ZX]/m.test(textOf(pid, 'status'))

const childrenOf = (pid: number): readonly number[] =>
  textOf(pid, `task/${pid}/children`)
    .split(' ')
    .map(Number)
    .filter(child => child > 0)

/** Empty where the process has ended. */
function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // ENOENT, ESRCH: it has ended
  }
}
