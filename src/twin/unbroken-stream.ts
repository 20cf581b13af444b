// The chunks of an answer that is under way. An error in the middle of one cannot become another status any more: a watch says ERROR
// and ends, as a server does that goes on; any other answer breaks off, so that no reader takes its beginning for the whole.
import { ConnectionError } from '#kube/client/connection-error.ts'
import { messageOf } from '#kube/log.ts'
import { internalError } from '#kube/objects/status.ts'
import type { TwinRequest } from './api/request.ts'
import { eventLine } from './api/watches/event-text.ts'
import { InjectedReset } from './faults/injected-reset.ts'
import type { TellTrouble } from './trouble.ts'

/** An answer that broke off by a fault of the twin, which was told: its reader alone loses its connection or stream. */
export class BrokenAnswer extends ConnectionError {
  constructor(what: string) {
    super(`${what}: the answer broke off`, { code: 'ECONNRESET' })
  }
}

type Chunk = string | Uint8Array

interface StreamOf {
  readonly request: TwinRequest
  readonly isWatch: boolean
  readonly onTrouble: TellTrouble
}

/** The same chunks; what goes wrong between them is told. Rejects where the connection is to be broken. */
export function unbroken(chunks: AsyncIterable<Chunk>, { request, isWatch, onTrouble }: StreamOf): AsyncIterable<Chunk> {
  return {
    [Symbol.asyncIterator]() {
      const inner = chunks[Symbol.asyncIterator]()
      let isOver = false
      return {
        async next() {
          if (isOver) return { value: undefined, done: true }
          try {
            return await inner.next()
          } catch (error) {
            isOver = true
            if (error instanceof InjectedReset || request.signal.aborted) throw error
            const where = `${request.method} ${request.path}`
            onTrouble({ kind: 'stream', where, error, count: 1 })
            if (!isWatch) throw new BrokenAnswer(where)
            return { value: eventLine('ERROR', JSON.stringify(internalError(messageOf(error)).status)), done: false }
          }
        },
        async return(value?: unknown) {
          isOver = true
          return (await inner.return?.(value)) ?? { value: undefined, done: true }
        },
      }
    },
  }
}
