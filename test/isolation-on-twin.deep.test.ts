// Isolation of the homelab's control plane on the twin, stage by stage, with nothing but the controller's own rights.
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { deschedule } from '#capabilities/deschedule'
import { isolate } from '#capabilities/isolate'
import { type DisruptionPermit, rebalancePolicies } from '#coordination/api.ts'
import { rightsOf } from '#coordination/rbac.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { snapshot } from './homelab-states.ts'
import { openChecker } from './independent-checker.ts'
import {
  controlPlane,
  evictions,
  homelab,
  isolationOf,
  left,
  pinned,
  podsOn,
  setTaints,
  standing,
  start,
  taint,
  taintsOf,
  until,
  without,
} from './isolated-homelab.ts'

describe('H4: every stage, KEDA evicted', () => {
  test.each(['external', 'kubernetes'] as const)(
    'taint %s: 23 moves, talos00 at 32 percent, both goals, no budget broken',
    async taintMode => {
      await using cluster = await start(homelab({ keda: 'evict', taintMode }))
      const checker = await openChecker(cluster.twin.transport({ admin: true }))
      let pendingMs = 0
      const since = new Map<string, number>()
      cluster.meanwhile = () => {
        for (const pod of cluster.list<Pod>('pods')) {
          const uid = pod.metadata.uid ?? ''
          if (pod.spec.nodeName === undefined) since.set(uid, since.get(uid) ?? cluster.clock.now())
          else since.delete(uid)
        }
        for (const atMs of since.values()) pendingMs = Math.max(pendingMs, cluster.clock.now() - atMs)
      }
      if (taintMode === 'external') {
        await until(cluster, 'Taint Waiting')
        expect(evictions(cluster)).toBe(0)
        await setTaints(cluster, 'talos00', [taint])
      }
      await until(cluster, 'Verify Verified', 4 * 3_600_000)
      const plans = cluster.plans()
      const landed = plans.flatMap(plan => plan.status?.steps ?? []).filter(step => step.state === 'Landed')
      expect(plans.map(plan => [plan.spec.purpose, plan.status?.phase])).toEqual([['isolate', 'Succeeded']])
      expect(landed).toHaveLength(23)
      const judgement = await checker.judge()
      expect(judgement.violations).toEqual([])
      expect(judgement.pending).toEqual([])
      expect(judgement.nodes.get('talos00')).toMatchObject({ millicores: 2555, pods: 36 })
      expect(Math.trunc((100 * (judgement.nodes.get('talos00')?.millicores ?? 0)) / 7950)).toBe(32)
      expect((100 * (judgement.nodes.get('talos03')?.millicores ?? 0)) / 15950).toBeGreaterThan(30)
      expect(plans[0]?.status?.conditions?.find(({ type }) => type === 'GoalsMet')?.status).toBe('True')
      expect(pendingMs).toBeLessThanOrEqual(120_000)
      expect(taintsOf(cluster)).toEqual([`${controlPlane}:NoSchedule`])
      expect(left(cluster)).toEqual([])
    },
  )
})

test('with the webhook landings are held at a gate, and without deschedule it ends the same', async () => {
  await using cluster = await start(homelab({ keda: 'evict', taintMode: 'kubernetes' }), { hold: true, capabilities: [isolate] })
  await until(cluster, 'Verify Verified', 4 * 3_600_000)
  expect(cluster.plans().map(({ spec, status }) => [spec.purpose, spec.landing, status?.phase])).toEqual([
    ['isolate', 'hold', 'Succeeded'],
  ])
  expect(podsOn(cluster, 'talos00')).toHaveLength(36)
  expect(cluster.list('mutatingwebhookconfigurations.admissionregistration.k8s.io')).toEqual([])
  expect(left(cluster)).toEqual([])
})

test('its rights are those of deschedule and those to its own webhook, no more', () => {
  const options = { trust: 'core', elects: true }
  const webhook = {
    apiGroups: ['admissionregistration.k8s.io'],
    resources: ['mutatingwebhookconfigurations'],
    resourceNames: ['ballast-isolation'],
    verbs: ['delete', 'get', 'list', 'patch', 'watch'],
  }
  const mine = rightsOf([isolate], options)
  expect(mine.cluster).toContainEqual(webhook)
  const isMine = (rule: object) => isDeepStrictEqual(rule, webhook)
  const rest = { ...mine, cluster: mine.cluster.filter(rule => !isMine(rule)) }
  expect(rest).toEqual(rightsOf([deschedule], options))
})

