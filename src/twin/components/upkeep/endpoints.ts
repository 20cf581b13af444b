// EndpointSlices and Endpoints of Services with a selector.

import { randomSuffix } from '#kube/objects/names.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EndpointService } from '../kinds.ts'
import { isSameContent } from '../same-content.ts'
import { mapSelectorFor } from '../selectors.ts'
import { keyOf, splitKey } from '../workloads/pod-state.ts'
import { controllerReference } from '../workloads/pod-template.ts'
import { isNamespaceTerminating } from '../workloads/slow-start.ts'
import { type PortGroup, portGroups, type ServiceEndpoint } from './endpoint-addresses.ts'

const sliceWriter = controllerWriter('endpointslice-controller')
const endpointsWriter = controllerWriter('endpoint-controller')
const slices = 'endpointslices.discovery.k8s.io'
const serviceLabel = 'kubernetes.io/service-name'
const managedLabel = 'endpointslice.kubernetes.io/managed-by'
const managedBy = 'endpointslice-controller.k8s.io'
const endpointsPerSlice = 100
const endpointsLimit = 1000

export function startEndpointSlices(context: ComponentContext): void {
  followServices(context, 'endpointslice', (service, pods) => syncSlices(context, service, pods))
}

export function startEndpoints(context: ComponentContext): void {
  const forget = ({ metadata }: EndpointService) => {
    if (context.view.get('endpoints', metadata.namespace, metadata.name) !== undefined)
      context.access.remove('endpoints', metadata.namespace, metadata.name, endpointsWriter)
  }
  followServices(context, 'endpoint', (service, pods) => syncEndpoints(context, service, pods), forget)
}

/** Calls `sync` for a service with a selector when it or one of its pods changes. */
function followServices(
  context: ComponentContext,
  name: string,
  sync: (service: EndpointService, pods: readonly Pod[]) => void,
  forget?: (service: EndpointService) => void,
): void {
  const { view, loop } = context
  const queue = loop.queue(name, key => {
    const at = splitKey(key)
    const service = view.get('services', at.namespace, at.name)
    const selector = mapSelectorFor(service?.spec?.selector)
    if (service === undefined || service.spec?.type === 'ExternalName' || selector.isNothing) return
    const pods = view.list('pods', at.namespace).filter(pod => selector.matches(pod.metadata.labels))
    try {
      sync(service, pods)
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error
    }
  })
  view.on('services', ({ type, object }) => {
    if (type !== 'DELETED') return queue.add(keyOf(object))
    queue.remove(keyOf(object))
    forget?.(object)
  })
  view.on('pods', ({ type, object, previous }) => {
    if (type === 'MODIFIED' && previous !== undefined && isSameContent(reachOf(object), reachOf(previous))) return
    for (const service of view.list('services', object.metadata.namespace)) {
      const selector = mapSelectorFor(service.spec?.selector)
      if (selector.matches(object.metadata.labels) || (previous !== undefined && selector.matches(previous.metadata.labels)))
        queue.add(keyOf(service))
    }
  })
  for (const service of view.list('services')) queue.add(keyOf(service))
}

/** The part of a pod that shows in endpoints. */
function reachOf(pod: Pod): readonly unknown[] {
  const ready = pod.status?.conditions?.find(condition => condition.type === 'Ready')?.status
  const { podIP, phase } = pod.status ?? {}
  return [pod.metadata.labels, pod.metadata.deletionTimestamp, podIP, phase, ready, pod.spec.nodeName]
}

function syncSlices(context: ComponentContext, service: EndpointService, pods: readonly Pod[]): void {
  const { access, view, random } = context
  const namespace = service.metadata.namespace
  const existing = view
    .list(slices, namespace)
    .filter(
      slice =>
        slice.metadata.labels?.[serviceLabel] === service.metadata.name && slice.metadata.labels[managedLabel] === managedBy,
    )
  const groups = portGroups(service, pods)
  const wanted = groups.length === 0 ? [{ ports: [], endpoints: [] }] : groups.flatMap(inSlices)
  for (const [index, part] of wanted.entries()) {
    // Go's empty slices: `null` on the wire.
    const orNull = <T>(list: readonly T[]) => (list.length === 0 ? null : list)
    const content = {
      addressType: 'IPv4',
      ports: orNull(part.ports.map(port => ({ ...port }))),
      endpoints: orNull(part.endpoints.map(endpoint => sliceEndpoint(endpoint, context, service))),
    }
    const own = { [managedLabel]: managedBy, [serviceLabel]: service.metadata.name }
    const labels = { ...service.metadata.labels, ...own, ...headlessLabel(service) }
    const slice = existing[index]
    if (slice === undefined) {
      const name = `${service.metadata.name}-${randomSuffix(5, random)}`
      const generateName = `${service.metadata.name}-`
      const ownerReferences = [controllerReference(service)]
      const metadata = { name, generateName, namespace: namespace ?? '', labels, ownerReferences }
      access.create(slices, { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, ...content }, sliceWriter)
    } else if (!isSameContent([slice['ports'] ?? [], slice['endpoints'] ?? []], [content.ports, content.endpoints])) {
      access.update(slices, { ...slice, ...content }, sliceWriter)
    }
  }
  for (const surplus of existing.slice(wanted.length)) access.remove(slices, namespace, surplus.metadata.name, sliceWriter)
}

