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
import type { Digest } from '../reference.ts'
import type { MirrorSettings } from '../settings.ts'
import { Blobs } from './blobs.ts'
import { CarriedBodies } from './carried/carried-bodies.ts'
import { CarriedRates } from './carried/carried-rates.ts'
import { Holders } from './carried/holders.ts'
import { Suspicion } from './carried/suspicion.ts'
import { Fetching, notFound } from './fetching.ts'
import { Manifests } from './manifests.ts'
import { PeerClient } from './peers/peer-client.ts'
import { Quarantine } from './peers/quarantine.ts'
import { linuxOn } from './platform-manifests.ts'
import { Finder } from './race/finder.ts'
import { RegistryProbe } from './registry-probe.ts'
import { Relay } from './relay/relay.ts'
import { TagPolicy } from './tag-policy.ts'
import { ByteBudget } from './transfer/byte-budget.ts'
import type { PoisonedBlob } from './transfer/integrity.ts'
import { readableOf } from './transfer/kept-bytes.ts'

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
  | 'verifyBufferBytes'
  | 'zone'
>

export interface ExchangeOptions {
  readonly settings: ExchangeSettings
  readonly store: Pick<Store, 'info' | 'inFlight' | 'follow'>
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
  readonly #manifests: Manifests
  readonly #blobs: Blobs
  readonly #relay: Relay
  readonly #suspicion: Suspicion
  readonly #probe: RegistryProbe
  readonly #tags: TagPolicy
  #isClosed = false

  constructor(options: ExchangeOptions) {
    const { settings, router, clock, log, counts, store } = options
    this.#options = options
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
    const finder = new Finder({ settings, clock, log, router, client: this.#client, quarantine: this.#quarantine, counts })
    const holders = new Holders(clock)
    const fetching = new Fetching({
      ...{ clock, log, finder, counts, quarantine: this.#quarantine },
      holders,
      stallMs: settings.stallTimeoutMs,
      budget: new ByteBudget(mostBodyBytes),
      onPoisoned: options.onPoisoned,
    })
    this.#manifests = new Manifests(fetching, store, linuxOn(process.arch))
    const rates = new CarriedRates({ minimumRate: () => 1_048_576, ended: () => undefined })
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
      ...{ store, router, clock, log, client: this.#client, quarantine: this.#quarantine },
      settings: settings.relay,
      stallMs: settings.stallTimeoutMs,
    })
    this.#probe = new RegistryProbe({ clock, log, schemeOf: options.schemeOf ?? (() => 'https') })
    this.#tags = new TagPolicy({
      tags: settings.tags,
      probe: (name, signal) => this.#probe.isReachable(name, signal),
      clock,
      log,
    })
  }

  async fetch(wanted: Wanted, signal: AbortSignal): Promise<Found | FoundElsewhere | NotFound> {
    const { clock, settings, router, log } = this.#options
    const name = wanted.digest ?? `${wanted.registry}/${wanted.repository}:${wanted.tag ?? ''}`
    if (router.state().isAlone) return notFound(name, { attempts: 0, reason: 'no-peer' })
    const late = new AbortController()
    const cancel = clock.schedule(settings.headerTimeoutMs, () => late.abort(new DOMException('too late', 'TimeoutError')))
    try {
      return await this.#fetch(wanted, AbortSignal.any([signal, late.signal]))
    } catch (error) {
      if (late.signal.aborted) return notFound(name, { attempts: 0, reason: 'timeout' })
      // Nobody waits for an answer any more; whatever else it was is a fault of ours, and a miss for containerd.
      if (!signal.aborted && !this.#isClosed) log.error({ wanted, error: messageOf(error) }, 'asking peers went wrong')
      return notFound(name, { attempts: 0, reason: 'failed' })
    } finally {
      cancel()
    }
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
