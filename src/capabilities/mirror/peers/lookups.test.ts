import { describe, expect, it } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { Peer } from '../contract.ts'
import { Lookups, type Search } from './lookups.ts'

const peer = (id: string): Peer => ({ id, hosts: ['10.0.0.1'], agent: undefined, zone: undefined, isOurs: false })
const never = new AbortController().signal

/** Look-ups whose searches yield what `has` says at that time. */
function lookups(has: () => readonly string[]) {
  const clock = new VirtualClock(0)
  const searched: string[] = []
  const search: Search = async (key, found, isEnough) => {
    searched.push(key)
    for (const id of has()) {
      await Promise.resolve()
      if (!isEnough()) found(peer(id))
    }
  }
  const faults: unknown[] = []
  const all = new Lookups(clock, search, (_key, error) => faults.push(error))
  const ask = async (count: number, signal = never) => {
    const ids: string[] = []
    for await (const { id } of all.lookup('k', { count, signal })) ids.push(id)
    return ids
  }
  return { clock, searched, all, ask, faults }
}

describe('look-ups of one key', () => {
  it('at a time are one', async () => {
    const { ask, searched } = lookups(() => ['a', 'b'])
    expect(await Promise.all([ask(2), ask(2), ask(1)])).toEqual([['a', 'b'], ['a', 'b'], ['a']])
    expect(searched).toHaveLength(1)
  })

  it('are kept for 5 s where they found enough', async () => {
    const { ask, searched, clock } = lookups(() => ['a'])
    await ask(1)
    await clock.advance(4_900)
    expect([await ask(1), searched.length]).toEqual([['a'], 1])
    await clock.advance(200)
    expect([await ask(1), searched.length]).toEqual([['a'], 2])
  })

  it('are asked again after 2.5 s where they found too few, and not before', async () => {
    const known = ['a']
    const { ask, searched, clock } = lookups(() => known)
    await ask(3)
    known.push('b')
    await clock.advance(2_400)
    expect([await ask(3), searched.length]).toEqual([['a'], 1])
    await clock.advance(200)
    expect([await ask(3), searched.length]).toEqual([['a', 'b'], 2])
  })

  it('do not give a peer that was dropped while they are kept', async () => {
    const { ask, all, clock } = lookups(() => ['a', 'b'])
    await ask(2)
    all.drop('k', 'a')
    expect(await ask(2)).toEqual(['b'])
    await clock.advance(2_600)
    expect(await ask(2)).toEqual(['b'])
    await clock.advance(5_000)
    expect(await ask(2)).toEqual(['a', 'b'])
  })

  it('end without an error when they are given up, and are asked anew then', async () => {
    const clock = new VirtualClock(0)
    let searches = 0
    const search: Search = (_key, _found, _isEnough, signal) => {
      searches++
      const { promise, resolve } = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => resolve(), { once: true })
      return promise
    }
    const all = new Lookups(clock, search, () => undefined)
    const stop = new AbortController()
    const first = all.lookup('k', { count: 1, signal: stop.signal })[Symbol.asyncIterator]().next()
    stop.abort()
    expect(await first).toEqual({ done: true, value: undefined })
    await clock.quiet()
    const again = new AbortController()
    const second = all.lookup('k', { count: 1, signal: again.signal })[Symbol.asyncIterator]().next()
    again.abort()
    await second
    expect(searches).toBe(2)
  })

  it('tell of a search that failed, and end', async () => {
    const faults: unknown[] = []
    const search: Search = () => Promise.reject(new Error('broken'))
    const all = new Lookups(new VirtualClock(0), search, (_key, error) => faults.push(error))
    for await (const { id } of all.lookup('k', { count: 1, signal: never })) expect.fail(id)
    expect(faults).toHaveLength(1)
  })
})
