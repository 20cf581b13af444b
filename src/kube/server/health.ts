// The health and metrics endpoint of a process: /healthz, /livez, /readyz, single checks below them, /metrics.
// What is checked is handed in; a failure's reason is logged and never shown, for anybody may ask.

import type { Registry } from 'prom-client'
import { type Clock, systemClock } from '../clock.ts'
import { type Log, messageOf } from '../log.ts'
import { Front, type Listening } from './front/front.ts'
import { paced } from './front/paced.ts'

export interface HealthCheck {
  /** `/readyz/<name>` asks this one alone; `?exclude=<name>` leaves it out. */
  readonly name: string
  /** `/readyz/<group>` asks all of a group: the parts of a capability. */
  readonly group?: string
  /** False: shown and asked by name, but the whole does not depend on it, as with a part that is quarantined. */
  readonly isGating?: boolean
  /** How it stands, in words without secrets: shown to whoever asks for `verbose`, or where it failed. */
  readonly state?: string
  /** `undefined` when all is well, else why not. */
  check(): string | undefined
}

export interface HealthOptions {
  readonly live: () => readonly HealthCheck[]
  readonly ready: () => readonly HealthCheck[]
  /** `/healthz`; as `live` unless given. */
  readonly healthy?: () => readonly HealthCheck[]
  readonly metrics: Pick<Registry, 'metrics' | 'contentType'>
  /** Further paths, such as those that an upstream's probes ask; what has to be asked for first must bound that itself. */
  readonly also?: Readonly<Record<string, () => FurtherReply | Promise<FurtherReply>>>
  readonly log: Log
}

/** An answer at a further path; plain text unless it says otherwise. */
interface FurtherReply {
  readonly status: number
  readonly body: string
  readonly contentType?: string
}

