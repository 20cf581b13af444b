// The body of a peer's answer: bytes go from the socket straight into slabs, and are lent from there.
import { LentBody, ownPiece, type Piece } from '../../lent-body.ts'
import { type Slab, Slabs } from '../../slabs.ts'

/** A slab with less room than this is not read into any more. */
const leastRoom = 32_768
/** Bytes that are handed over at once. */
const worthHanding = 131_072
/** Slabs of a body that nobody has given any. */
const ownSlabs = 2

/** The connection that it comes over. */
interface Wire {
  /** Bytes may come again. */
  resume(): void
  /** All bytes are here. */
  done(): void
  /** The rest is not wanted. */
  leave(): void
}

/** Bytes that came and were not yet taken. */
interface Segment {
  /** `undefined`: in memory of its own. */
  readonly slab: Slab | undefined
  readonly memory: Buffer
  readonly from: number
  to: number
}

export class PeerBody extends LentBody {
  readonly #wire: Wire
  readonly #segments: Segment[] = []
  #slabs: Slabs | undefined
  #isOwn = false
  /** Being read into from `#filled` on. */
  #slab: Slab | undefined
  #filled = 0
  #left: number
  #isPaused = true
  #later: NodeJS.Immediate | undefined
  #error: Error | undefined
  #waiting: { readonly resolve: (piece: Piece | undefined) => void; readonly reject: (error: Error) => void } | undefined

  /** @param first what of it came with the head; @param length of the whole body */
  constructor(wire: Wire, first: Buffer, length: number) {
    super()
    this.#wire = wire
    this.#left = length
    if (first.length > 0) this.#own(first.subarray(0, length))
  }

  /** Bytes that have not come yet. */
  get left(): number {
    return this.#left
  }

  /** Whether nothing comes because nobody takes what is here: no fault of the peer. */
  get isHeldUp(): boolean {
    return this.#isPaused && this.#left > 0 && this.#slabs !== undefined && !this.#hasRoom()
  }

  /** Where its bytes are to lie; before the first is taken. They are lent to several bodies one after the other. */
  use(slabs: Slabs): void {
    this.#slabs = slabs
    slabs.onRoom = () => this.#goOn()
  }

  override async next(): Promise<Piece | undefined> {
    if (this.#slabs === undefined) {
      this.use(new Slabs(ownSlabs))
      this.#isOwn = true
    }
    const segment = this.#segments.shift()
    if (segment !== undefined) {
      // There may be room again: what follows in this slab is its own segment.
      this.#goOn()
      return lend(segment)
    }
    if (this.#error !== undefined) throw this.#error
    if (this.#left === 0) return undefined
    const { promise, resolve, reject } = Promise.withResolvers<Piece | undefined>()
    this.#waiting = { resolve, reject }
    this.#goOn()
    return await promise
  }

  /** Memory for what comes next; `undefined`: none, and it is to come into memory of the connection. */
  room(): Buffer | undefined {
    if (this.#left === 0 || this.#error !== undefined) return undefined
    this.#slab ??= this.#slabs?.take()
    return this.#slab?.memory.subarray(this.#filled)
  }

  /** So many bytes came into what `room` gave. Yields whether more may come. */
  filled(count: number): boolean {
    const slab = this.#slab
    if (slab === undefined) throw new Error('bytes in no slab')
    const bytes = Math.min(count, this.#left)
    const last = this.#segments.at(-1)
    if (last?.slab === slab && last.to === this.#filled) last.to += bytes
    else {
      slab.hold()
      this.#segments.push({ slab, memory: slab.memory, from: this.#filled, to: this.#filled + bytes })
    }
    this.#filled += count
    return this.#came(bytes)
  }

  /** These bytes came into memory of the connection. Yields whether more may come. */
  copied(bytes: Buffer): boolean {
    const wanted = bytes.subarray(0, this.#left)
    const room = this.room()
    if (room === undefined || room.length < wanted.length) {
      this.#own(wanted)
      return this.#came(0)
    }
    wanted.copy(room)
    return this.filled(wanted.length)
  }

  /** Nothing more comes. */
  broke(error: Error): void {
    if (this.#left === 0) return
    // What came before is had first.
    this.#handOver()
    this.#error ??= error
    this.#letGoOfSlab()
    this.#waiting?.reject(this.#error)
    this.#waiting = undefined
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const left = this.#left
    this.broke(error ?? new Error('the body was left'))
    for (const segment of this.#segments.splice(0)) segment.slab?.release()
    this.#end()
    if (left > 0) this.#wire.leave()
    callback(error)
  }

  #own(bytes: Buffer): void {
    this.#segments.push({ slab: undefined, memory: Buffer.from(bytes), from: 0, to: bytes.length })
    this.#left -= bytes.length
  }

  #came(bytes: number): boolean {
    this.#left -= bytes
    const first = this.#segments[0]
    // Small pieces that come in one turn, as TLS has them, are handed over together.
    if (this.#left === 0 || (first !== undefined && first.to - first.from >= worthHanding)) this.#handOver()
    else if (this.#waiting !== undefined) this.#later ??= setImmediate(() => this.#handOver())
    if (this.#left === 0) {
      this.#letGoOfSlab()
      this.#end()
      this.#wire.done()
      return true
    }
    // Held on to it would never come back where it is the only one.
    if (this.#slab !== undefined && this.#slab.memory.length - this.#filled < leastRoom) this.#letGoOfSlab()
    const hasRoom = this.#hasRoom()
    // TLS hands over what it has deciphered also after it was told to stop: where there is room again by then, it has to be told to go on.
    if (hasRoom && this.#isPaused) this.#wire.resume()
    this.#isPaused = !hasRoom
    return hasRoom
  }

  #handOver(): void {
    clearImmediate(this.#later)
    this.#later = undefined
    const waiting = this.#waiting
    const segment = waiting === undefined ? undefined : this.#segments.shift()
    if (segment === undefined) return
    this.#waiting = undefined
    waiting?.resolve(lend(segment))
  }

  #hasRoom(): boolean {
    return this.#slab !== undefined || this.#slabs?.hasRoom === true
  }

  #goOn(): void {
    if (!this.#isPaused || this.#left === 0 || this.#error !== undefined || !this.#hasRoom()) return
    this.#isPaused = false
    this.#wire.resume()
  }

  #letGoOfSlab(): void {
    const slab = this.#slab
    this.#slab = undefined
    this.#filled = 0
    slab?.release()
  }

  #end(): void {
    if (this.#isOwn) this.#slabs?.[Symbol.dispose]()
  }
}

function lend({ slab, memory, from, to }: Segment): Piece {
  const bytes = memory.subarray(from, to)
  if (slab === undefined) return ownPiece(bytes)
  let isGiven = false
  return {
    bytes,
    [Symbol.dispose]: () => {
      if (isGiven) return
      isGiven = true
      slab.release()
    },
  }
}
