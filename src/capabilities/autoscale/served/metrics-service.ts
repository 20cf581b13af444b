// Values of external metrics for KEDA's adapter, or ours in its place: gRPC with TLS on both sides. Who has no certificate of our authority
// is refused before a question is read; certificates are exchanged while it runs.
import { createSecureContext } from 'node:tls'
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import type { Registry } from 'prom-client'
import type { ExternalMetricSource } from '#coordination/ports/external-metrics.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { KeyPair } from '#kube/server/certificates.ts'
import { RpcMetrics } from '../counts/rpc-metrics.ts'
import { failurePrefix, getMetrics, type MetricValues, type ScaledObjectRef } from './metrics-service-api.ts'

/** Bytes of one question: names of Kubernetes, and a metric's. */
const largestQuestion = 16 * 1024
/** Questions of one connection at a time. */
const mostQuestions = 256
const largestHeaders = 16 * 1024
/** How long questions under way are answered when it ends, in milliseconds. */
const endMs = 2_000

/** Whom we are, and whom we believe. */
export interface MutualTls {
  readonly tls: KeyPair
  /** Authorities of whoever may ask, PEM. */
  readonly bundle: string
}

/** Versions and ciphers. */
export interface Wire {
  readonly minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'
  readonly ciphers?: string
}

interface ServiceOptions {
  readonly source: ExternalMetricSource
  /** All addresses unless given. */
  readonly host?: string | undefined
  /** 0 takes any free port. */
  readonly port: number
  readonly material: MutualTls
  readonly wire: Wire
  readonly clock: Clock
  readonly log: Log
  /** Absent: nobody collects. */
  readonly metrics?: Registry
}

export interface MetricsService extends AsyncDisposable {
  readonly port: number
  /** For connections from now on. @throws Error where the pair does not belong together: what was there stays */
  setMaterial(material: MutualTls): void
}

class MutualCredentials extends ServerCredentials {
  readonly #wire: Wire

  constructor(material: MutualTls, wire: Wire) {
    super({ requestCert: true, rejectUnauthorized: true }, contextOf(material, wire))
    this.#wire = wire
  }

  exchange(material: MutualTls): void {
    this.updateSecureContextOptions(contextOf(material, this.#wire))
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this
  }
}

/** @throws Error where the pair does not belong together */
function contextOf({ tls, bundle }: MutualTls, wire: Wire) {
  const options = { ca: bundle, cert: tls.certificate, key: tls.key, minVersion: 'TLSv1.2' as const, ...wire }
  createSecureContext(options)
  return options
}

/** Listens until disposed of. @throws Error where the address is taken, or the material cannot be used */
export async function startMetricsService(options: ServiceOptions): Promise<MetricsService> {
  const { source, log } = options
  const credentials = new MutualCredentials(options.material, options.wire)
  const server = new Server({
    'grpc.max_receive_message_length': largestQuestion,
    'grpc.max_concurrent_streams': mostQuestions,
    'grpc.max_metadata_size': largestHeaders,
  })
  const over = new AbortController()
  const counts = options.metrics === undefined ? undefined : new RpcMetrics(options.metrics, 'server')
  const answer = async (call: ServerUnaryCall<ScaledObjectRef, Partial<MetricValues>>) => {
    const gone = new AbortController()
    call.on('cancelled', () => gone.abort(new DOMException('nobody waits for the answer', 'AbortError')))
    const { name, namespace, metricName } = call.request
    const signal = AbortSignal.any([gone.signal, over.signal])
    const read = () => source.values({ namespace, scaledObject: name, metric: metricName }, signal)
    const codeOf = () => (gone.signal.aborted ? 'Canceled' : 'Unknown')
    return answerOf(await (counts === undefined ? read() : counts.counted(read, codeOf)))
  }
  const handler = (
    call: ServerUnaryCall<ScaledObjectRef, Partial<MetricValues>>,
    done: sendUnaryData<Partial<MetricValues>>,
  ): void => {
    answer(call).then(
      value => done(null, value),
      (error: unknown) => {
        const details = `${failurePrefix}${messageOf(error)}`
        log.debug({ object: `${call.request.namespace}/${call.request.name}`, why: messageOf(error) }, 'a metric was not told')
        done({ code: status.UNKNOWN, details })
      },
    )
  }
  const codec = { requestStream: false, responseStream: false, path: getMetrics.path } as const
  server.addService(
    {
      GetMetrics: {
        ...codec,
        requestSerialize: value => getMetrics.request.encode(value),
        requestDeserialize: bytes => getMetrics.request.decode(bytes),
        responseSerialize: value => getMetrics.response.encode(value),
        responseDeserialize: bytes => getMetrics.response.decode(bytes),
      },
    },
    { GetMetrics: handler },
  )
  const { host, port } = await bound(server, credentials, options)
  log.info({ address: `${host}:${port}` }, 'Starting Metrics Service gRPC Server')
  return {
    port,
    setMaterial: material => credentials.exchange(material),
    [Symbol.asyncDispose]: async () => {
      const ended = Promise.withResolvers<void>()
      const cancel = options.clock.schedule(endMs, () => server.forceShutdown())
      over.abort(new DOMException('the service has ended', 'AbortError'))
      server.tryShutdown(() => ended.resolve())
      try {
        await ended.promise
      } finally {
        cancel()
      }
    },
  }
}

/** Every address of both families; of the older one where the host has no other. @throws Error where none can be had */
async function bound(server: Server, credentials: ServerCredentials, { host, port }: Pick<ServiceOptions, 'host' | 'port'>) {
  const hosts = host === undefined ? ['::', '0.0.0.0'] : [host]
  for (const [at, one] of hosts.entries()) {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const address = `${one.includes(':') ? `[${one}]` : one}:${port}`
    server.bindAsync(address, credentials, (error, taken) => (error === null ? resolve(taken) : reject(error)))
    try {
      return { host: one, port: await promise }
    } catch (error) {
      const isOtherFamily = /EAFNOSUPPORT|EADDRNOTAVAIL/.test(messageOf(error))
      if (!isOtherFamily || at === hosts.length - 1)
        throw new OutsideError(`listen on ${address}: ${messageOf(error)}`, { cause: error })
    }
  }
  throw new Error('there is no address to listen on')
}

function answerOf(values: Awaited<ReturnType<ExternalMetricSource['values']>>): Partial<MetricValues> {
  return {
    items: values.map(({ name, quantity, atMs }) => ({
      metricName: name,
      metricLabels: new Map(),
      timestamp: { seconds: Math.floor(atMs / 1_000) },
      window: 0,
      value: { string: quantity },
    })),
  }
}
