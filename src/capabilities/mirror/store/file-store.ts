// A store over a plain directory in the OCI layout: `blobs/<algorithm>/<hex>`, and images by the names in `index.json`. Downloads lie below
// `ingest/` as containerd has them. For agents that are tried without a containerd.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { ByteRange, ContentInfo, InFlight, Store, StoreChange, StoredImage, StoreHealth } from '../contract.ts'
import { everything, type RegistryFilters } from '../filters.ts'
import { type Digest, parseDigest } from '../reference.ts'
import { blobPath, fileSize, isMissing, openBlob } from './blob-files.ts'
import { ChangeFeed } from './change-feed.ts'
import { buffered } from './content-reader.ts'
import { binaryType, isManifestType, isObject, largestFingerprint, mediaTypeOf } from './fingerprint.ts'
import { followIngest } from './following.ts'
import { readManifest, walkImage } from './image-tree.ts'
import { ingestPath, ingestTotal } from './ingests.ts'
import { type KnownContent, Tracker } from './tracker.ts'

/** Where an image's whole name stands: as containerd's exports have it, and as the layout itself does. */
const nameAnnotations = ['io.containerd.image.name', 'org.opencontainers.image.ref.name']
const namespace = 'k8s.io'
/** Whatever lies in the directory counts as fetched. */
const ownLabels = new Map([['containerd.io/distribution.source.layout', 'blobs']])

interface FileStoreOptions {
  readonly clock: Clock
  readonly log: Log
  readonly filters?: RegistryFilters
  /** How often the directory is looked through; 250 ms unless told. */
  readonly everyMs?: number
}

/** Looks through the directory until it is disposed. @throws Error where it cannot be read at all */
export async function fileStore(directory: string, options: FileStoreOptions): Promise<Store & AsyncDisposable> {
  const store = new FileStore(directory, options)
  await store.begin()
  return store
}

class FileStore implements Store, AsyncDisposable {
  readonly #root: string
  readonly #options: FileStoreOptions
  readonly #tracker: Tracker
  readonly #feed: ChangeFeed
  readonly #stop = new AbortController()
  #names: ReadonlyMap<string, Digest> = new Map()
  #watching: Promise<void> = Promise.resolve()

  constructor(directory: string, options: FileStoreOptions) {
    this.#root = directory
    this.#options = options
    this.#tracker = new Tracker(options.filters ?? everything)
    this.#feed = new ChangeFeed(() => this.#tracker.keys())
  }

  async begin(): Promise<void> {
    await this.#look()
    this.#feed.listed()
    this.#watching = this.#watch(this.#stop.signal)
  }

  async resolve(name: string, _signal: AbortSignal): Promise<Digest | undefined> {
    return this.#names.get(name)
  }

  async info(digest: Digest, signal: AbortSignal): Promise<ContentInfo | undefined> {
    const size = await fileSize(blobPath(this.#root, digest))
    if (size === undefined) return undefined
    const isSmall = size <= largestFingerprint
    const mediaType = isSmall ? mediaTypeOf(await this.read(digest, largestFingerprint, signal)) : binaryType
    return { digest, size, mediaType, isManifest: isManifestType(mediaType) }
  }

  async open(digest: Digest, range?: ByteRange, atOnce?: number): Promise<Readable> {
    const size = await fileSize(blobPath(this.#root, digest))
    const file = size === undefined ? undefined : await openBlob(this.#root, { digest, size }, range, atOnce)
    if (file === undefined) throw new Error(`${digest} is not in ${this.#root}`)
    return file
  }

  async read(digest: Digest, limit: number, signal: AbortSignal): Promise<Buffer> {
    const size = await fileSize(blobPath(this.#root, digest))
    if (size !== undefined && size > limit) throw new Error(`${digest} has ${size} bytes, more than ${limit}`)
    return await buffered(await this.open(digest), signal)
  }

  async inFlight(digest: Digest, _signal: AbortSignal): Promise<InFlight | undefined> {
    const path = await ingestPath(this.#root, namespace, digest)
    const offset = path === undefined ? undefined : await fileSize(path)
    if (path === undefined || offset === undefined) return undefined
    return { digest, offset, total: await ingestTotal(path) }
  }

  async follow(digest: Digest, start: number, stallMs: number): Promise<Readable> {
    const root = this.#root
    const path = await ingestPath(root, namespace, digest)
    if (path === undefined) return await this.open(digest, { start, end: Number.MAX_SAFE_INTEGER })
    return followIngest({ root, digest, path, start, stallMs, clock: this.#options.clock })
  }

  changes(signal: AbortSignal): AsyncIterable<StoreChange> {
    return this.#feed.listen(AbortSignal.any([signal, this.#stop.signal]))
  }

  images(): readonly StoredImage[] {
    return this.#tracker.images()
  }

  health(): StoreHealth {
    return { isUp: true, version: undefined, problems: [] }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the store is closed', 'AbortError'))
    await this.#watching
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, log, everyMs = 250 } = this.#options
    while (!signal.aborted) {
      try {
        await clock.after(everyMs, signal)
        await this.#look()
      } catch (error) {
        if (!signal.aborted) log.warn({ directory: this.#root, cause: messageOf(error) }, 'The directory cannot be read.')
      }
    }
  }

  async #look(): Promise<void> {
    const contents = new Map<Digest, KnownContent>()
    for (const algorithm of await namesIn(join(this.#root, 'blobs'))) {
      for (const hex of await namesIn(join(this.#root, 'blobs', algorithm))) {
        const digest = parseDigest(`${algorithm}:${hex}`)
        const size = digest === undefined ? undefined : await fileSize(blobPath(this.#root, digest))
        if (digest !== undefined && size !== undefined) contents.set(digest, { digest, size, labels: ownLabels })
      }
    }
    const names = await this.#namesInIndex()
    const images = await Promise.all(
      [...names].map(async ([name, root]) => ({
        name,
        tree: await walkImage(root, async digest => {
          const size = contents.get(digest)?.size
          if (size === undefined || size > largestFingerprint) return undefined
          return readManifest(await this.read(digest, largestFingerprint, this.#stop.signal))
        }),
      })),
    )
    this.#names = names
    this.#feed.changed(this.#tracker.replaceAll(images, contents.values()))
  }

  async #namesInIndex(): Promise<ReadonlyMap<string, Digest>> {
    let text: string
    try {
      text = await readFile(join(this.#root, 'index.json'), 'utf8')
    } catch (error) {
      if (isMissing(error)) return new Map() // content alone
      throw error
    }
    const index: unknown = JSON.parse(text)
    const manifests: readonly unknown[] = isObject(index) && Array.isArray(index.manifests) ? index.manifests : []
    const names = new Map<string, Digest>()
    for (const manifest of manifests) {
      if (!isObject(manifest) || !isObject(manifest.annotations)) continue
      const digest = typeof manifest.digest === 'string' ? parseDigest(manifest.digest) : undefined
      for (const annotation of nameAnnotations) {
        const name = manifest.annotations[annotation]
        if (digest !== undefined && typeof name === 'string') names.set(name, digest)
      }
    }
    return names
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
