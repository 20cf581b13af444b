// The small decisions of the exchange, each by rows.
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { Peer } from '../contract.ts'
import { digestOf } from '../testdata/memory-store.ts'
import { Breaks } from './peers/breaks.ts'
import { wayTo } from './peers/peer-client.ts'
import { firstPeer, PeerUses } from './peers/peer-order.ts'
import { Quarantine } from './peers/quarantine.ts'
import { linuxOn, platformManifests } from './platform-manifests.ts'
import { addressOf } from './registry-probe.ts'
import { TagPolicy } from './tag-policy.ts'
import { closedBreaker, onProbe, onTag } from './tags-breaker.ts'
import { ByteBudget } from './transfer/byte-budget.ts'
import { SharedWork } from './transfer/waited-work.ts'

const peer = (id: string, zone?: string): Peer => ({ id, hosts: ['127.0.0.1'], agent: 'ballast/1', zone, isOurs: true })

describe('the peer that is asked first', () => {
  // biome-ignore format: a table
  test.each<readonly [name: string, peers: readonly Peer[], uses: Readonly<Record<string, number>>, zone: string | undefined, first: string]>([
    ['is the one found first',            [peer('A'), peer('B')],                     {},               undefined, 'A'],
    ['is the least used',                 [peer('A'), peer('B')],                     { A: 1 },         undefined, 'B'],
    ['is of the same zone',               [peer('A', 'x'), peer('B', 'y')],           {},               'y',       'B'],
    ['is of the same zone, though used',  [peer('A', 'x'), peer('B', 'y')],           { B: 5 },         'y',       'B'],
    ['is the least used of the zone',     [peer('A', 'y'), peer('B', 'y'), peer('C')], { A: 2, B: 1 },  'y',       'B'],
    ['is any where the zone is ignored',  [peer('A', 'x'), peer('B', 'y')],           {},               undefined, 'A'],
  ])('%s', (_name, peers, uses, zone, first) =>
    expect(firstPeer(peers, { uses: new Map(Object.entries(uses)), zone }).id).toBe(first))

  test('uses end once each', () => {
    const uses = new PeerUses()
    const [one, other] = [uses.begin('A'), uses.begin('A')]
    one()
    one()
    expect([...uses.uses]).toEqual([['A', 1]])
    other()
    expect(uses.uses.size).toBe(0)
  })
})

describe('the way to a peer', () => {
  test.each([
    ['auto', true, true, 'mtls'],
    ['auto', true, false, 'http'],
    ['auto', false, true, 'http'],
    ['http', true, true, 'http'],
    ['mtls', true, true, 'mtls'],
    ['mtls', true, false, undefined],
    ['mtls', false, true, undefined],
  ] as const)('%s, ours %s, certificate %s: %s', (transport, isOurs, hasTls, way) =>
    expect(wayTo({ isOurs }, { transport, hasTls })).toBe(way),
  )
})

describe('a peer that broke off', () => {
  test.each([
    ['once', [4], ['A']],
    ['three times with bytes', [1, 1, 1], ['A']],
    ['twice without a byte', [0, 0], ['A']],
    ['three times without a byte', [0, 0, 0], []],
    ['twice without, once with, twice without', [0, 0, 5, 0, 0], ['A']],
  ])('%s', (_name, bytes, asked) => {
    const breaks = new Breaks()
    for (const count of bytes) breaks.broke(peer('A'), count)
    expect(breaks.broken.map(({ id }) => id)).toEqual(asked)
    expect(breaks.has('A')).toBe(true)
  })
})

describe('quarantine', () => {
  const digest = digestOf('a')
  test('of a peer is for every digest, of a pair for that one, and both end', () => {
    const clock = new VirtualClock(0)
    const quarantine = new Quarantine(clock, 1_000)
    quarantine.addPeer('A')
    quarantine.addPair('B', digest)
    const barred = () => [
      quarantine.bars('A', undefined),
      quarantine.bars('B', digest),
      quarantine.bars('B', digestOf('b')),
      quarantine.hasDigest(digest),
    ]
    expect(barred()).toEqual([true, true, false, false])
    clock.schedule(1_000, () => undefined)
    clock.step()
    expect(barred()).toEqual([false, false, false, false])
    expect(quarantine.entries()).toEqual([])
  })

  test('lets the oldest of 1,000 go', () => {
    const quarantine = new Quarantine(new VirtualClock(0), 1_000)
    for (let index = 0; index <= 1_000; index++) quarantine.addPeer(`P${index}`)
    expect(quarantine.entries()).toHaveLength(1_000)
    expect([quarantine.bars('P0', undefined), quarantine.bars('P1000', undefined)]).toEqual([false, true])
  })
})

