import { afterAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject, NodeSelectorRequirement } from '#kube/objects/objects.ts'
import { type PartialPolicy, policyWithDefaults } from '../goals/policy.ts'
import { solveInChild } from '../solving/solve.ts'
import { boundVolume, claimVolume, node, workload } from '../testdata/objects.ts'
import { referenceCluster } from '../testdata/reference-cluster.ts'
import { planDescription } from './description.ts'
import { makeManifestPlan } from './manifest-plan.ts'
import { affinityTowards } from './steering.ts'

const never = new AbortController().signal
const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

async function planOf(objects: readonly KubeObject[], given: Omit<PartialPolicy, 'name'>, firm = false) {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  const input = { state, policy: policyWithDefaults({ name: 'p', ...given }), settings: defaultSettings('1.34'), nowMs: 0 }
  return await makeManifestPlan(input, { objects, firm }, session.solve, never)
}

const goal = { resource: 'cpu', stat: 'requests', margin: 0, hard: false } as const
const light = { ...goal, name: 'light', nodes: ['a'], max: 50 }
const d = { owner: 'descheduler', budget: { maxUnavailable: 1 } } as const
const told = ({ moves }: Awaited<ReturnType<typeof planOf>>) =>
  moves.map(({ workload: { name }, to, strength }) => `${name} → ${to.join('+')} ${strength}`)

describe('whole workloads', () => {
  test('the fewest pods that do it: one of three rather than three of three', async () => {
    const objects = [
      node('a'),
      node('b'),
      ...workload('s/many', { ...d, on: ['a', 'a', 'a'], cpu: 400 }),
      ...workload('s/one', { ...d, on: ['a'], cpu: 1300 }),
    ]
    const plan = await planOf(objects, { goals: [light] })
    expect([told(plan), plan.outcome]).toEqual([['one → b preferred'], 'met'])
  })

  test('pods that stand there already come along', async () => {
    const objects = [node('a'), node('b'), ...workload('s/web', { ...d, on: ['a', 'a', 'b'], cpu: 1100 })]
    const plan = await planOf(objects, { goals: [light] })
    expect([told(plan), Object.fromEntries(plan.moves[0]?.from ?? []), plan.outcome]).toEqual([
      ['web → b preferred'],
      { a: 2 },
      'met',
    ])
  })

  test('a goal that holds is left alone', async () => {
    const plan = await planOf([node('a'), node('b'), ...workload('s/web', { ...d, on: ['a'], cpu: 100 })], { goals: [light] })
    expect([told(plan), plan.outcome]).toEqual([[], 'met'])
    expect(planDescription(plan, [])).toContain('Every goal holds')
  })

  // biome-ignore format: a table
  test.each([
    ['headroom keeps the other node free', [node('a'), node('b', { cpu: 2500 }), ...workload('s/web', { ...d, on: ['a'], cpu: 2300 })]],
    ['pods that must stand apart', [node('a'), node('b'), ...workload('s/web', { ...d, on: ['a', 'b'], cpu: 2100, spec: { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'web' } } }] } } } })]],
    ['a volume that stays', [node('a'), node('b'), ...workload('s/web', { ...d, kind: 'StatefulSet', on: ['a'], cpu: 2100, spec: claimVolume('x') }), ...boundVolume('s', 'x', { volume: 'v', pinnedTo: 'a' })]],
    ['an owner that is another', [node('a'), node('b'), ...workload('s/web', { ...d, owner: 'keda', on: ['a'], cpu: 2100 })]],
    ['no budget where one is asked for', [node('a'), node('b'), ...workload('s/web', { owner: 'descheduler', on: ['a'], cpu: 2100 })]],
    ['case 18: a budget that never allows one', [node('a'), node('b'), ...workload('s/web', { owner: 'descheduler', budget: { minAvailable: 1 }, on: ['a'], cpu: 2100 })]],
  ] as const)('stays, and the goal is missed: %s', async (_what, objects) => {
    const plan = await planOf(objects, { goals: [light] })
    expect([told(plan), plan.outcome]).toEqual([[], 'not-met'])
  })

  test('the limit of a plan counts the pods that are replaced', async () => {
    const objects = [node('a'), node('b'), ...workload('s/web', { ...d, on: ['a', 'a', 'a'], cpu: 800 })]
    expect(told(await planOf(objects, { goals: [light], limits: { perPlan: 2 } }))).toEqual([])
    expect(told(await planOf(objects, { goals: [light], limits: { perPlan: 3 } }))).toEqual(['web → b preferred'])
  })
})

