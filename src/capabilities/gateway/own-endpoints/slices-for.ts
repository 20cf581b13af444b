// Where a Service leads while its target sleeps: to the gateway's pods. Decided from objects alone.
import { isDeepStrictEqual } from 'node:util'
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject, OwnerReference } from '#kube/objects/objects.ts'
import { gatewayService, httpGroup, managedByLabel, ownManager } from '../names.ts'
import type { Route } from '../routing/route.ts'
import { serviceBearers } from '../routing/service-hosts.ts'

const serviceLabel = 'kubernetes.io/service-name'
const addressTypes = ['IPv4', 'IPv6'] as const
type AddressType = (typeof addressTypes)[number]

/** A slice has no more endpoints than this, by the server's own bound. */
const mostEndpoints = 1_000

/** A route to the Service, and the object that it was written as. */
export interface RouteHere {
  readonly route: Route
  readonly object: KubeObject
}

interface Seen {
  /** `namespace/name`. */
  readonly key: string
  readonly service: KubeObject | undefined
  /** All routes to it, whether they ask for this or not. */
  readonly routes: readonly RouteHere[]
  /** All slices that say they are of the Service, and those that have a name of ours. */
  readonly slices: readonly KubeObject[]
  /** Slices of the gateway's own Service. */
  readonly gateway: readonly KubeObject[]
  /** Those of the namespace. */
  readonly scaledObjects: readonly KubeObject[]
  /** With whom slices of ours go; absent: with their route. */
  readonly owner?: OwnerReference | undefined
}

