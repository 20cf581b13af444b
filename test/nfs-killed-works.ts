// A driver that is killed around one of its works on files: the work is done or it is not, and nothing that follows is.

import { FileWorkFailed } from '../src/capabilities/nfs/files/file-work-failed.ts'
import type { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'

export interface KilledWorkers extends Pick<FileWorkers, 'run'> {
  isKilled(): boolean
}

/** Counts works that change something; from the `nth` on none is done, and the `nth` itself only where it is killed after it. */
export function killedAt(workers: Pick<FileWorkers, 'run'>, nth: number, when: 'before' | 'after'): KilledWorkers {
  let count = 0
  let isKilled = false
  const ended = () => new FileWorkFailed('WORKER_ENDED', 'the process was killed')
  return {
    isKilled: () => isKilled,
    run: async (work, options) => {
      if (isKilled) throw ended()
      const isNth = !looking.has(work.kind) && ++count === nth
      if (isNth) isKilled = true
      if (isNth && when === 'before') throw ended()
      const result = await workers.run(work, options)
      if (isKilled) throw ended()
      return result
    },
  }
}

const looking: ReadonlySet<string> = new Set(['list', 'stat', 'statfs', 'readRecord', 'fingerprint', 'survey'])
