// What changes under an approved plan, move by move: its certificates are held against the cluster as it is before each of them.
import { describe, expect, test } from 'vitest'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { leftBehind } from './crash-harness.ts'
import { smallCluster, smallPolicy, smallWorkload } from './small-cluster.ts'

async function approved(objects = smallCluster(), spec: Record<string, unknown> = {}): Promise<ControlledCluster> {
  const cluster = await controlledCluster({ objects: [...objects, smallPolicy(spec)] })
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
  return cluster
}

/** Once, when the surge of the first move is sent. */
function during(cluster: ControlledCluster, act: () => Promise<unknown> | unknown): void {
  let isDone = false
  cluster.meanwhile = async write => {
    if (isDone || !/deployments\/solo/.test(write)) return
    isDone = true
    await act()
  }
}

const webPlaces = (cluster: ControlledCluster) =>
  cluster
    .list<{
      apiVersion: string
      kind: string
      metadata: { name: string; labels?: Record<string, string>; deletionTimestamp?: string }
      spec: { nodeName?: string }
    }>('pods')
    .filter(pod => pod.metadata.labels?.['app'] === 'web' && pod.metadata.deletionTimestamp === undefined)
    .map(pod => pod.spec.nodeName ?? 'nowhere')
    .toSorted()
const evictions = (cluster: ControlledCluster) =>
  cluster.twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).length
const outcome = (cluster: ControlledCluster) => cluster.plans().map(({ status }) => status?.phase)

describe('in the middle of a plan', () => {
  test('a taint on the destination: the rest is planned anew, to another node', async () => {
    await using cluster = await approved()
    const to = cluster.plans()[0]?.spec.moves.find(({ workload }) => workload.name === 'web')?.to ?? ''
    const taints = [{ key: 'maintenance', effect: 'NoSchedule' }]
    during(cluster, () => cluster.change(builtIn.nodes, { name: to }, { spec: { taints } }))
    await cluster.followPlans()
    expect(outcome(cluster).toSorted()).toEqual(['Expired', 'Succeeded'])
    expect(webPlaces(cluster)).not.toContain(to)
    expect(leftBehind(cluster)).toEqual([])
  })

  test('the destination fills up: nothing goes to where there is no room any more', async () => {
    await using cluster = await approved()
    const to = cluster.plans()[0]?.spec.moves.find(({ workload }) => workload.name === 'web')?.to ?? ''
    const filler = smallWorkload({ name: 'filler', cpu: '2600m', on: [to], owner: 'none' })
    during(cluster, () => cluster.twin.load(filler))
    await cluster.followPlans()
    expect(outcome(cluster)).toContain('Expired')
    const requested = cluster.list<{
      apiVersion: string
      kind: string
      metadata: { name: string }
      spec: { nodeName?: string; containers: readonly { resources?: { requests?: { cpu?: string } } }[] }
    }>('pods')
    const cpuOn = requested
      .filter(pod => pod.spec.nodeName === to)
      .reduce((sum, pod) => sum + Number.parseInt(pod.spec.containers[0]?.resources?.requests?.cpu ?? '0', 10), 0)
    expect(cpuOn).toBeLessThanOrEqual(4000)
    expect(leftBehind(cluster)).toEqual([])
  })

  test('the budget is edited so that it never allows: no eviction is tried, the workload is left out', async () => {
    await using cluster = await approved()
    during(cluster, () =>
      cluster.change(builtIn.poddisruptionbudgets, { namespace: 'shop', name: 'web' }, { spec: { maxUnavailable: 0 } }),
    )
    await cluster.followPlans()
    expect(evictions(cluster)).toBe(0)
    expect(webPlaces(cluster)).toEqual(['n1', 'n1'])
    expect(leftBehind(cluster)).toEqual([])
  })

  test('the destination dies: the plan goes on with what is left of the cluster, and evicts nobody towards it', async () => {
    await using cluster = await approved()
    const to = cluster.plans()[0]?.spec.moves.find(({ workload }) => workload.name === 'web')?.to ?? ''
    during(cluster, () => cluster.admin.resource<Node>(builtIn.nodes).delete(to, { signal: new AbortController().signal }))
    await cluster.followPlans()
    expect(webPlaces(cluster)).not.toContain(to)
    expect(outcome(cluster).every(phase => phase !== 'Running' && phase !== 'Paused')).toBe(true)
    expect(leftBehind(cluster)).toEqual([])
  })
})
