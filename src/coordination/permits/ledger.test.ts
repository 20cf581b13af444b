import { describe, expect, test } from 'vitest'
import { evict } from '../effects/evict.ts'
import { eviction, otherWorkload, pod, rollout, Site, words } from '../testdata/arbiter-site.ts'
import { isActive, recordOf, whyUnreadable } from './permit-record.ts'

const { signal } = new AbortController()
const key = 'shop/evict-db-0-1000001'

async function granted() {
  const site = new Site()
  const arbiter = await site.leader()
  const reply = await arbiter.request(eviction('db-0'), signal)
  if (reply.kind !== 'granted') throw new Error('not granted')
  return { site, arbiter, permit: reply.permit }
}

describe('a permit that somebody else touches', () => {
  test('deleted while it is out: its lock holds, it is told, and it can still be given back', async () => {
    const { site, arbiter, permit } = await granted()
    site.deleteByHand(key)
    expect(site.events.map(event => event.reason)).toEqual(['PermitDeleted'])
    expect(words(await arbiter.request(eviction('db-1'), signal))).toBe('defer lock')
    await arbiter.release(permit.record, { ending: 'done', reason: 'landed' }, signal)
    expect(words(await arbiter.request(eviction('db-1'), signal))).toBe('granted evict-db-1-1000002')
  })

  test('that only an old list missed is forgotten like any other', async () => {
    const { site, arbiter, permit } = await granted()
    const there = site.server.permits.get(key)
    if (there === undefined) throw new Error('the permit is missing')
    site.deleteByHand(key)
    site.putByHand(there)
    await arbiter.release(permit.record, { ending: 'done', reason: 'landed' }, signal)
    await arbiter.request(eviction('db-1'), signal)
    await site.server.clock.advance(49 * 3_600_000)
    await arbiter.settle(signal)
    expect(site.server.writes).toContain('delete evict-db-0-1000001')
  })

  test('edited: what was granted counts, and it is told', async () => {
    const { site, arbiter } = await granted()
    site.editByHand(key, permit => ({ ...permit, spec: { ...permit.spec, workload: 'shop/StatefulSet/other' } }))
    expect(site.events.map(({ reason, note }) => `${reason}: ${note}`)).toEqual([
      'PermitEdited: spec.workload was changed by hand: what was granted counts',
    ])
    expect(words(await arbiter.request(eviction('db-1'), signal))).toBe('defer lock')
  })

  test('its release taken back: what ended has ended', async () => {
    const { site, arbiter, permit } = await granted()
    await arbiter.release(permit.record, { ending: 'done', reason: 'landed' }, signal)
    site.editByHand(key, ({ status: _, ...bare }) => bare)
    expect(arbiter.unfinished('deschedule')).toEqual([])
    expect(site.events.map(event => event.reason)).toEqual(['PermitEdited'])
  })

  test('released by hand: its lock falls, whoever waits goes on, and nobody acts under it any more', async () => {
    const { site, arbiter, permit } = await granted()
    const waiting = arbiter.obtain(eviction('db-1'), signal)
    await site.server.clock.advance(1_000)
    const at = new Date(site.server.clock.now()).toISOString()
    site.editByHand(key, one => ({ ...one, status: { releasedAt: at, ending: 'failed' } }))
    expect(words(await waiting)).toBe('granted evict-db-1-1000002')
    const [target] = permit.record.targets
    if (target === undefined) throw new Error('no target')
    await expect(evict(site.effects(), permit, target, signal)).rejects.toThrow('was released at')
  })

  test('made unreadable: it is set aside, what was known counts, and nothing crashes', async () => {
    const { site, arbiter } = await granted()
    site.editByHand(key, permit => JSON.parse(JSON.stringify({ ...permit, spec: null })))
    expect(site.events.map(({ reason, note }) => `${reason}: ${note}`)).toEqual([
      'PermitUnreadable: spec is null, expected an object: it is set aside',
    ])
    expect(words(await arbiter.request(eviction('db-1'), signal))).toBe('defer lock')
  })

  test('written by hand: nobody is given it, and it is withdrawn', async () => {
    const { site, arbiter, permit } = await granted()
    const forged = site.server.permits.get(key)
    if (forged === undefined) throw new Error('the permit is missing')
    const spec = { ...forged.spec, idempotencyKey: 'forged', workload: 'shop/StatefulSet/other' }
    const name = 'forged'
    site.putByHand({ ...forged, metadata: { ...forged.metadata, name, uid: name }, spec })
    const same = rollout('deschedule', { idempotencyKey: 'forged', workload: otherWorkload })
    expect(words(await arbiter.request(same, signal))).toBe('granted restart-db-1000002')
    await arbiter.release(permit.record, { ending: 'done', reason: 'landed' }, signal)
    expect(site.server.permits.get('shop/forged')?.status).toMatchObject({ ending: 'withdrawn', reason: 'nobody was given it' })
  })
})

describe('a permit of a later leader', () => {
  const later = (site: Site) =>
    site.editByHand(key, permit => ({
      ...permit,
      metadata: { ...permit.metadata, annotations: { 'ballast.dev/leader-epoch': '7' } },
    }))

  test('makes us ask the Lease before the next grant: another has it, and nothing is granted', async () => {
    const { site, arbiter } = await granted()
    later(site)
    site.server.isOurs = false
    await expect(arbiter.request(eviction('db-1', { workload: otherWorkload }), signal)).rejects.toThrow('held by another')
    expect(site.events.map(event => event.reason)).toEqual(['PermitOfLaterLeader'])
  })

  test('that is none: our epoch goes above it, on the Lease too', async () => {
    const { site, arbiter } = await granted()
    later(site)
    const other = rollout('reload', { workload: otherWorkload })
    expect(words(await arbiter.request(other, signal))).toBe('granted restart-db-8000001')
    expect(site.server.leaseAnnotations).toEqual({ 'ballast.dev/leader-epoch': '8' })
  })
})

