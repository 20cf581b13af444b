// Which pods a Service reaches, by port: what EndpointSlices and Endpoints are written from. Pure.
import type { Pod } from '#kube/objects/objects.ts'
import type { EndpointService, ServicePort } from '../kinds.ts'
import { isFinished, isReady, isTerminating } from '../workloads/pod-state.ts'

interface ResolvedPort {
  readonly name: string
  readonly port: number
  readonly protocol: string
  readonly appProtocol?: string
}

export interface ServiceEndpoint {
  readonly pod: Pod
  readonly address: string
  readonly isReady: boolean
  readonly isServing: boolean
  readonly isTerminating: boolean
}

/** Pods that have the same numbers behind the service's port names. */
export interface PortGroup {
  readonly ports: readonly ResolvedPort[]
  readonly endpoints: readonly ServiceEndpoint[]
}

/** In order of the ports' numbers; pods in the order given. Pods without an address and finished ones are left out. */
export function portGroups(service: EndpointService, pods: readonly Pod[]): readonly PortGroup[] {
  const groups = new Map<string, { ports: readonly ResolvedPort[]; endpoints: ServiceEndpoint[] }>()
  const publishesAll = service.spec?.publishNotReadyAddresses === true
  for (const pod of pods) {
    const address = pod.status?.podIP
    if (address === undefined || isFinished(pod)) continue
    const ports = resolvedPorts(service.spec?.ports ?? [], pod)
    const key = JSON.stringify(ports)
    const group = groups.get(key) ?? { ports, endpoints: [] }
    const isServing = isReady(pod)
    const isGoing = isTerminating(pod)
    group.endpoints.push({ pod, address, isReady: publishesAll || (isServing && !isGoing), isServing, isTerminating: isGoing })
    groups.set(key, group)
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
}

/** Named target ports are looked up in the pod; those it does not have are left out. */
function resolvedPorts(ports: readonly ServicePort[], pod: Pod): readonly ResolvedPort[] {
  return ports.flatMap(port => {
    const number = targetNumber(port, pod)
    if (number === undefined) return []
    const base = { name: port.name ?? '', port: number, protocol: port.protocol ?? 'TCP' }
    return [port.appProtocol === undefined ? base : { ...base, appProtocol: port.appProtocol }]
  })
}

function targetNumber(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port
  if (typeof target === 'number') return target === 0 ? port.port : target
  for (const container of pod.spec.containers) {
    const named = container.ports?.find(
      candidate => candidate.name === target && (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    )
    if (named !== undefined) return named.containerPort
  }
  return undefined
}
