// A watch that brings our own write late: what it still tells of the template is older than the write, and is no reason to write again.
import { expect, test } from 'vitest'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { changeConfigMap, configMap, marksOf, reloadCluster, remembered, workload } from './reload-cluster.ts'

const { signal } = new AbortController()
const lateMs = 2_000

/** What comes by watches of a resource comes late from a moment on. */
function lateWatch(resource: string) {
  const late = { is: false }
  async function* slowly(chunks: AsyncIterable<Uint8Array>, clock: Clock) {
    for await (const chunk of chunks) {
      if (late.is) await clock.after(lateMs, signal)
      yield chunk
    }
  }
  const between = (inner: Transport, clock: Clock): Transport => ({
    request: request => inner.request(request),
    async stream(request) {
      const answer = await inner.stream(request)
      const isLate = request.query?.['watch'] === 'true' && request.path.endsWith(`/${resource}`)
      return isLate ? { ...answer, chunks: slowly(answer.chunks, clock) } : answer
    },
    close: () => inner.close(),
  })
  return { late, between }
}

// biome-ignore format: a table
test.each([
  ['Deployment',  'deployments',  {}],
  ['StatefulSet', 'statefulsets', {}],
  ['DaemonSet',   'daemonsets',   {}],
  ['Deployment',  'deployments',  { replicas: 0 }],
  ['Deployment',  'deployments',  { annotations: { 'reloader.stakater.com/auto': 'true', 'deployment.reloader.stakater.com/pause-period': '30s' } }],
] as const)('a %s is written once for each change: %s, %j', async (kind, resource, more) => {
  const objects = [configMap('settings', { key: 'one' }), workload({ kind, name: 'web', configmaps: ['settings'], ...more })]
  const { late, between } = lateWatch(resource)
  await using cluster = await reloadCluster(objects, { between, config: { debounce: '0s', rateGuard: { enabled: false } } })
  cluster.startController()
  await remembered(cluster)
  await changeConfigMap(cluster, 'settings', { key: 'two' })
  const marks = () => JSON.stringify(marksOf(cluster, 'web', `${resource}.apps`))
  await cluster.until(() => marks() !== '{}')
  await cluster.pass(60_000)
  const before = marks()
  cluster.writes.length = 0
  late.is = true
  await changeConfigMap(cluster, 'settings', { key: 'three' })
  await cluster.until(() => marks() !== before)
  // Something else makes it look at the workload while the watch still shows the template of before.
  for (const text of ['a', 'b', 'c']) {
    const body = { metadata: { annotations: { 'ballast.dev/reload-allow-namespaces': text } } }
    await cluster.admin.resource(builtIn.configmaps).patch('settings', { type: 'merge', body }, { namespace: 'shop', signal })
    await cluster.pass(300)
  }
  await cluster.pass(60_000)
  expect(cluster.writes.filter(write => write.includes(resource))).toHaveLength('annotations' in more ? 3 : 1)
  expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
})

const workloads = /\/(deployments|daemonsets|statefulsets|cronjobs|jobs)$/

// biome-ignore format: a table
test.each([
  ['are watched',                    {}],
  ['are listed once a minute alone', { unwatchable: { paths: workloads, pollMs: 60_000 } }],
])('our own roll-outs are told as nobody else\'s where workloads %s, one after the other and at once; somebody\'s is', async (_name, options) => {
  const objects = [configMap('settings', { key: 'one' }), workload({ name: 'web', configmaps: ['settings'] })]
  await using cluster = await reloadCluster(objects, { ...options, config: { debounce: '0s', rateGuard: { enabled: false } } })
  cluster.startController()
  await remembered(cluster)
  await cluster.pass(5_000)
  for (const [key, pauseMs] of [['a', 0], ['b', 0], ['c', 50], ['d', 400], ['e', 30_000], ['f', 0]] as const) {
    const before = JSON.stringify(marksOf(cluster, 'web'))
    await changeConfigMap(cluster, 'settings', { key })
    await cluster.until(() => JSON.stringify(marksOf(cluster, 'web')) !== before)
    await cluster.pass(pauseMs)
  }
  await cluster.pass(200_000)
  expect(cluster.byOthers).toEqual([])
  const body = { spec: { template: { metadata: { annotations: { theirs: 'x' } } } } }
  const by = { namespace: 'shop', signal, fieldManager: 'kubectl-edit' }
  await cluster.admin.resource(builtIn.deployments).patch('web', { type: 'merge', body }, by)
  await cluster.pass(200_000)
  expect(cluster.byOthers).toEqual([expect.objectContaining({ kind: 'rollout', by: 'kubectl edit' })])
})