describe('epochs', () => {
  test.each([
    ['transitions of the Lease', 6, undefined, '7'],
    ['what is written on the Lease', 2, '40', '41'],
    ['what cannot have come about', 2, '99999999999999', '3'],
    ['nonsense on the Lease', 2, 'many', '3'],
  ])('go above %s', async (_name, transitions, written, expected) => {
    const site = new Site()
    site.server.leaseTransitions = transitions
    if (written !== undefined) site.server.leaseAnnotations = { 'ballast.dev/leader-epoch': written }
    await site.leader()
    expect(site.server.leaseAnnotations).toEqual({ 'ballast.dev/leader-epoch': expected })
  })

  test('go above tokens, where epochs were taken off permits', async () => {
    const { site } = await granted()
    site.editByHand(key, ({ metadata, ...rest }) => ({ ...rest, metadata: { ...metadata, annotations: {} } }))
    site.server.leaseAnnotations = {}
    await site.leader()
    expect(site.server.leaseAnnotations).toEqual({ 'ballast.dev/leader-epoch': '2' })
  })
})

describe('clocks that jump', () => {
  const hour = 3_600_000
  test.each([
    ['an hour ahead', hour],
    ['an hour behind', -hour],
  ])('a leader whose clock is %s neither ends a permit early nor keeps it for longer than its time', async (_name, skewMs) => {
    const { site } = await granted()
    site.pods = [pod('db-1')]
    site.skewMs = skewMs
    const arbiter = await site.leader()
    const [open] = arbiter.unfinished('deschedule')
    if (open === undefined) throw new Error('nothing is out')
    const permit = arbiter.adopt(open)
    const [target] = open.targets
    if (target === undefined) throw new Error('no target')
    await arbiter.settle(signal)
    expect(site.server.permits.get(key)?.status).toBeUndefined()
    expect((await evict(site.effects(), permit, target, signal)).kind).toBe('already-gone')
    await site.server.clock.advance(599_000)
    await arbiter.settle(signal)
    expect(site.server.permits.get(key)?.status).toBeUndefined()
    await site.server.clock.advance(10_000)
    await expect(evict(site.effects(), permit, target, signal)).rejects.toThrow('expired')
    await arbiter.settle(signal)
    expect(site.server.permits.get(key)?.status).toMatchObject({ ending: 'expired' })
  })
})

describe('a grant that nobody answered', () => {
  test('locks, and is given to nobody, until it can be read', async () => {
    const site = new Site()
    const arbiter = await site.leader()
    site.server.isSilent = true
    const asked = expect(arbiter.request(eviction('db-0'), signal)).rejects.toThrow('nobody knows whether')
    await site.server.clock.advance(20_000)
    await asked
    await expect(arbiter.request(eviction('db-0'), signal)).rejects.toThrow('nobody knows whether')
    expect(words(await arbiter.request(eviction('db-1'), signal))).toBe('defer lock')
    site.server.isSilent = false
    expect(words(await arbiter.request(eviction('db-1'), signal))).toBe('granted evict-db-1-1000002')
  })
})

describe('what was written by an older version', () => {
  test('reads with what it lacks left empty', () => {
    const old = {
      apiVersion: 'ballast.dev/v1alpha1',
      kind: 'DisruptionPermit',
      metadata: { name: 'old', namespace: 'shop' },
      spec: {
        requester: 'deschedule',
        class: 'balance',
        verb: 'evict',
        targets: [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'p' }],
        idempotencyKey: 'k',
        deadline: '2026-03-02T04:00:00Z',
        grant: { token: 3, at: '2026-03-02T04:00:00Z', expiresAt: '2026-03-02T04:10:00Z' },
      },
    }
    const permit = JSON.parse(JSON.stringify(old))
    expect(whyUnreadable(permit)).toBeUndefined()
    const record = recordOf(permit)
    expect(record).toMatchObject({ nodes: [], joined: [], siblings: [], reasons: [], purpose: 'move', epoch: 0 })
    expect(isActive(record)).toBe(true)
  })

  // biome-ignore format: a table
  test.each<[string, unknown, string]>([
    ['no spec',           undefined,                                                                         'spec is undefined, expected an object'],
    ['text for a spec',   'x',                                                                               'spec is "x", expected an object'],
    ['a huge token',      { grant: { token: 9e15, at: '', expiresAt: '' } },                                 'spec.grant.token is 9000000000000000, expected a whole number from 1 to 1000000000000000'],
    ['no time',           { grant: { token: 1, at: 'soon', expiresAt: '' } },                                'spec.grant.at is "soon", expected a time'],
    ['no requester',      { grant: { token: 1, at: '2026-03-02', expiresAt: '2026-03-02' } },                'spec.requester is undefined, expected text'],
    ['no list',           { grant: { token: 1, at: '2026-03-02', expiresAt: '2026-03-02' }, requester: 'a', idempotencyKey: 'k', targets: 'all' }, 'spec.targets is "all", expected a list'],
  ])('%s is named', (_name, spec, expected) => {
    expect(whyUnreadable(JSON.parse(JSON.stringify({ metadata: { name: 'x' }, spec })))).toBe(expected)
  })
})
