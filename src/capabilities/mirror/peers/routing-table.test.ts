import { createHash, createPrivateKey } from 'node:crypto'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { describe, expect, it } from 'vitest'
import { rawKeyOf } from './identity.ts'
import { compareDistance, multihashOf, placeOf, placeOfPeer, sharedBits } from './keys.ts'
import { bucketSize, RoutingTable } from './routing-table.ts'

/** The peer of a seed: always the same. */
function peerOf(index: number): string {
  const seed = createHash('sha256').update(`${index}`).digest()
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const key = privateKeyFromRaw(rawKeyOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })))
  return peerIdFromPrivateKey(key).toString()
}

const peers = Array.from({ length: 200 }, (_, index) => peerOf(index))
const own = peerOf(1_000)

describe('the routing table', () => {
  it('keeps at most 20 of each distance, those that came first', () => {
    const table = new RoutingTable(placeOfPeer(own))
    const results = peers.map(peer => table.add(peer))
    const byDistance = Map.groupBy(table.ids(), peer => sharedBits(placeOfPeer(own), placeOfPeer(peer)))
    expect(Math.max(...byDistance.values().map(list => list.length))).toBe(bucketSize)
    expect(results.filter(result => result === 'full')).toHaveLength(peers.length - table.size)
    const first = peers.filter(peer => sharedBits(placeOfPeer(own), placeOfPeer(peer)) === 0).slice(0, bucketSize)
    expect(byDistance.get(0)).toEqual(first)
  })

  it('has room again where one is gone', () => {
    const table = new RoutingTable(placeOfPeer(own))
    const far = peers.filter(peer => sharedBits(placeOfPeer(own), placeOfPeer(peer)) === 0)
    for (const peer of far) table.add(peer)
    const [first = '', late = ''] = [far[0], far[bucketSize]]
    expect(table.add(late)).toBe('full')
    expect([table.remove(first), table.remove(first), table.add(late), table.add(late)]).toEqual([true, false, 'added', 'known'])
  })

  it('gives the nearest first', () => {
    const table = new RoutingTable(placeOfPeer(own))
    for (const peer of peers) table.add(peer)
    const target = placeOf(multihashOf('a key'))
    const nearest = table.nearest(target, 5)
    const sorted = table.ids().toSorted((left, right) => compareDistance(target, placeOfPeer(left), placeOfPeer(right)))
    expect(nearest).toEqual(sorted.slice(0, 5))
  })
})
