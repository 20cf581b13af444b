import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject, ManagedFieldsEntry } from '#kube/objects/objects.ts'
import { unschedulable } from '../observed/unschedulable-pods.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { type ArbiterPolicy, defaultPolicy } from '../policy/arbiter-policy.ts'
import { drain, minute, node as nodeTarget, nowMs, permit } from '../policy/testdata/question.ts'
import { contestOf, drainsThatGiveWay } from './giving-way.ts'

const text = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')

interface NodeOptions {
  readonly cpu?: string
  readonly labels?: Readonly<Record<string, string>>
  /** Minutes ago; the drains here were asked for a minute ago. */
  readonly cordoned?: number
  readonly taints?: readonly { key: string; effect: string }[]
}

function node(name: string, { cpu = '1', labels = {}, cordoned, taints = [] }: NodeOptions = {}): KubeObject {
  const isCordoned = cordoned !== undefined
  const entry: ManagedFieldsEntry = {
    manager: 'outsider',
    operation: 'Update',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': { 'f:unschedulable': {} } },
    time: text(nowMs - (cordoned ?? 0) * minute),
  }
  const ofCordon = isCordoned ? [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] : []
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: `uid-${name}`,
      labels: { 'kubernetes.io/hostname': name, ...labels },
      ...(isCordoned ? { managedFields: [entry] } : {}),
    },
    spec: { taints: [...taints, ...ofCordon], ...(isCordoned ? { unschedulable: true } : {}) },
    status: { allocatable: { cpu, memory: '8Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

interface PodOptions {
  readonly on?: string
  readonly cpu?: string
  /** Seconds. */
  readonly waits?: number
  readonly priority?: number
  readonly reason?: string
  readonly selector?: Readonly<Record<string, string>>
  readonly tolerates?: string
  readonly owner?: string
  /** Seconds ago. */
  readonly created?: number
}

function pod(name: string, options: PodOptions = {}): KubeObject {
  const {
    on,
    cpu = '600m',
    waits = 90,
    priority = 0,
    reason = 'Unschedulable',
    selector,
    tolerates,
    owner,
    created = 900,
  } = options
  const scheduled = { type: 'PodScheduled', status: 'False', reason, lastTransitionTime: text(nowMs - waits * 1_000) }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      creationTimestamp: text(nowMs - created * 1_000),
      ...(owner === undefined
        ? {}
        : {
            ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: owner, uid: `uid-${owner}`, controller: true }],
          }),
    },
    spec: {
      priority,
      containers: [{ name: 'main', image: 'x', resources: { requests: { cpu } } }],
      ...(on === undefined ? {} : { nodeName: on }),
      ...(selector === undefined ? {} : { nodeSelector: selector }),
      ...(tolerates === undefined ? {} : { tolerations: [{ key: tolerates, operator: 'Exists' }] }),
    },
    status: on === undefined ? { phase: 'Pending', conditions: [scheduled] } : { phase: 'Running' },
  }
}

/** A drain of these nodes, out since a minute. */
function draining(names: string | readonly string[], change: Partial<PermitRecord> = {}): PermitRecord {
  const list = typeof names === 'string' ? [names] : names
  const { proof: _, ...asked } = drain
  const own = { ...asked, requester: 'outsider', batch: undefined, name: `drain-${list.join('-')}`, namespace: 'ballast-system' }
  return permit({ ...own, targets: list.map(nodeTarget), nodes: list, ...change })
}

function endedIn(context: Parameters<typeof contestOf>[0]): ReturnType<typeof drainsThatGiveWay> {
  const contest = contestOf(context)
  return contest === undefined ? [] : drainsThatGiveWay(context, contest)
}

interface Asked {
  readonly permits: readonly PermitRecord[]
  readonly policy?: Partial<ArbiterPolicy>
}

function decide(objects: readonly KubeObject[], { permits, policy = {} }: Asked): string {
  const { state } = buildClusterState([...objects])
  const waiting = Array.from(state.pods.values()).flatMap(({ object }) => unschedulable(object) ?? [])
  const found = endedIn({ state, permits, waiting, policy: { ...defaultPolicy, ...policy }, nowMs })
  return found.map(one => `${one.permit.name} to ${one.pod.name} on ${one.node}`).join('; ') || 'none'
}

