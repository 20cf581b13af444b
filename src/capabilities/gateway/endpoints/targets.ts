// Where a route's Service is at this moment: its ready endpoints by EndpointSlices, and how its port is spoken to.
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { managedByLabel, ownManager } from '../names.ts'
import type { ServicePort } from '../routing/route.ts'

/** One address of a target. It is the same value as long as the address is there. */
export interface Endpoint {
  readonly host: string
  readonly port: number
  /** `host:port`, with brackets around IPv6. */
  readonly authority: string
  /** Requests that are with it from this process. */
  inFlight: number
}

/** `h2c`: HTTP/2 without TLS; `https`: HTTP/1.1 in TLS. */
export type Wire = 'http' | 'h2c' | 'https'

/** A port of a Service as it is now. */
export interface Target {
  /** Why nobody can be asked, whatever is ready: `portName "web" is no port of Service media/sonarr`. */
  readonly problem?: string
  readonly wire: Wire
  /** Ready ones. */
  readonly endpoints: readonly Endpoint[]
  /** A Service without endpoints of its own: the name it stands for. */
  readonly outside?: Endpoint
}

const serviceLabel = 'kubernetes.io/service-name'

/** `kubernetes.io/h2c` and `https` are words of `appProtocol`. */
const wires: Readonly<Record<string, Wire>> = { 'kubernetes.io/h2c': 'h2c', https: 'https', HTTPS: 'https' }

interface Services {
  get(namespace: string | undefined, name: string): KubeObject | undefined
}

/** Targets by Service and port, kept until a Service or slice changes. */
export class Targets {
  readonly #services: Services
  readonly #slicesOf: (namespace: string, service: string) => Iterable<KubeObject>
  /** By `namespace/service`, then by port. */
  readonly #known = new Map<string, Map<string, Target>>()
  readonly #endpoints = new Map<string, Endpoint[]>()

  constructor(services: Services, slicesOf: (namespace: string, service: string) => Iterable<KubeObject>) {
    this.#services = services
    this.#slicesOf = slicesOf
  }

  of(namespace: string, to: ServicePort): Target {
    const key = `${namespace}/${to.service}`
    let ports = this.#known.get(key)
    if (ports === undefined) {
      ports = new Map()
      this.#known.set(key, ports)
    }
    const port = to.portName ?? String(to.port)
    const known = ports.get(port)
    if (known !== undefined) return known
    const target = this.#look(key, namespace, to)
    ports.set(port, target)
    return target
  }

  /** A Service or one of its slices changed. */
  changed(namespace: string, service: string): void {
    this.#known.delete(`${namespace}/${service}`)
  }

  /** Only these Services are of use to a route: what is known of others is forgotten. */
  keep(services: ReadonlySet<string>): void {
    for (const key of this.#known.keys()) if (!services.has(key)) this.#known.delete(key)
    for (const key of this.#endpoints.keys()) if (!services.has(key)) this.#endpoints.delete(key)
  }

  #look(key: string, namespace: string, to: ServicePort): Target {
    const service = this.#services.get(namespace, to.service)
    const ports = listAt(service, 'spec', 'ports')
    const port = ports.find(one =>
      to.portName === undefined ? numberAt(one, 'port') === to.port : textAt(one, 'name') === to.portName,
    )
    const wire = wires[textAt(port, 'appProtocol') ?? ''] ?? 'http'
    if (service !== undefined && textAt(service, 'spec', 'type') === 'ExternalName') return outsideOf(service, to, wire)
    if (port === undefined && service !== undefined) {
      const named = to.portName === undefined ? `port ${to.port}` : `portName ${JSON.stringify(to.portName)}`
      const known = ports.map(one => `${textAt(one, 'name') ?? ''} ${numberAt(one, 'port') ?? ''}`.trim()).join(', ')
      return { wire, endpoints: [], problem: `${named} is no port of Service ${key}, which has ${known || 'none'}` }
    }
    if (service === undefined && to.portName !== undefined)
      return {
        wire,
        endpoints: [],
        problem: `there is no Service ${key}, which would say what port ${JSON.stringify(to.portName)} is`,
      }
    return { wire, endpoints: this.#endpointsOf(key, namespace, to, textAt(port, 'name') ?? '') }
  }

  /** Those that were known stay the same values, so that their numbers go on. */
  #endpointsOf(key: string, namespace: string, to: ServicePort, portName: string): readonly Endpoint[] {
    const before = new Map((this.#endpoints.get(key) ?? []).map(endpoint => [endpoint.authority, endpoint]))
    const found = new Map<string, Endpoint>()
    for (const slice of this.#slicesOf(namespace, to.service)) {
      if (at(slice, 'addressType') === 'FQDN') continue
      const ports = listAt(slice, 'ports')
      const port = ports.find(one => (textAt(one, 'name') ?? '') === portName) ?? (ports.length === 1 ? ports[0] : undefined)
      const number = numberAt(port, 'port') ?? to.port
      if (number === undefined) continue
      for (const endpoint of listAt(slice, 'endpoints')) {
        const [address] = listAt(endpoint, 'addresses')
        // What says nothing of it is ready.
        if (at(endpoint, 'conditions', 'ready') === false || typeof address !== 'string') continue
        const authority = authorityOf(address, number)
        if (!found.has(authority)) found.set(authority, before.get(authority) ?? endpointAt(address, number))
      }
    }
    const endpoints = [...found.values()]
    // Other ports of the Service have endpoints of their own.
    this.#endpoints.set(key, [...new Map([...before, ...found]).values()].slice(-mostKept))
    return endpoints
  }
}

/** Endpoints of one Service whose numbers are remembered while they are away. */
const mostKept = 10_000

/** By the label of a slice; undefined: it is of no Service, or leads to ourselves in a sleeping target's place. */
export function serviceOf(slice: KubeObject): string | undefined {
  if (slice.metadata.labels?.[managedByLabel] === ownManager) return undefined
  return slice.metadata.labels?.[serviceLabel]
}

/** The one of the least requests; of equals the first after `turn`, which goes round. */
export function leastBusy(endpoints: readonly Endpoint[], turn: number): Endpoint | undefined {
  let best: Endpoint | undefined
  const start = endpoints.length === 0 ? 0 : turn % endpoints.length
  for (let step = 0; step < endpoints.length; step++) {
    const one = endpoints[(start + step) % endpoints.length]
    if (one === undefined) continue
    if (one.inFlight === 0) return one
    if (best === undefined || one.inFlight < best.inFlight) best = one
  }
  return best
}

function endpointAt(host: string, port: number): Endpoint {
  return { host, port, authority: authorityOf(host, port), inFlight: 0 }
}

function authorityOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function outsideOf(service: KubeObject, to: ServicePort, wire: Wire): Target {
  const name = textAt(service, 'spec', 'externalName')
  const named = listAt(service, 'spec', 'ports').find(one => textAt(one, 'name') === to.portName)
  const port = to.port ?? numberAt(named, 'port')
  const { namespace, name: own } = service.metadata
  if (name === undefined || port === undefined)
    return { wire, endpoints: [], problem: `Service ${namespace}/${own} of type ExternalName has no name, or not that port` }
  return { wire, endpoints: [], outside: endpointAt(name, port) }
}
