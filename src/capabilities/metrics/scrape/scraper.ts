// Asks every kubelet once in a resolution. Each node has its own moment in the tick, the same each time, so that kubelets are not asked all at
// once and windows stay even; what a node says is served as soon as it is read.
import { createHash } from 'node:crypto'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { KnownContainers } from '../decode/known-containers.ts'
import type { NodeReading } from '../decode/reading.ts'
import { addStorage, type StorageReading } from '../decode/storage-summary.ts'
import type { PinnedNode } from '../pins/pin-rules.ts'
import type { Points } from '../points/points.ts'
import { type AddressRules, type KubeletNode, kubeletUrl, pathOf } from './kubelet-address.ts'
import { isFailure, type KubeletClient } from './kubelet-client.ts'
import type { ScrapeFailure } from './scrape-failure.ts'
import type { ScrapeMetrics } from './scrape-metrics.ts'

export interface ScrapedNode extends KubeletNode {
  readonly uid?: string | undefined
  readonly isReady: boolean
}

/** Who asks a node, where several replicas share them. */
export interface NodeShares {
  /** Whether there is anybody to share with. */
  readonly areShared: boolean
  /** Looks who the replicas are. */
  follow(): void
  /** Whether a node is ours to ask. */
  isOurs(node: string): boolean
  /** Whether it is, or whoever's it is did not pass its points on for a resolution. */
  isMissed(node: string): boolean
  /** We ask a node. */
  asked(node: string): void
  /** It answered at the time of day `wallMs`. */
  answered(node: string, reading: NodeReading, wallMs: number): void
  forget(node: string): void
}

interface ScraperOptions {
  /** Those to ask, ready or not. */
  readonly nodes: () => Iterable<ScrapedNode>
  readonly client: Pick<KubeletClient, 'scrape'> & Partial<Pick<KubeletClient, 'storage' | 'forget'>>
  /** Whether local disks are asked for. */
  readonly exposeStorage?: boolean
  readonly points: Points
  readonly address: AddressRules
  readonly resolutionMs: number
  readonly clock: Clock
  readonly log: Log
  readonly metrics: ScrapeMetrics
  /** Absent: all nodes are ours. */
  readonly shares?: NodeShares | undefined
  /** Told once of each value of a node's annotation that is refused. */
  readonly onRefusedPath?: (node: string, path: string) => void
}

/** How the last scrape of a node went. */
interface NodeScrape {
  readonly atMs: number
  readonly failure: ScrapeFailure | undefined
}

const requestsInFlight = 256
const spreadPerNodeMs = 8
/** Twice as long as upstream's: thousands of new connections in 4 s would leave no turn to whoever asks us. */
const longestSpreadMs = 8_000
/** The part of a resolution in which all are asked; where nodes are shared, so that there is time left for those that others did not ask. */
const spreadShare = { alone: 0.5, shared: 0.25 } as const
/** Other replicas' nodes are looked at when so much of the resolution is over: until then they may come. */
const patienceShare = 0.5
/** A tick that begins so shortly before its moment is that moment's. */
const earlyShare = 0.1
/** The remedy of one node is not said more often. */
const remedyEveryMs = 3_600_000

/** Kubelets look at disks once a minute. */
const storageEveryMs = 60_000
/** What was said of disks is told for so long. */
const storageFreshMs = 150_000

/** What is known of a node's disks. */
interface NodeStorage {
  readonly askedMs: number
  /** The last that came, and when. */
  readonly read?: { readonly reading: StorageReading; readonly atMs: number } | undefined
  readonly failure?: ScrapeFailure | undefined
}

interface NodeMemory {
  readonly known: KnownContainers
  storage: NodeStorage | undefined
  last: NodeScrape | undefined
  remedySaidMs: number | undefined
  refusedPath: string | undefined
}

export class Scraper {
  readonly #options: ScraperOptions
  readonly #memory = new Map<string, NodeMemory>()
  #tickBegan: number | undefined

  constructor(options: ScraperOptions) {
    this.#options = options
  }

  /** Milliseconds since the last tick began; undefined before the first. */
  get sinceTickMs(): number | undefined {
    return this.#tickBegan === undefined ? undefined : this.#options.clock.elapsed() - this.#tickBegan
  }

  /** How the last scrape of a node went; undefined before its first. */
  lastScrape(node: string): NodeScrape | undefined {
    return this.#memory.get(node)?.last
  }

  /** The nodes that are asked. */
  get asked(): Iterable<string> {
    return this.#memory.keys()
  }

