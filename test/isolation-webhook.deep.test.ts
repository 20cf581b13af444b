// Tolerations by webhook on the twin: the webhook is called over HTTPS by the API server, and judged by the pods it lets through.
import { describe, expect, test } from 'vitest'
import { type DisruptionPermit, rebalancePolicies } from '#coordination/api.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import {
  controlPlane,
  evictions,
  homelab,
  isolationOf,
  left,
  podsOn,
  standing,
  start,
  taintsOf,
  until,
  without,
} from './isolated-homelab.ts'

const configurations = 'mutatingwebhookconfigurations.admissionregistration.k8s.io'
const { signal } = new AbortController()

/** `objects` with the tolerations of core workloads taken away: from templates, ReplicaSets and pods. */
function bare(names: readonly string[], objects: readonly KubeObject[]): readonly KubeObject[] {
  const lacking = names.reduce((all, name) => without(without(all, 'Deployment', name), 'StatefulSet', name), objects)
  const isOf = ({ metadata }: KubeObject) =>
    names.some(name => metadata.name.startsWith(`${name}-`)) && metadata.namespace !== 'monitoring'
  return lacking.map(object => {
    if (!isOf(object)) return object
    if (object.kind === 'ReplicaSet') return without([object], 'ReplicaSet', object.metadata.name)[0] ?? object
    if (object.kind !== 'Pod') return object
    const { tolerations: _, ...spec } = object['spec'] as Record<string, unknown>
    return { ...object, spec }
  })
}

const byWebhook = (more: object = {}) => homelab({ keda: 'evict', taintMode: 'kubernetes', tolerations: 'webhook', ...more })

function configurationsOf(cluster: ControlledCluster): readonly string[] {
  return cluster.list(configurations).map(({ metadata }) => metadata.name)
}

function tolerates(pod: Pod): boolean {
  return pod.spec.tolerations?.some(({ key }) => key === controlPlane) === true
}

async function create(cluster: ControlledCluster, namespace: string, spec: object = {}): Promise<Pod> {
  const containers = [{ name: 'main', image: 'registry.example/probe:1' }]
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: '', generateName: 'probe-', namespace },
    spec: { containers, ...spec },
  }
  const { metadata } = await cluster.admin.resource<KubeObject>(builtIn.pods).create(pod, { signal, namespace })
  const stored = cluster.list<Pod>('pods').find(({ metadata: { uid } }) => uid === metadata.uid)
  if (stored === undefined) throw new Error('the pod was not stored')
  return stored
}

/** Which core workloads a controller rolled out, in order, and how many permits for that were out at once. */
function watchRollouts(cluster: ControlledCluster): { readonly names: string[]; atOnce: number } {
  const seen = { names: [] as string[], atOnce: 0 }
  cluster.meanwhile = write => {
    const out = cluster
      .list<DisruptionPermit>('disruptionpermits.ballast.dev')
      .filter(({ spec, status }) => spec.verb === 'restart' && spec.batch === undefined && status?.releasedAt === undefined)
    seen.atOnce = Math.max(seen.atOnce, out.length)
    const [, name] = /^PATCH .*\/(?:deployments|statefulsets|daemonsets)\/([^/?]+)/.exec(write) ?? []
    if (name !== undefined && lacking.some(one => one === name)) seen.names.push(name)
  }
  return seen
}

const lacking = ['argocd', 'cert-manager', 'spire']

function templateTolerations(cluster: ControlledCluster): readonly unknown[] {
  return ['deployments.apps', 'statefulsets.apps'].flatMap(resource =>
    cluster
      .list(resource)
      .filter(({ metadata }) => lacking.includes(metadata.name))
      .map(
        object =>
          (object['spec'] as { readonly template: { readonly spec: Record<string, unknown> } }).template.spec['tolerations'],
      ),
  )
}

test('core workloads are rolled out one by one, their templates stay, and new core pods get it until the isolation is aborted', async () => {
  await using cluster = await start(bare(lacking, byWebhook()), { hold: true })
  const rollouts = watchRollouts(cluster)
  expect(podsOn(cluster, 'talos00').filter(pod => pod.metadata.namespace === 'argocd' && tolerates(pod))).toEqual([])
  await until(cluster, 'Verify Verified', 6 * 3_600_000)
  expect([rollouts.names.toSorted(), rollouts.atOnce]).toEqual([lacking, 1])
  expect(templateTolerations(cluster)).toEqual([undefined, undefined, undefined])
  const core = cluster
    .list<Pod>('pods')
    .filter(({ metadata }) => ['argocd', 'cert-manager', 'cilium-spire'].includes(metadata.namespace ?? ''))
  expect([core.length, core.filter(tolerates).length]).toEqual([11, 11])
  expect(isolationOf(cluster)?.warnings?.map(({ reason }) => reason)).toContain('TolerationByWebhook')
  expect(configurationsOf(cluster)).toEqual(['ballast-isolation'])
  expect(cluster.list(configurations)[0]?.metadata.annotations?.['ballast.dev/isolations']).not.toContain('tried')

  // Pods as they are made now: of the core, of others, of the core but with what they need, with their node.
  expect(tolerates(await create(cluster, 'argocd'))).toBe(true)
  expect(tolerates(await create(cluster, 'media'))).toBe(false)
  const all = await create(cluster, 'argocd', { tolerations: [{ operator: 'Exists' }] })
  expect(all.spec.tolerations?.filter(({ key }) => key === undefined)).toEqual([{ operator: 'Exists' }])
  expect(tolerates(all)).toBe(false)
  expect(tolerates(await create(cluster, 'argocd', { nodeName: 'talos01' }))).toBe(false)
  expect(left(cluster)).toEqual([])

  const names = podsOn(cluster, 'talos00').map(({ metadata }) => metadata.name)
  await cluster.change(rebalancePolicies, { name: 'talos' }, { spec: { isolation: { enabled: false } } })
  await cluster.until(() => isolationOf(cluster)?.phase === 'Aborted')
  expect(configurationsOf(cluster)).toEqual([])
  expect(isolationOf(cluster)?.message).toContain('core pods that are made from now on do not tolerate the taint')
  expect(tolerates(await create(cluster, 'argocd'))).toBe(false)
  await cluster.clock.advance(600_000)
  expect(podsOn(cluster, 'talos00').map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining(names))
  expect(configurationsOf(cluster)).toEqual([])
})

