// One of those who read what a transfer brings.
import { LentBody, type Piece } from '../../lent-body.ts'

interface Feed {
  /** The next bytes that are here; `undefined`: none yet. */
  take(): Piece | undefined
  /** It has got further. */
  moved(): void
  /** It reads no more. */
  leave(): void
}

export class TransferReader extends LentBody {
  /** Last byte that it gets. */
  readonly end: number
  readonly #feed: Feed
  /** Position of the next byte it gets. */
  #position: number
  #waiting: { readonly resolve: (piece: Piece | undefined) => void; readonly reject: (error: Error) => void } | undefined
  /** What it reads since it was slow. */
  #own: Promise<LentBody> | undefined
  #error: Error | undefined

  constructor(start: number, end: number, feed: Feed) {
    super()
    this.#position = start
    this.end = end
    this.#feed = feed
  }

  get position(): number {
    return this.#position
  }

  /** Whether it wants more than there is. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  override async next(): Promise<Piece | undefined> {
    if (this.#error !== undefined) throw this.#error
    if (this.#own !== undefined) return await this.#ownNext(this.#own)
    if (this.#position > this.end) return undefined
    const piece = this.#taken()
    if (piece !== undefined) return piece
    const { promise, resolve, reject } = Promise.withResolvers<Piece | undefined>()
    this.#waiting = { resolve, reject }
    this.#feed.moved()
    return await promise
  }

  /** More has come, or more may be taken. */
  came(): void {
    const waiting = this.#waiting
    const piece = waiting === undefined ? undefined : this.#taken()
    if (piece === undefined) return
    this.#waiting = undefined
    waiting?.resolve(piece)
  }

  /** From now on its bytes come from elsewhere. */
  goOnWith(own: Promise<LentBody>): void {
    this.#own = own
    const waiting = this.#waiting
    this.#waiting = undefined
    this.#own.then(
      body => (this.destroyed ? body.destroy() : undefined),
      () => undefined,
    )
    if (waiting !== undefined) this.#ownNext(own).then(waiting.resolve, waiting.reject)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#error = error ?? new Error('the body was left')
    this.#waiting?.reject(this.#error)
    this.#waiting = undefined
    this.#own?.then(
      body => body.destroy(),
      () => undefined,
    )
    this.#feed.leave()
    callback(error)
  }

  #taken(): Piece | undefined {
    const piece = this.#feed.take()
    if (piece === undefined) return undefined
    this.#position += piece.bytes.length
    this.#feed.moved()
    return piece
  }

  async #ownNext(own: Promise<LentBody>): Promise<Piece | undefined> {
    return await (await own).next()
  }
}
