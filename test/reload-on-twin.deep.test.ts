// Reload on the twin, in a real controller under its own rights: what rolls out, how often, and what is written.
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import {
  auto,
  changeConfigMap,
  changeSecret,
  configMap,
  marksOf,
  podTemplate,
  type ReloadWorkload,
  reloadCluster,
  remembered,
  rolloutsOf,
  secret,
  templateOf,
  workload,
} from './reload-cluster.ts'

const patientMs = 60_000
const settings = [configMap('app-config', { key: 'value-1' })]
const value2 = { STAKATER_APP_CONFIG_CONFIGMAP: '8a0e251f3cf965f6b2d11af19178fb20cbc6d403' }
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')
const lastReload = 'reloader.stakater.com/last-reloaded-from'

/** The controller runs and remembers what there is. */
async function running(
  objects: readonly KubeObject[],
  options: Parameters<typeof reloadCluster>[1] = {},
): Promise<ControlledCluster> {
  const cluster = await reloadCluster(objects, options)
  cluster.startController()
  await remembered(cluster)
  return cluster
}

function web(more: Partial<ReloadWorkload> = {}): KubeObject {
  return workload({ name: 'web', configmaps: ['app-config'], ...more })
}

async function reloadEvents(cluster: ControlledCluster): Promise<readonly string[]> {
  return (await cluster.events()).filter(event => /Reload/.test(event))
}

function expectNoTrouble(cluster: ControlledCluster): void {
  expect(cluster.forbidden).toEqual([])
  expect(cluster.errors).toEqual([])
}