describe('what stands in its way', () => {
  test('a controller without webhooks: blocked with the way out, nothing is rolled out or tainted', async () => {
    await using cluster = await start(bare(lacking, byWebhook()))
    const rollouts = watchRollouts(cluster)
    await until(cluster, 'Tolerations Blocked')
    await cluster.clock.advance(600_000)
    const [row, ...others] = isolationOf(cluster)?.blocked ?? []
    expect([row?.reason, others]).toEqual(['WebhookMissing', []])
    expect(row?.remedy).toContain('--webhook-host')
    expect([rollouts.names, taintsOf(cluster), evictions(cluster), configurationsOf(cluster)]).toEqual([[], [], 0, []])
  })

  test('a webhook that is not reached: one roll-out a controller, three in all, then blocked until somebody rolls out again', async () => {
    await using cluster = await start(bare(lacking, byWebhook()), { hold: true })
    const rollouts = watchRollouts(cluster)
    const count = cluster.meanwhile
    cluster.meanwhile = async write => {
      await count(write)
      if (rollouts.names.length === 0) return
      // Nobody listens there; the controller writes it right again a minute later.
      const [configuration] = cluster.list(configurations)
      const [webhook] = (configuration?.['webhooks'] ?? []) as readonly Record<string, unknown>[]
      if (!write.includes('/argocd')) return
      const webhooks = [{ ...webhook, clientConfig: { url: 'https://127.0.0.1:1/mutate/tolerations.isolate' } }]
      await cluster.change(builtIn.mutatingwebhookconfigurations, { name: 'ballast-isolation' }, { webhooks })
    }
    await until(cluster, 'Tolerations Blocked')
    for (const rolledOut of [1, 2, 3, 3]) {
      await cluster.pass(3_600_000)
      expect([standing(cluster), rollouts.names]).toEqual(['Tolerations Blocked', new Array(rolledOut).fill('argocd')])
      await cluster.stopController()
    }
    expect(isolationOf(cluster)?.blocked?.map(({ subject, reason }) => [subject, reason])).toEqual([
      ['Deployment argocd/argocd', 'WebhookUnreached'],
    ])
    expect(isolationOf(cluster)?.blocked?.[0]?.remedy).toContain('kubectl rollout restart deployment argocd -n argocd')
    expect([taintsOf(cluster), evictions(cluster)]).toEqual([[], 0])
    expect(cluster.permits().filter(({ status }) => status?.releasedAt === undefined)).toEqual([])

    const at = { 'kubectl.kubernetes.io/restartedAt': '2026-03-02T12:00:00Z' }
    await cluster.change(
      builtIn.deployments,
      { name: 'argocd', namespace: 'argocd' },
      { spec: { template: { metadata: { annotations: at } } } },
    )
    await until(cluster, 'Verify Verified', 6 * 3_600_000)
    expect(rollouts.names.slice(3).toSorted()).toEqual(['cert-manager', 'spire'])
  })

  test('a DaemonSet needs it in its template: its patch is shown, its pods stay', async () => {
    await using cluster = await start(without(byWebhook(), 'DaemonSet', 'nfd-worker'), { hold: true })
    await until(cluster, 'Tolerations Waiting')
    await cluster.clock.advance(600_000)
    const [row, ...others] = isolationOf(cluster)?.blocked ?? []
    expect([row?.subject, row?.reason, others]).toEqual(['DaemonSet node-feature-discovery/nfd-worker', 'TolerationMissing', []])
    expect(row?.message).toContain('a DaemonSet makes no pod for a tainted node')
    expect(row?.remedy).toContain('operator: Exists')
    expect([taintsOf(cluster), evictions(cluster)]).toEqual([[], 0])
  })

  test('in mode Report no configuration is written; one that is deleted by somebody comes back', async () => {
    await using cluster = await start(bare(lacking, homelab({ keda: 'evict', tolerations: 'webhook' }, { mode: 'Report' })), {
      hold: true,
    })
    await cluster.until(() => isolationOf(cluster)?.phase === 'Reported')
    expect(configurationsOf(cluster)).toEqual([])
    await cluster.change(rebalancePolicies, { name: 'talos' }, { spec: { mode: 'Auto' } })
    await until(cluster, 'Taint Waiting')
    expect(configurationsOf(cluster)).toEqual(['ballast-isolation'])
    await cluster.admin.resource(builtIn.mutatingwebhookconfigurations).delete('ballast-isolation', { signal })
    await cluster.until(() => configurationsOf(cluster).length === 1, 180_000)
    await cluster.change(rebalancePolicies, { name: 'talos' }, { spec: { mode: 'Report' } })
    await cluster.until(() => isolationOf(cluster)?.phase === 'Reported')
    await cluster.clock.advance(180_000)
    expect(configurationsOf(cluster)).toEqual(['ballast-isolation'])
  })
})
