// Bad input for planned mode (rebalancing.md §4): clusters that are hardly any, odd amounts, hostile objects. Plans come, hold, and say what was odd.
import { afterAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { explainPod } from './explain.ts'
import { type Goal, policyWithDefaults } from './goals/policy.ts'
import { makePlan } from './plan.ts'
import { solveInChild } from './solving/solve.ts'
import { namespace, node, workload } from './testdata/objects.ts'
import { verifyPlan } from './verifier/verify.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())
const settings = defaultSettings('1.34')
const goal: Goal = { name: 'a-light', nodes: ['a'], resource: 'cpu', stat: 'requests', max: 40, margin: 1, hard: false }
const owned = { owner: 'descheduler', budget: { maxUnavailable: 1 } } as const

async function planOf(objects: readonly KubeObject[], goals: readonly Goal[] = [goal]) {
  const { state, problems } = buildClusterState(objects)
  const policy = policyWithDefaults({ name: 'p', objective: 'moves', goals })
  const input = { state, policy, settings, nowMs: 0 }
  const plan = await makePlan(input, session.solve, new AbortController().signal)
  return { plan, input, aside: problems.map(({ code }) => code), findings: verifyPlan(plan, objects, settings) }
}

/** Node a has 2,000 of 4,000 millicores in four pods; 39 % leaves room for three of them. */
const plain = (change: Parameters<typeof workload>[1] = { on: [] }): readonly KubeObject[] => [
  namespace('shop'),
  ...['a', 'b', 'c'].map(name => node(name)),
  ...workload('shop/web', { cpu: 500, memoryMi: 100, ...owned, ...change, on: ['a', 'a', 'a', 'a'] }),
]

describe('clusters that are hardly any', () => {
  test.each<[string, readonly KubeObject[], readonly Goal[], string]>([
    ['nothing at all, no goals', [], [], 'met'],
    ['nothing at all, a goal for a node that is not there', [], [goal], 'infeasible'],
    ['one node, which is as it should be', [node('a')], [goal], 'met'],
    [
      'one node, which is too full',
      [namespace('shop'), node('a'), ...workload('shop/web', { cpu: 2500, on: ['a'], ...owned })],
      [goal],
      'infeasible',
    ],
    ['nodes without pods', [node('a'), node('b')], [goal], 'met'],
    ['nodes without anything allocatable', [bare('a'), bare('b')], [goal], 'not-met'],
  ])('%s', async (_name, objects, goals, outcome) => {
    const { plan, findings } = await planOf(objects, goals)
    expect([plan.moves, findings, plan.outcome]).toEqual([
      [],
      [],
      expect.stringMatching(outcome === 'not-met' ? /not-met|infeasible/ : outcome),
    ])
  })

  test('pods without labels, and owners that are gone: they stay, and the others move', async () => {
    const orphan = {
      ...workload('shop/gone', { cpu: 100, on: ['a'] }).find(({ kind }) => kind === 'Pod'),
    } as KubeObject
    const unlabelled = workload('shop/plain', { cpu: 100, on: ['a'] }).map(object => ({
      ...object,
      metadata: { ...object.metadata, labels: {} },
    }))
    const { plan, findings } = await planOf([...plain(), orphan, ...unlabelled])
    expect(findings).toEqual([])
    expect(plan.moves.length).toBeGreaterThan(0)
    expect(plan.moves.every(({ workload: { name } }) => name === 'web')).toBe(true)
    expect(plan.unmovable.map(({ code }) => code)).toEqual(['Unlabelled', 'Unlabelled'])
  })
})

describe('odd amounts', () => {
  const withRequest = (cpu: string, memory: string): readonly KubeObject[] =>
    plain().map(object => {
      if (object.kind !== 'Pod' || !object.metadata.name.endsWith('0')) return object
      return {
        ...object,
        spec: { ...(object['spec'] as object), containers: [{ name: 'main', resources: { requests: { cpu, memory } } }] },
      }
    })

  test.each([
    ['1', '1e3', 1000, 1000],
    ['0.5', '1.5Gi', 500, 1610612736],
    ['1500m', '100Mi', 1500, 104857600],
    ['1e3m', '0', 0, 0],
  ])('cpu %s and memory %s are counted exactly', async (cpu, memory, millicores, bytes) => {
    const { plan, findings, input, aside } = await planOf(withRequest(cpu, memory))
    expect(findings).toEqual([])
    const pod = [...input.state.pods.values()].find(({ name }) => name.endsWith('0'))
    // `1e3m` has two suffixes and is no quantity.
    expect(pod === undefined ? aside.length : [pod.requests['cpu'], pod.requests['memory']]).toEqual(
      cpu === '1e3m' ? 1 : [millicores, bytes],
    )
    expect(plan.moves.every(({ certificate }) => Object.values(certificate.requests).every(Number.isSafeInteger))).toBe(true)
  })

  test.each(['9223372036854775807', '1e30', '-1', 'NaN'])(
    'a request of %s sets the pod aside by name; the others are planned',
    async amount => {
      const { plan, aside, findings } = await planOf(withRequest('100m', amount))
      expect(aside.length).toBeGreaterThan(0)
      expect(plan.moves.some(({ pod }) => pod.name.endsWith('0'))).toBe(false)
      expect(findings).toEqual([])
    },
  )

  test('nodes of 10^15 bytes are filled to the byte, one with less than nothing free takes nobody', async () => {
    const huge = node('b')
    const wide = {
      ...huge,
      status: { ...(huge['status'] as object), allocatable: { cpu: '4', memory: '1000000000000000', pods: '110' } },
    }
    const objects = [
      ...plain().filter(({ kind, metadata }) => kind !== 'Node' || metadata.name === 'a'),
      wide,
      node('c', { cpu: 1000 }),
      ...workload('shop/over', { cpu: 900, on: ['c', 'c'], owner: 'none' }),
    ]
    const { plan, findings } = await planOf(objects)
    expect(findings).toEqual([])
    expect(new Set(plan.moves.map(({ to }) => to))).toEqual(new Set(['b']))
    expect(plan.moves[0]?.certificate.freeBefore['memory']).toBe(1_000_000_000_000_000)
  })
})

describe('hostile objects are planned in bounded time, and what they say is a value like any other', () => {
  const long = 'x'.repeat(1_000_000)
  const values = Array.from({ length: 10_000 }, (_, at) => `v${at}`)
  const affinity = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'NotIn', values }] }],
      },
    },
  }
  const tolerations = Array.from({ length: 5_000 }, (_, at) => ({ key: `k${at}`, operator: 'Exists' }))
  const annotated = (annotations: Record<string, string>) => ({ podMetadata: { annotations } })

  test.each<[string, Partial<Parameters<typeof workload>[1]>]>([
    ['5,000 tolerations', { spec: { tolerations } }],
    ['a selector with 10,000 values', { spec: { affinity } }],
    ['a cost that is no number', annotated({ 'controller.kubernetes.io/pod-deletion-cost': 'NaN' })],
    ['a negative cost', annotated({ 'controller.kubernetes.io/pod-deletion-cost': '-2147483648' })],
    ['a cost beyond all bounds', annotated({ 'controller.kubernetes.io/pod-deletion-cost': '9'.repeat(400) })],
    [
      'a window and a memory that are none',
      annotated({ 'ballast.dev/last-move': long.slice(0, 1000), 'ballast.dev/rebalance-window': ';;' }),
    ],
  ])('%s', async (_name, change) => {
    const { plan, input, findings } = await planOf(plain(change as Parameters<typeof workload>[1]))
    expect(findings).toEqual([])
    expect(plan.outcome).toBe('met')
    expect(plan.moves).toHaveLength(1)
    for (const key of input.state.pods.keys()) expect(explainPod(input, plan, key).length).toBeGreaterThan(0)
  })

  test('a goal, a preference and a scope whose names are those of the language', async () => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty']
    const objects = [
      namespace('constructor'),
      ...names.map(name => node(name.toLowerCase().replaceAll('_', ''))),
      ...workload('constructor/proto', {
        cpu: 600,
        on: ['proto', 'proto', 'proto'],
        ...owned,
        podMetadata: { labels: JSON.parse('{"__proto__": "x", "constructor": "y", "app.kubernetes.io/name": "proto"}') },
      }),
    ]
    const { plan, findings } = await planOf(objects, [{ ...goal, name: '__proto__', nodes: ['proto'] }])
    expect(findings).toEqual([])
    expect(plan.goals.map(({ goal: name, state }) => [name, state])).toEqual([['__proto__', 'met']])
  })
})

/** A node that says nothing of itself but that it is ready. */
function bare(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  }
}
