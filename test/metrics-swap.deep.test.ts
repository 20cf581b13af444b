// From metrics-server to Ballast and back on the twin: killed at each write, by manifests and by chart, beside owners and beside other servers.
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects as installation } from '../src/deployment/objects.ts'
import { openSwap } from '../src/migration/swap.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { upstreamNamed } from './carried-swap.ts'
import { apiServices, MetricsSwapSite, measuredWorkloads, metricsServerInstallation } from './metrics-swap-site.ts'

const { signal } = new AbortController()
const states = ({ results }: { readonly results: readonly { id: string; state: string }[] }) =>
  results.map(({ id, state }) => `${id}: ${state}`)
const chart = [...measuredWorkloads, ...metricsServerInstallation({ chart: true })]
const own = 'ballast-system/ballast-apiserver'
const theirs = 'kube-system/metrics-server'
const podMetrics = { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'pods' } as const

const view: readonly KubeObject[] = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'viewers', namespace: 'shop' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ann' }],
  },
]

test.each([
  ['components.yaml', false],
  ['the chart', true],
])('%s: forth, nobody is left without an answer and upstream is gone; back, it is as it was', async (_name, isChart) => {
  await using site = await MetricsSwapSite.start([
    ...measuredWorkloads,
    ...view,
    ...metricsServerInstallation({ chart: isChart }),
  ])
  const before = site.registration
  const viewer = site.api(site.twin.transport({ user: 'ann', groups: [] }))
  const seen = async () => (await viewer.resource<KubeObject>(podMetrics).list({ namespace: 'shop', signal })).items.length
  expect(await seen()).toBe(3)

  const forth = await site.apply()
  expect(forth.error).toBeUndefined()
  expect(forth.results.filter(({ state }) => state === 'failed' || state === 'reverted')).toEqual([])
  expect(forth.results.map(({ id }) => id)).toEqual([
    'check',
    'convert',
    'install',
    'compare',
    'switch',
    'sleep',
    'remove',
    'doctor',
  ])
  expect([site.ledTo, site.upstreamReplicas, site.isEnabled]).toEqual([own, undefined, true])
  for (const name of ['system:metrics-server', 'system:aggregated-metrics-reader', 'system:metrics-server-aggregated-reader'])
    expect(site.find('clusterroles.rbac.authorization.k8s.io', name)).toBeUndefined()
  expect(site.find('rolebindings.rbac.authorization.k8s.io', 'metrics-server-auth-reader')).toBeUndefined()
  expect(site.find('services', 'metrics-server')).toBeUndefined()
  const { metadata, spec } = { spec: undefined, ...site.registration }
  expect(spec).toEqual({
    group: 'metrics.k8s.io',
    version: 'v1beta1',
    groupPriorityMinimum: 100,
    versionPriority: 100,
    caBundle: expect.any(String),
    service: { name: 'ballast-apiserver', namespace: 'ballast-system', port: 443 },
  })
  expect(metadata?.uid).toBe(before?.metadata.uid)
  expect(JSON.stringify([metadata?.labels, metadata?.annotations])).not.toMatch(/helm\.sh|k8s-app/)
  expect(metadata?.annotations).toMatchObject({ 'ballast.dev/cabundle-inject': 'ballast-system/ballast-apiserver-tls' })
  // A person who may view goes on to see what pods use.
  await site.pass(5_000)
  expect(await seen()).toBe(3)

  const back = await site.apply({ back: true })
  expect(back.error).toBeUndefined()
  expect(states(back)).toEqual(['check: done', 'restore: done', 'wake: done', 'switch: done', 'off: done'])
  expect([site.ledTo, site.upstreamReplicas, site.isEnabled]).toEqual([theirs, 1, false])
  expect(site.registration?.['spec']).toEqual(before?.['spec'])
  expect(site.registration?.metadata.labels).toEqual(before?.metadata.labels)
  expect(site.registration?.metadata.annotations).toEqual(before?.metadata.annotations)
  expect(await seen()).toBe(3)

  const again = await site.apply()
  expect(again.isDone, JSON.stringify(again.results)).toBe(true)
  expect(site.unanswered).toEqual([])
})

/** Numbers of writes after which it makes a difference to be killed: of many applied in a row the first two and the last. */
function tellingWrites(writes: readonly string[]): readonly number[] {
  const isApplied = (index: number) => writes[index]?.startsWith('PATCH ') === true
  const isInside = (index: number) => isApplied(index - 2) && isApplied(index - 1) && isApplied(index) && isApplied(index + 1)
  return [...writes.keys()].filter(index => !isInside(index)).map(index => index + 1)
}

