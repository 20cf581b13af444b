// The real arbiter, ledger, effects and leader election of two controllers, on a network that delays, loses and doubles what they send, with
// clocks that are wrong, processes that stand still or are killed, and a Lease that is deleted. A seed decides what happens next; a judge
// beside the server says what must never be. BALLAST_STEPS says how much happens; `npm run test:crash` has a million.
import { expect, test } from 'vitest'
import { JudgedServer } from './testdata/judged-server.ts'
import { LossyWorld } from './testdata/lossy-world.ts'
import { type Flags, Process } from './testdata/simulated-controller.ts'

const stepsPerSeed = 20_000
const steps = Number(process.env['BALLAST_STEPS'] ?? 400_000)
const troubleEvery = 0.002
/** Beyond those of a short run: a Lease made again after a long stand-still; a permit handed out long after it was written. */
const seedsThatFoundSomething = [108, 352]

/** So many steps from `seed`, or until the judge finds something. */
async function simulate(seed: number, flags: Flags & { readonly isListStale?: boolean } = {}): Promise<JudgedServer> {
  const world = new LossyWorld(seed)
  const server = new JudgedServer(world, { isListStale: flags.isListStale === true })
  let started = 0
  const start = () => new Process(world, server, { identity: `controller-${++started}`, flags })
  const controllers: [Process, Process] = [start(), start()]
  while (world.steps < stepsPerSeed && server.violations.length === 0) {
    await world.step()
    if (!world.happens(troubleEvery)) continue
    const at = world.happens(0.5) ? 0 : 1
    const controller = controllers[at]
    const trouble = world.random()
    if (trouble < 0.4) {
      if (trouble < 0.3) controller.kill()
      else controller.stop()
      controllers[at] = start()
    } else if (trouble < 0.75) controller.pausedUntilMs = world.nowMs + world.random() * 40_000
    else if (trouble < 0.9) controller.skewMs += world.happens(0.5) ? 3_600_000 : -3_600_000
    else server.deleteLease()
  }
  for (const controller of controllers) controller.kill()
  return server
}

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

/** How many seeds it may take before the judge finds what was taken out. */
const seedsToFind = 40

// The Lease's confirmation and the wait for whoever lost it stand in for each other: only without both something is found.
// biome-ignore format: a table
test.each<[string, number, Flags & { readonly isListStale?: boolean }]>([
  ['a leader is taken at its word, whoever holds the Lease',                          3, { isTrusted: true }],
  ['permits are listed from a cache at a take-over',                                  1, { isListStale: true }],
  ['the same, of permits that are shared',                                            1, { isListStale: true, isTogether: true }],
  ['a leader is taken at its word, and permits are shared',                           1, { isTrusted: true, isTogether: true }],
  ['the Lease is not confirmed, and nobody waits for one from whom it was deleted',  11, { isUnconfirmed: true, isHasty: true }],
])(
  'the judge finds it when %s',
  async (_name, firstSeed, flags) => {
    let found: readonly string[] = []
    for (let seed = firstSeed; seed < firstSeed + seedsToFind && found.length === 0; seed++)
      found = (await simulate(seed, flags)).violations
    expect(found).not.toEqual([])
  },
  120_000,
)
