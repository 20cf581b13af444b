import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildClusterState, type ClusterState, type NodeState, type PodState } from '#cluster/cluster-state.ts'
import { node, type PodOptions, pod } from '#cluster/testdata/objects.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { CyclePods } from '../cycle-pods.ts'
import { CompatNodeFit } from './node-fit.ts'

function fitOf(objects: readonly KubeObject[]) {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  const pods = new CyclePods(state)
  return { state, pods, fit: new CompatNodeFit(pods), nodes: Array.from(state.nodes.values()) }
}

function podOf(state: ClusterState, key: string): PodState {
  const found = state.pods.get(key)
  if (found === undefined) throw new Error(key)
  return found
}

function nodeOf(state: ClusterState, name: string): NodeState {
  const found = state.nodes.get(name)
  if (found === undefined) throw new Error(name)
  return found
}

const selects = (label: string) => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: label } } },
    ],
  },
})
const noSchedule = { key: 'dedicated', value: 'db', effect: 'NoSchedule' as const }
const wantsZone = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In' as const, values: ['x'] }] }],
    },
  },
}

test.each<[string, KubeObject, PodOptions, string | undefined]>([
  ['an empty node', node('b'), {}, undefined],
  ['a cordoned node', node('b', { unschedulable: true }), {}, 'node is not schedulable'],
  ['a node selector', node('b'), { nodeSelector: { disk: 'ssd' } }, 'pod node selector does not match the node label'],
  ['a node selector that matches', node('b', { labels: { disk: 'ssd' } }), { nodeSelector: { disk: 'ssd' } }, undefined],
  [
    'required node affinity',
    node('b', { labels: { zone: 'y' } }),
    { affinity: wantsZone },
    'pod node selector does not match the node label',
  ],
  ['required node affinity that matches', node('b', { labels: { zone: 'x' } }), { affinity: wantsZone }, undefined],
  ['a NoSchedule taint', node('b', { taints: [noSchedule] }), {}, 'pod does not tolerate taints on the node'],
  [
    'a NoExecute taint',
    node('b', { taints: [{ key: 'a', effect: 'NoExecute' }] }),
    {},
    'pod does not tolerate taints on the node',
  ],
  ['a PreferNoSchedule taint', node('b', { taints: [{ key: 'a', effect: 'PreferNoSchedule' }] }), {}, undefined],
  [
    'a tolerated taint',
    node('b', { taints: [noSchedule] }),
    { tolerations: [{ key: 'dedicated', operator: 'Exists' }] },
    undefined,
  ],
  [
    'two taints and one toleration of all',
    node('b', { taints: [noSchedule, { key: 'a', effect: 'NoExecute' }] }),
    { tolerations: [{ operator: 'Exists' }] },
    undefined,
  ],
  [
    'a numeric toleration',
    node('b', { taints: [{ key: 'tier', value: '5', effect: 'NoSchedule' }] }),
    { tolerations: [{ key: 'tier', operator: 'Gt', value: '3' }] },
    undefined,
  ],
  ['too much CPU', node('b', { cpu: '1' }), { cpu: '1001m' }, 'insufficient cpu'],
  ['just enough CPU', node('b', { cpu: '1' }), { cpu: '1' }, undefined],
  ['too much memory', node('b', { memory: '1Gi' }), { memory: '1025Mi' }, 'insufficient memory'],
  ['no room for pods', node('b', { pods: '0' }), {}, 'insufficient pods'],
  ['a node that says nothing of pods', { ...node('b'), status: { allocatable: { cpu: '1' } } }, {}, 'insufficient pods'],
  [
    'a resource that the node lacks',
    node('b'),
    { containers: [{ name: 'main', resources: { requests: { 'example.com/gpu': '1' } } }] },
    'insufficient example.com/gpu',
  ],
  [
    'nothing of a resource that the node lacks',
    node('b'),
    { containers: [{ name: 'main', resources: { requests: { 'example.com/gpu': '0' } } }] },
    undefined,
  ],
])('%s', (_, target, options, expected) => {
  const { state, fit } = fitOf([node('a'), target, pod('shop/web', { node: 'a', ...options })])
  expect(fit.refusal(podOf(state, 'shop/web'), nodeOf(state, 'b'))).toBe(expected)
})