function inSlices(group: PortGroup): readonly PortGroup[] {
  const parts: PortGroup[] = []
  for (let start = 0; start < group.endpoints.length; start += endpointsPerSlice) {
    parts.push({ ports: group.ports, endpoints: group.endpoints.slice(start, start + endpointsPerSlice) })
  }
  return parts
}

function sliceEndpoint(
  { pod, address, isReady, isServing, isTerminating }: ServiceEndpoint,
  { view }: ComponentContext,
  service: EndpointService,
): Readonly<Record<string, unknown>> {
  const node = pod.spec.nodeName ? view.get('nodes', undefined, pod.spec.nodeName) : undefined
  const zone = node?.metadata.labels?.['topology.kubernetes.io/zone']
  return {
    addresses: [address],
    conditions: { ready: isReady, serving: isServing, terminating: isTerminating },
    ...hostnameIn(pod, service),
    targetRef: targetRef(pod),
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(zone === undefined ? {} : { zone }),
  }
}

/** A pod has a name of its own under the service that its subdomain names. */
function hostnameIn(pod: Pod, service: EndpointService): { readonly hostname?: string } {
  const { hostname, subdomain } = pod.spec
  if (typeof hostname !== 'string' || hostname === '' || subdomain !== service.metadata.name) return {}
  return { hostname }
}

function headlessLabel({ spec }: EndpointService): Readonly<Record<string, string>> {
  return spec?.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {}
}

function targetRef(pod: Pod): Readonly<Record<string, string>> {
  const { name, namespace = '', uid = '' } = pod.metadata
  return { kind: 'Pod', namespace, name, uid }
}

function syncEndpoints({ access, view }: ComponentContext, service: EndpointService, pods: readonly Pod[]): void {
  const { name, namespace } = service.metadata
  const groups = portGroups(service, pods)
  const total = groups.reduce((sum, group) => sum + group.endpoints.length, 0)
  const subsets = groups
    .map(group => subset(service, { ...group, endpoints: group.endpoints.slice(0, endpointsLimit) }))
    .filter(part => part !== undefined)
  const before = view.get('endpoints', namespace, name)
  const annotations = total > endpointsLimit ? { 'endpoints.kubernetes.io/over-capacity': 'truncated' } : undefined
  const metadata = {
    ...before?.metadata,
    name,
    namespace: namespace ?? '',
    labels: {
      ...service.metadata.labels,
      'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
      ...headlessLabel(service),
    },
    ...(annotations === undefined ? {} : { annotations }),
  }
  const object: KubeObject = { apiVersion: 'v1', kind: 'Endpoints', metadata, ...(subsets.length === 0 ? {} : { subsets }) }
  if (before === undefined) access.create('endpoints', object, endpointsWriter)
  else if (!isSameContent(before['subsets'] ?? [], subsets)) access.update('endpoints', object, endpointsWriter)
}

/** Terminating pods are in no Endpoints; others are among the addresses when ready, else among those that are not. */
function subset(service: EndpointService, { ports, endpoints }: PortGroup): Readonly<Record<string, unknown>> | undefined {
  const standing = endpoints.filter(endpoint => !endpoint.isTerminating)
  const address = ({ pod, address: ip }: ServiceEndpoint) => ({
    ip,
    ...hostnameIn(pod, service),
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: targetRef(pod),
  })
  const ready = standing.filter(endpoint => endpoint.isReady).map(address)
  const notReady = standing.filter(endpoint => !endpoint.isReady).map(address)
  if (standing.length === 0) return undefined
  return {
    ...(ready.length === 0 ? {} : { addresses: ready }),
    ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady }),
    ...(ports.length === 0 ? {} : { ports: ports.map(({ name, ...port }) => (name === '' ? port : { name, ...port })) }),
  }
}
