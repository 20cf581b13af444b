// The store of a node: its containerd, from 1.6 to 2.x. It opens whether containerd is there or not, and follows it from then on.
import type { Readable } from 'node:stream'
import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Random } from '#kube/random.ts'
import type { ByteRange, ContentInfo, InFlight, Store, StoreChange, StoredImage, StoreHealth } from '../contract.ts'
import { StoreUnavailable } from '../contract.ts'
import type { RegistryFilters } from '../filters.ts'
import { type Digest, parseDigest } from '../reference.ts'
import { atMost } from '../remembered.ts'
import { blobPath, fileSize } from './blob-files.ts'
import { ChangeFeed } from './change-feed.ts'
import * as api from './containerd-api.ts'
import { ContainerdClient, NotInStore, orMissing } from './containerd-client.ts'
import { ContentReader } from './content-reader.ts'
import { criSettings, type Finding, findings } from './findings.ts'
import { binaryType, isManifestType, largestFingerprint } from './fingerprint.ts'
import { followIngest } from './following.ts'
import { type Manifest, readManifest } from './image-tree.ts'
import { ingestPath, ingestTotal } from './ingests.ts'
import { StoreWatch } from './store-watch.ts'
import { Tracker } from './tracker.ts'

/** Pieces of content whose media type is remembered. */
const mostRemembered = 10_000
/** Digests in the manifests that are remembered. */
const mostNamed = 200_000
/** How long content that lies as files is served while containerd is away. */
const graceMs = 60_000
const findingsEveryMs = 3_600_000
/** What containerd said of so much content is believed for so long, by whoever opens it right after. */
const mostTold = 1_000
/** Digests that containerd asked for last. */
const mostExpected = 4_096
const toldMs = 1_000

interface ContainerdStoreOptions {
  /** Absolute path of containerd's socket. */
  readonly socket: string
  readonly namespace: string
  /** Where its content lies as files; empty: where containerd says. Without it content is read through the API. */
  readonly contentPath: string
  /** Where containerd is to look for hosts files. */
  readonly registryConfigPath: string
  readonly filters: RegistryFilters
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** The whole store was compared with what is announced; `repaired` keys differed. */
  readonly onReconciled?: (repaired: number) => void
  /** An image came from a registry, through this node's mirror or past it. */
  readonly onPulled?: (name: string) => void
}

/** Yields at once: what containerd has is known when `changes` begins. Disposing ends its streams. */
export function openContainerdStore(options: ContainerdStoreOptions): Store & AsyncDisposable {
  return new ContainerdStore(options)
}

