import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { peekBody } from './peeked-body.ts'

const { signal } = new AbortController()

/** Bytes as they come from a client: piece by piece, each in a turn of its own. */
function coming(pieces: readonly Uint8Array[]): Readable {
  const left = [...pieces]
  return new Readable({
    read() {
      setImmediate(() => this.push(left.shift() ?? null))
    },
  })
}

test('whatever pieces it comes in, the beginning is seen and nothing is lost', async () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(pieces, fc.integer({ min: 1, max: 200 }), async (all, most) => {
      const whole = Buffer.concat(all)
      const { first, isWhole, body } = await peekBody(coming(all), most, signal)
      expect(first).toEqual(whole.subarray(0, most))
      expect(isWhole).toBe(whole.length < most || (whole.length === most && isWhole))
      expect(await buffer(body)).toEqual(whole)
    }),
    { numRuns: 60 },
  )
})

test('who listens for pieces at once gets them all', async () => {
  const all = Array.from({ length: 50 }, (_none, at) => Buffer.alloc(100, at))
  for (const most of [1, 150, 5_000, 6_000]) {
    const { body } = await peekBody(coming(all), most, signal)
    const got: Buffer[] = []
    body.on('data', (chunk: Buffer) => got.push(chunk))
    body.resume()
    await new Promise(resolve => body.on('end', resolve))
    expect(Buffer.concat(got).equals(Buffer.concat(all))).toBe(true)
  }
})

describe('what ends the wait', () => {
  const silent = () => new Readable({ read: () => undefined })
  test('its signal', async () => {
    const stop = new AbortController()
    const peeked = peekBody(silent(), 10, stop.signal)
    stop.abort(new Error('late'))
    await expect(peeked).rejects.toThrow('late')
    await expect(peekBody(silent(), 10, stop.signal)).rejects.toThrow('late')
  })
  test('a client that leaves', async () => {
    const body = silent()
    const peeked = peekBody(body, 10, signal)
    body.destroy()
    await expect(peeked).rejects.toThrow('the client left within its body')
    await expect(peekBody(body, 10, signal)).rejects.toThrow('the client left within its body')
  })
  test('an error', async () => {
    const body = silent()
    const peeked = peekBody(body, 10, signal)
    body.destroy(new Error('reset'))
    await expect(peeked).rejects.toThrow('reset')
    await expect(peekBody(body, 10, signal)).rejects.toThrow('reset')
    expect(['readable', 'end', 'close'].map(name => body.listenerCount(name))).toEqual([0, 0, 0])
  })
})

test.each([0, 1, 65_535, 65_536, 65_537, 3_000_000])('a body of %d bytes over a socket', async size => {
  const seen = Promise.withResolvers<{ first: number; isWhole: boolean; all: Buffer }>()
  const server = createServer((incoming, response) => {
    const looked = peekBody(incoming, 65_536, signal).then(async ({ first, isWhole, body }) => {
      // Who takes it does so later.
      await new Promise(resolve => setImmediate(resolve))
      const all = await buffer(body)
      response.end()
      return { first: first.length, isWhole, all }
    })
    looked.then(seen.resolve, seen.reject)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const sent = Buffer.alloc(size, 'abcdefg')
  const { port } = server.address() as AddressInfo
  request({ port, method: 'POST', headers: { 'content-length': size } }, response => response.resume()).end(sent)
  const { first, isWhole, all } = await seen.promise
  expect(first).toBe(Math.min(size, 65_536))
  expect(isWhole).toBe(size < 65_536 || (size === 65_536 && isWhole))
  expect(all.equals(sent)).toBe(true)
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
})
