// The HTTPS port of the descheduler: /metrics and /healthz, as upstream serves them.
import type { Registry } from 'prom-client'
import { type Clock, systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { Front } from '#kube/server/front/front.ts'
import { paced } from '#kube/server/front/paced.ts'
import { servingPair } from '#kube/server/serving/serving-pair.ts'
import { tlsSettings } from '#kube/server/serving/tls-settings.ts'
import { answerInstruments } from './instrument-answers.ts'

/** `--secure-port` and what belongs to it. */
export interface ServingSettings {
  readonly address: string
  /** 0 takes a free one: only tests have it. `--secure-port=0` is no server at all. */
  readonly port: number
  /** A pair `apiserver.crt` and `apiserver.key` in it is served; nothing is written there. */
  readonly certificateDirectory: string
  readonly certificateFile: string
  readonly keyFile: string
  /** `VersionTLS12`; empty: that. */
  readonly minVersion: string
  /** Go's names; empty: the defaults. */
  readonly cipherSuites: readonly string[]
  readonly http2: boolean
  /** Whether /metrics is served. */
  readonly metrics: boolean
}

interface SecureServerOptions {
  readonly serving: ServingSettings
  readonly metrics: Pick<Registry, 'metrics' | 'contentType'>
  readonly clock: Clock
  readonly log: Log
}

/** A server that listens until disposed of. */
interface SecureServer extends AsyncDisposable {
  readonly port: number
}

/** As upstream's, and in memory. */
const ownPair = {
  name: 'descheduler',
  dnsNames: ['localhost', 'descheduler'],
  ipAddresses: ['127.0.0.1', '::1'],
  lifeMs: 3 * 365 * 86_400_000,
  isWritten: false,
} as const
const mostConnections = 200
const headersMs = 10_000
const idleMs = 90_000

/**
 * Listens, in a thread of its own. Bodies of requests are not read; who asks is not asked who he is, as with upstream.
 * @throws InputError for a certificate, version or cipher that cannot be served; Error where the address is taken
 */
export async function startSecureServer({ serving, metrics, clock, log }: SecureServerOptions): Promise<SecureServer> {
  const { unavailable, ...tls } = tlsSettings(serving)
  if (unavailable.length > 0)
    log.warn({ cipherSuites: unavailable }, 'cipher suites that no TLS library has any more are left out')
  await using opening = new AsyncDisposableStack()
  const pair = opening.use(await servingPair(serving, ownPair, { clock, log }))
  const collected = { contentType: metrics.contentType, metrics: paced(() => metrics.metrics(), systemClock) }
  const answers = answerInstruments({ metrics: serving.metrics ? collected : undefined, log })
  const front = opening.use(new Front({ clock: systemClock, log }))
  const { address: host } = serving
  const listener = await front.listen(
    {
      name: 'secure port',
      port: serving.port,
      ...(host !== '' && host !== '0.0.0.0' && { host }),
      tls: { ...tls, ...pair.current },
      http2: serving.http2,
      connections: mostConnections,
      quietMs: idleMs,
      headMs: headersMs,
      probes: { '/healthz': 'live', '/healthz/Descheduler': 'live' },
    },
    async ({ method, url }) => {
      const { status, contentType, body } = await answers(method, url)
      return { status, headers: { 'content-type': contentType }, body }
    },
  )
  // At once, as upstream's: a probe or a scrape is not worth a wait.
  opening.defer(() => listener.end())
  pair.onChange(changed => listener.setCertificate({ ...tls, ...changed }))
  log.info({ address: host, port: listener.port, isSelfSigned: pair.isOwn }, 'Serving securely')
  const opened = opening.move()
  return { port: listener.port, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
