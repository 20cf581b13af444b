// What a pod asks of a node: the sum the scheduler, the kubelet and `kubectl describe node` make of its containers.
// Arithmetic of k8s.io/component-helpers resource.PodRequests (1.34 and 1.36), in whole numbers. Each quantity is rounded up to
// thousandths first, as the API server stores it.

import type { Container, ContainerStatus, Pod, ResourceList } from '#kube/objects/objects.ts'
import { parseMilli, parseWhole } from '#kube/values/quantity.ts'

/** Amount by resource name: `cpu` in millicores, everything else whole (bytes, pieces); never `pods`. Has no prototype. */
export type Requests = Readonly<Record<string, number>>

interface RequestRules {
  /** Count what the node has allotted or runs (in-place resize) where that is more than the spec. */
  readonly withStatus: boolean
  /** What a container counts for a resource it says nothing about (an explicit 0 stays 0). */
  readonly missing?: Requests
  /** Leave `spec.resources` out: the sum of the containers counts whatever it says. */
  readonly withoutPodLevel?: boolean
}

/** What a container without a CPU request, or without a memory request, counts in the scores of the scheduler: 100m and 200 MiB. */
const missingRequests: Requests = requestsOf([
  ['cpu', 100],
  ['memory', 209_715_200],
])

/**
 * What the scheduler counts for a pod that is on a node: containers and sidecars together, or the dearest moment of starting up
 * where that is more; pod-level requests instead of the sum; plus overhead; in-place resizes included.
 * @throws RangeError where a quantity does not parse.
 */
export function podRequests(pod: Pod): Requests {
  return requestsBy(pod, { withStatus: true })
}

/** As `podRequests`, from the spec alone: what is asked for a pod still to be placed, and what `kubectl describe node` adds up. */
export function specRequests(pod: Pod): Requests {
  return requestsBy(pod, { withStatus: false })
}

/** CPU and memory of a pod on a node for the scores: as `podRequests`, with `missingRequests` for containers that say nothing. */
export function nonZeroRequests(pod: Pod): Requests {
  const levels = podLevelRequests(pod)
  if (levels === undefined) return requestsBy(pod, { withStatus: true, missing: missingRequests })
  const plain = podRequests(pod)
  const missing = Object.entries(missingRequests).filter(([resource]) => plain[resource] === undefined)
  return requestsBy(pod, { withStatus: true, missing: requestsOf(missing) })
}

/** What a pod to be placed counts in the scores of NodeResourcesFit, which do not look at pod-level requests. */
export function scoredRequests(pod: Pod): Requests {
  return requestsBy(pod, { withStatus: false, missing: missingRequests, withoutPodLevel: true })
}

/** The sum under `rules`; the other functions of this file are it with fixed rules. */
function requestsBy(pod: Pod, rules: RequestRules): Requests {
  const scale = hasFractions(pod) ? 1000 : 1
  const sum = containersTogether(pod, rules, scale)
  if (rules.withoutPodLevel !== true) {
    for (const [resource, amount] of amounts(podLevelRequests(pod), scale)) sum.set(resource, amount)
    if (rules.withStatus) raiseToPodStatus(sum, pod, scale)
  }
  addAmounts(sum, amounts(pod.spec.overhead, scale))
  sum.delete('pods')
  return requestsOf(Array.from(sum, ([resource, amount]) => [resource, resource === 'cpu' ? amount : Math.ceil(amount / scale)]))
}

/** A record without prototype, so that no resource name can mean a method. */
export function requestsOf(entries: Iterable<readonly [string, number]>): Requests {
  const record: Record<string, number> = Object.create(null)
  for (const [resource, amount] of entries) record[resource] = amount
  return record
}

/** `a + b` for each resource that either has. */
export function addRequests(a: Requests, b: Requests): Requests {
  const sum: Record<string, number> = Object.assign(Object.create(null), a)
  for (const resource in b) sum[resource] = (sum[resource] ?? 0) + (b[resource] ?? 0)
  return sum
}

type Amounts = Map<string, number>

