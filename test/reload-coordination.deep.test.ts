// Reload in mode coordinate: what a reload waits for. What goes along with it and what waits for it is in fights.test.ts.
import { describe, expect, test } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import { reload } from '#capabilities/reload'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { readers, reads } from './one-rollout.ts'
import { remembered } from './reload-cluster.ts'
import { resizeRequester } from './requesters/resize.ts'
import { isQuiet, permitsOn, readingOf, rolloutsOf, rotate, templateOf, wishSize } from './requesters/wishes.ts'
import { smallWorkload } from './small-cluster.ts'

const minuteMs = 60_000

const options: ControlledOptions = {
  objects: readers({ podAnnotations: { 'ballast.dev/twin-ready-after': '45s' } }),
  capabilities: [deschedule, reload, resizeRequester()],
  configurations: {
    rightsize: { arbitration: 'coordinate' },
    reload: { arbitration: 'coordinate', debounce: '0s', rateGuard: { enabled: false } },
  },
}

async function running(): Promise<ControlledCluster> {
  const cluster = await controlledCluster(options)
  cluster.startController()
  await remembered(cluster, 2)
  return cluster
}

const web = { namespace: 'shop', name: 'web' }

const hasRead = (cluster: ControlledCluster, name: string, content: string) =>
  templateOf(cluster, name).reading('keys') === readingOf(content)

/** Somebody else rolls web out. */
function rollOut(cluster: ControlledCluster, revision: string): Promise<void> {
  const annotations = { 'example.com/revision': revision }
  return cluster.change(builtIn.deployments, web, { spec: { template: { metadata: { annotations } } } })
}

