// Events of the last hour, read once after a take-over: what they tell about pods that are gone and sizes that were changed.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject, OwnerReference, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden } from '#kube/objects/status.ts'
import { isOutside, OutsideError } from '#kube/outside-error.ts'
import type { Permission } from '../needs.ts'
import { deletedPodIn, isCalledOff, isCombined, kubeletWords, sizedSetIn } from './event-texts.ts'
import { recordOf, timeMs } from './object-fields.ts'
import type { LossCause, PodLoss } from './pod-losses.ts'
import { reactionMs, toleranceMs } from './reaction-times.ts'
import { somebody } from './writers.ts'

/** The right that `pastEvents` takes. */
export const pastEventsPermission: Permission = {
  groups: ['events.k8s.io'],
  resources: ['events'],
  verbs: ['list'],
  because: 'learns after a take-over what others disrupted before it',
}

export interface PastEvent {
  readonly reason: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly note: string
  readonly reporter: string
  readonly host: string
  /** When it happened first; of what happened once, or says nothing of it, when it happened last. */
  readonly sinceMs: number
  /** When it happened last. */
  readonly atMs: number
}

/** An hour is how long API servers keep Events by default. */
const lookBackMs = 3_600_000
const pageSize = 500
/** Read at most; the rest tells of the same hour. */
const mostEvents = 20_000
/** How long a page may take. */
const pageTimeoutMs = 10_000
/** How long they are asked for in all: nothing can be granted before they are read, and they only add to what the cluster shows. */
const patienceMs = 30_000

interface Asked {
  readonly nowMs: number
  readonly clock: Clock
  readonly log: Log
  /** Only these namespaces; absent or empty: the whole cluster. */
  readonly namespaces?: readonly string[] | undefined
  readonly signal: AbortSignal
}

/**
 * Events of the last hour that say something of disruptions. Where they may not be read, or not within half a minute, the list is empty,
 * and that is logged. @throws `signal.reason`
 */
export async function pastEvents(api: Api, { nowMs, clock, log, namespaces = [], signal }: Asked): Promise<readonly PastEvent[]> {
  const late = new AbortController()
  const cancel = clock.schedule(patienceMs, () => late.abort(new OutsideError(`no answer within ${patienceMs / 1_000} s`)))
  const limited = AbortSignal.any([signal, late.signal])
  try {
    return await untilDone(
      () => readEvents(api, { nowMs, clock, log, namespaces, signal: limited }),
      { clock, log, what: 'Events of the last hour are read' },
      limited,
    )
  } catch (error) {
    signal.throwIfAborted()
    if (!isOutside(error)) throw error
    log.warn({ why: messageOf(error) }, lessKnown)
    return []
  } finally {
    cancel()
  }
}

const lessKnown = 'events cannot be read: disruptions before the take-over are known less well'

async function readEvents(api: Api, { nowMs, log, namespaces = [], signal }: Asked): Promise<readonly PastEvent[]> {
  const found: PastEvent[] = []
  let read = 0
  // Where our clock is ahead the server's last word tells what an hour ago is.
  let newestMs = 0
  const ofPage = { limit: pageSize, timeoutMs: pageTimeoutMs, signal }
  try {
    for (const namespace of namespaces.length === 0 ? [undefined] : namespaces) {
      for await (const page of api.resource<KubeObject>(builtIn.events).pages({ namespace, ...ofPage })) {
        for (const event of page.items) {
          const past = pastEvent(event)
          if (past !== undefined) found.push(past)
          newestMs = Math.max(newestMs, timeMs(event.metadata.creationTimestamp) ?? 0)
        }
        read += page.items.length
        if (read >= mostEvents) break
      }
      if (read >= mostEvents) break
    }
  } catch (error) {
    // A refusal of rights is an answer: it is not asked again.
    if (!isForbidden(error)) throw error
    log.warn({ why: messageOf(error) }, lessKnown)
  }
  const sinceMs = Math.min(nowMs, newestMs) - lookBackMs
  return found.filter(({ atMs }) => atMs >= sinceMs)
}

