// The drop-in descheduler in trouble (rebalancing.md §4): watches that the server ends with 410, a clock that jumps, objects that cannot be.
import { afterEach, describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { DeschedulerCluster } from './descheduler-cluster.ts'
import { cluster as objectsOf, policyOf, tainted } from './descheduler-objects.ts'
import { node } from './small-cluster.ts'

const open: DeschedulerCluster[] = []
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

const { signal } = new AbortController()
const policy = policyOf({ deschedule: { RemovePodsViolatingNodeTaints: {} } })
/** One pod a cycle goes. */
const slowly = { ...policy, maxNoOfPodsToEvictTotal: 1 }
const minuteMs = 60_000
const settings = { deschedulingIntervalMs: minuteMs }

async function start(pods: number): Promise<DeschedulerCluster> {
  const cluster = await DeschedulerCluster.start(objectsOf([tainted('n1'), node('n2')], { n1: pods }))
  open.push(cluster)
  return cluster
}

/** Bound to the node that it does not tolerate. */
const late: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'late',
    namespace: 'shop',
    // Nobody would make it anew.
    annotations: { 'descheduler.alpha.kubernetes.io/evict': '' },
  },
  spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'registry.example/late:1' }] },
}

const cyclesIn = (log: string) => log.split('"Number of evictions/requests"').length - 1

describe('watches that are ended with 410', () => {
  const podLists = (cluster: DeschedulerCluster) =>
    cluster.twin.requests.entries.filter(
      ({ path, query, agent }) => path === '/api/v1/pods' && !query.includes('watch=') && agent === 'ballast descheduler',
    ).length

  test('pods are listed anew, and the next cycle decides by what came meanwhile', async () => {
    const cluster = await start(0)
    const run = cluster.run({ policy, settings })
    await cluster.until(() => cyclesIn(run.log) === 1)
    const before = podLists(cluster)
    const expired = cluster.twin.fault({ match: { resource: 'pods', verbs: ['watch'] }, watch: { expire: {} } })
    await cluster.admin.resource<KubeObject>(builtIn.pods).create(late, { namespace: 'shop', signal })
    await cluster.until(() => podLists(cluster) > before, 500)
    expired.remove()
    await cluster.until(() => cluster.evictions.length === 1, 1_000)
    expect(cluster.evictions[0]).toContain('late')
    expect(run.end).toBeUndefined()
    expect(run.log).not.toContain('Descheduling cycle failed')
  })

  test('and no list is to be had: cycles on what is older than 60 s are skipped with the reason, until there is one', async () => {
    const cluster = await start(4)
    const run = cluster.run({ policy: slowly, settings })
    await cluster.until(() => cluster.evictions.length === 1)
    const expired = cluster.twin.fault({ match: { resource: 'pods', verbs: ['watch'] }, watch: { expire: {} } })
    const refused = cluster.twin.fault({ match: { resource: 'pods', verbs: ['list'] }, status: { code: 500 } })
    await cluster.until(() => run.log.includes('Skipping descheduling cycle'), 2_000)
    expect(run.log).toMatch(/"Skipping descheduling cycle" why="(what is known of pods is \d+ s old|pods are not listed)/)
    const [evicted, done] = [cluster.evictions.length, cyclesIn(run.log)]
    await cluster.until(() => run.log.split('Skipping descheduling cycle').length > 3, 2_000)
    expect([cluster.evictions.length, cyclesIn(run.log)]).toEqual([evicted, done])
    expired.remove()
    refused.remove()
    await cluster.until(() => cluster.evictions.length > evicted, 2_000)
    expect(run.end).toBeUndefined()
  })
})

test.each([
  ['a day ahead', 86_400_000],
  ['a day back', -86_400_000],
])('the clock jumps %s: the rhythm stays, nothing is taken for old, and durations are what they were', async (_, jumpMs) => {
  const cluster = await start(4)
  let offMs = 0
  const run = cluster.run({ policy: slowly, settings, isServing: true, now: () => cluster.clock.now() + offMs })
  await cluster.until(() => cluster.evictions.length === 1)
  const startMs = cluster.clock.elapsed()
  offMs = jumpMs
  await cluster.until(() => cluster.evictions.length === 2, 500)
  const passedMs = cluster.clock.elapsed() - startMs
  expect(passedMs).toBeGreaterThan(minuteMs - 5_000)
  expect(passedMs).toBeLessThan(minuteMs + 10_000)
  await cluster.until(() => cluster.evictions.length === 3, 500)
  expect(run.log).not.toMatch(/Skipping|failed/)
  const metrics = await run.metrics()
  const seconds = Number(/^descheduler_loop_duration_seconds_sum(?:\{\})? (\S+)$/m.exec(metrics)?.[1])
  expect(seconds).toBeGreaterThanOrEqual(0)
  expect(seconds).toBeLessThan(minuteMs / 1_000)
})

test('an object that cannot be is told once and counted in each cycle, and the others are worked on', async () => {
  const cluster = await start(3)
  const lost = { ...late, spec: { ...Object(late['spec']), nodeName: 'nowhere' } }
  await cluster.admin.resource<KubeObject>(builtIn.pods).create(lost, { namespace: 'shop', signal })
  const run = cluster.run({ policy: slowly, settings: { deschedulingIntervalMs: 5_000 } })
  await cluster.until(() => cyclesIn(run.log) === 2)
  const told = run.lines.filter(line => line.includes('set aside'))
  expect(told.map(line => `${line[0]} ${line.slice(line.indexOf(']') + 2)}`)).toEqual([
    'W "An object is set aside: no strategy sees it" why="Pod shop/late: spec.nodeName: found \\"nowhere\\", expected the name of a node of this cluster [pod-node-missing]"',
    'I "Objects are set aside" problems=1 told=1',
    'I "Objects are set aside" problems=1 told=1',
  ])
  expect(cluster.evictions).toHaveLength(2)
})

test('a policy that begins to ask how long conditions have been so gets their times, and they are watched from then on', async () => {
  const cluster = await start(2)
  const asking = policyOf({
    deschedule: { PodLifeTime: { conditions: [{ type: 'Ready', minTimeSinceLastTransitionSeconds: 60 }] } },
  })
  const run = cluster.run({ policy: policyOf({ deschedule: { RemoveFailedPods: {} } }), settings })
  await cluster.until(() => cyclesIn(run.log) === 1)
  cluster.write(cluster.policyFile, asking)
  await cluster.until(() => cluster.evictions.length === 2, 500)
  expect(run.log).not.toMatch(/Skipping|failed/)
})
