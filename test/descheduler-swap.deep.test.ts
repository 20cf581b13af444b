// From the descheduler to Ballast and back on the twin: as Deployment and as CronJob, by Helm and by plain manifests, killed at each write, with
// owners that undo what is done.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { textAt } from '#kube/objects/object-fields.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { deschedulerInstallation, ownInstallation, policyText } from './descheduler-swap-objects.ts'
import { DeschedulerSwapSite } from './descheduler-swap-site.ts'

const signal = new AbortController().signal
const states = ({ results }: { readonly results: readonly { id: string; state: string; said: string }[] }) =>
  results.map(({ id, state }) => `${id}: ${state}`)
const forthStates = ['check', 'convert', 'install', 'shadow', 'switch', 'remove', 'doctor'].map(id => `${id}: done`)

const ways = [
  ['Deployment', 'helm'],
  ['Deployment', 'manifests'],
  ['CronJob', 'helm'],
  ['CronJob', 'manifests'],
] as const

describe.each(ways)('a %s by %s', (kind, by) => {
  const everything = deschedulerInstallation({ kind, by })

  test('forth: every step is proved and upstream is gone; back: it is as it was; and there again', async () => {
    await using site = await DeschedulerSwapSite.start(everything)
    const forth = await site.apply()
    expect(forth.error).toBeUndefined()
    expect(states(forth), JSON.stringify(forth.results)).toEqual(forthStates)
    expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([undefined, 1])
    for (const { kind: of, metadata } of everything)
      expect(site.list(pluralOf(of)).map(object => object.metadata.name)).not.toContain(
        of === 'ConfigMap' || of === 'Secret' || of === 'ClusterRole' ? metadata.name : 'nothing',
      )
    expect(parse(textAt(site.find('configmaps', 'ballast-descheduler'), 'data', 'policy.yaml') ?? '')).toEqual(parse(policyText))
    await site.pass(300_000)
    expect(site.seen.ours.size).toBeGreaterThan(0)

    const back = await site.apply({ back: true })
    expect(back.error).toBeUndefined()
    expect(states(back), JSON.stringify(back.results)).toEqual(['check: done', 'restore: done', 'switch: done'])
    expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([1, 0])
    const before = site.seen.upstream.size
    await site.pass(300_000)
    if (kind === 'CronJob') expect(site.seen.upstream.size).toBeGreaterThan(before)

    const again = await site.apply()
    expect(again.isDone, JSON.stringify(again.results)).toBe(true)
    expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([undefined, 1])
    expect(site.both).toEqual([])
  })
})

const pluralOf = (kind: string) =>
  ({
    ConfigMap: 'configmaps',
    Secret: 'secrets',
    ServiceAccount: 'serviceaccounts',
    ClusterRole: 'clusterroles.rbac.authorization.k8s.io',
    ClusterRoleBinding: 'clusterrolebindings.rbac.authorization.k8s.io',
    Deployment: 'deployments.apps',
    CronJob: 'cronjobs.batch',
  })[kind] ?? kind

const seedPolicy = (homelab: string) => {
  const values = parse(readFileSync(`examples/${homelab}/upstream/descheduler-values.yaml`, 'utf8'))
  const header = { apiVersion: 'descheduler/v1alpha2', kind: 'DeschedulerPolicy' }
  return { values, policy: { ...header, ...values.deschedulerPolicy } }
}

test.each([
  ['utilities-homelab', 'Deployment', 'deployments.apps'],
  ['talos-homelab', 'CronJob', 'cronjobs.batch'],
] as const)('the policy and times of %s', async (homelab, kind, plural) => {
  const { values, policy } = seedPolicy(homelab)
  expect(values.kind).toBe(kind)
  const wanted = { kind, by: 'helm', policy: stringify(policy), schedule: values.schedule } as const
  await using site = await DeschedulerSwapSite.start(deschedulerInstallation(wanted))
  const { results, isDone } = await site.apply()
  expect(isDone, JSON.stringify(results)).toBe(true)
  expect(parse(textAt(site.find('configmaps', 'ballast-descheduler'), 'data', 'policy.yaml') ?? '')).toEqual(policy)
  const own = site.find(plural, 'ballast-descheduler')
  if (kind === 'CronJob') expect(own).toMatchObject({ spec: { schedule: '0 4 * * *', concurrencyPolicy: 'Forbid' } })
  else expect(JSON.stringify(own)).toContain('--descheduling-interval=5m')
  expect(site.both).toEqual([])
})

