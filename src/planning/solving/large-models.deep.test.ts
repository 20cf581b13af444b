// Models beyond what the integer program takes whole: room that has to be made first is found, and the least number of moves is proven.
import { describe, expect, test } from 'vitest'
import { seededRandom } from '#kube/random.ts'
import { type MoveClass, type MoveModel, modelSize, movedPods } from '../model/move-model.ts'
import { brokenRules, brokenStructure } from '../model/tally.ts'
import { chooseMoves } from './choose-moves.ts'
import { solveInChild } from './solve.ts'

const never = new AbortController().signal
const nodeCount = 40
const full = 8_500
const spare = nodeCount - 1

/**
 * Forty nodes: the first is above its goal by less than one pod of 2,500m, all others but the last are full, and the last takes no pod of the
 * first. Fifty Deployments have twenty pods each on the full ones, of `shapes` sizes.
 */
function fullCluster(shapes: number, seed: number): MoveModel {
  const random = seededRandom(seed)
  const sizes = Array.from({ length: shapes }, () => 200 + 10 * Math.floor(random() * 90))
  const pods = Array.from({ length: 1_000 }, (_, at) => {
    const deployment = Math.floor(at / 20)
    return { deployment, node: 1 + ((at * 7 + deployment) % (nodeCount - 2)), cpu: sizes[deployment % shapes] ?? 0 }
  })
  const groups = Map.groupBy(pods, ({ deployment, node }) => `${deployment}@${node}`)
  const shape = { usage: {}, cost: 1, preferred: undefined, namespace: 'shop' }
  const everywhere = Array.from({ length: nodeCount }, (_, node) => node)
  const others = [...groups.values()].flatMap((members): MoveClass[] => {
    const [first] = members
    if (first === undefined) return []
    const { deployment, node, cpu } = first
    const name = `shop/Deployment/d${deployment}@n${node}`
    const requests = { cpu }
    return [
      {
        ...shape,
        name,
        workload: `d${deployment}`,
        from: node,
        size: members.length,
        requests,
        destinations: everywhere.filter(to => to !== node),
      },
    ]
  })
  const large: MoveClass = {
    ...{ ...shape, name: 'shop/Deployment/large@n0', workload: 'large', from: 0, size: 3, requests: { cpu: 2_500 } },
    destinations: everywhere.filter(to => to !== 0 && to !== spare),
  }
  const used = everywhere.map(node => (node === 0 ? 9_000 : node === spare ? full - 3_000 : full))
  return {
    nodes: used.map((cpu, node) => ({
      name: `n${node}`,
      allocatable: { cpu: 10_000, pods: 110 },
      used: { cpu, pods: 30 },
      ceiling: { cpu: full, pods: 110 },
    })),
    classes: [large, ...others],
    goals: [
      {
        goal: 'down',
        node: 0,
        resource: 'cpu',
        stat: 'requests',
        bound: 'max',
        limit: 7_000,
        used: 9_000,
        allocatable: 10_000,
        hard: false,
      },
    ],
    rules: [],
    replicated: [],
    limits: { perPlan: 30, perNode: undefined, perNamespace: undefined },
  }
}

/** The fewest pods of one full node that make room for the large one and fit on the spare one, and the large one itself. */
function fewestMoves(model: MoveModel): number {
  const best = model.nodes.map((_, node) => {
    // Sums of pods of this node that are possible, with the fewest pods for each.
    let fewest = new Map([[0, 0]])
    for (const { from, size, requests } of model.classes) {
      if (from !== node || node === 0) continue
      for (let count = 0; count < size; count++) {
        const next = new Map(fewest)
        for (const [sum, pods] of fewest) {
          const after = sum + (requests['cpu'] ?? 0)
          if (after <= 3_000 && pods + 1 < (next.get(after) ?? Number.POSITIVE_INFINITY)) next.set(after, pods + 1)
        }
        fewest = next
      }
    }
    return Math.min(...[...fewest].flatMap(([sum, pods]) => (sum >= 2_500 ? [pods] : [])))
  })
  return 1 + Math.min(...best)
}

describe('fifty Deployments of twenty pods on forty full nodes', () => {
  test.each([
    ['of five shapes', 5, 2],
    ['of fifty shapes', 50, 3],
    ['of fifty other shapes', 50, 4],
  ])('%s', { timeout: 300_000 }, async (_what, shapes, seed) => {
    const model = fullCluster(shapes, seed)
    expect(modelSize(model)).toBeGreaterThan(20_000)
    const choice = await chooseMoves(model, { method: 'auto' }, solveInChild, never)
    expect([brokenStructure(model, choice.assignment), brokenRules(model, choice.assignment)]).toEqual([[], []])
    expect([choice.shortfall, movedPods(choice.assignment)]).toEqual([0, fewestMoves(model)])
    expect(Math.ceil(choice.lowerBound - 1e-6)).toBe(fewestMoves(model))
    expect(choice.stages.find(({ name }) => name === 'cost')?.proven).toBe(true)
  })
})

test('of one shape, where the room is made further away still, what is needed is proven', { timeout: 300_000 }, async () => {
  const model = fullCluster(1, 1)
  const choice = await chooseMoves(model, { method: 'auto' }, solveInChild, never)
  expect(brokenStructure(model, choice.assignment)).toEqual([])
  expect([choice.shortfall, movedPods(choice.assignment), Math.ceil(choice.lowerBound - 1e-6)]).toEqual([0, 13, 13])
})
