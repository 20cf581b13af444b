// What nodes and pods use, as the utilisation strategies ask for it, whatever it was measured by.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import { requestsOf } from '#cluster/requests.ts'
import { parseMilli, parseWhole } from '#kube/values/quantity.ts'

/** By resource: `cpu` in millicores, everything else whole. Exact however big. */
export type Amounts = ReadonlyMap<string, bigint>

/** The resource of a Prometheus query: percent, of 100 on every node. */
export const metricResource = 'MetricResource'

/** The figures of one moment. */
export interface Usage {
  /** Each node's figures name all of these. */
  readonly resources: readonly string[]
  /** Usage of a node of the cycle. */
  node(name: string): Amounts
  /** Usage of a pod; `unmeasured`: this source knows nothing of pods; `unknown`: it does not know this pod, and why. */
  pod(pod: PodState): PodUsage
}

export type PodUsage =
  | { readonly kind: 'known'; readonly amounts: Amounts }
  | { readonly kind: 'unmeasured' }
  | { readonly kind: 'unknown'; readonly reason: string }

/** The resources of a strategy with thresholds for `named`: those that every node is asked for as well. */
export function withBasicResources(named: Iterable<string>): readonly string[] {
  return [...new Set([...named, 'cpu', 'memory', 'pods'])].sort()
}

/**
 * What there is of each resource: allocatable, or capacity where nothing is allocatable, and 100 of `metricResource`.
 * @throws RangeError where a quantity does not parse
 */
export function capacityOf({ object, allocatable }: NodeState): Amounts {
  const { allocatable: said = {}, capacity = {} } = object.status ?? {}
  const amounts =
    Object.keys(said).length > 0
      ? allocatable
      : requestsOf(
          Object.entries(capacity).map(([resource, text]) => [
            resource,
            resource === 'cpu' ? parseMilli(text) : parseWhole(text),
          ]),
        )
  return new Map([...Object.entries(amounts).map(([name, amount]) => [name, BigInt(amount)] as const), [metricResource, 100n]])
}
