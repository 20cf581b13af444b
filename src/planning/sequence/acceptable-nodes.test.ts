// Large clusters, where the scheduler looks at some of the nodes: which nodes are open to a replacement, and that it can land on no other.
import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { Budgets } from '../candidates/budgets.ts'
import { sortPods } from '../candidates/movable.ts'
import { StaticFit } from '../candidates/static-fit.ts'
import { type PartialPolicy, policyWithDefaults } from '../goals/policy.ts'
import type { PlanInput } from '../plan-input.ts'
import { namespace, node, type WorkloadOptions, workload } from '../testdata/objects.ts'
import { mostMovesOf } from './acceptable-nodes.ts'
import { sequenceMoves } from './sequence.ts'

const settings = defaultSettings('1.34')
const nameOf = (at: number) => `n${String(at).padStart(3, '0')}`
const light = { name: 'light', nodes: ['n000'], resource: 'cpu', stat: 'requests', max: 70, margin: 0, hard: false } as const
const movable = (on: readonly string[], options: Partial<WorkloadOptions> = {}): WorkloadOptions => ({
  ...{ owner: 'descheduler', budget: { maxUnavailable: 2 }, cpu: 500, on },
  ...options,
})

/** `count` nodes of 4,000m; `full` of them, from the second on, are at their headroom. */
function cluster({ count, full, pods }: { readonly count: number; readonly full: number; readonly pods: readonly KubeObject[] }) {
  const names = Array.from({ length: count }, (_, at) => nameOf(at))
  return [
    namespace('shop'),
    ...names.map(name => node(name)),
    ...names.slice(1, 1 + full).flatMap((name, at) => workload(`shop/full-${at}`, { kind: 'DaemonSet', cpu: 3_300, on: [name] })),
    ...pods,
  ]
}

/** Plays `workload → node` for all pods of the first node. */
function played(
  objects: readonly KubeObject[],
  wanted: Readonly<Record<string, string>>,
  policy: Omit<PartialPolicy, 'name'> = {},
) {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  const input: PlanInput = { state, policy: policyWithDefaults({ name: 'p', goals: [light], ...policy }), settings, nowMs: 0 }
  const budgets = Budgets.of(state, 0)
  const { candidates } = sortPods(input, { budgets, fit: new StaticFit(state, settings) })
  const intents = candidates.flatMap(candidate => {
    const to = wanted[candidate.workload.name]
    return candidate.from === 'n000' && to !== undefined ? [{ candidate, to, action: 'evict' as const }] : []
  })
  return sequenceMoves(input, intents, { budgets, snapshotHash: 'sha256:test' })
}

const web = workload('shop/web', movable(['n000', 'n000', 'n100']))

describe('a pod of a node that is too full', () => {
  test('in a cluster of 99 nodes is led to one', () => {
    const pods = workload('shop/web', movable(['n000', 'n098']))
    const { moves } = played(cluster({ count: 99, full: 0, pods }), { web: 'n050' })
    expect(moves.map(({ acceptable }) => acceptable)).toEqual([['n050']])
  })

  test('in one of 200 may land wherever the policy lets it: not where it is, nor on what is full', () => {
    const { moves, blocked } = played(cluster({ count: 200, full: 40, pods: web }), { web: 'n150' })
    expect(blocked).toEqual([])
    const [first] = moves
    expect(first?.acceptable[0]).toBe('n150')
    expect(first?.acceptable.toSorted()).toEqual(Array.from({ length: 159 }, (_, at) => nameOf(41 + at)))
    // Wherever the scheduler begins to look, it finds one of them.
    for (const { acceptable, certificate } of moves)
      expect(certificate.landing.nodes.filter(name => !acceptable.includes(name))).toEqual([])
  })

  test('does not move where too many nodes are full for the scheduler to find one that is not', () => {
    const { moves, blocked } = played(cluster({ count: 200, full: 120, pods: web }), { web: 'n150' })
    expect([moves, blocked.map(({ why }) => why)]).toEqual([[], ['landing', 'landing']])
  })

  test.each([
    [
      'that stands with no other of its kind',
      {
        spec: {
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'web' } } },
              ],
            },
          },
        },
      },
    ],
    [
      'that is spread evenly',
      {
        spec: {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'web' } },
            },
          ],
        },
      },
    ],
  ])('%s is led to one, or not at all', (_what, options) => {
    const pods = workload('shop/web', movable(['n000', 'n100'], options))
    const { moves, blocked } = played(cluster({ count: 200, full: 0, pods }), { web: 'n150' })
    expect([moves, blocked.map(({ why }) => why)]).toEqual([[], ['landing']])
  })

  test('that is wished somewhere may land where it is wished, and nowhere else', () => {
    const nodes = Array.from({ length: 130 }, (_, at) => nameOf(60 + at))
    const preferences = [{ namespaces: ['shop'], nodes }]
    const { moves } = played(cluster({ count: 200, full: 0, pods: web }), { web: 'n150' }, { preferences })
    expect(moves[0]?.acceptable.toSorted()).toEqual(nodes)
  })

  test('that is to fill a node is led to that one, or not at all', () => {
    const goals = [light, { ...light, name: 'use', nodes: ['n150'], max: undefined, min: 10 }]
    const { moves } = played(
      cluster({ count: 200, full: 0, pods: web }),
      { web: 'n150' },
      { goals: goals as PartialPolicy['goals'] & object },
    )
    expect(moves).toEqual([])
  })
})

test('nodes that later moves need all of stay out of the sets of earlier ones', () => {
  // The last node has just so much free as the large one will ask for.
  const pods = [
    ...workload('shop/web', movable(['n000', 'n100'])),
    ...workload('shop/large', movable(['n000', 'n100'], { cpu: 400 })),
    ...workload('shop/there', { kind: 'DaemonSet', cpu: 3_000, on: ['n199'] }),
  ]
  const { moves } = played(cluster({ count: 200, full: 0, pods }), { web: 'n150', large: 'n199' })
  expect(moves.map(({ workload: { name }, to }) => [name, to])).toEqual([
    ['web', 'n150'],
    ['large', 'n199'],
  ])
  expect(moves[0]?.acceptable).not.toContain('n199')
})

test('moves of one wave share their set', () => {
  const pods = [
    ...workload('shop/web', movable(['n000', 'n100'])),
    ...workload('shop/api', movable(['n000', 'n100'], { cpu: 300 })),
  ]
  const { moves } = played(cluster({ count: 200, full: 0, pods }), { web: 'n150', api: 'n160' })
  expect(moves.map(({ wave }) => wave)).toEqual([1, 1])
  const [first, second] = moves.map(({ acceptable }) => acceptable.toSorted())
  expect(second).toEqual(first)
})

test.each([
  ['prefer', 99, Number.POSITIVE_INFINITY],
  ['prefer', 200, 150],
  ['prefer', 500, 60],
  ['prefer', 501, Number.POSITIVE_INFINITY],
  ['hold', 500, Number.POSITIVE_INFINITY],
] as const)('a plan under %s of %i nodes has at most %d moves', (landing, nodes, most) => {
  expect(mostMovesOf({ landing }, nodes)).toBe(most)
})