function containersTogether(pod: Pod, rules: RequestRules, scale: number): Amounts {
  const statuses = rules.withStatus ? containerStatuses(pod) : undefined
  const isInfeasible = rules.withStatus && isResizeInfeasible(pod)
  const amountsOf = (container: Container, status?: ContainerStatus): Amounts => {
    const own = amounts(container.resources?.requests, scale)
    if (status?.resources !== undefined) {
      if (isInfeasible) own.clear()
      raiseTo(own, amounts(status.resources.requests, scale))
      raiseTo(own, amounts(status.allocatedResources, scale))
    }
    for (const resource in rules.missing) {
      if (!own.has(resource)) own.set(resource, (rules.missing[resource] ?? 0) * (resource === 'cpu' ? 1 : scale))
    }
    return own
  }
  const running: Amounts = new Map()
  for (const container of pod.spec.containers) addAmounts(running, amountsOf(container, statuses?.get(container.name)))
  const sidecars: Amounts = new Map()
  const dearestStart: Amounts = new Map()
  for (const container of pod.spec.initContainers ?? []) {
    const isSidecar = container.restartPolicy === 'Always'
    const own = isSidecar ? amountsOf(container, statuses?.get(container.name)) : amountsOf(container)
    if (isSidecar) {
      addAmounts(running, own)
      addAmounts(sidecars, own)
      raiseTo(dearestStart, sidecars)
    } else {
      addAmounts(own, sidecars)
      raiseTo(dearestStart, own)
    }
  }
  raiseTo(running, dearestStart)
  return running
}

function containerStatuses(pod: Pod): ReadonlyMap<string, ContainerStatus> | undefined {
  const { containerStatuses: containers, initContainerStatuses: starters } = pod.status ?? {}
  if (containers === undefined && starters === undefined) return undefined
  return new Map([...(containers ?? []), ...(starters ?? [])].map(status => [status.name, status]))
}

function isResizeInfeasible(pod: Pod): boolean {
  return pod.status?.conditions?.find(condition => condition.type === 'PodResizePending')?.reason === 'Infeasible'
}

/** The part of `spec.resources.requests` that counts: CPU, memory and huge pages; `undefined` where nothing does. */
function podLevelRequests(pod: Pod): ResourceList | undefined {
  const given = Object.entries(pod.spec.resources?.requests ?? {}).filter(([resource]) => isPodLevelResource(resource))
  return given.length === 0 ? undefined : Object.fromEntries(given)
}

function isPodLevelResource(resource: string): boolean {
  return resource === 'cpu' || resource === 'memory' || resource.startsWith('hugepages-')
}

/** Pod-level in-place resize (1.36): what the node has allotted to or runs for the pod as a whole. */
function raiseToPodStatus(sum: Amounts, pod: Pod, scale: number): void {
  const levels = podLevelRequests(pod)
  // As the API server has them: a quantity map each.
  const resources = pod.status?.['resources'] as { readonly requests?: ResourceList } | undefined
  const allocated = pod.status?.['allocatedResources'] as ResourceList | undefined
  if (levels === undefined || resources === undefined) return
  const effective = isResizeInfeasible(pod) ? new Map<string, number>() : amounts(levels, scale)
  raiseTo(effective, amounts(resources.requests, scale))
  raiseTo(effective, amounts(allocated, scale))
  for (const resource in levels) sum.set(resource, effective.get(resource) ?? 0)
}

/** Amounts in millicores and in 1/scale units of everything else. */
function amounts(list: ResourceList | undefined, scale: number): Amounts {
  const result: Amounts = new Map()
  for (const resource in list) {
    const text = list[resource]
    if (text === undefined) continue
    result.set(resource, resource === 'cpu' || scale === 1000 ? parseMilli(text) : parseWhole(text))
  }
  return result
}

/** Whether anything but CPU is given in parts (`100m` of memory): sums are made in thousandths then and rounded up once, at the end. */
function hasFractions(pod: Pod): boolean {
  const lists = [pod.spec.overhead, pod.spec.resources?.requests]
  for (const container of pod.spec.containers) lists.push(container.resources?.requests)
  for (const container of pod.spec.initContainers ?? []) lists.push(container.resources?.requests)
  return lists.some(list => {
    for (const resource in list) {
      const text = list[resource]
      if (resource !== 'cpu' && text !== undefined && isFraction(text)) return true
    }
    return false
  })
}

function isFraction(text: string | number): boolean {
  if (typeof text === 'number') return !Number.isInteger(text)
  return /\.|[num]$|[eE]-/.test(text) && parseMilli(text) % 1000 !== 0
}

function addAmounts(sum: Amounts, more: Amounts): void {
  for (const [resource, amount] of more) sum.set(resource, (sum.get(resource) ?? 0) + amount)
}

function raiseTo(least: Amounts, other: Amounts): void {
  for (const [resource, amount] of other) {
    const known = least.get(resource)
    if (known === undefined || amount > known) least.set(resource, amount)
  }
}
