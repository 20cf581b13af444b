import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressBytes, hostOf, listenAddresses, multiaddressOf, parseContact, readAddress } from './address.ts'

const port = fc.integer({ min: 1, max: 65_535 })
const address = fc.oneof(
  fc.record({ ip: fc.ipV4(), family: fc.constant<4 | 6>(4), port }),
  fc.record({
    ip: fc.ipV6().map(ip => new URL(`http://[${ip}]/`).hostname.slice(1, -1)),
    family: fc.constant<4 | 6>(6),
    port,
  }),
)

describe('addresses', () => {
  it('are the bytes that libp2p makes of them, and come back', () => {
    fc.assert(
      fc.property(address, one => {
        const bytes = addressBytes(one)
        expect([...bytes]).toEqual([...multiaddr(multiaddressOf(one)).bytes])
        expect(readAddress(bytes)).toEqual(one)
      }),
    )
  })

  it.each([
    ['/ip4/10.0.0.1/tcp/5001/p2p/12D3KooWCeCSdi82fZebGrerkrqu7kW7hSxTFV2Ndps1FcgE89ro', '10.0.0.1'],
    ['/ip6/fd00::1/tcp/5001', 'fd00::1'],
    ['/ip4/10.0.0.1/udp/5001/quic-v1', undefined],
    ['/ip4/10.0.0.1/tcp/5001/ws', undefined],
    ['/ip4/10.0.0.1/tcp/0', undefined],
    ['/dns4/registry.test/tcp/5001', undefined],
    ['/ip4/10.0.0.1', undefined],
  ])('%s on the wire is %s', (text, ip) => {
    expect(readAddress(multiaddr(text).bytes)?.ip).toBe(ip)
  })

  it('are none in whatever else comes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), bytes => void readAddress(bytes)))
  })

  it('stand in a URL with brackets where they are IPv6', () => {
    expect([hostOf({ ip: 'fd00::7', family: 6, port: 1 }), hostOf({ ip: '10.0.0.7', family: 4, port: 1 })]).toEqual([
      '[fd00::7]',
      '10.0.0.7',
    ])
  })
})

describe('contacts', () => {
  const id = '12D3KooWCeCSdi82fZebGrerkrqu7kW7hSxTFV2Ndps1FcgE89ro'
  it.each([
    ['10.0.0.1', undefined, '/ip4/10.0.0.1/tcp/5001'],
    ['10.0.0.1:29995', undefined, '/ip4/10.0.0.1/tcp/29995'],
    ['fd00::1', undefined, '/ip6/fd00::1/tcp/5001'],
    ['[fd00:0::1]:29995', undefined, '/ip6/fd00::1/tcp/29995'],
    ['/ip4/10.0.0.1', undefined, '/ip4/10.0.0.1/tcp/5001'],
    ['/ip4/10.0.0.1/tcp/7', undefined, '/ip4/10.0.0.1/tcp/7'],
    [`/ip6/fd00::1/tcp/7/p2p/${id}`, id, '/ip6/fd00::1/tcp/7'],
  ])('%s', (text, found, multiaddress) => {
    const parsed = parseContact(text, 5_001, 'here')
    if (!parsed.ok) throw new Error(parsed.problem.expected)
    expect([parsed.value.id, ...parsed.value.addresses.map(multiaddressOf)]).toEqual([found, multiaddress])
  })

  it.each([
    '',
    'registry.test',
    '10.0.0.1:0',
    '10.0.0.1:70000',
    '10.0.0',
    '[fd00::1',
    'fe80::1%eth0',
    '/ip4/fd00::1/tcp/1',
    '/ip4/10.0.0.1/udp/1',
    '/dns4/a/tcp/1',
  ])('%j is none', text => {
    expect(parseContact(text, 5_001, 'here')).toMatchObject({ ok: false, problem: { where: 'here', found: text } })
  })
})

describe('where to listen', () => {
  it.each([
    [':5001', ['/ip4/0.0.0.0/tcp/5001', '/ip6/::/tcp/5001'], false],
    ['10.0.0.7:29995', ['/ip4/10.0.0.7/tcp/29995'], false],
    ['[fd00::7]:29995', ['/ip6/fd00::7/tcp/29995'], false],
    ['127.0.0.1:0', ['/ip4/127.0.0.1/tcp/0'], true],
  ])('%s', (text, listen, isLoopback) => {
    expect(listenAddresses(text, 'router-addr')).toMatchObject({ ok: true, value: { listen, isLoopback } })
  })

  it.each(['', '5001', ':', ':70000', 'node:5001', 'fd00::7:5001', '10.0.0.7'])('%j is none', text => {
    expect(listenAddresses(text, 'router-addr')).toMatchObject({ ok: false, problem: { where: 'router-addr' } })
  })
})
