// What one request sees of the others: routes, targets, who waits, how it is forwarded.
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Reception } from '../cold/reception.ts'
import type { RequestCounts } from '../counts/request-counts.ts'
import type { Endpoint, Targets } from '../endpoints/targets.ts'
import type { WaitingRoom } from '../holding/waiting-room.ts'
import type { Route, StaticRoute } from '../routing/route.ts'
import type { RuleTable } from '../routing/routing-table.ts'
import type { Http1Forwarder } from './forward-http1.ts'
import type { Http2Forwarder } from './forward-http2.ts'
import type { BodyTexts } from './own-answers.ts'
import type { RequestMetrics } from './request-metrics.ts'
import type { ProxySettings } from './settings.ts'

/** A route and what this process has of it. */
export interface RouteEntry {
  /** As it was written last. */
  route: Route
  statics: RuleTable<StaticRoute> | undefined
  /** Requests that are with the target. */
  inFlight: number
  /** Requests that were let go since `pacedMs`. */
  released: number
  pacedMs: number
}

export interface ExchangeWorld {
  readonly clock: Clock
  readonly log: Log
  readonly counts: RequestCounts
  readonly targets: Targets
  readonly texts: BodyTexts
  readonly settings: ProxySettings
  readonly metrics: RequestMetrics | undefined
  readonly forwarders: { readonly http1: Http1Forwarder; readonly http2: Http2Forwarder }
  readonly room: WaitingRoom
  /** What is done for those that wait; absent: they wait. */
  readonly reception: Reception | undefined
  /** Ends connections that speak another protocol. */
  readonly spliced: Set<() => void>
  isReady(entry: RouteEntry): boolean
  entry(key: string): RouteEntry | undefined
  /** Endpoints that may get requests. */
  readyEndpoints(entry: RouteEntry): readonly Endpoint[]
  /** Goes round, so that endpoints that are alike take turns. */
  nextTurn(): number
  /** One that waited is gone. */
  left(entry: RouteEntry): void
  /** A request waits now. */
  held(entry: RouteEntry): void
  /** Lets go of those that wait, as many as the target can take. */
  advance(entry: RouteEntry): void
  /** Seconds after which another try is worth it. */
  retryAfterSeconds(entry: RouteEntry): number
  /** Somebody wants the target who does not wait for it: it is counted as one request for a while. */
  linger(entry: RouteEntry): void
}