describe('a reload waits', () => {
  test('for a roll-out of the same workload that gives it another size, and for no other workload', async () => {
    await using cluster = await running()
    await wishSize(cluster, { workload: 'web', cpu: '600m' })
    await cluster.until(() => templateOf(cluster, 'web').cpu === '600m')
    await rotate(cluster, 'keys', 'second')
    await cluster.until(() => hasRead(cluster, 'solo', 'second'))
    await cluster.pass(20_000)
    expect(hasRead(cluster, 'web', 'second')).toBe(false)
    expect(rolloutsOf(cluster, 'web')).toBe(1)
    await cluster.until(() => hasRead(cluster, 'web', 'second') && isQuiet(cluster))
    await cluster.pass(10 * minuteMs)
    expect(rolloutsOf(cluster, 'web')).toBe(2)
    expect(
      permitsOn(cluster, 'web')
        .map(({ wish, ending }) => `${wish} ${ending}`)
        .toSorted(),
    ).toEqual(['reload restart done', 'rightsize resize done'])
    expect(cluster.errors).toEqual([])
  })

  test('for its own roll-out that is under way: two changes are two roll-outs, one after the other', async () => {
    await using cluster = await running()
    await rotate(cluster, 'keys', 'second')
    await cluster.until(() => hasRead(cluster, 'web', 'second'))
    for (const content of ['third', 'fourth', 'fifth']) {
      await rotate(cluster, 'keys', content)
      await cluster.pass(3_000)
    }
    expect(hasRead(cluster, 'web', 'second')).toBe(true)
    await cluster.until(() => hasRead(cluster, 'web', 'fifth') && isQuiet(cluster))
    expect(rolloutsOf(cluster, 'web')).toBe(2)
    expect(permitsOn(cluster, 'web').map(({ ending }) => ending)).toEqual(['done', 'done'])
  })

  test('for a roll-out of the same workload that somebody else began, and for no other workload', async () => {
    await using cluster = await running()
    await rollOut(cluster, 'two')
    await cluster.pass(3_000)
    await rotate(cluster, 'keys', 'second')
    await cluster.until(() => hasRead(cluster, 'solo', 'second'))
    await cluster.pass(20_000)
    expect(hasRead(cluster, 'web', 'second')).toBe(false)
    await cluster.until(() => hasRead(cluster, 'web', 'second') && isQuiet(cluster), 5 * minuteMs)
    expect(permitsOn(cluster, 'web').map(({ ending }) => ending)).toEqual(['done'])
    expect(cluster.errors).toEqual([])
  })

  test('not for ever: a roll-out of somebody else that is stuck may lack what was rotated', async () => {
    await using cluster = await running()
    const stuck = { 'ballast.dev/twin-ready-after': '24h' }
    await cluster.change(builtIn.deployments, web, { spec: { template: { metadata: { annotations: stuck } } } })
    await cluster.pass(3_000)
    await rotate(cluster, 'keys', 'second')
    await cluster.pass(5 * minuteMs)
    expect(hasRead(cluster, 'web', 'second')).toBe(false)
    await cluster.until(() => hasRead(cluster, 'web', 'second'), 7 * minuteMs)
    expect(cluster.errors).toEqual([])
  })

  test('for a drain of somebody else that takes its pods', async () => {
    await using cluster = await running()
    const pod = cluster.list('pods').find(({ metadata }) => metadata.labels?.['app'] === 'web') ?? expect.fail('web has no pod')
    const { name } = pod.metadata
    const { signal } = new AbortController()
    const nodeName = JSON.stringify(pod).match(/"nodeName":"([^"]+)"/)?.[1] ?? expect.fail('it has no node')
    const cordon = (unschedulable: boolean) =>
      cluster.admin
        .resource(builtIn.nodes)
        .patch(nodeName, { type: 'merge', body: { spec: { unschedulable } } }, { signal, fieldManager: 'kubectl' })
    await cordon(true)
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'shop' } }
    await cluster.admin.resource(builtIn.pods).sub(name, 'eviction', 'POST', eviction, { namespace: 'shop', signal })
    await cluster.pass(3_000)
    await rotate(cluster, 'keys', 'second')
    await cluster.pass(minuteMs)
    expect(hasRead(cluster, 'web', 'second')).toBe(false)
    await cordon(false)
    await cluster.until(() => hasRead(cluster, 'web', 'second'), 10_000)
    expect(cluster.errors).toEqual([])
  })

  test('in mode observe for nobody', async () => {
    await using cluster = await controlledCluster({
      ...options,
      configurations: { reload: { arbitration: 'observe', debounce: '0s', rateGuard: { enabled: false } } },
    })
    cluster.startController()
    await remembered(cluster, 2)
    await rollOut(cluster, 'two')
    await cluster.pass(3_000)
    await rotate(cluster, 'keys', 'second')
    await cluster.pass(3_000)
    expect(hasRead(cluster, 'web', 'second')).toBe(true)
  })
})

describe('a workload at zero', () => {
  test('takes two rotations along at its next start, without a permit or a roll-out', async () => {
    const llm = smallWorkload({ name: 'llm', cpu: '100m', on: [], hasBudget: false, ...reads })
    await using cluster = await controlledCluster({ ...options, objects: [...options.objects, ...llm] })
    cluster.startController()
    await remembered(cluster, 3)
    for (const content of ['second', 'third']) {
      await rotate(cluster, 'keys', content)
      await cluster.until(() => hasRead(cluster, 'llm', content))
    }
    expect(permitsOn(cluster, 'llm')).toEqual([])
    await cluster.until(() => isQuiet(cluster))
    await cluster.change(builtIn.deployments, { namespace: 'shop', name: 'llm' }, { spec: { replicas: 1 } })
    await cluster.pass(5 * minuteMs)
    const pods = cluster.list('pods').filter(({ metadata }) => metadata.labels?.['app'] === 'llm')
    expect(pods).toHaveLength(1)
    expect(JSON.stringify(pods)).toContain(readingOf('third'))
    expect(cluster.witness.disruptions.filter(({ workload }) => workload.endsWith('/llm'))).toEqual([])
  })
})
