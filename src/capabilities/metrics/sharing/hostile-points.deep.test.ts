// What replicas tell each other, at width and at size: nothing ends the process, no lie takes the place of what we read, and what an answer costs is bounded.
import { expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { seededRandom } from '#kube/random.ts'
import { decodeAnswer } from './points-message.ts'
import { HostileAnswers, inflated } from './testdata/hostile-answers.ts'
import { incredible, playHostile } from './testdata/hostile-replicas.ts'

const mebibyte = 1024 ** 2
/** As much as is read of another replica. */
const whole = 16 * mebibyte
const mostMs = 20_000

test.each(Array.from({ length: 20 }, (_, seed) => seed + 100))(
  '5,000 changed answers of seed %i',
  async seed => {
    const answers = new HostileAnswers(seededRandom(seed), ['n1', 'n2', 'n3'], () => Date.UTC(2026, 0, 1))
    for (let at = 0; at < 5_000; at++) {
      const answer = await decodeAnswer(answers.body(), async () => undefined).catch((error: unknown) => {
        expect(error).toMatchObject({ name: 'PointsRefused' })
        return undefined
      })
      for (const { reading } of answer?.heard ?? []) expect(incredible(reading)).toBeUndefined()
    }
  },
  120_000,
)

test.each(Object.entries(inflated))('16 MiB of %s cost little time and memory', async (_, body) => {
  const sent = body(whole)
  const before = process.memoryUsage().rss
  const began = process.cpuUsage()
  await expect(decodeAnswer(sent, async () => undefined)).rejects.toMatchObject({ name: 'PointsRefused' })
  const { user, system } = process.cpuUsage(began)
  expect((user + system) / 1_000).toBeLessThan(200)
  expect((process.memoryUsage().rss - before) / mebibyte).toBeLessThan(64)
})

test.each(Array.from({ length: 40 }, (_, seed) => seed + 200))(
  'forty resolutions beside a hostile replica of seed %i',
  async seed => {
    const began = systemClock.elapsed()
    const { wrong, questions } = await playHostile(seed, 40)
    expect(wrong).toEqual([])
    expect(questions).toBeLessThan(40 * 15 + 64)
    expect(systemClock.elapsed() - began).toBeLessThan(mostMs)
  },
  60_000,
)
