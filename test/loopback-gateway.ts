// A gateway on a port of this machine, whose routes, Services and endpoints a test sets.
import type { TlsOptions } from 'node:tls'
import { Registry } from 'prom-client'
import { type Clock, systemClock, VirtualClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { BootObjects } from '../src/capabilities/gateway/cold/boot-facts.ts'
import { Reception } from '../src/capabilities/gateway/cold/reception.ts'
import { gatewayConfiguration } from '../src/capabilities/gateway/config.ts'
import { RequestCounts } from '../src/capabilities/gateway/counts/request-counts.ts'
import { trafficDoor } from '../src/capabilities/gateway/data-plane/traffic-door.ts'
import { serviceOf, Targets } from '../src/capabilities/gateway/endpoints/targets.ts'
import { standardBounds } from '../src/capabilities/gateway/holding/waiting-room.ts'
import type { Caller } from '../src/capabilities/gateway/proxy/caller.ts'
import { Exchanges } from '../src/capabilities/gateway/proxy/exchanges.ts'
import { Http1Forwarder } from '../src/capabilities/gateway/proxy/forward-http1.ts'
import { Http2Forwarder } from '../src/capabilities/gateway/proxy/forward-http2.ts'
import { FrontDoor } from '../src/capabilities/gateway/proxy/front-door.ts'
import type { Refusal } from '../src/capabilities/gateway/proxy/request-head.ts'
import { requestMetrics } from '../src/capabilities/gateway/proxy/request-metrics.ts'
import type { ProxySettings } from '../src/capabilities/gateway/proxy/settings.ts'
import type { Route } from '../src/capabilities/gateway/routing/route.ts'
import { type DataPlane, triedDataPlane } from './gateway-data-plane.ts'

const standardSettings: ProxySettings = {
  requestMs: 0,
  responseHeaderMs: 300_000,
  readinessMs: 0,
  connectMs: 500,
  coldStartHeader: true,
  accessLog: false,
  mostPending: 0,
  bounds: standardBounds,
  tlsToTargets: false,
}

/** To `service` port 80 of namespace `default`, for every request of `host`. */
export function routeTo(service: string, more: Partial<Route> = {}): Route {
  return {
    key: `default/${service}`,
    namespace: 'default',
    name: service,
    kind: 'InterceptorRoute',
    createdMs: 0,
    rules: [{ hosts: [`${service}.test`], paths: [], headers: [] }],
    target: { service, port: 80 },
    overflow: 'Reject',
    timeouts: {},
    staticRoutes: [],
    concurrency: 100,
    hints: { llm: false, heartbeatJson: false, modelTiers: [], overflowToFallback: false, waiting: 'hold', ownEndpoints: false },
    ...more,
  }
}

/** A Service with one port, 80, and where it leads. */
export function serviceObjects(
  name: string,
  endpoints: readonly { readonly port: number; readonly host?: string }[],
  more: { readonly appProtocol?: string; readonly isReady?: boolean } = {},
): KubeObject[] {
  const { appProtocol, isReady = true } = more
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { ports: [{ name: 'web', port: 80, ...(appProtocol === undefined ? {} : { appProtocol }) }] },
  }
  const slices = endpoints.map(({ port, host = '127.0.0.1' }, at) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-${at}`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'web', port }],
    endpoints: [{ addresses: [host], conditions: { ready: isReady } }],
  }))
  return [service, ...slices]
}

interface LoopbackOptions {
  readonly routes: readonly Route[]
  readonly objects?: readonly KubeObject[]
  readonly settings?: Partial<ProxySettings>
  readonly tls?: TlsOptions
  /** As `tls.connect` takes them, for targets. */
  readonly tlsToTargets?: Readonly<Record<string, unknown>>
  readonly proxyProtocol?: boolean
  readonly log?: Log
  /** Who carries requests to targets that are ready; absent: whom this run of tests tries. */
  readonly dataPlane?: DataPlane
}

/** Takes the place of what a cluster would say: `set` gives all objects anew. */
export async function loopbackGateway(options: LoopbackOptions & { readonly clock?: VirtualClock }) {
  return await gatewayOn(options.clock ?? new VirtualClock(0), options)
}

/** On any clock: the checks with real parts take the machine's. */
export async function gatewayOn<Time extends Clock>(clock: Time, options: LoopbackOptions) {
  const { log = silentLog, dataPlane = triedDataPlane } = options
  const counts = new RequestCounts(clock)
  let objects: readonly KubeObject[] = options.objects ?? []
  const named = (kind: string, namespace: string | undefined, name: string) =>
    objects.find(one => one.kind === kind && one.metadata.namespace === namespace && one.metadata.name === name)
  const targets = new Targets({ get: (namespace, name) => named('Service', namespace, name) }, (namespace, service) =>
    objects.filter(one => one.kind === 'EndpointSlice' && one.metadata.namespace === namespace && serviceOf(one) === service),
  )
  const registry = new Registry()
  const settings = { ...standardSettings, ...options.settings }
  const metrics = requestMetrics(registry, () =>
    [...exchanges.entries()].map(({ route }) => ({
      name: route.name,
      namespace: route.namespace,
      concurrency: counts.of(route.key).concurrency,
      waiting: exchanges.room.waiting(route.key),
    })),
  )
  const exchanges: Exchanges = new Exchanges({
    ...{ clock, log, counts, targets, settings, metrics },
    texts: { get: (namespace, name) => named('ConfigMap', namespace, name) },
    forwarders: {
      http1: new Http1Forwarder({ clock, connectMs: settings.connectMs, tls: options.tlsToTargets }),
      http2: new Http2Forwarder({ clock, connectMs: settings.connectMs }),
    },
  })
  const nothing = { get: () => undefined, list: () => [] }
  const objectsOfBoot: BootObjects = {
    ...{ services: nothing, pods: nothing, deployments: nothing, statefulSets: nothing },
    ...{ nodes: nothing, claims: nothing, scaledObjects: nothing, events: nothing },
  }
  const entryOf = (key: string) => exchanges.entry(key)
  const reception = new Reception({
    ...{ clock, log, metrics: registry, watched: { objects: objectsOfBoot, changing: [] } },
    routeOf: key => entryOf(key)?.route,
    trafficOf: key => {
      const entry = entryOf(key)
      if (entry === undefined) return { endpoints: 0, isAsked: false }
      return { endpoints: targets.of('default', entry.route.target).endpoints.length, isAsked: entry.inFlight > 0 }
    },
    isReady: key => {
      const entry = entryOf(key)
      return entry !== undefined && exchanges.isReady(entry)
    },
    onWanted: key => {
      const entry = entryOf(key)
      if (entry !== undefined) exchanges.linger(entry)
    },
    onWarm: key => {
      const entry = entryOf(key)
      if (entry !== undefined) exchanges.advance(entry)
    },
    onLearned: () => undefined,
  })
  exchanges.reception = reception
  exchanges.setRoutes(options.routes)
  const refused: Refusal[] = []
  let isEnding = false
  let arrived = 0
  const { proxyProtocol = false, tls } = options
  const door = {
    clock,
    onRequest: (caller: Caller) => {
      arrived++
      exchanges.handle(caller)
    },
    onRefused: (refusal: Refusal) => void refused.push(refusal),
    isEnding: () => isEnding,
    proxyProtocol,
    tls,
  }
  const config = gatewayConfiguration.parse({ ports: { traffic: 0 }, bind: '127.0.0.1', proxyProtocol, dataPlane })
  // HAProxy has no clock but the machine's.
  const traffic = trafficDoor({ clock: systemClock, log, config, settings, exchanges, metrics, door })
  // What comes by TLS is the gateway's own in either case.
  const tlsDoor = tls === undefined ? undefined : new FrontDoor(door)
  const port = tlsDoor === undefined ? await traffic.listen() : await tlsDoor.listen(0, '127.0.0.1')
  return {
    ...{ port, clock, counts, exchanges, reception, traffic, tlsDoor, refused, registry },
    set(next: readonly KubeObject[]) {
      objects = next
      const services = new Set(next.map(one => (one.kind === 'EndpointSlice' ? (serviceOf(one) ?? '') : one.metadata.name)))
      for (const { route } of exchanges.entries()) services.add(route.target.service)
      for (const service of services) exchanges.serviceChanged('default', service)
    },
    /** Requests that the gateway itself has got. */
    arrived: () => arrived,
    end: () => {
      isEnding = true
    },
    async [Symbol.asyncDispose]() {
      tlsDoor?.destroy()
      await traffic[Symbol.asyncDispose]()
      reception[Symbol.dispose]()
      await exchanges[Symbol.asyncDispose]()
    },
  }
}