/** What an Event says, of those kinds that are read; `undefined` for all others. */
export function pastEvent(event: KubeObject): PastEvent | undefined {
  const regarding = recordOf(event['regarding'])
  const series = recordOf(event['series'])
  const source = recordOf(event['deprecatedSource'])
  const reason = textOf(event['reason'])
  const atMs =
    timeMs(series['lastObservedTime']) ??
    timeMs(event['deprecatedLastTimestamp']) ??
    timeMs(event['eventTime']) ??
    timeMs(event.metadata.creationTimestamp)
  const reporter = textOf(event['reportingController']) || textOf(source['component'])
  if (atMs === undefined || refusals.has(reason)) return undefined
  if (!(Object.hasOwn(lossReasons, reason) || sizeReasons.has(reason) || evictors.has(reporter))) return undefined
  const sinceMs = timeMs(event['deprecatedFirstTimestamp']) ?? timeMs(event['eventTime']) ?? atMs
  return {
    reason,
    kind: textOf(regarding['kind']),
    namespace: textOf(regarding['namespace']),
    name: textOf(regarding['name']),
    uid: textOf(regarding['uid']),
    note: textOf(event['note']),
    reporter,
    host: textOf(source['host']) || textOf(event['reportingInstance']),
    sinceMs: Math.min(sinceMs, atMs),
    atMs,
  }
}

/** What controllers say when they change the size of something themselves. */
const sizeReasons: ReadonlySet<string> = new Set(['ScalingReplicaSet', 'SuccessfulDelete'])

const lossReasons: Readonly<Record<string, { readonly cause: LossCause; readonly by: string }>> = {
  Evicted: { cause: 'kubelet', by: 'kubelet' },
  Preempted: { cause: 'preempted', by: 'kube-scheduler (preemption)' },
  TaintManagerEviction: { cause: 'tainted', by: 'taint-eviction-controller' },
  EvictedByVPA: { cause: 'evicted', by: 'VerticalPodAutoscaler' },
  Preempting: { cause: 'kubelet', by: 'kubelet' },
  Killing: { cause: 'deleted', by: somebody },
}

/** Reasons that are written of pods which stay. */
const refusals: ReadonlySet<string> = new Set(['EvictionFailed'])

/** Controllers that say nothing of a pod but that they evicted it. */
const evictors: ReadonlySet<string> = new Set(['sigs.k8s.io/descheduler'])

/** The pods that Events say were ended. Of a pod that is gone its controller is found by its name, among `controllers`. */
export function lossesIn(
  events: readonly PastEvent[],
  cluster: {
    /** The pod of this UID, where it is still there. */
    pod(uid: string): Pod | undefined
    /** A controller of pods by kind. */
    object(kind: string, namespace: string, name: string): KubeObject | undefined
  },
): readonly PodLoss[] {
  const byUid = new Map<string, PodLoss>()
  const wishes = wishesIn(events)
  for (const event of events) {
    if (event.kind !== 'Pod' || event.uid === '' || wishes.hasNamed(event)) continue
    const loss = lossIn(event, cluster)
    if (loss === undefined || wishes.mayBe(loss)) continue
    // Evicted, Preempted and their like say more than the Killing that follows.
    const known = byUid.get(event.uid)
    if (known === undefined || known.cause === 'deleted') byUid.set(event.uid, taintedAt(event, loss, events))
  }
  return [...byUid.values()]
}

interface Wishes {
  /** Whether its own controller says that it deleted the pod. */
  hasNamed(pod: PastEvent): boolean
  /** Whether a deletion that says nothing falls among those of which their controller named only the last. */
  mayBe(loss: PodLoss): boolean
}

