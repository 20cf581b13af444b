// The replicas of a process, as the EndpointSlices of its own Service tell of them.
import { at, listAt, numberAt, textAt } from '../../objects/object-fields.ts'
import type { KubeObject } from '../../objects/objects.ts'

/** One pod of the Service, and where it listens. */
export interface Replica {
  /** Name of the pod. */
  readonly name: string
  readonly address: string
  readonly port: number
}

export interface ReadyReplicas {
  /** Name of our own pod. */
  readonly own: string
  /** Without our own, by name. */
  readonly others: readonly Replica[]
}

interface Looked {
  readonly service: string
  /** Name of our own pod. */
  readonly own: string
  /** The port of the Service that leads to the listener, and what it is where slices name none such. */
  readonly portName: string
  readonly port: number
}

/** Fields of EndpointSlices that are read: `needs` of whoever holds the watch. */
export const replicaFields: readonly string[] = [
  'metadata.labels',
  'addressType',
  'endpoints.addresses',
  'endpoints.conditions',
  'endpoints.targetRef',
  'ports',
]

/** More are no replicas of one Deployment: the first by name count. */
const mostReplicas = 64

/** The ready replicas; undefined where our own pod is not among them: then nobody counts on us, and we count on nobody. */
export function readyReplicas(slices: Iterable<KubeObject>, { service, own, portName, port }: Looked): ReadyReplicas | undefined {
  const found = new Map<string, Replica>()
  for (const slice of [...slices].toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== service || at(slice, 'addressType') === 'FQDN') continue
    const named = listAt(slice, 'ports').find(one => textAt(one, 'name') === portName)
    for (const endpoint of listAt(slice, 'endpoints')) {
      const conditions = at(endpoint, 'conditions')
      // What says nothing of it is ready.
      if (at(conditions, 'ready') === false || at(conditions, 'terminating') === true) continue
      const target = at(endpoint, 'targetRef')
      const name = textAt(target, 'name')
      const [address] = listAt(endpoint, 'addresses')
      if (textAt(target, 'kind') !== 'Pod' || name === undefined || typeof address !== 'string' || found.has(name)) continue
      found.set(name, { name, address, port: numberAt(named, 'port') ?? port })
    }
  }
  if (!found.has(own)) return undefined
  const all = [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)).slice(0, mostReplicas)
  return all.some(({ name }) => name === own) ? { own, others: all.filter(({ name }) => name !== own) } : undefined
}
