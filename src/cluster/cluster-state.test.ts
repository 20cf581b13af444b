import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { problemSentence } from '#kube/problem.ts'
import { buildClusterState } from './cluster-state.ts'
import { node, object, pod } from './testdata/objects.ts'

const read = (...objects: KubeObject[]) => buildClusterState(objects)
const selectorOf = (matchExpressions: readonly unknown[]) => ({ matchExpressions })

describe('what cannot be right is named, and the rest stands', () => {
  // biome-ignore format: a table
  test.each<[string, KubeObject, string]>([
    ['a negative quantity', node('n1', { cpu: '-1' }), 'Node n1: status.allocatable.cpu: found "-1", expected a quantity of 0 or more [quantity-negative]'],
    ['an absurd quantity', pod('shop/cart', { cpu: '10E' }), 'Pod shop/cart: spec.containers[0].resources.requests.cpu: found "10E", expected a quantity of at most a million cores [quantity-absurd]'],
    ['a quantity that is none', pod('shop/cart', { memory: 'lots' }), 'Pod shop/cart: spec.containers[0].resources.requests.memory: found "lots", expected a quantity'],
    ['a pod on a missing node', pod('shop/cart', { node: 'n7' }), 'Pod shop/cart: spec.nodeName: found "n7", expected the name of a node of this cluster [pod-node-missing]'],
    ['an annotation of megabytes', object('v1', 'ConfigMap', 'shop/c', { metadata: { name: 'c', namespace: 'shop', annotations: { big: 'x'.repeat(50_000_000) } } }), 'ConfigMap shop/c: metadata.annotations: found "50000003 bytes", expected at most 262144 bytes [annotations-too-large]'],
    ['a selector that does not parse', object('policy/v1', 'PodDisruptionBudget', 'shop/b', { spec: { selector: selectorOf([{ key: 'app', operator: 'Like', values: ['x'] }]) } }), '"Like" is not a valid label selector operator'],
    ['a selector within a pod', pod('shop/cart', { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { 'a b': 'c' } } }] }), 'spec.topologySpreadConstraints[0].labelSelector: found'],
    ['a budget that is no number', object('policy/v1', 'PodDisruptionBudget', 'shop/b', { spec: { minAvailable: 'most' } }), 'PodDisruptionBudget shop/b: spec.minAvailable: found "\\"most\\""'],
    ['an unknown kind', object('apps/v1', 'Deploymnet', 'shop/cart'), 'Deploymnet shop/cart: kind: found "Deploymnet", expected a kind of apps/v1; did you mean "Deployment"? [kind-unknown]'],
    ['a group that cannot be custom', object('shop/v1', 'Cart', 'shop/cart'), 'Cart shop/cart: apiVersion: found "shop/v1", expected the version of an API group that is built in, or of a custom one, which has a dot [kind-unknown]'],
    ['a label that is no text', object('v1', 'ConfigMap', 'x', { metadata: { name: 'x', labels: { on: true } } }), 'ConfigMap x: metadata.labels[on]: found "true", expected a text (quote numbers and truth values) [field-type]'],
    ['no name', object('v1', 'ConfigMap', 'x', { metadata: {} }), 'ConfigMap without a name: metadata.name: found "nothing", expected a text [field-missing]'],
    ['no containers', { ...pod('shop/cart'), spec: {} }, 'Pod shop/cart: spec.containers: found "nothing", expected a list [field-missing]'],
  ])('%s', (_, bad, sentence) => {
    const { state, problems } = read(node('n0'), bad, pod('shop/other', { node: 'n0' }))
    expect(problems.map(problemSentence).join('\n')).toContain(sentence)
    expect(problems.map(({ isFatal }) => isFatal)).toEqual([false])
    expect([...state.nodes.keys(), ...state.pods.keys()]).toEqual(['n0', 'shop/other'])
    expect(state.object(bad.kind, bad.metadata.namespace, bad.metadata.name)).toBeUndefined()
  })

  test('two nodes of one name are fatal; two pods are not', () => {
    const { state, problems } = read(node('n0'), node('n0', { cpu: '8' }), pod('shop/cart'), pod('shop/cart'))
    expect(problems.map(({ code, isFatal }) => [code, isFatal])).toEqual([
      ['node-duplicate', true],
      ['object-duplicate', false],
    ])
    expect(state.nodes.get('n0')?.allocatable['cpu']).toBe(4000)
  })

  test('a pod on a node that was set aside says so', () => {
    const { problems } = read(node('n0', { memory: '-1' }), pod('shop/cart', { node: 'n0' }))
    expect(problems.map(({ expected }) => expected)).toEqual(['a quantity of 0 or more', 'a node that is not set aside'])
  })

  test('file and document come first where they are known', () => {
    const bad = node('n0', { cpu: 'x' })
    const { problems } = buildClusterState([bad], { where: () => 'cluster/nodes.yaml: document 3' })
    expect(problems[0]?.where).toBe('cluster/nodes.yaml: document 3: Node n0: status.allocatable.cpu')
  })

  test.each<[unknown, number]>([
    [null, 1],
    [7, 1],
    ['text', 1],
    [[], 2],
    [{ apiVersion: 'v1' }, 1],
    [{ apiVersion: 'v1', kind: 'Pod', metadata: null }, 1],
  ])('%j is no object', (value, count) => {
    expect(buildClusterState([value as KubeObject]).problems).toHaveLength(count)
  })
})

describe('a cluster read', () => {
  const { state } = read(
    node('n1'),
    node('n0', { unschedulable: true }),
    pod('shop/b', { node: 'n0', cpu: '1' }),
    pod('shop/a', { node: 'n0' }),
    pod('shop/done', { node: 'n0', status: { phase: 'Succeeded' } }),
    pod('shop/ghost', { node: 'n9', status: { phase: 'Failed' } }),
    object('apps/v1', 'Deployment', 'shop/cart'),
    object('keda.sh/v1alpha1', 'ScaledObject', 'shop/cart'),
    object('serving.knative.dev/v1', 'Service', 'shop/cart'),
    object('v1', 'Service', 'shop/cart', { spec: {} }),
  )

  test('is in order of names', () => {
    expect([...state.nodes.keys()]).toEqual(['n0', 'n1'])
    expect([...state.pods.keys()]).toEqual(['shop/a', 'shop/b', 'shop/done', 'shop/ghost'])
  })

  test('finished pods are no longer on their nodes, and need not have one', () => {
    expect(state.podsOn('n0').map(({ name }) => name)).toEqual(['a', 'b'])
    expect(state.podsOn('nowhere')).toEqual([])
  })

  test('cordons and readiness are told', () => {
    expect([state.nodes.get('n0')?.isSchedulable, state.nodes.get('n1')?.isSchedulable, state.nodes.get('n1')?.isReady]).toEqual([
      false,
      true,
      true,
    ])
  })

  test('custom resources are found by kind, and by group where the kind is taken', () => {
    expect(state.object('ScaledObject', 'shop', 'cart')?.apiVersion).toBe('keda.sh/v1alpha1')
    expect(state.objects('Service').map(({ apiVersion }) => apiVersion)).toEqual(['v1'])
    expect(state.objects('Service.serving.knative.dev')).toHaveLength(1)
  })
})
