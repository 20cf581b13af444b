// What the mirror counts, in upstream's names where it has some. Registries come from requests: of them only so many get a label of their own.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Clock } from '#kube/clock.ts'
import type { MirrorCounts } from './contract.ts'
import type { RequestMeter } from './front/registry-front.ts'

/** Registries with a label of their own; further ones are counted as `other`. */
const mostRegistries = 100
/** Peers likewise. */
const mostPeers = 1_000
/** Peers' identities and registries of a label that came too late. */
const other = 'other'

const sizeBuckets = Array.from({ length: 10 }, (_, power) => 1_024 * 5 ** power)
const requestLabels = ['handler', 'method', 'code'] as const

export class MirrorMetrics implements MirrorCounts, RequestMeter {
  readonly #clock: Clock
  readonly #registries = new Set<string>()
  readonly #peers = new Set<string>()
  readonly #requests: Counter<'registry' | 'cache'>
  readonly #lastSuccess: Gauge
  readonly #resolve: Histogram<'router'>
  readonly #tags: Gauge<'registry'>
  readonly #digests: Gauge<'registry'>
  readonly #content: Gauge<'registry'>
  readonly #duration: Histogram<(typeof requestLabels)[number]>
  readonly #size: Histogram<(typeof requestLabels)[number]>
  readonly #inFlight: Gauge<'handler'>
  readonly #bytes: Counter<'source' | 'direction'>
  readonly #verifyFailures: Counter<'peer'>
  readonly #peerCount: Gauge
  readonly #announced: Gauge
  readonly #resumes: Counter
  readonly #stalls: Counter
  readonly #reconciles: Counter
  readonly #fellThrough: Counter<'reason'>
  readonly #troubles: Gauge<'reason'>
  #lastSuccessMs: number | undefined