  /** One tick at once, then one at each multiple of the resolution of the time of day; one that takes longer swallows the next. Until `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, resolutionMs } = this.#options
    while (!signal.aborted) {
      await this.tick(signal)
      const nextMs = resolutionMs - (clock.now() % resolutionMs)
      await clock.after(nextMs, signal)
    }
  }

  /** Asks each node once; resolves when all have answered or failed. @throws `signal.reason` */
  async tick(signal: AbortSignal): Promise<void> {
    const { clock, metrics, points, nodes, resolutionMs } = this.#options
    const began = clock.elapsed()
    this.#tickBegan = began
    const all = [...nodes()]
    this.#forgetGone(all)
    const { shares } = this.#options
    shares?.follow()
    const share = shares?.areShared === true ? spreadShare.shared : spreadShare.alone
    const spreadMs = Math.min(spreadPerNodeMs * all.length, longestSpreadMs, resolutionMs * share)
    const inOrder = all.map(node => ({ node, atMs: offsetOf(node.name, spreadMs) })).toSorted((a, b) => a.atMs - b.atMs)
    const remainingMs = resolutionMs - (clock.now() % resolutionMs)
    const nextTickMs = remainingMs < resolutionMs * earlyShare ? remainingMs + resolutionMs : remainingMs
    const late = new AbortController()
    const cancel = clock.schedule(resolutionMs, () => late.abort(new DOMException('the tick took too long', 'TimeoutError')))
    const stopped = AbortSignal.any([signal, late.signal])
    const flights = new Set<Promise<void>>()
    /** Resolves when the next of them ends: a race of all would leave a reaction with each, each time. */
    let landing = Promise.withResolvers<void>()
    const landed = () => {
      landing.resolve()
      landing = Promise.withResolvers()
    }
    /** Begins to ask each at its moment. Gives those that `isAsked` says no of. */
    const pass = async (moments: typeof inOrder, isAsked: (node: string) => boolean) => {
      const rest: typeof inOrder = []
      for (const moment of moments) {
        const { node, atMs } = moment
        const waitMs = atMs - (clock.elapsed() - began)
        if (waitMs >= 1) await clock.after(waitMs, signal)
        if (!isAsked(node.name)) {
          rest.push(moment)
          continue
        }
        while (flights.size >= requestsInFlight) await landing.promise
        const flight = this.#scrape(node, stopped)
          .then(() => this.#askStorage(node, stopped))
          .finally(() => {
            flights.delete(flight)
            landed()
          })
        flights.add(flight)
      }
      return rest
    }
    try {
      const others = await pass(inOrder, node => shares?.isOurs(node) !== false)
      const firstEnded = Promise.all(flights).then(() => metrics.tickDuration.observe((clock.elapsed() - began) / 1_000))
      // In a tick that began between two moments, what others asked before is not late before the next.
      const looked = others
        .map(({ node, atMs }) => ({ node, atMs: resolutionMs * patienceShare + atMs / 2 }))
        .filter(({ atMs }) => atMs < nextTickMs)
      await Promise.all([firstEnded, pass(looked, node => shares?.isMissed(node) === true)])
      await Promise.all(flights)
      signal.throwIfAborted()
    } finally {
      cancel()
      await Promise.allSettled(flights)
    }
    metrics.points.set({ type: 'node' }, points.servable.nodes)
    metrics.points.set({ type: 'container' }, points.servable.containers)
    metrics.dropped(points.dropped)
  }

  async #scrape(node: ScrapedNode, signal: AbortSignal): Promise<void> {
    const { clock, client, address, metrics } = this.#options
    const memory = this.#memoryOf(node.name)
    this.#options.shares?.asked(node.name)
    this.#tellPath(node, memory)
    const at = kubeletUrl(node, address)
    if (!at.ok) return this.#failed(node, memory, { reason: 'address', message: at.why })
    const began = clock.elapsed()
    const answer = await client.scrape(at.url, memory.known, signal, pinned(node)).catch((error: unknown): ScrapeFailure => {
      if (signal.aborted) return { reason: 'timeout', message: messageOf(signal.reason) }
      throw error
    })
    metrics.requestDuration.observe({ node: node.name }, (clock.elapsed() - began) / 1_000)
    metrics.lastRequest.set({ node: node.name }, Math.floor(clock.now() / 1_000))
    if (isFailure(answer)) {
      metrics.requests.inc({ success: 'false' })
      this.#failed(node, memory, answer)
    } else {
      const wallMs = clock.now()
      const { read } = memory.storage ?? {}
      if (read !== undefined && clock.elapsed() - read.atMs <= storageFreshMs) addStorage(answer, read.reading)
      metrics.requests.inc({ success: 'true' })
      metrics.rejected(answer.rejected)
      this.take(node.name, answer, { wallMs, elapsedMs: clock.elapsed() })
      this.#options.shares?.answered(node.name, answer, wallMs)
    }
  }

  /** How asking for a node's disks went; undefined before that, and where nobody asks. */
  lastStorage(node: string): Pick<NodeStorage, 'failure'> | undefined {
    const storage = this.#memory.get(node)?.storage
    return storage?.read === undefined && storage?.failure === undefined ? undefined : storage
  }

