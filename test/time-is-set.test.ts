// Somebody sets the time of day of the controller's machine, ahead or back, while something waits: what waits by the time of day follows it,
// and nothing else notices.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { FaultSpec } from '#twin/faults/fault-spec.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { auto, changeConfigMap, configMap, reloadCluster, remembered, rolloutsOf, workload } from './reload-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const minuteMs = 60_000
const hourMs = 3_600_000
const failing: FaultSpec = {
  match: { verbs: ['patch'], resource: 'deployments' },
  count: 4,
  status: { code: 500, reason: 'InternalError', message: 'etcd is on fire' },
}
const settings = configMap('settings', { key: 'one' })

async function reloading(options: { readonly config?: object; readonly annotations?: Readonly<Record<string, string>> } = {}) {
  const { config = {}, annotations = {} } = options
  const web = workload({ name: 'web', configmaps: ['settings'], annotations: { ...auto, ...annotations } })
  const cluster = await reloadCluster([settings, web], { config })
  cluster.startController()
  await remembered(cluster)
  await cluster.pass(5_000)
  return cluster
}

const isPaused = (cluster: ControlledCluster) =>
  cluster.list<KubeObject & { readonly spec: { readonly paused?: boolean } }>('deployments.apps')[0]?.spec.paused === true

test.each([hourMs, -30 * 24 * hourMs])(
  'by %i ms: what waits for further changes, for its distance or for another try comes when it was to come, once',
  async byMs => {
    await using cluster = await reloading({ config: { debounce: '20s', maxWait: '1m' } })
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await cluster.pass(5_000)
    cluster.clockIsOffByMs = byMs
    await cluster.pass(10_000)
    expect(rolloutsOf(cluster, 'web')).toBe(0)
    await cluster.until(() => rolloutsOf(cluster, 'web') === 1, minuteMs)

    await changeConfigMap(cluster, 'settings', { key: 'three' })
    await cluster.pass(22_000)
    cluster.clockIsOffByMs = 0
    await cluster.until(() => rolloutsOf(cluster, 'web') === 2, 5 * minuteMs)

    using failure = cluster.twin.fault(failing)
    await changeConfigMap(cluster, 'settings', { key: 'four' })
    await cluster.until(() => failure.fired > 1, 5 * minuteMs)
    cluster.clockIsOffByMs = byMs
    await cluster.until(() => rolloutsOf(cluster, 'web') === 3, 5 * minuteMs)
    await cluster.pass(5 * minuteMs)
    expect(rolloutsOf(cluster, 'web')).toBe(3)
  },
)

test('a reload that waits for its window comes when time is set into it', async () => {
  await using cluster = await reloading({ annotations: { 'ballast.dev/reload-window': '0 2 * * *;1h;UTC' } })
  await changeConfigMap(cluster, 'settings', { key: 'two' })
  await cluster.pass(10 * minuteMs)
  expect(rolloutsOf(cluster, 'web')).toBe(0)
  // It is 04:10; the window is from 2 to 3.
  cluster.clockIsOffByMs = -1.75 * hourMs
  await cluster.until(() => rolloutsOf(cluster, 'web') === 1, 3 * minuteMs)
})

test.each([
  ['ahead, over its end', hourMs, 2 * minuteMs],
  ['back: the time that is written on it counts', -10 * minuteMs, 22 * minuteMs],
])('a paused Deployment is resumed when time is set %s', async (_, byMs, withinMs) => {
  await using cluster = await reloading({ annotations: { 'deployment.reloader.stakater.com/pause-period': '10m' } })
  await changeConfigMap(cluster, 'settings', { key: 'two' })
  await cluster.until(() => isPaused(cluster))
  await cluster.pass(minuteMs)
  cluster.clockIsOffByMs = byMs
  await cluster.until(() => !isPaused(cluster), withinMs)
})

test('a plan that waits for its schedule is made when time is set beyond it', async () => {
  const policy = smallPolicy({ trigger: 'schedule', schedule: '0 20 * * *', mode: 'Approve' })
  await using cluster = await controlledCluster({ objects: [...smallCluster(), policy] })
  cluster.startController()
  await cluster.pass(10 * minuteMs)
  expect(cluster.plans()).toEqual([])
  cluster.clockIsOffByMs = 16 * hourMs
  await cluster.until(() => cluster.plans().length > 0, 5 * minuteMs)
})
