// The fewest moves that meet all goals, by trying everything: for clusters so small that this ends. Rules are looked up in the plainest way.

import type { ClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Plan } from '../plan-record.ts'
import type { FleetGoal, PlanPolicy } from '../goals/policy.ts'
import { objections } from '../verifier/fit-checks.ts'
import { World } from '../verifier/world.ts'

/**
 * The number of moves of the shortest sequence after which all goals hold with their margins, `undefined` where there is none.
 * Each pod moves once at most, each step has room and breaks no rule, and no node that received anything ends above the headroom.
 */
export function fewestMoves(objects: readonly KubeObject[], state: ClusterState, policy: PlanPolicy, plan: Plan): number | undefined {
  for (const { moved, origin } of reachable(objects, state, plan)) if (isGood(objects, policy, moved, origin)) return moved.size
  return undefined
}

/** The least figure that any sequence of moves reaches, other goals aside, and by how many moves at least. */
export function leastFigure(objects: readonly KubeObject[], state: ClusterState, { policy, plan, figure }: { readonly policy: PlanPolicy; readonly plan: Plan; readonly figure: (world: World) => number }): { readonly value: number; readonly moves: number } {
  let [value, moves] = [Infinity, 0]
  for (const { moved, origin } of reachable(objects, state, plan)) {
    if (!isGood(objects, { ...policy, goals: [], fleetGoals: [] }, moved, origin)) continue
    const found = figure(worldAfter(objects, moved))
    if (found < value - 1e-9) [value, moves] = [found, moved.size]
  }
  return { value, moves }
}

/** Where pods can be brought one after the other, each once, in order of the number of moves. */
function* reachable(objects: readonly KubeObject[], state: ClusterState, plan: Plan): Generator<{ readonly moved: ReadonlyMap<string, string>; readonly origin: ReadonlyMap<string, string> }> {
  const fixed = new Set(plan.unmovable.filter(each => each.code !== 'NoSafeOrder' && each.code !== 'LandsElsewhere').map(each => `${each.pod.namespace}/${each.pod.name}`))
  const movable = [...state.pods.values()].filter(pod => !fixed.has(pod.key)).map(pod => pod.key)
  const nodes = [...state.nodes.keys()]
  const origin = new Map(movable.map(key => [key, state.pods.get(key)?.nodeName ?? '']))
  let frontier = new Map([['', new Map<string, string>()]])
  for (let moves = 0; moves <= movable.length; moves++) {
    for (const moved of frontier.values()) yield { moved, origin }
    const next = new Map<string, Map<string, string>>()
    for (const moved of frontier.values()) {
      for (const key of movable) {
        if (moved.has(key)) continue
        for (const to of nodes) {
          if (to === origin.get(key) || !canStep(objects, moved, key, to)) continue
          const after = new Map(moved).set(key, to)
          next.set(JSON.stringify([...after].sort()), after)
        }
      }
    }
    frontier = next
  }
}

function worldAfter(objects: readonly KubeObject[], moved: ReadonlyMap<string, string>): World {
  const world = new World(objects)
  for (const [key, to] of moved) {
    const from = world.nodeOf(key)
    const pod = from?.pods.get(key)
    if (from === undefined || pod === undefined) throw new Error(`no pod ${key}`)
    from.pods.delete(key)
    world.nodes.get(to)?.pods.set(key, pod)
  }
  return world
}

function canStep(objects: readonly KubeObject[], moved: ReadonlyMap<string, string>, key: string, to: string): boolean {
  const world = worldAfter(objects, moved)
  const from = world.nodeOf(key)
  const pod = from?.pods.get(key)
  const target = world.nodes.get(to)
  if (from === undefined || pod === undefined || target === undefined) return false
  from.pods.delete(key)
  const used = world.used(target)
  const hasRoom = Object.entries({ ...pod.requests, pods: 1 }).every(([resource, amount]) => amount === 0 || (used[resource] ?? 0) + amount <= (target.allocatable[resource] ?? 0))
  return hasRoom && objections(world, pod, target).length === 0
}