describe('a changed ConfigMap or Secret', () => {
  test('S1 rolls the Deployment that uses it out once, with its hash in the template', async () => {
    await using cluster = await running([...settings, web()])
    expect(rolloutsOf(cluster, 'web')).toBe(0)
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => rolloutsOf(cluster, 'web') === 1)
    await cluster.pass(patientMs)
    expect(marksOf(cluster, 'web')).toEqual(value2)
    expect(rolloutsOf(cluster, 'web')).toBe(1)
    expect(cluster.permits().map(({ status }) => status?.ending)).toEqual(['done'])
    expectNoTrouble(cluster)
    expect((await cluster.events()).filter(event => event.includes('Reloaded'))).toHaveLength(1)
  })

  test('S3 annotations say what was reloaded, when and for which container', async () => {
    await using cluster = await running([...settings, web()], { config: { reloadStrategy: 'annotations' } })
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => rolloutsOf(cluster, 'web') === 1)
    const { metadata } = templateOf(cluster, 'web')
    const annotations: Readonly<Record<string, string>> = metadata.annotations ?? {}
    expect(JSON.parse(annotations[lastReload] ?? '')).toMatchObject({
      type: 'CONFIGMAP',
      name: 'app-config',
      namespace: 'shop',
      hash: value2.STAKATER_APP_CONFIG_CONFIGMAP,
      containerRefs: ['app'],
    })
    expectNoTrouble(cluster)
  })

  test('S2, S6 what changes nothing of the data writes nothing', async () => {
    await using cluster = await running([...settings, web()])
    // Until it is written that the first start is over.
    await cluster.pass(5_000)
    const before = cluster.writes.length
    for (const value of ['a', 'b', 'c']) {
      const body = { metadata: { labels: { touched: value }, annotations: { 'example.com/note': value } } }
      await cluster.change(builtIn.configmaps, { name: 'app-config', namespace: 'shop' }, body)
    }
    await cluster.pass(patientMs)
    expect(cluster.writes.slice(before).filter(write => !/leases|ballast-status/.test(write))).toEqual([])
    expect(rolloutsOf(cluster, 'web')).toBe(0)
  })

  test.each(['env-vars', 'annotations'] as const)('S4, S5 a deleted one is marked, %s', async reloadStrategy => {
    await using cluster = await running([...settings, web()], {
      config: { reloadStrategy, reloadOnDelete: true, rateGuard: { enabled: false } },
    })
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => rolloutsOf(cluster, 'web') === 1)
    await cluster.admin
      .resource(builtIn.configmaps)
      .delete('app-config', { namespace: 'shop', signal: new AbortController().signal })
    await cluster.pass(patientMs)
    const isMarked = JSON.stringify(templateOf(cluster, 'web')).includes('aae45badef99284e4dae01d6046154ea9d99532f')
    expect(isMarked).toBe(reloadStrategy === 'annotations')
    expectNoTrouble(cluster)
  })

  test('what is deleted and created with other data reloads once, unless only creations do', async () => {
    await using cluster = await running([...settings, web(), workload({ name: 'other', configmaps: ['late'] })], {
      config: { reloadOnCreate: true },
    })
    await cluster.admin
      .resource(builtIn.configmaps)
      .create(configMap('late', { key: 'one' }), { signal: new AbortController().signal })
    await cluster.until(() => rolloutsOf(cluster, 'other') === 1)
    expect(marksOf(cluster, 'other')).toEqual({ STAKATER_LATE_CONFIGMAP: sha1('key=one') })
    await cluster.pass(patientMs)
    expect(rolloutsOf(cluster, 'other')).toBe(1)
    expect(rolloutsOf(cluster, 'web')).toBe(0)
  })

  test('one roll-out takes all that changed within the debounce', async () => {
    await using cluster = await running([...settings, secret('token', { key: 'one' }), web({ secrets: ['token'] })])
    await changeConfigMap(cluster, 'app-config', { key: 'value-x' })
    await cluster.pass(500)
    await changeSecret(cluster, 'token', { key: 'two' })
    await cluster.pass(500)
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.pass(patientMs)
    expect(marksOf(cluster, 'web')).toEqual({ ...value2, STAKATER_TOKEN_SECRET: sha1('key=two') })
    expect(rolloutsOf(cluster, 'web')).toBe(1)
    expectNoTrouble(cluster)
  })

  test.each(['StatefulSet', 'DaemonSet'] as const)('a %s rolls too', async kind => {
    await using cluster = await running([...settings, web({ kind })])
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    const plural = `${kind.toLowerCase()}s.apps`
    await cluster.until(() => Object.keys(marksOf(cluster, 'web', plural)).length > 0)
    expect(marksOf(cluster, 'web', plural)).toEqual(value2)
    await cluster.pass(patientMs)
    expect(cluster.permits().map(({ status }) => status?.ending)).toEqual(['done'])
    expectNoTrouble(cluster)
  })

  test('a workload at zero gets no roll-out, and the hash in its template at once', async () => {
    await using cluster = await running([...settings, web({ replicas: 0 })])
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => Object.keys(marksOf(cluster, 'web')).length > 0)
    expect(marksOf(cluster, 'web')).toEqual(value2)
    expect(cluster.permits()).toEqual([])
    expectNoTrouble(cluster)
  })

  test('what it uses from elsewhere reloads it only by consent', async () => {
    const named = { 'configmap.reloader.stakater.com/reload': 'common/shared, common/closed' }
    const open = configMap('shared', { key: 'one' }, 'common')
    const objects = [
      { ...open, metadata: { ...open.metadata, annotations: { 'ballast.dev/reload-allow-namespaces': 'shop' } } },
      configMap('closed', { key: 'one' }, 'common'),
      workload({ name: 'web', annotations: named }),
    ]
    await using cluster = await running(objects)
    for (const name of ['closed', 'shared'])
      await cluster.change(builtIn.configmaps, { name, namespace: 'common' }, { data: { key: 'two' } })
    await cluster.until(() => rolloutsOf(cluster, 'web') === 1)
    await cluster.pass(patientMs)
    expect(Object.keys(marksOf(cluster, 'web'))).toEqual(['STAKATER_SHARED_CONFIGMAP'])
  })
})

