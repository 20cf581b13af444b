import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Observation } from './observation.ts'
import { ObservationBook } from './observation-book.ts'

const hourMs = 3_600_000
const startMs = 1_000 * hourMs

function lost(workload: string, seconds: number): Observation {
  const namespace = workload.split('/')[0]
  const atMs = startMs + seconds * 1000
  return { kind: 'pod-lost', workload, namespace, nodes: ['n1'], atMs, by: 'somebody', evidence: 'seen' }
}

const drain = { node: 'n1', by: 'kubectl drain', evidence: 'spec.unschedulable', isCertain: false }

/** `kind workload seconds`, a line each. */
function lines(observations: readonly Observation[]): readonly string[] {
  return observations.map(({ kind, workload = '-', atMs }) => `${kind} ${workload} ${(atMs - startMs) / 1000}`)
}

const all = (book: ObservationBook) => lines(book.since(0))

test('law: what is asked by time and by workload is what was put, oldest first', () => {
  const puts = fc.array(fc.record({ seconds: fc.nat(50), workload: fc.constantFrom('a/D/x', 'a/D/y', 'b/D/z'), id: fc.nat(20) }))
  fc.assert(
    fc.property(puts, fc.nat(50), (given, since) => {
      const book = new ObservationBook()
      const kept = new Map<number, Observation>()
      for (const { seconds, workload, id } of given) {
        const observation = lost(workload, seconds)
        book.put(String(id), observation)
        kept.delete(id)
        kept.set(id, observation)
      }
      const expected = [...kept.values()].toSorted((a, b) => a.atMs - b.atMs)
      expect(book.since(startMs + since * 1000)).toEqual(expected.filter(({ atMs }) => atMs >= startMs + since * 1000))
      expect(book.ofWorkload('a/D/x')).toEqual(expected.filter(({ workload }) => workload === 'a/D/x'))
    }),
  )
})

describe('the pods of a drain', () => {
  test('one alone is a pod lost, two are a drain; each workload sees its own', () => {
    const book = new ObservationBook()
    book.putDrained('1', lost('shop/D/cart', 0), drain)
    expect(all(book)).toEqual(['pod-lost shop/D/cart 0'])
    book.putDrained('2', lost('shop/D/web', 20), drain)
    book.putDrained('3', lost('shop/D/cart', 40), drain)
    expect(all(book)).toEqual(['drain - 40'])
    expect(lines(book.ofWorkload('shop/D/web'))).toEqual(['drain shop/D/web 20'])
    expect(lines(book.ofWorkload('shop/D/cart'))).toEqual(['drain shop/D/cart 40'])
    expect(book.ofWorkload('shop/D/cart')[0]).toMatchObject({ by: 'kubectl drain', nodes: ['n1'], namespace: 'shop' })
    expect(book.since(0)[0]?.evidence).toBe('node n1 has spec.unschedulable, and 3 pods went from it')
  })

  test('an autoscaler that marks its node means the first already', () => {
    const book = new ObservationBook()
    book.putDrained('1', lost('shop/D/cart', 0), { ...drain, isCertain: true })
    expect(all(book)).toEqual(['drain - 0'])
  })

  // biome-ignore format: a table
  test.each<[string, (book: ObservationBook) => void, number]>([
    ['the node took pods again', book => book.endDrain('n1'), 60],
    ['an hour passed',           () => undefined,             2 * 3600],
  ])('%s: what follows is another', (_name, between, seconds) => {
    const book = new ObservationBook()
    book.putDrained('1', lost('shop/D/cart', 0), drain)
    book.putDrained('2', lost('shop/D/web', 1), drain)
    between(book)
    book.putDrained('3', lost('shop/D/cart', seconds), drain)
    expect(all(book)).toEqual(['drain - 1', `pod-lost shop/D/cart ${seconds}`])
  })

  test('are known by their ids, though they are one line', () => {
    const book = new ObservationBook()
    book.putDrained('1', lost('shop/D/cart', 0), drain)
    book.putDrained('2', lost('shop/D/web', 1), drain)
    expect([book.has('1'), book.has('2'), book.has('3')]).toEqual([true, true, false])
  })
})

describe('bounds', () => {
  test('after a day an observation is gone, from both indexes', () => {
    const book = new ObservationBook()
    book.put('old', lost('shop/D/cart', 0))
    book.put('young', lost('shop/D/cart', 3600))
    book.forget(startMs + 24 * hourMs)
    expect(all(book)).toHaveLength(2)
    book.forget(startMs + 24 * hourMs + 1)
    expect(lines(book.ofWorkload('shop/D/cart'))).toEqual(['pod-lost shop/D/cart 3600'])
    expect(book.size).toBe(1)
  })

  test('of more than 20,000 the oldest go', () => {
    const book = new ObservationBook()
    for (let index = 0; index < 20_010; index++) book.put(String(index), lost(`shop/D/w${index}`, index))
    book.forget(startMs)
    expect(book.size).toBe(20_000)
    expect(book.ofWorkload('shop/D/w9')).toEqual([])
    expect(book.ofWorkload('shop/D/w10')).toHaveLength(1)
  })
})

test('a workload is woken by its first replicas and put to sleep by its last', () => {
  const book = new ObservationBook()
  const scale = (from: number, to: number, atMs: number) => {
    book.scale('shop/D/cart', { from, to, atMs })
    return book.wokenMs('shop/D/cart')
  }
  expect([scale(1, 2, 1), scale(2, 0, 2), scale(0, 1, 3), scale(1, 4, 4), scale(4, 0, 5)]).toEqual([
    undefined,
    undefined,
    3,
    3,
    undefined,
  ])
})
