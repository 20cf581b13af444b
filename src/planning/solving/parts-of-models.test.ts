// Merged classes and parts of a model against the model whole: the same answer, or one that does not say it is the best.
import { describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { seededRandom } from '#kube/random.ts'
import { costOf, type DomainRule, type MoveClass, type MoveModel, movedPods } from '../model/move-model.ts'
import { brokenRules, brokenStructure, tallyOf } from '../model/tally.ts'
import { chooseMoves } from './choose-moves.ts'
import { greedyAssignment } from './greedy.ts'
import { mergedClasses } from './merged-classes.ts'
import { childSolver } from './solve.ts'

const never = new AbortController().signal
/** So small that every model of these tests is too large. */
const sizes = { largestModel: 40, firstPart: 12, largestSecondary: 0 }

/** Some nodes, most of them full, some workloads of few shapes, and now and then a rule. */
function randomModel(seed: number): MoveModel {
  const random = seededRandom(seed)
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const nodeCount = whole(4, 7)
  const nodes = Array.from({ length: nodeCount }, (_, node) => node)
  const sizesOfPods = [whole(8, 14) * 10, whole(15, 25) * 10, whole(30, 45) * 10]
  const costs = random() < 0.5 ? [1] : [1_000, 2_500]
  const classes = Array.from({ length: whole(6, 12) }, (_, index): MoveClass => {
    const from = whole(0, nodeCount - 1)
    const cpu = sizesOfPods[whole(0, 2)] ?? 100
    const destinations = nodes.filter(to => to !== from && random() < 0.8)
    return {
      ...{
        name: `c${index}`,
        workload: `w${index % 5}`,
        namespace: 'shop',
        from,
        size: whole(1, 3),
        requests: { cpu },
        usage: {},
      },
      ...{ cost: costs[whole(0, costs.length - 1)] ?? 1, destinations, preferred: undefined },
    }
  })
  const own = nodes.map(node =>
    classes.filter(each => each.from === node).reduce((sum, each) => sum + each.size * (each.requests['cpu'] ?? 0), 0),
  )
  const used = own.map((cpu, node) => Math.max(cpu, node === 0 ? 900 : whole(5, 8) * 100))
  const domains = nodes.map(node => ({ value: `n${node}`, nodes: [node], fixed: 0 }))
  const rules: DomainRule[] =
    random() < 0.4
      ? [
          {
            kind: 'at-most',
            name: 'apart',
            members: classes.flatMap((each, index) => (each.workload === 'w0' ? [index] : [])),
            domains,
            limit: 3,
          },
        ]
      : []
  const hasGoal = used[0] ?? 900
  return {
    nodes: used.map((cpu, node) => ({
      name: `n${node}`,
      allocatable: { cpu: 1_000, pods: 20 },
      used: { cpu, pods: 5 },
      ceiling: { cpu: 850, pods: 20 },
    })),
    classes,
    goals: [
      {
        goal: 'down',
        node: 0,
        resource: 'cpu',
        stat: 'requests',
        bound: 'max',
        limit: hasGoal - whole(1, 4) * 70,
        used: hasGoal,
        allocatable: 1_000,
        hard: false,
      },
    ],
    rules,
    replicated: [],
    limits: { perPlan: 8, perNode: undefined, perNamespace: undefined },
  }
}

const seeds = Array.from({ length: 40 }, (_, at) => at + 1)

describe('forty random models', () => {
  test('parts of them give what the whole gives, or say that it is not proven', { timeout: 120_000 }, async () => {
    using session = childSolver({ clock: systemClock, safetySeconds: 60 }).session()
    let proven = 0
    let farther = 0
    for (const seed of seeds) {
      const model = randomModel(seed)
      const whole = await chooseMoves(model, { method: 'milp' }, session.solve, never)
      const parts = await chooseMoves(model, { method: 'auto', sizes }, session.solve, never)
      expect([seed, brokenStructure(model, parts.assignment), brokenRules(model, parts.assignment)]).toEqual([seed, [], []])
      const cost = (assignment: typeof parts.assignment) => costOf(model, assignment)
      expect(parts.shortfall).toBeGreaterThanOrEqual(whole.shortfall - 1e-6)
      if (parts.certainty === 'proven') expect([seed, parts.shortfall.toFixed(5)]).toEqual([seed, whole.shortfall.toFixed(5)])
      const isCheapest = parts.stages.find(({ name }) => name === 'cost')?.proven === true
      if (isCheapest && parts.shortfall === 0) expect([seed, cost(parts.assignment)]).toEqual([seed, cost(whole.assignment)])
      // A bound is true of every answer that meets the goals.
      if (whole.shortfall === 0) expect(Math.ceil(parts.lowerBound - 1e-6)).toBeLessThanOrEqual(movedPods(whole.assignment))
      if (isCheapest) proven++
      const quick = tallyOf(model, greedyAssignment(model)).shortfall()
      if (quick > whole.shortfall + 1e-6) farther++
    }
    // The test would say little where nothing is proven, or nothing has to make room.
    expect(proven).toBeGreaterThan(20)
    expect(farther).toBeGreaterThan(3)
  })

  test.each(seeds)('merged, number %i means for its classes what it says of the merged', seed => {
    const model = randomModel(seed)
    const merged = mergedClasses(model)
    const assignment = greedyAssignment(merged.model)
    const shared = merged.share(assignment)
    expect(movedPods(shared)).toBe(movedPods(assignment))
    expect(costOf(model, shared)).toBe(costOf(merged.model, assignment))
    expect(tallyOf(model, shared).shortfall()).toBe(tallyOf(merged.model, assignment).shortfall())
    expect([brokenStructure(model, shared), brokenRules(model, shared)]).toEqual([[], []])
  })
})

test('more pods than there are cannot be shared out', () => {
  const model = randomModel(1)
  expect(() => mergedClasses(model).share([{ class: 0, to: 1, count: 1_000 }])).toThrow(RangeError)
})
