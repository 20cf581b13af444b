// Plans with each kind of goal over several nodes, and one whose order has a stop on the way, carried out by the controller: they end as
// they were foretold.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { controlledCluster } from './controlled-cluster.ts'
import { carriedOut, pastPlan } from './foretold-cluster.ts'
import { node, type SmallWorkload, smallWorkload } from './small-cluster.ts'

const policyName = 'kinds'
const zone = 'topology.kubernetes.io/zone'

type Labels = Readonly<Record<string, string>>
type Fields = Readonly<Record<string, unknown>>

function labelled(name: string, labels: Labels): KubeObject {
  const made = node(name)
  return { ...made, metadata: { ...made.metadata, labels: { ...made.metadata.labels, ...labels } } }
}

/** Everything has been there for two days. */
const aged = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, creationTimestamp: '2026-02-28T00:00:00Z' },
})

interface Given {
  readonly nodes: readonly KubeObject[]
  readonly workloads: readonly SmallWorkload[]
  readonly spec: Fields
  /** Landings are held by the webhook. */
  readonly hold?: boolean
}

function clusterOf({ nodes, workloads, spec, hold = false }: Given) {
  const policy = {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: policyName },
    spec: {
      trigger: 'manual',
      mode: 'Auto',
      landing: hold ? 'hold' : 'prefer',
      objective: 'moves',
      limits: { perPlan: 30, perHour: 30, concurrent: 1 },
      ...spec,
    },
  }
  const shop = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', uid: 'namespace-shop' } }
  const objects = [...nodes, shop, ...workloads.flatMap(one => smallWorkload(one))].map(aged)
  return controlledCluster({ objects: [...objects, policy, pastPlan(policyName)], hold })
}

const times = (count: number, name: string): readonly string[] => Array.from({ length: count }, () => name)

/** 80 and 20 % of the first zone, nothing in the second; then a disk that only two have. */
const zoned = ['a', 'b', 'c', 'd'].map((name, at) =>
  labelled(name, { pool: 'general', [zone]: at < 2 ? 'z1' : 'z2', ...(at < 2 ? { disk: 'ssd' } : {}) }),
)
const web: SmallWorkload = { name: 'web', cpu: '400m', on: times(8, 'a'), owner: 'descheduler' }
const fixed: SmallWorkload = { name: 'fixed', cpu: '400m', on: times(2, 'b'), owner: 'none' }
/** What needs the disk could not all run on the other node that has one. */
const crowded: readonly SmallWorkload[] = [
  { name: 'db', cpu: '1200m', on: times(2, 'a'), owner: 'none', nodeSelector: { disk: 'ssd' } },
  { name: 'web', cpu: '800m', on: times(3, 'b'), owner: 'descheduler' },
]
const pool = { label: zone }

// biome-ignore format: a table
const kinds: readonly (readonly [what: string, goal: Fields, least: number])[] = [
  ['each node of a pool',         { pool: { label: 'pool', values: ['general'] }, resource: 'cpu', max: 61 }, 2],
  ['the sum of a zone',           { pool, per: 'together', resource: 'cpu', max: 36 },                        3],
  ['the spread of all nodes',     { resource: 'cpu', spread: { max: 21 } },                                   4],
  ['the spread of zones',         { pool, per: 'together', resource: 'cpu', spread: { max: 21 } },            3],
  ['the mean deviation',          { resource: 'cpu', deviation: { max: 11 } },                                3],
  ['the loss of any node',        { survives: 'node' },                                                       2],
]

test.each(kinds)('%s: the goal is met as foretold', { timeout: 240_000 }, async (_, goal, least) => {
  const workloads = 'survives' in goal ? crowded : [web, fixed]
  for (const hold of [false, true]) {
    await using cluster = await clusterOf({ nodes: zoned, workloads, spec: { goals: [{ name: 'goal', ...goal }] }, hold })
    const { comparison, proposed, ended } = await carriedOut(cluster, policyName)
    expect([hold, comparison.differences]).toEqual([hold, []])
    expect(proposed.spec.moves.length).toBeGreaterThanOrEqual(least)
    expect(ended.status?.phase).toBe('Succeeded')
    expect(new Set(ended.status?.goals?.map(({ outcome }) => outcome))).toEqual(new Set(['met']))
  }
})

/** Full but for 100m on n2 and 300m on n3, where nothing more may stay. What has 400m on n1 has to change places with 300m on n2. */
const ring: Given = {
  nodes: ['n1', 'n2', 'n3', 'n4'].map(node),
  workloads: [
    { name: 'large', cpu: '400m', on: ['n1', 'n4'], owner: 'descheduler' },
    { name: 'small', cpu: '300m', on: ['n2', 'n4'], owner: 'descheduler' },
    { name: 'fixed', cpu: '3600m', on: ['n1', 'n2'], owner: 'none' },
    { name: 'more', cpu: '3700m', on: ['n3'], owner: 'none' },
    { name: 'most', cpu: '3300m', on: ['n4'], owner: 'none' },
  ],
  spec: {
    headroom: { cpu: 100 },
    goals: [
      { name: 'light', nodes: ['n1'], resource: 'cpu', margin: 0, max: 98 },
      { name: 'spare', nodes: ['n3'], resource: 'cpu', max: 95 },
    ],
  },
  hold: true,
}

test('a plan whose order has a stop on the way is carried out to its foretold end', { timeout: 240_000 }, async () => {
  await using cluster = await clusterOf(ring)
  const { comparison, proposed, ended } = await carriedOut(cluster, policyName)
  expect(comparison.differences).toEqual([])
  const { moves } = proposed.spec
  const [onwards] = moves.filter(({ follows }) => follows !== undefined)
  expect(moves.find(({ id }) => id === onwards?.follows)?.to).toBe('n3')
  expect([moves.length, onwards?.from, onwards?.to]).toEqual([3, 'n3', 'n1'])
  expect(ended.status?.goals?.map(({ name, outcome }) => [name, outcome])).toEqual([
    ['light', 'met'],
    ['spare', 'met'],
  ])
  expect((ended.status?.steps ?? []).map(({ state }) => state)).toEqual(['Landed', 'Landed', 'Landed'])
})
