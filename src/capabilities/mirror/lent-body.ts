// A body whose bytes lie in memory that is used again: who takes its pieces says when they are no longer needed. Whoever knows only streams
// reads it as one, and gets copies.
import { Readable, type ReadableOptions } from 'node:stream'

/** Bytes that are valid until they are disposed of, once. */
export interface Piece extends Disposable {
  readonly bytes: Buffer
}

/**
 * Read either by `next` or as a stream, not by both. Destroying it ends it at once, also where a piece is being waited for; pieces that were
 * handed out stay valid.
 */
export abstract class LentBody extends Readable {
  constructor(options?: ReadableOptions) {
    super(options)
    // Who takes pieces hears of a fault from `next`; no listener for it is no reason to end the process.
    this.on('error', () => undefined)
  }

  /** The next bytes, at least one; `undefined` after the last. One call at a time. @throws Error what broke it, or that it was destroyed */
  abstract next(): Promise<Piece | undefined>

  override _read(): void {
    this.next().then(
      piece => {
        if (piece === undefined) {
          this.push(null)
          return
        }
        const copy = Buffer.from(piece.bytes)
        piece[Symbol.dispose]()
        this.push(copy)
      },
      (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
    )
  }
}

/** Bytes in memory of their own, which nobody uses again. */
export function ownPiece(bytes: Buffer): Piece {
  return { bytes, [Symbol.dispose]: () => undefined }
}
