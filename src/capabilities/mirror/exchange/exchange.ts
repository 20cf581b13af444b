// Content of other nodes for this one: where everything about it is put together.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type {
  Exchange,
  ExchangeState,
  Found,
  FoundElsewhere,
  MirrorCounts,
  NotFound,
  PeerIdentity,
  RelayAsker,
  Relayed,
  Router,
  Store,
  Wanted,
} from '../contract.ts'
import { HeaderDeadlines } from '../header-deadline.ts'
import type { Digest } from '../reference.ts'
import type { MirrorSettings } from '../settings.ts'
import { Blobs } from './blobs.ts'
import { CarriedBodies } from './carried/carried-bodies.ts'
import { CarriedRates } from './carried/carried-rates.ts'
import { Holders } from './carried/holders.ts'
import { Suspicion } from './carried/suspicion.ts'
import { Fetching, notFound } from './fetching.ts'
import { Manifests } from './manifests.ts'
import { OutsideWatch } from './outside-watch.ts'
import { PeerClient } from './peers/peer-client.ts'
import { Quarantine } from './peers/quarantine.ts'
import { SlowPeers } from './peers/slow-peers.ts'
import { linuxOn } from './platform-manifests.ts'
import { Finder } from './race/finder.ts'
import { RegistryProbe } from './registry-probe.ts'
import { Relay } from './relay/relay.ts'
import { TagPolicy } from './tag-policy.ts'
import { ByteBudget } from './transfer/byte-budget.ts'
import type { PoisonedBlob } from './transfer/integrity.ts'
import { readableOf } from './transfer/kept-bytes.ts'
import { SourceRates } from './transfer/minimum-rate.ts'

/** Bodies on their way through this process, all together: windows of transfers, and what is read whole to be checked. */
const mostBodyBytes = 16_777_216

export type ExchangeSettings = Pick<
  MirrorSettings,
  | 'basicAuth'
  | 'basicAuthTo'
  | 'headerTimeoutMs'
  | 'mirrorResolveRetries'
  | 'mirrorResolveTimeoutMs'
  | 'ownZone'
  | 'peerPort'
  | 'peerTransport'
  | 'quarantineMs'
  | 'relay'
  | 'stallTimeoutMs'
  | 'tags'
  | 'uploadLimit'
  | 'verifyBufferBytes'
  | 'zone'
>

export interface ExchangeOptions {
  readonly settings: ExchangeSettings
  readonly store: Pick<Store, 'info' | 'inFlight' | 'follow' | 'changes'>
  readonly router: Router
  readonly counts: MirrorCounts
  readonly clock: Clock
  readonly log: Log
  /** Port of all peers' front with mutual TLS; left out: they are asked in plain HTTP. */
  readonly peerTlsPort?: number
  /** The latest certificate of this node's; `undefined` where there is none (yet). */
  readonly peerIdentity?: () => PeerIdentity | undefined
  /** Told of bytes that did not match their digest. */
  readonly onPoisoned?: (event: PoisonedBlob) => void
  /** Registries that speak plain HTTP; left out: none. */
  readonly schemeOf?: (registry: string) => 'http' | 'https'
}

/** An exchange that is at work until it is disposed of. */
export function startExchange(options: ExchangeOptions): Exchange {
  return new PeerExchange(options)
}

class PeerExchange implements Exchange {
  readonly #options: ExchangeOptions
  readonly #client: PeerClient
  readonly #quarantine: Quarantine
  readonly #rates: SourceRates
  readonly #manifests: Manifests
  readonly #blobs: Blobs
  readonly #relay: Relay
  readonly #suspicion: Suspicion
  readonly #probe: RegistryProbe
  readonly #tags: TagPolicy
  readonly #outside: OutsideWatch
  readonly #deadlines: HeaderDeadlines
  #isClosed = false

