import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { policyWithDefaults } from '../goals/policy.ts'
import { buildModel } from '../model/build-model.ts'
import type { PlanInput } from '../plan-input.ts'
import { namespace, node, workload } from '../testdata/objects.ts'
import { Budgets } from './budgets.ts'
import { churnOf } from './churn.ts'
import { sortPods } from './movable.ts'
import { StaticFit } from './static-fit.ts'

const nowMs = Date.parse('2026-03-01T00:00:00Z')
const days = (count: number) => nowMs - count * 86_400_000
const noted = (count: number) => ({ 'ballast.dev/last-move': `b→a@${new Date(days(count)).toISOString()}` })
const restarted = (count: number) => ({ 'kubectl.kubernetes.io/restartedAt': new Date(days(count)).toISOString() })

interface Past {
  readonly history?: readonly number[]
  readonly annotations?: Readonly<Record<string, string>>
  readonly template?: Readonly<Record<string, string>>
  readonly objective?: 'moves' | 'cost'
}

function inputOf({ history = [], annotations = {}, template = {}, objective = 'cost' }: Past): PlanInput {
  const objects = workload('shop/web', { owner: 'descheduler', budget: { maxUnavailable: 1 }, on: ['a', 'a'] }).map(
    (object): KubeObject => {
      if (object.kind !== 'Deployment') return object
      const spec = typeof object['spec'] === 'object' ? object['spec'] : {}
      return {
        ...object,
        metadata: { ...object.metadata, annotations },
        spec: { ...spec, template: { metadata: { annotations: template } } },
      }
    },
  )
  const { state } = buildClusterState([namespace('shop'), node('a'), node('b'), node('c'), ...objects])
  return {
    state,
    policy: policyWithDefaults({ name: 'p', objective }),
    settings: defaultSettings('1.34'),
    nowMs,
    history: new Map([['shop/Deployment/web', history]]),
  }
}

// biome-ignore format: a table
test.each<[string, Past, number]>([
  ['no history',                                    {}, 1],
  ['moved today',                                   { history: [days(0)] }, 2],
  ['moved a week ago',                              { history: [days(7)] }, 1.5],
  ['moved two weeks and one week ago',              { history: [days(14), days(7)] }, 1.75],
  ['hours do not count: no plan is made anew for them', { history: [days(7.9)] }, 1.5],
  ['moved three months ago',                        { history: [days(90)] }, 1],
  ['in the future, by a clock that is ahead',       { history: [days(-2)] }, 1],
  ['moved ten times today',                         { history: Array.from({ length: 10 }, () => days(0)) }, 5],
  ['as the annotation says',                        { annotations: noted(7) }, 1.5],
  ['the annotation of a move that the history has', { annotations: noted(7), history: [days(7.1)] }, 1.5],
  ['the annotation of another move',                { annotations: noted(0), history: [days(7)] }, 2.5],
  ['an annotation that is no time',                 { annotations: { 'ballast.dev/last-move': 'b→a@soon' } }, 1],
  ['restarted by somebody',                         { template: restarted(7) }, 1.5],
  ['where each move costs 1',                       { history: [days(0)], objective: 'moves' }, 1],
])('%s', (_, past, factor) => {
  const input = inputOf(past)
  const [pod] = input.state.podsOn('a')
  if (pod?.workload === undefined) throw new Error('the pod has no workload')
  expect(churnOf(input, pod.workload).factor).toBeCloseTo(factor, 9)
  const budgets = Budgets.of(input.state, nowMs)
  const { candidates } = sortPods(input, { budgets, fit: new StaticFit(input.state, input.settings) })
  const costs = buildModel(input, candidates, new Set()).model.classes.map(({ cost }) => cost)
  expect(costs).toEqual([past.objective === 'moves' ? 1 : factor * 1000])
})
