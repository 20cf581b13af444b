import { expect, test } from 'vitest'
import { servedGoals } from './served-goals.ts'

const light = { name: 'cp-light', nodes: ['a', 'b'], resource: 'cpu', max: 70 } as const
const filled = { name: 'use-d', nodes: ['d'], resource: 'memory', min: 30 } as const
const band = { name: 'band', nodes: ['a', 'd'], resource: 'pods', min: 10, max: 90 } as const

// biome-ignore format: a table
test.each([
  ['from a node with a max', 'a', 'c', [light], ['relieves cp-light cpu']],
  ['to a node with a min', 'c', 'd', [filled], ['fills use-d memory']],
  ['both', 'b', 'd', [light, filled], ['relieves cp-light cpu', 'fills use-d memory']],
  ['between two nodes of one goal: each has its own share', 'a', 'b', [light], ['relieves cp-light cpu']],
  ['to a node with a max: serves nothing', 'c', 'a', [light], []],
  ['a goal with both bounds, from either end', 'a', 'd', [band], ['relieves band pods', 'fills band pods']],
  ['nothing to do with goals', 'c', 'e', [light, filled], []],
] as const)('%s', (_, from, to, goals, served) => {
  expect(servedGoals({ from, to }, goals).map(({ how, goal, resource }) => `${how} ${goal} ${resource}`)).toEqual(served)
})
