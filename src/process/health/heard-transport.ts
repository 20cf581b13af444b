// A transport that remembers when the API server last answered: a process that is not heard is not ready.

import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'

interface HeardTransport extends Transport {
  /** `undefined` while the server answers, else for how long it has not. Candidates ask for the Lease every few seconds, so silence means something. */
  silence(): string | undefined
}

const longestMs = 30_000

/** Passes everything on to `inner`. */
export function heardTransport(inner: Transport, clock: Clock): HeardTransport {
  let heardMs: number | undefined
  const hear = <T extends { readonly status: number }>(answer: T): T => {
    if (answer.status < 500) heardMs = clock.elapsed()
    return answer
  }
  return {
    request: async request => hear(await inner.request(request)),
    stream: async request => hear(await inner.stream(request)),
    close: () => inner.close(),
    silence() {
      if (heardMs === undefined) return 'the API server has not answered yet'
      const silentMs = clock.elapsed() - heardMs
      return silentMs > longestMs ? `the API server has not answered for ${Math.round(silentMs / 1000)} s` : undefined
    },
  }
}