describe('how firmly', () => {
  // The other nodes are empty and large: without more than a wish the scheduler might go there.
  const contested = [
    node('a'),
    node('b', { cpu: 8000, labels: { disk: 'hdd' } }),
    node('c', { cpu: 64_000, memoryMi: 262_144, labels: { disk: 'ssd' } }),
    ...workload('s/web', {
      ...d,
      on: ['a'],
      cpu: 2500,
      spec: {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 100, preference: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] } },
            ],
          },
        },
      },
    }),
  ]
  const fuller = { ...goal, name: 'fuller', nodes: ['b'], min: 20 }

  test('a wish that might lose becomes a demand, and says to whom', async () => {
    const plan = await planOf(contested, { goals: [fuller] })
    expect([told(plan), plan.moves[0]?.instead, plan.outcome]).toEqual([['web → b required'], ['c'], 'met'])
    expect(planDescription(plan, [])).toContain('required: else c might win')
  })

  test('asked for, everything demands', async () => {
    const objects = [node('a'), node('b'), ...workload('s/web', { ...d, on: ['a'], cpu: 2100 })]
    expect(told(await planOf(objects, { goals: [light] }, true))).toEqual(['web → b required'])
  })
})

test('the reference cluster: both goals hold in every order, margins included', async () => {
  const goals = [
    { ...goal, margin: 1, name: 'cp-light', nodes: ['talos00'], max: 70 },
    { ...goal, margin: 1, name: 'use-talos03', nodes: ['talos03'], min: 30 },
  ]
  const plan = await planOf(referenceCluster(), { goals, objective: 'moves' })
  expect([plan.outcome, plan.stuck]).toEqual(['met', []])
  expect(plan.moves.reduce((sum, { pods }) => sum + pods.length, 0)).toBe(18)
  expect(plan.goals.map(({ node: name, after }) => [name, Math.trunc(after)])).toEqual([
    ['talos00', 38],
    ['talos03', 31],
  ])
  const again = await planOf(referenceCluster(), { goals, objective: 'moves' })
  expect(planDescription(again, [])).toBe(planDescription(plan, []))
})

test('an isolation asks for the tolerations that its core lacks', async () => {
  const isolation = {
    nodes: ['a'],
    taint: 'core',
    coreNamespaces: ['kube'],
    exceptions: [],
    keda: 'evict',
    includeUnmanaged: true,
  } as const
  const objects = [
    node('a'),
    node('b'),
    ...workload('kube/dns', { on: ['a'] }),
    ...workload('kube/net', { kind: 'DaemonSet', on: ['a'], spec: { tolerations: [{ operator: 'Exists' }] } }),
  ]
  const plan = await planOf(objects, { goals: [], isolation })
  expect([plan.tolerations, plan.moves]).toEqual([['Deployment kube/dns'], []])
  const [wish] = plan.wishes
  expect(wish?.value([{ key: 'x' }])).toEqual([{ key: 'x' }, { key: 'core', operator: 'Exists', effect: 'NoSchedule' }])
  expect(wish?.value(wish.value(undefined))).toEqual(wish?.value(undefined))
})

describe('affinity', () => {
  const at = (value: string): NodeSelectorRequirement => ({ key: 'kubernetes.io/hostname', operator: 'In', values: [value] })
  const ssd: NodeSelectorRequirement = { key: 'disk', operator: 'In', values: ['ssd'] }

  test('a demand is added to every term, since any of them is enough', () => {
    const before = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [ssd] }, { matchFields: [] }] },
      },
    }
    const after = affinityTowards(before, at('b'), 'required')
    expect(after.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms).toEqual([
      { matchExpressions: [ssd, at('b')] },
      { matchFields: [], matchExpressions: [at('b')] },
    ])
    expect(affinityTowards(after, at('b'), 'required')).toEqual(after)
  })

  test('a wish joins the others, and takes the place of an earlier one of ours', () => {
    const other = { weight: 10, preference: { matchExpressions: [ssd] } }
    const first = affinityTowards(
      { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [other] } },
      at('b'),
      'preferred',
    )
    const second = affinityTowards(first, at('c'), 'preferred')
    expect(second.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution).toEqual([
      other,
      { weight: 100, preference: { matchExpressions: [at('c')] } },
    ])
    expect(affinityTowards(second, at('c'), 'preferred')).toEqual(second)
  })
})