/** What the condition `OwnEndpoints` of a route says. */
interface Said {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

interface Outcome {
  readonly create: readonly KubeObject[]
  /** Slices of ours that are to say what `to` says. */
  readonly change: readonly { readonly from: KubeObject; readonly to: KubeObject }[]
  readonly remove: readonly KubeObject[]
  /** By key of the route. A route that is not here has no such condition. */
  readonly said: ReadonlyMap<string, Said>
}

/** Whether a slice is one that we wrote: by who manages it. */
export function isOwnSlice({ metadata }: KubeObject): boolean {
  return metadata.labels?.[managedByLabel] === ownManager
}

/** All names that slices of ours have for a Service. */
export function ownSliceNames(service: string): readonly string[] {
  return addressTypes.map(type => ownSliceName(service, type))
}

/** One for each kind of address. */
function ownSliceName(service: string, type: AddressType): string {
  return `ballast-${service}-${type.toLowerCase()}`
}

/** @returns all writes that bring the Service's slices to what they are to be, and what routes are told */
export function ownEndpointsFor(seen: Seen): Outcome {
  const said = new Map<string, Said>()
  const bearer = serviceBearers(seen.routes.map(({ route }) => route)).get(seen.key)
  for (const { route } of seen.routes)
    if (route.hints.ownEndpoints && route !== bearer)
      said.set(route.key, refused('AnotherRoute', `${bearer?.kind} ${bearer?.key} is older, and has Service ${seen.key}`))
  const here = seen.routes.find(({ route }) => route === bearer)
  const wanted = here === undefined ? [] : wantedFor(here, seen, said)
  const own = seen.slices.filter(isOwnSlice)
  const nameOf = ({ metadata }: KubeObject) => metadata.name
  const kept = new Map(own.map(slice => [nameOf(slice), slice]))
  const names = new Set(wanted.map(nameOf))
  return {
    said,
    create: wanted.filter(slice => !kept.has(nameOf(slice))),
    change: wanted.flatMap(to => {
      const from = kept.get(nameOf(to))
      return from === undefined || says(from, to) ? [] : [{ from, to }]
    }),
    remove: own.filter(slice => !names.has(nameOf(slice))),
  }
}

function wantedFor(here: RouteHere, seen: Seen, said: Map<string, Said>): readonly KubeObject[] {
  const { key } = here.route
  const port = portOf(here.route, seen)
  if ('reason' in port) {
    said.set(key, port)
    return []
  }
  const strange = seen.slices.find(slice => !isOwnSlice(slice) && isNameOfOurs(slice, here.route.target.service))
  if (strange !== undefined) {
    const name = `${strange.metadata.namespace}/${strange.metadata.name}`
    said.set(
      key,
      refused('NameTaken', `EndpointSlice ${name} is there, and is not ours: found no label ${managedByLabel}=${ownManager}`),
    )
    return []
  }
  const families = familiesOf(seen.service)
  const reached = families.map(type => ({ type, ...gatewaysOf(seen.gateway, type) }))
  const missing = reached.filter(({ endpoints }) => endpoints.length === 0).map(({ type }) => type)
  if (missing.length === families.length) {
    said.set(
      key,
      refused('NoGateway', `no ready pod of Service ${gatewayService.name} has an address of ${families.join(' or ')}`),
    )
    return []
  }
  const kept = keptAwakeBy(here.route, seen.scaledObjects)
  const without = missing.length === 0 ? '' : ` Not by ${missing.join(' and ')}: no ready pod of the gateway has such an address.`
  said.set(key, { ...kept, message: kept.message + without })
  if (seen.slices.some(slice => !isOwnSlice(slice) && hasReady(slice))) return []
  return reached.flatMap(({ type, endpoints, number }) =>
    endpoints.length === 0 || number === undefined
      ? []
      : [sliceOf(here, type, port.port, { endpoints, number, owner: seen.owner })],
  )
}

/** The Service's port that is served in the target's place, or why none is. */
function portOf({ target }: Route, { key, service }: Seen): { readonly port: unknown } | Said {
  if (service === undefined) return refused('NoService', `there is no Service ${key}`)
  const type = textAt(service, 'spec', 'type')
  if (type === 'ExternalName') return refused('ExternalName', `Service ${key} is of type ExternalName: it has no endpoints`)
  if (textAt(service, 'spec', 'clusterIP') === 'None')
    return refused('Headless', `Service ${key} is headless: its callers choose the port of the pod themselves`)
  if (textAt(service, 'spec', 'internalTrafficPolicy') === 'Local')
    return refused('LocalTraffic', `Service ${key} has internalTrafficPolicy Local: the gateway is not on each node`)
  const ports = listAt(service, 'spec', 'ports')
  const port = ports.find(one =>
    target.portName === undefined ? numberAt(one, 'port') === target.port : textAt(one, 'name') === target.portName,
  )
  const named = target.portName === undefined ? `port ${target.port}` : `portName ${JSON.stringify(target.portName)}`
  if (port === undefined) return refused('NoSuchPort', `Service ${key} has no ${named}`)
  const protocol = textAt(port, 'protocol') ?? 'TCP'
  if (protocol !== 'TCP') return refused('NotTcp', `${named} of Service ${key} is of ${protocol}, expected TCP`)
  if (textAt(port, 'appProtocol')?.toLowerCase() === 'https')
    return refused('Tls', `callers of ${named} of Service ${key} speak TLS, and the gateway has no certificate of theirs`)
  return { port }
}

/** Requests to a target that is awake go past the gateway: who keeps it awake then. */
function keptAwakeBy({ kind, namespace, name, hints }: Route, scaledObjects: readonly KubeObject[]): Said {
  const key = kind === 'InterceptorRoute' ? 'interceptorRoute' : 'httpScaledObject'
  const isOfRoute = (trigger: unknown) => textAt(trigger, 'metadata', key) === name
  const ours = scaledObjects.filter(
    one => one.metadata.namespace === namespace && listAt(one, 'spec', 'triggers').some(isOfRoute),
  )
  const others = ours.flatMap(one => listAt(one, 'spec', 'triggers').filter(trigger => !isOfRoute(trigger)))
  if (hints.beforeZero !== undefined)
    return { status: 'True', reason: 'KeptByPods', message: `Pods are asked at ${hints.beforeZero} before they stop.` }
  if (others.length > 0) {
    const types = [...new Set(others.map(trigger => textAt(trigger, 'type') ?? 'unknown'))].join(', ')
    return {
      status: 'True',
      reason: 'KeptByTriggers',
      message: `While it is awake the target is kept so by its other triggers: ${types}.`,
    }
  }
  const message =
    'Requests to a target that is awake go past the gateway, which does not count them: it sleeps when its cooldown is over, also while it is used. ' +
    'Expected the annotation ballast.dev/before-zero, or another trigger.'
  return { status: 'True', reason: 'CooldownOnly', message }
}

function sliceOf(
  { route, object }: RouteHere,
  addressType: AddressType,
  port: unknown,
  to: { readonly endpoints: readonly object[]; readonly number: number; readonly owner: OwnerReference | undefined },
): KubeObject {
  const { namespace, target, kind, name } = route
  const { uid = '' } = object.metadata
  const [portName, appProtocol] = [textAt(port, 'name') ?? '', textAt(port, 'appProtocol')]
  const version = kind === 'InterceptorRoute' ? 'v1beta1' : 'v1alpha1'
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: ownSliceName(target.service, addressType),
      namespace,
      labels: { [serviceLabel]: target.service, [managedByLabel]: ownManager },
      ownerReferences: [to.owner ?? { apiVersion: `${httpGroup}/${version}`, kind, name, uid }],
    },
    addressType,
    ports: [{ name: portName, port: to.number, protocol: 'TCP', ...(appProtocol === undefined ? {} : { appProtocol }) }],
    endpoints: to.endpoints,
  } as KubeObject
}

