// One Event as an object of either group: events.k8s.io/v1, or the core group's for drop-ins whose upstream writes those.
import type { KubeObject, ObjectReference } from '../objects/objects.ts'
import type { GroupVersionResource } from '../objects/resource.ts'
import { formatMicroTime, formatTime } from '../time/time.ts'

export interface EmittedEvent {
  readonly type: 'Normal' | 'Warning'
  /** UpperCamelCase, why: `DisruptionDenied`. */
  readonly reason: string
  /** UpperCamelCase, what was done: `Evict`. */
  readonly action: string
  readonly regarding: ObjectReference
  readonly related?: ObjectReference
  readonly note: string
  /** `ballast.dev/<capability>`; the recorder's own where it is left out. */
  readonly controller?: string
  /**
   * Written as an Event of the core group with this as its source, as controllers did before events.k8s.io: for drop-ins whose users look
   * for that source, and whose rights are those of their upstream.
   */
  readonly component?: string
  /** Data beside the note, for programs: of the first event of a series. */
  readonly annotations?: Readonly<Record<string, string>>
  /** Tells events apart that are alike in all but their note, where the note's difference matters: by which rule, say. */
  readonly distinction?: string
}

export const coreEvents: GroupVersionResource = { group: '', version: 'v1', resource: 'events' }

const noteLimitBytes = 1024
const wordLimit = 128

interface Occurrence {
  /** The Event's own. */
  readonly name: string
  readonly namespace: string
  readonly nowMs: number
  /** Controller that the recorder writes for. */
  readonly controller: string
  readonly instance: string
}

/** The object of an event that happened once, now. */
export function eventObject(event: EmittedEvent, occurrence: Occurrence): KubeObject {
  const { name, namespace } = occurrence
  const metadata = {
    name,
    namespace,
    ...(event.annotations === undefined ? {} : { annotations: { ...event.annotations } }),
  }
  const reason = event.reason.slice(0, wordLimit)
  return event.component === undefined
    ? newObject(event, occurrence, { metadata, reason })
    : coreObject(event, event.component, occurrence, { metadata, reason })
}

interface Shared {
  readonly metadata: KubeObject['metadata']
  readonly reason: string
}

function newObject(event: EmittedEvent, occurrence: Occurrence, shared: Shared): KubeObject {
  const { nowMs, controller, instance } = occurrence
  const object = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    ...shared,
    eventTime: formatMicroTime(nowMs),
    reportingController: event.controller ?? controller,
    reportingInstance: instance.slice(0, wordLimit),
    action: event.action.slice(0, wordLimit),
    type: event.type,
    note: cutNote(event.note),
    regarding: onlyReference(event.regarding),
    ...(event.related === undefined ? {} : { related: onlyReference(event.related) }),
  }
  return object
}

/** As client-go's older recorder fills it in. */
function coreObject(event: EmittedEvent, component: string, { nowMs }: Occurrence, shared: Shared): KubeObject {
  const time = formatTime(nowMs)
  const object = {
    apiVersion: 'v1',
    kind: 'Event',
    ...shared,
    involvedObject: onlyReference(event.regarding),
    message: cutNote(event.note),
    source: { component },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    type: event.type,
    reportingComponent: component,
    reportingInstance: '',
  }
  return object
}

/** What is written of an event once it happened again. */
export function seriesPart(event: EmittedEvent, seen: { readonly count: number; readonly lastMs: number }): object {
  const { count, lastMs } = seen
  return event.component === undefined
    ? { series: { count, lastObservedTime: formatMicroTime(lastMs) } }
    : { count, lastTimestamp: formatTime(lastMs) }
}

/** Servers refuse what an ObjectReference does not have. */
function onlyReference(reference: ObjectReference): ObjectReference {
  const { apiVersion, kind, namespace, name, uid } = reference
  return { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }), name, ...(uid === undefined ? {} : { uid }) }
}

/** At most 1,024 bytes, cut at a character's boundary. */
function cutNote(note: string): string {
  if (Buffer.byteLength(note) <= noteLimitBytes) return note
  const mark = '…'
  let bytes = Buffer.byteLength(mark)
  let kept = ''
  for (const character of note) {
    bytes += Buffer.byteLength(character)
    if (bytes > noteLimitBytes) break
    kept += character
  }
  return kept + mark
}