  constructor(options: ExchangeOptions) {
    const { settings, router, clock, log, counts, store } = options
    this.#options = options
    this.#deadlines = new HeaderDeadlines({ clock, headerTimeoutMs: settings.headerTimeoutMs })
    this.#rates = new SourceRates(settings)
    this.#quarantine = new Quarantine(clock, settings.quarantineMs)
    this.#client = new PeerClient({
      clock,
      ownId: router.id,
      transport: settings.peerTransport,
      httpPort: settings.peerPort,
      tlsPort: options.peerTlsPort,
      identity: options.peerIdentity ?? (() => undefined),
      basicAuth: settings.basicAuth,
      basicAuthTo: settings.basicAuthTo,
      connectTimeoutMs: settings.headerTimeoutMs,
    })
    const shared = { clock, log, counts, quarantine: this.#quarantine, slow: new SlowPeers() }
    const finder = new Finder({ ...shared, settings, router, client: this.#client })
    const holders = new Holders(clock)
    const fetching = new Fetching({
      ...{ ...shared, finder, rates: this.#rates, holders },
      stallMs: settings.stallTimeoutMs,
      budget: new ByteBudget(mostBodyBytes),
      onPoisoned: options.onPoisoned,
    })
    this.#manifests = new Manifests(fetching, store, linuxOn(process.arch))
    const rates = new CarriedRates({ rates: this.#rates, slow: shared.slow, clock })
    const carried = new CarriedBodies({ clock, counts, begin: peer => finder.uses.begin(peer), rates, holders })
    this.#suspicion = new Suspicion(fetching, { log, onChecked: digest => carried.cleared(digest) })
    this.#blobs = new Blobs({
      fetching,
      carried,
      holders,
      suspicion: this.#suspicion,
      verifyBufferBytes: settings.verifyBufferBytes,
      join: (wanted, digest, start, signal) => this.#relay.join(wanted, digest, start, signal),
      settleMs: settings.relay.settleMs,
    })
    this.#relay = new Relay({
      ...{ ...shared, store, router, client: this.#client },
      settings: settings.relay,
      stallMs: settings.stallTimeoutMs,
    })
    // What is here was what it should be, and nobody is suspected for it.
    this.#outside = new OutsideWatch({ store, rates: this.#rates, onHere: digest => carried.cleared(digest), clock, log })
    this.#probe = new RegistryProbe({ clock, log, schemeOf: options.schemeOf ?? (() => 'https') })
    this.#tags = new TagPolicy({
      tags: settings.tags,
      probe: (name, signal) => this.#probe.isReachable(name, signal),
      clock,
      log,
    })
  }

  async fetch(wanted: Wanted, signal: AbortSignal): Promise<Found | FoundElsewhere | NotFound> {
    const { router, log } = this.#options
    const { digest, route } = wanted
    const name = digest ?? `${wanted.registry}/${wanted.repository}:${wanted.tag ?? ''}`
    if (router.state().isAlone) return notFound(name, { attempts: 0, reason: 'no-peer' })
    const late = new AbortController()
    const isHeld = () => route === 'blobs' && digest !== undefined && this.holds(digest)
    const answered = this.#deadlines.begin(isHeld, () => late.abort(new DOMException('too late', 'TimeoutError')))
    let isFound = false
    try {
      const answer = await this.#fetch(wanted, AbortSignal.any([signal, late.signal]))
      isFound = answer.outcome !== 'not-found'
      return answer
    } catch (error) {
      if (late.signal.aborted) return notFound(name, { attempts: 0, reason: 'timeout' })
      // Nobody waits for an answer any more; whatever else it was is a fault of ours, and a miss for containerd.
      if (!signal.aborted && !this.#isClosed) log.error({ wanted, error: messageOf(error) }, 'asking peers went wrong')
      return notFound(name, { attempts: 0, reason: 'failed' })
    } finally {
      answered()
      this.#outside.answered(wanted, isFound || signal.aborted)
    }
  }

  holds(digest: Digest): boolean {
    return this.#relay.holds(digest)
  }

  answersTags(registry: string): boolean {
    return this.#tags.answers(registry)
  }

  async relay(digest: Digest, asker: RelayAsker, signal: AbortSignal): Promise<Relayed> {
    return await this.#relay.serve(digest, asker, signal)
  }

  state(): ExchangeState {
    return { quarantined: this.#quarantine.entries(), inFlight: this.#blobs.inFlight }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#tags[Symbol.dispose]()
    await this.#suspicion[Symbol.asyncDispose]()
    this.#outside[Symbol.dispose]()
    await Promise.all([this.#client[Symbol.asyncDispose](), this.#probe[Symbol.asyncDispose]()])
  }

  async #fetch(wanted: Wanted, signal: AbortSignal): Promise<Found | FoundElsewhere | NotFound> {
    const { digest, tag } = wanted
    if (wanted.route === 'blobs') {
      if (digest === undefined) throw new TypeError('a blob without a digest')
      return await this.#blobs.fetch(wanted, digest, signal)
    }
    if (digest === undefined && tag === undefined) throw new TypeError('a manifest without a digest or a tag')
    if (digest === undefined && !this.answersTags(wanted.registry))
      return notFound(`${wanted.registry}/${wanted.repository}:${tag}`, { attempts: 0, reason: 'registry-up' })
    const result =
      digest === undefined
        ? await this.#manifests.byTag(wanted, tag ?? '', signal)
        : await this.#manifests.byDigest(wanted, digest, signal)
    if (result.outcome === 'not-found') return result
    const { manifest, attempts } = result
    return {
      outcome: 'found',
      size: manifest.bytes.length,
      range: undefined,
      digest: manifest.digest,
      mediaType: manifest.mediaType,
      body: wanted.method === 'HEAD' ? undefined : readableOf(manifest.bytes),
      source: 'peer',
      attempts,
    }
  }
}
