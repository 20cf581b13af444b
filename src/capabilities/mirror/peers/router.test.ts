import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import type { Router } from '../contract.ts'
import { found, Meeting, routerOnLoopback, until } from './testdata/router-for-tests.ts'

const resources = new AsyncDisposableStack()
const meeting = new Meeting()
let one: Router
let two: Router
let three: Router

beforeAll(async () => {
  one = resources.use(await routerOnLoopback(meeting, { zone: 'a' }))
  two = resources.use(await routerOnLoopback(meeting, { zone: 'b' }))
  three = resources.use(await routerOnLoopback(meeting))
  await until('all know each other', () => [one, two, three].every(router => router.state().peers === 2))
})
afterAll(() => resources.disposeAsync())

describe('three routers', () => {
  it('are ready and online', () => {
    expect(one.state()).toEqual({
      id: one.id,
      isReady: true,
      isOnline: true,
      isAlone: false,
      peers: 2,
      announced: 0,
      reason: undefined,
    })
  })

  it('find who announced, with address, agent and zone, each once and never themselves', async () => {
    await one.announce(['sha256:one'])
    await two.announce(['sha256:one'])
    const peers = await found(three, 'sha256:one', 10)
    expect(peers.toSorted((left, right) => (left.zone ?? '').localeCompare(right.zone ?? ''))).toEqual([
      { id: one.id, hosts: ['127.0.0.1'], agent: 'ballast/0.1.0 (zone=a)', zone: 'a', isOurs: true },
      { id: two.id, hosts: ['127.0.0.1'], agent: 'ballast/0.1.0 (zone=b)', zone: 'b', isOurs: true },
    ])
    expect((await found(one, 'sha256:one', 10)).map(({ id }) => id)).toEqual([two.id])
    expect(await found(three, 'sha256:nothing')).toEqual([])
  })

  it('end a look-up at its count, and at its signal without an error', async () => {
    await one.announce(['sha256:count'])
    await two.announce(['sha256:count'])
    expect(await found(three, 'sha256:count', 1)).toHaveLength(1)
    for await (const peer of three.lookup('sha256:count', { count: 3, signal: AbortSignal.abort() })) expect.fail(peer.id)
  })

  it('do not give a peer again that was dropped', async () => {
    await one.announce(['sha256:dropped'])
    expect(await found(three, 'sha256:dropped')).toHaveLength(1)
    three.drop('sha256:dropped', one.id)
    expect(await found(three, 'sha256:dropped')).toEqual([])
  })

  it('withdraw: ours forget it at once', async () => {
    await one.announce(['sha256:withdrawn'])
    expect(one.state().announced).toBeGreaterThan(0)
    one.withdraw(['sha256:withdrawn'])
    await until('nobody has it', async () => {
      three.drop('sha256:withdrawn', 'nobody')
      return (await found(three, 'sha256:withdrawn')).length === 0
    })
  })

  it('announce for a short time only', async () => {
    let aheadMs = 0
    const clock = { ...systemClock, elapsed: () => systemClock.elapsed() + aheadMs }
    const here = new Meeting()
    await using first = await routerOnLoopback(here, { clock })
    await using second = await routerOnLoopback(here, { clock })
    await using third = await routerOnLoopback(here, { clock })
    await until('all know each other', () => [first, second, third].every(router => router.state().peers === 2))
    await first.announce(['inflight:sha256:short'], { validMs: 600_000 })
    expect(await found(second, 'inflight:sha256:short')).toHaveLength(1)
    aheadMs = 601_000
    // Asked by one who did not ask before: what is kept of a look-up plays no part.
    await until('it ran out', async () => (await found(third, 'inflight:sha256:short')).length === 0)
  })

  it('tell who comes later what was announced before', async () => {
    await one.announce(['sha256:before'])
    // It meets only one that does not have it, by its address alone; what was announced comes to it by itself.
    await using late = await routerOnLoopback(meeting.only(two))
    await until('the late one knows all', () => late.state().peers === 3)
    expect((await found(late, 'sha256:before')).map(({ id }) => id)).toEqual([one.id])
  })

  it('lose a router that ends, at once', async () => {
    // No time passes for them: nobody asks later on whether it is still there.
    const clock = new VirtualClock(0)
    const here = new Meeting()
    await using first = await routerOnLoopback(here, { clock })
    await using second = await routerOnLoopback(here, { clock })
    const late = await routerOnLoopback(here, { clock })
    await until('it is there', () => [first, second, late].every(router => router.state().peers === 2))
    await late[Symbol.asyncDispose]()
    await until('it is gone', () => first.state().peers === 1 && second.state().peers === 1)
  })

  it('elect by distance, all the same', () => {
    const ids = [one.id, two.id, three.id]
    const nearest = (router: Router) =>
      ids.toSorted((left, right) => (router.distance('k', left) < router.distance('k', right) ? -1 : 1))
    expect(nearest(one)).toEqual(nearest(three))
  })
})

describe('a router that is alone', () => {
  it('case 30: is ready within 1 s, and a miss is told at once', async () => {
    // Both without waiting for anything: no time passes.
    const clock = new VirtualClock(0)
    await using alone = await routerOnLoopback(new Meeting(), { clock })
    await until('it is ready', () => alone.state().isReady)
    expect(alone.state()).toMatchObject({ isReady: true, isOnline: false, isAlone: true, peers: 0 })
    expect(await found(alone, 'sha256:miss')).toEqual([])
  })

  it('is not ready where that is not wanted, and says why', async () => {
    await using alone = await routerOnLoopback(new Meeting(), { readyWhenAlone: false })
    await until('it knows that it is alone', () => alone.state().isAlone)
    expect(alone.state()).toMatchObject({ isReady: false, reason: 'no other node is there, and readyWhenAlone is off' })
  })

  it('is not alone while its bootstrap fails: it says what failed', async () => {
    const broken = { find: () => Promise.reject(new Error('the names service is away')) }
    await using router = await routerOnLoopback(broken)
    await until('it tried', () => router.state().reason === 'no peers: the names service is away')
    expect(router.state()).toMatchObject({ isReady: false, isAlone: false })
  })

  it('joins when somebody comes, and again when the other is back after it was away', async () => {
    const here = new Meeting()
    await using first = await routerOnLoopback(here)
    await until('it is alone', () => first.state().isAlone)
    const second = await routerOnLoopback(here)
    await until('both know each other', () => first.state().peers === 1 && second.state().peers === 1)
    await second[Symbol.asyncDispose]()
    await until('the first is alone again', () => first.state().peers === 0 && first.state().isAlone)
    await using third = await routerOnLoopback(here)
    await until('there are two again', () => first.state().isOnline && third.state().isOnline)
  })
})

it('an address that is none is told with where it stands', async () => {
  await expect(routerOnLoopback(new Meeting(), { address: 'node:5001' })).rejects.toThrow(/router-addr: found "node:5001"/)
  await expect(routerOnLoopback(new Meeting(), { networks: ['10.0.0.0'] })).rejects.toThrow(/networks\[0\]/)
})
