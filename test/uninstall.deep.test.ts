// Ballast installed with everything that `ballast manifests` prints, killed in the middle of its work, and taken away again: what was
// there before is there afterwards, and nothing of ours.
import { describe, expect, test } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import { isolate } from '#capabilities/isolate'
import { reload } from '#capabilities/reload'
import { VirtualClock } from '#kube/clock.ts'
import type { Deployment, KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { type Removal, remove } from '../src/deployment/removal/removal.ts'
import type { RemovalOptions } from '../src/deployment/removal/removal-run.ts'
import { type ControlledCluster, type Kill, namespace, startMs } from './controlled-cluster.ts'
import { homelab, start } from './isolated-homelab.ts'
import { secret, workload } from './reload-cluster.ts'

const capabilities = [deschedule, isolate, reload]
const signal = new AbortController().signal

const found: readonly KubeObject[] = [
  ...homelab({ keda: 'evict', taintMode: 'kubernetes' }),
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  secret('cart', { password: 'one' }),
  workload({ name: 'cart', secrets: ['cart'] }),
]

/** What comes and goes by itself in a running cluster. */
const lively =
  /^(events(\.events\.k8s\.io)?|pods|replicasets\.apps|controllerrevisions\.apps|endpoints|endpointslices\.discovery\.k8s\.io|leases\.coordination\.k8s\.io kube-node-lease\/.*)/

function keysOf({ access }: Twin): readonly string[] {
  return access
    .resources()
    .flatMap(resource =>
      access
        .list(resource)
        .map(({ metadata }) => `${resource} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`),
    )
    .filter(key => !lively.test(key))
    .sort()
}

/** What the same objects are without Ballast. */
async function untouched(): Promise<{ readonly keys: readonly string[]; readonly marks: readonly string[] }> {
  const clock = new VirtualClock(startMs)
  const twin = await startTwin({ clock, seed: 1, objects: found })
  try {
    await clock.advance(60_000)
    return { keys: keysOf(twin), marks: marks(twin) }
  } finally {
    await twin.stop()
  }
}

const others: Readonly<Record<string, GroupVersionResource>> = {
  ConfigMap: builtIn.configmaps,
  Service: builtIn.services,
  Deployment: builtIn.deployments,
  PodDisruptionBudget: builtIn.poddisruptionbudgets,
  ResourceQuota: { group: '', version: 'v1', resource: 'resourcequotas' },
  CronJob: builtIn.cronjobs,
}
/** Rights of the descheduler, which has an account of its own. */
const ofDescheduler: typeof others = {
  ...others,
  ServiceAccount: builtIn.serviceaccounts,
  ClusterRole: builtIn.clusterroles,
  ClusterRoleBinding: builtIn.clusterrolebindings,
}

/** Kinds, account and rights are there; the rest of what is applied. */
async function installRest({ admin }: ControlledCluster): Promise<void> {
  const values = installationValues(
    { preset: { namespace: { create: true }, descheduler: { enabled: true, suspend: true } }, enable: ['reload'] },
    capabilities,
  )
  for (const object of objects(values, { capabilities, release: plainRelease('ballast', namespace) })) {
    const isDescheduler = object.metadata.labels?.['app.kubernetes.io/component'] === 'descheduler'
    const resource = (isDescheduler ? ofDescheduler : others)[object.kind]
    if (resource !== undefined) await admin.resource(resource).create(object, { signal, namespace: object.metadata.namespace })
  }
}

async function installed(kill: Kill): Promise<ControlledCluster> {
  const cluster = await start(found, { capabilities, hold: true, kill })
  await installRest(cluster)
  await cluster.clock.runUntil(() => !cluster.isAlive, { limitMs: 3_600_000 })
  return cluster
}

async function uninstall(cluster: ControlledCluster, choice: Partial<RemovalOptions> = {}): Promise<Removal> {
  const { admin: api, clock } = cluster
  const keep = new Set(['crds'] as const)
  const removal = remove({ api, clock, capabilities, namespace, release: 'ballast', keep, dryRun: false, signal, ...choice })
  let isOver = false
  const ended = removal.finally(() => {
    isOver = true
  })
  await clock.runUntil(() => isOver, { limitMs: 600_000 })
  const result = await ended
  // Namespaces and what pods leave behind take a moment to go.
  await clock.advance(120_000)
  return result
}

/** Marks of ours on objects of others. */
function marks({ access }: Twin): readonly string[] {
  const onMetadata = access
    .resources()
    .filter(resource => !/ballast\.dev|customresourcedefinitions|^events/.test(resource))
    .flatMap(resource =>
      access
        .list(resource)
        .flatMap(({ metadata }) =>
          [...Object.keys(metadata.labels ?? {}), ...Object.keys(metadata.annotations ?? {}), ...(metadata.finalizers ?? [])]
            .filter(key => key.includes('ballast.dev/'))
            .map(key => `${key} on ${resource} ${metadata.name}`),
        ),
    )
  const taints = (access.list('nodes') as readonly Node[]).flatMap(({ metadata, spec }) =>
    (spec?.taints ?? []).map(({ key }) => `taint ${key} on ${metadata.name}`),
  )
  const gates = (access.list('pods') as readonly Pod[]).flatMap(({ metadata, spec }) =>
    (spec.schedulingGates ?? []).map(({ name }) => `gate ${name} on ${metadata.name}`),
  )
  return [...onMetadata, ...taints, ...gates]
}

const kinds = ['disruptionpermits', 'rebalanceplans', 'rebalancepolicies'].map(
  plural => `customresourcedefinitions.apiextensions.k8s.io ${plural}.ballast.dev`,
)

describe.each([12, 25, 60])('killed after its write %i', write => {
  test('what was there is there, and of ours only the kinds that were to be kept', async () => {
    await using cluster = await installed({ write, when: 'after' })
    const before = await untouched()
    expect(marks(cluster.twin)).not.toEqual(before.marks)
    const removal = await uninstall(cluster)
    expect(removal.left).toEqual([])
    expect(marks(cluster.twin)).toEqual(before.marks)
    const known = new Set([...before.keys, ...kinds])
    expect(keysOf(cluster.twin).filter(key => !known.has(key))).toEqual([])
    expect([...known].filter(key => !keysOf(cluster.twin).includes(key))).toEqual([])
  })
})

test('a dry run says the same and changes nothing', async () => {
  await using cluster = await installed({ write: 25, when: 'after' })
  const marksBefore = marks(cluster.twin)
  const planned = await uninstall(cluster, { dryRun: true })
  expect(planned.done.length).toBeGreaterThan(10)
  expect(marks(cluster.twin)).toEqual(marksBefore)
  expect(cluster.twin.requests.entries.filter(({ verb, path }) => verb === 'DELETE' && path.includes('ballast')).length).toBe(0)
})

test('a slip of the pen in the namespace or the name takes nothing from what runs elsewhere', async () => {
  await using cluster = await installed({ write: 25, when: 'after' })
  const before = keysOf(cluster.twin)
  for (const slip of [{ namespace: 'shop' }, { release: 'other' }]) {
    const { done, left } = await uninstall(cluster, slip)
    expect(done).toEqual([])
    expect(left).toEqual([expect.stringContaining('but in ballast-system: --namespace ballast-system --release ballast')])
  }
  expect(keysOf(cluster.twin)).toEqual(before)
})

test('as the hook of a chart it leaves to Helm what Helm applied', async () => {
  await using cluster = await installed({ write: 25, when: 'after' })
  await uninstall(cluster, { keep: new Set(['crds', 'objects']) })
  const [deployment] = cluster.twin.access.list('deployments.apps', namespace) as readonly Deployment[]
  expect(deployment?.spec.replicas).toBe(0)
  expect(cluster.twin.access.list('configmaps', namespace).map(({ metadata }) => metadata.name)).toContain('ballast-config')
  const { marks: known } = await untouched()
  expect(marks(cluster.twin).filter(mark => !known.includes(mark))).toEqual([])
})

test('what Helm applied is left to Helm, and that is said', async () => {
  await using cluster = await installed({ write: 1, when: 'after' })
  const labels = { 'app.kubernetes.io/managed-by': 'Helm' }
  await cluster.change(builtIn.services, { name: 'ballast-controller', namespace }, { metadata: { labels } })
  await cluster.change(builtIn.namespaces, { name: namespace }, { metadata: { labels } })
  const removal = await uninstall(cluster)
  expect(cluster.twin.access.get('services', namespace, 'ballast-controller')).toBeDefined()
  expect(removal.left).toEqual(['2 objects that Helm applied: helm uninstall ballast -n ballast-system deletes them'])
})

test('a Deployment that a reload paused goes on, and pod templates are left alone and told of', async () => {
  await using cluster = await installed({ write: 1, when: 'after' })
  const { annotations } = { annotations: { 'deployment.reloader.stakater.com/paused-at': '2026-03-02T04:00:00Z' } }
  const template = { metadata: { annotations: { 'reloader.stakater.com/last-reloaded-from': '{}' } } }
  await cluster.change(
    builtIn.deployments,
    { name: 'cart', namespace: 'shop' },
    { metadata: { annotations }, spec: { paused: true, template } },
  )
  const removal = await uninstall(cluster)
  const cart = cluster.twin.access.get('deployments.apps', 'shop', 'cart') as Deployment
  expect(cart.spec.paused ?? false).toBe(false)
  expect(Object.keys(cart.metadata.annotations ?? {})).not.toContain('deployment.reloader.stakater.com/paused-at')
  expect(cart.spec.template.metadata?.annotations).toEqual(template.metadata.annotations)
  expect(removal.left).toEqual([expect.stringContaining('pod templates of 1 workloads')])
})