/** n1 and n3 are full, n2 is cordoned since half a minute and half empty. */
const full = [pod('a', { on: 'n1', cpu: '900m' }), pod('c', { on: 'n3', cpu: '900m' }), pod('b', { on: 'n2', cpu: '300m' })]
const three = (n2: NodeOptions = { cordoned: 0.5 }) => [node('n1'), node('n2', n2), node('n3'), ...full]
const big = pod('big')
const n2Drain = draining('n2')
const gives = 'drain-n2 to big on n2'
const ago = (minutes: number) => ({ token: 1, atMs: nowMs - minutes * minute, expiresAtMs: nowMs + 30 * minute })
const moving = permit({
  targets: [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'm', uid: 'uid-m' }],
  relocation: { from: 'n4', to: ['n2'] },
})

describe('a drain of n2 with a pod that fits only there (7.2 case 29)', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], Asked, string]>([
    ['for consolidation',                               [...three(), big],                                                 { permits: [n2Drain] },                                      gives],
    ['for balance',                                     [...three(), big],                                                 { permits: [draining('n2', { class: 'balance' })] },         gives],
    ['to make room: it goes on',                        [...three(), big],                                                 { permits: [draining('n2', { class: 'capacity' })] },        'none'],
    ['for spread: it goes on',                          [...three(), big],                                                 { permits: [draining('n2', { class: 'availability' })] },    'none'],
    ['for isolation: it goes on',                       [...three(), big],                                                 { permits: [draining('n2', { class: 'correctness' })] },     'none'],
    ['because the node fails: it goes on',              [...three(), big],                                                 { permits: [draining('n2', { class: 'safety' })] },          'none'],
    ['that is over',                                    [...three(), big],                                                 { permits: [draining('n2', { releasedAtMs: nowMs })] },      'none'],
    ['of who is only recorded',                         [...three(), big],                                                 { permits: [n2Drain], policy: { modes: { outsider: 'observe' } } }, 'none'],
    ['of who is only coordinated',                      [...three(), big],                                                 { permits: [n2Drain], policy: { modes: { outsider: 'coordinate' } } }, 'none'],
    ['where the gate is switched off',                  [...three(), big],                                                 { permits: [n2Drain], policy: { gates: new Set(['api-slow']) } }, 'none'],
    ['which is not cordoned yet',                       [...three({}), big],                                               { permits: [n2Drain] },                                      gives],
    ['which somebody had cordoned before',              [...three({ cordoned: 5 }), big],                                  { permits: [n2Drain] },                                      'none'],
    ['which somebody else empties for a better reason', [...three(), big],                                                 { permits: [n2Drain, draining('n2', { name: 'other', class: 'safety' })] }, 'none'],
    ['which is about to be switched off',               [...three(), big],                                                 { permits: [n2Drain, draining('n2', { name: 'off', verb: 'terminate' })] }, 'none'],
    ['which carries another taint',                     [...three({ cordoned: 0.5, taints: [{ key: 'x', effect: 'NoSchedule' }] }), big], { permits: [n2Drain] },                       'none'],
    ['which is gone',                                   [node('n1'), pod('a', { on: 'n1', cpu: '900m' }), big],            { permits: [n2Drain] },                                      'none'],
    ['that waits for less than a minute',               [...three(), pod('big', { waits: 60 })],                           { permits: [n2Drain] },                                      'none'],
    ['that is held by a gate of its own',               [...three(), pod('big', { reason: 'SchedulingGated' })],           { permits: [n2Drain] },                                      'none'],
    ['that fits elsewhere too',                         [...three(), node('n4'), big],                                     { permits: [n2Drain] },                                      'none'],
    ['… on a node that is cordoned',                    [...three(), node('n4', { cordoned: 60 }), big],                   { permits: [n2Drain] },                                      gives],
    ['… on one that is drained for a better reason',    [...three(), node('n4'), big],                                     { permits: [n2Drain, draining('n4', { class: 'safety' })] }, gives],
    ['that does not fit there either',                  [...three(), pod('big', { cpu: '800m' })],                         { permits: [n2Drain] },                                      'none'],
    ['… since a move comes there',                      [...three(), node('n4', { cordoned: 60 }), pod('m', { on: 'n4', cpu: '200m' }), big], { permits: [n2Drain, moving] },           'none'],
    ['… whatever runs there',                           [...three(), pod('big', { cpu: '2' })],                            { permits: [n2Drain] },                                      'none'],
    ['that asks for nothing, where nothing is left',    [...three(), pod('f', { on: 'n2', cpu: '700m' }), pod('big', { cpu: '0' })], { permits: [n2Drain, draining('n1', { class: 'safety' }), draining('n3', { class: 'safety' })] }, gives],
    ['that asks for another node',                      [...three(), pod('big', { selector: { 'kubernetes.io/hostname': 'n1' } })], { permits: [n2Drain] },                             'none'],
    ['that asks for this node, though others have room', [...three(), node('n4'), pod('big', { selector: { 'kubernetes.io/hostname': 'n2' } })], { permits: [n2Drain] },                gives],
    ['that a cordon does not keep away',                [...three(), pod('big', { tolerates: 'node.kubernetes.io/unschedulable' })], { permits: [n2Drain] },                            'none'],
    ['that replaces what we move',                      [...three(), pod('big', { owner: 'cart', created: 30 })],          { permits: [n2Drain, permit({ workload: 'shop/Deployment/cart' })] }, 'none'],
    ['that has its node by now',                        [...three(), pod('big', { on: 'n2' })],                            { permits: [n2Drain] },                                      'none'],
    ['none',                                            three(),                                                           { permits: [n2Drain] },                                      'none'],
    ['no drain',                                        [...three(), big],                                                 { permits: [] },                                             'none'],
  ])('%s', (_name, objects, asked, expected) => expect(decide(objects, asked)).toBe(expected))
})

