// Requests of other processes: DisruptionPermits that were created without a grant. Each is checked, judged as any other wish, and answered in
// its status; what has to wait is asked again when it is due.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type ReconcileResult, reconciled, runWorkers } from '#kube/controllers/controller.ts'
import { type QueueObserver, WorkQueue } from '#kube/controllers/queue.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { ballastApiVersion, type DisruptionPermit, type DisruptionPermitStatus } from '../api.ts'
import type { Arbiter } from '../arbiter/arbiter.ts'
import type { Reply } from '../arbiter/hearing.ts'
import { PermitWrites } from './permit-writes.ts'
import { intentOfRequest } from './request-intent.ts'

interface RequestsOptions {
  readonly api: Api
  readonly permits: Informer<DisruptionPermit>
  readonly arbiter: Pick<Arbiter, 'answer'>
  readonly state: () => ClusterState
  readonly settings: SchedulerSettings
  /** Ballast's own namespace: requests about nodes lie there. */
  readonly ownNamespace: string
  readonly events: Pick<EventRecorder, 'emit'>
  /** Why nobody of this name is answered here; `undefined`: it is. */
  readonly whyNotServed?: ((requester: string) => string | undefined) | undefined
  readonly clock: Clock
  readonly log: Log
  readonly queueObserver?: QueueObserver | undefined
}

/** Requests of one requester that may wait for an answer at once; those that came after them are refused. */
const mostOpen = 100
/** How long an answered request stays readable, in milliseconds from its creation. */
const keptMs = 48 * 3_600_000
const shortestWaitMs = 1_000
/** Shorter than a wish stays remembered: it keeps its place in the queue. */
const longestWaitMs = 60_000
const atOnce = 4

/** Requests of one requester that are not answered for good. */
const openIndex = 'open-requests'

type Answer = Pick<DisruptionPermitStatus, 'decision' | 'reason' | 'until' | 'coalescedInto'>

/** Answers requests until `signal` is aborted. To be begun once a term, after the arbiter took over. A bad request stops no other. */
export async function servePermitRequests(options: RequestsOptions, signal: AbortSignal): Promise<void> {
  const { permits, clock, log, queueObserver: observer } = options
  permits.store.addIndex(openIndex, permit => (isOpen(permit) ? [requesterOf(permit)] : []))
  using queue = new WorkQueue<string>({ clock, observer })
  const requests = new Requests(options)
  const unwatch = permits.onChange(({ type, object, previous }) => {
    if (type !== 'DELETED' && (isRequest(object) || isUntold(object))) queue.add(keyOf(object))
    // What ended may be what others wait for.
    const isOver = type === 'DELETED' || (object.status?.releasedAt !== undefined && previous?.status?.releasedAt === undefined)
    if (isOver) for (const key of requests.waiting) queue.add(key)
  })
  try {
    const reconcile = (key: string, limit: AbortSignal) => requests.reconcile(key, limit)
    await runWorkers({ name: 'permit requests', queue, reconcile, clock, log, concurrency: atOnce }, signal)
  } finally {
    unwatch()
  }
}

class Requests {
  /** `namespace/name` of those that were told to wait. */
  readonly waiting = new Set<string>()
  readonly #options: RequestsOptions
  readonly #writes: PermitWrites