test('a policy without goals is accepted by the API server beside an isolation, and only then', async () => {
  await using cluster = await start([])
  const { signal } = new AbortController()
  const policies = cluster.admin.resource(rebalancePolicies)
  const policy = (name: string, spec: object) => ({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name },
    spec: { trigger: 'manual', ...spec },
  })
  const stored = await policies.create(policy('isolate-n1', { isolation: { enabled: true } }), { signal })
  expect(stored['spec']).toMatchObject({ goals: [], isolation: { taint: controlPlane, keda: 'waitForZero' } })
  await expect(policies.create(policy('nothing', {}), { signal })).rejects.toThrow('at least one goal, an isolation, or energy')
})

describe('what stays, and what stops it', () => {
  test('H5: KEDA never idle: 20 move, three are reported, and the watch goes on', async () => {
    await using cluster = await start(homelab({ keda: 'waitForZero' }))
    await until(cluster, 'Taint Waiting')
    await setTaints(cluster, 'talos00', [taint])
    await until(cluster, 'Verify Watching', 4 * 3_600_000)
    const landed = cluster.plans().flatMap(plan => plan.status?.steps ?? [])
    expect(landed.filter(step => step.state === 'Landed')).toHaveLength(20)
    const blocked = isolationOf(cluster)?.blocked ?? []
    expect(blocked.map(({ subject, reason }) => `${subject.replace(/-[^-]+-[^-]+$/, '')} ${reason}`).toSorted()).toEqual([
      'Pod media/prowlarr KedaNotAtZero',
      'Pod media/radarr KedaNotAtZero',
      'Pod media/sonarr KedaNotAtZero',
    ])
    expect(left(cluster)).toEqual([])
    // At its next zero it leaves by itself; the last one makes it whole.
    for (const name of ['sonarr', 'radarr', 'prowlarr'])
      await cluster.change(builtIn.deployments, { name, namespace: 'media' }, { spec: { replicas: 0 } })
    await until(cluster, 'Verify Verified')
    for (const name of ['sonarr', 'radarr', 'prowlarr'])
      await cluster.change(builtIn.deployments, { name, namespace: 'media' }, { spec: { replicas: 1 } })
    await cluster.clock.advance(300_000)
    expect(standing(cluster)).toBe('Verify Verified')
    expect(podsOn(cluster, 'talos00')).toHaveLength(36)
  })

  test('H6: argocd without the toleration: stage 1, its patch, nothing evicted', async () => {
    await using cluster = await start(without(homelab({ keda: 'evict' }), 'Deployment', 'argocd'))
    await setTaints(cluster, 'talos00', [taint])
    await until(cluster, 'Tolerations Waiting')
    await cluster.clock.advance(600_000)
    expect(standing(cluster)).toBe('Tolerations Waiting')
    const [row, ...others] = isolationOf(cluster)?.blocked ?? []
    expect([row?.subject, row?.reason, others]).toEqual(['Deployment argocd/argocd', 'TolerationMissing', []])
    expect(parse(row?.remedy ?? '')).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'argocd', namespace: 'argocd' },
      spec: { template: { spec: { tolerations: [{ key: controlPlane, operator: 'Exists', effect: 'NoSchedule' }] } } },
    })
    expect(evictions(cluster)).toBe(0)
    expect(cluster.plans()).toEqual([])
    // Written by whoever keeps it in Git, it goes on.
    await cluster.change(builtIn.deployments, { name: 'argocd', namespace: 'argocd' }, parse(row?.remedy ?? ''))
    await until(cluster, 'Verify Verified', 4 * 3_600_000)
  })

  test('H7 and case 21: node-exporter is warned of, and nobody moves in mode Report', async () => {
    await using cluster = await start(homelab({}, { mode: 'Report' }, snapshot()))
    await cluster.until(() => isolationOf(cluster)?.phase === 'Reported')
    expect(isolationOf(cluster)?.warnings).toContainEqual(
      expect.objectContaining({
        subject: 'DaemonSet monitoring/node-exporter',
        reason: 'DaemonSetWithoutToleration',
        message: 'not core: its pod on talos00 stays, and will not come back there after the next rollout',
      }),
    )
    await setTaints(cluster, 'talos00', [taint])
    await cluster.clock.advance(600_000)
    expect(isolationOf(cluster)?.phase).toBe('Reported')
    expect(cluster.plans()).toEqual([])
    expect(evictions(cluster)).toBe(0)
  })

  test('case 20: a volume bound to talos00 blocks everything until it is excepted', async () => {
    await using cluster = await start([...homelab({ keda: 'evict', taintMode: 'kubernetes' }), ...pinned()])
    await until(cluster, 'Preflight Blocked')
    await cluster.clock.advance(300_000)
    expect(isolationOf(cluster)?.blocked?.map(({ subject, reason }) => [subject, reason])).toEqual([
      ['Pod scratch/pinned-0', 'VolumePinned:pinned-local'],
    ])
    expect([evictions(cluster), taintsOf(cluster), cluster.plans()]).toEqual([0, [], []])
    await cluster.change(rebalancePolicies, { name: 'talos' }, { spec: { isolation: { exceptions: ['scratch/pinned'] } } })
    await until(cluster, 'Verify Verified', 4 * 3_600_000)
    expect(podsOn(cluster, 'talos00').map(({ metadata }) => metadata.name)).toContain('pinned-0')
  })
})

