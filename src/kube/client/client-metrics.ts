// What a client counts of its informers and requests, under the names that dashboards of client-go know where there are such.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Clock } from '../clock.ts'
import type { Informer } from '../informers/informer-view.ts'
import type { ReflectorCounts } from '../informers/reflector-counts.ts'
import type { KubeObject } from '../objects/objects.ts'
import { resourceKey } from '../objects/resource.ts'
import type { RequestObserver } from './retrying-transport.ts'
import type { Transport, TransportRequest, TransportStream } from './transport.ts'

const requestBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60]

/** Gauges and counters of informers, read when they are asked for. `kind` is the plural with its group; a kind watched twice is added up. */
export function watchInformers(registry: Registry, informers: () => readonly Informer<KubeObject>[], clock: Clock): void {
  const registers = [registry]
  const each = (tell: (kind: string, informer: Informer<KubeObject>) => void) => {
    for (const informer of informers()) tell(resourceKey(informer.resource), informer)
  }
  new Gauge({
    name: 'ballast_informer_objects',
    help: 'Objects held of a kind',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset()
      each((kind, { store }) => this.inc({ kind }, store.size))
    },
  })
  new Gauge({
    name: 'ballast_informer_synced',
    help: '1 where all objects of a kind are held, with all fields that are needed',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset()
      each((kind, { isSynced }) => this.set({ kind }, isSynced ? 1 : 0))
    },
  })
  new Gauge({
    name: 'ballast_informer_last_event_timestamp_seconds',
    help: 'When the server was last heard about a kind',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset()
      const startMs = clock.now() - clock.elapsed()
      each((kind, { lastEventElapsed }) => this.set({ kind }, (startMs + lastEventElapsed) / 1000))
    },
  })
  new Counter({
    name: 'ballast_informer_events_total',
    help: 'Events of watches that were worked on',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset()
      each((kind, { counts }) => this.inc({ kind }, counts.events))
    },
  })
  new Gauge({
    name: 'ballast_informer_bytes_estimate',
    help: 'Bytes that the objects of a kind take, judged by the text of some of them',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset()
      each((kind, { estimatedBytes }) => this.inc({ kind }, estimatedBytes))
    },
  })
  const applied = (name: string, help: string, value: (counts: ReflectorCounts) => number) =>
    new Counter({
      name: `ballast_informer_apply_seconds_${name}`,
      help,
      labelNames: ['kind'],
      registers,
      collect() {
        this.reset()
        each((kind, { counts }) => this.inc({ kind }, value(counts)))
      },
    })
  applied('sum', 'Time that events of watches took to be stored and told', counts => counts.applyMs / 1000)
  applied('count', 'Events of watches that were stored and told', counts => counts.events)
  new Counter({
    name: 'ballast_informer_relists_total',
    help: 'Lists of a kind, by why it was listed',
    labelNames: ['kind', 'reason'],
    registers,
    collect() {
      this.reset()
      each((kind, { counts }) => {
        for (const [reason, count] of Object.entries(counts.relists)) this.inc({ kind, reason }, count)
      })
    },
  })
  new Counter({
    name: 'ballast_informer_watch_restarts_total',
    help: 'Watches of a kind that ended, by how',
    labelNames: ['kind', 'reason'],
    registers,
    collect() {
      this.reset()
      each((kind, { counts }) => {
        for (const [reason, count] of Object.entries(counts.watchRestarts)) this.inc({ kind, reason }, count)
      })
    },
  })
}

interface CountedServer {
  readonly registry: Registry
  readonly clock: Clock
  readonly host: string
}

/** `inner`, with its answers counted and timed (a stream until its headers), and their bytes as they are after unpacking. `host` is that of the server. Made once for a registry. */
export function countedTransport(inner: Transport, { registry, clock, host }: CountedServer): Transport {
  const registers = [registry]
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests by the code of their answer; <error> where none came',
    labelNames: ['code', 'method', 'host'],
    registers,
  })
  const durations = new Histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'Time from a request to its answer',
    labelNames: ['verb', 'host'],
    buckets: requestBuckets,
    registers,
  })
  const bytes = new Counter({
    name: 'ballast_api_bytes_total',
    help: 'Bytes of bodies sent and received, unpacked, by the plural of what was asked for',
    labelNames: ['kind', 'direction'],
    registers,
  })
  const counted = async <T extends { readonly status: number }>(
    request: TransportRequest,
    send: () => Promise<T>,
  ): Promise<T> => {
    const { verb, body } = request
    const startMs = clock.elapsed()
    let code = '<error>'
    if (body !== undefined) bytes.inc({ kind: kindOf(request), direction: 'sent' }, Buffer.byteLength(body))
    try {
      const answer = await send()
      code = String(answer.status)
      return answer
    } finally {
      requests.inc({ code, method: verb, host })
      durations.observe({ verb, host }, (clock.elapsed() - startMs) / 1000)
    }
  }
  return {
    request: async request => {
      const answer = await counted(request, () => inner.request(request))
      bytes.inc({ kind: kindOf(request), direction: 'received' }, answer.body.length)
      return answer
    },
    stream: async request => {
      const answer = await counted(request, () => inner.stream(request))
      const labels = { kind: kindOf(request), direction: 'received' }
      return { ...answer, chunks: countedChunks(answer.chunks, length => bytes.inc(labels, length)) }
    },
    close: () => inner.close(),
  }
}

async function* countedChunks(chunks: TransportStream['chunks'], count: (length: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    count(chunk.length)
    yield chunk
  }
}

/** `apis/GROUP/VERSION[/namespaces/NAME]/PLURAL…`, the same with `api` for core; `other` for what is none, such as health. */
const resourceOfPath = /^\/(?:api\/[^/]+|apis\/([^/]+)\/[^/]+)(?:\/namespaces\/[^/]+(?=\/[^/]))?\/([a-z][a-z0-9-]*)/

function kindOf({ path }: TransportRequest): string {
  const [, group, plural] = resourceOfPath.exec(path) ?? []
  if (plural === undefined) return 'other'
  return group === undefined ? plural : `${plural}.${group}`
}

/** Counts what is sent again and what waits for the client's own limit. Made once for a registry. */
export function requestMetrics({ registry, host }: Omit<CountedServer, 'clock'>): RequestObserver {
  const registers = [registry]
  const retries = new Counter({
    name: 'rest_client_request_retries_total',
    help: 'Requests that were sent again, by the code of the answer before; <error> where none came',
    labelNames: ['code', 'verb', 'host'],
    registers,
  })
  const waits = new Histogram({
    name: 'rest_client_rate_limiter_duration_seconds',
    help: 'Time that requests waited for the limit of this client',
    labelNames: ['verb', 'host'],
    buckets: requestBuckets,
    registers,
  })
  return {
    admitted: ({ verb }, waitedMs) => waits.observe({ verb, host }, waitedMs / 1000),
    repeated: ({ verb }, code) => retries.inc({ code, verb, host }),
  }
}
