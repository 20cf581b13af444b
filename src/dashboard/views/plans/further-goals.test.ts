// Goals on resources that rows of nodes have no column for: their figures come from what pods request, those after the plan from its status.
import { afterAll, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { readPolicy } from '#coordination/plans/plan-policy.ts'
import { statusFindings } from '#coordination/plans/stored/status-check.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import { namespace, node, workload } from '#planning/testdata/objects.ts'
import { overviewOf } from '../overview.ts'
import { pictureOf, plannedFor, policyObject } from '../testdata/homelab.ts'
import { everything } from '../viewing.ts'
import { planViewOf } from './plan.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

const card = 'nvidia.com/gpu'
const amounts = { cpu: '4', memory: '8Gi', pods: '110', [card]: '8' }
const withCards = (name: string) => ({
  ...node(name),
  status: { allocatable: amounts, capacity: amounts, conditions: [{ type: 'Ready', status: 'True' }] },
})
const resources = { requests: { cpu: '100m', memory: '128Mi', [card]: '2' }, limits: { [card]: '2' } }
const spec = { containers: [{ name: 'main', image: 'registry.example/ml:1', resources }] }

const objects = (goal: object) => [
  ...[namespace('ml'), withCards('a'), withCards('b'), node('c')],
  ...workload('ml/train', { owner: 'descheduler', budget: { maxUnavailable: 1 }, on: ['a', 'a', 'a', 'a'], spec }),
  policyObject({ goals: [{ name: 'cards', nodes: ['a'], resource: card, ...goal }] }),
]

test('a goal on graphics cards has its row, and after the plan what that brings', async () => {
  const given = objects({ max: 80 })
  const plan = await plannedFor(given, session.solve)
  const picture = pictureOf([...given, plan])
  const overview = overviewOf(picture, everything)
  expect(overview.goals.map(({ resource, now, after, met, because }) => [resource, now, after, met, because.text])).toEqual([
    [card, 100, 75, false, expect.stringContaining('20')],
  ])
  expect(overview.verdict.sentences[0]?.text).toMatch(/^a has 100% of its nvidia\.com\/gpu requested; the goal is at most 80%\./)
  const view = planViewOf(picture, plan.metadata.name, everything)
  expect(view?.moves.map(({ because }) => because.text)).toEqual([`frees ${card} for cards`])
  // The stored figures are recounted as those of cpu are.
  const policy = readPolicy(policyObject({ goals: [{ name: 'cards', nodes: ['a'], resource: card, max: 80 }] }))
  const { state } = buildClusterState(given.filter(({ kind }) => kind !== 'RebalancePolicy'))
  const facts = { objects: given, state, ...(policy.ok ? { policy: policy.policy } : {}) }
  expect(statusFindings(plan, facts)).toMatchObject({ findings: [], open: [] })
  const edited = {
    ...plan,
    status: {
      ...plan.status,
      goals: (plan.status?.goals ?? []).map(row => ({ ...row, message: row.message?.replace('75.0', '70.0') })),
    },
  }
  expect(statusFindings(edited as typeof plan, facts).findings.map(({ field }) => field)).toEqual(['status.goals cards: message'])
})

test('one on nodes that have none is not known, and not met', () => {
  const picture = pictureOf(objects({ nodes: ['c'], max: 80 }))
  const [row] = overviewOf(picture, everything).goals
  expect([row?.now, row?.met, row?.because.text]).toEqual([null, false, 'unknown: c has no nvidia.com/gpu to give'])
})
