// The port of requests: HAProxy's where there is one, else the gateway's own, and the gateway's own again where HAProxy ended.
import { networkInterfaces } from 'node:os'
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { progressPath } from '../cold/wait-page.ts'
import type { GatewayConfig } from '../config.ts'
import type { Exchanges } from '../proxy/exchanges.ts'
import { FrontDoor } from '../proxy/front-door.ts'
import type { RequestMetrics } from '../proxy/request-metrics.ts'
import type { ProxySettings } from '../proxy/settings.ts'
import type { CarriedRequest } from './carried-lines.ts'
import { HaproxyPlane } from './haproxy-plane.ts'
import { connectionsWithin, descriptorLimit, haproxyTrouble, memoryLimit } from './haproxy-program.ts'
import { type WarmRoute, warmRoute } from './warm-routes.ts'

/** A HAProxy that ended is started again after so long, each time after twice as long. */
const firstRestartMs = 10_000
const longestRestartMs = 600_000

interface TrafficOptions {
  readonly clock: Clock
  readonly log: Log
  readonly config: Pick<GatewayConfig, 'bind' | 'ports' | 'dataPlane' | 'accessLog' | 'proxyProtocol'>
  readonly settings: ProxySettings
  readonly exchanges: Exchanges
  readonly metrics: RequestMetrics | undefined
  readonly door: ConstructorParameters<typeof FrontDoor>[0]
  /** The door that listens at the port until this one does. */
  readonly before?: Pick<TrafficDoor, 'heritage'> | undefined
}

export interface TrafficDoor extends AsyncDisposable {
  /** @returns the port. @throws Error where it is taken; InputError where HAProxy is asked for and cannot be had */
  listen(): Promise<number>
  /** The process ends soon: connections are taken as before, and none is kept after its answer. */
  ends(): Promise<void>
  /** No connection is taken any more; those without a request end. HAProxy is waited for, at the latest `mostMs` or until `signal` aborts. */
  close(mostMs: number, signal: AbortSignal): Promise<void>
  /** What health says of it: `; HAProxy carries 12 routes`. */
  readonly state: string
  /** HAProxy has the port. */
  readonly isByHaproxy: boolean
  /** Where HAProxy hands its listening sockets over; undefined: it has none. */
  readonly heritage: string | undefined
  /** Whether somebody has the port: from the end of `listen` to `close`, but for a HAProxy that ended and has no successor. */
  readonly isListening: boolean
}

