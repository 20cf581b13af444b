// How full a node is, in the numbers of `kubectl describe node`.

import type { ClusterState } from './cluster-state.ts'
import { addRequests, type Requests, requestsOf, specRequests } from './requests.ts'

interface Percentage {
  /** Requested, in the resource's unit; goals are judged on numerator / denominator. */
  readonly numerator: number
  /** Allocatable. */
  readonly denominator: number
  /** What `kubectl describe node` prints; 0 where nothing is allocatable. */
  readonly truncated: number
}

interface NodeUtilisation {
  /** The sum over the pods on the node that are not finished, from their specs. */
  readonly requested: Requests
  readonly pods: number
  /** `cpu`, `memory`, `pods` or any resource. */
  percent(resource: string): Percentage
}

/** How full `node` is. A node that is not in `state` is empty and has nothing to give. */
export function nodeUtilisation(state: ClusterState, node: string): NodeUtilisation {
  const pods = state.podsOn(node)
  const requested = pods.reduce<Requests>((sum, pod) => addRequests(sum, specRequests(pod.object)), requestsOf([]))
  const allocatable = state.nodes.get(node)?.allocatable ?? requestsOf([])
  return {
    requested,
    pods: pods.length,
    percent: resource => percentage(resource === 'pods' ? pods.length : (requested[resource] ?? 0), allocatable[resource] ?? 0),
  }
}

/** `numerator` of `denominator`, truncated after the floating-point division that kubectl makes. */
export function percentage(numerator: number, denominator: number): Percentage {
  return { numerator, denominator, truncated: denominator === 0 ? 0 : Math.trunc((numerator / denominator) * 100) }
}