  /** Once for each registry: its names are taken then. `beforeScrape` brings up to date what is only looked at then. */
  constructor(registry: Registry, { clock, beforeScrape }: { readonly clock: Clock; readonly beforeScrape: () => void }) {
    this.#clock = clock
    const registers = [registry]
    this.#requests = new Counter({
      name: 'spegel_mirror_requests_total',
      help: 'Requests for what was not in the own store, by whether another node had it.',
      labelNames: ['registry', 'cache'],
      registers,
    })
    this.#lastSuccess = new Gauge({
      name: 'spegel_mirror_last_success_timestamp_seconds',
      help: 'When another node last had what was asked, in seconds since 1970.',
      registers,
    })
    this.#resolve = new Histogram({
      name: 'spegel_resolve_duration_seconds',
      help: 'How long finding a node took; one observation for each that was found.',
      labelNames: ['router'],
      registers,
    })
    const advertised = (name: string, help: string, collect?: () => void) =>
      new Gauge({ name, help, labelNames: ['registry'], registers, ...(collect === undefined ? {} : { collect }) })
    // The first that is collected: others are set by then.
    this.#tags = advertised('spegel_advertised_image_tags', 'Tags that are announced.', beforeScrape)
    this.#digests = advertised('spegel_advertised_image_digests', 'Images by digest that are announced.')
    this.#content = advertised('spegel_advertised_content_digests', 'Pieces of content that are announced.')
    this.#duration = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'From the request to the end of its answer.',
      labelNames: requestLabels,
      registers,
    })
    this.#size = new Histogram({
      name: 'http_response_size_bytes',
      help: 'Bytes of the bodies of answers.',
      labelNames: requestLabels,
      buckets: sizeBuckets,
      registers,
    })
    this.#inFlight = new Gauge({
      name: 'http_requests_inflight',
      help: 'Requests that are being answered.',
      labelNames: ['handler'],
      registers,
    })
    this.#bytes = new Counter({
      name: 'ballast_mirror_bytes_total',
      help: 'Bytes of content that came in from other nodes and went out to them, by where they came from.',
      labelNames: ['source', 'direction'],
      registers,
    })
    this.#verifyFailures = new Counter({
      name: 'ballast_mirror_verify_failures_total',
      help: 'Content of another node that did not match its digest.',
      labelNames: ['peer'],
      registers,
    })
    this.#peerCount = new Gauge({ name: 'ballast_mirror_peers', help: 'Other nodes in the routing table.', registers })
    this.#announced = new Gauge({
      name: 'ballast_mirror_announced',
      help: '1 as soon as all that was here at the start is announced; the mirror serves before.',
      registers,
    })
    this.#resumes = new Counter({
      name: 'ballast_mirror_resumes_total',
      help: 'Transfers that went on at another node in the middle.',
      registers,
    })
    this.#stalls = new Counter({
      name: 'ballast_mirror_stalls_total',
      help: 'Nodes given up because nothing came for too long, or too little.',
      registers,
    })
    this.#reconciles = new Counter({
      name: 'ballast_mirror_store_reconciles_total',
      help: 'Full lists of the store that what is announced was compared with.',
      registers,
    })
    this.#fellThrough = new Counter({
      name: 'ballast_mirror_fallthrough_total',
      help: 'Requests that were left to the registry, by reason.',
      labelNames: ['reason'],
      registers,
    })
    this.#troubles = new Gauge({
      name: 'ballast_mirror_problems',
      help: 'What keeps the mirror from being of use to its node, by reason.',
      labelNames: ['reason'],
      registers,
    })
  }

  /** When another node last had what was asked, in milliseconds since 1970. */
  get lastSuccessMs(): number | undefined {
    return this.#lastSuccessMs
  }

  request(registry: string, cache: 'hit' | 'miss'): void {
    this.#requests.inc({ registry: bounded(this.#registries, registry, mostRegistries), cache })
    if (cache === 'miss') return
    this.#lastSuccessMs = this.#clock.now()
    this.#lastSuccess.set(this.#lastSuccessMs / 1_000)
  }

  served(_registry: string, source: 'local' | 'peer' | 'relay', direction: 'in' | 'out', bytes: number): void {
    this.#bytes.inc({ source, direction }, bytes)
  }

  resolved(seconds: number): void {
    this.#resolve.observe({ router: 'libp2p' }, seconds)
  }

  advertised(registry: string, { tags, digests, content }: Parameters<MirrorCounts['advertised']>[1]): void {
    const labels = { registry: bounded(this.#registries, registry, mostRegistries) }
    this.#tags.set(labels, tags)
    this.#digests.set(labels, digests)
    this.#content.set(labels, content)
  }

  /** All registries there are; others show nothing any more. */
  advertisedNow(registries: ReadonlyMap<string, Parameters<MirrorCounts['advertised']>[1]>): void {
    for (const gauge of [this.#tags, this.#digests, this.#content]) gauge.reset()
    for (const [registry, counts] of registries) this.advertised(registry, counts)
  }

  verifyFailed(peer: string): void {
    this.#verifyFailures.inc({ peer: bounded(this.#peers, peer, mostPeers) })
  }

  resumed(): void {
    this.#resumes.inc()
  }

  stalled(): void {
    this.#stalls.inc()
  }

  fellThrough(reason: string): void {
    this.#fellThrough.inc({ reason })
  }

  storeReconciled(): void {
    this.#reconciles.inc()
  }

  peers(count: number): void {
    this.#peerCount.set(count)
  }

  /** Whether all that was here at the start has been told to others. */
  announced(isDone: boolean): void {
    this.#announced.set(isDone ? 1 : 0)
  }

  /** All that is wrong now; what is over shows 0. */
  troubles(reasons: readonly string[]): void {
    for (const reason of troubleReasons) this.#troubles.set({ reason }, reasons.filter(one => one === reason).length)
  }

  begin(handler: string, method: string): (code: number, size: number) => void {
    const startMs = this.#clock.elapsed()
    const word = methods.has(method) ? method : other
    this.#inFlight.inc({ handler })
    return (code, size) => {
      const labels = { handler, method: word, code: String(code) }
      this.#inFlight.dec({ handler })
      this.#duration.observe(labels, (this.#clock.elapsed() - startMs) / 1_000)
      this.#size.observe(labels, size)
    }
  }
}

const troubleReasons = ['ContainerdUnreachable', 'LayersDiscarded', 'ConfigurationMissing', 'HostsFilesEdited'] as const
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** The label, unless there are too many already. */
function bounded(known: Set<string>, label: string, most: number): string {
  if (known.has(label)) return label
  if (known.size >= most) return other
  known.add(label)
  return label
}