describe('while nobody led', () => {
  test('what changed is acted on once, and nothing else', async () => {
    await using cluster = await running([
      ...settings,
      configMap('same', { key: 'one' }),
      web(),
      workload({ name: 'calm', configmaps: ['same'] }),
    ])
    await cluster.pass(5_000)
    await cluster.stopController()
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    cluster.startController()
    await cluster.until(() => rolloutsOf(cluster, 'web') === 1)
    await cluster.pass(patientMs)
    expect([rolloutsOf(cluster, 'web'), rolloutsOf(cluster, 'calm')]).toEqual([1, 0])
    await cluster.stopController()
    cluster.startController()
    await cluster.pass(patientMs)
    expect(rolloutsOf(cluster, 'web')).toBe(1)
  })

  test('what upstream wrote counts as known: a swap rolls nothing out, and what changed meanwhile does', async () => {
    const marked = (name: string, value: string) => {
      const object = workload({ name, configmaps: ['app-config'] })
      const template = podTemplate({ name, configmaps: ['app-config'] })
      const [container] = template.spec.containers
      const env = [{ name: 'STAKATER_APP_CONFIG_CONFIGMAP', value: sha1(`key=${value}`) }]
      return {
        ...object,
        spec: {
          replicas: 1,
          selector: { matchLabels: { app: name } },
          template: { ...template, spec: { ...template.spec, containers: [{ ...container, env }] } },
        },
      }
    }
    await using cluster = await reloadCluster([...settings, marked('current', 'value-1'), marked('behind', 'value-0')])
    cluster.startController()
    await cluster.until(() => rolloutsOf(cluster, 'behind') === 1)
    await cluster.pass(patientMs)
    expect([rolloutsOf(cluster, 'current'), rolloutsOf(cluster, 'behind')]).toEqual([0, 1])
  })

  test('a damaged baseline is told, and the others go on', async () => {
    await using cluster = await running([...settings, web()])
    await cluster.pass(5_000)
    await cluster.stopController()
    const found = cluster.list('configmaps').find(({ metadata }) => metadata.name.startsWith('ballast-reload-baseline-'))
    const at = { name: found?.metadata.name ?? '', namespace: 'ballast-system' }
    await cluster.change(builtIn.configmaps, at, { data: { 'Deployment.shop.bad': 'no JSON' } })
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    cluster.startController()
    await cluster.until(() => rolloutsOf(cluster, 'web') === 1)
    await cluster.pass(patientMs)
    expect(await reloadEvents(cluster)).toContainEqual(expect.stringContaining('ReloadBaselineUnreadable'))
  })
})

describe('a pause', () => {
  const paused = { ...auto, 'deployment.reloader.stakater.com/pause-period': '15s' }
  interface Pausable extends KubeObject {
    readonly spec: { readonly paused?: boolean }
  }
  const isPaused = (cluster: ControlledCluster) =>
    cluster.list<Pausable>('deployments.apps').some(({ spec }) => spec.paused === true)
  const pausedAt = (cluster: ControlledCluster) =>
    cluster.list('deployments.apps')[0]?.metadata.annotations?.['deployment.reloader.stakater.com/paused-at']

  test.each([false, true])('S9, S10 holds three changes back for one roll-out, restarted meanwhile: %s', async isRestarted => {
    await using cluster = await running([...settings, web({ annotations: paused })], { config: { debounce: '0s' } })
    const startMs = cluster.clock.now()
    for (const value of ['a', 'b', 'value-2']) {
      await changeConfigMap(cluster, 'app-config', { key: value })
      await cluster.pass(2_000)
    }
    expect(isPaused(cluster)).toBe(true)
    expect(marksOf(cluster, 'web')).toEqual(value2)
    expect(rolloutsOf(cluster, 'web')).toBe(0)
    if (isRestarted) {
      await cluster.stopController()
      cluster.startController()
    }
    await cluster.until(() => rolloutsOf(cluster, 'web') === 1)
    const tookMs = cluster.clock.now() - startMs
    expect(tookMs).toBeGreaterThan(14_000)
    expect(tookMs).toBeLessThan(18_000)
    await cluster.pass(patientMs)
    expect([isPaused(cluster), pausedAt(cluster), rolloutsOf(cluster, 'web')]).toEqual([false, undefined, 1])
    expectNoTrouble(cluster)
  })

  test('of what is at 0 replicas by then is over all the same', async () => {
    await using cluster = await running([...settings, web({ annotations: paused })], { config: { debounce: '0s' } })
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => isPaused(cluster))
    await cluster.change(builtIn.deployments, { name: 'web', namespace: 'shop' }, { spec: { replicas: 0 } })
    await cluster.pass(20_000)
    expect([isPaused(cluster), pausedAt(cluster)]).toEqual([false, undefined])
    expectNoTrouble(cluster)
  })
})

