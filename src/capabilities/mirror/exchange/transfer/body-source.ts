// Bytes of one piece of content, in order, from one peer after the other: where one breaks off, falls silent or is slow, the next goes on.
import type { Clock } from '#kube/clock.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { Peer } from '../../contract.ts'
import type { Piece } from '../../lent-body.ts'
import type { Slabs } from '../../slabs.ts'
import { Breaks } from '../peers/breaks.ts'
import type { PeerBody } from '../peers/peer-body.ts'
import type { PeerAnswer } from '../peers/peer-client.ts'
import { type Brought, graceInFlightMs, graceMs, isTooSlow } from './minimum-rate.ts'

/** Peers after another for one body: each brings at least a byte, and still it has an end. */
const mostResumes = 256
/** One that is given up in the middle was too slow for it where it was waited for so long. */
const leastJudgedMs = 2_000
/** So often it is looked how long a peer was waited for. */
const lookMs = 500

/** Nobody is left who could go on. */
export class NoPeerLeft extends OutsideError {
  override readonly name = 'NoPeerLeft'
}

class Stalled extends OutsideError {
  override readonly name = 'Stalled'
}

class TooSlow extends OutsideError {
  override readonly name = 'TooSlow'
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
  /** How fast a peer has to be, and what is told of those that were asked; left out: as fast as they like. */
  readonly pace?: Pace | undefined
  readonly counts: { stalled(): void; resumed(): void }
}

export interface Pace {
  /** Bytes a second; 0: no minimum. */
  minimumRate(isInFlight: boolean): number
  /** It was so slow that it is left. */
  slow(won: Won, brought: Brought): void
  /** It brought all that was wanted of it. */
  ended(won: Won, brought: Brought): void
}

interface Current extends Won {
  readonly done: () => void
  bytes: number
  /** How long it was waited for in all. */
  waitedMs: number
  /** What came, and how long it was waited for, since it was last judged. */
  window: { bytes: number; waitedMs: number }
}

/** A stretch of waiting for a peer. */
interface Waiting {
  /** Since when nothing has come. */
  silentSinceMs: number
  /** What lies before is counted. */
  countedMs: number
  wasHeldUp: boolean
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
  #waiting: Waiting | undefined
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
    if (!this.#isClosed)
      this.#options.pace?.ended(this.#current, { bytes: this.#current.bytes, elapsedMs: this.#current.waitedMs })
    this.#close()
    return undefined
  }

  /** Nobody wants it any more; what is being read is given up. */
  cancel(): void {
    this.#judgeUnfinished()
    this.#stop.abort(new DOMException('nobody reads it any more', 'AbortError'))
    this.#close()
  }

  #begin(won: Won): Current {
    won.answer.body.use(this.#options.slabs)
    return { ...won, done: this.#options.begin(won.peer.id), bytes: 0, waitedMs: 0, window: { bytes: 0, waitedMs: 0 } }
  }

  #taken(piece: Piece): Piece {
    const { length } = piece.bytes
    const { peer } = this.#current
    this.#position += length
    this.#current.bytes += length
    this.#current.window.bytes += length
    this.delivered.set(peer.id, (this.delivered.get(peer.id) ?? 0) + length)
    return piece
  }

  /** `undefined`: the peer broke off. */
  async #read(): Promise<Piece | undefined> {
    const { clock, counts, pace } = this.#options
    const current = this.#current
    const { body } = current.answer
    const nowMs = clock.elapsed()
    this.#waiting = { silentSinceMs: nowMs, countedMs: nowMs, wasHeldUp: body.isHeldUp }
    this.#watch(body)
    try {
      return await body.next()
    } catch (error) {
      this.#stop.signal.throwIfAborted()
      if (error instanceof Stalled || error instanceof TooSlow) counts.stalled()
      if (error instanceof TooSlow) pace?.slow(current, { bytes: current.bytes, elapsedMs: current.waitedMs })
      // Whatever else broke the connection: what counts is that the peer is gone.
      return undefined
    } finally {
      this.#count(body)
      this.#waiting = undefined
    }
  }

  /**
   * Adds what was waited for the peer since it was last added. A stretch in which nobody took what was here is none of it, and of a stretch
   * that this process slept through only what it would have been.
   */
  #count(body: PeerBody): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    const nowMs = this.#options.clock.elapsed()
    const { isHeldUp } = body
    // Whose download goes on may wait for its own first byte.
    const hasBegun = this.#current.bytes > 0 || this.#current.answer.head.isInFlight !== true
    if (!waiting.wasHeldUp && !isHeldUp && hasBegun) {
      const ms = Math.min(nowMs - waiting.countedMs, 2 * lookMs)
      this.#current.waitedMs += ms
      this.#current.window.waitedMs += ms
    }
    if (isHeldUp) waiting.silentSinceMs = nowMs
    waiting.countedMs = nowMs
    waiting.wasHeldUp = isHeldUp
  }

  /** One timer for many reads: it looks how long the latest waits, and how fast it came until now. */
  #watch(body: PeerBody): void {
    if (this.#cancelWatch !== undefined) return
    const { clock, stallMs } = this.#options
    const look = () => {
      this.#cancelWatch = undefined
      const waiting = this.#waiting
      if (waiting === undefined) return
      this.#count(body)
      const silentMs = clock.elapsed() - waiting.silentSinceMs
      if (silentMs >= stallMs) body.destroy(new Stalled(`no byte for ${stallMs} ms`))
      else if (this.#isSlow()) body.destroy(new TooSlow(`${this.#current.bytes} bytes in ${this.#current.waitedMs} ms`))
      else this.#cancelWatch = clock.schedule(Math.min(lookMs, stallMs - silentMs), look)
    }
    this.#cancelWatch = clock.schedule(Math.min(lookMs, stallMs), look)
  }

  /** Judges a window once it is long enough, and begins the next. */
  #isSlow(): boolean {
    const { pace } = this.#options
    const { window, answer } = this.#current
    const isInFlight = answer.head.isInFlight === true
    const afterMs = isInFlight ? graceInFlightMs : graceMs
    if (pace === undefined || window.waitedMs < afterMs) return false
    const minimumRate = pace.minimumRate(isInFlight)
    if (isTooSlow({ bytes: window.bytes, elapsedMs: window.waitedMs, minimumRate, afterMs })) return true
    this.#current.window = { bytes: 0, waitedMs: 0 }
    return false
  }

  /** What is checked whole has no longer than a first header has: of that it is seldom more than a window. */
  #judgeUnfinished(): void {
    const { pace } = this.#options
    if (pace === undefined || this.#isClosed || this.#waiting === undefined) return
    this.#count(this.#current.answer.body)
    const { window, answer, bytes, waitedMs: elapsedMs } = this.#current
    const judged = { bytes: window.bytes, elapsedMs: window.waitedMs, afterMs: leastJudgedMs }
    if (answer.head.isInFlight === true || !isTooSlow({ ...judged, minimumRate: pace.minimumRate(false) })) return
    pace.slow(this.#current, { bytes, elapsedMs })
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