test('the rules are asked in their order', () => {
  const target = node('b', { unschedulable: true, taints: [noSchedule], cpu: '0' })
  const { state, fit } = fitOf([node('a'), target, pod('shop/web', { node: 'a', cpu: '1', nodeSelector: { disk: 'ssd' } })])
  expect(fit.refusal(podOf(state, 'shop/web'), nodeOf(state, 'b'))).toBe('node is not schedulable')
})

test('case 16: an explicit request of 0 is compared with what is free, even where that is less than nothing', () => {
  const tight = node('b', { memory: '100Mi' })
  const objects = [node('a'), tight, pod('shop/fat', { node: 'b', memory: '110Mi' })]
  const { state, fit } = fitOf([
    ...objects,
    pod('shop/zero', { node: 'a', cpu: '100m', memory: '0' }),
    pod('shop/silent', { node: 'a', cpu: '100m' }),
  ])
  expect(fit.refusal(podOf(state, 'shop/zero'), nodeOf(state, 'b'))).toBe('insufficient memory')
  expect(fit.refusal(podOf(state, 'shop/silent'), nodeOf(state, 'b'))).toBeUndefined()
})

test('terminating pods hold what they have, finished ones do not', () => {
  const { state, fit } = fitOf([
    node('a'),
    node('b', { cpu: '2' }),
    pod('shop/leaving', { node: 'b', cpu: '1', deletionTimestamp: '2026-01-01T00:00:00Z' }),
    pod('shop/done', { node: 'b', cpu: '1', status: { phase: 'Failed' } }),
    pod('shop/one', { node: 'a', cpu: '1' }),
    pod('shop/more', { node: 'a', cpu: '1001m' }),
  ])
  expect(fit.refusal(podOf(state, 'shop/one'), nodeOf(state, 'b'))).toBeUndefined()
  expect(fit.refusal(podOf(state, 'shop/more'), nodeOf(state, 'b'))).toBe('insufficient cpu')
})

test('a pod that is gone leaves its room, one that terminates does not', () => {
  const { state, pods, fit, nodes } = fitOf([
    node('a'),
    node('b', { cpu: '1' }),
    pod('shop/there', { node: 'b', cpu: '1' }),
    pod('shop/web', { node: 'a', cpu: '1' }),
  ])
  const web = podOf(state, 'shop/web')
  expect(fit.fitsAnyOther(web, nodes)).toBe(false)
  pods.leave(podOf(state, 'shop/there'), 'terminating', 0)
  expect(fit.fitsAnyOther(web, nodes)).toBe(false)
  pods.leave(podOf(state, 'shop/there'), 'gone', 0)
  expect(fit.fitsAnyOther(web, nodes)).toBe(true)
  expect(fit.refusal(web, nodeOf(state, 'b'))).toBeUndefined()
})

test("on the pod's own node requests are not compared, the other rules hold", () => {
  const { state, fit, nodes } = fitOf([
    node('a', { cpu: '1' }),
    node('b', { cpu: '0' }),
    pod('shop/big', { node: 'a', cpu: '2' }),
    pod('shop/lost', { node: 'a', cpu: '2', nodeSelector: { disk: 'ssd' } }),
  ])
  expect(fit.fitsAny(podOf(state, 'shop/big'), nodes)).toBe(true)
  expect(fit.fitsAnyOther(podOf(state, 'shop/big'), nodes)).toBe(false)
  expect(fit.fitsAny(podOf(state, 'shop/lost'), nodes)).toBe(false)
  expect(fit.fitsAny(podOf(state, 'shop/big'), [nodeOf(state, 'b')])).toBe(false)
})

const neighbour = 'pod matches inter-pod anti-affinity rule of other pod on node'

