// A wire and a server that fail around reload, each in one way: nothing is lost, nothing is done twice, and each is told once.
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import type { FaultSpec } from '#twin/faults/fault-spec.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import {
  changeConfigMap,
  changeSecret,
  configMap,
  marksOf,
  podTemplate,
  reloadCluster,
  remembered,
  rolloutsOf,
  secret,
  workload,
} from './reload-cluster.ts'
import { argoRollout, rolloutDefinition } from './reload-kinds.ts'

const { signal } = new AbortController()
const minuteMs = 60_000
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')
const settings = configMap('settings', { key: 'one' })
const web = workload({ name: 'web', configmaps: ['settings'] })
const api = workload({ name: 'api', configmaps: ['settings'] })
const markOfTwo = { STAKATER_SETTINGS_CONFIGMAP: sha1('key=two') }

async function running(objects: readonly KubeObject[], config: object = {}, known = 1): Promise<ControlledCluster> {
  const cluster = await reloadCluster(objects, { config })
  cluster.startController()
  await remembered(cluster, known)
  await cluster.pass(5_000)
  return cluster
}

async function expectOneRollout(cluster: ControlledCluster): Promise<void> {
  await cluster.until(() => ['web', 'api'].every(name => rolloutsOf(cluster, name) === 1))
  await cluster.pass(3 * minuteMs)
  for (const name of ['web', 'api']) {
    expect(rolloutsOf(cluster, name)).toBe(1)
    expect(marksOf(cluster, name)).toEqual(markOfTwo)
  }
  // What is seen late is given back late.
  await cluster.until(() => cluster.permits().every(({ status }) => status?.releasedAt !== undefined))
}

/** The requests of the controller. */
const ours = 'system:serviceaccount:ballast-system:*'

const conflict = { code: 409, reason: 'Conflict', message: 'the object has been modified' }
const broken = { code: 500, reason: 'InternalError', message: 'etcd is on fire' }

