import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { buildClusterState } from './cluster-state.ts'
import { defaultOwnerLabel, effectiveOwner, type OwnerLabel, workloadOwner } from './ownership.ts'
import { node, object, type PodOptions, pod } from './testdata/objects.ts'

const labelled = (value: string, { key }: OwnerLabel = defaultOwnerLabel) => ({ labels: { [key]: value } })
const owned = (kind: string, name: string, apiVersion = 'apps/v1') => ({
  ownerReferences: [{ apiVersion, kind, name, uid: name, controller: true }],
})
const replicas = (metadata: object = {}) =>
  object('apps/v1', 'ReplicaSet', 'shop/cart-1', { metadata: { name: 'cart-1', namespace: 'shop', uid: 'cart-1', ...metadata } })
const deployment = (metadata: object = {}) =>
  object('apps/v1', 'Deployment', 'shop/cart', { metadata: { name: 'cart', namespace: 'shop', uid: 'cart', ...metadata } })
const namespace = (metadata: object = {}) => object('v1', 'Namespace', 'shop', { metadata: { name: 'shop', ...metadata } })
const scaler = (scaleTargetRef: object) => object('keda.sh/v1alpha1', 'ScaledObject', 'shop/s', { spec: { scaleTargetRef } })
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'cart-1' }

const readPod = (options: PodOptions, ...objects: KubeObject[]) => {
  const { state } = buildClusterState([node('n0'), pod('shop/cart-1-x', options), ...objects])
  const found = state.pods.get('shop/cart-1-x')
  if (found === undefined) throw new Error('the pod was set aside')
  return { state, pod: found }
}

describe('the topmost controller', () => {
  // biome-ignore format: a table
  test.each<[string, PodOptions, readonly KubeObject[], string | undefined]>([
    ['of a ReplicaSet that a Deployment owns', { owner }, [replicas(owned('Deployment', 'cart')), deployment()], 'Deployment cart'],
    ['of a Deployment that is not in the cluster', { owner }, [replicas(owned('Deployment', 'cart'))], 'Deployment cart'],
    ['of a ReplicaSet that is not', { owner }, [], 'ReplicaSet cart-1'],
    ['of a namesake with another UID', { owner }, [replicas({ ...owned('Deployment', 'cart'), uid: 'other' })], 'ReplicaSet cart-1'],
    ['that an operator put above', { owner }, [replicas(owned('Deployment', 'cart')), deployment(owned('Shop', 's', 'shop.example/v1'))], 'Shop s'],
    ['in a ring of owners', { owner }, [replicas(owned('Deployment', 'cart')), deployment(owned('ReplicaSet', 'cart-1'))], 'ReplicaSet cart-1'],
    ['of a static pod', { owner: { apiVersion: 'v1', kind: 'Node', name: 'n0' } }, [], undefined],
    ['of a bare pod', {}, [], undefined],
  ])('%s', (_, options, objects, expected) => {
    const { workload } = readPod(options, ...objects).pod
    expect(workload && `${workload.kind} ${workload.name}`).toBe(expected)
  })
})

describe('the effective owner', () => {
  const chain = [replicas(owned('Deployment', 'cart'))]
  // biome-ignore format: a table
  test.each<[string, PodOptions, readonly KubeObject[], object]>([
    ['no label anywhere', { owner }, [...chain, deployment(), namespace()], { owner: undefined, source: 'nowhere' }],
    ['the pod before the workload', { owner, ...labelled('none') }, [...chain, deployment(labelled('keda'))], { owner: 'none', source: 'pod' }],
    ['the workload before the namespace', { owner }, [...chain, deployment(labelled('descheduler')), namespace(labelled('none'))], { owner: 'descheduler', source: 'workload' }],
    ['the namespace at last', { owner }, [...chain, deployment(), namespace(labelled('none'))], { owner: 'none', source: 'namespace' }],
    ['a value that means nothing', { owner, ...labelled('me') }, [], { owner: undefined, source: 'pod', contradicting: 'me' }],
    ['case 22: a ScaledObject makes it keda whatever the label says', { owner }, [...chain, deployment(labelled('descheduler')), scaler({ name: 'cart' })], { owner: 'keda', source: 'scaler', contradicting: 'descheduler' }],
    ['a ScaledObject and a value that means nothing', { owner }, [...chain, deployment(labelled('me')), scaler({ name: 'cart' })], { owner: 'keda', source: 'scaler', contradicting: 'me' }],
    ['a ScaledObject of another kind of target does not', { owner }, [...chain, deployment(), scaler({ name: 'cart', kind: 'StatefulSet' })], { owner: undefined, source: 'nowhere' }],
    ['nor one of another name', { owner }, [...chain, deployment(), scaler({ name: 'basket' })], { owner: undefined, source: 'nowhere' }],
    ['the pods of a ScaledJob', { owner: { apiVersion: 'batch/v1', kind: 'Job', name: 'j' } }, [object('batch/v1', 'Job', 'shop/j', { metadata: { name: 'j', namespace: 'shop', uid: 'j', ...owned('ScaledJob', 's', 'keda.sh/v1alpha1') } })], { owner: 'keda', source: 'scaler' }],
  ])('%s', (_, options, objects, expected) => {
    const read = readPod(options, ...objects)
    const { key, ...found } = effectiveOwner(read.state, read.pod, defaultOwnerLabel)
    expect(found).toEqual(expected)
    expect(key === undefined).toBe(found.source === 'nowhere' || (found.source === 'scaler' && found.contradicting === undefined))
  })
})