/** n2 and n4 are emptied and take 600m each; nobody else has room. */
const four = [...three(), node('n4', { cordoned: 0.5 }), pod('d', { on: 'n4', cpu: '300m' })]

describe('several', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], Asked, string]>([
    ['drains for one pod: one of them',                    [...four, big],                                            { permits: [n2Drain, draining('n4')] },                                   gives],
    ['… the less urgent',                                  [...four, big],                                            { permits: [n2Drain, draining('n4', { class: 'balance' })] },             'drain-n4 to big on n4'],
    ['… the younger',                                      [...four, big],                                            { permits: [draining('n2', { grant: ago(9) }), draining('n4', { grant: ago(1) })] }, 'drain-n4 to big on n4'],
    ['… that where it fits',                               [...four, pod('e', { on: 'n4', cpu: '300m' }), big],       { permits: [n2Drain, draining('n4', { class: 'balance' })] },             gives],
    ['pods that fit together on the one',                  [...four, pod('x', { cpu: '300m' }), pod('y', { cpu: '300m' })], { permits: [n2Drain, draining('n4')] },                             'drain-n2 to x on n2'],
    ['pods that do not: the first by priority',            [...four, pod('x'), pod('y', { priority: 9 })],            { permits: [n2Drain] },                                                   'drain-n2 to y on n2'],
    ['… then by how long they wait',                       [...four, pod('x', { waits: 70 }), pod('y', { waits: 80 })], { permits: [n2Drain] },                                                 'drain-n2 to y on n2'],
    ['… then by name',                                     [...four, pod('y'), pod('x')],                             { permits: [n2Drain] },                                                   'drain-n2 to x on n2'],
    ['pods for several drains',                            [...four, pod('x'), pod('y')],                             { permits: [n2Drain, draining('n4')] },                                   'drain-n2 to x on n2; drain-n4 to y on n4'],
    ['nodes of one drain: it ends as a whole',             [...four, pod('x'), pod('y')],                             { permits: [draining(['n2', 'n4'])] },                                    'drain-n2-n4 to x on n2'],
    ['pods, one of which takes the room elsewhere',        [...three(), node('n5'), pod('x'), pod('y')],              { permits: [n2Drain] },                                                   'drain-n2 to y on n2'],
  ])('%s', (_name, objects, asked, expected) => expect(decide(objects, asked)).toBe(expected))
})

const classes = ['safety', 'correctness', 'availability', 'capacity', 'cost', 'balance'] as const
const modes = ['observe', 'coordinate', 'enforce'] as const

