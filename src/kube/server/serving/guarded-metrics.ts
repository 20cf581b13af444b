// Metrics for those who may read them, as controller-runtime guards them: by TLS, by what the API server says of who asks, or by both.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Registry } from 'prom-client'
import { type Clock, systemClock } from '../../clock.ts'
import { type Log, messageOf } from '../../log.ts'
import { asAuthenticated } from '../caller.ts'
import { tokenProof } from '../delegated-authentication.ts'
import type { DelegatedReviews, ReviewLives } from '../delegated-reviews.ts'
import type { Listening } from '../front/front.ts'
import type { FrontCall, FrontReply } from '../front/front-messages.ts'
import { paced } from '../front/paced.ts'
import { servingPair, watchedPair } from './serving-pair.ts'

/** What stands before the metrics of a process. */
export interface MetricsGuard {
  /** By TLS, with `tls.crt` and `tls.key` of it, else with a pair of our own; absent: plain HTTP. */
  readonly certificateDirectory?: string
  /** Who asks needs a token, and the right to get `/metrics`; absent: anybody may. */
  readonly reviews?: Pick<DelegatedReviews, 'callerOf' | 'decide'>
}

interface Metrics {
  readonly metrics: Pick<Registry, 'metrics' | 'contentType'>
  readonly log: Log
}

/** As controller-runtime keeps answers of reviews. */
export const guardLives: ReviewLives = { tokenMs: 60_000, allowedMs: 300_000, refusedMs: 30_000 }

const metricsPath = '/metrics'
const connectionsLimit = 200
const headersMs = 10_000
/** Prometheus keeps a connection between two scrapes, which are a minute apart or less. */
const quietMs = 100_000
/** As programs of Go make it: for `localhost`, good for a year, in memory. */
const ownPair = {
  name: 'localhost',
  dnsNames: ['localhost'],
  ipAddresses: ['127.0.0.1'],
  lifeMs: 365 * 86_400_000,
  isWritten: false,
} as const

/**
 * Listens on `port` (0: any free one) until disposed of. Bodies of requests are not read; metrics are collected for at most a tenth of the time.
 * @throws InputError where the files cannot be served; Error where the address is taken
 */
export async function startGuardedMetrics(
  options: MetricsGuard &
    Metrics & {
      readonly port: number
      readonly host?: string
      /** Certificates are judged and renewed by it. */
      readonly clock: Clock
      readonly front: Listening
    },
): Promise<AsyncDisposable & { readonly port: number }> {
  const { port, host, certificateDirectory, clock, log, front } = options
  await using opening = new AsyncDisposableStack()
  const pair =
    certificateDirectory === undefined ? undefined : opening.use(await pairOf(certificateDirectory, host ?? '', { clock, log }))
  const collected = { contentType: options.metrics.contentType, metrics: paced(() => options.metrics.metrics(), systemClock) }
  const listener = opening.use(
    await front.listen(
      {
        name: 'metrics',
        port,
        ...(host === undefined ? {} : { host }),
        ...(pair === undefined ? {} : { tls: pair.current, http2: true }),
        isGuarded: true,
        connections: connectionsLimit,
        quietMs,
        headMs: headersMs,
      },
      call => answerGuarded(call, { ...options, metrics: collected }),
    ),
  )
  pair?.onChange(changed => listener.setCertificate(changed))
  log.info(
    {
      port: listener.port,
      isSecure: pair !== undefined,
      isSelfSigned: pair?.isOwn === true,
      isAsked: options.reviews !== undefined,
    },
    'metrics are served to those who may read them',
  )
  const opened = opening.move()
  return { port: listener.port, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

function pairOf(directory: string, address: string, around: { readonly clock: Clock; readonly log: Log }) {
  const [certificate, key] = [join(directory, 'tls.crt'), join(directory, 'tls.key')]
  if (existsSync(certificate) && existsSync(key)) return watchedPair({ certificate, key }, around)
  return servingPair({ address, certificateDirectory: '', certificateFile: '', keyFile: '' }, ownPair, around)
}

/** What whoever asks is told: by controller-runtime's words and codes. No sockets; never throws. */
export async function answerGuarded(
  { method, url, authorization }: Pick<FrontCall, 'method' | 'url' | 'authorization'>,
  { reviews, metrics, log }: Metrics & Pick<MetricsGuard, 'reviews'>,
): Promise<FrontReply> {
  const [path = ''] = url.split('?', 1)
  if (path !== metricsPath) return plain(404, '404 page not found')
  const refusal = reviews === undefined ? undefined : await refusalOf({ method, authorization }, reviews, log)
  if (refusal !== undefined) return refusal
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'only GET is answered')
  try {
    return { status: 200, headers: { 'content-type': metrics.contentType }, body: await metrics.metrics() }
  } catch (error) {
    log.error({ err: messageOf(error) }, 'metrics could not be collected')
    return plain(500, 'metrics could not be collected')
  }
}

/** `undefined`: who asks may read them. */
async function refusalOf(
  { method, authorization }: { readonly method: string; readonly authorization: string | undefined },
  reviews: NonNullable<MetricsGuard['reviews']>,
  log: Log,
): Promise<FrontReply | undefined> {
  const shown = { authorization: authorization === undefined ? undefined : [authorization] }
  const proof = await tokenProof({ headers: shown }, { callerOf: token => reviews.callerOf(token) })
  if (proof.kind === 'absent') return plain(401, 'Unauthorized')
  if (proof.kind === 'failed') {
    log.info({ why: proof.why }, 'Authentication failed')
    return plain(500, 'Authentication failed')
  }
  const caller = asAuthenticated(proof.caller)
  try {
    const asked = { kind: 'path', verb: method.toLowerCase(), path: metricsPath } as const
    const { isAllowed, reason } = await reviews.decide(caller, asked)
    if (isAllowed) return undefined
    log.debug({ user: caller.name, reason }, 'Authorization denied')
    return plain(403, `Authorization denied for user ${caller.name}`)
  } catch (error) {
    log.info({ user: caller.name, why: messageOf(error) }, 'Authorization failed')
    return plain(500, `Authorization for user ${caller.name} failed`)
  }
}

function plain(status: number, line: string): FrontReply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${line}\n` }
}
