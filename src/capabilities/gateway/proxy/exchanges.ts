// All requests of this process: their routes, their targets, and those that wait.
import type { Cancel, Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Reception } from '../cold/reception.ts'
import { progressSubject } from '../cold/wait-page.ts'
import type { Presence, RequestCounts } from '../counts/request-counts.ts'
import type { Endpoint, Targets } from '../endpoints/targets.ts'
import { WaitingRoom } from '../holding/waiting-room.ts'
import type { Route, StaticRoute } from '../routing/route.ts'
import { RuleTable, routingTable } from '../routing/routing-table.ts'
import type { Caller } from './caller.ts'
import { Exchange } from './exchange.ts'
import type { ExchangeWorld, RouteEntry } from './exchange-world.ts'
import type { Http1Forwarder } from './forward-http1.ts'
import type { Http2Forwarder } from './forward-http2.ts'
import { answerText, type BodyTexts } from './own-answers.ts'
import { valuesOf } from './request-head.ts'
import type { RequestMetrics } from './request-metrics.ts'
import type { ProxySettings } from './settings.ts'

/** Requests that one endpoint gets at once after a start, where its route says no number: what upstream takes as one. */
const standardConcurrency = 100
/** Requests that wait are let go by the second, also where those before them have not ended: they may be streams. */
const paceMs = 1_000
/** Who got an answer of ours in the target's place keeps it starting for so long, unless it is ready before. */
const lingerMs = 30_000
/** Where nothing better is known. */
const standardRetrySeconds = 10

interface ExchangesOptions {
  readonly clock: Clock
  readonly log: Log
  readonly counts: RequestCounts
  readonly targets: Targets
  readonly texts: BodyTexts
  readonly settings: ProxySettings
  readonly metrics?: RequestMetrics | undefined
  readonly forwarders: { readonly http1: Http1Forwarder; readonly http2: Http2Forwarder }
}

export class Exchanges implements ExchangeWorld, AsyncDisposable {
  readonly clock: Clock
  readonly log: Log
  readonly counts: RequestCounts
  readonly targets: Targets
  readonly texts: BodyTexts
  settings: ProxySettings
  readonly metrics: RequestMetrics | undefined
  readonly forwarders: ExchangesOptions['forwarders']
  readonly room: WaitingRoom
  reception: Reception | undefined
  /** A target is wanted that sleeps. */
  onWanted: (() => void) | undefined
  /** Whether requests of some route need a decision may have changed. */
  readonly onTurn = new Set<() => void>()
  /** Ends connections that speak another protocol. */
  readonly spliced = new Set<() => void>()
  #table = routingTable([])
  readonly #entries = new Map<string, RouteEntry>()
  /** Routes by `namespace/service` of their target. */
  readonly #byService = new Map<string, Set<RouteEntry>>()
  readonly #lingering = new Map<string, { readonly presence: Presence; cancel: Cancel }>()
  readonly #pacing = new Map<string, Cancel>()
  #turn = 0

