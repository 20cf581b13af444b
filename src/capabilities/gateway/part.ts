// The data path as a part of `ballast gateway`: every replica runs it.

import { isDeepStrictEqual } from 'node:util'
import type { GatewayContext, Running } from '#coordination/capability.ts'
import { gatewayDoorPort, type RouteStanding } from '#coordination/ports/gateway-door.ts'
import type { Cancel, Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { durationMs } from '#kube/time/duration.ts'
import { startAdmin } from './admin/admin-server.ts'
import { bootObjects } from './cold/boot-needs.ts'
import { Reception } from './cold/reception.ts'
import { StartsTold } from './cold/starts-told.ts'
import { type GatewayConfig, proxySettings } from './config.ts'
import { askPeer, peersIn } from './counts/peers.ts'
import { RequestCounts } from './counts/request-counts.ts'
import { scalerMetrics } from './counts/scaler-metrics.ts'
import { SharedCounts } from './counts/shared-counts.ts'
import { Doors } from './doors.ts'
import { serviceOf, Targets } from './endpoints/targets.ts'
import { httpScaledObjects, interceptorRoutes, responseBodyLabel } from './names.ts'
import { Exchanges } from './proxy/exchanges.ts'
import { Http1Forwarder } from './proxy/forward-http1.ts'
import { Http2Forwarder } from './proxy/forward-http2.ts'
import { requestMetrics } from './proxy/request-metrics.ts'
import { gatewayTls } from './proxy/tls.ts'
import type { Route } from './routing/route.ts'
import { type RouteProblem, routesOf } from './routing/route-of.ts'
import { withServiceHosts } from './routing/service-hosts.ts'
import { askPod } from './scaler/ask-pod.ts'
import { Consents } from './scaler/consent.ts'
import { startScaler } from './scaler/scaler-server.ts'
import { standingReport } from './standing/standing-report.ts'

/** Who moves to other ports waits so long for what is under way: until then nobody listens. */
const longestMoveMs = 1_000
/** It is looked so often whether what was under way has ended. */
const drainLookMs = 50
const serviceIndex = 'service'

type Context = Pick<GatewayContext, 'clock' | 'log' | 'informers' | 'identity' | 'metrics' | 'ports' | 'beside' | 'api'>

/** Where it really listens: 0 in the configuration takes free ports. */
export interface GatewayPorts {
  readonly traffic: number
  readonly tls: number | undefined
  readonly admin: number
  readonly scaler: number
}

export interface RunningGateway extends Running<GatewayConfig> {
  readonly ports: GatewayPorts
  readonly counts: RequestCounts
  readonly exchanges: Exchanges
}

/** Answers requests until it is disposed of; then it drains. @throws Error where a port is taken; InputError for a certificate that is none */
export async function startGateway(
  context: Context,
  given: GatewayConfig,
  signal: AbortSignal,
  { hasScaler = true, mostPending = 0 }: { readonly hasScaler?: boolean; readonly mostPending?: number } = {},
): Promise<RunningGateway> {
  const { clock, log, informers, identity, metrics: registry } = context
  const dial = context.beside?.dial
  const held = (one: GatewayConfig) => (dial === undefined ? one : besideTwin(one))
  let config = held(given)
  const settings = { ...proxySettings(config), mostPending }
  const services = informers.of<KubeObject>(builtIn.services)
  const slices = informers.of<KubeObject>(builtIn.endpointslices)
  const texts = informers.of<KubeObject>(builtIn.configmaps, { labelSelector: `${responseBodyLabel}=true` })
  const kinds = [
    informers.of<KubeObject>(interceptorRoutes, { optional: true }),
    informers.of<KubeObject>(httpScaledObjects, { optional: true }),
  ] as const
  slices.store.addIndex(serviceIndex, slice => [`${slice.metadata.namespace}/${serviceOf(slice)}`])
  const counts = new RequestCounts(clock)
  const targets = new Targets(services.store, (namespace, service) =>
    slices.store.byIndex(serviceIndex, `${namespace}/${service}`),
  )
  const tls = await gatewayTls(config.tls, { clock, log })
  const forwarding = {
    ...{ clock, dial },
    get connectMs() {
      return exchanges.settings.connectMs
    },
    get tls() {
      return doors.toTargets
    },
  }
  const metrics =
    registry === undefined
      ? undefined
      : requestMetrics(registry, () => [...exchanges.entries()].map(({ route }) => routeNow(route)))
  const exchanges: Exchanges = new Exchanges({
    ...{ clock, log, counts, targets, settings, metrics },
    texts: texts.store,
    forwarders: {
      http1: new Http1Forwarder(forwarding),
      http2: new Http2Forwarder(forwarding),
    },
  })
  const routeNow = ({ key, name, namespace }: { key: string; name: string; namespace: string }) => ({
    ...{ name, namespace },
    concurrency: counts.of(key).concurrency,
    waiting: exchanges.room.waiting(key),
  })
  const doors: Doors = new Doors({
    ...{ clock, log, config, tls, mostPending, exchanges, metrics },
    onRefused: ({ status, reason }, address) => log.debug({ status, reason, address }, 'a request is refused'),
  })
  const told = new StartsTold({ clock, log, api: context.api, kinds })
  const reception = new Reception({
    ...{ clock, log, dial, metrics: registry, watched: bootObjects(informers) },
    routeOf: key => exchanges.entry(key)?.route,
    trafficOf: key => {
      const entry = exchanges.entry(key)
      if (entry === undefined) return { endpoints: 0, isAsked: false }
      const { endpoints } = targets.of(entry.route.namespace, entry.route.target)
      return { endpoints: endpoints.length, isAsked: entry.inFlight > 0 }
    },
    isReady: key => {
      const entry = exchanges.entry(key)
      return entry !== undefined && exchanges.isReady(entry)
    },
    onWanted: key => {
      const entry = exchanges.entry(key)
      if (entry !== undefined) exchanges.linger(entry)
    },
    onWarm: key => {
      const entry = exchanges.entry(key)
      if (entry !== undefined) exchanges.advance(entry)
    },
    onLearned: (key, boots) => told.tell(key, boots, signal),
  })
  exchanges.reception = reception
  await informers.allSynced(signal)
  let onNews: (() => void) | undefined
  /** Services whose addresses are hosts of a route. */
  let ownNamed: ReadonlySet<string> = new Set()
  let shadowed: ReadonlyMap<string, Route> = new Map()
  const routes = new RouteKeeper(
    {
      clock,
      look: () => withServiceHosts(routesOf(kinds[0].store.list(), kinds[1].store.list()), services.store, config.clusterDomain),
    },
    ({ routes: all, shadowed: hidden, problems }) => {
      exchanges.setRoutes(all)
      told.recall(
        all.map(({ key }) => key),
        (key, boots) => reception.starts.remember(key, boots),
      )
      ownNamed = new Set(
        all.filter(({ hints }) => hints.ownEndpoints).map(({ namespace, target }) => `${namespace}/${target.service}`),
      )
      shadowed = new Map(hidden.map(route => [route.key, route]))
      for (const { kind, namespace, name, problems: why } of problems)
        log.warn({ kind, namespace, name, why }, 'an object is no route')
    },
  )
  const stops = [
    ...kinds.map(kind => kind.onChange(() => routes.changed())),
    services.onChange(({ object }) => {
      const { namespace = '', name } = object.metadata
      exchanges.serviceChanged(namespace, name)
      if (ownNamed.has(`${namespace}/${name}`)) routes.changed()
    }),
    slices.onChange(({ object }) => exchanges.serviceChanged(object.metadata.namespace ?? '', serviceOf(object) ?? '')),
  ]
  routes.look()
  let isEnding = false
  /** It ends to begin at other ports. */
  let isMoving = false
  const host = config.bind === '' ? undefined : config.bind
  const stack = new AsyncDisposableStack()
  stack.use(exchanges)
  stack.use(reception)
  stack.defer(() => {
    routes.stop()
    for (const stop of stops) stop()
  })
  stack.use(doors)
  try {
    await doors.listen()
    const { traffic, tls: tlsPort } = doors.ports
    const admin = await startAdmin({
      ...{ clock, counts, instance: identity.instance },
      isReady: () => !isEnding && !signal.aborted,
      standing: () =>
        standingReport(standingOf(exchanges, reception), key => exchanges.entry(key)?.route.hints.waiting === 'page'),
      onNews: () => onNews?.(),
      port: config.ports.admin,
      ...(host === undefined ? {} : { host }),
    })
    stack.use(admin)
    const scalerPort = hasScaler ? await answerScalers() : 0
    const ports = { traffic, tls: tlsPort, admin: admin.port, scaler: scalerPort }
    context.ports.offer(gatewayDoorPort, {
      url: `http://${config.bind || 'localhost'}:${traffic}`,
      scalerPort,
      standing: () => ({ answered: 1, late: [], silent: [], routes: standingOf(exchanges, reception) }),
    })
    log.info({ ...ports, routes: routes.number }, 'the gateway listens')
    return {
      ...{ ports, counts, exchanges },
      health: () => [
        {
          name: 'gateway',
          // Who listens at no port is to get no requests.
          ok: doors.isListening,
          state: `${routes.number} routes, ${counts.all} requests, ${exchanges.room.all} of them wait${doors.state}`,
          ...(doors.isListening ? {} : { message: 'nobody listens at the port of requests' }),
        },
      ],
      reconfigure: async next => {
        const changed = held(next)
        isMoving = !isDeepStrictEqual(placeOf(config), placeOf(changed))
        if (isMoving) return 'restart-part'
        await doors.change(changed)
        config = changed
        routes.changed()
        return 'applied'
      },
      [Symbol.asyncDispose]: async () => {
        isEnding = true
        await drained()
        await stack.disposeAsync()
      },
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }

  /** @returns the port. @throws Error where it is taken */
  async function answerScalers(): Promise<number> {
    const shared = new SharedCounts({
      ...{ clock, log, own: counts },
      peers: () => peersIn(slices.store.list(identity.namespace), { own: identity.name, port: config.ports.admin }),
      ask: (peer, path, limit) => askPeer(peer, path, limit),
      ...optional('onRound', registry === undefined ? undefined : scalerMetrics(registry)),
    })
    const consents = stack.use(
      new Consents({
        ...{ clock, log },
        endpointsOf: route => targets.of(route.namespace, route.target).endpoints,
        ask: askPod,
        onChange: key => scaler.changed(key),
      }),
    )
    const scaler = await startScaler({
      ...{ clock, log, own: counts, shared, consents },
      routeOf: (key, kind) => {
        const route = exchanges.entry(key)?.route
        return route?.kind === kind ? route : kind === 'HTTPScaledObject' ? shadowed.get(key) : undefined
      },
      host: host ?? '::',
      port: config.ports.scaler,
    })
    stack.use(scaler)
    stops.push(slices.onChange(() => shared.hurry()))
    onNews = () => shared.hurry()
    exchanges.onWanted = () => shared.tellOthers()
    const asking = new AbortController()
    const askingEnded = shared.run(AbortSignal.any([signal, asking.signal]))
    stack.defer(async () => {
      asking.abort(new DOMException('the gateway ends', 'AbortError'))
      await askingEnded
    })
    return scaler.port
  }

  /** An end that is hurried on ends the wait too. */
  async function waited(ms: number): Promise<void> {
    try {
      await clock.after(ms, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** It goes on for a while, as others send here until they know; then it takes nothing new, and ends what is under way. */
  async function drained(): Promise<void> {
    await doors.ends()
    // Beside a twin, whose clock may have stopped, nobody has to learn of it.
    if (dial === undefined && !isMoving) await waited(durationMs(config.drain.delay))
    const mostMs = Math.min(durationMs(config.drain.timeout), isMoving ? longestMoveMs : Number.POSITIVE_INFINITY)
    const untilMs = clock.elapsed() + mostMs
    await doors.close(mostMs, signal)
    while (counts.all > 0 && clock.elapsed() < untilMs && !signal.aborted) await waited(drainLookMs)
    if (counts.all > 0) log.warn({ requests: counts.all }, 'requests did not end in time, and are cut off')
  }
}

/** Where it listens, also for others than clients: one that listens elsewhere begins anew. */
function placeOf({ ports, bind }: GatewayConfig) {
  return { ports, bind }
}

/** At free ports of loopback, and without a wait for others that would have to learn of its end. */
function besideTwin(config: GatewayConfig): GatewayConfig {
  const ports = { traffic: 0, tls: 0, admin: 0, scaler: 0 }
  return {
    ...config,
    ports,
    bind: '127.0.0.1',
    drain: { delay: '0s', timeout: '0s' },
    tls: { ...config.tls, enabled: false },
    dataPlane: 'builtin',
  }
}

function standingOf(exchanges: Exchanges, { starts }: Reception): ReadonlyMap<string, RouteStanding> {
  const routes = new Map<string, RouteStanding>()
  for (const { route } of exchanges.entries()) {
    const { key } = route
    const progress = starts.progress(key)
    routes.set(key, {
      requests: exchanges.counts.of(key).concurrency,
      held: exchanges.room.waiting(key),
      ...(progress === undefined ? {} : { start: { ...progress, trouble: progress.trouble?.sentence } }),
    })
  }
  return routes
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]?: Value })
}

interface KeeperOptions {
  readonly clock: Clock
  readonly look: () => { readonly routes: readonly { readonly key: string }[]; readonly problems: readonly RouteProblem[] }
}

/** Reads routes again after a change: once, however many changed together. */
class RouteKeeper {
  readonly #options: KeeperOptions
  readonly #use: (found: ReturnType<typeof routesOf>) => void
  #cancel: Cancel | undefined
  number = 0

  constructor(options: KeeperOptions, use: (found: ReturnType<typeof routesOf>) => void) {
    this.#options = options
    this.#use = use
  }

  changed(): void {
    this.#cancel ??= this.#options.clock.schedule(0, () => this.look())
  }

  look(): void {
    this.#cancel = undefined
    const found = this.#options.look() as ReturnType<typeof routesOf>
    this.number = found.routes.length
    this.#use(found)
  }

  stop(): void {
    this.#cancel?.()
  }
}
