// What the rooms of the mirror know of each other: the store (what this node has), the router (who else has it), the exchange
// (how it comes from there). Each is built from these faces alone, so that each can be replaced by a simpler one in tests.
import type { Readable } from 'node:stream'
import { OutsideError } from '#kube/outside-error.ts'
import type { Digest } from './reference.ts'

/** A piece of content that lies whole in a store. */
export interface ContentInfo {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** Media type of a manifest, an index or an image configuration by its content; else `application/octet-stream`. */
  readonly mediaType: string
  /** Whether `mediaType` is one that `/manifests/` answers. */
  readonly isManifest: boolean
}

/** A download that the node's own containerd has begun. */
export interface InFlight {
  readonly digest: Digest
  /** Bytes that are there. */
  readonly offset: number
  /** Bytes that it will have; 0 where containerd does not say. */
  readonly total: number
}

/** First and last byte, both included. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** The store does not answer: containerd is gone, or is slower than a second. */
export class StoreUnavailable extends OutsideError {
  override readonly name = 'StoreUnavailable'
}

/** Images and content of one node. Of images only those that pass the filters are listed; look-ups are not filtered. */
export interface Store {
  /** Digest of `registry/repository:tag`. @throws StoreUnavailable */
  resolve(name: string, signal: AbortSignal): Promise<Digest | undefined>
  /** `undefined` where it is not there whole. @throws StoreUnavailable */
  info(digest: Digest, signal: AbortSignal): Promise<ContentInfo | undefined>
  /**
   * Its bytes, `readBytes` of them at a time (default and most 256 KiB; less where many read at once), two pieces in memory; the stream
   * fails where fewer come than `info` said. A `LentBody` is sent without copies. @throws StoreUnavailable
   */
  open(digest: Digest, range?: ByteRange, readBytes?: number): Promise<Readable>
  /**
   * This node's containerd asks for it, as of a mirrored image: where it then comes, it is announced without a question what it is of. Left out: a store
   * that asks nobody.
   */
  expect?(digest: Digest): void
  /** Path of the file that has exactly its bytes; `undefined` where it cannot be seen as one. Left out: nothing is a file. */
  fileOf?(content: Pick<ContentInfo, 'digest' | 'size'>): Promise<string | undefined>
  /** The whole of something small. @throws Error where it is larger than `limit` bytes. */
  read(digest: Digest, limit: number, signal: AbortSignal): Promise<Buffer>
  /** The node's own download of it that is under way. */
  inFlight(digest: Digest, signal: AbortSignal): Promise<InFlight | undefined>
  /** Bytes of a download from `start` on as they come, to its end; fails where the download stops or vanishes. */
  follow(digest: Digest, start: number, stallMs: number): Promise<Readable>
  /** Keys to announce: a full list first, then each change, for ever; a new full list after containerd was away, and every 15 min. */
  changes(signal: AbortSignal): AsyncIterable<StoreChange>
  /** Images that are here, with all that belongs to each: for the page and the debug page. */
  images(): readonly StoredImage[]
  health(): StoreHealth
}

export type StoreChange =
  /** The whole: what is not in it is not here. */
  | { readonly kind: 'all'; readonly keys: ReadonlySet<string> }
  | { readonly kind: 'changed'; readonly added: readonly string[]; readonly removed: readonly string[] }

export interface StoredImage {
  /** `registry/repository:tag`, or with `@digest`. */
  readonly name: string
  readonly registry: string
  readonly digest: Digest
  /** Parts of it that are in the store, itself included, with their sizes in bytes. */
  readonly parts: ReadonlyMap<Digest, number>
}

export interface StoreHealth {
  readonly isUp: boolean
  /** `2.1.9`; `undefined` before it answered. */
  readonly version: string | undefined
  /** Why it is not up, or what else is wrong with it. */
  readonly problems: readonly {
    readonly reason: 'ContainerdUnreachable' | 'LayersDiscarded' | 'ConfigurationMissing' | 'HostsFilesEdited'
    readonly message: string
  }[]
}

