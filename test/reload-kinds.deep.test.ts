// Reload of what other projects define: Argo Rollouts, mounts of the Secrets Store CSI driver, and kinds that the configuration names.
import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import {
  auto,
  changeConfigMap,
  configMap,
  marksOf,
  podTemplate,
  reloadCluster,
  remembered,
  rolloutsOf,
  secret,
  workload,
} from './reload-cluster.ts'
import {
  argoRollout,
  csiDefinitions,
  definition,
  mount,
  providerClass,
  providerClasses,
  report,
  rolloutDefinition,
} from './reload-kinds.ts'

const minuteMs = 60_000
const { signal } = new AbortController()
const settings = configMap('app-config', { key: 'value-1' })
const value2 = { STAKATER_APP_CONFIG_CONFIGMAP: '8a0e251f3cf965f6b2d11af19178fb20cbc6d403' }
const variable = 'STAKATER_VAULT_SECRETPROVIDERCLASS'
/** Any change is acted on at once. */
const eager = { debounce: '0s', rateGuard: { enabled: false } }

async function running(objects: readonly KubeObject[], config: object, workloads = 1): Promise<ControlledCluster> {
  const cluster = await reloadCluster(objects, { config })
  cluster.startController()
  await remembered(cluster, workloads)
  return cluster
}

const patchesOf = (cluster: ControlledCluster, plural: string) =>
  cluster.writes.filter(write => write.startsWith('PATCH') && write.includes(`/${plural}/`))

describe('Argo Rollouts', () => {
  interface Rollout extends KubeObject {
    readonly spec: { readonly restartAt?: string; readonly template: object }
  }
  const found = (cluster: ControlledCluster) => cluster.list<Rollout>('rollouts.argoproj.io')[0]

  test.each(['rollout', 'anything'])('the strategy %s changes the template in one write', async strategy => {
    const annotations = { ...auto, 'reloader.stakater.com/rollout-strategy': strategy }
    const object = argoRollout({ name: 'web', configmaps: ['app-config'], annotations })
    await using cluster = await running([rolloutDefinition, settings, object], { argoRollouts: true })
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => Object.keys(marksOf(cluster, 'web', 'rollouts.argoproj.io')).length > 0)
    await cluster.pass(minuteMs)
    expect(marksOf(cluster, 'web', 'rollouts.argoproj.io')).toEqual(value2)
    expect(found(cluster)?.spec.restartAt).toBeUndefined()
    expect(patchesOf(cluster, 'rollouts')).toHaveLength(1)
    expect(cluster.permits().map(({ status }) => status?.ending)).toEqual(['done'])
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  test('S8 the strategy restart sets spec.restartAt alone, once for each change', async () => {
    const annotations = { ...auto, 'reloader.stakater.com/rollout-strategy': 'restart' }
    const object = argoRollout({ name: 'web', configmaps: ['app-config'], annotations })
    await using cluster = await running([rolloutDefinition, settings, object], { argoRollouts: true, ...eager })
    const before = found(cluster)
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => found(cluster)?.spec.restartAt !== undefined)
    const first = found(cluster)?.spec.restartAt
    expect(first).toMatch(/^2026-03-02T04:\d\d:\d\dZ$/)
    expect(found(cluster)?.spec).toEqual({ ...before?.spec, restartAt: first })
    await cluster.pass(minuteMs)
    // Nothing in the template says it: another leader remembers it all the same.
    await cluster.stopController()
    cluster.startController()
    await cluster.pass(minuteMs)
    expect(patchesOf(cluster, 'rollouts')).toHaveLength(1)
    await changeConfigMap(cluster, 'app-config', { key: 'value-3' })
    await cluster.until(() => found(cluster)?.spec.restartAt !== first)
    await cluster.pass(minuteMs)
    expect(patchesOf(cluster, 'rollouts')).toHaveLength(2)
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  test('another that changed the Rollout meanwhile keeps its change', async () => {
    const object = argoRollout({ name: 'web', configmaps: ['app-config'] })
    await using cluster = await running([rolloutDefinition, settings, object], { argoRollouts: true })
    let isOvertaken = false
    cluster.meanwhile = async write => {
      if (isOvertaken || !write.includes('/rollouts/web')) return
      isOvertaken = true
      const { spec } = podTemplate({ name: 'web', configmaps: ['app-config'] })
      const containers = spec.containers.map(one => ({ ...one, image: 'registry.example/app:2' }))
      const at = { name: 'web', namespace: 'shop' }
      await cluster.change({ group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts' }, at, {
        spec: { template: { spec: { containers } } },
      })
    }
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => Object.keys(marksOf(cluster, 'web', 'rollouts.argoproj.io')).length > 0)
    expect(JSON.stringify(found(cluster))).toContain('registry.example/app:2')
    expect(patchesOf(cluster, 'rollouts')).toHaveLength(2)
    expect(cluster.errors).toEqual([])
  })

  test('are left alone where nobody asked for them', async () => {
    const object = argoRollout({ name: 'web', configmaps: ['app-config'] })
    const other = workload({ name: 'other', configmaps: ['app-config'] })
    await using cluster = await running([rolloutDefinition, settings, object, other], eager)
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => rolloutsOf(cluster, 'other') === 1)
    await cluster.pass(minuteMs)
    expect(patchesOf(cluster, 'rollouts')).toEqual([])
  })
})