export function trafficDoor(options: TrafficOptions): TrafficDoor {
  const { clock, log, config, settings, exchanges, metrics, door, before } = options
  const isBeside = before !== undefined
  const host = config.bind === '' ? undefined : config.bind
  const own = new FrontDoor(door)
  const inner: FrontDoor[] = []
  let plane: HaproxyPlane | undefined
  /** What a HAProxy that ended leaves behind is taken away. */
  let tidied = Promise.resolve()
  let state = ''
  let isClosed = false
  let cancelRestart: Cancel | undefined
  let restartMs = firstRestartMs
  let isListening = false
  let carried = 0
  const onTurn = () => plane?.changed()

  function warmRoutes(): readonly WarmRoute[] {
    const hosts = exchanges.plainHosts()
    const found: WarmRoute[] = []
    for (const { route } of exchanges.entries()) {
      const now = {
        route,
        target: exchanges.targets.of(route.namespace, route.target),
        waiting: exchanges.room.waiting(route.key),
        plainHosts: hosts.get(route.key) ?? [],
      }
      const judged = warmRoute(now, settings)
      if (!('why' in judged)) found.push(judged)
    }
    carried = found.length
    return found
  }

  function onCarried({ key, method, status, seconds }: CarriedRequest): void {
    const route = exchanges.entry(key)?.route
    if (route !== undefined) metrics?.answered(method, status, route, seconds)
  }

  async function openDoors({ decide, again }: { readonly decide: readonly string[]; readonly again: string }): Promise<void> {
    for (const path of [...decide, again]) {
      const one = new FrontDoor({ ...door, proxyProtocol: true, isForwarded: path === again })
      inner.push(one)
      await one.listenAt(path)
    }
  }

  /** Requests that come from now on are the gateway's own. */
  function takeOver(port: number, why: string): void {
    const ended = plane
    plane = undefined
    if (ended !== undefined)
      tidied = ended[Symbol.asyncDispose]().catch((error: unknown) => {
        log.warn({ why: messageOf(error) }, 'files of HAProxy are left')
      })
    exchanges.onTurn.delete(onTurn)
    isListening = false
    state = '; HAProxy ended: the gateway carries all requests itself'
    log.error({ why }, 'HAProxy ended: the gateway carries all requests itself until HAProxy is started again')
    for (const one of inner.splice(0)) one.destroy()
    if (isClosed) return
    own.listen(port, host, { isBeside: true }).then(
      () => {
        isListening = true
      },
      (error: unknown) => {
        state = `; HAProxy ended, and nobody listens at port ${port}`
        log.error({ port, why: messageOf(error) }, 'the port of requests cannot be taken back')
      },
    )
    cancelRestart = clock.schedule(restartMs, () => void startAgain(port))
    restartMs = Math.min(longestRestartMs, restartMs * 2)
  }

  /** Both have the port until HAProxy has it alone; what came to the gateway stays there. */
  async function startAgain(port: number): Promise<void> {
    try {
      await startPlane(port, undefined)
      if (isClosed) {
        await plane?.[Symbol.asyncDispose]()
        return
      }
      isListening = true
      own.close()
      log.info({ port }, 'HAProxy is started again, and carries requests')
    } catch (error) {
      for (const one of inner.splice(0)) one.destroy()
      if (isClosed) return
      log.warn({ why: messageOf(error) }, 'HAProxy does not start again: it is tried later')
      cancelRestart = clock.schedule(restartMs, () => void startAgain(port))
      restartMs = Math.min(longestRestartMs, restartMs * 2)
    }
  }

  /** `heirOf`: where an older HAProxy hands its listening sockets over. @throws Error where HAProxy does not start */
  async function startPlane(port: number, heirOf: string | undefined): Promise<void> {
    plane = await HaproxyPlane.start({
      ...{ clock, log, counts: exchanges.counts.carrier(), warmRoutes, openDoors },
      binds: bindsOf(host, port),
      proxyProtocol: config.proxyProtocol,
      connectMs: settings.connectMs,
      responseHeaderMs: settings.responseHeaderMs,
      coldStartHeader: settings.coldStartHeader,
      mostConnections: connectionsWithin(descriptorLimit(), memoryLimit()),
      progressPath,
      heirOf,
      onGone: why => takeOver(port, why),
      ...(metrics === undefined ? {} : { onCarried }),
    })
    exchanges.onTurn.add(onTurn)
  }

  /** Why HAProxy is not to carry requests; undefined: it is. */
  async function trouble(): Promise<string | undefined> {
    if (config.dataPlane === 'builtin') return 'dataPlane is builtin'
    // It would have to be written from two places.
    if (config.accessLog) return 'accessLog has every request, and only the gateway itself writes it'
    return await haproxyTrouble()
  }

  return {
    get state() {
      return plane === undefined ? state : `; HAProxy carries ${carried} routes`
    },
    get isByHaproxy() {
      return plane !== undefined
    },
    get heritage() {
      return plane?.heritage
    },
    get isListening() {
      return isListening && !isClosed
    },
    listen: async () => {
      const why = await trouble()
      if (why !== undefined && config.dataPlane === 'haproxy')
        throw new InputError([
          { code: 'data-plane', where: 'capabilities.gateway.dataPlane', found: 'haproxy', expected: `builtin: ${why}` },
        ])
      if (why === undefined) {
        try {
          const port = config.ports.traffic === 0 ? await freePort(door, host) : config.ports.traffic
          await startPlane(port, before?.heritage)
          isListening = true
          return port
        } catch (error) {
          for (const one of inner.splice(0)) one.destroy()
          if (config.dataPlane === 'haproxy') throw error
          log.warn({ why: messageOf(error) }, 'HAProxy does not start: the gateway carries all requests itself')
        }
      }
      const port = await own.listen(config.ports.traffic, host, { isBeside })
      isListening = true
      return port
    },
    ends: async () => await plane?.ends(),
    close: async (mostMs, signal) => {
      isClosed = true
      cancelRestart?.()
      own.close()
      await plane?.drain(mostMs, signal)
      for (const one of inner) one.close()
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true
      cancelRestart?.()
      exchanges.onTurn.delete(onTurn)
      await plane?.[Symbol.asyncDispose]()
      await tidied
      own.destroy()
      for (const one of inner) one.destroy()
    },
  }
}

/** As HAProxy writes addresses; of both families where nobody says which. */
function bindsOf(host: string | undefined, port: number): readonly string[] {
  if (host !== undefined) return [`${host.includes(':') ? `[${host}]` : host}:${port}`]
  const hasIpv6 = Object.values(networkInterfaces()).some(all => all?.some(({ family }) => family === 'IPv6') === true)
  return [`0.0.0.0:${port}`, ...(hasIpv6 ? [`[::]:${port} v6only`] : [])]
}

/** HAProxy does not say which port it was given: one that is free a moment before. */
async function freePort(door: TrafficOptions['door'], host: string | undefined): Promise<number> {
  const tried = new FrontDoor(door)
  const port = await tried.listen(0, host)
  tried.destroy()
  return port
}