/** Another node's mirror. */
export interface Peer {
  /** libp2p's id, `12D3Koo…`. */
  readonly id: string
  /** IP addresses as they are written in URLs: IPv6 in brackets. IPv6 first. */
  readonly hosts: readonly string[]
  /** As libp2p's identify gave it: `ballast/0.1.0 (zone=a)`. */
  readonly agent: string | undefined
  readonly zone: string | undefined
  /** Whether it is one of ours, by its agent string. */
  readonly isOurs: boolean
}

export interface RouterState {
  readonly id: string
  /** The routing table is not empty and a peer answered within 30 s, or we are alone and may be. */
  readonly isReady: boolean
  readonly isOnline: boolean
  /** Bootstrap finds only ourselves. */
  readonly isAlone: boolean
  /** In the routing table. */
  readonly peers: number
  /** Keys that are announced. */
  readonly announced: number
  /** Why it is not ready, in a line. */
  readonly reason: string | undefined
}

/** Who has what, among all nodes. Keys are digests, tag keys, and `inflight:<digest>`. */
export interface Router extends AsyncDisposable {
  readonly id: string
  /**
   * Peers that announced `key`, each once, ourselves never, as they are found; at most `count`. Ends when no more can be found, or
   * `signal` is aborted (without an error). Look-ups of one key at a time are one; what was found is kept for 5 s.
   */
  lookup(key: string, options: { readonly count: number; readonly signal: AbortSignal }): AsyncIterable<Peer>
  /** Announces from now on and again before it runs out; resolves when they were first told. `validMs`: once, for so long. */
  announce(keys: Iterable<string>, options?: { readonly validMs?: number }): Promise<void>
  /** Announces no longer: it is forgotten by others when it runs out. */
  withdraw(keys: Iterable<string>): void
  /** The kept look-up of `key` no longer has `peer`. */
  drop(key: string, peer: string): void
  state(): RouterState
  /** XOR distance of a peer's id to a key, for electing one of several: smaller is nearer. */
  distance(key: string, peer: string): bigint
  /** Peers of ours nearest to a key, nearest first, ourselves not among them; at once where everybody is known. @throws `signal.reason` */
  nearest(key: string, signal: AbortSignal): Promise<readonly Peer[]>
  /** Peers that have the key, as far as this node keeps that for others; nobody is asked. */
  known(key: string): readonly Peer[]
  /** Where a peer is that others name; `undefined` where nobody knows. @throws `signal.reason` */
  whereIs(id: string, signal: AbortSignal): Promise<Peer | undefined>
}

/** What is asked of others, since it is not here. */
export interface Wanted {
  readonly route: 'manifests' | 'blobs'
  readonly method: 'GET' | 'HEAD'
  /** Registry of the image reference, `docker.io`; empty where a digest was asked for without it. */
  readonly registry: string
  readonly repository: string
  /** One of both. */
  readonly digest?: Digest
  readonly tag?: string
  /** As the client asked, not yet clipped to a size; blobs only. */
  readonly range?: { readonly start: number; readonly end?: number } | { readonly last: number }
  /** A data plane can get the body of this one where it is told. */
  readonly carrying?: Carrying
}

/** What is known of a request whose body a data plane can carry. */
export interface Carrying {
  /** containerd asks: it checks what it gets, and asks again for what was wrong. */
  readonly isContainerd: boolean
  /** Peers that failed at this request. */
  readonly failed: readonly string[]
}

/** Where a data plane gets the body of an answer: of a peer that has it. */
export interface PeerBodyPlace {
  readonly peer: Peer
  readonly way: 'http' | 'mtls'
  /** As URLs have it; IPv6 in brackets. */
  readonly host: string
  readonly port: number
  /** Path and query. */
  readonly target: string
  /** Headers that it is asked with; undefined: without. */
  readonly range: string | undefined
  readonly authorization: string | undefined
  /** Called once when it is begun; what it returns once when it has ended. */
  readonly begin: () => CarriedBody
}

/** A body that a data plane is carrying from a peer. */
export interface CarriedBody {
  /** The peer gives too little: it is to be left. */
  isTooSlow(so: { readonly elapsedMs: number; readonly bytes: number }): boolean
  left(): void
  /** `status`: of the answer that the client got. `isUnknown`: what carried it has ended, and nobody can say how far it came. */
  ended(how: {
    readonly sent: number
    readonly status: number
    readonly isComplete: boolean
    readonly seconds: number
    readonly isUnknown?: true
  }): void
}