describe('another key and other values', () => {
  const label: OwnerLabel = { key: 'example.com/owner', values: { keda: 'autoscaler', descheduler: 'free', none: 'keda' } }
  const chain = [replicas(owned('Deployment', 'cart'))]
  // biome-ignore format: a table
  test.each<[string, object, readonly KubeObject[], 'count' | 'ignore', object]>([
    ['the value for each owner',                     labelled('free', label),       [],                          'count',  { owner: 'descheduler', source: 'workload' }],
    ['which may be the usual word for another',      labelled('keda', label),       [],                          'count',  { owner: 'none', source: 'workload' }],
    ['a usual word that stands for nobody',          labelled('none', label),       [],                          'count',  { owner: undefined, source: 'workload', contradicting: 'none' }],
    ['the usual key',                                labelled('descheduler'),       [],                          'count',  { owner: undefined, source: 'nowhere' }],
    ["a ScaledObject against the label's own value", labelled('free', label),       [scaler({ name: 'cart' })],  'count',  { owner: 'keda', source: 'scaler', contradicting: 'free' }],
    ['a ScaledObject that agrees',                   labelled('autoscaler', label), [scaler({ name: 'cart' })],  'count',  { owner: 'keda', source: 'scaler' }],
    ['a ScaledObject that counts for nothing',       labelled('free', label),       [scaler({ name: 'cart' })],  'ignore', { owner: 'descheduler', source: 'workload' }],
    ['and no label',                                 {},                            [scaler({ name: 'cart' })],  'ignore', { owner: undefined, source: 'nowhere' }],
  ])('%s', (_, metadata, others, scalers, expected) => {
    const { state, pod: found } = readPod({ owner }, ...chain, deployment(metadata), ...others)
    const { key, ...whose } = effectiveOwner(state, found, label, scalers)
    expect(whose).toEqual(expected)
    expect([undefined, label.key]).toContain(key)
    const workload = found.workload ?? expect.fail('no workload')
    const { key: sameKey, ...ofWorkload } = workloadOwner(state, workload, label, scalers)
    expect(ofWorkload).toEqual(expected)
    expect(sameKey).toBe(key)
  })
})

describe('two keys', () => {
  const first = { 'ballast.dev/managed-by': 'none' }
  const second = { 'scaling.talos.io/managed-by': 'descheduler' }
  const chain = [replicas(owned('Deployment', 'cart'))]
  // biome-ignore format: a table
  test.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, string>>, object]>([
    ['the first where only it is there',       first,                    {},    { owner: 'none', source: 'workload', key: 'ballast.dev/managed-by' }],
    ['the second where only it is there',      second,                   {},    { owner: 'descheduler', source: 'workload', key: 'scaling.talos.io/managed-by' }],
    ['the first of both on one object',        { ...second, ...first },  {},    { owner: 'none', source: 'workload', key: 'ballast.dev/managed-by' }],
    ['the nearer object, whichever key it is', first,                    second, { owner: 'descheduler', source: 'pod', key: 'scaling.talos.io/managed-by' }],
  ])('%s', (_name, onWorkload, onPod, expected) => {
    const { state, pod: found } = readPod({ owner, labels: onPod }, ...chain, deployment({ labels: onWorkload }))
    expect(effectiveOwner(state, found, defaultOwnerLabel)).toEqual(expected)
  })
})
