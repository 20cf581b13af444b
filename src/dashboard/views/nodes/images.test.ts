// The page of images: who has what, what came from where, and whose mirror does not serve. A row shows only what matters to it.

import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { PullRecord } from '#twin/components/kubelets/image-pulls.ts'
import { imagesView } from '../../contract.ts'
import type { MirrorReading, Picture } from '../../picture.ts'
import { nowMs, pictureOf } from '../testdata/homelab.ts'
import { everything } from '../viewing.ts'
import { imagesViewOf } from './images.ts'

const node = (name: string, images: readonly object[] = []): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: name },
  status: { conditions: [{ type: 'Ready', status: 'True' }], images },
})
const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'spegel', uid: 'ds', controller: true }
const containers = [{ name: 'registry', image: 'ghcr.io/spegel-org/spegel:v0.7.4', args: ['registry'] }]
const mirrorSet: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'spegel', namespace: 'spegel', uid: 'ds' },
  spec: { selector: {}, template: { metadata: {}, spec: { containers } } },
}
const pod = (name: string, nodeName: string, more: Partial<KubeObject> & { isReady?: boolean } = {}): KubeObject => {
  const { isReady = true, metadata, ...rest } = more
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'apps', uid: name, ...metadata },
    spec: { nodeName, containers: [{ name: 'main', image: 'docker.io/a/b:1' }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
    ...rest,
  }
}
const mirrorPod = (on: string, isReady = true) =>
  pod(`spegel-${on}`, on, {
    isReady,
    metadata: { name: `spegel-${on}`, namespace: 'spegel', uid: `m-${on}`, ownerReferences: [owner] },
    spec: { nodeName: on, containers },
  })
const pull = (on: string, source: PullRecord['source'], more: Partial<PullRecord> = {}): PullRecord => ({
  node: on,
  image: 'docker.io/a/b:1',
  source,
  isMirrored: true,
  bytes: 1_073_741_824,
  beganMs: nowMs - 20_000,
  endsMs: nowMs - 10_000,
  ...more,
})

function seen(objects: readonly KubeObject[], mirrors?: Picture['mirrors'], sees = everything) {
  const view = imagesViewOf({ ...pictureOf([]), state: buildClusterState(objects).state, mirrors }, sees)
  expect(imagesView.parse(view)).toEqual(view)
  return { ...view, told: view.sentences.map(({ text }) => text) }
}

describe('who has what', () => {
  test('as kubelets list it, and as running pods prove it; the largest on all nodes together first', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    const big = { names: ['docker.io/big/one:1', `docker.io/big/one@${digest}`], sizeBytes: 900 }
    const small = { names: ['docker.io/small:1'], sizeBytes: 500 }
    const { images, total } = seen([
      node('n1', [big, small]),
      node('n2', [small]),
      pod('p', 'n2'),
      pod('q', 'n1', { isReady: false }),
    ])
    expect(images).toEqual([
      { name: 'docker.io/small:1', digest: null, bytes: 500, nodes: ['n1', 'n2'], nodeCount: 2, pulls: [] },
      { name: 'docker.io/big/one:1', digest, bytes: 900, nodes: ['n1'], nodeCount: 1, pulls: [] },
      { name: 'docker.io/a/b:1', digest: null, bytes: null, nodes: ['n2'], nodeCount: 1, pulls: [] },
    ])
    expect(total).toBe(3)
  })

  test('pods of a namespace that may not be seen name nothing', () => {
    const { images } = seen([node('n1'), pod('p', 'n1')], undefined, { ...everything, sees: () => false })
    expect(images).toEqual([])
  })

  test('what is under way comes first, with how much of it is there', () => {
    const running = pull('n2', 'relay', { beganMs: nowMs - 5_000, endsMs: nowMs + 15_000 })
    const { images, told } = seen([mirrorSet, node('n1'), node('n2'), mirrorPod('n1'), mirrorPod('n2')], {
      readings: new Map(),
      pulls: [pull('n1', 'outside'), running],
    })
    expect(images[0]).toMatchObject({
      name: 'docker.io/a/b:1',
      pulls: [{ node: 'n2', from: 'relay', bytes: 1_073_741_824, done: 268_435_456 }],
    })
    expect(told[0]).toBe('1 pull runs, 0 from outside.')
  })
})

describe('mirrors', () => {
  const objects = [mirrorSet, node('n1'), node('n2'), node('n3'), mirrorPod('n1'), mirrorPod('n2', false)]

  test('serving, not ready, none', () => {
    const { mirrors, told } = seen(objects)
    expect(mirrors.map(({ node: name, state, because }) => [name, state, because])).toEqual([
      ['n1', 'serving', null],
      ['n2', 'waiting', 'its pod is not ready'],
      ['n3', 'none', 'no mirror runs on it'],
    ])
    expect(told).toEqual(['2 of 3 nodes have no mirror that serves.'])
  })

  test('a cluster without any is told that it pulls everything from outside', () =>
    expect(seen([node('n1')]).told).toEqual(['No node has an image mirror: each pulls everything from outside.']))

  test('what mirrors say of themselves; the silent one with the reason', () => {
    const read: MirrorReading = {
      kind: 'read',
      registries: new Map([['docker.io', { hits: 7, misses: 2 }]]),
      bytesIn: 3 * 1_073_741_824,
      bytesOut: 5,
    }
    const { mirrors, registries, told } = seen([mirrorSet, node('n1'), node('n2'), mirrorPod('n1'), mirrorPod('n2')], {
      readings: new Map<string, MirrorReading>([
        ['n1', read],
        ['n2', { kind: 'silent', because: 'connect ECONNREFUSED' }],
      ]),
      pulls: undefined,
    })
    expect(mirrors).toMatchObject([
      { state: 'serving', fromNodes: 3_221_225_472, fromOutside: null, toNodes: 5 },
      { state: 'silent', because: 'connect ECONNREFUSED', fromNodes: null },
    ])
    expect(registries).toEqual([{ name: 'docker.io', hits: 7, misses: 2 }])
    expect(told).toEqual(['3.0Gi came from other nodes instead of from outside.'])
  })

  test('of a twin also what came from outside, and which part was saved', () => {
    const { mirrors, registries, told } = seen([mirrorSet, node('n1'), node('n2'), mirrorPod('n1'), mirrorPod('n2')], {
      readings: new Map(),
      pulls: [
        pull('n1', 'outside'),
        pull('n2', 'peer'),
        pull('n2', 'outside', { image: 'q.test/x:1', isMirrored: false, bytes: 7 }),
      ],
    })
    expect(mirrors).toMatchObject([
      { node: 'n1', fromNodes: 0, fromOutside: 1_073_741_824 },
      { node: 'n2', fromNodes: 1_073_741_824, fromOutside: 7 },
    ])
    expect(registries).toEqual([{ name: 'docker.io', hits: 1, misses: 1 }])
    expect(told).toEqual(['1.0Gi came from other nodes instead of from outside, 49% of what was pulled.'])
  })

  test('nothing pulled yet', () =>
    expect(seen([mirrorSet, node('n1'), mirrorPod('n1')], { readings: new Map(), pulls: [] }).told).toEqual([
      'No node has pulled an image through a mirror yet.',
    ]))
})
