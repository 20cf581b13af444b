// Events as lines of an account: our own words on what was refused or left out, and what others did to the same object.
import type { ClusterEvent } from './cluster-events.ts'
import type { Entry } from './entry.ts'

/** Reasons of others that mean that something was taken away or held up: `done` took it, `told` says what stands in the way. */
const otherReasons: Readonly<Record<string, 'done' | 'told'>> = {
  Killing: 'done',
  Evicted: 'done',
  Preempted: 'done',
  TaintManagerEviction: 'done',
  ScalingReplicaSet: 'done',
  SuccessfulDelete: 'done',
  SuccessfulRescale: 'done',
  KEDAScaleTargetActivated: 'done',
  KEDAScaleTargetDeactivated: 'done',
  OOMKilling: 'done',
  SystemOOM: 'done',
  EvictionByEvictionAPI: 'done',
  DeletionByTaintManager: 'done',
  NodeNotReady: 'told',
  NodeReady: 'told',
  NodeNotSchedulable: 'done',
  NodeSchedulable: 'done',
  Rebooted: 'done',
  FailedScheduling: 'told',
  FailedCreate: 'told',
  FailedMount: 'told',
  BackOff: 'told',
  Unhealthy: 'told',
}

const ourPrefix = 'ballast.dev/'

/** Whether a component of ours wrote it. */
export function isOurs(event: ClusterEvent): boolean {
  return event.controller.startsWith(ourPrefix)
}

/** Whether it belongs in an account: everything of ours, and of others what takes away or stands in the way. */
export function isWorthTelling(event: ClusterEvent): boolean {
  return isOurs(event) || otherReasons[event.reason] !== undefined
}

/** One line an event; those alike that came within a second are one. */
export function eventEntries(events: readonly ClusterEvent[]): readonly Entry[] {
  const groups = Map.groupBy(events, event =>
    JSON.stringify([
      event.controller,
      event.reason,
      event.regarding.kind,
      event.regarding.name,
      event.verdict?.key,
      Math.floor(event.atMs / 1000),
    ]),
  )
  return [...groups.values()].flatMap(group => {
    const [first, ...more] = group
    if (first === undefined) return []
    return isOurs(first) ? [ourEntry(first)] : [otherEntry(first, more)]
  })
}

function ourEntry(event: ClusterEvent): Entry {
  const { verdict } = event
  const who = event.controller.slice(ourPrefix.length)
  if (verdict === undefined)
    return {
      atMs: event.atMs,
      who,
      what: `${event.reason} ${shown(event)}`,
      decision: undefined,
      outcome: event.reason === 'RebalanceSkipped' ? 'not-done' : 'told',
      sentence: timesOver(event, withoutReason(event.note)),
      because: [],
      reason: /\[(\w+)\]$/.exec(event.note)?.[1] ?? event.reason,
    }
  return {
    atMs: event.atMs,
    who: verdict.requester,
    what: `${verdict.verb} ${verdict.target}`,
    decision: verdict.decision,
    outcome: verdict.decision === 'Denied' ? 'not-done' : 'waits',
    sentence: timesOver(event, withoutReason(event.note)),
    because: [],
    rule: verdict.rule,
    reason: verdict.reason,
    wayOut: verdict.wayOut,
    data: {
      class: verdict.class,
      verb: verdict.verb,
      purpose: verdict.purpose,
      ...(verdict.until === undefined ? {} : { until: verdict.until }),
      ...verdict.data,
    },
  }
}

function otherEntry(event: ClusterEvent, more: readonly ClusterEvent[]): Entry {
  const isDone = otherReasons[event.reason] === 'done'
  const notes = [...new Set([event, ...more].map(({ note }) => note))]
  return {
    atMs: event.atMs,
    who: event.controller === '' ? 'somebody' : event.controller,
    what: `${event.reason} ${shown(event)}`,
    decision: isDone ? 'Observed' : undefined,
    outcome: isDone ? 'done' : 'told',
    sentence: timesOver(event, notes.join('; ')),
    because: [],
    reason: event.reason,
  }
}

function shown({ regarding }: ClusterEvent): string {
  return `${regarding.kind} ${regarding.namespace === undefined || regarding.kind === 'Node' ? '' : `${regarding.namespace}/`}${regarding.name}`
}

/** Notes of ours end with the reason in brackets, which has a field of its own here. */
function withoutReason(note: string): string {
  return note.replace(/ \[\w+\]$/, '')
}

function timesOver(event: ClusterEvent, note: string): string {
  return event.count > 1 ? `${note} (${event.count} times)` : note
}