describe('two workloads of one ConfigMap are rolled out once each', () => {
  test.each<[string, FaultSpec]>([
    ['conflicts at the workloads', { match: { verbs: ['patch'], resource: 'deployments' }, count: 4, status: conflict }],
    ['conflicts at the permit', { match: { resource: 'disruptionpermits', verbs: ['create'] }, count: 3, status: conflict }],
    [
      'conflicts as the permit ends',
      { match: { resource: 'disruptionpermits', verbs: ['patch'], subresource: '*' }, count: 3, status: conflict },
    ],
    [
      'conflicts at the baseline',
      { match: { verbs: ['patch'], resource: 'configmaps', namespace: 'ballast-system' }, count: 6, status: conflict },
    ],
    ['conflicts at the Lease', { match: { verbs: ['update'], resource: 'leases' }, count: 2, status: conflict }],
    [
      'a server that fails all writes for a while',
      { match: { verbs: ['create', 'patch', 'update'], user: ours }, count: 8, status: broken },
    ],
    [
      'answers that are lost after the write',
      { match: { verbs: ['patch'], resource: 'deployments' }, count: 3, reset: { when: 'after' } },
    ],
    [
      'a permit of which the answer is lost',
      { match: { verbs: ['create'], resource: 'disruptionpermits' }, count: 1, reset: { when: 'after' } },
    ],
    [
      'reads of the ConfigMap that fail',
      { match: { verbs: ['get'], resource: 'configmaps', namespace: 'shop' }, count: 5, status: broken },
    ],
    [
      'reads of the ConfigMap that break off',
      { match: { verbs: ['get'], resource: 'configmaps', namespace: 'shop' }, count: 5, reset: { when: 'before' } },
    ],
    [
      'a server that is too busy',
      {
        match: { verbs: ['get', 'patch', 'create'], user: ours },
        count: 6,
        status: { code: 429, reason: 'TooManyRequests', retryAfterSeconds: 2 },
      },
    ],
    ['Events that are refused', { match: { resource: 'events' }, status: broken }],
  ])('%s', async (_, fault) => {
    await using cluster = await running([settings, web, api], {}, 2)
    using set = cluster.twin.fault(fault)
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await expectOneRollout(cluster)
    expect(set.fired).toBeGreaterThan(0)
  })

  test.each<[string, FaultSpec]>([
    ['watches that end', { match: { verbs: ['watch'] }, watch: { drop: {} }, until: '2m' }],
    ['watches that break in the middle of an event', { match: { verbs: ['watch'] }, watch: { cut: {} }, until: '2m' }],
    ['watches that expire, with a history that is forgotten', { match: { verbs: ['watch'] }, watch: { expire: {} }, count: 20 }],
    ['events that come twice', { match: { verbs: ['watch'] }, watch: { repeat: {} }, until: '10m' }],
    ['events that come late', { match: { verbs: ['watch'] }, watch: { delay: { p50: '3s' } }, until: '10m' }],
    [
      'lists that are not allowed for a while',
      {
        match: { verbs: ['list', 'watch'], resource: 'configmaps' },
        status: { code: 403, reason: 'Forbidden', message: 'not allowed' },
        until: '3m',
      },
    ],
    ['lists that are refused', { match: { verbs: ['list', 'watch'], resource: 'configmaps' }, status: broken, until: '3m' }],
  ])('%s', async (_, fault) => {
    await using cluster = await reloadCluster([settings, web, api])
    cluster.startController()
    await remembered(cluster, 2)
    await cluster.pass(5_000)
    using set = cluster.twin.fault(fault)
    // Watches that are open already see nothing of it: they are opened anew.
    using _compaction = cluster.twin.fault({ compact: { keepRevisions: 0 } })
    await cluster.stopController()
    cluster.startController()
    await cluster.pass(30_000)
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await expectOneRollout(cluster)
    expect(set.fired).toBeGreaterThan(0)
  })

  test('an API server that is away for a minute, while the content changes twice', async () => {
    await using cluster = await running([settings, web, api], {}, 2)
    using away = cluster.twin.fault({
      match: { user: ours },
      reset: { when: 'before' },
      until: '1m',
    })
    using _watches = cluster.twin.fault({ match: { verbs: ['watch'] }, watch: { drop: {} }, until: '1m' })
    await changeConfigMap(cluster, 'settings', { key: 'between' })
    await cluster.pass(20_000)
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await expectOneRollout(cluster)
    expect(away.fired).toBeGreaterThan(0)
  })

  test('a baseline that nobody can read', async () => {
    await using cluster = await running([settings, web, api], {}, 2)
    await cluster.stopController()
    for (const { metadata } of cluster.list('configmaps'))
      if (metadata.name.startsWith('ballast-reload-baseline-'))
        await cluster.change(
          builtIn.configmaps,
          { name: metadata.name, namespace: 'ballast-system' },
          { data: null, binaryData: { x: 'AAEC' } },
        )
    cluster.startController()
    await cluster.pass(minuteMs)
    // What is remembered nowhere is seen for the first time.
    expect(['web', 'api'].map(name => rolloutsOf(cluster, name))).toEqual([0, 0])
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await expectOneRollout(cluster)
  })
})

test('a source that is deleted in the moment at which nobody watches is a deletion of that one', async () => {
  await using cluster = await running([settings, configMap('other', { key: 'one' }), web], {
    reloadOnDelete: true,
    reloadStrategy: 'annotations',
  })
  await cluster.stopController()
  await cluster.admin.resource(builtIn.configmaps).delete('settings', { namespace: 'shop', signal })
  cluster.startController()
  await cluster.until(() => rolloutsOf(cluster, 'web') === 1)
  await cluster.pass(minuteMs)
  const template = JSON.stringify(cluster.list('deployments.apps'))
  expect(template).toContain('aae45badef99284e4dae01d6046154ea9d99532f')
  expect(rolloutsOf(cluster, 'web')).toBe(1)
})

