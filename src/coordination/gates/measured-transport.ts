// A transport that notes how long the API server takes to answer and how often it fails. Watches and streamed lists are not measured:
// they last as long as they are wanted.

import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import type { ApiHealth } from './api-health.ts'

/** `inner`, with each request told to `health`. What its caller ended is not told. */
export function measuredTransport(inner: Transport, health: ApiHealth, clock: Clock): Transport {
  return {
    request: async request => {
      const beganMs = clock.elapsed()
      try {
        const answer = await inner.request(request)
        health.record(clock.elapsed() - beganMs, answer.status)
        return answer
      } catch (error) {
        if (!request.signal.aborted) health.record(clock.elapsed() - beganMs, undefined)
        throw error
      }
    },
    stream: request => inner.stream(request),
    close: () => inner.close(),
  }
}
