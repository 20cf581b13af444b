import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nodesToFind, possibleWinners } from './partial-search.ts'
import { type Normalisation, normalise } from './scores.ts'

describe('how many nodes are enough', () => {
  test.each([
    [4, 0, 4],
    [99, 0, 99],
    [100, 0, 100],
    [150, 0, 100],
    [1_000, 0, 420],
    [5_000, 0, 500],
    [20_000, 0, 1_000],
    [1_000, 20, 200],
    [1_000, 5, 100],
    [1_000, 100, 1_000],
  ])('of %d nodes with percentage %d: %d', (nodes, percentage, expected) => {
    expect(nodesToFind(nodes, percentage)).toBe(expected)
  })
})

interface Score {
  readonly raw: readonly number[]
  readonly normalisation: Normalisation
  readonly weight: number
}

const asWeighted = ({ raw, normalisation, weight }: Score) => ({ variants: [Float64Array.from(raw)], normalisation, weight })

/** Tries every choice of `found` nodes. */
function triedWinners(scores: readonly Score[], feasible: number, found: number): readonly number[] {
  const winners = new Set<number>()
  for (let bits = 0; bits < 1 << feasible; bits++) {
    const chosen = Array.from({ length: feasible }, (_, at) => at).filter(at => bits & (1 << at))
    if (chosen.length !== found) continue
    const totals = chosen.map(() => 0)
    for (const { raw, normalisation, weight } of scores) {
      const values = Float64Array.from(chosen, at => raw[at] ?? 0)
      normalise(values, normalisation)
      for (const [index, value] of values.entries()) totals[index] = (totals[index] ?? 0) + value * weight
    }
    const top = Math.max(...totals)
    for (const [index, at] of chosen.entries()) if (totals[index] === top) winners.add(at)
  }
  return Array.from(winners).toSorted((a, b) => a - b)
}

const sizes = fc
  .integer({ min: 1, max: 7 })
  .chain(feasible => fc.record({ feasible: fc.constant(feasible), found: fc.integer({ min: 1, max: feasible }) }))
const score = (feasible: number, normalisation: Normalisation, least = 0) =>
  fc.record({
    raw: fc.array(fc.integer({ min: least, max: 5 }), { minLength: feasible, maxLength: feasible }),
    normalisation: fc.constant(normalisation),
    weight: fc.integer({ min: 1, max: 3 }),
  })
const kinds = ['share', 'inverse-share', 'spread', 'affinity'] as const

describe('who may win when only some are found', () => {
  test('a plain score: those that few enough others beat', () => {
    fc.assert(
      fc.property(
        sizes.chain(size => score(size.feasible, 'none').map(one => ({ ...size, one }))),
        ({ feasible, found, one }) => {
          expect(possibleWinners([asWeighted(one)], feasible, found)).toEqual(triedWinners([one], feasible, found))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('whoever wins in some choice is named, however scores are normalised', () => {
    fc.assert(
      fc.property(
        sizes.chain(size =>
          fc
            .tuple(score(size.feasible, 'none'), ...kinds.map(kind => score(size.feasible, kind, kind === 'spread' ? -1 : 0)))
            .map(scores => ({ ...size, scores })),
        ),
        ({ feasible, found, scores }) => {
          const named = new Set(possibleWinners(scores.map(asWeighted), feasible, found))
          expect(triedWinners(scores, feasible, found).filter(at => !named.has(at))).toEqual([])
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('when all are found only the best are named', () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 6 })
          .chain(feasible => fc.tuple(...kinds.map(kind => score(feasible, kind))).map(scores => ({ feasible, scores }))),
        ({ feasible, scores }) => {
          expect(possibleWinners(scores.map(asWeighted), feasible, feasible)).toEqual(triedWinners(scores, feasible, feasible))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('where there are too many cases, or raw scores are not known, everybody is named', () => {
    const raw = Float64Array.from({ length: 200 }, (_, at) => at)
    expect(possibleWinners([{ variants: [raw], normalisation: 'affinity', weight: 1 }], 200, 100)).toHaveLength(200)
    expect(possibleWinners([{ variants: undefined, normalisation: 'spread', weight: 1 }], 3, 2)).toEqual([0, 1, 2])
  })
})