  constructor(options: RequestsOptions) {
    this.#options = options
    this.#writes = new PermitWrites(options)
  }

  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { permits, clock, log } = this.#options
    const [namespace = '', name = ''] = key.split('/')
    const request = permits.store.get(namespace, name)
    this.waiting.delete(key)
    if (request === undefined) return reconciled
    if (isUntold(request)) {
      // The status leaves the reason out: how it ends may be written just now.
      const stored = await this.#writes.setStatus({ name, namespace }, { decision: 'Granted' }, signal)
      if (stored !== undefined) permits.observe(stored)
    }
    if (!isRequest(request)) return reconciled
    if (!isOpen(request)) return this.#forget(request, signal)
    const answer = await this.#answerTo(request, signal)
    if (!isSaid(request.status, answer)) {
      const stored = await this.#writes.setStatus({ name, namespace }, answer, signal)
      if (stored !== undefined) permits.observe(stored)
      log.info({ request: key, decision: answer.decision, reason: answer.reason }, 'request answered')
    }
    if (answer.decision !== 'Queued') return reconciled
    this.waiting.add(key)
    const untilMs = answer.until === undefined ? longestWaitMs : Date.parse(answer.until) - clock.now()
    return { kind: 'after', delayMs: Math.max(shortestWaitMs, Math.min(longestWaitMs, untilMs)) }
  }

  async #answerTo(request: DisruptionPermit, signal: AbortSignal): Promise<Answer> {
    const { state, settings, ownNamespace, arbiter } = this.#options
    if (this.#isTooMany(request)) {
      const reason = `${requesterOf(request)} has ${mostOpen} requests open already, expected at most that: ask again when some are answered`
      return this.#refuse(request, reason)
    }
    const unserved = this.#options.whyNotServed?.(requesterOf(request))
    if (unserved !== undefined) return this.#refuse(request, unserved)
    try {
      const reading = intentOfRequest(request, { state: state(), settings, ownNamespace })
      if (reading.kind === 'bad') return this.#refuse(request, reading.message)
      return answerOf(request, await arbiter.answer(reading.intent, request, signal))
    } catch (error) {
      signal.throwIfAborted()
      // What is wrong with this one request, or with its writing, comes again later; the others go on.
      const until = new Date(this.#options.clock.now() + longestWaitMs / 2).toISOString()
      this.#options.log.warn({ request: request.metadata.name, why: messageOf(error) }, 'a request could not be answered')
      return { decision: 'Queued', reason: `not answered yet: ${messageOf(error)}`.slice(0, 4096), until }
    }
  }

  /** So many that came before it are open: the oldest are served, in order of creation and name. */
  #isTooMany(request: DisruptionPermit): boolean {
    let before = 0
    for (const other of this.#options.permits.store.byIndex(openIndex, requesterOf(request))) {
      if (orderOf(other) < orderOf(request)) before++
      if (before >= mostOpen) return true
    }
    return false
  }

  #refuse(request: DisruptionPermit, message: string): Answer {
    const { name, namespace = '', uid } = request.metadata
    this.#options.events.emit({
      type: 'Warning',
      reason: 'RequestRefused',
      action: 'Deny',
      regarding: {
        apiVersion: ballastApiVersion,
        kind: 'DisruptionPermit',
        namespace,
        name,
        ...(uid === undefined ? {} : { uid }),
      },
      note: message.slice(0, 1024),
    })
    return { decision: 'Denied', reason: message.slice(0, 4096) }
  }

  /** Answered and never granted: kept for a while, for whoever reads it. */
  async #forget(request: DisruptionPermit, signal: AbortSignal): Promise<ReconcileResult> {
    const { clock } = this.#options
    const { name, namespace = '', resourceVersion = '', creationTimestamp } = request.metadata
    const createdMs = Date.parse(creationTimestamp ?? '')
    const leftMs = (Number.isNaN(createdMs) ? clock.now() : createdMs) + keptMs - clock.now()
    if (leftMs > 0) return { kind: 'after', delayMs: leftMs }
    await this.#writes.delete({ name, namespace, resourceVersion }, signal)
    return reconciled
  }
}

function answerOf(request: DisruptionPermit, reply: Reply): Answer {
  if (reply.kind === 'granted') {
    const { name } = reply.permit.record
    return name === request.metadata.name
      ? { decision: 'Granted', reason: 'granted' }
      : { decision: 'Coalesced', reason: `the same was granted as ${name}`, coalescedInto: name }
  }
  const { verdict, sentence } = reply
  const reason = sentence.slice(0, 4096)
  switch (verdict.kind) {
    case 'defer':
      return { decision: 'Queued', reason, until: new Date(verdict.untilMs).toISOString() }
    case 'absorbed':
      return { decision: 'Queued', reason }
    case 'deny':
      return { decision: 'Denied', reason }
    case 'no-op':
      return { decision: 'NoOp', reason }
    case 'coalesced':
      return { decision: 'Coalesced', reason, coalescedInto: verdict.into.name }
  }
}

function keyOf({ metadata }: DisruptionPermit): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

function isRequest({ spec }: DisruptionPermit): boolean {
  return typeof spec === 'object' && spec !== null && spec.grant === undefined
}

/** What we ask for ourselves carries this, and its status says nothing before it ends. */
const ownLabel = 'ballast.dev/managed'

/** Granted by a leader that ended before it said so in the status, where the requester may look for it. */
function isUntold({ metadata, spec, status }: DisruptionPermit): boolean {
  const isGranted = typeof spec === 'object' && spec !== null && spec.grant !== undefined
  return (
    isGranted && metadata.labels?.[ownLabel] === undefined && status?.decision !== 'Granted' && status?.releasedAt === undefined
  )
}

/** Not answered for good yet. */
function isOpen(permit: DisruptionPermit): boolean {
  const decision = permit.status?.decision
  return isRequest(permit) && (decision === undefined || decision === 'Queued' || decision === 'Granted')
}

function requesterOf({ spec }: DisruptionPermit): string {
  return typeof spec.requester === 'string' ? spec.requester : ''
}

function orderOf({ metadata }: DisruptionPermit): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.namespace ?? ''}/${metadata.name}`
}

function isSaid(status: DisruptionPermitStatus | undefined, answer: Answer): boolean {
  return (
    status?.decision === answer.decision &&
    status?.reason === answer.reason &&
    status?.until === answer.until &&
    status?.coalescedInto === answer.coalescedInto
  )
}
