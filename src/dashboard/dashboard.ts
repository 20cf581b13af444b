// The dashboard of one process: what it is given, and how long it listens.
import type { Registry } from 'prom-client'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import type { Random } from '#kube/random.ts'
import { certificatesIn } from '#kube/server/certificate-trust.ts'
import { AccessBook } from './access/access-book.ts'
import { LoopbackDoor } from './access/loopback-door.ts'
import { ProxyDoor } from './access/proxy-door.ts'
import { TokenDoor } from './access/token-door.ts'
import type { Door } from './access/viewer.ts'
import type { Actions } from './actions/actions.ts'
import type { Bundle } from './build/bundle.ts'
import { type DashboardConfiguration, dashboardProblems, hostsOf, isLoopback, parseListen, ringAgeMs } from './configuration.ts'
import type { SettingRow } from './contract.ts'
import { Gate, isSecure } from './http/gate.ts'
import { ownPair, readPair, readPem, watchPair } from './http/own-tls.ts'
import { RequestMetrics } from './http/request-metrics.ts'
import { startServer } from './http/server.ts'
import { pageHtml } from './page/page.ts'
import type { OwnPage, Picture, PictureSource } from './picture.ts'
import { ChangingSource } from './source/changing-source.ts'
import { Hub } from './stream/hub.ts'
import { StreamMetrics } from './stream/stream-metrics.ts'
import type { Viewing } from './views/viewing.ts'

export interface DashboardOptions {
  /** Without `dashboardProblems`, or it is refused. */
  readonly configuration: DashboardConfiguration
  readonly source: PictureSource
  /** Real time: time-outs, sessions, limits of rate. The cluster's time comes with each picture. */
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** The process's API client: for reviews of tokens and rights, and for writes in the modes `loopback` and `proxy`. */
  readonly api: Api
  /** One that speaks with a viewer's own token, in mode `token`. */
  readonly viewerApi: (token: string) => Api
  /** Undefined: the page only reads. Without `actions` in the configuration there are some where a twin is shown. */
  readonly actions: Actions | undefined
  readonly bundle: Bundle
  /** Those of capabilities; shown where they are on. */
  readonly pages?: readonly OwnPage[]
  /** The page as plain text, 100 columns wide, without escapes. */
  readonly terminalView: (picture: Picture, viewing: Viewing) => string
  readonly metrics?: Registry | undefined
  /** Mode `loopback`: demanded once in the address (`/?key=…`), then kept as a cookie. */
  readonly key?: string | undefined
  /** The effective configuration, secrets as dots. */
  readonly settings: readonly SettingRow[]
  readonly version?: string
  /** Told when the port of the configuration was taken and another was used. */
  readonly onOtherPort?: ((ports: { readonly wanted: number; readonly used: number }) => void) | undefined
}

export interface Dashboard extends AsyncDisposable {
  /** `http://127.0.0.1:8080/`; with `?key=…` where one is demanded. */
  readonly url: string
  readonly port: number
  /** Shows another source from now on: the twin once it is loaded, a cluster after a reset. Streams get a new epoch. */
  show(source: PictureSource): void
}