test('replicas, leader election and everything that it is told come along', async () => {
  const args = ['--leader-elect=true', '--leader-elect-resource-name=mine', '--feature-gates=EvictionsInBackground=true']
  await using site = await DeschedulerSwapSite.start(
    deschedulerInstallation({ kind: 'Deployment', by: 'helm', args, replicas: 2 }),
  )
  const { results, isDone } = await site.apply()
  expect(isDone, JSON.stringify(results)).toBe(true)
  expect(site.replicasOf('ours')).toBe(2)
  const words = JSON.stringify(site.find('deployments.apps', 'ballast-descheduler'))
  for (const word of ['--leader-elect-resource-name=mine', '--feature-gates=EvictionsInBackground=true', '--v=3'])
    expect(words).toContain(word)
  const back = await site.apply({ back: true })
  expect(back.isDone, JSON.stringify(back.results)).toBe(true)
  expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([2, 0])
  expect(site.both).toEqual([])
})

test('Ballast that is there already gets the descheduler beside its controller, of the same image', async () => {
  const own = ownInstallation().map(object =>
    object.kind === 'Deployment'
      ? JSON.parse(JSON.stringify(object).replace('ghcr.io/ballast-dev/ballast:0.1.0', 'mirror.example/ballast:9'))
      : object,
  )
  await using site = await DeschedulerSwapSite.start([...own, ...deschedulerInstallation({ kind: 'CronJob', by: 'helm' })])
  const controller = JSON.stringify(site.find('deployments.apps', 'ballast-controller')?.['spec'])
  // Planned rebalancing and the arbiter are told there.
  const configuration = site.find('configmaps', 'ballast-config')?.['data']
  const { results, isDone } = await site.apply()
  expect(isDone, JSON.stringify(results)).toBe(true)
  expect(JSON.stringify(site.find('cronjobs.batch', 'ballast-descheduler'))).toContain('mirror.example/ballast:9')
  expect(JSON.stringify(site.find('deployments.apps', 'ballast-controller')?.['spec'])).toBe(controller)
  expect(site.find('configmaps', 'ballast-config')?.['data']).toEqual(configuration)
})

test('another upstream than that of an earlier swap: back again only the later one comes', async () => {
  await using site = await DeschedulerSwapSite.start(deschedulerInstallation({ kind: 'CronJob', by: 'helm' }))
  for (const options of [{}, { back: true }]) expect((await site.apply(options)).isDone).toBe(true)
  await site.admin.resource(builtIn.cronjobs).delete('descheduler', { namespace: 'kube-system', signal })
  site.twin.load(deschedulerInstallation({ kind: 'CronJob', by: 'manifests' }))
  for (const options of [{}, { back: true }]) {
    const { results, isDone } = await site.apply(options)
    expect(isDone, JSON.stringify(results)).toBe(true)
  }
  expect(site.find('cronjobs.batch', 'descheduler')).toBeUndefined()
  expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([1, 0])
})

test('both awake already: ours is put to sleep before upstream is touched', async () => {
  const own = ownInstallation({ enabled: true, kind: 'Deployment', policy: parse(policyText) })
  await using site = await DeschedulerSwapSite.start([...own, ...deschedulerInstallation({ kind: 'Deployment', by: 'helm' })])
  expect(site.both.length).toBeGreaterThan(0)
  const { results, isDone, writes } = await site.apply()
  expect(isDone, JSON.stringify(results)).toBe(true)
  expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([undefined, 1])
  const at = (part: string) => writes.findIndex(write => write.startsWith('PATCH') && write.endsWith(part))
  expect(at('/ballast-system/deployments/ballast-descheduler')).toBeLessThan(at('/kube-system/deployments/descheduler'))
})

