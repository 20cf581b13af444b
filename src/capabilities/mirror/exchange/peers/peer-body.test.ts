// A body from the wire into slabs: whatever the pieces in which it comes and the order in which they are let go of.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Piece } from '../../lent-body.ts'
import { Slabs, slabBytes } from '../../slabs.ts'
import { PeerBody } from './peer-body.ts'

const content = Buffer.from(Array.from({ length: 5 * slabBytes + 3 }, (_, index) => (index * 7 + (index >> 8)) % 253))

/** A connection that gives so many bytes at each read, as long as it is let. */
class Wire {
  readonly body: PeerBody
  isReading = false
  isDone = false
  isLeft = false
  #at: number
  readonly #bytes: Buffer

  constructor(bytes: Buffer, withHead: number) {
    this.#bytes = bytes
    this.#at = Math.min(withHead, bytes.length)
    const wire = {
      resume: () => {
        this.isReading = true
      },
      done: () => {
        this.isDone = true
      },
      leave: () => {
        this.isLeft = true
      },
    }
    this.body = new PeerBody(wire, bytes.subarray(0, this.#at), bytes.length)
  }

  /** One read into memory of the connection (`isOwn`: there is no way to give it other memory at once), or into a slab. */
  read(count: number, isOwn: boolean): void {
    if (!this.isReading || this.#at === this.#bytes.length) return
    const room = isOwn ? undefined : this.body.room()
    const bytes = this.#bytes.subarray(this.#at, this.#at + Math.min(count, room?.length ?? 16_384))
    this.#at += bytes.length
    if (room !== undefined) bytes.copy(room)
    this.isReading = room === undefined ? this.body.copied(Buffer.from(bytes)) : this.body.filled(bytes.length)
  }
}

describe('a body', () => {
  test('comes whole and in order, in no more slabs than there are, however it comes and however it is taken', async () => {
    const step = fc.record({ count: fc.integer({ min: 1, max: 400_000 }), isOwn: fc.boolean(), keeps: fc.nat(3) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(content.length),
        fc.nat(20_000),
        async (steps, most, length, withHead) => {
          const bytes = content.subarray(0, length)
          const wire = new Wire(bytes, withHead)
          let isEmpty = false
          const slabs = new Slabs(most, () => {
            isEmpty = true
          })
          wire.body.use(slabs)
          const kept: Piece[] = []
          let at = 0
          let turn = 0
          const letGo = () => {
            const piece = kept.shift()
            if (piece === undefined) return
            expect(piece.bytes.equals(bytes.subarray(at, at + piece.bytes.length))).toBe(true)
            at += piece.bytes.length
            piece[Symbol.dispose]()
          }
          for (let isOver = false; !isOver; ) {
            let next: Piece | undefined | 'waits' = 'waits'
            void wire.body.next().then(piece => {
              next = piece
            })
            await Promise.resolve()
            await Promise.resolve()
            for (; next === 'waits'; turn++) {
              const { count, isOwn } = steps[turn % steps.length] ?? { count: 1, isOwn: false }
              if (!wire.isReading) {
                // Only for want of memory, and then it goes on when some is let go of.
                expect([wire.body.isHeldUp, kept.length > 0]).toEqual([true, true])
                letGo()
              }
              wire.read(Math.max(count, 4_000), isOwn)
              await new Promise(resolve => setImmediate(resolve))
            }
            const piece: Piece | undefined = next
            if (piece === undefined) isOver = true
            else kept.push(piece)
            while (kept.length > (steps[turn % steps.length]?.keeps ?? 0)) letGo()
          }
          while (kept.length > 0) letGo()
          slabs[Symbol.dispose]()
          expect([at, wire.isDone || length <= withHead, wire.isLeft, isEmpty]).toEqual([length, true, false, true])
        },
      ),
      { numRuns: 60 },
    )
  })

  test('that breaks off gives what came before, then the fault', async () => {
    const wire = new Wire(content, 10)
    const first = wire.body.next()
    wire.body.broke(new Error('reset'))
    expect((await first)?.bytes).toEqual(content.subarray(0, 10))
    await expect(wire.body.next()).rejects.toThrow('reset')
  })

  test('that is left gives its memory back and leaves the connection, once; who waits hears of it', async () => {
    const wire = new Wire(content, 0)
    let isEmpty = false
    const slabs = new Slabs(2, () => {
      isEmpty = true
    })
    wire.body.use(slabs)
    const piece = wire.body.next()
    wire.read(16_384, true)
    const waiting = [await piece]
    const last = wire.body.next()
    wire.body.destroy()
    await expect(last).rejects.toThrow('left')
    slabs[Symbol.dispose]()
    expect([wire.isLeft, isEmpty]).toEqual([true, false])
    for (const each of waiting) each?.[Symbol.dispose]()
    expect([isEmpty, wire.body.room()]).toEqual([true, undefined])
  })
})
