// Keeps the tracker like the store: subscribes, then lists, then reads again whatever an event names. A broken connection begins all of it
// anew, after a while that doubles; every 15 minutes it is listed anyway.

import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import { Backoff } from '#kube/controllers/backoff.ts'
import type { Log } from '#kube/log.ts'
import type { Random } from '#kube/random.ts'
import type { RegistryFilters } from '../filters.ts'
import { type Digest, parseDigest } from '../reference.ts'
import { atMost } from '../remembered.ts'
import type { ChangeFeed } from './change-feed.ts'
import * as api from './containerd-api.ts'
import { type ContainerdClient, orMissing } from './containerd-client.ts'
import { hasSource } from './content-sources.ts'
import { eventFilters, imageFilter, touchedBy } from './events.ts'
import { type Manifest, walkImage } from './image-tree.ts'
import { type KnownContent, type KnownImage, mirroredImage, type Tracker } from './tracker.ts'

const reconcileMs = 15 * 60_000
/** What events name and was not read yet; above it the whole is listed instead. */
const mostTouched = 20_000
/** A list of all images or content. */
const listLimitMs = 30_000
const probeMs = 10_000
/** After an image changed: containerd collects what nobody holds any more in its own time, and tells nobody. */
const collectedAfterMs = [2_000, 15_000, 60_000]
const backoff = { initialMs: 100, capMs: 2_500, resetMs: 60_000 } as const
/** Labels of fresh content are written after it is announced: it is read again, ever later. */
const labelTries = 4
const labelWaitMs = (attempt: number): number => 40 * 3 ** attempt
/** Where labels were seen to come late, fresh content is not read sooner: each reading is a question to containerd. */
const labelsComeMs = 80
/** What an event told of so lately is not asked again when its image comes: the pull holds it, and a deletion is an event too. */
const lateMs = 60_000
const mostLate = 10_000

/** Content that is to be read. */
interface Unread {
  /** How often it was read before. */
  readonly attempt: number
  /** Bytes, where the event of its making says them. */
  readonly size: number | undefined
}

interface StoreWatchOptions {
  readonly client: ContainerdClient
  readonly namespace: string
  readonly filters: RegistryFilters
  readonly tracker: Tracker
  readonly feed: ChangeFeed
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Whether this node's containerd asked for it as of a mirrored image. */
  isExpected(digest: Digest): boolean
  /** An index or manifest of the store; what it names is said in the texts of `textOf`, which may be kept. @throws StoreUnavailable */
  readManifest(digest: Digest, signal: AbortSignal, textOf?: (digest: Digest) => Digest): Promise<Manifest | undefined>
  /** It answers again; awaited before anything is listed. */
  onConnected(version: string, signal: AbortSignal): Promise<void>
  onLost(cause: unknown): void
  /** The whole was compared: how many keys that repaired. */
  onListed(repaired: number, signal: AbortSignal): Promise<void>
  /** An image was pulled from a registry: its content says so, and its name is new here. */
  onPulled?(name: string): void
}

export class StoreWatch {
  readonly #options: StoreWatchOptions
  readonly #images = new Set<string>()
  readonly #contents = new Map<Digest, Unread>()
  /** When content was last read, of the clock's `elapsed`. */
  readonly #read = new LRUCache<Digest, number>(atMost(mostLate))
  #mustList: 'no' | 'quietly' | 'for all' = 'for all'
  #isCollecting = false
  #areLabelsLate = false
  #wake = Promise.withResolvers<void>()

  constructor(options: StoreWatchOptions) {
    this.#options = options
  }

