import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, it } from 'vitest'
import { FrameReader } from './frames.ts'
import { decodeMessage, encodeMessage } from './message.ts'

// A second opinion on the format, without our field: what others know of it.
const { root } = protobuf.parse(`syntax = "proto3";
  message Peer { bytes id = 1; repeated bytes addrs = 2; int32 connection = 3; }
  message Message { int32 type = 1; bytes key = 2; repeated Peer closerPeers = 8; repeated Peer providerPeers = 9; int32 clusterLevelRaw = 10; }`)
const others = root.lookupType('Message')

const bytes = fc.uint8Array({ maxLength: 40 })
const peers = fc.array(fc.record({ id: bytes, addresses: fc.array(bytes, { maxLength: 4 }) }), { maxLength: 4 })
const message = fc.record({
  type: fc.integer({ min: 0, max: 5 }),
  key: bytes,
  closer: peers,
  providers: peers,
  validSeconds: fc.option(fc.integer({ min: 0, max: 1_000_000 }), { nil: undefined }),
})
const withoutLength = (framed: Uint8Array): Uint8Array => {
  const [frame] = new FrameReader(1_000_000).push(framed)
  if (frame === undefined) throw new Error('no whole message')
  return frame
}

describe('messages', () => {
  it('come back as they went', () => {
    fc.assert(
      fc.property(message, one => {
        expect(JSON.stringify(decodeMessage(withoutLength(encodeMessage(one))))).toBe(
          JSON.stringify(decodeMessage(withoutLength(encodeMessage(decodeMessage(withoutLength(encodeMessage(one))))))),
        )
        const { type, providers, validSeconds } = decodeMessage(withoutLength(encodeMessage(one)))
        expect({ type, validSeconds, count: providers.length }).toEqual({
          type: one.type,
          validSeconds: one.validSeconds,
          count: one.providers.length,
        })
      }),
    )
  })

  it('are read by others, who skip our field', () => {
    fc.assert(
      fc.property(message, one => {
        const read = others.toObject(others.decode(withoutLength(encodeMessage(one))), { arrays: true, defaults: true })
        expect(read['type']).toBe(one.type)
        expect(read['providerPeers']).toHaveLength(one.providers.length)
        expect(read['closerPeers']).toHaveLength(one.closer.length)
      }),
    )
  })

  it('of others are read, with fields that we do not know', () => {
    const id = Uint8Array.of(1, 2)
    const written = others
      .encode({ type: 4, key: id, clusterLevelRaw: 7, closerPeers: [{ id, addrs: [id, id], connection: 2 }] })
      .finish()
    expect(decodeMessage(written)).toMatchObject({ type: 4, closer: [{ addresses: [{}, {}] }], validSeconds: undefined })
  })

  it('have at most 1,000 peers in a list and 64 addresses a peer', () => {
    const id = Uint8Array.of(1)
    const many = { id, addresses: Array.from({ length: 200 }, () => id) }
    const read = decodeMessage(withoutLength(encodeMessage({ type: 3, providers: Array.from({ length: 1_500 }, () => many) })))
    expect(read.providers).toHaveLength(1_000)
    expect(read.providers[0]?.addresses).toHaveLength(64)
  })

  it('that are none fail by an error and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), noise => {
        try {
          decodeMessage(noise)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }),
    )
  })
})

describe('frames', () => {
  it('come out whole however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(bytes, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (bodies, cuts) => {
          const whole = Buffer.concat(bodies.map(body => Buffer.concat([Uint8Array.of(body.length), body])))
          const reader = new FrameReader(100)
          const found: string[] = []
          for (let at = 0, turn = 0; at < whole.length; turn++) {
            const length = cuts[turn % cuts.length] ?? 1
            for (const frame of reader.push(whole.subarray(at, at + length))) found.push(Buffer.from(frame).toString('hex'))
            at += length
          }
          expect(found).toEqual(bodies.map(body => Buffer.from(body).toString('hex')))
          expect(reader.held).toBe(0)
        },
      ),
    )
  })

  it.each([
    ['longer than the limit', Uint8Array.of(0x90, 0x4e)],
    ['of a length that does not end', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x01)],
  ])('%s are refused before their bytes come', (_name, head) => {
    expect(() => [...new FrameReader(1_000).push(head)]).toThrow(/message of 10000 bytes|more than four/)
  })
})
