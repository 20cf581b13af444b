// The stream in figures.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { StreamEvents, Topic } from '../contract.ts'
import { topicKinds } from '../contract-names.ts'

/** From 256 bytes to 4 MiB. */
const byteBuckets = [256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304]

export class StreamMetrics {
  readonly #streams: Gauge
  readonly #events: Counter<'topic'>
  readonly #resyncs: Counter<'reason'>
  readonly #dropped: Counter
  readonly #snapshots: Histogram<'topic'>

  /** Once for each registry: its names are taken then. */
  constructor(registry: Registry) {
    const registers = [registry]
    this.#streams = new Gauge({ name: 'ballast_dashboard_streams', help: 'Streams that are open', registers })
    this.#events = new Counter({
      name: 'ballast_dashboard_stream_events_total',
      help: 'Events handed to streams, by kind of topic; none of one topic are `stream`',
      labelNames: ['topic'],
      registers,
    })
    this.#resyncs = new Counter({
      name: 'ballast_dashboard_stream_resyncs_total',
      help: 'Times that a reader had to begin anew',
      labelNames: ['reason'],
      registers,
    })
    this.#dropped = new Counter({
      name: 'ballast_dashboard_stream_dropped_bytes_total',
      help: 'Bytes that slow readers were not sent',
      registers,
    })
    this.#snapshots = new Histogram({
      name: 'ballast_dashboard_snapshot_bytes',
      help: 'Size of snapshots, by kind of topic',
      labelNames: ['topic'],
      buckets: byteBuckets,
      registers,
    })
  }

  streams(count: number): void {
    this.#streams.set(count)
  }

  event(topic: Topic | undefined): void {
    this.#events.inc({ topic: kindLabel(topic) })
  }

  resync(reason: StreamEvents['resync']['reason']): void {
    this.#resyncs.inc({ reason })
  }

  dropped(bytes: number): void {
    this.#dropped.inc(bytes)
  }

  snapshot(topic: Topic, bytes: number): void {
    this.#snapshots.observe({ topic: kindLabel(topic) }, bytes)
  }
}

/** Names of objects are no labels. */
function kindLabel(topic: Topic | undefined): string {
  const [head = ''] = (topic ?? '').split(':')
  return topicKinds.find(kind => kind === head) ?? 'stream'
}