describe('Jobs', () => {
  const cronJob = (annotations: Readonly<Record<string, string>>, suspend = false): KubeObject => ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'nightly', namespace: 'shop', annotations },
    spec: {
      schedule: '0 0 1 1 *',
      suspend,
      jobTemplate: { spec: { template: withRestart(podTemplate({ name: 'nightly', configmaps: ['app-config'] })) } },
    },
  })
  const withRestart = (template: ReturnType<typeof podTemplate>) => ({
    ...template,
    spec: { ...template.spec, restartPolicy: 'Never' },
  })
  const job: KubeObject = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'import', namespace: 'shop', annotations: auto },
    spec: {
      template: withRestart(
        podTemplate({ name: 'import', configmaps: ['app-config'], podAnnotations: { 'ballast.dev/twin-run-for': '5h' } }),
      ),
    },
  }

  test('S7 a CronJob starts one Job with the change, and stays as it is', async () => {
    await using cluster = await running([...settings, cronJob(auto)])
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => cluster.list('jobs.batch').length > 0)
    await cluster.pass(patientMs)
    const [made, ...more] = cluster.list('jobs.batch')
    expect(more).toEqual([])
    expect(made?.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'CronJob', name: 'nightly', controller: true })
    expect(JSON.stringify(made)).toContain(value2.STAKATER_APP_CONFIG_CONFIGMAP)
    expect(JSON.stringify(cluster.list('cronjobs.batch'))).not.toContain('STAKATER_')
    expectNoTrouble(cluster)
  })

  test('a CronJob that asks for it is patched, and a suspended one left alone', async () => {
    await using cluster = await running([...settings, cronJob({ ...auto, 'ballast.dev/reload-cronjob': 'patch' })])
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => JSON.stringify(cluster.list('cronjobs.batch')).includes(value2.STAKATER_APP_CONFIG_CONFIGMAP))
    await cluster.pass(patientMs)
    expect(cluster.list('jobs.batch')).toEqual([])
    expect(cluster.permits()).toEqual([])
    expectNoTrouble(cluster)
  })

  test('a running Job is run again with the change, under its name', async () => {
    await using cluster = await reloadCluster(settings)
    await cluster.admin.resource(builtIn.jobs).create(job, { signal: new AbortController().signal })
    await cluster.clock.advance(5_000)
    cluster.startController()
    await remembered(cluster)
    const before = cluster.list('jobs.batch')[0]?.metadata.uid
    await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
    await cluster.until(() => cluster.list('jobs.batch').some(({ metadata }) => metadata.uid !== before))
    await cluster.pass(patientMs)
    const [again, ...more] = cluster.list('jobs.batch')
    expect(more).toEqual([])
    expect(again?.metadata.name).toBe('import')
    expect(JSON.stringify(again)).toContain(value2.STAKATER_APP_CONFIG_CONFIGMAP)
    expect(cluster.list('configmaps').filter(({ metadata }) => metadata.name.startsWith('ballast-reload-job-'))).toEqual([])
    expectNoTrouble(cluster)
  })
})