interface HealthReply {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

const plainText = 'text/plain; charset=utf-8'

/** Answers a GET of `target` (path and query). No sockets; never throws. */
export async function answerHealth(options: HealthOptions, method: string, target: string): Promise<HealthReply> {
  const url = URL.parse(target, 'http://health')
  if (url === null) return reply(400, 'bad path\n')
  if (method !== 'GET' && method !== 'HEAD') return reply(405, 'only GET is answered\n')
  if (url.pathname === '/metrics') return metricsReply(options)
  const { also = {} } = options
  const further = Object.hasOwn(also, url.pathname) ? await also[url.pathname]?.() : undefined
  if (further !== undefined) return { contentType: plainText, ...further }
  const [, endpoint = '', name = '', ...rest] = url.pathname.split('/')
  if (rest.length > 0) return notFound
  switch (endpoint) {
    case 'healthz':
      return checksReply((options.healthy ?? options.live)(), { endpoint, name, url, log: options.log })
    case 'livez':
      return checksReply(options.live(), { endpoint, name, url, log: options.log })
    case 'readyz':
      return checksReply(options.ready(), { endpoint, name, url, log: options.log })
    default:
      return notFound
  }
}

function reply(status: number, body: string): HealthReply {
  return { status, contentType: plainText, body }
}

const notFound: HealthReply = reply(404, 'not found\n')

async function metricsReply({ metrics, log }: HealthOptions): Promise<HealthReply> {
  try {
    return { status: 200, contentType: metrics.contentType, body: await metrics.metrics() }
  } catch (error) {
    log.error({ err: messageOf(error) }, 'metrics could not be collected')
    return reply(500, 'metrics could not be collected\n')
  }
}

interface Asked {
  readonly endpoint: string
  /** Name of one check or group; empty for the whole. */
  readonly name: string
  readonly url: URL
  readonly log: Log
}

function checksReply(checks: readonly HealthCheck[], asked: Asked): HealthReply {
  const excluded = new Set(asked.url.searchParams.getAll('exclude'))
  const chosen = checks.filter(check =>
    asked.name === '' ? !excluded.has(check.name) : check.name === asked.name || check.group === asked.name,
  )
  if (asked.name !== '' && chosen.length === 0) return notFound
  const outcomes = chosen.map(check => ({ check, failure: failureOf(check) }))
  const failed = outcomes.filter(({ check, failure }) => failure !== undefined && (asked.name !== '' || check.isGating !== false))
  for (const { check, failure } of failed)
    asked.log.info({ endpoint: asked.endpoint, check: check.name, because: failure }, 'health check failed')
  if (failed.length === 0 && !asked.url.searchParams.has('verbose')) return reply(200, 'ok')
  const lines = outcomes.map(({ check, failure }) => {
    if (failure === undefined) return `[+]${check.name} ok${check.state === undefined ? '' : `: ${check.state}`}\n`
    return `[-]${check.name} failed: ${check.state ?? 'reason withheld'}${check.isGating === false ? ' (not counted)' : ''}\n`
  })
  return reply(
    failed.length === 0 ? 200 : 500,
    `${lines.join('')}${asked.endpoint} check ${failed.length === 0 ? 'passed' : 'failed'}\n`,
  )
}

function failureOf(check: HealthCheck): string | undefined {
  try {
    return check.check()
  } catch (error) {
    return messageOf(error)
  }
}

/** A liveness check that fails where the event loop has not turned for ten seconds. Disposing of it ends its timer. */
export function eventLoopCheck(clock: Clock): HealthCheck & Disposable {
  const everyMs = 1_000
  const longestMs = 10_000
  let turnedMs = clock.elapsed()
  const turn = (): void => {
    turnedMs = clock.elapsed()
    cancel = clock.schedule(everyMs, turn)
  }
  let cancel = clock.schedule(everyMs, turn)
  return {
    name: 'event-loop',
    check() {
      const stillMs = clock.elapsed() - turnedMs
      return stillMs > longestMs ? `no turn for ${Math.round(stillMs)} ms` : undefined
    },
    [Symbol.dispose]: () => cancel(),
  }
}

interface HealthServer extends AsyncDisposable {
  readonly port: number
}

const connectionsLimit = 200
const headersMs = 10_000
/** Prometheus keeps a connection between two scrapes, which are a minute apart or less. */
const quietMs = 100_000

/**
 * Listens on `port` (0: any free one) until disposed of, in the thread of `front` or one of its own. Bodies of requests are not read. Probes
 * are answered in time while this loop is busy; metrics are collected for at most a tenth of its time.
 */
export async function startHealthServer(
  options: HealthOptions & { readonly port: number; readonly host?: string; readonly front?: Listening },
): Promise<HealthServer> {
  const { port, host, also = {}, log } = options
  await using opening = new AsyncDisposableStack()
  const front = options.front ?? opening.use(new Front({ clock: systemClock, log }))
  const metrics = { contentType: options.metrics.contentType, metrics: paced(() => options.metrics.metrics(), systemClock) }
  const probes = {
    '/livez': 'live',
    '/healthz': 'live',
    '/readyz': 'ready',
    ...Object.fromEntries(Object.keys(also).map(path => [path, 'live'] as const)),
  } as const
  const listener = opening.use(
    await front.listen(
      {
        name: 'health',
        port,
        connections: connectionsLimit,
        quietMs,
        headMs: headersMs,
        probes,
        ...(host === undefined ? {} : { host }),
      },
      async ({ method, url }) => {
        const { status, contentType, body } = await answerHealth({ ...options, metrics }, method, url)
        return { status, headers: { 'content-type': contentType }, body }
      },
    ),
  )
  const opened = opening.move()
  return { port: listener.port, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** Metrics alone, at `port` of `front` until disposed of: for a port that others reach, while health is asked from this machine only. */
export async function startMetricsServer(
  options: Pick<HealthOptions, 'metrics' | 'log'> & { readonly port: number; readonly host?: string; readonly front: Listening },
): Promise<HealthServer> {
  const { port, host, front, log } = options
  const metrics = { contentType: options.metrics.contentType, metrics: paced(() => options.metrics.metrics(), systemClock) }
  const listener = await front.listen(
    {
      name: 'metrics',
      port,
      connections: connectionsLimit,
      quietMs,
      headMs: headersMs,
      ...(host === undefined ? {} : { host }),
    },
    async ({ method, url }) => {
      const isAsked = URL.parse(url, 'http://metrics')?.pathname === '/metrics'
      const answer = { metrics, log, live: () => [], ready: () => [] }
      const { status, contentType, body } = isAsked ? await answerHealth(answer, method, url) : notFound
      return { status, headers: { 'content-type': contentType }, body }
    },
  )
  return { port: listener.port, [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose]() }
}
