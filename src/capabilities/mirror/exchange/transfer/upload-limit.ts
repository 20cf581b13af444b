// Bytes a second that go to other nodes, all streams together, shared fairly: each waits its turn for a piece.
import { Transform, type TransformCallback } from 'node:stream'
import type { Clock } from '#kube/clock.ts'

/** The largest piece of one turn. */
const pieceBytes = 65_536
/** What may go at once after a rest: so many milliseconds' worth, and at least a piece. */
const burstMs = 100

interface Turn {
  readonly bytes: number
  readonly go: () => void
}

export class UploadLimit {
  readonly #perMs: number
  readonly #piece: number
  readonly #most: number
  readonly #clock: Clock
  readonly #turns: Turn[] = []
  #saved: number
  #sinceMs: number
  #cancel: (() => void) | undefined

  /** @param bytesPerSecond more than 0 */
  constructor(bytesPerSecond: number, clock: Clock) {
    this.#perMs = bytesPerSecond / 1_000
    this.#piece = Math.max(1, Math.min(pieceBytes, Math.ceil(this.#perMs * burstMs)))
    this.#most = Math.max(this.#piece, this.#perMs * burstMs)
    this.#clock = clock
    this.#saved = this.#most
    this.#sinceMs = clock.elapsed()
  }

  /** What one answer is sent through. */
  stream(): Transform {
    let left: Turn | undefined
    const pass = async (transform: Transform, chunk: Buffer): Promise<void> => {
      for (let at = 0; at < chunk.length && !transform.destroyed; at += this.#piece) {
        const piece = chunk.subarray(at, at + this.#piece)
        const { promise, resolve } = Promise.withResolvers<void>()
        left = { bytes: piece.length, go: resolve }
        this.#turns.push(left)
        this.#serve()
        await promise
        transform.push(piece)
      }
    }
    return new Transform({
      transform(chunk: Buffer, _encoding, done: TransformCallback) {
        pass(this, chunk).then(() => done(), done)
      },
      destroy: (error, done) => {
        // Who left takes no turn: the others would wait for it.
        const at = left === undefined ? -1 : this.#turns.indexOf(left)
        if (at >= 0) this.#turns.splice(at, 1)
        left?.go()
        this.#serve()
        done(error)
      },
    })
  }

  #serve(): void {
    const nowMs = this.#clock.elapsed()
    this.#saved = Math.min(this.#most, this.#saved + (nowMs - this.#sinceMs) * this.#perMs)
    this.#sinceMs = nowMs
    this.#cancel?.()
    this.#cancel = undefined
    for (let [first] = this.#turns; first !== undefined; [first] = this.#turns) {
      // A timer may come a little early; what is missing then is not worth another.
      if (first.bytes > this.#saved + 1e-6) {
        this.#cancel = this.#clock.schedule((first.bytes - this.#saved) / this.#perMs, () => this.#serve())
        return
      }
      this.#turns.shift()
      this.#saved -= first.bytes
      first.go()
    }
  }
}
