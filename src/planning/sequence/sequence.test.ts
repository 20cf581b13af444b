import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { Budgets } from '../candidates/budgets.ts'
import { sortPods } from '../candidates/movable.ts'
import { isSurge } from '../candidates/move-action.ts'
import { StaticFit } from '../candidates/static-fit.ts'
import { type PartialPolicy, policyWithDefaults } from '../goals/policy.ts'
import type { PlanInput } from '../plan-input.ts'
import { boundVolume, claimVolume, namespace, node, type WorkloadOptions, workload } from '../testdata/objects.ts'
import { sequenceMoves } from './sequence.ts'

/** Plays moves given as `pod name prefix → node` and yields `wave pod → node (action)`, and what is blocked. */
async function check(
  objects: readonly KubeObject[],
  wanted: readonly (readonly [prefix: string, to: string])[],
  policy: Omit<PartialPolicy, 'name'> = {},
) {
  const { state, problems } = buildClusterState([namespace('shop'), ...objects])
  expect(problems).toEqual([])
  const input: PlanInput = {
    state,
    policy: policyWithDefaults({ name: 'p', landing: 'hold', ...policy }),
    settings: defaultSettings('1.34'),
    nowMs: 0,
  }
  const budgets = Budgets.of(state, 0)
  const { candidates } = sortPods(input, { budgets, fit: new StaticFit(state, input.settings) })
  const intents = wanted.flatMap(([prefix, to]) => {
    const found = candidates.filter(each => each.pod.name.startsWith(prefix))
    expect(found.length, prefix).toBeGreaterThan(0)
    return found.map(candidate => ({
      candidate,
      to,
      action: isSurge(state, input.policy, candidate) ? ('surge' as const) : ('evict' as const),
    }))
  })
  const { moves, blocked } = await sequenceMoves(input, intents, { budgets, snapshotHash: 'sha256:test' })
  return {
    moves: moves.map(move => `${move.wave} ${move.workload.name} → ${move.to} (${move.action})`),
    blocked: blocked.map(each => `${each.intent.candidate.workload.name}: ${each.why}: ${each.detail}`),
    certificates: moves.map(move => move.certificate),
  }
}

const movable = (options: Partial<WorkloadOptions> & Pick<WorkloadOptions, 'on'>): WorkloadOptions => ({
  owner: 'descheduler',
  budget: { maxUnavailable: 1 },
  ...options,
})

test('stateless before stateful, large before small, a workload once a wave', async () => {
  const objects = [
    node('a'),
    node('b'),
    ...workload('shop/small', movable({ on: ['a', 'a'], cpu: 50 })),
    ...workload('shop/large', movable({ on: ['a', 'a'], cpu: 500 })),
    ...workload('shop/state', movable({ kind: 'StatefulSet', on: ['a', 'a'], cpu: 700 })),
  ]
  expect(
    (
      await check(objects, [
        ['small', 'b'],
        ['state', 'b'],
        ['large', 'b'],
      ])
    ).moves,
  ).toEqual([
    '1 large → b (evict)',
    '1 small → b (evict)',
    '1 state → b (evict)',
    '2 large → b (evict)',
    '2 small → b (evict)',
    '2 state → b (evict)',
  ])
})

test('what needs the room of a pod that leaves waits for the next wave', async () => {
  const objects = [
    node('a', { cpu: 1000 }),
    node('b', { cpu: 1000 }),
    node('c', { cpu: 1000 }),
    ...workload('shop/first', movable({ on: ['b', 'b'], cpu: 450 })),
    ...workload('shop/second', movable({ on: ['a', 'a'], cpu: 300 })),
  ]
  const { moves, blocked } = await check(objects, [
    ['first', 'c'],
    ['second', 'b'],
  ])
  expect(moves).toEqual(['1 first → c (evict)', '2 first → c (evict)', '2 second → b (evict)', '3 second → b (evict)'])
  expect(blocked).toEqual([])
})

test('two full nodes that wait for each other have no safe order', async () => {
  const objects = [
    node('a', { cpu: 1000 }),
    node('b', { cpu: 1000 }),
    ...workload('shop/left', movable({ on: ['a'], cpu: 600 })),
    ...workload('shop/right', movable({ on: ['b'], cpu: 600 })),
  ]
  const { moves, blocked } = await check(objects, [
    ['left', 'b'],
    ['right', 'a'],
  ])
  expect(moves).toEqual([])
  expect(blocked).toEqual(['left: order: cpu on b', 'right: order: cpu on a'])
})

test('anti-affinity of what is there already refuses; its own pod that leaves does not', async () => {
  const term = { labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'apart' } }, topologyKey: 'kubernetes.io/hostname' }
  const spec = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } }
  const objects = [node('a'), node('b'), node('c'), ...workload('shop/apart', movable({ on: ['a', 'b'], spec }))]
  expect((await check(objects, [['apart-abcde12345-xxxx0', 'b']])).blocked).toEqual([
    "apart: refused: node(s) didn't match pod anti-affinity rules",
  ])
  expect((await check(objects, [['apart-abcde12345-xxxx0', 'c']])).moves).toEqual(['1 apart → c (evict)'])
})