class ContainerdStore implements Store, AsyncDisposable {
  readonly #options: ContainerdStoreOptions
  readonly #client: ContainerdClient
  readonly #reader: ContentReader
  readonly #tracker: Tracker
  readonly #feed: ChangeFeed
  /** What containerd said a moment ago: whoever opens content has just asked whether it is here. */
  readonly #told = new LRUCache<Digest, { readonly size: number; readonly untilMs: number }>(atMost(mostTold))
  readonly #expected = new LRUCache<Digest, true>(atMost(mostExpected))
  readonly #mediaTypes = new LRUCache<Digest, string>(atMost(mostRemembered))
  readonly #manifests = new LRUCache<Digest, Manifest>({
    maxSize: mostNamed,
    // So that they are no more than are remembered of anything.
    sizeCalculation: ({ children }) => Math.max(children.length, mostNamed / mostRemembered),
  })
  readonly #stop = new AbortController()
  readonly #watching: Promise<void>
  #version: string | undefined
  #isUp = false
  #lost = 'containerd has not answered yet'
  /** Since when it does not answer, of the clock's `elapsed`. */
  #lostMs = Number.NEGATIVE_INFINITY
  #settings: ReturnType<typeof criSettings> = { discardsLayers: undefined, configPath: undefined }
  #settingsMs = Number.NEGATIVE_INFINITY

  constructor(options: ContainerdStoreOptions) {
    const { filters, clock, random, log, namespace } = options
    this.#options = options
    this.#client = new ContainerdClient(options)
    this.#reader = new ContentReader(this.#client)
    this.#tracker = new Tracker(filters)
    this.#feed = new ChangeFeed(() => this.#tracker.keys())
    const watch = new StoreWatch({
      client: this.#client,
      namespace,
      filters,
      tracker: this.#tracker,
      feed: this.#feed,
      clock,
      random,
      log,
      isExpected: digest => this.#expected.has(digest),
      readManifest: (digest, signal, textOf) => this.#manifest(digest, signal, textOf),
      onConnected: (version, signal) => this.#connected(version, signal),
      onLost: cause => this.#wasLost(cause),
      ...(options.onPulled === undefined ? {} : { onPulled: options.onPulled }),
      onListed: async (repaired, signal) => {
        options.onReconciled?.(repaired)
        if (clock.elapsed() - this.#settingsMs > findingsEveryMs) await this.#readSettings(signal)
      },
    })
    this.#watching = watch.run(this.#stop.signal)
  }

  async resolve(name: string, signal: AbortSignal): Promise<Digest | undefined> {
    const answer = await orMissing(this.#client.call(api.getImage, { name }, signal))
    return parseDigest(answer?.image?.target?.digest ?? '')
  }

  async info(digest: Digest, signal: AbortSignal): Promise<ContentInfo | undefined> {
    // Most that is asked is not here: one look at the directory is quicker than a question to containerd.
    const file = await this.#reader.file(digest)
    if (file === 'none') return undefined
    // Events say what our namespace has, and the file that it is still there: a question would say the same.
    const tracked = file !== 'unmounted' && this.#isUp && this.#tracker.sizeOf(digest) === file.size
    const size = tracked ? file.size : await this.#sizeOf(digest, signal)
    if (size === undefined) return undefined
    this.#told.set(digest, { size, untilMs: this.#options.clock.elapsed() + toldMs })
    const content = { digest, size }
    // Its directory may have been made since.
    if (!(file === 'unmounted' ? await this.#reader.isIntact(content) : file.size === size)) {
      this.#options.log.warn({ digest, size }, 'Content lacks its file, or it has another size.')
      return undefined
    }
    const mediaType =
      this.#mediaTypes.get(digest) ??
      (this.#tracker.isLayer(digest) ? binaryType : await this.#reader.mediaTypeOf(content, signal))
    this.#mediaTypes.set(digest, mediaType)
    return { digest, size, mediaType, isManifest: isManifestType(mediaType) }
  }

  expect(digest: Digest): void {
    this.#expected.set(digest, true)
  }

  async open(digest: Digest, range?: ByteRange, atOnce?: number): Promise<Readable> {
    const told = this.#told.get(digest)
    const isFresh = told !== undefined && told.untilMs > this.#options.clock.elapsed()
    const content = isFresh ? { digest, size: told.size } : await this.#sized(digest, this.#stop.signal)
    return await this.#reader.open(content, range, atOnce)
  }

  async fileOf(content: Pick<ContentInfo, 'digest' | 'size'>): Promise<string | undefined> {
    return await this.#reader.fileOf(content)
  }

  async read(digest: Digest, limit: number, signal: AbortSignal): Promise<Buffer> {
    return await this.#reader.read(await this.#sized(digest, signal), limit, signal)
  }

  /** By its files, as it is followed by them too: a containerd that is busy with ten downloads answers late. */
  async inFlight(digest: Digest, signal: AbortSignal): Promise<InFlight | undefined> {
    const root = await this.#reader.root()
    if (root === undefined) return undefined // what cannot be followed is of no use to anybody
    const path = await ingestPath(root, this.#options.namespace, digest)
    signal.throwIfAborted()
    if (path === undefined) return undefined
    const [offset, total] = await Promise.all([fileSize(path), ingestTotal(path)])
    return offset === undefined ? undefined : { digest, offset, total }
  }

  async follow(digest: Digest, start: number, stallMs: number): Promise<Readable> {
    const root = await this.#reader.root()
    if (root === undefined) throw new Error(`${digest}: content is not mounted as files, so no download can be followed`)
    const path = await ingestPath(root, this.#options.namespace, digest)
    if (path === undefined) {
      // Committed since somebody asked: then it is content.
      const whole = await this.#sized(digest, this.#stop.signal)
      return await this.#reader.open(whole, { start, end: whole.size - 1 })
    }
    const { clock } = this.#options
    return followIngest({ root, digest, path, start, stallMs, clock })
  }

  changes(signal: AbortSignal): AsyncIterable<StoreChange> {
    return this.#feed.listen(AbortSignal.any([signal, this.#stop.signal]))
  }

  images(): readonly StoredImage[] {
    return this.#tracker.images()
  }

  health(): StoreHealth {
    const problems: Finding[] = this.#isUp ? [] : [{ reason: 'ContainerdUnreachable', message: this.#lost }]
    if (this.#version !== undefined) {
      const observed = {
        version: this.#version,
        ...this.#settings,
        images: this.#tracker.imageCount,
        imagesWithoutLayers: this.#tracker.withoutLayers(),
      }
      problems.push(...findings(observed, this.#options.registryConfigPath))
    }
    return { isUp: this.#isUp, version: this.#version, problems }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the store is closed', 'AbortError'))
    await this.#watching
    this.#client[Symbol.dispose]()
  }

  /** Its size, where our namespace has it; while containerd is away by what was known of it and lies as a file. */
  async #sizeOf(digest: Digest, signal: AbortSignal): Promise<number | undefined> {
    try {
      return (await orMissing(this.#client.call(api.contentInfo, { digest }, signal)))?.info?.size
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      const known = this.#tracker.sizeOf(digest)
      const root = await this.#reader.root()
      const isLate = !this.#isUp && this.#options.clock.elapsed() - this.#lostMs > graceMs
      if (known === undefined || root === undefined || isLate) throw error
      return (await fileSize(blobPath(root, digest))) === known ? known : undefined
    }
  }

  async #sized(digest: Digest, signal: AbortSignal) {
    const size = await this.#sizeOf(digest, signal)
    if (size === undefined) throw new NotInStore(`${digest} is not in the store`)
    return { digest, size }
  }

  async #manifest(digest: Digest, signal: AbortSignal, textOf?: (digest: Digest) => Digest): Promise<Manifest | undefined> {
    const known = this.#manifests.get(digest)
    const size = this.#tracker.sizeOf(digest) ?? (await this.#sizeOf(digest, signal))
    if (size === undefined) return undefined
    if (known !== undefined) return this.#remembered(digest, known, textOf)
    if (size > largestFingerprint) return undefined
    const content = { digest, size }
    if (!(await this.#reader.isIntact(content))) return undefined
    const manifest = await this.#read(content, signal)
    return manifest && this.#remembered(digest, manifest, textOf)
  }

  #remembered(digest: Digest, manifest: Manifest, textOf?: (digest: Digest) => Digest): Manifest {
    const shared = textOf === undefined ? manifest : { ...manifest, children: manifest.children.map(textOf) }
    this.#manifests.set(digest, shared)
    return shared
  }

  async #read(content: { readonly digest: Digest; readonly size: number }, signal: AbortSignal): Promise<Manifest | undefined> {
    try {
      return readManifest(await this.#reader.read(content, largestFingerprint, signal))
    } catch (error) {
      if (error instanceof NotInStore) return undefined // deleted since it was listed
      throw error
    }
  }

  async #connected(version: string, signal: AbortSignal): Promise<void> {
    const { log, clock, socket } = this.#options
    const { contentPath } = this.#options
    this.#reader.path = contentPath === '' ? await this.#exportedRoot(signal) : contentPath
    if (this.#version !== version || clock.elapsed() - this.#settingsMs > findingsEveryMs) await this.#readSettings(signal)
    this.#version = version
    this.#isUp = true
    const root = await this.#reader.root()
    log.info(
      { socket, version },
      root === undefined ? 'containerd answers; its content is not mounted here.' : 'containerd answers.',
    )
  }

  #wasLost(cause: unknown): void {
    const { log, socket, clock } = this.#options
    const message = cause instanceof StoreUnavailable ? cause.message : messageOf(cause)
    if (this.#isUp || this.#lost !== message) log.warn({ socket, cause: message }, 'containerd does not answer.')
    if (this.#isUp) this.#lostMs = clock.elapsed()
    this.#isUp = false
    this.#lost = message
  }

  /** The content directory as containerd says it. */
  async #exportedRoot(signal: AbortSignal): Promise<string | undefined> {
    const filters = ['type==io.containerd.content.v1']
    const { plugins } = await this.#client.call(api.listPlugins, { filters }, signal)
    return plugins.map(({ exports }) => exports.get('root')).find(root => root !== undefined)
  }

  async #readSettings(signal: AbortSignal): Promise<void> {
    this.#settingsMs = this.#options.clock.elapsed()
    try {
      const { info } = await this.#client.call(api.criStatus, { verbose: true }, signal)
      this.#settings = criSettings(info.get('config'))
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      // The CRI may be off or still starting; a containerd that is gone shows with the next call.
      this.#options.log.debug({ cause: messageOf(error) }, 'containerd does not tell its settings.')
    }
  }
}