/** In the plainest way, and with the margin; a loss is survived where its pods fit anywhere at all, in some order. */
function holds({ measure, sets, resource, max = Infinity, min = -Infinity, margin, rates = [] }: FleetGoal, world: World): boolean {
  if (measure === 'watts' || measure === 'cost') return takenBy(rates, world) <= max + 1e-9
  const amounts = (names: readonly string[]) => {
    const nodes = names.flatMap(name => world.nodes.get(name) ?? [])
    const used = nodes.reduce((sum, node) => sum + (world.used(node)[resource] ?? 0), 0)
    return (100 * used) / nodes.reduce((sum, node) => sum + (node.allocatable[resource] ?? 0), 0)
  }
  return sets.every(({ members }) => {
    const shares = members.map(({ nodes }) => amounts(nodes))
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
    const distance = shares.reduce((sum, share) => sum + Math.abs(share - mean), 0) / shares.length
    if (measure === 'share') return shares.every(share => share < max - margin && share > min + margin)
    if (measure === 'spread') return Math.max(...shares) - Math.min(...shares) <= Math.max(0, max - margin) + 1e-9
    if (measure === 'deviation') return distance <= Math.max(0, max - margin) + 1e-9
    return members.every(({ nodes }) => isSurvived(world, nodes))
  })
}

/** What nodes take together: of a node without pods but those of DaemonSets only what it takes unused. */
export function takenBy(rates: NonNullable<FleetGoal['rates']>, world: World): number {
  return rates.reduce((sum, { node: name, unused, idle, full }) => {
    const node = world.nodes.get(name)
    if (node === undefined) return Number.NaN
    const isUsed = [...node.pods.values()].some(({ object }) => object.metadata.ownerReferences?.[0]?.kind !== 'DaemonSet')
    const share = (world.used(node)['cpu'] ?? 0) / (node.allocatable['cpu'] ?? 1)
    return sum + (isUsed ? idle + (full - idle) * share : unused)
  }, 0)
}

/** Whether the pods of `lost` that are made again fit on what is left, tried in every way. */
export function isSurvived(world: World, lost: readonly string[]): boolean {
  const displaced = lost.flatMap(name => [...(world.nodes.get(name)?.pods.values() ?? [])]).filter(({ object }) => !['DaemonSet', undefined].includes(object.metadata.ownerReferences?.[0]?.kind))
  const left = [...world.nodes.values()].filter(node => !lost.includes(node.name))
  const free = new Map(left.map(node => [node.name, Object.fromEntries(Object.entries(node.allocatable).map(([resource, amount]) => [resource, amount - (world.used(node)[resource] ?? 0)]))]))
  const place = (at: number): boolean => {
    const pod = displaced[at]
    if (pod === undefined) return true
    const needed = Object.entries({ ...pod.requests, pods: 1 })
    return left.some(node => {
      const room = free.get(node.name) ?? {}
      if (needed.some(([resource, amount]) => amount > (room[resource] ?? 0)) || objections(world, pod, node).some(({ rule }) => rule !== 'PodTopologySpread')) return false
      for (const [resource, amount] of needed) room[resource] = (room[resource] ?? 0) - amount
      const isPlaced = place(at + 1)
      for (const [resource, amount] of needed) room[resource] = (room[resource] ?? 0) + amount
      return isPlaced
    })
  }
  return place(0)
}

function isGood(objects: readonly KubeObject[], policy: PlanPolicy, moved: ReadonlyMap<string, string>, origin: ReadonlyMap<string, string>): boolean {
  const before = worldAfter(objects, new Map())
  const world = worldAfter(objects, moved)
  const goals = policy.goals.every(goal =>
    goal.nodes.every(name => {
      const node = world.nodes.get(name)
      if (node === undefined) return false
      const percent = ((world.used(node)[goal.resource] ?? 0) * 100) / (node.allocatable[goal.resource] ?? 1)
      return (goal.max === undefined || percent < goal.max - goal.margin) && (goal.min === undefined || percent > goal.min + goal.margin)
    }),
  )
  if (!policy.fleetGoals.every(goal => holds(goal, world))) return false
  const receiving = new Set([...moved].filter(([key, to]) => origin.get(key) !== to).map(([, to]) => to))
  return (
    goals &&
    [...receiving].every(name => {
      const node = world.nodes.get(name)
      const was = before.nodes.get(name)
      if (node === undefined || was === undefined) return false
      const [now, then] = [world.used(node), before.used(was)]
      return Object.entries(policy.headroom).every(([resource, percent]) => {
        const most = ((node.allocatable[resource] ?? 0) * percent) / 100
        return (now[resource] ?? 0) <= Math.max(most, then[resource] ?? 0)
      })
    })
  )
}