function familiesOf(service: KubeObject | undefined): readonly AddressType[] {
  const families = listAt(service, 'spec', 'ipFamilies')
  const known = addressTypes.filter(type => families.includes(type))
  return known.length === 0 ? ['IPv4'] : known
}

/** Ready pods of the gateway by their addresses of a kind, in a fixed order. */
function gatewaysOf(
  slices: readonly KubeObject[],
  type: AddressType,
): { endpoints: readonly object[]; number: number | undefined } {
  const addresses = new Set<string>()
  let number: number | undefined
  for (const slice of slices) {
    if (at(slice, 'addressType') !== type || isOwnSlice(slice)) continue
    const port = numberAt(
      listAt(slice, 'ports').find(one => textAt(one, 'name') === gatewayService.portName),
      'port',
    )
    // Slices of one Service name the same port but while a change of it is rolled out; then the lower one is taken until it is over.
    if (port === undefined || (number !== undefined && port > number)) continue
    if (port !== number) addresses.clear()
    number = port
    for (const address of readyAddresses(slice)) addresses.add(address)
  }
  const sorted = [...addresses].toSorted().slice(0, mostEndpoints)
  return { endpoints: sorted.map(address => ({ addresses: [address], conditions: { ready: true } })), number }
}

function readyAddresses(slice: KubeObject): readonly string[] {
  return listAt(slice, 'endpoints').flatMap(endpoint => {
    const [address] = listAt(endpoint, 'addresses')
    // What says nothing of it is ready.
    return at(endpoint, 'conditions', 'ready') === false || typeof address !== 'string' ? [] : [address]
  })
}

function hasReady(slice: KubeObject): boolean {
  return at(slice, 'addressType') !== 'FQDN' && readyAddresses(slice).length > 0
}

function isNameOfOurs({ metadata }: KubeObject, service: string): boolean {
  return ownSliceNames(service).includes(metadata.name)
}

/** Whether a slice says already what it is to say; the server adds fields of its own to endpoints and ports. */
function says(from: KubeObject, to: KubeObject): boolean {
  const shown = (slice: KubeObject) => ({
    service: slice.metadata.labels?.[serviceLabel],
    owners: (slice.metadata.ownerReferences ?? []).map(({ kind, name, uid }) => ({ kind, name, uid })),
    type: at(slice, 'addressType'),
    ports: listAt(slice, 'ports').map(port => [textAt(port, 'name') ?? '', numberAt(port, 'port'), textAt(port, 'appProtocol')]),
    addresses: listAt(slice, 'endpoints').length === readyAddresses(slice).length ? readyAddresses(slice).toSorted() : undefined,
  })
  return isDeepStrictEqual(shown(from), shown(to))
}

function refused(reason: string, message: string): Said {
  return { status: 'False', reason, message }
}
