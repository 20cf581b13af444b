// With many pods the scheduler makes its view ready in slices, and takes the next pod when that is done.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { person, TestCluster, testNode } from '../cluster-for-tests.ts'

const many = 1_050

function pod(name: string, { node, cpu = '1m' }: { readonly node?: string; readonly cpu?: string } = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      containers: [{ name: 'a', image: 'i', resources: { requests: { cpu } } }],
      ...(node === undefined ? {} : { nodeName: node }),
    },
  }
}

/** `full` has no room left, `free` has a processor. */
const start = () =>
  TestCluster.start([
    testNode('full', { cpu: '1050m' }),
    testNode('free', { cpu: '1' }),
    ...Array.from({ length: many }, (_, at) => pod(`p${at}`, { node: 'full' })),
  ])

const nodeOf = (cluster: TestCluster, name: string) => cluster.get('pods', name)?.spec.nodeName

test('pods that come before it is ready are placed by all that stand, and so they are when a node comes or goes', async () => {
  await using cluster = await start()
  for (const name of ['a', 'b', 'c']) cluster.create('pods', pod(name, { cpu: '400m' }))
  await cluster.settle()
  expect(['a', 'b', 'c'].map(name => nodeOf(cluster, name))).toEqual(['free', 'free', undefined])
  cluster.create('nodes', testNode('new', { cpu: '1' }))
  await cluster.settle()
  expect(nodeOf(cluster, 'c')).toBe('new')
  cluster.access.remove('nodes', undefined, 'free', person)
  cluster.create('pods', pod('d', { cpu: '400m' }))
  cluster.create('pods', pod('e', { cpu: '400m' }))
  await cluster.settle()
  expect(['d', 'e'].map(name => nodeOf(cluster, name))).toEqual(['new', undefined])
  expect(cluster.failures).toEqual([])
})
