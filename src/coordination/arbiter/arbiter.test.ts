import { describe, expect, test } from 'vitest'
import { eviction, otherWorkload, pod, Site, words } from '../testdata/arbiter-site.ts'

const { signal } = new AbortController()

describe('a grant', () => {
  test('is in the API server before it is handed out, and the lease is renewed before that', async () => {
    const site = new Site()
    const arbiter = await site.leader()
    expect(words(await arbiter.request(eviction('db-0'), signal))).toBe('granted evict-db-0-1000001')
    expect(site.server.writes).toEqual(['lease', 'create evict-db-0-1000001'])
    expect(site.server.permits.get('shop/evict-db-0-1000001')).toMatchObject({
      metadata: { annotations: { 'ballast.dev/leader-epoch': '1' } },
      spec: {
        workload: 'shop/StatefulSet/db',
        batch: 'plan',
        siblings: ['uid-db-0', 'uid-db-1'],
        grant: { token: 1_000_001, at: '2026-03-02T04:00:00.000Z', expiresAt: '2026-03-02T04:10:00.000Z' },
      },
    })
  })

  test('is never written by a leader that was deposed', async () => {
    const site = new Site()
    const arbiter = await site.leader()
    site.server.isOurs = false
    await expect(arbiter.request(eviction('db-0'), signal)).rejects.toThrow('the lease is held by another')
    expect(site.server.writes).toEqual([])
  })

  test('asked for twice is the same, and written once', async () => {
    const site = new Site()
    const arbiter = await site.leader()
    await arbiter.request(eviction('db-0'), signal)
    expect(words(await arbiter.request(eviction('db-0'), signal))).toBe('granted evict-db-0-1000001 again')
    expect(site.server.permits.size).toBe(1)
  })

  test('whose answer is lost is read back, and given once', async () => {
    const site = new Site()
    const arbiter = await site.leader()
    site.server.breaksOff = 'after'
    const asked = arbiter.request(eviction('db-0'), signal)
    await site.server.clock.advance(1)
    expect(words(await asked)).toBe('granted evict-db-0-1000001')
    expect(site.server.permits.size).toBe(1)
  })

  test('that never arrived is not given', async () => {
    const site = new Site()
    const arbiter = await site.leader()
    site.server.breaksOff = 'before'
    const asked = arbiter.request(eviction('db-0'), signal)
    const refused = expect(asked).rejects.toThrow('connection reset')
    await site.server.clock.advance(10_000)
    await refused
    expect(site.server.permits.size).toBe(0)
    expect(words(await arbiter.request(eviction('db-0'), signal))).toBe('granted evict-db-0-1000002')
  })

  test('locks its workload until it is released', async () => {
    const site = new Site()
    const arbiter = await site.leader()
    const first = await arbiter.request(eviction('db-0'), signal)
    expect(words(await arbiter.request(eviction('db-1'), signal))).toBe('defer lock')
    if (first.kind === 'granted') await arbiter.release(first.permit.record, { ending: 'done', reason: 'landed on n2' }, signal)
    expect(words(await arbiter.request(eviction('db-1'), signal))).toBe('granted evict-db-1-1000002')
  })

  test('asked for by many at once goes to one of them', async () => {
    const site = new Site()
    const arbiter = await site.leader()
    const asked = Array.from({ length: 20 }, (_, at) => arbiter.request(eviction('db-0', { idempotencyKey: `k${at}` }), signal))
    const replies = (await Promise.all(asked)).map(words)
    expect(replies.filter(reply => reply.startsWith('granted'))).toEqual(['granted evict-db-0-1000001'])
    expect(replies.filter(reply => reply === 'defer lock')).toHaveLength(19)
  })
})