describe('rights', () => {
  test('403 on Jobs is told once, and neither stops the others nor comes back as news', async () => {
    await using cluster = await reloadCluster([settings, web, api])
    const roles: GroupVersionResource = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' }
    interface Role extends KubeObject {
      readonly rules?: readonly { readonly resources?: readonly string[] }[]
    }
    for (const { metadata, rules = [] } of cluster.list<Role>('clusterroles.rbac.authorization.k8s.io')) {
      if (!metadata.name.startsWith('ballast')) continue
      const left = rules.map(rule => ({ ...rule, resources: rule.resources?.filter(one => one !== 'jobs') ?? [] }))
      await cluster.change(roles, { name: metadata.name }, { rules: left.filter(({ resources }) => resources.length > 0) })
    }
    cluster.startController()
    await remembered(cluster, 2)
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await expectOneRollout(cluster)
    await cluster.pass(12 * minuteMs)
    const told = (await cluster.events()).filter(event => event.includes('ReloadForbidden'))
    expect(told).toEqual([expect.stringContaining('jobs')])
    expect(cluster.errors).toEqual([])
  })
})

describe('content', () => {
  test('bytes that are no UTF-8, and keys of every name', async () => {
    const bytes = secret('token', {})
    const odd = { ...configMap('odd', {}), data: JSON.parse('{"constructor":"1","__proto__":"2"}') as Record<string, string> }
    await using cluster = await running([bytes, odd, workload({ name: 'web', configmaps: ['odd'], secrets: ['token'] })], {
      debounce: '0s',
      rateGuard: { enabled: false },
    })
    await cluster.change(builtIn.secrets, { name: 'token', namespace: 'shop' }, { data: { k: '//4=' } })
    await cluster.until(() => marksOf(cluster, 'web')['STAKATER_TOKEN_SECRET'] === 'd03853241fe210379bc6542861050f3b3113949e')
    await cluster.change(builtIn.configmaps, { name: 'odd', namespace: 'shop' }, { data: { constructor: null } })
    const left = Object.keys(
      cluster.list<KubeObject & { readonly data?: object }>('configmaps').find(({ metadata }) => metadata.name === 'odd')?.data ??
        {},
    )
    const hash = left.includes('__proto__') ? sha1('__proto__=2') : sha1('')
    await cluster.until(() => marksOf(cluster, 'web')['STAKATER_ODD_CONFIGMAP'] === hash)
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  test('templates with almost nothing in them stop nobody', async () => {
    const bare = podTemplate({ name: 'bare' })
    const initOnly = {
      ...bare.spec,
      initContainers: [{ ...bare.spec.containers[0], name: 'init', envFrom: [{ configMapRef: { name: 'settings' } }] }],
    }
    const objects = [
      settings,
      web,
      api,
      { ...workload({ name: 'nil', annotations: {} }), metadata: { name: 'nil', namespace: 'shop' } },
      rolloutDefinition,
      { ...argoRollout({ name: 'empty' }), spec: { template: { spec: { containers: [] } } } },
      { ...argoRollout({ name: 'bare' }), spec: {} },
      {
        ...workload({ name: 'init' }),
        spec: { replicas: 1, selector: { matchLabels: { app: 'bare' } }, template: { ...bare, spec: initOnly } },
      },
    ]
    await using cluster = await running(objects, { argoRollouts: true }, 2)
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await expectOneRollout(cluster)
    expect(rolloutsOf(cluster, 'nil')).toBe(0)
    expect(JSON.stringify(cluster.list('rollouts.argoproj.io'))).not.toContain('STAKATER_')
    expect(cluster.errors).toEqual([])
  })

  test('a hostile pattern holds nobody up', async () => {
    const annotations = { 'secret.reloader.stakater.com/reload': `(a+)+$, ${'(x*)*'.repeat(50)}, token` }
    const name = 'a'.repeat(60)
    const hostile = workload({ name: 'web', annotations })
    await using cluster = await running([secret(`${name}b`, { key: 'one' }), secret('token', { key: 'one' }), hostile])
    const before = process.cpuUsage()
    await changeSecret(cluster, `${name}b`, { key: 'two' })
    await changeSecret(cluster, 'token', { key: 'two' })
    await cluster.until(() => 'STAKATER_TOKEN_SECRET' in marksOf(cluster, 'web'))
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(5)
    expect(Object.keys(marksOf(cluster, 'web'))).toEqual(['STAKATER_TOKEN_SECRET'])
  })
})