describe('killed after any write, another run ends it, and callers are always answered', () => {
  test.each([
    ['forth', false, 20],
    ['back', true, 15],
  ])('%s', async (_name, back, least) => {
    const writes = await (async () => {
      await using site = await MetricsSwapSite.start()
      const forth = await site.apply()
      return back ? (await site.apply({ back: true })).writes : forth.writes
    })()
    const telling = tellingWrites(writes)
    expect(telling.length).toBeGreaterThan(least)
    for (const write of telling) {
      await using site = await MetricsSwapSite.start()
      const before = site.registration
      if (back) await site.apply()
      const killed = await site.apply({ back, kill: { write, when: 'after' }, holder: 'ann' })
      const next = await site.apply({ back, holder: 'ann' })
      const named = `killed after write ${write}, ${writes[write - 1]}: ${JSON.stringify(next.results)} ${String(killed.error)}`
      expect(next.error?.message, named).toBeUndefined()
      expect(next.isDone, named).toBe(true)
      expect(site.unanswered, named).toEqual([])
      expect([site.ledTo, site.upstreamReplicas, site.isEnabled], named).toEqual(
        back ? [theirs, 1, false] : [own, undefined, true],
      )
      if (back) expect(site.registration?.['spec'], named).toEqual(before?.['spec'])
    }
  })
})

test('killed forth, somebody goes back from there: it is as it was', async () => {
  const writes = await (async () => {
    await using site = await MetricsSwapSite.start()
    return (await site.apply()).writes
  })()
  const at = writes.findIndex(write => write.endsWith('/apiservices/v1beta1.metrics.k8s.io')) + 1
  expect(at).toBeGreaterThan(0)
  for (const write of [at, at + 1, at + 3]) {
    await using site = await MetricsSwapSite.start()
    const before = site.registration
    await site.apply({ kill: { write, when: 'after' }, holder: 'ann' })
    const { isDone, results } = await site.apply({ back: true, holder: 'ann' })
    expect(isDone, JSON.stringify(results)).toBe(true)
    expect([site.ledTo, site.upstreamReplicas, site.isEnabled]).toEqual([theirs, 1, false])
    expect(site.registration?.['spec']).toEqual(before?.['spec'])
    expect(site.unanswered).toEqual([])
  }
})

describe('what fails is put back by itself', () => {
  const empty = { kind: 'List', apiVersion: 'metrics.k8s.io/v1beta1', metadata: {}, items: [] }

  test('callers who are told nothing once they are led to ours', async () => {
    await using site = await MetricsSwapSite.start()
    const before = site.registration
    site.told = () => (site.ledTo === own ? empty : undefined)
    const { results, isDone } = await site.apply()
    expect(isDone).toBe(false)
    expect(results.at(-1)).toMatchObject({ id: 'switch', state: 'reverted', said: expect.stringContaining('0 nodes') })
    expect(site.registration?.['spec']).toEqual(before?.['spec'])
    expect(site.upstreamReplicas).toBe(1)
    site.told = undefined
    expect((await site.apply()).isDone).toBe(true)
    expect(site.unanswered).toEqual([])
  })

  test('callers who are told nothing once upstream sleeps', async () => {
    await using site = await MetricsSwapSite.start()
    const before = site.registration
    site.told = () => (site.upstreamReplicas === 0 ? empty : undefined)
    const { results, isDone } = await site.apply()
    expect(isDone).toBe(false)
    expect(results.at(-1)).toMatchObject({ id: 'sleep', state: 'reverted' })
    expect(site.registration?.['spec']).toEqual(before?.['spec'])
    expect(site.upstreamReplicas).toBe(1)
    site.told = undefined
    expect((await site.apply()).isDone).toBe(true)
  })

  test('callers who are told what was measured long ago', async () => {
    await using site = await MetricsSwapSite.start()
    const item = { metadata: { name: 'n' }, timestamp: '2026-03-02T03:00:00Z', window: '15s', usage: {}, containers: [{}] }
    site.told = () => (site.ledTo === own ? { ...empty, items: [item] } : undefined)
    const { results } = await site.apply()
    expect(results.at(-1)).toMatchObject({ id: 'switch', state: 'reverted', said: expect.stringContaining('s old') })
    expect(site.ledTo).toBe(theirs)
  })

  test('ours that measures nothing: callers are not led to it', async () => {
    await using site = await MetricsSwapSite.start()
    site.isMeasuring = false
    const { results, isDone } = await site.apply()
    expect(isDone).toBe(false)
    expect(results.at(-1)).toMatchObject({ id: 'compare', state: 'failed', said: expect.stringContaining('does not say yet') })
    expect([site.ledTo, site.upstreamReplicas]).toEqual([theirs, 1])
  })

  test('somebody else who writes the APIService meanwhile', async () => {
    await using site = await MetricsSwapSite.start()
    let written = false
    site.meanwhile = async write => {
      if (written || !write.startsWith('PUT') || !write.endsWith('/apiservices/v1beta1.metrics.k8s.io')) return
      written = true
      const body = { metadata: { labels: { team: 'x' } } }
      await site.admin.resource<KubeObject>(apiServices).patch('v1beta1.metrics.k8s.io', { type: 'merge', body }, { signal })
    }
    const { results, isDone } = await site.apply()
    expect(isDone).toBe(false)
    expect(results.at(-1)).toMatchObject({ id: 'switch', said: expect.stringContaining('somebody else wrote APIService') })
    expect((await site.apply()).isDone).toBe(true)
    // A label of somebody's stays.
    expect(site.registration?.metadata.labels).toMatchObject({ team: 'x' })
  })
})