function wishesIn(events: readonly PastEvent[]): Wishes {
  const deletions = events.filter(({ reason }) => reason === 'SuccessfulDelete')
  const unnamed = deletions.filter(({ note }) => isCombined(note))
  const named = Map.groupBy(deletions, ({ namespace, note }) => `${namespace}/${deletedPodIn(note) ?? ''}`)
  return {
    // The pods of a StatefulSet follow each other under one name: of these the time tells which was meant.
    hasNamed: pod =>
      named.get(`${pod.namespace}/${pod.name}`)?.some(wish => wish.kind !== 'StatefulSet' || isWithin(wish, pod.atMs)) === true,
    mayBe: ({ pod, cause, atMs }) =>
      cause === 'deleted' && unnamed.some(one => one.uid === pod.metadata.ownerReferences?.[0]?.uid && isWithin(one, atMs)),
  }
}

/** Whether a kubelet that stopped a pod at `ms` may have done so for what `event` tells. */
function isWithin({ sinceMs, atMs }: PastEvent, ms: number): boolean {
  return ms >= sinceMs - toleranceMs && ms <= atMs + reactionMs
}

/** The taint manager names the pod in its Event without a UID: it took the pod of that name which was stopped right after. */
function taintedAt(event: PastEvent, loss: PodLoss, events: readonly PastEvent[]): PodLoss {
  if (loss.cause !== 'deleted') return loss
  const taken = events.find(
    one =>
      one.reason === 'TaintManagerEviction' &&
      one.namespace === event.namespace &&
      one.name === event.name &&
      !isCalledOff(one.note) &&
      isWithin(one, event.atMs),
  )
  const { cause, by } = lossReasons['TaintManagerEviction'] ?? loss
  return taken === undefined ? loss : { ...loss, cause, by, evidence: evidenceOf(taken) }
}

function evidenceOf({ reason, namespace, name, note }: PastEvent): string {
  return `Event ${reason} of pod ${namespace}/${name}: ${note}`
}

function lossIn(event: PastEvent, cluster: Parameters<typeof lossesIn>[1]): PodLoss | undefined {
  // A pod that stands lost a container, not itself; one that is leaving tells by itself.
  if (cluster.pod(event.uid) !== undefined || isCalledOff(event.note)) return undefined
  const { cause, by } = evictors.has(event.reporter)
    ? { cause: 'evicted' as const, by: event.reporter.replace(/^.*\//, '') }
    : (lossReasons[event.reason] ?? { cause: 'deleted' as const, by: somebody })
  const owner = ownerByName(event, cluster)
  if (owner === undefined) return undefined
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: event.name, namespace: event.namespace, uid: event.uid, ownerReferences: [owner] },
    spec: { containers: [], nodeName: event.host },
  }
  const words = by === 'kubelet' ? kubeletWords(event.note) : by
  return { pod, cause, atMs: event.atMs, serverMs: event.atMs, by: words, evidence: evidenceOf(event) }
}

/** ReplicaSet pods are named `<set>-<5 letters>`, StatefulSet pods `<set>-<ordinal>`. */
function ownerByName(event: PastEvent, cluster: Parameters<typeof lossesIn>[1]): OwnerReference | undefined {
  const { namespace, name } = event
  const cut = name.lastIndexOf('-')
  if (cut <= 0) return undefined
  const kinds = /^\d+$/.test(name.slice(cut + 1)) ? ['StatefulSet', 'ReplicaSet'] : ['ReplicaSet']
  for (const kind of kinds) {
    const owner = cluster.object(kind, namespace, name.slice(0, cut))
    if (owner === undefined) continue
    const { apiVersion, metadata } = owner
    return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true }
  }
  return undefined
}

interface PastScale {
  readonly from: number
  readonly to: number
  readonly atMs: number
}

/** `Scaled up replica set cart-7c9f from 0 to 2` of a Deployment, oldest first. */
export function scalesIn(events: readonly PastEvent[], deploymentUid: string): readonly (PastScale & { readonly set: string })[] {
  return events
    .flatMap(event => {
      if (event.reason !== 'ScalingReplicaSet' || event.uid !== deploymentUid) return []
      const sized = sizedSetIn(event.note)
      return sized === undefined ? [] : [{ ...sized, atMs: event.atMs }]
    })
    .toSorted((a, b) => a.atMs - b.atMs)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
