// Whose work is running: everything that a part starts (timers, promises, handlers) carries its owner, so that what goes wrong in it can be
// told apart from what goes wrong in the process.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ApiEndpoint, WebhookEndpoint } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import { StatusError } from '#kube/objects/status.ts'
import type { Webhook } from '#kube/server/admission.ts'
import type { AggregatedResource } from '#kube/server/aggregated-api.ts'

export interface Owner {
  /** `deschedule/controller` */
  readonly name: string
  /** Told what went wrong, and in what of it. Never throws. */
  fault(error: unknown, where: string): void
  /** Told what went wrong with one request or object only: it is counted, and the rest goes on. Never throws. */
  mishap(error: unknown, where: string): void
}

const owners = new AsyncLocalStorage<Owner>()

/** What `work` returns. All that it starts, now or later, belongs to `owner`. */
export function runAs<T>(owner: Owner, work: () => T): T {
  return owners.run(owner, work)
}

/** Whose work is running at this moment; `undefined` for the process's own. */
export function currentOwner(): Owner | undefined {
  return owners.getStore()
}

/** `clock`, with callbacks that run as `owner` and whose exceptions are its faults: also where timers are run by hand, as a virtual clock does. */
export function ownedClock(clock: Clock, owner: Owner): Clock {
  const owned = (callback: () => void) => () => {
    try {
      runAs(owner, callback)
    } catch (error) {
      owner.fault(error, 'a timer')
    }
  }
  return {
    now: () => clock.now(),
    elapsed: () => clock.elapsed(),
    schedule: (delayMs, callback) => clock.schedule(delayMs, owned(callback)),
    at: (wallMs, callback) => clock.at(wallMs, owned(callback)),
    after: (delayMs, signal) => clock.after(delayMs, signal),
    hold: () => clock.hold(),
  }
}

/** `endpoint`, with handlers that run as `owner`. What they throw is answered as their failure policy says, and counted: one review is nobody else's affair. */
export function ownedWebhooks(endpoint: WebhookEndpoint, owner: Owner): WebhookEndpoint {
  return {
    clientConfig: path => endpoint.clientConfig(path),
    annotations: () => endpoint.annotations?.() ?? {},
    serve: webhook => endpoint.serve(ownedWebhook(webhook, owner)),
  }
}

/** `endpoint`, whose resources answer as `owner`. What they throw is answered as a server's error, and counted; a StatusError is an answer. */
export function ownedApis(endpoint: ApiEndpoint, owner: Owner): ApiEndpoint {
  const asked = async <T>(what: string, signal: AbortSignal, work: () => Promise<T> | T): Promise<T> => {
    try {
      return await runAs(owner, work)
    } catch (error) {
      if (!signal.aborted && !(error instanceof StatusError)) owner.mishap(error, what)
      throw error
    }
  }
  const owned = (resource: AggregatedResource): AggregatedResource => {
    const what = `API resource ${resource.name}`
    const { list, get } = resource
    return {
      ...resource,
      ...(list === undefined ? {} : { list: call => asked(what, call.signal, () => list.call(resource, call)) }),
      ...(get === undefined ? {} : { get: call => asked(what, call.signal, () => get.call(resource, call)) }),
    }
  }
  return {
    answerReplicas: own =>
      endpoint.answerReplicas({
        ...own,
        answer: (query, signal) => asked(`path ${own.path}`, signal, () => own.answer(query, signal)),
      }),
    service: endpoint.service,
    replicasBy: slices => endpoint.replicasBy(slices),
    askReplica: (...question) => endpoint.askReplica(...question),
    serve: api =>
      endpoint.serve({
        ...api,
        resources: api.resources.map(owned),
        ...(api.anyOther === undefined ? {} : { anyOther: owned(api.anyOther) }),
      }),
  }
}

function ownedWebhook(webhook: Webhook, owner: Owner): Webhook {
  const owned = async <T>(signal: AbortSignal, work: () => Promise<T> | T): Promise<T> => {
    try {
      return await runAs(owner, work)
    } catch (error) {
      // The caller has gone, or we are too slow: the answer says so.
      if (!signal.aborted) owner.mishap(error, `webhook ${webhook.name}`)
      throw error
    }
  }
  return webhook.kind === 'mutating'
    ? { ...webhook, handle: (request, signal) => owned(signal, () => webhook.handle(request, signal)) }
    : { ...webhook, handle: (request, signal) => owned(signal, () => webhook.handle(request, signal)) }
}
