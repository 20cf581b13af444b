// One change of what many workloads use: how few writes it takes besides the patches themselves.
import { expect, test } from 'vitest'
import { changeConfigMap, configMap, marksOf, reloadCluster, remembered, workload } from './reload-cluster.ts'
import { node } from './small-cluster.ts'

const names = Array.from({ length: 500 }, (_, at) => `fan-${at}`)
const nodes = Array.from({ length: 49 }, (_, at) => node(`n${at + 2}`))

test('500 workloads of one ConfigMap: 500 patches within two seconds, under one permit that is written twice', async () => {
  const workloads = names.map(name => workload({ name, configmaps: ['shared'] }))
  const objects = [...nodes, configMap('shared', { key: 'one' }), ...workloads]
  await using cluster = await reloadCluster(objects, { config: { debounce: '0s' } })
  await remembered(cluster, names.length)
  await cluster.pass(15_000)
  cluster.writes.length = 0
  await changeConfigMap(cluster, 'shared', { key: 'two' })
  const startMs = cluster.clock.now()
  await cluster.until(() => names.every(name => 'STAKATER_SHARED_CONFIGMAP' in marksOf(cluster, name)))
  expect(cluster.clock.now() - startMs).toBeLessThan(2_000)
  await cluster.until(() => cluster.permits().every(({ status }) => status?.releasedAt !== undefined))
  const count = (pattern: RegExp) => cluster.writes.filter(write => pattern.test(write)).length
  expect(count(/^POST .*disruptionpermits/)).toBe(1)
  expect(count(/^PATCH .*disruptionpermits/)).toBe(1)
  expect(count(/^PATCH .*deployments/)).toBe(500)
})
