import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOf, cidOf, compareDistance, distance, multihashOf, peerOfBytes, placeOf, sharedBits, textOf } from './keys.ts'

const place = fc.uint8Array({ minLength: 32, maxLength: 32 })
const numberOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)

describe('keys', () => {
  it.each([
    ['case 8', 'docker.io/library/busybox:1.37.0', 'bafkreifdixuobjojcs6sm3w52326ep262547uydcgu5g5vge432a5tk4na'],
    [
      'case 9',
      'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'bafkreiadmttyx2evz34sjg4dwignwy3czu6dc72veqdgsysclc6ejgug7q',
    ],
  ])('%s: %s has the CID %s', (_name, key, cid) => {
    expect(cidOf(key)).toBe(cid)
  })

  it('become a multihash of SHA-256', () => {
    const multihash = multihashOf('a')
    expect([...multihash.subarray(0, 2), multihash.length]).toEqual([0x12, 0x20, 34])
  })

  it('are nearer by the XOR as a number', () => {
    fc.assert(
      fc.property(place, place, place, (target, left, right) => {
        const by = (bytes: Uint8Array) => numberOf(bytes) ^ numberOf(target)
        expect(Math.sign(compareDistance(target, left, right))).toBe(by(left) < by(right) ? -1 : by(left) > by(right) ? 1 : 0)
      }),
    )
  })

  it('share as many leading bits as their XOR has zeros', () => {
    fc.assert(
      fc.property(place, place, (left, right) => {
        const xor = numberOf(left) ^ numberOf(right)
        expect(sharedBits(left, right)).toBe(256 - (xor === 0n ? 0 : xor.toString(2).length))
      }),
    )
    expect(sharedBits(placeOf(multihashOf('a')), placeOf(multihashOf('a')))).toBe(256)
  })

  it('have a distance to a peer that does not change', () => {
    const peer = '12D3KooWCeCSdi82fZebGrerkrqu7kW7hSxTFV2Ndps1FcgE89ro'
    expect(distance('a', peer)).toBe(distance('a', peer))
    expect(distance('a', peer)).not.toBe(distance('b', peer))
    expect(() => distance('a', 'nobody')).toThrow()
  })

  it('come back from text', () => {
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        expect([...bytesOf(textOf(bytes))]).toEqual([...bytes])
      }),
    )
  })

  it('of a neighbour that are no id are none', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), bytes => void peerOfBytes(bytes)))
    expect(peerOfBytes(Uint8Array.of(1, 2, 3))).toBeUndefined()
  })
})