describe('the budget of bytes', () => {
  const never = new AbortController().signal
  test('gives up to half of it generously, the rest sparingly, then in turn', async () => {
    const budget = new ByteBudget(10)
    using first = await budget.take(2, 8, never)
    const second = await budget.take(5, 8, never)
    expect([first.bytes, second.bytes]).toEqual([5, 5])
    const gone = new AbortController()
    const third = budget.take(2, 2, gone.signal)
    const fourth = budget.take(1, 1, never)
    gone.abort(new Error('left'))
    await expect(third).rejects.toThrow('left')
    second[Symbol.dispose]()
    second[Symbol.dispose]()
    expect((await fourth).bytes).toBe(1)
    expect(budget.taken).toBe(6)
  })

  test('refuses what there never is', async () => {
    await expect(new ByteBudget(10).take(11, 11, never)).rejects.toThrow(RangeError)
  })
})

describe('shared work', () => {
  test('is given up when the last one left, not before', async () => {
    const shared = new SharedWork<string>()
    let isAborted = false
    const work = (signal: AbortSignal) =>
      new Promise<string>((_resolve, reject) =>
        signal.addEventListener('abort', () => {
          isAborted = true
          reject(signal.reason)
        }),
      )
    const [one, other] = [new AbortController(), new AbortController()]
    const results = [shared.join('a', work, one.signal), shared.join('a', work, other.signal)]
    one.abort(new Error('one'))
    await expect(results[0]).rejects.toThrow('one')
    expect(isAborted).toBe(false)
    other.abort(new Error('other'))
    await expect(results[1]).rejects.toThrow('other')
    expect([isAborted, shared.size]).toEqual([true, 0])
  })
})

describe('an index', () => {
  const [amd, arm, attestation] = [digestOf('amd'), digestOf('arm'), digestOf('attestation')]
  const entry = (digest: string, os: string, architecture: string) => ({ digest, platform: { os, architecture } })
  const index = (manifests: unknown) => Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }))
  test.each([
    ['the own platform first', index([entry(amd, 'linux', 'amd64'), entry(arm, 'linux', 'arm64')]), [arm, amd]],
    ['no attestations', index([entry(attestation, 'unknown', 'unknown'), entry(amd, 'linux', 'amd64')]), [amd]],
    ['no digests that are none', index([{ digest: 'sha256:x' }, 7, null, entry(amd, 'linux', 'amd64')]), [amd]],
    ['none', index([]), []],
    ['no index', Buffer.from('{"layers":[]}'), undefined],
    ['no JSON', Buffer.from('{{'), undefined],
  ])('names %s', (_name, bytes, expected) => expect(platformManifests(bytes, linuxOn('arm64'))).toEqual(expected))

  test.each([
    ['x64', 'amd64'],
    ['arm64', 'arm64'],
    ['s390x', 's390x'],
  ])('%s is %s', (arch, architecture) => expect(linuxOn(arch)).toEqual({ os: 'linux', architecture }))
})

describe('the breaker of a registry', () => {
  // biome-ignore format: a table
  test.each([
    ['closed at first',                  '',       false],
    ['closed after one failure',         '-',      false],
    ['open after two in a row',          '--',     true],
    ['closed when one between is good',  '-+-',    false],
    ['open until one is good',           '----',   true],
    ['closed by one good one',           '---+',   false],
    ['open again after two more',        '--+--',  true],
  ])('%s', (_name, seen, isOpen) => {
    let state = closedBreaker
    for (const each of seen) state = onProbe(state, each === '+')
    expect(state.isOpen).toBe(isOpen)
  })

  test('looks every 30 s at most', () => {
    const first = onTag(closedBreaker, 0)
    expect([first.isProbed, onTag(first.state, 29_999).isProbed, onTag(first.state, 30_000).isProbed]).toEqual([
      true,
      false,
      true,
    ])
  })

  test.each([
    ['docker.io', 'https', 'https://registry-1.docker.io'],
    ['ghcr.io', 'https', 'https://ghcr.io'],
    ['registry.test:5000', 'http', 'http://registry.test:5000'],
  ] as const)('%s over %s is at %s', (registry, scheme, address) => expect(addressOf(registry, scheme)).toBe(address))

  test('with `fallback` answers tags after two failures 30 s apart, and no longer after a success', async () => {
    const clock = new VirtualClock(0)
    let isUp = false
    const policy = new TagPolicy({ tags: 'fallback', probe: async () => isUp, clock, log: silentLog })
    const answers: boolean[] = []
    for (let round = 0; round < 5; round++) {
      answers.push(policy.answers('ghcr.io'))
      if (round === 2) isUp = true
      await clock.advance(30_000)
    }
    expect(answers).toEqual([false, false, true, true, false])
  })

  test.each([
    ['always', true],
    ['never', false],
  ] as const)('with `%s`: %s', (tags, expected) => {
    const probe = async () => Promise.reject(new Error('looked at'))
    expect(new TagPolicy({ tags, probe, clock: new VirtualClock(0), log: silentLog }).answers('ghcr.io')).toBe(expected)
  })
})
