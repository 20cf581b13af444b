import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import type { GoalOutcome, Plan, Unmovable } from '#planning/plan-record.ts'
import { planMetrics } from './plan-metrics.ts'

const goal = (change: Partial<GoalOutcome>): GoalOutcome => ({
  goal: 'light',
  node: 'n1',
  resource: 'cpu',
  stat: 'requests',
  bound: 'max',
  wanted: 70,
  hard: false,
  before: 80,
  after: 60,
  state: 'met',
  shortBy: 0,
  ...change,
})
const stays = (code: Unmovable['code']): Unmovable => ({
  code,
  data: {},
  pod: { namespace: 'shop', name: 'a', uid: 'a' },
  node: 'n1',
  workload: undefined,
  also: [],
})
const plan = (change: Partial<Plan>): Plan => ({
  policyName: 'mine',
  snapshotHash: '',
  landing: 'prefer',
  moves: [],
  unmovable: [],
  objective: { moves: 0, cost: 0, lowerBound: 0, gap: 0 },
  before: [],
  after: [],
  goals: [],
  wishes: [],
  outcome: 'met',
  method: 'milp',
  stages: [],
  lp: '',
  problems: [],
  ...change,
})

async function lines(registry: Registry, name: string): Promise<readonly string[]> {
  const text = await registry.getSingleMetricAsString(name)
  return text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
}

test('the last plan of each policy counts, and what it no longer says is gone', async () => {
  const registry = new Registry()
  const metrics = planMetrics(registry)
  expect(planMetrics(registry)).toBe(metrics)
  const goals = [
    goal({}),
    goal({ node: 'n2', before: 75.5 }),
    goal({ goal: 'busy', bound: 'min', wanted: 30, before: 10 }),
    goal({ goal: 'hot', state: 'unknown' }),
  ]
  metrics.planned(
    plan({
      goals,
      unmovable: [stays('NoPDB'), stays('NoPDB'), stays('DaemonSet')],
      objective: { moves: 3, cost: 3, lowerBound: 2.5, gap: 0 },
    }),
    0.3,
  )
  expect(await lines(registry, 'ballast_rebalance_goal_shortfall_points')).toEqual([
    'ballast_rebalance_goal_shortfall_points{policy="mine",goal="light"} 15.5',
    'ballast_rebalance_goal_shortfall_points{policy="mine",goal="busy"} 20',
  ])
  expect(await lines(registry, 'ballast_rebalance_pods_skipped')).toEqual([
    'ballast_rebalance_pods_skipped{policy="mine",reason="NoPDB"} 2',
    'ballast_rebalance_pods_skipped{policy="mine",reason="DaemonSet"} 1',
  ])
  expect(await lines(registry, 'ballast_rebalance_lower_bound')).toEqual(['ballast_rebalance_lower_bound{policy="mine"} 2.5'])
  metrics.planned(plan({ goals: [goal({})], unmovable: [stays('NoPDB')] }), 0.1)
  metrics.planned(plan({ policyName: 'other', goals: [goal({ before: 60 })] }), 0.1)
  expect(await lines(registry, 'ballast_rebalance_goal_shortfall_points')).toEqual([
    'ballast_rebalance_goal_shortfall_points{policy="mine",goal="light"} 10',
    'ballast_rebalance_goal_shortfall_points{policy="other",goal="light"} 0',
  ])
  expect(await lines(registry, 'ballast_rebalance_pods_skipped')).toEqual([
    'ballast_rebalance_pods_skipped{policy="mine",reason="NoPDB"} 1',
  ])
})

test('landings begin at 0', async () => {
  const registry = new Registry()
  const metrics = planMetrics(registry)
  metrics.landed('back')
  expect(await lines(registry, 'ballast_rebalance_landing_total')).toEqual([
    'ballast_rebalance_landing_total{result="expected"} 0',
    'ballast_rebalance_landing_total{result="other"} 0',
    'ballast_rebalance_landing_total{result="back"} 1',
    'ballast_rebalance_landing_total{result="pending"} 0',
  ])
})
