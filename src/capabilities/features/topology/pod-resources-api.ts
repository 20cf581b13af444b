// The service `v1.PodResourcesLister`, by which a kubelet says what pods hold and what there is: numbers of fields are the contract.

import { integer, integers, list, type Message, message, nested, type Of, text, texts } from '#kube/protobuf-message.ts'

const numaNode = message({ id: integer(1) })
const topology = message({ nodes: list(1, numaNode) })
const devices = message({ resourceName: text(1), deviceIds: texts(2), topology: nested(3, topology) })
const memory = message({ memoryType: text(1), size: integer(2), topology: nested(3, topology) })
const container = message({ name: text(1), devices: list(2, devices), cpuIds: integers(3), memory: list(4, memory) })
const pod = message({ name: text(1), namespace: text(2), containers: list(3, container) })
const nothing = message({})

/** Devices of one resource, and the NUMA nodes that they are at. */
export type HeldDevices = Of<typeof devices>
/** Memory or huge pages, and the NUMA nodes that they are of. */
export type HeldMemory = Of<typeof memory>
/** What a pod holds, by container. */
export type HeldByPod = Of<typeof pod>

export interface Method<Response> {
  readonly path: string
  readonly response: Message<Response>
}

const method = <Response>(name: string, response: Message<Response>): Method<Response> => ({
  path: `/v1.PodResourcesLister/${name}`,
  response,
})

/** What a kubelet is asked with: all of its questions are empty. */
export const emptyRequest = nothing.encode({})

export const listPods = method('List', message({ pods: list(1, pod) }))
export const listAllocatable = method(
  'GetAllocatableResources',
  message({ devices: list(1, devices), cpuIds: integers(2), memory: list(3, memory) }),
)

/** What there is for pods to hold. */
export type Allocatable = Of<(typeof listAllocatable)['response']>