  /** After a scrape, on its connection: the next one tells what it says. A kubelet that did not answer is not asked. */
  async #askStorage(node: ScrapedNode, signal: AbortSignal): Promise<void> {
    const { client, clock, address, log, metrics, exposeStorage = false } = this.#options
    const memory = this.#memory.get(node.name)
    if (!exposeStorage || memory?.last === undefined || memory.last.failure !== undefined) return
    const { storage: before } = memory
    const askedMs = clock.elapsed()
    if (before !== undefined && askedMs - before.askedMs < storageEveryMs * (1 - earlyShare)) return
    memory.storage = { ...before, askedMs }
    const at = kubeletUrl(node, address)
    if (!at.ok) return
    const answer = await client.storage?.(at.storageUrl, signal, pinned(node)).catch((error: unknown): ScrapeFailure => {
      if (signal.aborted) return { reason: 'timeout', message: messageOf(signal.reason) }
      throw error
    })
    if (answer === undefined) return
    if (!isFailure(answer)) {
      memory.storage = { askedMs, read: { reading: answer, atMs: clock.elapsed() } }
      if (answer.rejected > 0) metrics.storageRejected.inc(answer.rejected)
      return
    }
    metrics.storageErrors.inc({ reason: answer.reason })
    memory.storage = { ...before, askedMs, failure: answer }
    const facts = { node: node.name, reason: answer.reason, why: answer.message, remedy: answer.remedy }
    if (before?.failure?.reason === answer.reason) log.debug(facts, "a node's disks are not known")
    else log.warn(facts, "a node's disks are not known")
  }

  /** Keeps what was read of a node, here or by another replica. */
  take(node: string, reading: NodeReading, received: Parameters<Points['store']>[2]): void {
    const { log, metrics, points } = this.#options
    const memory = this.#memoryOf(node)
    memory.last = { atMs: received.wallMs, failure: undefined }
    memory.remedySaidMs = undefined
    metrics.stale(node, undefined)
    const stored = points.store(node, reading, received)
    if (stored.clockStepped) log.warn({ node }, 'the clock of a node was set: its rates begin anew')
    if (stored.nodeIncomplete) log.debug({ node }, 'a node has no CPU or memory of its own')
    for (const pod of stored.duplicates) log.warn({ node, pod }, 'two nodes say that they run a pod: the first is believed')
  }

  #failed(node: ScrapedNode, memory: NodeMemory, failure: ScrapeFailure): void {
    const { clock, log, metrics, points } = this.#options
    memory.last = { atMs: clock.now(), failure }
    metrics.failed(failure.reason)
    points.missed(node.name, clock.elapsed())
    metrics.stale(node.name, points.ageMs(node.name, clock.elapsed()))
    const isRemedyDue = memory.remedySaidMs === undefined || clock.elapsed() - memory.remedySaidMs >= remedyEveryMs
    const facts = { node: node.name, reason: failure.reason, why: failure.message }
    // What is not ready cannot be expected to answer.
    if (!node.isReady) log.debug(facts, 'a node could not be scraped, and is not ready')
    else if (failure.remedy === undefined) log.warn(facts, 'a node could not be scraped')
    else if (!isRemedyDue) log.debug(facts, 'a node could not be scraped')
    else {
      memory.remedySaidMs = clock.elapsed()
      log.warn({ ...facts, remedy: failure.remedy }, 'a node could not be scraped')
    }
  }

  #tellPath(node: ScrapedNode, memory: NodeMemory): void {
    const { refused } = pathOf(node)
    if (refused !== undefined && refused !== memory.refusedPath) this.#options.onRefusedPath?.(node.name, refused)
    memory.refusedPath = refused
  }

  #memoryOf(name: string): NodeMemory {
    const known = this.#memory.get(name)
    if (known !== undefined) return known
    const fresh: NodeMemory = {
      known: new KnownContainers(),
      storage: undefined,
      last: undefined,
      remedySaidMs: undefined,
      refusedPath: undefined,
    }
    this.#memory.set(name, fresh)
    return fresh
  }

  #forgetGone(nodes: readonly ScrapedNode[]): void {
    const names = new Set(nodes.map(({ name }) => name))
    for (const name of this.#memory.keys()) {
      if (names.has(name)) continue
      this.#memory.delete(name)
      this.#options.points.forget(name)
      this.#options.shares?.forget(name)
      this.#options.client.forget?.(name)
      this.#options.metrics.forget(name)
    }
  }
}

function pinned({ name, uid = '' }: ScrapedNode): PinnedNode {
  return { name, uid }
}

/** A node's moment in the tick, the same in each replica. */
function offsetOf(name: string, spreadMs: number): number {
  return spreadMs === 0 ? 0 : createHash('sha1').update(name).digest().readUInt32BE(0) % spreadMs
}
