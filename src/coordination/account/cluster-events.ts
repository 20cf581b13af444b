// Events of a cluster, of events.k8s.io/v1 and of v1, in one form. What is missing reads as empty; nothing here throws.
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseTime } from '#kube/time/time.ts'
import { readToldVerdict, type ToldVerdict, verdictAnnotation } from './told-verdict.ts'

export interface ClusterEvent {
  readonly atMs: number
  /** Time of the last of a series; `atMs` where there was one. */
  readonly lastMs: number
  readonly count: number
  readonly reason: string
  readonly note: string
  /** The reporting controller: `ballast.dev/deschedule`, `kubelet`. */
  readonly controller: string
  readonly regarding: {
    readonly kind: string
    readonly namespace: string | undefined
    readonly name: string
    readonly uid: string
  }
  /** Verdict of our refusals. */
  readonly verdict: ToldVerdict | undefined
}

/** Every event among `objects` that says when it was and whom it concerns, oldest first. */
export function clusterEvents(objects: Iterable<KubeObject>): readonly ClusterEvent[] {
  const events: ClusterEvent[] = []
  for (const object of objects) {
    if (object.kind !== 'Event') continue
    const event = eventOf(inNewForm(object))
    if (event !== undefined) events.push(event)
  }
  return events.toSorted((a, b) => a.atMs - b.atMs)
}

/** An Event of `v1` with the field names of `events.k8s.io/v1`; one of those as it is. */
export function inNewForm(object: KubeObject): KubeObject {
  if (object['involvedObject'] === undefined) return object
  return {
    ...object,
    regarding: object['involvedObject'],
    note: object['message'],
    reportingController: object['reportingComponent'],
    deprecatedSource: object['source'],
    deprecatedFirstTimestamp: object['firstTimestamp'],
    deprecatedLastTimestamp: object['lastTimestamp'],
    deprecatedCount: object['count'],
  }
}

function eventOf(object: KubeObject): ClusterEvent | undefined {
  const regarding = fields(object['regarding'])
  const kind = text(regarding['kind'])
  const name = text(regarding['name'])
  const atMs = firstTime(object['eventTime'], object['deprecatedFirstTimestamp'], object.metadata.creationTimestamp)
  if (kind === '' || name === '' || atMs === undefined) return undefined
  const series = fields(object['series'])
  const lastMs = firstTime(series['lastObservedTime'], object['deprecatedLastTimestamp'])
  const count = [series['count'], object['deprecatedCount']].find(value => typeof value === 'number')
  return {
    atMs,
    lastMs: Math.max(atMs, lastMs ?? atMs),
    count: typeof count === 'number' && count > 0 ? count : 1,
    reason: text(object['reason']),
    note: text(object['note']),
    controller: text(object['reportingController']) || text(fields(object['deprecatedSource'])['component']),
    regarding: { kind, name, namespace: text(regarding['namespace']) || undefined, uid: text(regarding['uid']) },
    verdict: readToldVerdict(object.metadata.annotations?.[verdictAnnotation]),
  }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function firstTime(...values: readonly unknown[]): number | undefined {
  for (const value of values) {
    const parsed = typeof value === 'string' ? parseTime(value) : undefined
    if (parsed?.ok === true) return parsed.value
  }
  return undefined
}