describe('a new leader', () => {
  test('begins an epoch above every one before, also when the Lease was deleted', async () => {
    const site = new Site()
    site.server.leaseTransitions = 6
    const before = await site.leader()
    await before.request(eviction('db-0'), signal)
    site.server.leaseTransitions = 0
    site.pods = [pod('db-1')]
    const after = await site.leader()
    expect(
      words(
        await after.request(
          eviction('db-1', {
            idempotencyKey: 'other',

            class: 'correctness',
            workload: otherWorkload,
            requireBudget: false,
          }),
          signal,
        ),
      ),
    ).toBe('granted evict-db-1-8000001')
    expect(site.server.permits.get('shop/evict-db-1-8000001')?.metadata.annotations).toEqual({ 'ballast.dev/leader-epoch': '8' })
  })

  test('withdraws a grant that nobody acted on, and may give it anew', async () => {
    const site = new Site()
    await (await site.leader()).request(eviction('db-0'), signal)
    const arbiter = await site.leader()
    expect(site.server.permits.get('shop/evict-db-0-1000001')?.status).toMatchObject({ ending: 'withdrawn' })
    expect(words(await arbiter.request(eviction('db-0'), signal))).toBe('granted evict-db-0-2000001')
  })

  test('killed after the eviction: finds the pod gone and grants nothing more to its workload before the replacement stands (7.2 case 30)', async () => {
    const site = new Site()
    await (await site.leader()).request(eviction('db-0'), signal)
    site.pods = [pod('db-1')]
    const arbiter = await site.leader()
    const [open] = arbiter.unfinished('deschedule')
    expect(open?.name).toBe('evict-db-0-1000001')
    expect(words(await arbiter.request(eviction('db-1'), signal))).toBe('defer lock')
    site.pods = [pod('db-0', 'uid-new'), pod('db-1')]
    expect(words(await arbiter.request(eviction('db-0'), signal))).toBe('granted evict-db-0-1000001 again')
    if (open !== undefined) await arbiter.release(open, { ending: 'done', reason: 'replaced' }, signal)
    expect(words(await arbiter.request(eviction('db-1'), signal))).toMatch(/^granted evict-db-1-/)
  })

  test('leaves permits of a later leader alone', async () => {
    const site = new Site()
    const stale = await site.leader()
    const fresh = await site.leader()
    await fresh.request(eviction('db-0'), signal)
    await fresh.request(eviction('db-0'), signal)
    const [record] = fresh.records()
    if (record === undefined) throw new Error('the permit is missing')
    expect(() => stale.adopt({ ...record, epoch: record.epoch + 1 })).toThrow('written by a later leader')
  })
})

test('a permit that nobody finished ends with its time, and is forgotten after two days, but for the last', async () => {
  const site = new Site()
  const arbiter = await site.leader()
  await arbiter.request(eviction('db-0'), signal)
  await site.server.clock.advance(599_000)
  await arbiter.settle(signal)
  expect(site.server.writes).not.toContain('release evict-db-0-1000001')
  await site.server.clock.advance(10_000)
  await arbiter.settle(signal)
  expect(site.server.permits.get('shop/evict-db-0-1000001')?.status).toMatchObject({ ending: 'expired' })
  const later = eviction('db-1', { requireBudget: false, batch: 'plan', deadlineMs: site.server.clock.now() + 900_000 })
  await arbiter.request(later, signal)
  await site.server.clock.advance(49 * 3_600_000)
  await arbiter.settle(signal)
  await site.server.clock.advance(49 * 3_600_000)
  await arbiter.settle(signal)
  // The one with the highest token stays.
  expect([...site.server.permits.keys()]).toEqual(['shop/evict-db-1-1000002'])
})

test('a denial is an event on the workload, once for the same reason', async () => {
  const site = new Site()
  const arbiter = await site.leader()
  const unproven = eviction('db-0', { proof: { snapshotHash: 'x', nodes: [] } })
  await arbiter.request(unproven, signal)
  await arbiter.request(unproven, signal)
  expect(site.events.map(event => event.reason)).toEqual(['DisruptionDenied'])
  expect(site.events[0]?.note).toContain('plan again from the present state [NoFitProof]')
})
