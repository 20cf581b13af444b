// Bytes of one piece of content, in order, from one peer after the other: where one breaks off or falls silent, the next goes on.
import type { Clock } from '#kube/clock.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { Peer } from '../../contract.ts'
import type { Piece } from '../../lent-body.ts'
import type { Slabs } from '../../slabs.ts'
import { Breaks } from '../peers/breaks.ts'
import type { PeerBody } from '../peers/peer-body.ts'
import type { PeerAnswer } from '../peers/peer-client.ts'

/** Peers after another for one body: each brings at least a byte, and still it has an end. */
const mostResumes = 256

/** Nobody is left who could go on. */
export class NoPeerLeft extends OutsideError {
  override readonly name = 'NoPeerLeft'
}

class Stalled extends OutsideError {
  override readonly name = 'Stalled'
}

/** A peer and its answer, whose body was not read yet. */
export interface Won {
  readonly peer: Peer
  readonly answer: PeerAnswer
  /** Only its head was asked for. */
  readonly isHeadOnly?: true
}

interface SourceOptions {
  readonly clock: Clock
  readonly stallMs: number
  readonly first: Won
  /** Where its bytes are to lie. */
  readonly slabs: Slabs
  /** A manifest is not: it is fetched anew. */
  readonly isResumable: boolean
  /** Finds a peer that goes on from `offset` to the end, those that broke before last; `undefined`: none. */
  readonly again: (offset: number, breaks: Breaks, signal: AbortSignal) => Promise<Won | undefined>
  readonly begin: (peer: string) => () => void
  readonly counts: { stalled(): void; resumed(): void }
}

interface Current extends Won {
  readonly done: () => void
  bytes: number
}

export class BodySource {
  readonly #options: SourceOptions
  readonly #breaks = new Breaks()
  readonly #stop = new AbortController()
  /** Bytes by the peers that sent them. */
  readonly delivered = new Map<string, number>()
  readonly #end: number
  #position: number
  #current: Current
  #resumes = 0
  #isClosed = false
  #waitsSinceMs: number | undefined
  #cancelWatch: (() => void) | undefined

  constructor(options: SourceOptions) {
    const { start, end } = options.first.answer.head
    this.#options = options
    this.#position = start
    this.#end = end
    this.#current = this.#begin(options.first)
  }

  /** Position of the next byte. */
  get position(): number {
    return this.#position
  }

  /** Whether nothing comes because whoever has taken pieces does not let go of them. */
  get isHeldUp(): boolean {
    return !this.#isClosed && this.#current.answer.body.isHeldUp
  }

  /** The next bytes; `undefined` at the end. @throws NoPeerLeft; `Error` of another kind once it was cancelled */
  async next(): Promise<Piece | undefined> {
    while (this.#position <= this.#end) {
      const piece = await this.#read()
      if (piece !== undefined) return this.#taken(piece)
      await this.#resume()
    }
    this.#close()
    return undefined
  }

  /** Nobody wants it any more; what is being read is given up. */
  cancel(): void {
    this.#stop.abort(new DOMException('nobody reads it any more', 'AbortError'))
    this.#close()
  }

  #begin(won: Won): Current {
    won.answer.body.use(this.#options.slabs)
    return { ...won, done: this.#options.begin(won.peer.id), bytes: 0 }
  }

  #taken(piece: Piece): Piece {
    const { length } = piece.bytes
    const { peer } = this.#current
    this.#position += length
    this.#current.bytes += length
    this.delivered.set(peer.id, (this.delivered.get(peer.id) ?? 0) + length)
    return piece
  }

  /** `undefined`: the peer broke off. */
  async #read(): Promise<Piece | undefined> {
    const { body } = this.#current.answer
    this.#waitsSinceMs = this.#options.clock.elapsed()
    this.#watch(body)
    try {
      return await body.next()
    } catch (error) {
      this.#stop.signal.throwIfAborted()
      if (error instanceof Stalled) this.#options.counts.stalled()
      // Whatever else broke the connection: what counts is that the peer is gone.
      return undefined
    } finally {
      this.#waitsSinceMs = undefined
    }
  }

  /** One timer for many reads: it looks how long the latest waits. */
  #watch(body: PeerBody): void {
    if (this.#cancelWatch !== undefined) return
    const { clock, stallMs } = this.#options
    const look = () => {
      this.#cancelWatch = undefined
      if (this.#waitsSinceMs === undefined) return
      // Who takes nothing is not to be laid at the peer's door.
      if (body.isHeldUp) this.#waitsSinceMs = clock.elapsed()
      const leftMs = this.#waitsSinceMs + stallMs - clock.elapsed()
      if (leftMs > 0) this.#cancelWatch = clock.schedule(leftMs, look)
      else body.destroy(new Stalled(`no byte for ${stallMs} ms`))
    }
    this.#cancelWatch = clock.schedule(stallMs, look)
  }

  async #resume(): Promise<void> {
    const { peer, bytes } = this.#current
    this.#close()
    this.#breaks.broke(peer, bytes)
    if (!this.#options.isResumable) throw new NoPeerLeft(`${peer.id} broke off at ${this.#position}`)
    if (++this.#resumes > mostResumes) throw new NoPeerLeft(`more than ${mostResumes} peers broke off`)
    const won = await this.#options.again(this.#position, this.#breaks, this.#stop.signal)
    if (won === undefined) throw new NoPeerLeft(`nobody goes on from byte ${this.#position}`)
    if (this.#stop.signal.aborted) {
      won.answer.body.destroy()
      this.#stop.signal.throwIfAborted()
    }
    this.#options.counts.resumed()
    this.#isClosed = false
    this.#current = this.#begin(won)
  }

  #close(): void {
    this.#isClosed = true
    this.#cancelWatch?.()
    this.#cancelWatch = undefined
    this.#current.done()
    const { body } = this.#current.answer
    body.destroy()
  }
}
