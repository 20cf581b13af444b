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
import { acceptance } from './acceptance.ts'
import { leastLikely } from './landing.ts'
import { mostMovesOf } from './plan-size.ts'
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
  test('in a cluster of 99 nodes is led to one', async () => {
    const pods = workload('shop/web', movable(['n000', 'n098']))
    const { moves } = await played(cluster({ count: 99, full: 0, pods }), { web: 'n050' })
    expect(moves.map(({ acceptable }) => acceptable)).toEqual([['n050']])
  })

  test('in one of 200 may land wherever the policy lets it: not where it is, nor on what is full', async () => {
    const { moves, closedNodes, blocked } = await played(cluster({ count: 200, full: 40, pods: web }), { web: 'n150' })
    expect(blocked).toEqual([])
    const [first] = moves
    expect(first).toMatchObject({ acceptable: ['n150'], closed: 41 })
    // The source and those that are full.
    expect(closedNodes).toEqual(Array.from({ length: 41 }, (_, at) => nameOf(at)))
    // Wherever the scheduler begins to look, it finds one of the open ones.
    expect(moves.map(({ certificate }) => certificate.landing)).toEqual(
      [158, 157].map(count => ({
        ...{ mode: 'prefer', nodes: [], totals: {} },
        many: { count, feasible: 200, digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
      })),
    )
  })

  test('moves by chance where so many nodes are full that the scheduler may find no other, but hardly does', async () => {
    const spread = Array.from({ length: 200 }, (_, at) => nameOf(at)).filter((_, at) => at > 0 && at % 5 < 3 && at !== 150)
    const full = spread.flatMap((name, at) => workload(`shop/full-${at}`, { kind: 'DaemonSet', cpu: 3_300, on: [name] }))
    const { moves } = await played(cluster({ count: 200, full: 0, pods: [...web, ...full] }), { web: 'n150' })
    const likely = moves.map(({ certificate }) => certificate.landing.likely ?? 1)
    // The scheduler finds 100 of 200 nodes, in a row or otherwise; some 80 are open, two of five in a row.
    expect(likely).toHaveLength(2)
    for (const one of likely) expect(one).toBeGreaterThan(0.999_999)
  })

  test('does not move where so many full ones stand in a row that it may see no other', async () => {
    const { moves, blocked } = await played(cluster({ count: 200, full: 120, pods: web }), { web: 'n150' })
    expect([moves, blocked.map(({ why }) => why)]).toEqual([[], ['landing', 'landing']])
  })

  test('does not move where that is not probable enough', async () => {
    const { moves, blocked } = await played(cluster({ count: 200, full: 192, pods: web }), { web: 'n199' })
    expect(1 - 0.5 ** 7).toBeLessThan(leastLikely)
    expect([moves, blocked.map(({ why }) => why)]).toEqual([[], ['landing', 'landing']])
  })

  test('does not move where more nodes would have to be tainted than a plan closes', async () => {
    const { moves, blocked } = await played(cluster({ count: 1_200, full: 1_050, pods: web }), { web: 'n1150' })
    expect([moves, blocked.map(({ why }) => why)]).toEqual([[], ['landing', 'landing']])
  })

  const apart = (topologyKey: string) => ({
    spec: {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey, labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'web' } } },
          ],
        },
      },
    },
  })
  const spread = (topologyKey: string) => ({
    spec: {
      topologySpreadConstraints: [
        {
          ...{ maxSkew: 1, topologyKey, whenUnsatisfiable: 'DoNotSchedule' },
          labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'web' } },
        },
      ],
    },
  })

  test.each([
    ['that stands with no other of its kind', apart('kubernetes.io/hostname')],
    ['that is spread evenly over nodes', spread('kubernetes.io/hostname')],
  ])('%s may land on any that has none', async (_what, options) => {
    const pods = workload('shop/web', movable(['n000', 'n100'], options))
    const { moves, closedNodes } = await played(cluster({ count: 200, full: 3, pods }), { web: 'n150' })
    expect(moves.map(({ closed }) => closed)).toEqual([4])
    expect(closedNodes).toEqual(['n000', 'n001', 'n002', 'n003'])
  })

  test('that is spread evenly over zones may land in the zone that was chosen for it, and in no other', async () => {
    const zoned = cluster({ count: 200, full: 0, pods: workload('shop/web', movable(['n000', 'n101'], spread('zone'))) })
    const objects = zoned.map((object, at) =>
      object.kind === 'Node'
        ? { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, zone: at % 2 === 0 ? 'a' : 'b' } } }
        : object,
    )
    const { state } = buildClusterState(objects)
    const zoneOf = (node: string) => state.nodes.get(node)?.object.metadata.labels?.['zone']
    const { moves } = await played(objects, { web: 'n150' })
    expect(moves).toHaveLength(1)
    expect(new Set(moves[0]?.acceptable.map(zoneOf))).toEqual(new Set([zoneOf('n150')]))
    expect(moves[0]?.acceptable.length).toBeGreaterThan(90)
  })

  test('that is wished somewhere may land where it is wished, and nowhere else', async () => {
    const nodes = Array.from({ length: 130 }, (_, at) => nameOf(60 + at))
    const preferences = [{ namespaces: ['shop'], nodes }]
    const { moves } = await played(cluster({ count: 200, full: 0, pods: web }), { web: 'n150' }, { preferences })
    expect(moves[0]?.acceptable.toSorted()).toEqual(nodes)
  })

  test('that is to fill a node is led to that one, or not at all', async () => {
    const goals = [light, { ...light, name: 'use', nodes: ['n150'], max: undefined, min: 10 }]
    const { moves } = await played(
      cluster({ count: 200, full: 0, pods: web }),
      { web: 'n150' },
      { goals: goals as PartialPolicy['goals'] & object },
    )
    expect(moves).toEqual([])
  })
})

test('nodes that later moves need all of stay out of the sets of earlier ones', async () => {
  // The last node has just so much free as the large one will ask for.
  const pods = [
    ...workload('shop/web', movable(['n000', 'n100'])),
    ...workload('shop/large', movable(['n000', 'n100'], { cpu: 400 })),
    ...workload('shop/there', { kind: 'DaemonSet', cpu: 3_000, on: ['n199'] }),
  ]
  const { moves, closedNodes } = await played(cluster({ count: 200, full: 0, pods }), { web: 'n150', large: 'n199' })
  expect(moves.map(({ workload: { name }, to }) => [name, to])).toEqual([
    ['web', 'n150'],
    ['large', 'n199'],
  ])
  const [first] = moves
  expect(first && acceptance({ closedNodes }, first)('n199')).toBe(false)
})

test('moves of one wave share their set', async () => {
  const pods = [
    ...workload('shop/web', movable(['n000', 'n100'])),
    ...workload('shop/api', movable(['n000', 'n100'], { cpu: 300 })),
  ]
  const { moves } = await played(cluster({ count: 200, full: 0, pods }), { web: 'n150', api: 'n160' })
  expect(moves.map(({ wave }) => wave)).toEqual([1, 1])
  expect(moves.map(({ acceptable, closed }) => [acceptable, closed])).toEqual([
    [['n150'], 1],
    [['n160'], 1],
  ])
})

test.each([
  [4, 642],
  [99, 346],
  [100, 666],
  [5_000, 666],
])('a plan of %i nodes has at most %i moves', (nodes, most) => {
  expect(mostMovesOf(Array.from({ length: nodes }, (_, at) => nameOf(at)))).toBe(most)
})