/** An answer of another node; its first byte can be sent. */
export interface Found {
  readonly outcome: 'found'
  /** Size of the whole. */
  readonly size: number
  /** What `body` has, where not the whole. */
  readonly range: ByteRange | undefined
  readonly digest: Digest
  readonly mediaType: string
  /** `undefined` for HEAD. It fails where no peer is left in its middle: the connection is to be destroyed, not ended. */
  readonly body: Readable | undefined
  readonly source: 'peer' | 'relay'
  readonly attempts: number
}

/** A peer has it, as far as is known: a data plane gets it there. */
export interface FoundElsewhere {
  readonly outcome: 'elsewhere'
  readonly place: PeerBodyPlace
  readonly digest: Digest
  readonly mediaType: string
  /** Bytes that are to come; undefined: nobody has asked the peer yet. */
  readonly length: number | undefined
  readonly attempts: number
}

export interface NotFound {
  readonly outcome: 'not-found'
  /** Peers that were asked. */
  readonly attempts: number
  /** For people and the log: `no peer has sha256:…`. */
  readonly message: string
  /** For the metric: a word of a bounded set. */
  readonly reason: 'no-peer' | 'timeout' | 'failed' | 'quarantined' | 'slow' | 'leading' | 'registry-up' | 'range'
  /** 416: the range begins beyond the end; `size` of the whole. */
  readonly beyond?: number
}

/** Content of other nodes: looked up, raced, resumed, verified, shared, and relayed while it still comes in. */
export interface Exchange extends AsyncDisposable {
  /** Answers within `headerTimeout`, and within `relay.hold` where it waits for another node's download. Aborting `signal` (the client went away) ends what nobody else waits for. Never throws for a peer's fault. */
  fetch(wanted: Wanted, signal: AbortSignal): Promise<Found | FoundElsewhere | NotFound>
  /** Whether a tag may be answered from the cluster at all now (`tags: never` and `fallback`). */
  answersTags(registry: string): boolean
  /** What another of ours asked of a download that is not yet whole (`X-Ballast-Hop`): a stream, somebody to ask instead, or nothing. */
  relay(digest: Digest, asker: RelayAsker, signal: AbortSignal): Promise<Relayed>
  /** Whether this node waits just now to learn how it comes to a blob that others load: then an answer about it may take longer. */
  holds(digest: Digest): boolean
  state(): ExchangeState
}

export interface RelayAsker {
  readonly peer: string
  /** Its `X-Ballast-Seat`: that it asks who fetches, or waits for a first byte. As it came: not yet read. */
  readonly seat?: string | undefined
  /** First byte that it lacks; left out: all. */
  readonly start?: number | undefined
}

export type Relayed =
  /** `body` is all from the first byte that was asked for, `total` the whole; `isWhole`: it lies here whole, and is no download any more. */
  | { readonly outcome: 'stream'; readonly total: number; readonly isWhole?: boolean; readonly body: Readable }
  /** Whom to ask instead (`X-Ballast-Relay`): those served by us where all places are taken; who asks itself where it is to fetch. */
  | { readonly outcome: 'ask'; readonly peers: readonly string[] }
  | { readonly outcome: 'nothing' }

export interface ExchangeState {
  readonly quarantined: readonly {
    readonly peer: string | undefined
    readonly digest: Digest | undefined
    readonly untilMs: number
  }[]
  readonly inFlight: number
}

/** What the mirror counts; the metrics of spec names are made of it in one place. */
export interface MirrorCounts {
  request(registry: string, cache: 'hit' | 'miss'): void
  /** Bytes of content that came `in` from another node, or went `out` to one: what `source` says is where they came from. */
  served(registry: string, source: 'local' | 'peer' | 'relay', direction: 'in' | 'out', bytes: number): void
  resolved(seconds: number): void
  advertised(registry: string, counts: { readonly tags: number; readonly digests: number; readonly content: number }): void
  verifyFailed(peer: string): void
  resumed(): void
  stalled(): void
  fellThrough(reason: string): void
  storeReconciled(): void
  peers(count: number): void
}

/** Certificates of the agents' own transport; kept fresh by whoever made it. */
export interface PeerIdentity {
  readonly ca: string
  readonly certificate: string
  readonly key: string
}