test('a Job that runs is waited for, and one that comes late is, too', async () => {
  await using site = await DeschedulerSwapSite.start(deschedulerInstallation({ kind: 'CronJob', by: 'helm' }))
  for (const index of [0, 1, 2, 3]) await site.apply({ which: { kind: 'only', index } })
  // Its controller has not heard of the suspension yet.
  site.meanwhile = async write => {
    if (!write.startsWith('PATCH') || !write.endsWith('/cronjobs/descheduler')) return
    site.meanwhile = async () => undefined
    site.clock.schedule(3_000, () => void lateJob(site))
  }
  const { results, isDone } = await site.apply()
  expect(isDone, JSON.stringify(results)).toBe(true)
  expect([...site.seen.upstream].some(name => name.startsWith('late'))).toBe(true)
  expect(site.both).toEqual([])
})

async function lateJob(site: DeschedulerSwapSite): Promise<void> {
  const cronJob = site.find('cronjobs.batch', 'descheduler')
  const { uid = '', name = '' } = cronJob?.metadata ?? {}
  const template = Reflect.get(Object(cronJob?.['spec']), 'jobTemplate')
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: 'late',
      namespace: 'kube-system',
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'CronJob', name, uid, controller: true }],
    },
    spec: template.spec,
  }
  await site.admin.resource(builtIn.jobs).create(job, { namespace: 'kube-system', signal })
}

test('somebody wakes upstream in the gap: the switch ends, and is put back', async () => {
  await using site = await DeschedulerSwapSite.start(deschedulerInstallation({ kind: 'Deployment', by: 'helm' }))
  for (const index of [0, 1, 2, 3]) await site.apply({ which: { kind: 'only', index } })
  site.meanwhile = async write => {
    if (!write.startsWith('PATCH') || !write.endsWith('/deployments/descheduler')) return
    site.meanwhile = async () => undefined
    site.clock.schedule(200, () => {
      const options = { namespace: 'kube-system', signal }
      void site.admin
        .resource(builtIn.deployments)
        .patch('descheduler', { type: 'merge', body: { spec: { replicas: 1 } } }, options)
    })
  }
  const { results, isDone } = await site.apply()
  expect(isDone).toBe(false)
  expect(results.at(-1)).toMatchObject({
    id: 'switch',
    state: 'reverted',
    said: expect.stringContaining('woken again by somebody'),
  })
  expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([1, 0])
  expect(site.both).toEqual([])
})

describe('what stands in the way is said with the way out, and nothing of the swap is written', () => {
  const broken =
    'apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\nprofiles:\n- name: p\n  plugins: {balance: {enabled: [Nobody]}}\n'

  test.each([
    ['Argo CD', { labels: { 'argocd.argoproj.io/instance': 'descheduler' } }, 'check', '--cascade=orphan'],
    ['flags that are lost', { args: ['--odd=1'] }, 'convert', 'unknown flag: --odd'],
    ['a policy that is refused', { policy: broken }, 'check', 'in profile p: '],
  ])('%s', async (_name, wanted, id, words) => {
    const objects = deschedulerInstallation({ kind: 'Deployment', by: 'helm', ...wanted })
    await using site = await DeschedulerSwapSite.start(objects)
    const { results, isDone, writes } = await site.apply()
    expect(isDone).toBe(false)
    expect(results.at(-1)).toMatchObject({ id, state: 'failed', said: expect.stringContaining(words) })
    expect(writes.filter(write => !/configmaps(\/ballast-migration-descheduler)?(\?|$)/.test(write))).toEqual([])
    expect(site.replicasOf('upstream')).toBe(1)
  })

  test('two deschedulers', async () => {
    const other = deschedulerInstallation({ kind: 'CronJob', by: 'manifests' })
    await using site = await DeschedulerSwapSite.start([...deschedulerInstallation({ kind: 'Deployment', by: 'helm' }), ...other])
    const { error } = await site.apply()
    expect(error?.message).toContain('2 deschedulers are installed')
  })

  test('none', async () => {
    await using site = await DeschedulerSwapSite.start(ownInstallation())
    expect((await site.apply()).error?.message).toContain('no descheduler is installed here')
  })

  test("Helm's record, unless it may be deleted", async () => {
    await using site = await DeschedulerSwapSite.start(deschedulerInstallation({ kind: 'Deployment', by: 'helm' }))
    const { results } = await site.apply({ forgetRelease: false })
    expect(results.at(-1)).toMatchObject({ id: 'remove', state: 'failed', said: expect.stringContaining('--forget-release') })
    expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([0, 1])
  })
})
