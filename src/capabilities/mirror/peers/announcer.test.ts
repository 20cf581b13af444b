import { describe, expect, it } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { digestOf } from './announcements.ts'
import { Announcer, batchLength } from './announcer.ts'
import { FrameReader } from './frames.ts'
import { certainOfProviders } from './kademlia.ts'
import { asMultihash, bytesOf, bytesOfPeer, compareDistance, placeOf, placeOfPeer } from './keys.ts'
import { decodeMessage, type Message, messageTypes } from './message.ts'
import { bucketSize, RoutingTable } from './routing-table.ts'
import { idOf } from './testdata/ids-for-tests.ts'

const own = idOf(0)
const silence = new AbortController().signal
const digestsOf = (count: number) => Array.from({ length: count }, (_, index) => digestOf(`key ${index}`))

/** A node that knows `count` others, whose neighbourhood is told as it is; peers whose number is below `upstreams` are not ours. */
function announcer(count: number, options: { upstreams?: number; deaf?: ReadonlySet<string> } = {}) {
  const { upstreams = 0, deaf = new Set() } = options
  const peers = Array.from({ length: count }, (_, index) => idOf(index + 1))
  const table = new RoutingTable(placeOfPeer(own))
  for (const peer of peers) table.add(peer)
  const told = new Map<string, Message[]>()
  const pieces: number[] = []
  let explored = 0
  const nearest = (multihash: Uint8Array) => {
    const target = placeOf(multihash)
    return peers.toSorted((left, right) => compareDistance(target, placeOfPeer(left), placeOfPeer(right)))
  }
  const made = new Announcer({
    own,
    ownAddresses: () => [{ ip: '10.0.0.1', family: 4, port: 5_001 }],
    table,
    isOurs: peer => peers.indexOf(peer) >= upstreams,
    explore: async multihash => {
      explored++
      return nearest(multihash).slice(0, bucketSize)
    },
    tell: async (peer, batches) => {
      if (deaf.has(peer)) throw new Error('deaf')
      const messages = told.get(peer) ?? []
      told.set(peer, messages)
      const frames = new FrameReader(64 * 1_024)
      for (const batch of batches) {
        const whole = [...frames.push(batch)].map(decodeMessage)
        pieces.push(whole.length)
        messages.push(...whole)
      }
    },
    clock: new VirtualClock(0),
    log: silentLog,
  })
  const holders = (digest: string) =>
    [...told].filter(([, list]) => list.some(({ key }) => Buffer.compare(key, multihashOfDigest(digest)) === 0)).map(([id]) => id)
  return { announcer: made, peers, told, pieces, table, nearest, holders, explored: () => explored }
}

const multihashOfDigest = (digest: string) => asMultihash(bytesOf(digest))

describe('telling who has what', () => {
  it('tells everybody everything while fewer than 20 are there, without asking around', async () => {
    const { announcer: one, peers, told, explored } = announcer(19)
    await one.tellNearest({ digests: digestsOf(10), validSeconds: undefined }, silence)
    expect([...told.keys()].toSorted()).toEqual(peers.toSorted())
    for (const messages of told.values()) expect(messages).toHaveLength(10)
    expect(explored()).toBe(0)
  })

  it('says the key, ourselves with our address, and how long it holds', async () => {
    const { announcer: one, told, peers } = announcer(1)
    const [digest = ''] = digestsOf(1)
    await one.tellNearest({ digests: [digest], validSeconds: 60 }, silence)
    const [message] = told.get(peers[0] ?? '') ?? []
    expect(message).toMatchObject({ type: messageTypes.addProvider, validSeconds: 60 })
    expect(Buffer.compare(message?.key ?? Buffer.of(), multihashOfDigest(digest))).toBe(0)
    expect(message?.providers.map(({ id }) => Buffer.from(id))).toEqual([Buffer.from(bytesOfPeer(own))])
    expect(message?.providers[0]?.addresses).toHaveLength(1)
  })

  it('tells of what runs out, or ended, only ours: others would keep it for 19 min', async () => {
    for (const validSeconds of [0, 60]) {
      const { announcer: one, peers, told } = announcer(6, { upstreams: 4 })
      await one.tellNearest({ digests: digestsOf(1), validSeconds }, silence)
      expect([...told.keys()].toSorted()).toEqual(peers.slice(4).toSorted())
    }
  })

  it('sends many keys in pieces of 128', async () => {
    const { announcer: one, pieces } = announcer(1)
    await one.tellNearest({ digests: digestsOf(300), validSeconds: undefined }, silence)
    expect(pieces).toEqual([batchLength, batchLength, 300 - 2 * batchLength])
  })

  it('tells each key, in a large network, to 20 near ones, the nearest among them, and asks around fewer times than there are keys', async () => {
    const { announcer: one, nearest, holders, explored } = announcer(200)
    const digests = digestsOf(100)
    await one.tellNearest({ digests, validSeconds: undefined }, silence)
    expect(explored()).toBeLessThan(digests.length)
    for (const digest of digests) {
      const holding = holders(digest)
      expect(holding).toHaveLength(bucketSize)
      // Keys that lie together share one asking: whoever looks up asks the nearest first, and finds it there.
      const wanted = nearest(multihashOfDigest(digest)).slice(0, certainOfProviders)
      expect(holding).toContain(wanted[0])
      expect(wanted.filter(peer => holding.includes(peer)).length).toBeGreaterThan(certainOfProviders / 2)
    }
  })

  it('goes on where a peer does not take it', async () => {
    const deaf = new Set([idOf(1), idOf(2)])
    const { announcer: one, peers, told } = announcer(8, { deaf })
    await one.tellNearest({ digests: digestsOf(3), validSeconds: undefined }, silence)
    expect([...told.keys()].toSorted()).toEqual(peers.filter(peer => !deaf.has(peer)).toSorted())
  })

  it('tells nobody once it is stopped', async () => {
    const { announcer: one, told } = announcer(8)
    await one.tellNearest({ digests: digestsOf(3), validSeconds: undefined }, AbortSignal.abort())
    expect(told.size).toBe(0)
  })
})

describe('telling a peer that came', () => {
  it('tells it everything in a small network', async () => {
    const { announcer: one, told } = announcer(5)
    await one.tellNew(idOf(1), digestsOf(7), silence)
    expect([...told].map(([peer, list]) => [peer, list.length])).toEqual([[idOf(1), 7]])
  })

  it('tells it, in a large one, only what it is near to', async () => {
    const { announcer: one, table, told } = announcer(200)
    const digests = digestsOf(100)
    await one.tellNew(idOf(1), digests, silence)
    const near = digests.filter(digest => table.nearest(placeOf(multihashOfDigest(digest))).includes(idOf(1)))
    expect(near.length).toBeGreaterThan(0)
    expect(near.length).toBeLessThan(100)
    expect(told.get(idOf(1))).toHaveLength(near.length)
  })
})
