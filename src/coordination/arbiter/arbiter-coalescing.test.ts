import { describe, expect, test } from 'vitest'
import { eviction, rollout, Site, words } from '../testdata/arbiter-site.ts'
import type { Decision } from './hearing.ts'

const { signal } = new AbortController()
const move = eviction('db-0', { relocation: { from: 'n1', to: ['n2'] } })
const resize = rollout('rightsize', {
  verb: 'resize',
  purpose: 'resize',
  class: 'capacity',
  change: { resources: [{ container: 'main', requests: { cpu: '300m' } }] },
})
const reload = rollout('reload', { change: { annotations: { hash: 'b' } } })

/** The move comes from a plan, the others act in `coordinate` (7.2 case 27). */
function site(): Site {
  const made = new Site()
  made.policy = { ...made.policy, modes: { reload: 'coordinate', rightsize: 'coordinate' } }
  return made
}

describe('a move, another size and a rotated secret for one workload (7.2 case 27)', () => {
  test('the secret last: one rollout at once that carries all three, two go along', async () => {
    const here = site()
    const arbiter = await here.leader()
    // Something keeps the move waiting for a while.
    here.frozenUntilMs = here.server.clock.now() + 30_000
    expect(words(await arbiter.request(move, signal))).toBe('defer freeze')
    here.frozenUntilMs = undefined
    expect(words(await arbiter.request(resize, signal))).toBe('defer company')
    await here.server.clock.advance(10_000)
    expect(words(await arbiter.request(move, signal))).toBe('absorbed')
    const granted = await arbiter.request(reload, signal)
    expect(words(granted)).toBe('granted restart-db-1000001')
    expect(here.server.permits.get('shop/restart-db-1000001')?.spec.joined).toMatchObject([
      { requester: 'deschedule', idempotencyKey: 'plan/db-0', relocation: { from: 'n1', to: ['n2'] } },
      { requester: 'rightsize', idempotencyKey: 'rightsize/db', change: resize.change },
    ])
    expect(here.server.writes).toEqual(['lease', 'create restart-db-1000001'])
    expect(arbiter.pending()).toEqual([])
    for (const one of [move, resize]) expect(words(await arbiter.request(one, signal))).toBe('coalesced')
    if (granted.kind === 'granted') await arbiter.release(granted.permit.record, { ending: 'done', reason: 'rolled out' }, signal)
    for (const one of [move, resize]) expect(words(await arbiter.request(one, signal))).toBe('coalesced')
    expect(here.server.permits.size).toBe(1)
  })

  test('the secret first: the move joins the rollout that runs, by one patch, and steers its new pods', async () => {
    const here = site()
    const arbiter = await here.leader()
    await arbiter.request(reload, signal)
    await here.server.clock.advance(20_000)
    expect(words(await arbiter.request(move, signal))).toBe('coalesced')
    expect(words(await arbiter.request(move, signal))).toBe('coalesced')
    expect(here.server.writes).toEqual(['lease', 'create restart-db-1000001', 'join restart-db-1000001'])
    expect(here.server.permits.get('shop/restart-db-1000001')?.spec.joined).toMatchObject([{ requester: 'deschedule' }])
    // Killed before the rollout began: the next leader withdraws it, and the move goes by itself.
    expect(words(await (await here.leader()).request(move, signal))).toBe('granted evict-db-0-2000001')
  })

  test('the secret first, and the move after the rollout: it cools down', async () => {
    const here = site()
    const arbiter = await here.leader()
    const granted = await arbiter.request(reload, signal)
    if (granted.kind === 'granted') await arbiter.release(granted.permit.record, { ending: 'done', reason: 'rolled out' }, signal)
    await here.server.clock.advance(20_000)
    expect(words(await arbiter.request(move, signal))).toBe('deny cool-down')
  })

  test('a wish that went along with what failed is asked for anew', async () => {
    const here = site()
    const arbiter = await here.leader()
    const granted = await arbiter.request(reload, signal)
    await arbiter.request(move, signal)
    if (granted.kind === 'granted') await arbiter.release(granted.permit.record, { ending: 'failed', reason: 'refused' }, signal)
    expect(words(await arbiter.request(move, signal))).toBe('granted evict-db-0-1000002')
  })

  test('all asked for in one breath: the rollout is one, and each hears of it when it is written', async () => {
    const here = site()
    const arbiter = await here.leader()
    const replies = await Promise.all([reload, resize, move, reload].map(one => arbiter.request(one, signal)))
    expect(replies.map(words)).toEqual([
      'granted restart-db-1000001',
      'defer lock',
      'coalesced',
      'granted restart-db-1000001 again',
    ])
    expect(here.server.writes).toEqual(['lease', 'create restart-db-1000001'])
  })

  test('what could not be written carries nobody', async () => {
    const here = site()
    const arbiter = await here.leader()
    await arbiter.request(resize, signal)
    here.server.breaksOff = 'before'
    const asked = Promise.allSettled([reload, move].map(one => arbiter.request(one, signal)))
    await here.server.clock.advance(10_000)
    expect((await asked).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(here.server.permits.size).toBe(0)
    expect(arbiter.pending().map(({ intent }) => intent.requester)).toEqual(['rightsize'])
    expect(words(await arbiter.request(reload, signal))).toBe('granted restart-db-1000002')
  })
})

test('a workload at zero: nothing to do for either (7.2 case 28)', async () => {
  const here = site()
  here.replicas = 0
  here.pods = []
  const arbiter = await here.leader()
  const asked = [reload, resize].map(one => arbiter.request({ ...one, disrupts: [] }, signal))
  expect((await Promise.all(asked)).map(words)).toEqual(['no-op nothing-runs', 'no-op nothing-runs'])
  expect(here.server.writes).toEqual([])
})

describe('who waits', () => {
  test('keeps its place, is told to listeners, and is forgotten two minutes after it last asked', async () => {
    const here = site()
    const arbiter = await here.leader()
    const told: Decision[] = []
    const end = arbiter.onDecision(decision => told.push(decision))
    await arbiter.request(resize, signal)
    await here.server.clock.advance(20_000)
    await arbiter.request(resize, signal)
    end()
    expect(told.map(({ verdict, mode, waitedMs }) => [verdict.kind, mode, waitedMs])).toEqual([
      ['defer', 'coordinate', 0],
      ['defer', 'coordinate', 20_000],
    ])
    await here.server.clock.advance(119_000)
    expect(arbiter.pending()).toHaveLength(1)
    await here.server.clock.advance(1_000)
    expect(arbiter.pending()).toEqual([])
    expect(told).toHaveLength(2)
  })

  test('gets it as soon as what is in its way is given back', async () => {
    const here = site()
    const arbiter = await here.leader()
    const first = await arbiter.request(eviction('db-0'), signal)
    const waiting = arbiter.obtain(eviction('db-1'), signal)
    await here.server.clock.advance(5_000)
    expect(arbiter.pending()).toMatchObject([{ waitsFor: 'lock' }])
    if (first.kind === 'granted') await arbiter.release(first.permit.record, { ending: 'done', reason: 'landed' }, signal)
    expect(words(await waiting)).toBe('granted evict-db-1-1000002')
  })

  test('stops waiting when it is told to', async () => {
    const here = site()
    const arbiter = await here.leader()
    await arbiter.request(eviction('db-0'), signal)
    const stop = new AbortController()
    const waiting = arbiter.obtain(eviction('db-1'), stop.signal)
    await here.server.clock.advance(5_000)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })
})
