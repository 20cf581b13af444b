// Which routes the data plane may carry by itself at this moment, and where to: everything else asks the gateway.
import { isIP } from 'node:net'
import type { Target } from '../endpoints/targets.ts'
import type { Route } from '../routing/route.ts'

/** A route whose requests need no decision. */
export interface WarmRoute {
  readonly key: string
  /** In lower case, without ports. */
  readonly hosts: readonly string[]
  readonly endpoints: readonly { readonly host: string; readonly port: number }[]
  /** Milliseconds until the head of an answer; 0: none; undefined: what the process is told. */
  readonly responseHeaderMs: number | undefined
}

/** What is known of a route beside what it says. */
interface RouteNow {
  readonly route: Route
  readonly target: Target
  /** Requests that wait for it: others go behind them. */
  readonly waiting: number
  /** Hosts that lead to this route whatever path and headers a request has. */
  readonly plainHosts: readonly string[]
}

/** Milliseconds, where a route says nothing; 0: none. */
interface StandardTimes {
  readonly requestMs: number
  readonly responseHeaderMs: number
}

/** What a map of HAProxy can hold; other names are looked up by the gateway. */
const plainName = /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/
/** A longer name is none of DNS, and HAProxy reads the files of its maps by pieces: what is left of a long line would be an entry of its own. */
const longestHost = 253
/** HAProxy also counts the time that a request waits for a pod after it met one that refused: with less the gateway carries the route. */
export const leastPatienceMs = 10_000
/** Addresses of one route that the data plane is told; the gateway itself knows more. */
export const mostTold = 1_000

/** @returns the route as the data plane is told it, or why requests of it ask the gateway */
export function warmRoute(now: RouteNow, standard: StandardTimes): WarmRoute | { readonly why: string } {
  const { route, target, waiting, plainHosts } = now
  const { hints, timeouts, staticRoutes } = route
  const hosts = plainHosts.filter(host => host.length <= longestHost && plainName.test(host))
  if (hosts.length === 0) return { why: 'no host leads to it whatever the path and the headers are' }
  if (hints.llm) return { why: 'the model in the body of a request decides' }
  if (hints.warmModel !== undefined) return { why: 'endpoints have models' }
  if (staticRoutes.some(({ mode }) => mode === 'Always')) return { why: 'rules of it answer by themselves' }
  if ((timeouts.requestMs ?? standard.requestMs) > 0) return { why: 'a request has a time as a whole' }
  const patienceMs = timeouts.responseHeaderMs ?? standard.responseHeaderMs
  if (patienceMs > 0 && patienceMs < leastPatienceMs) return { why: 'its answers have little time' }
  if (target.problem !== undefined) return { why: target.problem }
  if (target.wire !== 'http') return { why: `its target speaks ${target.wire}` }
  if (waiting > 0) return { why: 'requests wait for it' }
  const endpoints = target.endpoints.filter(({ host }) => isIP(host) !== 0).slice(0, mostTold)
  if (endpoints.length === 0) return { why: 'no endpoint is ready' }
  return {
    key: route.key,
    hosts,
    endpoints: endpoints.map(({ host, port }) => ({ host, port })),
    responseHeaderMs: timeouts.responseHeaderMs,
  }
}
