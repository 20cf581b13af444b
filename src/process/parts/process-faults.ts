// What nobody caught: given to its owner, or, where it has none, to whoever ends the process.

import type { Ending } from '../surroundings.ts'
import type { FaultSource } from './fault-source.ts'
import { currentOwner } from './part-owner.ts'

const kinds = { unhandledRejection: 'a promise that nobody awaits', uncaughtException: 'a callback' } as const

/**
 * Takes over `unhandledRejection` and `uncaughtException` of this process until disposed of. Node runs both in the asynchronous context of
 * what failed, which names the owner. What has none while nobody listens ends the process at once by `exit`, as it would without us.
 */
export function processFaults(exit: (code: number) => void, ending: Pick<Ending, 'begin'>): FaultSource & Disposable {
  const listeners = new Set<(error: unknown) => void>()
  const handlers = Object.entries(kinds).map(([event, where]) => {
    const handler = (error: unknown) => {
      const owner = currentOwner()
      if (owner !== undefined) owner.fault(error, where)
      else if (listeners.size > 0) {
        // Who ends in order after this may find what was left behind in the way.
        ending.begin()
        for (const listener of listeners) listener(error)
      } else {
        process.stderr.write(`ballast: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
        exit(1)
      }
    }
    process.on(event, handler)
    return { event, handler }
  })
  return {
    onUnowned(listener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => listeners.delete(listener) }
    },
    [Symbol.dispose]: () => {
      for (const { event, handler } of handlers) process.off(event, handler)
    },
  }
}
