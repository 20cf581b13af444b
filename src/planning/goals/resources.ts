// What goals may be about: CPU, memory and pods, which every node has, and any further resource by the name that nodes say it with. The names of
// those are anybody's, so that a wrong one is told instead of being met by nodes that have none.

import type { ClusterState } from '#cluster/cluster-state.ts'
import type { Problem } from '#kube/problem.ts'
import { nearestName } from '#kube/values/nearest-name.ts'
import type { FleetGoal, Goal } from './policy.ts'

/** Resources that every node has. */
export const usualResources = ['cpu', 'memory', 'pods'] as const
export type UsualResource = (typeof usualResources)[number]

/** Resources that are measured at all; `pods` is counted. */
const measuredResources: readonly string[] = ['cpu', 'memory']

export function isUsual(resource: string): resource is UsualResource {
  return usualResources.some(usual => usual === resource)
}

/** Names as Kubernetes gives them: `ephemeral-storage`, `hugepages-2Mi`, `nvidia.com/gpu`. */
export const resourceName = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/

/** Whether it can be asked how much of the resource is used. */
export function canBeUsed(resource: string): boolean {
  return measuredResources.includes(resource) || resource === 'pods'
}

/** Whether a goal goes by measured use; a number of pods is counted, not measured. */
export function isMeasured({ stat, resource }: { readonly stat?: string; readonly resource?: string | undefined }): boolean {
  return stat === 'usage' && resource !== 'pods'
}

/** Whether the node has any of the resource to give; of CPU, memory and pods each has. */
export function hasResource(state: Pick<ClusterState, 'nodes'>, node: string, resource: string): boolean {
  return isUsual(resource) || (state.nodes.get(node)?.allocatable[resource] ?? 0) > 0
}

/** The further resources that goals are about, in their order. */
export function furtherResources(policy: {
  readonly goals: readonly Pick<Goal, 'resource'>[]
  readonly fleetGoals: readonly Pick<FleetGoal, 'resource' | 'measure'>[]
}): readonly string[] {
  const names = [...policy.goals, ...policy.fleetGoals.filter(isOfResource)].map(({ resource }) => resource)
  return [...new Set(names)].filter(name => !isUsual(name))
}

/** Goals of losses, watts and costs are about nodes whole. */
function isOfResource({ measure }: Pick<FleetGoal, 'measure'>): boolean {
  return measure === 'share' || measure === 'spread' || measure === 'deviation'
}

/** Names that are told where another was asked for. */
const mostTold = 12

/**
 * What is wrong with the resource of a goal: no node has it, none of the goal's nodes has any of it, or nobody measures it. `nodes` are those
 * that the goal is about; who lacks the resource among others that have it is left out of the goal beforehand.
 */
export function resourceProblems(
  { resource, stat }: { readonly resource: string; readonly stat?: Goal['stat'] },
  nodes: readonly string[],
  where: string,
  state: ClusterState,
): Problem[] {
  if (stat === 'usage' && !canBeUsed(resource))
    return [{ code: 'goal-stat', where: `${where}.stat`, found: `usage of ${resource}`, expected: usageExpected }]
  if (isUsual(resource)) return []
  const known = knownResources(state)
  const wrong = (found: string, expected: string): Problem => ({
    ...{ code: 'goal-resource', where: `${where}.resource`, found, expected },
  })
  if (!known.includes(resource)) {
    const meant = nearestName(resource, known)
    const hint = meant === undefined ? '' : `; ${meant} perhaps`
    return [wrong(`${resource}, which no node has`, `a resource that a node of this cluster has (${told(known)})${hint}`)]
  }
  const there = nodes.filter(name => state.nodes.has(name))
  if (there.length === 0 || there.some(name => hasResource(state, name, resource))) return []
  const owners = [...state.nodes.keys()].filter(name => hasResource(state, name, resource))
  const expected =
    owners.length === 0 ? 'a node with some of it: all nodes have 0 now' : `nodes that have some of it (${told(owners)})`
  return [wrong(`${resource}, of which none of its nodes has any`, expected)]
}

function told(names: readonly string[]): string {
  const more = names.length - mostTold
  return `${names.slice(0, mostTold).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** Said where a goal wants to know what is used of something that nobody measures. */
export const usageExpected = 'requests: only cpu and memory are measured'

function knownResources({ nodes }: ClusterState): readonly string[] {
  const names = new Set<string>()
  for (const { allocatable } of nodes.values()) for (const name in allocatable) names.add(name)
  return [...names].sort()
}
