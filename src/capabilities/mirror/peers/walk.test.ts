import { createHash, createPrivateKey } from 'node:crypto'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { describe, expect, it } from 'vitest'
import { rawKeyOf } from './identity.ts'
import { compareDistance, multihashOf, placeOf, placeOfPeer } from './keys.ts'
import { mostSeen, walk } from './walk.ts'

const peers = Array.from({ length: 300 }, (_, index) => {
  const seed = createHash('sha256').update(`${index}`).digest()
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  return peerIdFromPrivateKey(
    privateKeyFromRaw(rawKeyOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))),
  ).toString()
})
const target = placeOf(multihashOf('a key'))
const nearest = (to: Uint8Array, of: readonly string[]) =>
  of.toSorted((left, right) => compareDistance(to, placeOfPeer(left), placeOfPeer(right)))
const silence = new AbortController().signal

describe('a walk', () => {
  it('finds the nearest of all, where everybody knows some', async () => {
    // Each knows 20 at random and its 20 nearest neighbours.
    const knows = (peer: string, index: number) => [
      ...nearest(placeOfPeer(peer), peers).slice(0, 20),
      ...Array.from({ length: 20 }, (_, step) => peers[(index * 7 + step * 13) % peers.length] ?? ''),
    ]
    const asked: string[] = []
    const ask = async (peer: string) => {
      asked.push(peer)
      return nearest(target, knows(peer, peers.indexOf(peer))).slice(0, 20)
    }
    const found = await walk({ target, start: peers.slice(0, 5), own: '', ask, certain: 8, parallel: 3, signal: silence })
    expect(found.slice(0, 8)).toEqual(nearest(target, peers).slice(0, 8))
    expect(asked.length).toBeLessThan(60)
  })

  it('goes around those that are silent', async () => {
    const [first = '', second = '', third = ''] = nearest(target, peers)
    const ask = async (peer: string) => (peer === first ? undefined : [first, second, third])
    const found = await walk({ target, start: [third], own: '', ask, certain: 3, parallel: 2, signal: silence })
    expect(found).toEqual([second, third])
  })

  it('asks neither itself nor anybody twice, nor more at once than allowed', async () => {
    const [own = '', ...others] = peers.slice(0, 30)
    const asked: string[] = []
    let running = 0
    let most = 0
    const ask = async (peer: string) => {
      asked.push(peer)
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
      return [own, ...others]
    }
    await walk({ target, start: others, own, ask, certain: 20, parallel: 4, signal: silence })
    expect(new Set(asked).size).toBe(asked.length)
    expect([asked.includes(own), most]).toEqual([false, 4])
  })

  it('ends where a liar names ever new peers', async () => {
    let asked = 0
    const ask = async () => peers.slice((asked++ * 20) % peers.length).slice(0, 20)
    await walk({ target, start: peers.slice(0, 1), own: '', ask, certain: mostSeen, parallel: 4, signal: silence })
    expect(asked).toBeLessThanOrEqual(mostSeen)
  })

  it('ends when it is told to', async () => {
    const stop = new AbortController()
    const ask = async () => {
      stop.abort()
      return peers
    }
    await walk({ target, start: peers.slice(0, 3), own: '', ask, certain: 20, parallel: 1, signal: stop.signal })
    expect(stop.signal.aborted).toBe(true)
  })
})
