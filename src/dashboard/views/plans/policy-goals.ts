// The goals of all policies, with the nodes that they hold now. Goals of one name in two policies get the policy's name before theirs.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { RebalancePolicy } from '#coordination/api.ts'
import { planPolicyOf } from '#coordination/plans/plan-policy.ts'
import type { Goal } from '#planning/goals/policy.ts'
import type { Picture } from '../../picture.ts'

export interface PolicyGoal extends Goal {
  /** Unique among all policies. */
  readonly shownName: string
  readonly policy: string
}

interface Reading {
  readonly nodes: ClusterState['nodes']
  readonly goals: readonly PolicyGoal[]
  readonly names: ReadonlyMap<string, readonly string[]>
}

const readings = new WeakMap<readonly RebalancePolicy[], Reading>()

/** Every goal of every policy, in their order. A policy whose selectors do not parse has none. */
export function policyGoals(picture: Picture): readonly PolicyGoal[] {
  return readingOf(picture).goals
}

/** The goals that each node is held to, by name; the same map as long as policies and nodes are the same. */
export function goalNamesOf(picture: Picture): ReadonlyMap<string, readonly string[]> {
  return readingOf(picture).names
}

function readingOf({ book, state, ownerLabel }: Picture): Reading {
  const known = readings.get(book.policies)
  if (known?.nodes === state.nodes) return known
  const all = book.policies.flatMap(policy => {
    const read = planPolicyOf(policy, state, { ownerLabel, landing: 'prefer' })
    return read.ok ? read.value.goals.map(goal => ({ ...goal, policy: policy.metadata.name })) : []
  })
  const goals = all.map(goal => {
    const isShared = all.some(other => other.name === goal.name && other.policy !== goal.policy)
    return { ...goal, shownName: isShared ? `${goal.policy}/${goal.name}` : goal.name }
  })
  const names = keptNames(namesByNode(goals))
  const reading = { nodes: state.nodes, goals, names }
  readings.set(book.policies, reading)
  return reading
}

function namesByNode(goals: readonly PolicyGoal[]): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>()
  for (const goal of goals)
    for (const node of goal.nodes) {
      const known = names.get(node)
      if (known === undefined) names.set(node, [goal.shownName])
      else if (!known.includes(goal.shownName)) known.push(goal.shownName)
    }
  return names
}

type Names = ReadonlyMap<string, readonly string[]>

/** The names told last: books are read anew with every change in them, and rows are kept by the identity of these lists. */
let lastNames: Names = new Map()

/** `names` with the lists told last where they say the same; the very same map where all do. */
function keptNames(names: Names): Names {
  let isSame = names.size === lastNames.size
  const kept = new Map<string, readonly string[]>()
  for (const [node, list] of names) {
    const before = lastNames.get(node)
    const isKept = before?.length === list.length && before.every((name, at) => name === list[at])
    kept.set(node, isKept && before !== undefined ? before : list)
    isSame &&= isKept
  }
  if (!isSame) lastNames = kept
  return lastNames
}
