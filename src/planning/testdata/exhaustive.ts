// The fewest moves that meet all goals, by trying everything: for clusters so small that this ends. Rules are looked up in the plainest way.

import type { ClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Plan } from '../plan-record.ts'
import type { PlanPolicy } from '../goals/policy.ts'
import { objections } from '../verifier/fit-checks.ts'
import { World } from '../verifier/world.ts'

/**
 * The number of moves of the shortest sequence after which all goals hold with their margins, `undefined` where there is none.
 * Each pod moves once at most, each step has room and breaks no rule, and no node that received anything ends above the headroom.
 */
export function fewestMoves(objects: readonly KubeObject[], state: ClusterState, policy: PlanPolicy, plan: Plan): number | undefined {
  const fixed = new Set(plan.unmovable.filter(each => each.code !== 'NoSafeOrder' && each.code !== 'LandsElsewhere').map(each => `${each.pod.namespace}/${each.pod.name}`))
  const movable = [...state.pods.values()].filter(pod => !fixed.has(pod.key)).map(pod => pod.key)
  const nodes = [...state.nodes.keys()]
  const origin = new Map(movable.map(key => [key, state.pods.get(key)?.nodeName ?? '']))
  let frontier = new Map([['', new Map<string, string>()]])
  for (let moves = 0; moves <= movable.length; moves++) {
    for (const moved of frontier.values()) if (isGood(objects, policy, moved, origin)) return moves
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
  return undefined
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