describe('core workloads get their toleration one by one, where that is asked for', () => {
  const lacking = [
    ['Deployment', 'argocd'],
    ['Deployment', 'cert-manager'],
    ['StatefulSet', 'spire'],
    ['DaemonSet', 'nfd-worker'],
  ] as const

  test('each is whole again before the next, and then it goes on', async () => {
    const objects = lacking.reduce(
      (all, [kind, name]) => without(all, kind, name),
      homelab({ keda: 'evict', taintMode: 'kubernetes', tolerations: 'apply' }),
    )
    await using cluster = await start(objects)
    const rollouts: string[] = []
    let atOnce = 0
    cluster.meanwhile = write => {
      const out = cluster
        .list<DisruptionPermit>('disruptionpermits.ballast.dev')
        .filter(({ spec, status }) => spec.verb === 'restart' && spec.batch === undefined && status?.releasedAt === undefined)
      atOnce = Math.max(atOnce, out.length)
      const [, name] = /^PATCH .*\/(?:deployments|statefulsets|daemonsets)\/([^/]+)$/.exec(write) ?? []
      if (name !== undefined && lacking.some(([, one]) => one === name)) rollouts.push(name)
    }
    await until(cluster, 'Verify Verified', 6 * 3_600_000)
    expect([rollouts.toSorted(), atOnce]).toEqual([lacking.map(([, name]) => name).toSorted(), 1])
    const core = cluster.list<Pod>('pods').filter(({ metadata }) => metadata.namespace === 'argocd')
    expect(core.map(pod => pod.spec.tolerations?.some(({ key }) => key === controlPlane))).toEqual(core.map(() => true))
    expect(left(cluster)).toEqual([])
  })

  test('what another manager keeps is not written over: it is said who does', async () => {
    const objects = without(homelab({ keda: 'evict', taintMode: 'kubernetes', tolerations: 'apply' }), 'Deployment', 'argocd')
    await using cluster = await start(objects)
    cluster.meanwhile = () => undefined
    const applied = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'argocd', namespace: 'argocd' } }
    const tolerations = [{ key: 'flux', operator: 'Exists' }]
    const { signal } = new AbortController()
    await cluster.admin
      .resource<KubeObject>(builtIn.deployments)
      .apply(
        { ...applied, spec: { template: { spec: { tolerations } } } },
        { signal, fieldManager: 'kustomize-controller', force: true },
      )
    // Its roll-out is waited for first.
    const words = 'kept by kustomize-controller: add this one there'
    await cluster.until(() => isolationOf(cluster)?.blocked?.some(({ message }) => message.includes(words)) === true)
    expect([standing(cluster), taintsOf(cluster), evictions(cluster)]).toEqual(['Tolerations Waiting', [], 0])
  })
})
