// `--otel-*`: whether cycles are traced, and where the traces go.

import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Random } from '#kube/random.ts'
import type { CycleListener } from './cycle-listener.ts'
import { CycleSpans } from './cycle-spans.ts'
import { TraceExporter } from './trace-exporter.ts'

interface TracingSettings {
  /** `HOST:PORT`; empty: nothing is traced. */
  readonly collectorEndpoint: string
  /** Empty: in the clear. */
  readonly caFile: string
  readonly serviceName: string
  readonly namespace: string
  /** 0 to 1. */
  readonly sampleRate: number
}

const hostAndPort = /^(\[[0-9a-f:.]+\]|[^\s/:@[\]]+):\d{1,5}$/i

/** Hears of cycles. Disposing of it sends what is left. */
interface Tracing extends AsyncDisposable {
  readonly listener: CycleListener
}

/** `undefined`: nothing is traced, because nobody asked for it or because it cannot be, which is logged and stops nobody, as upstream's. */
export async function startTracing(
  settings: TracingSettings,
  around: { readonly clock: Clock; readonly random: Random; readonly log: Log; readonly version: string },
): Promise<Tracing | undefined> {
  const { clock, random, log, version } = around
  const { collectorEndpoint: endpoint, caFile, sampleRate } = settings
  if (endpoint === '') return undefined
  let authority: string | undefined
  try {
    if (!hostAndPort.test(endpoint)) throw new Error(`found ${JSON.stringify(endpoint)}, expected HOST:PORT`)
    authority = caFile === '' ? undefined : await authorityIn(caFile)
  } catch (error) {
    log.error({ endpoint, why: messageOf(error) }, 'failed to create tracer provider')
    return undefined
  }
  const attributes = {
    'service.name': settings.serviceName === '' ? 'descheduler' : settings.serviceName,
    ...(settings.namespace !== '' && { 'service.namespace': settings.namespace }),
    'process.pid': String(process.pid),
    'process.runtime.name': 'nodejs',
    'process.runtime.version': process.version,
  }
  const source = { attributes, scope: 'sigs.k8s.io/descheduler', version }
  const exporter = new TraceExporter({ endpoint, authority, source, clock, log })
  const listener = new CycleSpans({ clock, random, sampleRate, take: spans => exporter.take(spans) })
  return { listener, [Symbol.asyncDispose]: () => exporter[Symbol.asyncDispose]() }
}

/** @throws Error where the file holds no certificate */
async function authorityIn(path: string): Promise<string> {
  const text = await readFile(path, 'utf8')
  new X509Certificate(text)
  return text
}
