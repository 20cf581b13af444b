import { describe, expect, it } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { type Address, addressBytes } from './address.ts'
import { believedAddresses } from './address-rules.ts'
import { ProtocolFault } from './frames.ts'
import { bytesOfPeer, multihashOf, peerOfBytes, placeOfPeer, textOf } from './keys.ts'
import { longestKey, type Message, messageTypes, type PeerRecord } from './message.ts'
import { PeerBook } from './peer-book.ts'
import { ProviderRecords } from './provider-records.ts'
import { RoutingTable } from './routing-table.ts'
import { answer, digestText, type Known, mostProvidersOfAnAnswer, recordValidMs } from './serving.ts'
import { idOf } from './testdata/ids-for-tests.ts'

const own = idOf(0)
const asker = idOf(1)
const other = idOf(2)
const ownAddress: Address = { ip: '10.0.0.1', family: 4, port: 5_001 }
const at = (host: number): Address => ({ ip: `10.0.1.${host}`, family: 4, port: 5_001 })
const key = multihashOf('sha256:content')
const digest = digestText(key) ?? ''

function node(announced: readonly string[] = []) {
  const clock = new VirtualClock(0)
  const rules = { networks: undefined, acceptsLoopback: false, own: () => [ownAddress] }
  const known: Known = {
    own,
    ownAddresses: () => [ownAddress],
    table: new RoutingTable(placeOfPeer(own)),
    book: new PeerBook(clock),
    records: new ProviderRecords(clock),
    believe: addresses => believedAddresses(rules, addresses),
    announces: text => announced.includes(text),
    random: () => 0.5,
  }
  return { clock, known }
}

const message = (type: number, rest: Partial<Message> = {}): Message => ({
  type,
  key,
  closer: [],
  providers: [],
  validSeconds: undefined,
  ...rest,
})
const record = (id: string, ...addresses: readonly Address[]): PeerRecord => ({
  id: bytesOfPeer(id),
  addresses: addresses.map(addressBytes),
})
const tells = (rest: Partial<Message>) => message(messageTypes.addProvider, rest)
const ids = (peers: readonly PeerRecord[] | undefined) => peers?.map(({ id }) => peerOfBytes(id))

describe('announcements', () => {
  it('are kept, and given to others', () => {
    const { known } = node()
    expect(answer(known, tells({ providers: [record(asker, at(1))] }), asker)).toBeUndefined()
    expect(answer(known, message(messageTypes.getProviders), other)?.providers).toEqual([record(asker, at(1))])
  })

  it('run out after 19 min, whatever longer time is told, and sooner where that is told', async () => {
    const { clock, known } = node()
    answer(known, tells({ providers: [record(asker, at(1))], validSeconds: 4_294_967_295 }), asker)
    answer(known, tells({ providers: [record(other, at(2))], validSeconds: 60 }), other)
    await clock.advance(60_000)
    expect(known.records.of(digest)).toEqual([asker])
    await clock.advance(recordValidMs)
    expect(known.records.of(digest)).toEqual([])
  })

  it('are taken back by whoever made them, and by nobody else', () => {
    const { known } = node()
    answer(known, tells({ providers: [record(asker, at(1))] }), asker)
    answer(known, tells({ providers: [record(other, at(2))], validSeconds: 0 }), other)
    expect(known.records.of(digest)).toEqual([asker])
    answer(known, tells({ providers: [record(asker)], validSeconds: 0 }), asker)
    expect(known.records.of(digest)).toEqual([])
  })

  it('for another peer are a fault, and leave nothing', () => {
    const { known } = node()
    expect(() => answer(known, tells({ providers: [record(other, at(2))] }), asker)).toThrow(ProtocolFault)
    expect(() => answer(known, tells({ providers: [] }), asker)).toThrow(/without its own provider/)
    answer(known, tells({ providers: [record(other, at(2)), record(asker, at(1))] }), asker)
    expect(known.records.of(digest)).toEqual([asker])
    expect(known.book.addresses(other)).toEqual([])
  })

  it.each<[string, readonly Address[]]>([
    ['none', []],
    ['a public one', [{ ip: '8.8.8.8', family: 4, port: 443 }]],
    ['loopback', [{ ip: '127.0.0.1', family: 4, port: 5_001 }]],
    ['of the cloud’s metadata', [{ ip: '169.254.169.254', family: 4, port: 80 }]],
    ['ours', [ownAddress]],
  ])('with no address to believe (%s) are left out', (_name, addresses) => {
    const { known } = node()
    answer(known, tells({ providers: [record(asker, ...addresses)] }), asker)
    expect(known.records.of(digest)).toEqual([])
  })

  it('with good and bad addresses count with the good ones', () => {
    const { known } = node()
    answer(known, tells({ providers: [record(asker, { ip: '1.1.1.1', family: 4, port: 80 }, at(1))] }), asker)
    expect(known.book.addresses(asker)).toEqual([at(1)])
  })

  it('of a key that is no SHA-256 are a fault', () => {
    const { known } = node()
    const providers = [record(asker, at(1))]
    expect(() => answer(known, tells({ key: new Uint8Array(34), providers }), asker)).toThrow(ProtocolFault)
    expect(() => answer(known, tells({ key: key.subarray(0, 33), providers }), asker)).toThrow(ProtocolFault)
    expect(known.records.keys).toBe(0)
  })
})