describe('what stands in the way is said with the way out', () => {
  const flux = { 'helm.toolkit.fluxcd.io/name': 'ms', 'helm.toolkit.fluxcd.io/namespace': 'kube-system' }
  const argo = { 'argocd.argoproj.io/instance': 'ms' }
  const caVolume = {
    volumes: [{ name: 'ca', configMap: { name: 'kubelet-ca' } }],
    containers: [
      {
        name: 'metrics-server',
        image: 'registry.k8s.io/metrics-server/metrics-server:v0.8.0',
        args: ['--kubelet-certificate-authority=/ca/ca.crt', '--metric-resolution=15s'],
        volumeMounts: [{ name: 'ca', mountPath: '/ca' }],
      },
    ],
  }
  const adapter = metricsServerInstallation().map(object =>
    object.kind === 'APIService'
      ? {
          ...object,
          spec: { ...Object(object['spec']), service: { name: 'prometheus-adapter', namespace: 'monitoring', port: 443 } },
        }
      : object,
  )

  test.each<[string, readonly KubeObject[], string, string]>([
    ['Argo CD', metricsServerInstallation({ labels: argo }), 'check', '--cascade=orphan'],
    [
      'Flux whose release cannot be seen to sleep',
      metricsServerInstallation({ labels: argo, annotations: flux }),
      'check',
      'brings upstream back',
    ],
    ['flags that are lost', metricsServerInstallation({ args: ['--odd=1'] }), 'convert', '--odd'],
    [
      'settings that ours would refuse',
      metricsServerInstallation({ args: ['--metric-resolution=10s', '--kubelet-request-timeout=10s'] }),
      'convert',
      'requestTimeout',
    ],
    [
      'files that are not where ours is',
      metricsServerInstallation({ pod: caVolume }),
      'check',
      'ConfigMap kube-system/kubelet-ca',
    ],
    ['another server', adapter, 'check', 'monitoring/prometheus-adapter, which is no Service of'],
  ])('%s', async (_name, objects, id, words) => {
    await using site = await MetricsSwapSite.start([...measuredWorkloads, ...objects])
    const before = site.registration
    const { results, isDone, writes } = await site.apply()
    expect(isDone).toBe(false)
    expect(results.at(-1)).toMatchObject({ id, state: 'failed', said: expect.stringContaining(words) })
    expect(writes.filter(write => !/ballast-migration|\/configmaps$/.test(write))).toEqual([])
    expect([site.registration?.['spec'], site.upstreamReplicas]).toEqual([before?.['spec'], 1])
  })

  test("Helm's own record is deleted only with consent", async () => {
    await using site = await MetricsSwapSite.start(chart)
    const { results } = await site.apply({ forgetRelease: false })
    expect(results.at(-1)).toMatchObject({ id: 'remove', state: 'failed', said: expect.stringContaining('--forget-release') })
    expect([site.ledTo, site.upstreamReplicas]).toEqual([own, 0])
    expect(site.unanswered).toEqual([])
  })

  test('k3s applies its own again: it is said what to write', async () => {
    const annotations = { 'objectset.rio.cattle.io/owner-name': 'metrics-server' }
    await using site = await MetricsSwapSite.start([...measuredWorkloads, ...metricsServerInstallation({ annotations })])
    const told: string[] = []
    const { results, isDone } = await site.apply({ tell: line => told.push(line) })
    expect(isDone, JSON.stringify(results)).toBe(true)
    expect(told.join()).toContain('disable: [metrics-server]')
    expect(JSON.stringify(site.registration?.metadata.annotations)).not.toContain('objectset')
  })
})

