// Manifests of other nodes: always fetched whole and checked, tags with what they lead to, and kept for the request that follows.
import { LRUCache } from 'lru-cache'
import type { ContentInfo, NotFound, Peer, Store, Wanted } from '../contract.ts'
import { StoreUnavailable } from '../contract.ts'
import { type Digest, tagKey } from '../reference.ts'
import { isManifestType, largestFingerprint, mediaTypeOf } from '../store/fingerprint.ts'
import { type Fetching, mostRounds, notFound } from './fetching.ts'
import type { PeerAnswer, PeerRequest } from './peers/peer-client.ts'
import { type Platform, platformManifests } from './platform-manifests.ts'
import { SharedWork } from './transfer/waited-work.ts'

/** Manifests that are kept, and their bytes together: a pull asks for each two or three times. */
const mostKept = 64
const mostKeptBytes = 8_388_608
/** Manifests of an index that a peer is asked for until one is there. */
const mostPlatforms = 4

interface Manifest {
  readonly digest: Digest
  readonly bytes: Buffer
  readonly mediaType: string
}

type ManifestResult = { readonly outcome: 'found'; readonly manifest: Manifest; readonly attempts: number } | NotFound

export class Manifests {
  readonly #fetching: Fetching
  readonly #store: Pick<Store, 'info'>
  readonly #platform: Platform
  readonly #fetched = new SharedWork<ManifestResult>()
  readonly #kept = new LRUCache<Digest, Manifest>({
    max: mostKept,
    maxSize: mostKeptBytes,
    sizeCalculation: ({ bytes }) => bytes.length + 1,
  })

  constructor(fetching: Fetching, store: Pick<Store, 'info'>, platform: Platform) {
    this.#fetching = fetching
    this.#store = store
    this.#platform = platform
  }

  /** By its digest. @throws `signal.reason` when aborted */
  async byDigest(wanted: Wanted, digest: Digest, signal: AbortSignal): Promise<ManifestResult> {
    const kept = this.#kept.get(digest)
    if (kept !== undefined) return { outcome: 'found', manifest: kept, attempts: 0 }
    const request = requestOf(wanted, { digest })
    return await this.#fetched.join(digest, stop => this.#rounds(digest, request, stop, async () => true), signal)
  }

  /** By its tag; of an index one platform's manifest is here too, or at the peer that has the tag. @throws `signal.reason` when aborted */
  async byTag(wanted: Wanted, tag: string, signal: AbortSignal): Promise<ManifestResult> {
    const key = tagKey({ ...wanted, tag })
    const request = requestOf(wanted, { tag })
    const work = (stop: AbortSignal) =>
      this.#rounds(key, request, stop, (manifest, peer) => this.#isPullable(manifest, peer, wanted, stop))
    return await this.#fetched.join(key, work, signal)
  }

  async #rounds(
    key: string,
    request: PeerRequest,
    signal: AbortSignal,
    isGood: (manifest: Manifest, peer: Peer) => Promise<boolean>,
  ): Promise<ManifestResult> {
    const avoid = new Set<string>()
    let attempts = 0
    for (let round = 0; round < mostRounds; round++) {
      const finding = await this.#fetching.find(key, request, signal, { avoid, refuse: tooLarge })
      attempts += finding.attempts
      if (finding.outcome === 'nobody') {
        const { reason } = finding
        return notFound(key, { attempts, reason: round === 0 || reason === 'timeout' ? reason : 'failed' })
      }
      const { won } = finding
      const manifest = await this.#read(key, request, won, signal)
      if (manifest !== undefined && (await isGood(manifest, won.peer))) return { outcome: 'found', manifest, attempts }
      avoid.add(won.peer.id)
    }
    return notFound(key, { attempts, reason: 'failed' })
  }

  async #read(
    key: string,
    request: PeerRequest,
    won: { readonly peer: Peer; readonly answer: PeerAnswer },
    signal: AbortSignal,
  ): Promise<Manifest | undefined> {
    const { digest } = won.answer.head
    const known = this.#kept.get(digest)
    using checked = await this.#fetching.readChecked(key, request, won, signal)
    if (checked === undefined) return undefined
    const { bytes } = checked
    // What the peer calls it is of no matter: containerd takes the type that we say.
    const mediaType = mediaTypeOf(bytes)
    if (!isManifestType(mediaType)) return undefined
    const manifest = known ?? { digest, bytes, mediaType }
    this.#kept.set(digest, manifest)
    return manifest
  }

  async #isPullable({ bytes }: Manifest, peer: Peer, wanted: Wanted, signal: AbortSignal): Promise<boolean> {
    const platforms = platformManifests(bytes, this.#platform)
    if (platforms === undefined || platforms.length === 0) return true
    for (const digest of platforms.slice(0, mostPlatforms)) {
      if (this.#kept.has(digest) || (await this.#isHere(digest, signal))) return true
      const request = requestOf(wanted, { digest })
      const finding = await this.#fetching.find(digest, request, signal, { peers: [peer], refuse: tooLarge })
      if (finding.outcome === 'won' && (await this.#read(digest, request, finding.won, signal)) !== undefined) return true
    }
    return false
  }

  async #isHere(digest: Digest, signal: AbortSignal): Promise<boolean> {
    let info: ContentInfo | undefined
    try {
      info = await this.#store.info(digest, signal)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
    }
    return info?.isManifest === true
  }
}

function requestOf({ registry, repository }: Wanted, what: { readonly digest?: Digest; readonly tag?: string }): PeerRequest {
  return { route: 'manifests', method: 'GET', registry, repository, digest: what.digest, tag: what.tag, range: undefined }
}

const tooLarge = ({ head }: PeerAnswer): string | undefined =>
  head.size > largestFingerprint ? `${head.size} bytes are no manifest` : undefined
