// Step 4 of a request, between authorisation and the reading of its body: what faults do to it, and to the answer.
import type { Clock } from '#kube/clock.ts'
import { StatusError, statusBody } from '#kube/objects/status.ts'
import type { ResourceRequest, TwinRequest, TwinResponse } from '../api/request.ts'
import type { Fault } from './fault.ts'
import type { Faults } from './faults.ts'
import { InjectedReset } from './injected-reset.ts'
import { OpenWatch } from './open-watch.ts'

interface FaultyParts {
  readonly faults: Faults
  readonly wire: Clock
  /** Waits so long, on the wire clock. @throws the signal's reason */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

interface Asked {
  readonly info: ResourceRequest
  readonly request: TwinRequest
  readonly user: string
}

/** The answer as the faults let it be. @throws StatusError, InjectedReset */
export async function faultyAnswer(
  { faults, wire, wait }: FaultyParts,
  { info, request, user }: Asked,
  answer: (request: TwinRequest) => Promise<TwinResponse>,
): Promise<TwinResponse> {
  const facts = { ...info, user, userAgent: request.headers['user-agent'] ?? '' }
  const { latencyMs, end, disturbances } = faults.meet(facts)
  if (latencyMs > 0) await wait(latencyMs, request.signal)
  const what = `${request.method} ${request.path}`
  if (end?.kind === 'status') throw new StatusError(statusOf(end, what))
  if (end?.kind === 'reset' && end.when === 'before') throw new InjectedReset(what)
  if (info.verb !== 'watch') {
    const done = await answer(request)
    if (end !== undefined) throw new InjectedReset(what)
    return done
  }
  const interruption = new AbortController()
  const signal = AbortSignal.any([request.signal, interruption.signal])
  const opened = await answer({ ...request, signal })
  const interrupt = () => interruption.abort(new DOMException('the watch was interrupted', 'AbortError'))
  if (end !== undefined) {
    interrupt()
    throw new InjectedReset(what)
  }
  if (opened.kind !== 'stream') return opened
  const watch = new OpenWatch(opened.chunks, disturbances, { wire, signal, interrupt, what })
  signal.addEventListener('abort', faults.follow(watch, facts), { once: true })
  return { ...opened, chunks: watch }
}

function statusOf({ code, reason, message, retryAfterSeconds }: Extract<Fault['effect'], { kind: 'status' }>, what: string) {
  return statusBody(
    code,
    message ?? `${what}: refused by a fault of the twin`,
    reason,
    retryAfterSeconds === undefined ? undefined : { retryAfterSeconds },
  )
}
