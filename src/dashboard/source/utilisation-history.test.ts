// What is remembered of how full nodes were: each step says what was noted last within it, holes are told from silence, and it is bounded.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mostNodes, type ShareName, type Shares, UtilisationHistory, utilisationSpans } from './utilisation-history.ts'

const { stepMs, steps } = utilisationSpans.hour
const startMs = Date.parse('2025-12-19T13:00:00Z')
const at = (step: number, ms = 0) => startMs + step * stepMs + ms
const cpu = (cpuRequested: number | null): Shares => ({ cpuRequested, cpuUsed: null, memoryRequested: null, memoryUsed: null })

function noted(heldSteps: number, notes: readonly (readonly [ms: number, share: number | null])[]): UtilisationHistory {
  const history = new UtilisationHistory(heldSteps)
  for (const [ms, share] of notes) history.note('n1', ms, cpu(share))
  return history
}

/** The last steps up to `untilMs`. */
const last = (history: UtilisationHistory, count: number, untilMs: number) =>
  history.series('n1', 'hour', untilMs).cpuRequested.slice(-count)

describe('a step', () => {
  // biome-ignore format: a table
  test.each<[string, number, readonly (readonly [number, number | null])[], number, readonly (number | null)[]]>([
    ['says what was noted last within it',                2,        [[at(0), 100], [at(0, 20_000), 200]],               at(0, 29_999), [200]],
    ['before the first note is not known',                2,        [[at(1), 100]],                                     at(1),         [null, 100]],
    ['without a note repeats the one before',             2,        [[at(0), 100], [at(3), 200]],                       at(3),         [100, 100, 100, 200]],
    ['in a longer silence is not known',                  2,        [[at(0), 100], [at(4), 200]],                       at(4),         [100, null, null, null, 200]],
    ['in a silence in which nothing changed is as it was', Infinity, [[at(0), 100], [at(4), 200]],                       at(4),         [100, 100, 100, 100, 200]],
    ['that has just begun is as the one before',          2,        [[at(0), 100]],                                     at(2),         [100, 100, 100]],
    ['long after the last note is not known',             2,        [[at(0), 100]],                                     at(3),         [100, 100, 100, null]],
    ['of which nothing is known says so',                 2,        [[at(0), 100], [at(1), null], [at(2), 50]],         at(2),         [100, null, 50]],
    ['of a clock that went back keeps the later word',    2,        [[at(3), 100], [at(1), 900]],                       at(3),         [null, null, null, 100]],
    ['of a share beyond what can be kept is cut',         2,        [[at(0), 9e9]],                                     at(0),         [65_534]],
    ['of a share that is none is not known',              2,        [[at(0), Number.NaN], [at(1), -1]],                 at(1),         [null, null]],
  ])('%s', (_, held, notes, untilMs, wanted) => expect(last(noted(held, notes), wanted.length, untilMs)).toEqual(wanted))
})

test('a series has as many steps as its span, of nodes that nobody saw, too', () => {
  const history = noted(2, [[at(0), 1]])
  for (const node of ['n1', 'nobody'])
    for (const [span, shape] of Object.entries(utilisationSpans)) {
      const series = history.series(node, span === 'hour' ? 'hour' : 'days', at(5))
      expect([series.cpuRequested.length, series.memoryUsed.length, series.stepMs]).toEqual([
        shape.steps,
        shape.steps,
        shape.stepMs,
      ])
    }
})

test('an earlier moment is shown as it was then', () => {
  const history = noted(2, [
    [at(0), 10],
    [at(1), 20],
    [at(2), 30],
  ])
  expect(last(history, 2, at(1))).toEqual([10, 20])
})

test('the coarser span says how it stood at the end of each of its steps', () => {
  const { stepMs: coarseMs } = utilisationSpans.days
  const history = noted(
    2,
    Array.from({ length: 60 }, (_, step) => [at(step), step] as const),
  )
  expect(history.series('n1', 'days', at(59)).cpuRequested.slice(-3)).toEqual([
    coarseMs / stepMs - 1,
    (2 * coarseMs) / stepMs - 1,
    59,
  ])
})

describe('bounds', () => {
  test('nodes beyond the limit are not remembered while all others are there, and are once others are gone', () => {
    const history = new UtilisationHistory(2)
    for (let node = 0; node < mostNodes; node++) history.note(`n${node}`, at(0), cpu(1))
    history.note('late', at(1), cpu(1))
    expect([history.nodes, history.series('late', 'hour', at(1)).cpuRequested.at(-1)]).toEqual([mostNodes, null])
    for (let node = 1; node < mostNodes; node++) history.note(`n${node}`, at(steps + 1), cpu(2))
    history.note('late', at(steps + 1), cpu(3))
    expect([history.nodes, history.series('late', 'hour', at(steps + 1)).cpuRequested.at(-1)]).toEqual([mostNodes, 3])
    expect(history.series('n0', 'days', at(steps + 1)).cpuRequested.every(share => share === null)).toBe(true)
  })

  test('what is gone for longer than is kept is forgotten', () => {
    const history = noted(2, [[at(0), 1]])
    history.note('n2', at(10), cpu(1))
    history.prune(at(5))
    expect(history.nodes).toBe(1)
  })
})

test('whatever is noted in whatever order, a series is the word of the last note of each step that came in order', () => {
  const names: readonly ShareName[] = ['cpuRequested', 'cpuUsed', 'memoryRequested', 'memoryUsed']
  const share = fc.option(fc.integer({ min: 0, max: 2_000 }), { nil: null })
  const shares = fc.record({ cpuRequested: share, cpuUsed: share, memoryRequested: share, memoryUsed: share })
  const note = fc.record({ gapMs: fc.integer({ min: -60_000, max: 2_000_000 }), shares })
  fc.assert(
    fc.property(fc.array(note, { maxLength: 60 }), fc.integer({ min: 0, max: 5 }), (notes, held) => {
      const history = new UtilisationHistory(held)
      const taken: { readonly step: number; readonly shares: Shares }[] = []
      let nowMs = startMs
      let lastMs = Number.NEGATIVE_INFINITY
      for (const { gapMs, shares: given } of notes) {
        nowMs += gapMs
        history.note('n1', nowMs, given)
        if (nowMs >= lastMs) {
          lastMs = nowMs
          taken.push({ step: Math.floor(nowMs / stepMs), shares: given })
        }
      }
      const untilMs = Math.max(nowMs, lastMs, startMs)
      const series = history.series('n1', 'hour', untilMs)
      const first = series.fromMs / stepMs
      for (const name of names)
        for (const [index, value] of series[name].entries()) {
          const step = first + index
          const before = taken.findLast(one => one.step <= step)
          const after = taken.find(one => one.step > step)
          const isKnown =
            before !== undefined &&
            (before.step === step || (after === undefined ? step - before.step : after.step - before.step - 1) <= held)
          expect(value).toBe(isKnown ? before.shares[name] : null)
        }
    }),
    { numRuns: 200 },
  )
})