describe('Ballast that is there already', () => {
  const there = (values: object, helm = false): readonly KubeObject[] =>
    installation(installationValues({ values: { file: 'values', text: JSON.stringify(values) } }, enabledCapabilities), {
      capabilities: enabledCapabilities,
      release: plainRelease('ballast', 'ballast-system'),
    }).map(object =>
      helm && object.kind !== 'Namespace'
        ? {
            ...object,
            metadata: {
              ...object.metadata,
              annotations: {
                ...object.metadata.annotations,
                'meta.helm.sh/release-name': 'ballast',
                'meta.helm.sh/release-namespace': 'ballast-system',
              },
            },
          }
        : object,
    )
  const standing = [
    ...measuredWorkloads,
    ...metricsServerInstallation({ args: ['--kubelet-insecure-tls', '--metric-resolution=30s'] }),
  ]
  const config = (site: MetricsSwapSite) =>
    parse(textAt(site.find('configmaps', 'ballast-config', 'ballast-system'), 'data', 'config.yaml') ?? '').capabilities.metrics
  const argsOf = (site: MetricsSwapSite) => {
    const [container] = listAt(site.find('deployments.apps', 'ballast-apiserver'), 'spec', 'template', 'spec', 'containers')
    return listAt(container, 'args').map(String)
  }

  test('without the process: it gets it, of its own image, with the settings; what is said in ours stays', async () => {
    const values = {
      image: { repository: 'mirror.example/ballast', tag: 'v9' },
      capabilities: { metrics: { resolution: '20s', kubelet: { port: 10_251 } } },
    }
    await using site = await MetricsSwapSite.start([...standing, ...there(values)])
    const { results, isDone } = await site.apply()
    expect(isDone, JSON.stringify(results)).toBe(true)
    expect(config(site)).toMatchObject({ enabled: true, resolution: '20s', kubelet: { port: 10_251, insecureTls: true } })
    expect(JSON.stringify(site.find('deployments.apps', 'ballast-apiserver'))).toContain('mirror.example/ballast:v9')
    expect((await site.apply({ back: true })).isDone).toBe(true)
    expect(site.find('deployments.apps', 'ballast-apiserver')?.['spec']).toMatchObject({ replicas: 0 })
    expect(site.unanswered).toEqual([])
  })

  test('with the process, for the page: it is kept, and gets a port more; back it stays awake', async () => {
    await using site = await MetricsSwapSite.start([
      ...standing,
      ...there({ apiserver: { enabled: true, replicas: 3 }, dashboard: { enabled: true } }),
    ])
    const before = argsOf(site)
    const { results, isDone } = await site.apply()
    expect(isDone, JSON.stringify(results)).toBe(true)
    expect(argsOf(site)).toEqual([...before, '--api-service=ballast-apiserver'])
    expect(site.find('deployments.apps', 'ballast-apiserver')?.['spec']).toMatchObject({ replicas: 3 })
    expect((await site.apply({ back: true })).isDone).toBe(true)
    expect(site.find('deployments.apps', 'ballast-apiserver')?.['spec']).toMatchObject({ replicas: 3 })
    expect((await site.apply()).isDone).toBe(true)
    expect(site.unanswered).toEqual([])
  })

  test('by Helm: a later upgrade with the same values takes over what the swap made', async () => {
    await using site = await MetricsSwapSite.start([...standing, ...there({}, true)])
    const { results, isDone } = await site.apply()
    expect(isDone, JSON.stringify(results)).toBe(true)
    for (const object of [
      site.registration,
      site.find('deployments.apps', 'ballast-apiserver'),
      site.find('services', 'ballast-apiserver'),
    ])
      expect(object?.metadata).toMatchObject({
        labels: { 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: { 'meta.helm.sh/release-name': 'ballast', 'meta.helm.sh/release-namespace': 'ballast-system' },
      })
  })
})

test('rights that are missing, each with its place, before anything is written', async () => {
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'looks' } }
  const onlooker = [
    { ...rbac, kind: 'ClusterRole', rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['list'] }] },
    {
      ...rbac,
      kind: 'ClusterRoleBinding',
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'looks' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ann' }],
    },
  ]
  await using site = await MetricsSwapSite.start([...chart, ...onlooker])
  const missing = async (back: boolean) => {
    const api = site.api(site.twin.transport({ user: 'ann', groups: [] }))
    const place = { api, clock: site.clock, capabilities: enabledCapabilities, signal, upstream: upstreamNamed('metrics-server') }
    return (await openSwap(place, { forgetRelease: true, back, holder: 'ann' })).missingAccess()
  }
  const said = await missing(false)
  for (const words of [
    'get secrets, pods/proxy in ballast-system',
    'apiservices.apiregistration.k8s.io',
    'delete, patch deployments.apps in kube-system',
  ])
    expect(said).toContain(words)
  expect((await site.apply()).isDone).toBe(true)
  expect(await missing(true)).toContain('create, get, update apiservices.apiregistration.k8s.io')
})
