import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readDocuments } from '#cluster/documents.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { person, TestCluster } from './cluster-for-tests.ts'
import { isReady } from './workloads/pod-state.ts'

const example = fileURLToPath(new URL('../../../examples/talos-homelab/', import.meta.url))

function exampleObjects(): readonly KubeObject[] {
  return ['cluster', 'config'].flatMap(folder =>
    readdirSync(join(example, folder)).flatMap(file =>
      readDocuments(file, readFileSync(join(example, folder, file), 'utf8')).objects.map(read => read.object),
    ),
  )
}

const workloads = [
  'pods',
  'nodes',
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'persistentvolumes',
  'persistentvolumeclaims',
]

test("the Talos example is taken over as it is: nothing is deleted, nothing rolls out, usage is the document's", async () => {
  await using cluster = await TestCluster.start(exampleObjects())
  const seen: string[] = []
  for (const resource of workloads)
    cluster.access.subscribe(resource, ({ type, object }) => seen.push(`${resource} ${type} ${object.metadata.name}`))
  await cluster.settle()
  expect(seen).toEqual([])
  const usage = ['talos00', 'talos01', 'talos02-gpu', 'talos03'].map(name => {
    const used = cluster.components.usage.node(name)
    return `${name} ${Math.round((used?.cpuNanocores ?? 0) / 1e6)}m ${Math.round((used?.memoryBytes ?? 0) / 1024 ** 2)}Mi`
  })
  expect(usage).toEqual(['talos00 4540m 11320Mi', 'talos01 840m 6845Mi', 'talos02-gpu 560m 5005Mi', 'talos03 60m 1520Mi'])
  expect(cluster.failures).toEqual([])
})

test('all its budgets allow something, and every workload of talos00 that is lost comes back ready', async () => {
  await using cluster = await TestCluster.start(exampleObjects())
  await cluster.settle()
  for (const budget of cluster.list('poddisruptionbudgets.policy'))
    expect([budget.metadata.name, budget.status?.disruptionsAllowed]).toEqual([budget.metadata.name, 1])
  const pods = () => cluster.list('pods')
  const before = pods().length
  const moved = pods().filter(pod => pod.spec.nodeName === 'talos00' && pod.metadata.ownerReferences?.[0]?.kind === 'ReplicaSet')
  for (const pod of moved) cluster.access.remove('pods', pod.metadata.namespace, pod.metadata.name, person)
  await cluster.settle()
  expect(moved.length).toBeGreaterThan(20)
  expect(pods()).toHaveLength(before)
  expect(
    pods()
      .filter(pod => !isReady(pod))
      .map(pod => pod.metadata.name),
  ).toEqual([])
  expect(cluster.failures).toEqual([])
})