/** Listens and serves until disposed of. @throws InputError where the configuration is not to be started; Error where no port is free */
export async function openDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { configuration, clock, log } = options
  const problems = dashboardProblems(configuration)
  if (problems.length > 0) throw new InputError(problems)
  const listen = parseListen(configuration.listen) ?? { host: '127.0.0.1', port: 8080 }
  await using opening = new AsyncDisposableStack()
  const ending = new AbortController()
  const source = new ChangingSource(options.source, options.pages)
  const { streams, streamsPerViewer, ring } = configuration.limits
  const hub = new Hub({
    source,
    wallClock: clock,
    log,
    metrics: options.metrics === undefined ? undefined : new StreamMetrics(options.metrics),
    limits: { streams, streamsPerViewer, ring: { events: ring.events, bytes: ring.bytes, ageMs: ringAgeMs(configuration) } },
  })
  const port = { current: listen.port }
  const { door, tokens, clientAuthority } = await doorOf(options, ending.signal, () => port.current)
  if (tokens !== undefined) opening.use(tokens)
  const isActing = (picture: Picture) => options.actions !== undefined && (configuration.actions ?? picture.mode === 'twin')
  const metrics = options.metrics === undefined ? undefined : new RequestMetrics(options.metrics)
  const { settings, bundle, terminalView, version = 'unknown' } = options
  const gate = new Gate({
    ...{
      configuration,
      source,
      hub,
      clock,
      log,
      metrics,
      door,
      tokens,
      isActing,
      bundle,
      terminalView,
      pageHtml,
      settings,
      version,
    },
    access: new AccessBook({ clock, isActing, displayZone: configuration.timeZone }),
    actions: configuration.actions === false ? undefined : options.actions,
    signal: ending.signal,
  })
  const pair = await pairOf(configuration, clock.now())
  const { basePath } = configuration
  const tls = pair === undefined ? undefined : { ...pair, clientAuthority }
  const server = opening.use(await startServer({ gate, source, basePath, clock, log, metrics, tls }, listen))
  port.current = server.port
  if (configuration.tls !== undefined)
    opening.use(watchPair(configuration.tls, renewed => server.setCertificate(renewed), { clock, log }))
  if (listen.port !== 0 && server.port !== listen.port) {
    log.warn({ wanted: listen.port, used: server.port }, 'the port of the dashboard is taken: the next free one is used')
    options.onOtherPort?.({ wanted: listen.port, used: server.port })
  }
  // Streams are told before their connections are closed.
  opening.defer(() => {
    hub[Symbol.dispose]()
    ending.abort(new DOMException('the dashboard ends', 'AbortError'))
  })
  const stack = opening.move()
  return {
    url: urlOf(configuration, listen.host, server.port, options.key),
    port: server.port,
    show: next => source.show(next),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

interface Doors {
  readonly door: Door
  readonly tokens: TokenDoor | undefined
  readonly clientAuthority: string | undefined
}

async function doorOf(options: DashboardOptions, signal: AbortSignal, port: () => number): Promise<Doors> {
  const { configuration, api, viewerApi, clock, log, key } = options
  const { mode, proxy, tokenAudiences: audiences } = configuration.auth
  switch (mode) {
    case 'loopback': {
      const { basePath } = configuration
      const door = new LoopbackDoor({ api, clock, signal, basePath, key, cookieName: () => `ballast-${port()}` })
      return { door, tokens: undefined, clientAuthority: undefined }
    }
    case 'token': {
      const tokens = new TokenDoor({ api, viewerApi, audiences, clock, log, signal })
      return { door: tokens, tokens, clientAuthority: undefined }
    }
    case 'proxy': {
      if (proxy === undefined) throw new InputError(dashboardProblems(configuration))
      const { caFile } = proxy
      const clientAuthority = caFile === undefined ? undefined : await readPem(caFile, 'dashboard.auth.proxy.caFile')
      const authorities = clientAuthority === undefined ? [] : certificatesIn(clientAuthority)
      const door = new ProxyDoor({ api, clock, signal, trust: proxy, authorities })
      return { door, tokens: undefined, clientAuthority }
    }
  }
}

/** What is shown to browsers, or to the proxy; undefined: plain HTTP. */
async function pairOf(configuration: DashboardConfiguration, nowMs: number) {
  if (configuration.tls !== undefined) return readPair(configuration.tls)
  return isSecure(configuration) ? ownPair(hostsOf(configuration), nowMs) : undefined
}

function urlOf(configuration: DashboardConfiguration, host: string | undefined, port: number, key: string | undefined): string {
  const named = host === undefined || !isLoopback(host) ? (configuration.allowedHosts?.[0] ?? host ?? 'localhost') : host
  const authority = named.includes(':') ? `[${named}]` : named
  const query = key === undefined || configuration.auth.mode !== 'loopback' ? '' : `?key=${encodeURIComponent(key)}`
  return `${isSecure(configuration) ? 'https' : 'http'}://${authority}:${port}${configuration.basePath}${query}`
}
