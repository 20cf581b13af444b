// A digest that containerd asks for again though it was just given whole: its bytes are fetched once more, hashed, and thrown away, so that
// whoever gave wrong ones is named. Nobody waits for that.
import { createHash } from 'node:crypto'
import { type Log, messageOf } from '#kube/log.ts'
import type { Peer } from '../../contract.ts'
import { type Digest, partsOfDigest } from '../../reference.ts'
import { Slabs } from '../../slabs.ts'
import type { Fetching } from '../fetching.ts'
import type { PeerRequest } from '../peers/peer-client.ts'
import { NoPeerLeft } from '../transfer/body-source.ts'

/** Digests that wait for their turn; one is checked at a time. */
const mostWaiting = 64
/** Memory that bytes are read into. */
const slabs = 2

interface Suspected {
  readonly digest: Digest
  readonly request: PeerRequest
  readonly peers: readonly Peer[]
}

export class Suspicion {
  readonly #fetching: Fetching
  readonly #log: Log
  /** Told when the peers of a digest have been looked at. */
  readonly #onChecked: (digest: Digest) => void
  readonly #waiting = new Map<Digest, Suspected>()
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(fetching: Fetching, around: { readonly log: Log; readonly onChecked: (digest: Digest) => void }) {
    this.#fetching = fetching
    this.#log = around.log
    this.#onChecked = around.onChecked
  }

  /** Each peer is asked for all of it, one after the other. A digest that waits already, or for which there is no room, is left as it is. */
  check(suspected: Suspected): void {
    if (this.#waiting.has(suspected.digest) || this.#waiting.size >= mostWaiting) return
    this.#waiting.set(suspected.digest, suspected)
    this.#running ??= this.#run()
  }

  /** Resolves when nothing is left to be checked. */
  async idle(): Promise<void> {
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the mirror ends', 'AbortError'))
    await this.#running
  }

  async #run(): Promise<void> {
    for (const suspected of this.#waiting.values()) {
      for (const peer of suspected.peers) {
        try {
          await this.#one(suspected, peer)
        } catch (error) {
          if (this.#stop.signal.aborted) return
          this.#log.debug({ digest: suspected.digest, peer: peer.id, why: messageOf(error) }, 'a suspected peer gave nothing')
        }
      }
      this.#waiting.delete(suspected.digest)
      this.#onChecked(suspected.digest)
    }
    this.#running = undefined
  }

  /** @throws NoPeerLeft where it does not give all of it; `signal.reason` when aborted */
  async #one({ digest, request }: Suspected, peer: Peer): Promise<void> {
    const { signal } = this.#stop
    const finding = await this.#fetching.find(digest, request, signal, { peers: [peer] })
    if (finding.outcome === 'nobody') return
    const { algorithm, hex } = partsOfDigest(digest)
    const hash = createHash(algorithm)
    using memory = new Slabs(slabs)
    // Only this one: what others would go on with proves nothing of it.
    const source = this.#fetching.source(digest, { ...request, route: 'manifests' }, finding.won, memory)
    const onAbort = () => source.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      for (let piece = await source.next(); piece !== undefined; piece = await source.next()) {
        hash.update(piece.bytes)
        piece[Symbol.dispose]()
      }
      if (hash.digest('hex') !== hex) this.#fetching.poisoned(digest, request, [peer.id])
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof NoPeerLeft)) throw error
      this.#log.debug({ digest, peer: peer.id, why: error.message }, 'a suspected peer broke off')
    } finally {
      signal.removeEventListener('abort', onAbort)
      source.cancel()
    }
  }
}
