import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { seededRandom } from '#kube/random.ts'
import type { FaultSpec } from './fault-spec.ts'
import { Faults } from './faults.ts'
import { drawnMs } from './spread.ts'

const facts = {
  verb: 'get',
  group: '',
  resource: 'pods',
  subresource: undefined,
  namespace: 'default',
  name: 'web',
  user: 'ballast-admin',
  userAgent: 'kubectl/v1.36',
}

function engine(seed = 1) {
  const compacted: number[] = []
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  return { clock, compacted, faults: new Faults({ clock, seed, compact: keep => compacted.push(keep) }) }
}

describe('several faults at once', () => {
  test('waits add up, and the first answer wins', () => {
    const { faults } = engine()
    faults.add({ latency: { p50: '20ms' } })
    const first = faults.add({ status: { code: 503 } })
    const second = faults.add({ reset: { when: 'before' } })
    faults.add({ latency: { p50: '5ms' } })
    expect(faults.meet(facts)).toMatchObject({ latencyMs: 25, end: { kind: 'status', code: 503 } })
    expect([first.fired, second.fired]).toEqual([1, 0])
    first.remove()
    expect(faults.meet(facts).end).toMatchObject({ kind: 'reset', when: 'before' })
    expect([first.fired, second.fired]).toEqual([1, 1])
  })

  test('a watch is disturbed, other requests are not', () => {
    const { faults } = engine()
    const fault = faults.add({ watch: { drop: { afterEvents: 2 } } })
    expect(faults.meet(facts).disturbances).toEqual([])
    expect(faults.meet({ ...facts, verb: 'watch' }).disturbances).toMatchObject([{ what: { kind: 'drop', afterEvents: 2 } }])
    expect(fault.fired).toBe(1)
  })

  test('history is forgotten at once without a match, else with each request', () => {
    const { faults, compacted } = engine()
    const once = faults.add({ compact: { keepRevisions: 7 } })
    expect(compacted).toEqual([7])
    faults.meet(facts)
    expect([compacted, once.fired]).toEqual([[7], 1])
    faults.add({ match: { verbs: ['get'] }, compact: { keepRevisions: 0 } })
    faults.meet(facts)
    faults.meet({ ...facts, verb: 'list' })
    expect(compacted).toEqual([7, 0])
  })
})

/** Which of so many requests a fault hits. */
function hits(seed: number, spec: FaultSpec, requests: number): readonly boolean[] {
  const { faults } = engine(seed)
  faults.add(spec)
  return Array.from({ length: requests }, () => faults.meet(facts).end !== undefined)
}

describe('chance', () => {
  test('the same seed hits the same requests, another one others', () => {
    const spec: FaultSpec = { probability: 0.5, status: { code: 500 } }
    expect(hits(7, spec, 200)).toEqual(hits(7, spec, 200))
    expect(hits(8, spec, 200)).not.toEqual(hits(7, spec, 200))
  })

  test('a fault never fires more often than it may, nor before it may', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (seed, skipFirst, count, probability) => {
          const hit = hits(seed, { skipFirst, count, probability, status: { code: 500 } }, 60)
          expect(hit.filter(Boolean).length).toBeLessThanOrEqual(count)
          expect(hit.slice(0, skipFirst)).not.toContain(true)
          if (probability === 1) expect(hit.filter(Boolean).length).toBe(Math.min(count, 60 - skipFirst))
        },
      ),
    )
  })

  test('a fault of its own does not move the chances of another', () => {
    const { faults } = engine()
    const other = engine().faults
    const spec: FaultSpec = { probability: 0.5, latency: { p50: '1ms' } }
    faults.add(spec)
    other.add(spec)
    other.add({ probability: 0.5, status: { code: 500 } })
    for (let request = 0; request < 50; request++) expect(faults.meet(facts).latencyMs).toBe(other.meet(facts).latencyMs)
  })
})

test.each([
  [20, 20],
  [20, 200],
  [1, 5000],
])('half of the waits lie below %d ms, one in a hundred above %d ms', (p50Ms, p99Ms) => {
  const random = seededRandom(3)
  const waits = Array.from({ length: 20_000 }, () => drawnMs({ p50Ms, p99Ms }, random)).toSorted((a, b) => a - b)
  expect(waits[10_000]).toBeGreaterThan(p50Ms * 0.9)
  expect(waits[10_000]).toBeLessThan(p50Ms * 1.1)
  expect(waits[19_800]).toBeGreaterThan(p99Ms * 0.8)
  expect(waits[19_800]).toBeLessThan(p99Ms * 1.25)
})
