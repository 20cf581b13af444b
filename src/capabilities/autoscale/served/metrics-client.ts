// Values of external metrics from KEDA's operator, or ours in its place, as an adapter asks for them: gRPC with TLS on both sides.
import type { Registry } from 'prom-client'
import type { ExternalMetricSource, ExternalMetricValue } from '#coordination/ports/external-metrics.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { RpcMetrics } from '../counts/rpc-metrics.ts'
import { GrpcSource, grpcAddress, NotReached } from '../scalers/external/grpc-source.ts'
import { Outgoing } from '../scalers/outgoing.ts'
import type { MutualTls, Wire } from './metrics-service.ts'
import { failurePrefix, getMetrics, type MetricValues } from './metrics-service-api.ts'

/** As upstream's: one question with all its tries, in milliseconds. */
const askMs = 3_000
const firstPauseMs = 250
const longestPauseMs = 2_000

interface ClientOptions {
  /** `host:port`. */
  readonly address: string
  /** By which name its certificate is judged, where that is another than the host's. */
  readonly authority?: string | undefined
  readonly material: MutualTls
  readonly wire?: Wire
  readonly clock: Clock
  readonly log: Log
  /** Absent: nobody collects. */
  readonly metrics?: Registry
}

interface MetricsClient extends ExternalMetricSource, AsyncDisposable {
  /** For connections from now on. */
  setMaterial(material: MutualTls): void
}

/** @throws TriggerProblem where the address is none */
export function openMetricsClient(options: ClientOptions): MetricsClient {
  const { address, authority, material, wire = {}, clock, log, metrics } = options
  const counts = metrics === undefined ? undefined : new RpcMetrics(metrics, 'client')
  // Its address is the installer's word: nothing is refused.
  const outgoing = new Outgoing({ clock, timeoutMs: askMs, guard: { refused: [], allowed: [] } })
  const opened = ({ tls, bundle }: MutualTls) => {
    const own = { authority: bundle, certificate: tls.certificate, key: tls.key }
    const at = grpcAddress(address, own, 'metrics-service-address')
    const named = authority === undefined || authority === '' ? {} : { authority }
    return new GrpcSource({ ...at, ...named, wire, who: "KEDA's Metrics Service" }, { clock, outgoing })
  }
  let source = opened(material)
  let isConnected = false
  const ask = async (of: Parameters<ExternalMetricSource['values']>[0], signal: AbortSignal): Promise<MetricValues> => {
    const untilMs = clock.elapsed() + askMs
    const request = { name: of.scaledObject, namespace: of.namespace, metricName: of.metric }
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      try {
        const call = () => source.call(getMetrics, request, signal)
        const answer = await (counts === undefined ? call() : counts.counted(call, error => codeOf(error, signal)))
        if (!isConnected)
          log.info({ server: address }, 'Connection to KEDA Metrics Service gRPC server has been successfully established')
        isConnected = true
        return answer
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof NotReached)) throw error
        if (isConnected) log.warn({ server: address, why: error.message }, 'KEDA Metrics Service is not reached')
        isConnected = false
        if (clock.elapsed() + pauseMs >= untilMs)
          throw new OutsideError('timeout while waiting to establish gRPC connection to KEDA Metrics Service server', {
            cause: error,
          })
      }
      await clock.after(pauseMs, signal)
    }
  }
  return {
    values: async (of, signal) => {
      try {
        return valuesOf(await ask(of, signal))
      } catch (error) {
        signal.throwIfAborted()
        const said = messageOf(error)
        const at = said.indexOf(failurePrefix)
        // It says so itself, and whoever answers says it once more.
        throw new OutsideError(at < 0 ? said : said.slice(at + failurePrefix.length))
      }
    },
    setMaterial: next => {
      const before = source
      source = opened(next)
      before.close()
    },
    [Symbol.asyncDispose]: async () => {
      source.close()
      await outgoing[Symbol.asyncDispose]()
    },
  }
}

function codeOf(error: unknown, { aborted }: AbortSignal): string {
  if (aborted) return 'Canceled'
  return error instanceof NotReached ? 'Unavailable' : 'Unknown'
}

/** @throws Error for a value without a quantity */
function valuesOf({ items }: MetricValues): readonly ExternalMetricValue[] {
  return items.map(({ metricName, timestamp, value }) => {
    if (value === undefined || value.string === '')
      throw new OutsideError(`its value of ${JSON.stringify(metricName)} is no quantity`)
    return { name: metricName, quantity: value.string, atMs: (timestamp?.seconds ?? 0) * 1_000 }
  })
}