describe('mounts of the Secrets Store CSI driver', () => {
  const csi = { csiIntegration: true, ...eager }
  const cart = (annotations: Readonly<Record<string, string>>) => workload({ name: 'cart', annotations })
  const named = { 'secretproviderclass.reloader.stakater.com/reload': 'vault' }
  const pods = Array.from({ length: 8 }, (_, at) => `cart-${at}`)

  /** Uses the class by a volume, as the search mode asks for. */
  function mounting(annotations: Readonly<Record<string, string>>): KubeObject {
    const template = podTemplate({ name: 'cart' })
    const [container] = template.spec.containers
    const volumes = [
      { name: 'keys', csi: { driver: 'secrets-store.csi.k8s.io', volumeAttributes: { secretProviderClass: 'vault' } } },
    ]
    const containers = [{ ...container, volumeMounts: [{ name: 'keys', mountPath: '/keys' }] }]
    const object = workload({ name: 'cart', annotations })
    const spec = {
      // No driver mounts it in the twin: nothing is to be started.
      replicas: 1,
      selector: { matchLabels: { app: 'cart' } },
      template: { ...template, spec: { ...template.spec, containers, volumes } },
    }
    return { ...object, spec }
  }

  test('a rotation that eight pods report, one after another, is one roll-out', async () => {
    const all = [...csiDefinitions, providerClass('vault'), ...pods.map(name => mount(name, 'v1')), cart(named)]
    await using cluster = await running(all, csi)
    for (const name of pods) {
      await report(cluster, name, 'v2')
      await cluster.pass(500)
    }
    await cluster.pass(10 * minuteMs)
    expect(rolloutsOf(cluster, 'cart')).toBe(1)
    expect(Object.keys(marksOf(cluster, 'cart'))).toEqual([variable])
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  test('v1, v2, v2, v1 and v2 again within the window are one roll-out', async () => {
    const all = [...csiDefinitions, providerClass('vault'), mount('cart-1', 'v1'), mount('cart-2', 'v1'), cart(named)]
    await using cluster = await running(all, csi)
    for (const [name, version] of [
      ['cart-1', 'v2'],
      ['cart-2', 'v2'],
      ['cart-1', 'v1'],
      ['cart-1', 'v2'],
    ] as const) {
      await report(cluster, name, version)
      await cluster.pass(10_000)
    }
    await cluster.pass(10 * minuteMs)
    expect(rolloutsOf(cluster, 'cart')).toBe(1)
  })

  test('C5 a volume that names the class is a reference; ignore and match on the class count', async () => {
    const search = { 'reloader.stakater.com/search': 'true' }
    const all = [...csiDefinitions, providerClass('vault'), mount('cart-1', 'v1'), mounting(search)]
    const other = workload({ name: 'other', configmaps: ['app-config'] })
    await using cluster = await running([...all, settings, other], csi)
    await report(cluster, 'cart-1', 'v2')
    await cluster.pass(minuteMs)
    expect(marksOf(cluster, 'cart')).toEqual({})
    const at = { name: 'vault', namespace: 'shop' }
    const annotate = (key: string, value: string | null) =>
      cluster.change(providerClasses, at, { metadata: { annotations: { [`reloader.stakater.com/${key}`]: value } } })
    await annotate('match', 'true')
    await cluster.pass(5 * minuteMs)
    await report(cluster, 'cart-1', 'v3')
    await cluster.until(() => variable in marksOf(cluster, 'cart'))
    const ofV3 = marksOf(cluster, 'cart')
    await annotate('ignore', 'true')
    await report(cluster, 'cart-1', 'v4')
    await cluster.pass(5 * minuteMs)
    expect(marksOf(cluster, 'cart')).toEqual(ofV3)
    expect(cluster.errors).toEqual([])
  })

  test('what is defined after the start is found within five minutes and counts from then on', async () => {
    const other = workload({ name: 'other', configmaps: ['app-config'] })
    await using cluster = await running([settings, other, cart(named)], csi)
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => rolloutsOf(cluster, 'other') === 1)
    for (const one of csiDefinitions) await cluster.admin.resource(builtIn.customresourcedefinitions).create(one, { signal })
    await cluster.pass(1_000)
    const made = mount('cart-1', 'v1')
    await cluster.admin.resource(providerClasses).create(providerClass('vault'), { namespace: 'shop', signal })
    await cluster.admin.resource({ ...providerClasses, resource: 'secretproviderclasspodstatuses' }).create(made, {
      namespace: 'shop',
      signal,
    })
    await cluster.pass(6 * minuteMs)
    expect(rolloutsOf(cluster, 'cart')).toBe(0)
    await report(cluster, 'cart-1', 'v2')
    await cluster.until(() => rolloutsOf(cluster, 'cart') === 1)
    expect(cluster.errors).toEqual([])
  })

  test('a class that is not there is taken to say nothing', async () => {
    await using cluster = await running([...csiDefinitions, mount('cart-1', 'v1'), cart(named)], csi)
    await report(cluster, 'cart-1', 'v2')
    await cluster.until(() => rolloutsOf(cluster, 'cart') === 1)
    expect(cluster.errors).toEqual([])
  })
})

describe('by eviction', () => {
  const budget = (maxUnavailable: number): KubeObject => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { maxUnavailable, selector: { matchLabels: { app: 'web' } } },
  })
  const evicted = (cluster: ControlledCluster) =>
    cluster.witness.disruptions.filter(({ cause }) => cause === 'eviction').map(({ pod }) => pod)
  const podsOf = (cluster: ControlledCluster) =>
    cluster.list<Pod>('pods').filter(({ metadata }) => metadata.labels?.['app'] === 'web')

  test('its budget blocks it, then frees it: every pod is made anew, once, and the template stays', async () => {
    const annotations = { ...auto, 'ballast.dev/reload-by': 'eviction' }
    // The budget has room for one, which takes its time to be ready again.
    const podAnnotations = { 'ballast.dev/twin-ready-after': '45s' }
    const web = workload({ name: 'web', replicas: 2, configmaps: ['app-config'], annotations, podAnnotations })
    await using cluster = await running([settings, budget(1), web], eager)
    const before = podsOf(cluster).map(({ metadata }) => `shop/${metadata.name}`)
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => evicted(cluster).length === 1)
    await cluster.pass(30_000)
    expect(evicted(cluster)).toHaveLength(1)
    await cluster.until(() => evicted(cluster).length === 2)
    await cluster.pass(10 * minuteMs)
    expect(evicted(cluster).toSorted()).toEqual(before.toSorted())
    expect([marksOf(cluster, 'web'), rolloutsOf(cluster, 'web')]).toEqual([{}, 0])
    expect(cluster.permits().map(({ spec, status }) => `${spec.verb} ${status?.ending}`)).toEqual(['evict done'])
    const refused = cluster.twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 429)
    expect(refused.length).toBeGreaterThan(0)
    await cluster.stopController()
    cluster.startController()
    await cluster.pass(minuteMs)
    expect(evicted(cluster)).toHaveLength(2)
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  test('a budget that never has room is told, and nothing is done until it has', async () => {
    const annotations = { ...auto, 'ballast.dev/reload-by': 'eviction' }
    const web = workload({ name: 'web', replicas: 2, configmaps: ['app-config'], annotations })
    await using cluster = await running([settings, budget(0), web], eager)
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.pass(3 * minuteMs)
    expect(cluster.writes.filter(write => write.endsWith('/eviction'))).toEqual([])
    expect(await cluster.events()).toContainEqual(expect.stringContaining('can never allow'))
    const at = { name: 'web', namespace: 'shop' }
    await cluster.change(builtIn.poddisruptionbudgets, at, { spec: { maxUnavailable: 1 } })
    await cluster.until(() => evicted(cluster).length === 2)
  })

  test('pods of a kind that the configuration names', async () => {
    const group = 'core.strimzi.io'
    const custom = { group, version: 'v1beta2', kind: 'StrimziPodSet', plural: 'strimzipodsets' }
    const owner = {
      apiVersion: `${group}/v1beta2`,
      kind: custom.kind,
      metadata: { name: 'kafka', namespace: 'shop', uid: 'set-kafka', annotations: auto },
      spec: { selector: { matchLabels: { app: 'web' } }, template: podTemplate({ name: 'web', configmaps: ['app-config'] }) },
    }
    const pods = ['kafka-0', 'kafka-1'].map(name => podOf(name, owner))
    const { plural: resource, ...kind } = custom
    const customKinds = [{ ...kind, resource, reloadBy: 'eviction' }]
    await using cluster = await reloadCluster([definition(custom), settings], { config: { ...eager, customKinds } })
    cluster.twin.load([owner, ...pods])
    cluster.startController()
    await remembered(cluster)
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => evicted(cluster).length === 2)
    // Nobody makes pods of this kind in the twin: there is nothing to evict, which is no failure.
    await changeConfigMap(cluster, 'app-config', { key: 'value-3' })
    await cluster.pass(minuteMs)
    expect(evicted(cluster).toSorted()).toEqual(['shop/kafka-0', 'shop/kafka-1'])
    expect(patchesOf(cluster, resource)).toEqual([])
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  function podOf(name: string, owner: KubeObject): KubeObject {
    const { apiVersion, kind, metadata } = owner
    const reference = { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true }
    const { spec } = podTemplate({ name: 'web', configmaps: ['app-config'] })
    const at = '2026-03-02T03:00:00Z'
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'shop', uid: `pod-${name}`, labels: { app: 'web' }, ownerReferences: [reference] },
      spec: { ...spec, nodeName: 'n1' },
      status: { phase: 'Running', startTime: at, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at }] },
    }
  }
})

test('a Secret of Helm is never read, whoever names it', async () => {
  const annotations = { 'secret.reloader.stakater.com/reload': 'sh.helm.release.v1.web.v1, token' }
  const release = { ...secret('sh.helm.release.v1.web.v1', { release: 'one' }), type: 'helm.sh/release.v1' }
  await using cluster = await running([release, secret('token', { key: 'one' }), workload({ name: 'web', annotations })], eager)
  const data = { release: Buffer.from('two').toString('base64') }
  await cluster.change(builtIn.secrets, { name: release.metadata.name, namespace: 'shop' }, { data })
  await cluster.pass(minuteMs)
  expect(rolloutsOf(cluster, 'web')).toBe(0)
  expect(cluster.twin.requests.entries.filter(({ path, verb }) => verb === 'GET' && path.includes('helm.release'))).toEqual([])
})
