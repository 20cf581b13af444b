// Plans that undo moves: certified as any plan, each pod back to its node or left with its reason.
import { afterAll, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { runsOf } from '#test/runs.ts'
import { policyWithDefaults } from './goals/policy.ts'
import { makePlan } from './plan.ts'
import { planRollBack, type WayBack } from './roll-back.ts'
import { solveInChild } from './solving/solve.ts'
import { namespace, node, workload } from './testdata/objects.ts'
import { randomCluster } from './testdata/random-cluster.ts'
import { verifyPlan } from './verifier/verify.ts'

const settings = defaultSettings('1.34')
const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

const keyOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`

/** `objects` with pods on other nodes. */
function moved(objects: readonly KubeObject[], places: ReadonlyMap<string, string>): readonly KubeObject[] {
  return objects.map(object => {
    const nodeName = object.kind === 'Pod' ? places.get(keyOf(object)) : undefined
    return nodeName === undefined ? object : { ...object, spec: { ...(object['spec'] as object), nodeName } }
  })
}

function backOn(objects: readonly KubeObject[], ways: readonly WayBack[], landing: 'hold' | 'prefer' = 'hold') {
  const { state } = buildClusterState(objects)
  const policy = policyWithDefaults({
    name: 'back',
    landing,
    goals: [{ name: 'light', nodes: ['n1'], resource: 'cpu', stat: 'requests', max: 10, margin: 0, hard: false }],
  })
  return planRollBack({ state, policy, settings, nowMs: 0 }, ways)
}

test('what random plans moved can be taken back in the reverse order, and the verifier agrees with every number', async () => {
  const counts = { ways: 0, back: 0 }
  const runs = runsOf(40)
  for (let seed = 1; seed <= runs; seed++) {
    const { objects, goals } = randomCluster(seed, { nodes: [3, 6], mostPods: 30 })
    const policy = policyWithDefaults({ name: 'random', objective: 'moves', goals, landing: 'hold' })
    const input = { state: buildClusterState(objects).state, policy, settings, nowMs: 0 }
    const plan = await makePlan(input, session.solve, new AbortController().signal)
    const first = plan.moves.filter(({ follows }) => follows === undefined)
    const ways = first.map(({ pod, from }) => ({ pod: `${pod.namespace}/${pod.name}`, to: from })).toReversed()
    const standing = moved(objects, new Map(plan.moves.map(({ pod, to }) => [`${pod.namespace}/${pod.name}`, to])))
    const back = await planRollBack({ ...input, state: buildClusterState(standing).state }, ways)
    expect(verifyPlan(back, standing, settings), `seed ${seed}`).toEqual([])
    const told = [...back.moves, ...back.unmovable].map(({ pod }) => `${pod.namespace}/${pod.name}`)
    expect(told.toSorted(), `seed ${seed}`).toEqual(ways.map(({ pod }) => pod).toSorted())
    const targets = new Map(ways.map(({ pod, to }) => [pod, to]))
    for (const { pod, to } of back.moves) expect(to, `seed ${seed}`).toBe(targets.get(`${pod.namespace}/${pod.name}`))
    counts.ways += ways.length
    counts.back += back.moves.length
  }
  expect(counts.ways).toBeGreaterThan(runs)
  // The others stood where the scheduler would not have put them: with more pods than the node takes, say.
  expect(counts.back).toBeGreaterThan(counts.ways / 2)
})

const shop = (
  options: Partial<Parameters<typeof workload>[1]> = {},
  more: readonly KubeObject[] = [],
  n1: Parameters<typeof node>[1] = {},
) => [
  namespace('shop'),
  node('n1', n1),
  node('n2'),
  ...workload('shop/a', { on: ['n2', 'n2'], owner: 'descheduler', budget: { maxUnavailable: 1 }, cpu: 500, ...options }),
  ...more,
]
const [podA, podB] = shop()
  .filter(({ kind }) => kind === 'Pod')
  .map(keyOf)
const ways = [podA, podB].map(pod => ({ pod: pod ?? '', to: 'n1' }))
const filler = (cpu: number) => workload('shop/filler', { on: ['n1'], cpu })

// biome-ignore format: a table
test.each<[string, readonly KubeObject[], readonly string[]]>([
  ['both go, one after the other',       shop(),                                                     ['m01 1', 'm02 2']],
  ['although its goal is missed then',   shop({ cpu: 1500 }),                                        ['m01 1', 'm02 2']],
  ['to a node above the headroom',       shop({}, filler(3000)),                                     ['m01 1', 'm02 2']],
  ['there is room for one',              shop({}, filler(3100)),                                     ['m01 1', 'NoFeasibleNode no room for its cpu on n1']],
  ['there is room for none',             shop({}, filler(3900)),                                     ['NoFeasibleNode no room for its cpu on n1', 'NoFeasibleNode no room for its cpu on n1']],
  ['a budget that can never allow it',   shop({ budget: { maxUnavailable: 0 } }),                    ['PDBNeverAllows ', 'PDBNeverAllows ']],
  ['without a budget',                   shop({}, []).filter(({ kind }) => kind !== 'PodDisruptionBudget'), ['NoPDB ', 'NoPDB ']],
  ['somebody gave it to KEDA since',     shop({ owner: 'keda' }),                                    ['KedaManaged ', 'KedaManaged ']],
  ['a taint keeps it out',               shop({}, [], { taints: [{ key: 'only', value: 'db', effect: 'NoSchedule' }] }), Array(2).fill('NoFeasibleNode 1 node(s) had untolerated taint(s)')],
  ['its node is cordoned',               shop({}, [], { unschedulable: true }),                      Array(2).fill('NoFeasibleNode ')],
])('%s', async (_name, objects, expected) => {
  const plan = await backOn(objects, ways)
  const told = [...plan.moves.map(({ id, wave }) => `${id} ${wave}`), ...plan.unmovable.map(({ code, data }) => `${code} ${data['reasons'] ?? ''}`)]
  expect(told).toEqual(expected)
  expect(verifyPlan(plan, objects, settings)).toEqual([])
})

test('in a large cluster without the webhook nothing is asked back that would land elsewhere', async () => {
  const others = Array.from({ length: 199 }, (_, at) => node(`other-${at}`))
  const plan = await backOn(shop({}, others), ways, 'prefer')
  expect(plan.moves).toEqual([])
  expect(plan.unmovable.map(({ code }) => code)).toEqual(['LandsElsewhere', 'LandsElsewhere'])
})

test('a move of the same day bars the way back for everybody else', async () => {
  const objects = shop().map(object =>
    object.kind === 'Deployment'
      ? { ...object, metadata: { ...object.metadata, annotations: { 'ballast.dev/last-move': 'n1→n2@1970-01-01T00:00:00Z' } } }
      : object,
  )
  expect((await backOn(objects, ways)).moves.length).toBe(2)
})
