// What the drop-in descheduler may, and asks for: with the role of upstream's chart it records in memory and evicts as ever; with coordination
// enforced it leaves alone what belongs to others and says so once.
import { afterEach, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { chartPolicy } from '../bench/descheduler-policies.ts'
import { recordsLack } from '../src/capabilities/deschedule/commands/descheduler.ts'
import { DeschedulerCluster } from './descheduler-cluster.ts'
import { overfull, policyOf } from './descheduler-objects.ts'
import { upstreamToken } from './descheduler-role.ts'
import { node, smallWorkload } from './small-cluster.ts'

const open: DeschedulerCluster[] = []
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

const { signal } = new AbortController()
const minuteMs = 60_000

async function start(objects: readonly KubeObject[] = overfull): Promise<DeschedulerCluster> {
  const cluster = await DeschedulerCluster.start(objects)
  open.push(cluster)
  return cluster
}

const namespace = 'kube-system'

test("with upstream's own role: it evicts, elects and tells as ever, records in memory, and asks for nothing that it may not", async () => {
  const cluster = await start()
  const token = await upstreamToken(cluster.twin, { clock: cluster.clock, signal })
  const api = openApi(cluster.twin.transport({ token }), { clock: cluster.clock, userAgent: 'asks first' })
  expect(await recordsLack(api, undefined, signal)).toMatch(/^no right to .*disruptionpermits/)
  const run = cluster.run({
    policy: chartPolicy(),
    token,
    settings: {
      deschedulingIntervalMs: minuteMs,
      leaderElection: {
        leaseDurationMs: 137_000,
        renewDeadlineMs: 107_000,
        retryPeriodMs: 26_000,
        name: 'descheduler',
        namespace,
      },
    },
  })
  await cluster.until(() => run.log.includes('totalEvicted=2'))
  expect(run.log).toContain('DisruptionPermits are kept in memory')
  expect((await cluster.events()).map(({ line }) => line.split(':')[0])).toEqual([
    'Normal LowNodeUtilization a-abcde12345-a',
    'Normal LowNodeUtilization b-abcde12345-a',
  ])
  run.stop()
  await cluster.until(() => run.end !== undefined)
  const [lease] = cluster.twin.access.list('leases.coordination.k8s.io').filter(({ metadata }) => metadata.name === 'descheduler')
  expect(lease?.['spec']).toMatchObject({ holderIdentity: '' })
  const refused = cluster.twin.requests.entries.filter(({ agent, code }) => agent === 'ballast descheduler' && code === 403)
  expect(refused.map(({ verb, path }) => `${verb} ${path}`)).toEqual([])
})

const scaledObjects: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'scaledobjects.keda.sh' },
  spec: {
    group: 'keda.sh',
    scope: 'Namespaced',
    names: { plural: 'scaledobjects', singular: 'scaledobject', kind: 'ScaledObject', listKind: 'ScaledObjectList' },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
} as KubeObject

const scaled = {
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name: 'a', namespace: 'shop' },
  spec: { scaleTargetRef: { name: 'a' } },
} as KubeObject

const utilization = policyOf({
  balance: {
    LowNodeUtilization: {
      thresholds: { cpu: 20, memory: 20, pods: 20 },
      targetThresholds: { cpu: 50, memory: 50, pods: 50 },
    },
  },
})

/** Four workloads fill n1: KEDA's whatever its label says, the descheduler's, nobody's, and one without a budget. */
const owned: readonly KubeObject[] = [
  ...['n1', 'n2', 'n3'].map(node),
  ...overfull.filter(({ kind }) => kind === 'Namespace'),
  scaledObjects,
  scaled,
  ...smallWorkload({ name: 'a', cpu: '800m', on: ['n1'], owner: 'descheduler' }),
  ...smallWorkload({ name: 'b', cpu: '800m', on: ['n1'], owner: 'descheduler' }),
  ...smallWorkload({ name: 'c', cpu: '800m', on: ['n1'], owner: 'none' }),
  ...smallWorkload({ name: 'd', cpu: '800m', on: ['n1'], owner: 'descheduler', hasBudget: false }),
]

test('case 22: with enforce what a ScaledObject targets stays whatever its label says, and a Warning says so once', async () => {
  const cluster = await start(owned)
  const run = cluster.run({
    policy: utilization,
    verbosity: 4,
    coordination: { enforce: true },
    // Windows that are always open: the not-continuous rule is content.
    arbiter: { windows: { deschedule: [alwaysOpen] } },
    settings: { deschedulingIntervalMs: minuteMs },
  })
  await cluster.until(() => run.log.split('Number of evictions/requests').length > 3, 5_000)
  expect(new Set(cluster.evictions)).toEqual(new Set(['201 b-abcde12345-a']))
  const checks = Array.from(
    run.log.matchAll(/extensionPoint="Filter" pod="shop\/(\w)-\S+" checks=".*\[(\w+)\]"/g),
    ([, pod, code]) => `${pod} ${code}`,
  )
  expect(new Set(checks)).toEqual(new Set(['a KedaManaged', 'c OwnerNone', 'd NoPDB']))
  const warnings = (await cluster.events()).filter(({ line }) => line.startsWith('Warning'))
  expect(warnings.map(({ line }) => line)).toEqual([
    expect.stringMatching(
      /^Warning RebalanceSkipped a: its label scaling\.talos\.io\/managed-by says "descheduler", but a ScaledObject .* \[KedaManaged\]$/,
    ),
  ])
})

const alwaysOpen = {
  text: 'always',
  openAt: (nowMs: number) => ({ startMs: nowMs, endMs: nowMs + minuteMs }),
  nextAfter: () => undefined,
}
const opensMs = Date.parse('2026-03-02T09:00:00Z')
const closed = { text: 'later', openAt: () => undefined, nextAfter: () => ({ startMs: opensMs, endMs: opensMs + minuteMs }) }

test('without enforce owner labels mean nothing, as upstream', async () => {
  const cluster = await start(owned)
  const run = cluster.run({ policy: utilization })
  await cluster.ended(run)
  expect(cluster.evictions).toEqual(['201 a-abcde12345-a', '201 b-abcde12345-a'])
})

test('case 23: with enforce an interval without a window is refused by the name of the rule', async () => {
  const cluster = await start(owned)
  const run = cluster.run({
    policy: utilization,
    coordination: { enforce: true },
    settings: { deschedulingIntervalMs: 2 * minuteMs },
  })
  await expect(cluster.ended(run)).rejects.toThrow(
    'the rule not-continuous: --descheduling-interval of 120s runs at any time, and rebalancing is never continuous where coordination is enforced',
  )
})

test('with enforce a cycle outside of the windows is skipped, and says when the next one opens', async () => {
  const cluster = await start(owned)
  const run = cluster.run({
    policy: utilization,
    coordination: { enforce: true },
    arbiter: { windows: { deschedule: [closed] } },
    settings: { deschedulingIntervalMs: minuteMs },
  })
  await cluster.until(() => run.log.includes('Skipping descheduling cycle'))
  expect(run.log).toContain('why="no window is open before 2026-03-02T09:00:00Z"')
  expect(cluster.evictions).toEqual([])
})