test('a hard spread holds under hold too, where the gate would let the scheduler forget it', async () => {
  const constraint = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'even' } },
  }
  const spec = { topologySpreadConstraints: [constraint] }
  const objects = [node('a'), node('b'), node('c'), ...workload('shop/even', movable({ on: ['a', 'b'], spec }))]
  expect((await check(objects, [['even-abcde12345-xxxx0', 'b']])).blocked).toEqual([
    "even: refused: node(s) didn't match pod topology spread constraints",
  ])
  expect((await check(objects, [['even-abcde12345-xxxx0', 'c']])).moves).toEqual(['1 even → c (evict)'])
})

test('the budget is in the certificate of an eviction, as it is at that step', async () => {
  const objects = [node('a'), node('b'), ...workload('shop/web', movable({ on: ['a', 'a', 'a'], budget: { minAvailable: 1 } }))]
  const { certificates } = await check(objects, [
    ['web-abcde12345-xxxx0', 'b'],
    ['web-abcde12345-xxxx1', 'b'],
  ])
  const budget = { name: 'web', expected: 3, desired: 1, healthyBefore: 3, healthyAfter: 2, allowedBefore: 2, allowedAfter: 1 }
  expect(certificates.map(certificate => certificate.budget)).toEqual([budget, budget])
  expect(certificates.map(certificate => certificate.freeAfter['cpu'])).toEqual([3900, 3800])
})

test('observe moves a pod only where the scheduler would put it by itself', async () => {
  const objects = [
    node('a'),
    node('b'),
    node('c'),
    ...workload('shop/web', movable({ on: ['a', 'a'] })),
    ...workload('shop/load', { on: ['b', 'b'], cpu: 900 }),
  ]
  expect((await check(objects, [['web-abcde12345-xxxx0', 'c']], { landing: 'observe' })).moves).toEqual(['1 web → c (evict)'])
  expect((await check(objects, [['web-abcde12345-xxxx0', 'b']], { landing: 'observe' })).blocked).toEqual(['web: landing: c'])
  expect((await check(objects, [['web-abcde12345-xxxx0', 'b']], { landing: 'prefer' })).moves).toEqual(['1 web → b (evict)'])
})

test('one soft taint steers to one node: under prefer a wave has one destination', async () => {
  const objects = [
    node('a'),
    node('b'),
    node('c'),
    ...workload('shop/one', movable({ on: ['a', 'a'] })),
    ...workload('shop/two', movable({ on: ['a', 'a'], cpu: 90 })),
  ]
  const wanted = [
    ['one-abcde12345-xxxx0', 'b'],
    ['two-abcde12345-xxxx0', 'c'],
  ] as const
  expect((await check(objects, wanted, { landing: 'prefer' })).moves).toEqual(['1 one → b (evict)', '2 two → c (evict)'])
  expect((await check(objects, wanted, { landing: 'hold' })).moves).toEqual(['1 one → b (evict)', '1 two → c (evict)'])
})

test('a surge that its own spread forbids becomes an eviction', async () => {
  const constraint = {
    maxSkew: 1,
    topologyKey: 'zone',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'single' } },
  }
  const objects = [
    node('a', { labels: { zone: 'x' } }),
    node('b', { labels: { zone: 'x' } }),
    node('c', { labels: { zone: 'y' } }),
    ...workload('shop/single', movable({ on: ['a'], spec: { topologySpreadConstraints: [constraint] } })),
  ]
  expect((await check(objects, [['single', 'b']])).moves).toEqual(['1 single → b (evict)'])
  expect((await check(objects, [['single', 'c']])).moves).toEqual(['1 single → c (surge)'])
})

describe('how a pod goes', () => {
  const exclusive = { spec: claimVolume('data') }
  const volume = boundVolume('shop', 'data', { volume: 'disk' })
  const shared = boundVolume('shop', 'data', { volume: 'disk', accessModes: ['ReadWriteMany'] })
  // biome-ignore format: a table
  const cases: readonly (readonly [string, Partial<WorkloadOptions>, readonly KubeObject[], Omit<PartialPolicy, 'name'>, string])[] = [
    ['the only replica of a Deployment',            {}, [], {}, 'surge'],
    ['one of two',                                  { on: ['a', 'a'] }, [], {}, 'evict'],
    ['a StatefulSet',                               { kind: 'StatefulSet' }, [], {}, 'evict'],
    ['where the policy evicts',                     {}, [], { singleReplica: 'evict' }, 'evict'],
    ['a Deployment that recreates',                 { strategy: { type: 'Recreate' } }, [], {}, 'evict'],
    ['a Deployment that lets its pod go first',     { strategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } } }, [], {}, 'evict'],
    ['a percentage that rounds down to none',       { strategy: { rollingUpdate: { maxUnavailable: '50%', maxSurge: 1 } } }, [], {}, 'surge'],
    ['neither surge nor unavailable',               { strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 0 } } }, [], {}, 'evict'],
    ['a volume that one node keeps to itself',      exclusive, volume, {}, 'evict'],
    ['a volume that many share',                    exclusive, shared, {}, 'surge'],
  ]
  test.each(cases)('%s', async (_, options, others, policy, action) => {
    const objects = [node('a'), node('b'), ...workload('shop/web', movable({ on: ['a'], ...options })), ...others]
    const { moves } = await check(objects, [['web', 'b']], policy)
    expect(moves[0]).toBe(`1 web → b (${action})`)
  })
})
