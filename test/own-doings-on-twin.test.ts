// What was done under a permit is one doing: whoever looks later, at the cluster or at the page, does not find it a second time as somebody's.
import { describe, expect, test } from 'vitest'
import type { DisruptionPermit } from '#coordination/api.ts'
import { observationSentence } from '#coordination/observed/observation-sentence.ts'
import { viewOf } from '#coordination/permits/ledger-view.ts'
import { recordOf } from '#coordination/permits/permit-record.ts'
import { defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import { hourlyBucket } from '#coordination/policy/caps/hourly-bucket.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { observe } from './own-observer.ts'
import { changeConfigMap, configMap, reloadCluster, remembered, workload } from './reload-cluster.ts'

const { signal } = new AbortController()

type Observing = Awaited<ReturnType<typeof observe>>
const said = ({ observer }: Observing) => observer.observations().since(0).map(observationSentence)

const objects = [
  workload({ kind: 'StatefulSet', name: 'db', replicas: 4, configmaps: ['settings'] }),
  workload({ kind: 'DaemonSet', name: 'agent', configmaps: ['agents'] }),
  workload({ name: 'web', replicas: 2, configmaps: ['pages'] }),
  ...['settings', 'agents', 'pages'].map(name => configMap(name, { a: '1' })),
]

const restarts = (cluster: ControlledCluster) =>
  cluster
    .list<DisruptionPermit>('disruptionpermits.ballast.dev')
    .filter(({ spec }) => spec.verb === 'restart')
    .map(recordOf)

/** A cluster whose first roll-outs ended minutes ago, and whose controller has read everything. */
async function running(): Promise<ControlledCluster> {
  const config = { arbitration: 'enforce', debounce: '0s', rateGuard: { enabled: false } }
  const cluster = await reloadCluster(objects, { config })
  await cluster.pass(600_000)
  cluster.startController()
  await remembered(cluster, 3)
  return cluster
}

async function reloaded(cluster: ControlledCluster, name: string): Promise<void> {
  const before = restarts(cluster).length
  await changeConfigMap(cluster, name, { a: '2' })
  await cluster.until(() => restarts(cluster).filter(({ ending }) => ending === 'done').length > before)
  await cluster.pass(30_000)
}

describe.each([
  ['a StatefulSet', 'settings'],
  ['a DaemonSet', 'agents'],
  ['a Deployment', 'pages'],
])("the roll-out of %s after a reload of ours is nobody else's", (_what, source) => {
  test('to who saw it, and to who came later', async () => {
    await using cluster = await running()
    await using live = await observe(cluster)
    await reloaded(cluster, source)
    expect(restarts(cluster).length).toBe(1)
    expect(said(live)).toEqual([])
    const killed = cluster.list('events').filter(event => event['reason'] === 'Killing')
    expect(killed.length).toBeGreaterThan(0)
    await using later = await observe(cluster)
    await later.observer.learnFrom(cluster.admin, signal)
    expect(said(later)).toEqual([])
  })
})

test('a StatefulSet of many pods whose controller told of none: its recorder leaves Events out', async () => {
  await using cluster = await running()
  await reloaded(cluster, 'settings')
  for (const { metadata } of cluster.list('events').filter(event => event['reason'] === 'SuccessfulDelete'))
    await cluster.admin.resource(builtIn.events).delete(metadata.name, { namespace: 'shop', signal })
  await using later = await observe(cluster)
  await later.observer.learnFrom(cluster.admin, signal)
  expect(said(later)).toEqual([])
})

test('a leader that takes over has as much left within the hour as before', async () => {
  await using cluster = await running()
  await reloaded(cluster, 'settings')
  await using later = await observe(cluster)
  await later.observer.learnFrom(cluster.admin, signal)
  const policy = { ...defaultPolicy, caps: { ...defaultPolicy.caps, perHour: 3 } }
  const left = hourlyBucket({
    intent: {},
    ledger: viewOf(restarts(cluster)),
    observed: later.observer.observations(),
    policy,
    nowMs: cluster.clock.now(),
  })
  // Its class lets it go uncounted; each of the four pods would have counted.
  expect(left.tokens).toBe(3)
})
