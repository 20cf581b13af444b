// A share of the fuzz of what replicas tell each other; hostile-points.deep.test.ts has the wide part.
import { describe, expect, test } from 'vitest'
import { seededRandom } from '#kube/random.ts'
import { decodeAnswer } from './points-message.ts'
import { HostileAnswers, inflated } from './testdata/hostile-answers.ts'
import { incredible, playHostile } from './testdata/hostile-replicas.ts'

const turn = async () => undefined

test('a changed answer is refused in words, or says only what can have been measured', async () => {
  const answers = new HostileAnswers(seededRandom(17), ['n1', 'n2'], () => Date.UTC(2026, 0, 1))
  const seen = { refused: 0, read: 0 }
  for (let at = 0; at < 1_000; at++) {
    const answer = await decodeAnswer(answers.body(), turn).catch((error: unknown) => {
      expect(error).toMatchObject({ name: 'PointsRefused' })
      return undefined
    })
    if (answer === undefined) seen.refused++
    else seen.read++
    for (const { reading } of answer?.heard ?? []) expect(incredible(reading)).toBeUndefined()
  }
  expect(Math.min(seen.refused, seen.read)).toBeGreaterThan(100)
})

test.each(Object.entries(inflated))('many %s are refused', async (_, body) => {
  await expect(decodeAnswer(body(500_000), turn)).rejects.toMatchObject({ name: 'PointsRefused' })
})

describe('a hostile replica beside an honest one', () => {
  test.each([1, 2, 3])('is not believed against what we read, is asked now and then, and forgiven (seed %i)', async seed => {
    const { wrong, questions } = await playHostile(seed, 12)
    expect(wrong).toEqual([])
    // One a second at most, and a few in a row where it says that there is more.
    expect(questions).toBeLessThan(12 * 15 + 64)
    expect(questions).toBeGreaterThan(12)
  })
})