  /** Runs until `signal` is aborted; never throws for containerd's fault. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, onLost } = this.#options
    const pause = new Backoff(clock, random, backoff)
    while (!signal.aborted) {
      const session = new AbortController()
      const both = AbortSignal.any([signal, session.signal])
      try {
        await this.#session(both, session)
      } catch (error) {
        if (signal.aborted) return
        session.abort(error)
        onLost(error)
        await clock.after(pause.nextMs(), signal).catch(() => undefined) // aborted: the loop ends
      }
    }
  }

  async #session(signal: AbortSignal, session: AbortController): Promise<void> {
    const { client, clock, onConnected } = this.#options
    const fail = (error: unknown) => session.abort(error)
    const events = this.#readEvents(signal).catch(fail)
    const ticks: Promise<void>[] = []
    try {
      // The answer comes after the subscription was taken: both go over one connection, in this order.
      const { version } = await client.call(api.version, {}, signal)
      await onConnected(version, signal)
      this.#mustList = 'for all'
      this.#isCollecting = false
      const list = () => {
        this.#mustList = 'for all'
        this.#wake.resolve()
      }
      // A containerd that hangs keeps its streams open: only a question shows it.
      const probe = () => void client.call(api.version, {}, signal).catch(fail)
      ticks.push(every(clock, reconcileMs, list, signal), every(clock, probeMs, probe, signal))
      await this.#work(signal)
    } finally {
      session.abort(new DOMException('the session with containerd is over', 'AbortError'))
      await Promise.all([events, ...ticks])
    }
  }

  async #readEvents(signal: AbortSignal): Promise<void> {
    const { client, namespace, isExpected } = this.#options
    for await (const envelope of client.stream(api.subscribe, { filters: eventFilters }, signal)) {
      const touched = touchedBy(envelope, namespace)
      if (touched?.kind === 'image') this.#images.add(touched.name)
      if (touched?.kind === 'content') {
        const { digest, size } = touched
        if (this.#areLabelsLate && !(size !== undefined && isExpected(digest))) {
          void later(this.#options.clock, labelsComeMs, () => this.#toRead(digest, 0), signal)
          continue
        }
        this.#contents.set(digest, { attempt: 0, size })
      }
      if (touched !== undefined) this.#wake.resolve()
    }
    throw new Error('containerd ended the stream of events')
  }

  async #work(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<never>()
    const onAbort = () => aborted.reject(signal.reason)
    aborted.promise.catch(() => undefined) // told through the race below
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      for (;;) {
        this.#wake = Promise.withResolvers()
        if (this.#images.size + this.#contents.size > mostTouched) this.#mustList = 'for all'
        if (this.#mustList !== 'no') await this.#list(signal)
        for (const [digest, unread] of [...this.#contents]) await this.#readContent(digest, unread, signal)
        for (const name of [...this.#images]) await this.#readImage(name, signal)
        await Promise.race([this.#wake.promise, aborted.promise])
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, tracker, feed, log, onListed, isExpected } = this.#options
    const isForAll = this.#mustList === 'for all'
    this.#mustList = 'no'
    // Otherwise they are read again after it: content may still wait for its labels.
    if (this.#images.size + this.#contents.size > mostTouched) {
      this.#images.clear()
      this.#contents.clear()
    }
    const listed = await client.call(api.listImages, { filters: [imageFilter] }, signal, listLimitMs)
    const contents = new Map<Digest, KnownContent>()
    for await (const { info } of client.stream(api.listContent, {}, signal)) {
      for (const { digest, size, labels } of info) {
        const parsed = parseDigest(digest)
        if (parsed === undefined) continue
        const sources = hasSource(labels) ? labels : noLabels
        contents.set(parsed, { digest: parsed, size, labels: sources, isExpected: isExpected(parsed) })
      }
    }
    // The one text of each digest: a manifest's own would keep each a second time.
    const textOf = (digest: Digest) => contents.get(digest)?.digest ?? digest
    const images: KnownImage[] = []
    for (const image of listed.images) {
      const root = parseDigest(image.target?.digest ?? '')
      if (root === undefined || mirroredImage(this.#options.filters, image.name) === undefined) {
        log.debug({ image: image.name }, 'An image is not mirrored by its name.')
        continue
      }
      const tree = await walkImage(textOf(root), async digest =>
        contents.has(digest) ? await this.#options.readManifest(digest, signal, textOf) : undefined,
      )
      images.push({ name: image.name, tree })
    }
    const change = tracker.replaceAll(images, contents.values())
    if (!isForAll) {
      feed.changed(change)
      return
    }
    feed.listed()
    await onListed(change.added.length + change.removed.length, signal)
  }

  async #readImage(name: string, signal: AbortSignal): Promise<void> {
    const { client, tracker, feed, filters, readManifest } = this.#options
    this.#images.delete(name)
    if (mirroredImage(filters, name) === undefined) return
    this.#awaitCollection(signal)
    const found = await orMissing(client.call(api.getImage, { name }, signal))
    const root = parseDigest(found?.image?.target?.digest ?? '')
    if (root === undefined) {
      feed.changed(tracker.removeImage(name))
      return
    }
    const tree = await walkImage(root, digest => readManifest(digest, signal))
    // Before 2.1 nothing but the image's own event tells that its content is here.
    let isPulled = false
    for (const part of tree.parts) {
      if (part !== root && this.#isLate(part)) continue
      const content = await this.#infoOf(part, signal)
      if (part === root && content !== undefined) isPulled = hasSource(content.labels)
      feed.changed(content === undefined ? tracker.removeContent(part) : tracker.putContent(content))
    }
    const change = tracker.putImage({ name, tree })
    feed.changed(change)
    // What was imported has no source; what was here already has no new name.
    if (isPulled && change.added.length > 0) this.#options.onPulled?.(name)
  }

  #awaitCollection(signal: AbortSignal): void {
    if (this.#isCollecting) return
    this.#isCollecting = true
    for (const [index, afterMs] of collectedAfterMs.entries()) {
      const list = () => {
        if (index === 1) this.#isCollecting = false
        if (this.#mustList === 'no') this.#mustList = 'quietly'
        this.#wake.resolve()
      }
      void later(this.#options.clock, afterMs, list, signal)
    }
  }

  async #readContent(digest: Digest, { attempt, size }: Unread, signal: AbortSignal): Promise<void> {
    const { tracker, feed, clock, isExpected } = this.#options
    this.#contents.delete(digest)
    const isKnown = size !== undefined && isExpected(digest)
    const content = isKnown ? { digest, size, labels: noLabels, isExpected: true } : await this.#infoOf(digest, signal)
    if (content === undefined) {
      feed.changed(tracker.removeContent(digest))
      return
    }
    this.#read.set(digest, clock.elapsed())
    feed.changed(tracker.putContent(content))
    for (const name of tracker.waitingFor(digest)) this.#images.add(name)
    const isSaid = isKnown || hasSource(content.labels)
    if (isSaid && attempt > 0) this.#areLabelsLate = true
    if (isSaid || tracker.isHeld(digest) || attempt >= labelTries) return
    const again = () => {
      if (!this.#contents.has(digest)) this.#toRead(digest, attempt + 1)
    }
    void later(clock, labelWaitMs(attempt), again, signal)
  }

  #toRead(digest: Digest, attempt: number): void {
    this.#contents.set(digest, { attempt, size: undefined })
    this.#wake.resolve()
  }

  #isLate(digest: Digest): boolean {
    const readMs = this.#read.get(digest)
    const { tracker, clock } = this.#options
    return readMs !== undefined && clock.elapsed() - readMs < lateMs && tracker.has(digest)
  }

  async #infoOf(digest: Digest, signal: AbortSignal): Promise<KnownContent | undefined> {
    const answer = await orMissing(this.#options.client.call(api.contentInfo, { digest }, signal))
    if (answer?.info === undefined) return undefined
    return { digest, size: answer.info.size, labels: answer.info.labels, isExpected: this.#options.isExpected(digest) }
  }
}

const noLabels: ReadonlyMap<string, string> = new Map()

/** Acts after `delayMs`; ends without it when `signal` is aborted before. */
async function later(clock: Clock, delayMs: number, act: () => void, signal: AbortSignal): Promise<void> {
  try {
    await clock.after(delayMs, signal)
  } catch (reason) {
    if (!signal.aborted) throw reason
    return
  }
  act()
}

async function every(clock: Clock, periodMs: number, act: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await later(clock, periodMs, act, signal)
}
