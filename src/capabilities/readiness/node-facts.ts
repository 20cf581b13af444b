// What rules ask of a node, read once. Pure; whatever no rule reads is left out, so that equal facts mean equal answers.
import { isDeepStrictEqual } from 'node:util'
import type { Node, Taint } from '#kube/objects/objects.ts'
import { timedOutCondition } from './names.ts'

export type ConditionStatus = 'True' | 'False' | 'Unknown'

export interface NodeFacts {
  readonly name: string
  readonly uid: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly taints: readonly Taint[]
  readonly conditions: ReadonlyMap<string, ConditionStatus>
  /** When a condition last changed, milliseconds since 1970; absent where the node does not say. */
  readonly changedMs: ReadonlyMap<string, number>
  /** The heartbeats of its conditions as they were written; whoever writes none is not in here. */
  readonly beats: ReadonlyMap<string, string>
  /** What the condition says that tells of rules over their time; `undefined`: it was never written. */
  readonly timeoutTold: TimeoutTold | undefined
  /** Milliseconds since 1970. A node without a time is taken to be as old as can be. */
  readonly createdMs: number
  readonly isDeleting: boolean
  /** Names of the images it has, each with all its names. */
  readonly images: readonly (readonly string[])[]
  /** Its own address, IPv6 in brackets; `undefined` where it has none yet. */
  readonly address: string | undefined
}

/** The condition `ballast.dev/ReadinessTimedOut`, without its times. */
export interface TimeoutTold {
  readonly status: ConditionStatus
  readonly reason: string
  readonly message: string
}

/** The facts of a node as it stands in the API. */
export function nodeFacts({ metadata, spec, status }: Node): NodeFacts {
  const conditions = status?.conditions ?? []
  const changed = conditions.flatMap(({ type, lastTransitionTime }): [string, number][] => {
    const ms = Date.parse(lastTransitionTime ?? '')
    return Number.isNaN(ms) ? [] : [[type, ms]]
  })
  const beats = conditions.flatMap((one): [string, string][] =>
    'lastHeartbeatTime' in one && typeof one.lastHeartbeatTime === 'string' ? [[one.type, one.lastHeartbeatTime]] : [],
  )
  const told = conditions.find(({ type }) => type === timedOutCondition)
  const createdMs = Date.parse(metadata.creationTimestamp ?? '')
  const address = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    taints: spec?.taints ?? [],
    conditions: new Map(conditions.map(({ type, status: is }) => [type, is])),
    changedMs: new Map(changed),
    beats: new Map(beats),
    timeoutTold: told === undefined ? undefined : { status: told.status, reason: told.reason ?? '', message: told.message ?? '' },
    createdMs: Number.isNaN(createdMs) ? 0 : createdMs,
    isDeleting: metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null,
    images: (status?.images ?? []).map(({ names = [] }) => names),
    address: address === undefined ? undefined : address.includes(':') ? `[${address}]` : address,
  }
}

/** Whether a change of a node may change an answer: not where only its heartbeats came. */
export function isTelling(before: Node | undefined, after: Node): boolean {
  return before === undefined || !isDeepStrictEqual(withoutBeats(before), withoutBeats(after))
}

function withoutBeats(node: Node): Omit<NodeFacts, 'beats'> {
  const { beats: _, ...facts } = nodeFacts(node)
  return facts
}

/** Taints are told apart by key and effect, as the API server does. */
export function isSameTaint(a: Pick<Taint, 'key' | 'effect'>, b: Pick<Taint, 'key' | 'effect'>): boolean {
  return a.key === b.key && a.effect === b.effect
}

/** Whether the node carries it, whatever its value. */
export function carries(node: Pick<NodeFacts, 'taints'>, taint: Pick<Taint, 'key' | 'effect'>): boolean {
  return node.taints.some(one => isSameTaint(one, taint))
}
