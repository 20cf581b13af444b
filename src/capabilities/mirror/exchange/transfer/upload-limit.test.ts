// The limit of uploads on a clock that stands still until it is moved.
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { UploadLimit } from './upload-limit.ts'

class Sink {
  received = 0
  readonly stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      this.received += chunk.length
      done()
    },
  })
}

const bytes = (count: number) => Readable.from([Buffer.alloc(count)])

describe('a limit of 1,000,000 bytes a second', () => {
  test('lets a first 100 ms go at once, then as much as time passes', async () => {
    const clock = new VirtualClock(0)
    const [limit, sink] = [new UploadLimit(1_000_000, clock), new Sink()]
    const done = pipeline(bytes(1_000_000), limit.stream(), sink.stream)
    await clock.quiet()
    expect(sink.received).toBeLessThanOrEqual(100_000)
    await clock.advance(500)
    expect(sink.received).toBeGreaterThan(500_000)
    expect(sink.received).toBeLessThanOrEqual(600_000)
    await clock.advance(500)
    await done
    expect(sink.received).toBe(1_000_000)
  })

  test('lets nobody wait for the large pieces of another', async () => {
    const clock = new VirtualClock(0)
    const limit = new UploadLimit(1_000_000, clock)
    const [one, other] = [new Sink(), new Sink()]
    const small = Readable.from(Array.from({ length: 200 }, () => Buffer.alloc(10_000)))
    const both = [pipeline(bytes(2_000_000), limit.stream(), one.stream), pipeline(small, limit.stream(), other.stream)]
    await clock.advance(1_000)
    expect(one.received + other.received).toBeLessThanOrEqual(1_100_000)
    expect(other.received).toBeGreaterThan(100_000)
    await clock.advance(4_000)
    await Promise.all(both)
  })

  test('gives the turn of one that left to the others', async () => {
    const clock = new VirtualClock(0)
    const limit = new UploadLimit(1_000_000, clock)
    const left = limit.stream()
    const gone = pipeline(bytes(10_000_000), left, new Sink().stream)
    await clock.quiet()
    left.destroy(new Error('left'))
    await expect(gone).rejects.toThrow('left')
    const sink = new Sink()
    const done = pipeline(bytes(200_000), limit.stream(), sink.stream)
    await clock.advance(300)
    await done
    expect(sink.received).toBe(200_000)
  })
})