describe('questions', () => {
  it.each([
    ['no key', 0],
    ['a key that is too long', longestKey + 1],
  ])('with %s are a fault, whatever they ask', (_name, length) => {
    const { known } = node()
    for (const type of [messageTypes.addProvider, messageTypes.getProviders, messageTypes.findNode]) {
      expect(() => answer(known, message(type, { key: new Uint8Array(length) }), asker)).toThrow(`a key of ${length} bytes`)
    }
  })

  it('whose key is 80 bytes are answered: nobody provides it', () => {
    const { known } = node()
    const long = message(messageTypes.getProviders, { key: new Uint8Array(longestKey).fill(1) })
    expect(answer(known, long, asker)).toMatchObject({ providers: [], closer: [] })
  })

  it.each([messageTypes.putValue, messageTypes.getValue])(
    'of values (type %i) are a fault: nothing but providers is kept',
    type => {
      const { known } = node()
      expect(() => answer(known, message(type), asker)).toThrow(ProtocolFault)
    },
  )

  it('of unknown types are a fault', () => {
    const { known } = node()
    expect(() => answer(known, message(77), asker)).toThrow(/type 77/)
  })

  it('whether we are there are answered without more', () => {
    const { known } = node()
    const pong = { ...message(messageTypes.ping), key: new Uint8Array() }
    expect(answer(known, message(messageTypes.ping), asker)).toEqual(pong)
  })

  it('for what we announce name us first', () => {
    const { known } = node([digest])
    answer(known, tells({ providers: [record(asker, at(1))] }), asker)
    expect(ids(answer(known, message(messageTypes.getProviders), other)?.providers)).toEqual([own, asker])
  })

  it('for what very many provide name 100 of them, each once', () => {
    const { known } = node()
    for (let number = 0; number < 250; number++) {
      const peer = idOf(100 + number)
      answer(known, tells({ providers: [record(peer, at(number % 250))] }), peer)
    }
    const named = ids(answer(known, message(messageTypes.getProviders), asker)?.providers) ?? []
    expect(named).toHaveLength(mostProvidersOfAnAnswer)
    expect(new Set(named).size).toBe(mostProvidersOfAnAnswer)
  })

  it('name near peers that can be dialled, never the asker', () => {
    const { known } = node()
    for (const [peer, host] of [[asker, 1] as const, [other, 2] as const, [idOf(3), undefined] as const]) {
      known.table.add(peer)
      if (host !== undefined) known.book.learn(peer, [at(host)], 'itself')
    }
    for (const type of [messageTypes.getProviders, messageTypes.findNode]) {
      expect(ids(answer(known, message(type), asker)?.closer)).toEqual([other])
    }
  })

  it('for a peer are answered with it, also for ourselves and the asker: upstream proves peers by that', () => {
    const { known } = node()
    known.table.add(asker)
    known.book.learn(asker, [at(1)], 'itself')
    const forPeer = (id: string) => answer(known, message(messageTypes.findNode, { key: bytesOfPeer(id) }), asker)?.closer
    expect(forPeer(own)).toEqual([record(own, ownAddress)])
    expect(forPeer(asker)).toEqual([record(asker, at(1))])
    expect(forPeer(other)).toEqual([])
  })
})

it('a digest is that of a SHA-256 only', () => {
  expect(digestText(key)).toBe(textOf(key.subarray(2)))
  expect(digestText(bytesOfPeer(own))).toBeUndefined()
})
