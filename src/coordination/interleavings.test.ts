// The real arbiter, ledger, effects and leader election of two controllers, on a network that delays, loses and doubles what they send, with
// clocks that are wrong, processes that stand still or are killed, and a Lease that is deleted. A seed decides what happens next; a judge
// beside the server says what must never be. BALLAST_STEPS says how much happens; `npm run test:deep` has a million.
import { expect, test } from 'vitest'
import { simulate, stepsPerSeed } from './testdata/interleaved-run.ts'

const steps = Number(process.env['BALLAST_STEPS'] ?? 20_000)
/** Beyond those of a short run: a Lease made again after a long stand-still; a permit handed out long after it was written. */
const seedsThatFoundSomething = [108, 352]

test(
  'two leaders on a bad network never grant twice, never act without a record, never count back',
  async () => {
    const total = { grants: 0, effects: 0, leaders: 0 }
    const seeds = Array.from({ length: steps / stepsPerSeed }, (_, at) => at + 1)
    for (const seed of new Set([...seeds, ...seedsThatFoundSomething])) {
      const { violations, counts } = await simulate(seed)
      expect(violations, `seed ${seed}`).toEqual([])
      total.grants += counts.grants
      total.effects += counts.effects
      total.leaders += counts.leaders
    }
    // Something happened at all.
    expect(total.grants).toBeGreaterThan(steps / 200)
    expect(total.effects).toBeGreaterThan(steps / 200)
    expect(total.leaders).toBeGreaterThan((steps / stepsPerSeed) * 3)
  },
  Math.max(60_000, steps),
)

test(
  'nor do they where what is wanted of several workloads shares a permit',
  async () => {
    const total = { grants: 0, effects: 0, leaders: 0 }
    const share = Math.ceil(steps / stepsPerSeed / 2)
    for (let seed = 1; seed <= share; seed++) {
      const { violations, counts } = await simulate(seed, { isTogether: true })
      expect(violations, `seed ${seed}`).toEqual([])
      total.grants += counts.grants
      total.effects += counts.effects
      total.leaders += counts.leaders
    }
    expect(total.grants).toBeGreaterThan((share * stepsPerSeed) / 400)
    expect(total.effects).toBeGreaterThan((share * stepsPerSeed) / 400)
    expect(total.leaders).toBeGreaterThan(share * 3)
  },
  Math.max(60_000, steps),
)
