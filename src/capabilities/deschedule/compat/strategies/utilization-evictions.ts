// What LowNodeUtilization and HighNodeUtilization share: pods leave the source nodes while the destinations have room. Kept as upstream has
// it: room is a sum over all destinations, not of one of them; sources are ordered by a sum of millicores and bytes, so that memory
// decides; excluded namespaces count as usage; `pods` goes down by one an eviction.
import type { PodState } from '#cluster/cluster-state.ts'
import type { Taint } from '#kube/objects/objects.ts'
import type { EvictionAnswer, EvictionWish, StrategyView } from '../contract.ts'
import { type Breath, breath, type Pace } from '../pace.ts'
import type { Thresholds } from '../policy/args.ts'
import { capOf, type NodeFigures } from './node-classes.ts'
import { byPriority, compare } from './pod-order.ts'
import { toleratesSome } from './tolerance.ts'
import type { Amounts, Usage } from './usage.ts'
import { Wishing } from './wishing.ts'

interface Relief {
  readonly strategy: string
  readonly usage: Usage
  /** In the order in which they are relieved. */
  readonly sources: readonly NodeFigures[]
  readonly destinations: readonly NodeFigures[]
  /** What destinations may be filled to. */
  readonly high: Thresholds
  readonly excludedNamespaces: readonly string[]
  /** Most evictions from each source; absent: no limit. */
  readonly nodeEvictionLimit?: number
  isRemovable(pod: PodState): boolean
  /** Whether a source is to lose more pods, the room apart. */
  isToGoOn(source: NodeFigures): boolean
}

type Wishes = Generator<EvictionWish | Breath, 'done' | 'node-limit' | 'total-limit', EvictionAnswer>

/** Evicts from the sources in turn. */
export function* relieve(relief: Relief, view: StrategyView): Generator<EvictionWish | Breath, void, EvictionAnswer> {
  const wishing = new Wishing(view, relief.strategy)
  const room = roomIn(relief)
  const taints = taintsOf(relief.destinations)
  view.tell(1, 'total capacity to be moved', { strategy: relief.strategy, ...textOf(room) })
  for (const source of relief.sources) {
    const pods = view.activePods(source.node.name)
    const removable = yield* wishing.picked(
      pods,
      pod => wishing.passesFilter(pod) && (relief.isRemovable(pod) || wishing.stays(pod, 'it asks for none of the resources')),
    )
    view.tell(2, 'pods on node', {
      node: source.node.name,
      allPods: pods.length,
      nonRemovablePods: pods.length - removable.length,
      removablePods: removable.length,
    })
    if ((yield* relieveNode(relief, { source, removable, room, taints, pace: view.pace }, wishing)) === 'total-limit') return
  }
}

interface SourceNode {
  readonly source: NodeFigures
  readonly removable: readonly PodState[]
  /** Shared by all sources. */
  readonly room: Map<string, bigint>
  /** Taints of all destinations. */
  readonly taints: readonly (readonly Taint[])[]
  readonly pace: Pace
}

function* relieveNode(relief: Relief, { source, removable, room, taints, pace }: SourceNode, wishing: Wishing): Wishes {
  const goesOn = () => relief.isToGoOn(source) && hasRoom(room)
  const excluded = new Set(relief.excludedNamespaces)
  const { nodeEvictionLimit: limit } = relief
  let evicted = 0
  const left = byPriority(removable)
  let at = 0
  for (; at < left.length && goesOn(); at++) {
    const pod = left[at]
    if (pace.isDue()) yield breath
    if (pod === undefined || (limit !== undefined && evicted >= limit)) break
    const used = usageToMove(pod, relief.usage, { taints, excluded }, wishing)
    if (used === undefined) continue
    const ending = yield* wishing.wish(pod)
    if (ending === 'node-limit' || ending === 'total-limit') return ending
    if (ending !== 'evicted') continue
    evicted++
    if (used !== 'unmeasured') subtract(used, [source.usage, room])
    else if (limit === undefined) {
      at++
      break
    }
  }
  for (const pod of left.slice(at)) wishing.stays(pod, 'enough pods of its node have gone, or there is no room for more')
  return 'done'
}

/** What would move with a pod; `undefined` where it stays. */
function usageToMove(
  pod: PodState,
  usage: Usage,
  { taints, excluded }: { readonly taints: readonly (readonly Taint[])[]; readonly excluded: ReadonlySet<string> },
  wishing: Wishing,
): Amounts | 'unmeasured' | undefined {
  const stays = (reason: string) => {
    wishing.stays(pod, reason)
    return undefined
  }
  if (!toleratesSome(pod, taints)) return stays("it doesn't tolerate the taints of any destination")
  if (excluded.has(pod.namespace)) return stays('its namespace is excluded')
  if (!wishing.passesPreEviction(pod)) return undefined
  const used = usage.pod(pod)
  if (used.kind === 'unknown') return stays(`unable to get pod usage: ${used.reason}`)
  return used.kind === 'unmeasured' ? 'unmeasured' : used.amounts
}

/** Each list once. */
function taintsOf(destinations: readonly NodeFigures[]): readonly (readonly Taint[])[] {
  const lists = destinations.map(({ node }) => node.object.spec?.taints ?? [])
  return [...new Map(lists.map(taints => [JSON.stringify(taints), taints])).values()]
}

/** What all destinations together may still take; negative where they have too much already. */
function roomIn({ destinations, high, usage }: Relief): Map<string, bigint> {
  const room = new Map(usage.resources.map(name => [name, 0n]))
  for (const figures of destinations)
    for (const [name, cap] of capOf(figures, high, usage.resources))
      room.set(name, (room.get(name) ?? 0n) + cap - (figures.usage.get(name) ?? 0n))
  return room
}

/** Something of every resource is left. */
function hasRoom(room: Amounts): boolean {
  for (const amount of room.values()) if (amount <= 0n) return false
  return true
}

function subtract(used: Amounts, from: readonly Map<string, bigint>[]): void {
  for (const amounts of from)
    for (const [name, amount] of amounts) amounts.set(name, amount - (name === 'pods' ? 1n : (used.get(name) ?? 0n)))
}

/** Sorted by the sum of millicores and whole units of everything else; ties by name. */
export function byRawSum(figures: readonly NodeFigures[]): readonly NodeFigures[] {
  return figures
    .map(one => ({ one, sum: rawSum(one) }))
    .sort((a, b) => compare(a.sum, b.sum) || compare(a.one.node.name, b.one.node.name))
    .map(({ one }) => one)
}

function rawSum({ usage }: NodeFigures): bigint {
  let sum = 0n
  for (const amount of usage.values()) sum += amount
  return sum
}

/** Thresholds as fields of a log line: `cpu="20.00%"`. */
export function percentTexts(thresholds: Thresholds): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from(thresholds, ([name, percent]) => [name, `${percent.toFixed(2)}%`]))
}

/** Amounts as fields of a log line. */
export function textOf(amounts: ReadonlyMap<string, bigint | number>): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from(amounts, ([name, amount]) => [name, String(amount)]))
}
