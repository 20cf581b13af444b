// What the node lifecycle concludes from a node's last sign of life: conditions, taints, and how fast pods may be driven away. Pure.
import type { Condition, Node, Taint } from '#kube/objects/objects.ts'
import { conditionOf } from '../workloads/pod-state.ts'

const unreachable = 'node.kubernetes.io/unreachable'
const notReady = 'node.kubernetes.io/not-ready'
const unschedulable = 'node.kubernetes.io/unschedulable'

/** Taints that follow a condition: the status that sets them, by type. */
const conditionTaints: readonly { readonly type: string; readonly status: string; readonly key: string }[] = [
  { type: 'Ready', status: 'False', key: notReady },
  { type: 'Ready', status: 'Unknown', key: unreachable },
  { type: 'MemoryPressure', status: 'True', key: 'node.kubernetes.io/memory-pressure' },
  { type: 'DiskPressure', status: 'True', key: 'node.kubernetes.io/disk-pressure' },
  { type: 'PIDPressure', status: 'True', key: 'node.kubernetes.io/pid-pressure' },
  { type: 'NetworkUnavailable', status: 'True', key: 'node.kubernetes.io/network-unavailable' },
]
const reported = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure']

/** Milliseconds without a sign of life after which a node is not trusted: 50 s, 40 s before 1.32. */
export function gracePeriodMs(minorVersion: number): number {
  return minorVersion >= 32 ? 50_000 : 40_000
}

/** The conditions of a node that has been silent for too long: all it reported are Unknown. */
export function silentConditions(node: Node, nowText: string): readonly Condition[] {
  const before = node.status?.conditions ?? []
  const missing = reported.filter(type => conditionOf(before, type) === undefined)
  const unknown = (condition: Condition): Condition =>
    condition.status === 'Unknown' || !reported.includes(condition.type)
      ? condition
      : {
          ...condition,
          status: 'Unknown',
          reason: 'NodeStatusUnknown',
          message: 'Kubelet stopped posting node status.',
          lastTransitionTime: nowText,
        }
  const never = (type: string): Condition => ({
    type,
    status: 'Unknown',
    reason: 'NodeStatusNeverUpdated',
    message: 'Kubelet never posted node status.',
    lastTransitionTime: nowText,
  })
  return [...before.map(unknown), ...missing.map(never)]
}

/** The NoSchedule taints that follow from conditions and from being cordoned; the same array when they are there already. */
export function withConditionTaints(node: Node, nowText: string): readonly Taint[] {
  const wanted = new Set<string>()
  for (const { type, status, key } of conditionTaints)
    if (conditionOf(node.status?.conditions, type)?.status === status) wanted.add(key)
  if (node.spec?.unschedulable === true) wanted.add(unschedulable)
  const managed = new Set([...conditionTaints.map(taint => taint.key), unschedulable])
  return withTaints(node.spec?.taints ?? [], { effect: 'NoSchedule', wanted, managed, nowText })
}

/** The NoExecute taint for a node that is unreachable or not ready; `mayAdd` false only takes away what no longer holds. */
export function withExecuteTaint(node: Node, nowText: string, mayAdd: boolean): readonly Taint[] {
  const status = conditionOf(node.status?.conditions, 'Ready')?.status
  const key = status === 'Unknown' ? unreachable : status === 'False' ? notReady : undefined
  const before = node.spec?.taints ?? []
  const has = before.some(taint => taint.effect === 'NoExecute' && (taint.key === unreachable || taint.key === notReady))
  const wanted = new Set(key !== undefined && (mayAdd || has) ? [key] : [])
  return withTaints(before, { effect: 'NoExecute', wanted, managed: new Set([unreachable, notReady]), nowText })
}

interface Wanted {
  readonly effect: string
  readonly wanted: ReadonlySet<string>
  /** Keys that are added and removed; all other taints stay. */
  readonly managed: ReadonlySet<string>
  readonly nowText: string
}

function withTaints(before: readonly Taint[], { effect, wanted, managed, nowText }: Wanted): readonly Taint[] {
  const kept = before.filter(taint => taint.effect !== effect || !managed.has(taint.key) || wanted.has(taint.key))
  const missing = [...wanted].filter(key => !before.some(taint => taint.key === key && taint.effect === effect))
  if (kept.length === before.length && missing.length === 0) return before
  return [...kept, ...missing.map(key => ({ key, effect, timeAdded: nowText }))]
}

const normalRate = 0.1
const reducedRate = 0.01
const largeZone = 50
const unhealthyShare = 0.55

export interface ZoneNode {
  readonly zone: string
  readonly isReady: boolean
}

/** Nodes a second that may get a NoExecute taint, by zone: none anywhere when every zone is down; in a zone with 55 % (and more than two) unhealthy 0.01/s, or none up to 50 nodes. */
export function zoneRates(nodes: readonly ZoneNode[]): ReadonlyMap<string, number> {
  const zones = new Map<string, { ready: number; unready: number }>()
  for (const { zone, isReady } of nodes) {
    const counts = zones.get(zone) ?? { ready: 0, unready: 0 }
    if (isReady) counts.ready++
    else counts.unready++
    zones.set(zone, counts)
  }
  const isAllDown = [...zones.values()].every(({ ready, unready }) => ready === 0 && unready > 0)
  return new Map(
    [...zones].map(([zone, { ready, unready }]) => {
      const total = ready + unready
      const isPartial = ready > 0 && unready > 2 && unready / total >= unhealthyShare
      const rate = isAllDown ? 0 : isPartial ? (total > largeZone ? reducedRate : 0) : normalRate
      return [zone, rate]
    }),
  )
}

export function zoneOf(node: Node): string {
  const labels = node.metadata.labels ?? {}
  return `${labels['topology.kubernetes.io/region'] ?? ''}:${labels['topology.kubernetes.io/zone'] ?? ''}`
}
