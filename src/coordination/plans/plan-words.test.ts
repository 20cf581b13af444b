import { expect, test } from 'vitest'
import { planSentence } from './plan-words.ts'

type Spoken = Parameters<typeof planSentence>[0]

const identity = { namespace: 'shop', name: 'cart', uid: 'u' }
const move: Spoken['moves'][number] = {
  id: 'm01',
  wave: 1,
  pod: identity,
  workload: { apiVersion: 'apps/v1', kind: 'Deployment', ...identity },
  from: 'n1',
  to: 'n2',
  acceptable: ['n2'],
  action: 'evict',
  certificate: {
    ...{ snapshotHash: 'sha256:0', podUid: 'u', from: 'n1', to: 'n2', requests: {}, freeBefore: {}, freeAfter: {}, filters: {} },
    landing: { mode: 'prefer', nodes: ['n2'], totals: {} },
  },
}
const light: Spoken['goals'][number] = {
  ...{ goal: 'light', node: 'n1', resource: 'cpu', stat: 'requests', bound: 'max', wanted: 70, hard: false },
  ...{ before: 90, after: 60, state: 'met', shortBy: 0 },
}

// biome-ignore format: a table
test.each([
  [4, 4,    '4 moves reach all goals; no plan that reaches as much needs fewer than 4 (milp)'],
  [4, 2.31, '4 moves reach all goals; no plan that reaches as much needs fewer than 3 (milp)'],
  [4, 0,    '4 moves reach all goals; whether fewer would do is not known (milp)'],
  [1, 0,    '1 move reaches all goals; whether fewer would do is not known (milp)'],
  [0, 0,    'all goals are met already'],
])('%i moves with a bound of %d', (count, lowerBound, sentence) => {
  const moves = Array.from({ length: count }, () => move)
  const plan: Spoken = { goals: [light], problems: [], method: 'milp', outcome: 'met', moves, objective: { lowerBound } }
  expect(planSentence(plan)).toBe(sentence)
})