/** Nodes of 10 units with load, under a drain or not; pods that wait and ask so many units. */
const clusters = fc.record({
  nodes: fc.array(
    fc.record({
      load: fc.nat(10),
      drained: fc.option(fc.record({ of: fc.constantFrom(...classes), by: fc.constantFrom(...modes) })),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  pods: fc.array(
    fc.record({ asks: fc.integer({ min: 1, max: 10 }), waits: fc.integer({ min: 0, max: 200 }), priority: fc.nat(2) }),
    {
      maxLength: 5,
    },
  ),
})

type Cluster = typeof clusters extends fc.Arbitrary<infer T> ? T : never

const units = (amount: number) => `${amount * 100}m`
const nameOf = (at: number) => `n${at + 1}`

function contextOf({ nodes, pods }: Cluster) {
  const objects = [
    ...nodes.map(({ drained }, at) => node(nameOf(at), drained === null ? {} : { cordoned: 0.5 })),
    ...nodes.flatMap(({ load }, at) => (load === 0 ? [] : [pod(`load-${at}`, { on: nameOf(at), cpu: units(load) })])),
    ...pods.map(({ asks, waits, priority }, at) => pod(`p${at}`, { cpu: units(asks), waits, priority })),
  ]
  const { state } = buildClusterState(objects)
  const permits = nodes.flatMap(({ drained }, at) =>
    drained === null ? [] : [draining(nameOf(at), { class: drained.of, requester: drained.by })],
  )
  const waiting = Array.from(state.pods.values()).flatMap(({ object }) => unschedulable(object) ?? [])
  const policy = { ...defaultPolicy, modes: { observe: 'observe', coordinate: 'coordinate' } as const }
  return { state, permits, waiting, policy, nowMs }
}

describe('whatever the cluster', () => {
  test('only what is for cost or balance, and enforced, gives way; each once, and to a pod that has no other place', () => {
    fc.assert(
      fc.property(clusters, cluster => {
        const { nodes, pods } = cluster
        const found = endedIn(contextOf(cluster))
        expect(new Set(found.map(one => one.permit.name)).size).toBe(found.length)
        expect(new Set(found.map(one => one.pod.name)).size).toBe(found.length)
        const ended = new Set<string>()
        for (const { permit: given, pod: to, node: on } of found) {
          expect([given.requester, ['cost', 'balance'].includes(given.class)]).toEqual(['enforce', true])
          const { asks = 0, waits = 0 } = pods[Number(to.name.slice(1))] ?? {}
          expect(waits).toBeGreaterThan(60)
          const fits = nodes.flatMap(({ load }, at) => (load + asks <= 10 ? [nameOf(at)] : []))
          expect(fits).toContain(on)
          // Where it fits by itself, and no drain keeps it away, somebody must have come before it.
          const open = fits.filter(name => nodes[Number(name.slice(1)) - 1]?.drained === null || ended.has(name))
          if (pods.filter(other => other.waits > 60).length === 1) expect(open).toEqual([])
          ended.add(on)
        }
      }),
      { numRuns: 400 },
    )
  })

  test('once they have ended, and the pods have come, nobody else gives way', () => {
    fc.assert(
      fc.property(clusters, cluster => {
        const found = endedIn(contextOf(cluster))
        const after = {
          nodes: cluster.nodes.map(({ load, drained }, at) => {
            const came = found.filter(one => one.node === nameOf(at))
            const more = came.reduce((sum, one) => sum + (cluster.pods[Number(one.pod.name.slice(1))]?.asks ?? 0), 0)
            return { load: load + more, drained: came.length > 0 ? null : drained }
          }),
          pods: cluster.pods.map((one, at) => (found.some(({ pod: to }) => to.name === `p${at}`) ? { ...one, waits: 0 } : one)),
        }
        expect(endedIn(contextOf(after)).map(one => one.permit.name)).toEqual([])
      }),
      { numRuns: 400 },
    )
  })

  test('a pod that waits long enough, alone, and fits only under such drains always gets its place', () => {
    fc.assert(
      fc.property(clusters, cluster => {
        const alone = { ...cluster, pods: cluster.pods.slice(0, 1).map(one => ({ ...one, waits: 90 })) }
        const [{ asks } = { asks: 11 }] = alone.pods
        const fits = alone.nodes.filter(({ load }) => load + asks <= 10)
        const yields = ({ drained }: (typeof fits)[number]) =>
          drained?.by === 'enforce' && ['cost', 'balance'].includes(drained.of)
        const isStuck = fits.some(yields) && fits.every(({ drained }) => drained !== null)
        expect(endedIn(contextOf(alone))).toHaveLength(isStuck ? 1 : 0)
      }),
      { numRuns: 400 },
    )
  })
})