  constructor(options: ExchangesOptions) {
    this.clock = options.clock
    this.log = options.log
    this.counts = options.counts
    this.targets = options.targets
    this.texts = options.texts
    this.settings = options.settings
    this.metrics = options.metrics
    this.forwarders = options.forwarders
    this.room = new WaitingRoom(options.settings.bounds, key => this.#roomFor(key))
  }

  /** They hold from the next decision on, also about requests that are under way. */
  useSettings(settings: ProxySettings): void {
    this.settings = settings
    this.room.useBounds(settings.bounds)
  }

  /** Exactly these routes from now on. */
  setRoutes(routes: readonly Route[]): void {
    const keys = new Set(routes.map(({ key }) => key))
    for (const [key, { route }] of this.#entries) if (!keys.has(key)) this.#remove(key, route)
    for (const route of routes) {
      const before = this.#entries.get(route.key)
      if (before?.route === route) continue
      const statics = staticsOf(route)
      if (before === undefined) this.#entries.set(route.key, newEntry(route, statics, this.clock.elapsed()))
      else Object.assign(before, { route, statics })
    }
    this.#byService.clear()
    for (const entry of this.#entries.values()) {
      const service = `${entry.route.namespace}/${entry.route.target.service}`
      const those = this.#byService.get(service)
      if (those === undefined) this.#byService.set(service, new Set([entry]))
      else those.add(entry)
    }
    this.counts.keep(keys)
    this.#table = routingTable([...this.#entries.values()].map(({ route }) => route))
    this.targets.keep(servicesOf(routes))
    for (const entry of this.#entries.values()) this.advance(entry)
    this.#turned()
  }

  /** Hosts that lead to a route whatever path and headers a request has, by the route's key. */
  plainHosts(): ReadonlyMap<string, readonly string[]> {
    const hosts = new Map<string, string[]>()
    for (const [host, { key }] of this.#table.plainHosts()) {
      const known = hosts.get(key)
      if (known === undefined) hosts.set(key, [host])
      else known.push(host)
    }
    return hosts
  }

  /** A Service or its endpoints changed. */
  serviceChanged(namespace: string, service: string): void {
    this.targets.changed(namespace, service)
    for (const entry of this.#byService.get(`${namespace}/${service}`) ?? []) {
      if (this.isReady(entry)) this.#stopLingering(entry.route.key)
      this.reception?.look(entry.route.key)
      this.advance(entry)
      this.#turned()
    }
  }

  handle(caller: Caller): void {
    const { head } = caller
    const subject = this.reception === undefined ? undefined : progressSubject(head.target)
    if (subject !== undefined && head.method === 'GET' && this.#followed(caller, subject)) return
    const route = this.#table.find(head.host, head.path, name => valuesOf(head, name))
    new Exchange(this, caller).start(route === undefined ? undefined : this.#entries.get(route.key))
  }

  /** A page that waits asks how far the start is: the target never sees that. */
  #followed(caller: Caller, subject: string): boolean {
    const { head } = caller
    const path = subject.replace(/[?#].*$/s, '')
    const route = this.#table.find(head.host, path, name => valuesOf(head, name))
    if (route === undefined || route.hints.waiting !== 'page') return false
    const entry = this.#entries.get(route.key)
    if (entry === undefined || this.reception === undefined) return false
    if (!this.isReady(entry)) this.linger(entry)
    if (!this.reception.pages.open(route.key, caller)) answerText(caller, 503, ['Retry-After', '5'])
    return true
  }

  entries(): Iterable<RouteEntry> {
    return this.#entries.values()
  }

  entry(key: string): RouteEntry | undefined {
    return this.#entries.get(key)
  }

  isReady(entry: RouteEntry): boolean {
    const { route } = entry
    return this.readyEndpoints(entry).length > 0 || this.targets.of(route.namespace, route.target).outside !== undefined
  }

  /** Endpoints that may get requests. */
  readyEndpoints({ route }: RouteEntry): readonly Endpoint[] {
    const { endpoints } = this.targets.of(route.namespace, route.target)
    const { warmModel } = route.hints
    if (warmModel === undefined || this.reception === undefined) return endpoints
    return this.reception.warm(route.key, warmModel, endpoints)
  }

  /** Goes round, so that endpoints that are alike take turns. */
  nextTurn(): number {
    this.#turn = (this.#turn + 1) % 0x40000000
    return this.#turn
  }

  /** One that waited is gone: nobody may wait for the start any more. */
  left({ route: { key } }: RouteEntry): void {
    if (this.room.waiting(key) === 0) this.#turned()
    const isWanted = this.room.waiting(key) > 0 || this.#lingering.has(key) || this.counts.of(key).concurrency > 0
    if (!isWanted) this.reception?.starts.abandon(key)
  }

  /** A request waits now. */
  held(entry: RouteEntry): void {
    this.#turned()
    if (this.isReady(entry)) this.advance(entry)
    else this.onWanted?.()
  }

  /** Lets go of those that wait, as many as the target can take. */
  advance({ route: { key } }: RouteEntry): void {
    if (this.room.waiting(key) === 0) return
    this.room.advance(key)
    if (this.room.waiting(key) === 0) this.#turned()
    if (this.room.waiting(key) === 0 || this.#pacing.has(key)) return
    const entry = this.#entries.get(key)
    if (entry === undefined || !this.isReady(entry)) return
    const cancel = this.clock.schedule(paceMs, () => {
      this.#pacing.delete(key)
      const now = this.#entries.get(key)
      if (now !== undefined) this.advance(now)
    })
    this.#pacing.set(key, cancel)
  }

  /** Seconds after which another try is worth it. */
  retryAfterSeconds({ route }: RouteEntry): number {
    return this.reception?.retryAfterSeconds(route.key) ?? standardRetrySeconds
  }

  /** Somebody wants the target who does not wait for it: it is counted as one request for a while. */
  linger(entry: RouteEntry): void {
    const { key } = entry.route
    const known = this.#lingering.get(key)
    known?.cancel()
    const presence = known?.presence ?? this.counts.arrive(key)
    if (known === undefined) this.onWanted?.()
    const cancel = this.clock.schedule(lingerMs, () => this.#stopLingering(key))
    this.#lingering.set(key, { presence, cancel })
  }

  /** Nobody waits any more: those that do are told to come again. */
  endWaiting(): void {
    this.room.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.room.end()
    for (const cancel of this.#pacing.values()) cancel()
    for (const key of [...this.#lingering.keys()]) this.#stopLingering(key)
    for (const end of [...this.spliced]) end()
    this.forwarders.http1[Symbol.dispose]()
    this.forwarders.http2[Symbol.dispose]()
  }

  #turned(): void {
    for (const onTurn of this.onTurn) onTurn()
  }

  #stopLingering(key: string): void {
    const known = this.#lingering.get(key)
    if (known === undefined) return
    known.cancel()
    this.#lingering.delete(key)
    known.presence.leave()
  }

  #remove(key: string, route: Route): void {
    this.#stopLingering(key)
    this.#entries.delete(key)
    this.room.endRoute(key)
    this.metrics?.forget(route)
    this.reception?.forget(key)
  }

  /** What a ready target takes at once, less what it has; and at least that much in every second. */
  #roomFor(key: string): number {
    const entry = this.#entries.get(key)
    if (entry === undefined) return 0
    const { route } = entry
    const { length } = this.readyEndpoints(entry)
    const isOutside = this.targets.of(route.namespace, route.target).outside !== undefined
    const capacity = (route.concurrency ?? standardConcurrency) * (isOutside ? Math.max(1, length) : length)
    if (capacity === 0) return 0
    const nowMs = this.clock.elapsed()
    if (nowMs - entry.pacedMs >= paceMs) {
      entry.pacedMs = nowMs
      entry.released = 0
    }
    const room = Math.max(capacity - entry.inFlight, capacity - entry.released)
    if (room > 0) entry.released++
    return room
  }
}

function newEntry(route: Route, statics: RouteEntry['statics'], nowMs: number): RouteEntry {
  return { route, statics, inFlight: 0, released: 0, pacedMs: nowMs }
}

function staticsOf(route: Route): RuleTable<StaticRoute> | undefined {
  if (route.staticRoutes.length === 0) return undefined
  // The first counts where rules are alike: none is older than another.
  const entries = route.staticRoutes.map(subject => ({ rules: subject.rules, subject }))
  return new RuleTable(entries, () => ({ createdMs: 0, namespace: '', name: '' }))
}

function servicesOf(routes: readonly Route[]): ReadonlySet<string> {
  const services = new Set<string>()
  for (const { namespace, target, fallback } of routes) {
    services.add(`${namespace}/${target.service}`)
    if (fallback !== undefined) services.add(`${namespace}/${fallback.service}`)
  }
  return services
}
