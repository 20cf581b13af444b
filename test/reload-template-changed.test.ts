// A workload whose template somebody changes after the object did: its pods are made anew anyway, and one roll-out is enough (#992).
import { expect, test } from 'vitest'
import { builtIn } from '#kube/objects/resource.ts'
import { changeConfigMap, configMap, marksOf, reloadCluster, remembered, workload } from './reload-cluster.ts'

const { signal } = new AbortController()
const image = { spec: { template: { spec: { containers: [{ name: 'app', image: 'registry.example/app:2' }] } } } }

// biome-ignore format: a table
test.each([
  ['Deployment',  builtIn.deployments,  'deployments.apps'],
  ['StatefulSet', builtIn.statefulsets, 'statefulsets.apps'],
  ['DaemonSet',   builtIn.daemonsets,   'daemonsets.apps'],
] as const)('a %s', async (kind, resource, plural) => {
  const objects = [configMap('settings', { key: 'one' }), workload({ kind, name: 'web', configmaps: ['settings'] })]
  await using cluster = await reloadCluster(objects, { config: { debounce: '10s', rateGuard: { enabled: false } } })
  cluster.startController()
  await remembered(cluster)
  await changeConfigMap(cluster, 'settings', { key: 'two' })
  await cluster.pass(4_000)
  await cluster.admin.resource(resource).patch('web', { type: 'strategic', body: image }, { namespace: 'shop', signal })
  await cluster.pass(30_000)
  expect(marksOf(cluster, 'web', plural)).toEqual({})
  // The change before the next one is known.
  await changeConfigMap(cluster, 'settings', { key: 'three' })
  await cluster.until(() => Object.keys(marksOf(cluster, 'web', plural)).length === 1)
  expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
})