test.each<[string, readonly KubeObject[], string | undefined]>([
  ['a pod that the term matches', [pod('shop/db', { node: 'b', labels: { app: 'db' } })], neighbour],
  ['a pod that it does not match', [pod('shop/db', { node: 'b', labels: { app: 'web' } })], undefined],
  ['a pod of another namespace', [pod('else/db', { node: 'b', labels: { app: 'db' } })], undefined],
  ['a pod on another node', [pod('shop/db', { node: 'c', labels: { app: 'db' } })], undefined],
  ['a finished pod', [pod('shop/db', { node: 'b', labels: { app: 'db' }, status: { phase: 'Succeeded' } })], undefined],
])('required anti-affinity: %s', (_, others, expected) => {
  const { state, fit } = fitOf([
    node('a'),
    node('b'),
    node('c'),
    pod('shop/web', { node: 'a', affinity: selects('db') }),
    ...others,
  ])
  expect(fit.refusal(podOf(state, 'shop/web'), nodeOf(state, 'b'))).toBe(expected)
})

test('terms look into the namespaces that they name, and pass over pods of the same name there', () => {
  const term = {
    topologyKey: 'zone',
    namespaces: ['else', 'more'],
    namespaceSelector: {},
    labelSelector: { matchLabels: { app: 'db' } },
  }
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } }
  const { state, fit } = fitOf([
    node('a'),
    node('b', { labels: { zone: 'x' } }),
    node('c'),
    node('d', { labels: { zone: 'x' } }),
    node('e', { labels: { zone: 'x' } }),
    pod('shop/web', { node: 'a', affinity }),
    pod('more/db', { node: 'b', labels: { app: 'db' } }),
    pod('more/db-2', { node: 'c', labels: { app: 'db' } }),
    pod('else/web', { node: 'd', labels: { app: 'db' } }),
    pod('third/db', { node: 'e', labels: { app: 'db' } }),
  ])
  const refusals = ['b', 'c', 'd', 'e'].map(name => fit.refusal(podOf(state, 'shop/web'), nodeOf(state, name)))
  // c has no zone, d has a namesake, e's pod is of a namespace that is not named: the selector of namespaces is not looked at.
  expect(refusals).toEqual([neighbour, undefined, undefined, undefined])
})

test('a term without a selector matches no pod; what left matches no more', () => {
  const bare = {
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname' }] },
  }
  const { state, pods, fit, nodes } = fitOf([
    node('a'),
    node('b'),
    pod('shop/bare', { node: 'a', affinity: bare }),
    pod('shop/web', { node: 'a', affinity: selects('db') }),
    pod('shop/db', { node: 'b', labels: { app: 'db' } }),
  ])
  expect(fit.fitsAnyOther(podOf(state, 'shop/bare'), nodes)).toBe(true)
  expect(fit.fitsAnyOther(podOf(state, 'shop/web'), nodes)).toBe(false)
  pods.leave(podOf(state, 'shop/db'), 'gone', 0)
  expect(fit.fitsAnyOther(podOf(state, 'shop/web'), nodes)).toBe(true)
})

test('what is remembered of a list of nodes is what a look at each of them says', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 5 })
  const cluster = fc.record({
    nodes: sizes,
    pods: fc.array(fc.record({ on: fc.nat(4), cpu: fc.integer({ min: 0, max: 3 }), picky: fc.boolean() }), { maxLength: 10 }),
    gone: fc.array(fc.nat(9), { maxLength: 6 }),
  })
  fc.assert(
    fc.property(cluster, ({ nodes: cpus, pods: given, gone }) => {
      const objects = [
        ...cpus.map((cpu, index) => node(`n${index}`, { cpu: String(cpu), labels: { odd: String(index % 2) } })),
        ...given.map(({ on, cpu, picky }, index) =>
          pod(`shop/p${index}`, { node: `n${on % cpus.length}`, cpu: String(cpu), ...(picky && { nodeSelector: { odd: '1' } }) }),
        ),
      ]
      const { state, pods, fit, nodes } = fitOf(objects)
      for (const index of [-1, ...gone]) {
        const leaving = state.pods.get(`shop/p${index}`)
        if (leaving !== undefined) pods.leave(leaving, 'gone', 0)
        for (const one of state.pods.values()) {
          const others = nodes.filter(({ name }) => name !== one.nodeName)
          expect(fit.fitsAnyOther(one, nodes)).toBe(others.some(other => fit.refusal(one, other) === undefined))
          expect(fit.fitsAny(one, nodes)).toBe(nodes.some(other => fit.refusal(one, other) === undefined))
        }
      }
    }),
    { numRuns: 60 },
  )
})
