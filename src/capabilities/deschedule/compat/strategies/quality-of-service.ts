// The QoS class of a pod as upstream sees it: what the status says, else worked out from CPU and memory of containers and init
// containers. Unlike the kubelet it adds init containers to the others and knows no requests of the pod as a whole.
import type { Pod } from '#kube/objects/objects.ts'
import { quantity } from '#kube/values/quantity.ts'

export type QualityOfService = 'BestEffort' | 'Burstable' | 'Guaranteed'

/** The class of a pod. @throws RangeError where its status has none and a quantity does not parse */
export function qualityOfService(pod: Pod): QualityOfService {
  const said = pod.status?.qosClass
  // A class that nobody knows is none of the three: it sorts as Burstable.
  if (said !== undefined && said !== '') return said === 'BestEffort' || said === 'Guaranteed' ? said : 'Burstable'
  const requests = new Map<string, bigint>()
  const limits = new Map<string, bigint>()
  let isLimited = true
  for (const { resources } of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
    addPositive(requests, resources?.requests)
    isLimited = addPositive(limits, resources?.limits) === 2 && isLimited
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort'
  const isEqual = requests.size === limits.size && Array.from(requests).every(([name, amount]) => limits.get(name) === amount)
  return isLimited && isEqual ? 'Guaranteed' : 'Burstable'
}

/** Adds CPU and memory where they are more than nothing; how many of the two were. */
function addPositive(sum: Map<string, bigint>, list: Readonly<Record<string, string | number>> | undefined): number {
  let found = 0
  for (const name of ['cpu', 'memory']) {
    const text = list?.[name]
    const nanos = text === undefined ? 0n : quantity(text).nanos
    if (nanos <= 0n) continue
    found++
    sum.set(name, (sum.get(name) ?? 0n) + nanos)
  }
  return found
}
