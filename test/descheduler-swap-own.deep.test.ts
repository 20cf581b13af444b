// The swap of the descheduler where one of ours is there already, with settings of its own: nothing that somebody has written is overwritten.
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { deschedulerInstallation, ownInstallation, policyText } from './descheduler-swap-objects.ts'
import { DeschedulerSwapSite } from './descheduler-swap-site.ts'

const signal = new AbortController().signal
const policy = parse(policyText)
const other = { ...policy, profiles: [{ ...policy.profiles[0], name: 'mine' }] }

/** What upstream says nothing of. */
const own = {
  enabled: true,
  policy,
  verbosity: 5,
  coordination: { enforce: false, unlabelled: 'descheduler' },
  resources: { requests: { cpu: '50m', memory: '100Mi' }, limits: { memory: '1Gi' } },
  tolerations: [{ key: 'mine', operator: 'Exists' }],
  annotations: { team: 'platform' },
  serviceAccount: { name: 'mover', annotations: { 'example.org/role': 'mover' } },
}

const plurals = [
  'configmaps',
  'serviceaccounts',
  'deployments.apps',
  'cronjobs.batch',
  ...['clusterroles', 'clusterrolebindings', 'roles', 'rolebindings'].map(plural => `${plural}.rbac.authorization.k8s.io`),
]

/** All of ours that evicts, without what says whether it sleeps, and what the server writes. */
function ours(site: DeschedulerSwapSite): string {
  const isIts = ({ metadata }: KubeObject) => metadata.labels?.['app.kubernetes.io/component'] === 'descheduler'
  return JSON.stringify(
    plurals.flatMap(plural => site.list(plural).filter(isIts)),
    (key, value) =>
      ['replicas', 'suspend', 'status', 'resourceVersion', 'generation', 'managedFields'].includes(key) ||
      key === 'deployment.kubernetes.io/revision'
        ? undefined
        : value,
    1,
  )
}

test.each([
  ['Deployment', 'asleep', { kind: 'Deployment', replicas: 0 }, 1],
  ['Deployment', 'awake', { kind: 'Deployment', replicas: 1 }, 1],
  ['CronJob', 'asleep', { kind: 'CronJob', suspend: true }, 1],
  ['CronJob', 'awake', { kind: 'CronJob' }, 1],
] as const)(
  'a %s of ours that is told the same, %s: it takes over as it is; back and there again it is as it was',
  async (kind, _state, descheduler, awake) => {
    await using site = await DeschedulerSwapSite.start([
      ...ownInstallation({ ...own, ...descheduler }),
      ...deschedulerInstallation({ kind, by: 'helm' }),
    ])
    const before = ours(site)
    expect(before).toContain('example.org/role')
    site.both.length = 0
    const wasAwake = site.replicasOf('ours') === 1
    for (const [options, replicas] of [
      [{}, [undefined, awake]],
      [{ back: true }, [1, 0]],
      [{}, [undefined, awake]],
    ] as const) {
      const { results, isDone, error } = await site.apply(options)
      expect(error).toBeUndefined()
      expect(isDone, JSON.stringify(results)).toBe(true)
      expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual(replicas)
      expect(ours(site)).toBe(before)
    }
    // Both were awake until the swap put ours to sleep.
    if (!wasAwake) expect(site.both).toEqual([])
  },
)

test('two replicas of ours are two again, whatever upstream had', async () => {
  const leaderElection = { enabled: true }
  const elected = { kind: 'Deployment', by: 'helm', args: ['--leader-elect=true'] } as const
  await using site = await DeschedulerSwapSite.start([
    ...ownInstallation({ ...own, kind: 'Deployment', replicas: 2, leaderElection }),
    ...deschedulerInstallation(elected),
  ])
  expect((await site.apply()).isDone).toBe(true)
  expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([undefined, 2])
  expect((await site.apply({ back: true })).isDone).toBe(true)
  expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([1, 0])
})

const deletion =
  'kubectl -n ballast-system delete deployment,cronjob,configmap -l app.kubernetes.io/part-of=ballast,app.kubernetes.io/component=descheduler'

// biome-ignore format: a table
test.each([
  ['another policy',   { ...own, kind: 'Deployment', policy: other }, "Deployment ballast-system/ballast-descheduler is there already and is told otherwise than Deployment kube-system/descheduler: the policy's profiles. Nothing of it is overwritten"],
  ['another interval', { ...own, kind: 'Deployment', interval: '1h' }, 'deschedulingIntervalMs: upstream 300000, ours 3600000'],
  ['a dry run',        { ...own, kind: 'Deployment', dryRun: true }, 'dryRun: upstream false, ours true'],
  ['another kind',     { ...own, kind: 'CronJob' }, 'kind: upstream "Deployment", ours "CronJob"'],
])('ours is told otherwise: nothing is written, and after what is said it goes on: %s', async (_name, descheduler, words) => {
  await using site = await DeschedulerSwapSite.start([
    ...ownInstallation(descheduler),
    ...deschedulerInstallation({ kind: 'Deployment', by: 'helm' }),
  ])
  const before = ours(site)
  const { results, isDone, writes } = await site.apply()
  expect(isDone).toBe(false)
  const said = results.at(-1)?.said ?? ''
  expect(results.at(-1)).toMatchObject({ id: 'check', state: 'failed' })
  expect(said).toContain(words)
  expect(said).toContain(deletion)
  expect(writes.filter(write => !/configmaps(\/ballast-migration-descheduler)?(\?|$)/.test(write))).toEqual([])
  expect(ours(site)).toBe(before)

  // As the person was told.
  for (const [resource, plural] of [[builtIn.deployments, 'deployments.apps'], [builtIn.cronjobs, 'cronjobs.batch'], [builtIn.configmaps, 'configmaps']] as const)
    for (const { metadata } of site.list(plural).filter(({ metadata: { labels } }) => labels?.['app.kubernetes.io/component'] === 'descheduler'))
      await site.admin.resource(resource).delete(metadata.name, { namespace: metadata.namespace, signal })
  const next = await site.apply()
  expect(next.isDone, JSON.stringify(next.results)).toBe(true)
  expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([undefined, 1])
})

test('the ConfigMap of a descheduler that somebody deleted is not overwritten', async () => {
  const left = ownInstallation({ ...own, policy: other }).filter(({ kind }) => kind !== 'CronJob')
  await using site = await DeschedulerSwapSite.start([...left, ...deschedulerInstallation({ kind: 'CronJob', by: 'helm' })])
  const { results, isDone } = await site.apply()
  expect(isDone).toBe(false)
  expect(results.at(-1)?.said).toContain(
    'ConfigMap ballast-system/ballast-descheduler is there already, of somebody, and says otherwise in policy.yaml, config.yaml. It is not overwritten',
  )
})

test('a configuration that somebody left where Ballast would be installed is not overwritten', async () => {
  const configuration = { name: 'ballast-config', namespace: 'ballast-system' }
  const data = { 'config.yaml': 'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\narbiter: {ownerLabel: mine}\n' }
  await using site = await DeschedulerSwapSite.start([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ballast-system' } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: configuration, data },
    ...deschedulerInstallation({ kind: 'CronJob', by: 'helm' }),
  ])
  const { results, isDone } = await site.apply()
  expect(isDone).toBe(false)
  expect(results.at(-1)).toMatchObject({ id: 'check', state: 'failed' })
  expect(results.at(-1)?.said).toContain(
    'ConfigMap ballast-system/ballast-config is there already, of somebody, and says otherwise in config.yaml',
  )
  expect(site.find('configmaps', 'ballast-config')?.['data']).toEqual(data)
})

test('whoever switched by hand goes on from there: upstream sleeps, ours is awake', async () => {
  await using site = await DeschedulerSwapSite.start([
    ...ownInstallation({ ...own, kind: 'CronJob' }),
    ...deschedulerInstallation({ kind: 'CronJob', by: 'helm', suspend: true }),
  ])
  const { results, isDone } = await site.apply()
  expect(isDone, JSON.stringify(results)).toBe(true)
  expect(results.find(({ id }) => id === 'install')?.said).toContain('awake already while upstream sleeps')
  expect(results.find(({ id }) => id === 'switch')?.state).toBe('was so')
  expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([undefined, 1])
  expect(site.both).toEqual([])
})

test('two of ours', async () => {
  const both = [...ownInstallation({ ...own, kind: 'Deployment' }), ...ownInstallation({ ...own, kind: 'CronJob' })]
  const once = new Map(both.map(object => [`${object.kind} ${object.metadata.namespace}/${object.metadata.name}`, object]))
  await using site = await DeschedulerSwapSite.start([
    ...once.values(),
    ...deschedulerInstallation({ kind: 'CronJob', by: 'helm' }),
  ])
  const { results } = await site.apply()
  expect(results.at(-1)?.said).toContain('is there more than once (Deployment ballast-system/ballast-descheduler, CronJob')
})

test('ours lacks a right: it is named before anything is switched', async () => {
  const lame = ownInstallation({ ...own, suspend: true }).filter(
    ({ kind, metadata }) => kind !== 'ClusterRoleBinding' || metadata.name !== 'ballast-descheduler',
  )
  await using site = await DeschedulerSwapSite.start([...lame, ...deschedulerInstallation({ kind: 'CronJob', by: 'helm' })])
  const { results, isDone } = await site.apply()
  expect(isDone).toBe(false)
  expect(results.at(-1)).toMatchObject({ id: 'install', state: 'failed' })
  expect(results.at(-1)?.said).toContain('ServiceAccount ballast-system/mover may not create pods/eviction cluster-wide')
  expect([site.replicasOf('upstream'), site.replicasOf('ours')]).toEqual([1, 0])
})

test('what a swap made is told anew when upstream changed; what somebody changed of it since stays', async () => {
  await using site = await DeschedulerSwapSite.start([
    ...ownInstallation(),
    ...deschedulerInstallation({ kind: 'CronJob', by: 'manifests' }),
  ])
  const write = (namespace: string, name: string, text: string, fieldManager: string) =>
    site.admin
      .resource(builtIn.configmaps)
      .patch(name, { type: 'merge', body: { data: { 'policy.yaml': text } } }, { namespace, signal, fieldManager })
  const told = () => textAt(site.find('configmaps', 'ballast-descheduler'), 'data', 'policy.yaml') ?? ''
  for (const options of [{}, { back: true }]) expect((await site.apply(options)).isDone).toBe(true)
  const renamed = policyText.replace('name: default', 'name: later')
  await write('kube-system', 'descheduler-policy-configmap', renamed, 'kubectl-edit')
  for (const options of [{}, { back: true }]) expect((await site.apply(options)).isDone).toBe(true)
  expect(parse(told())).toEqual(parse(renamed))

  await write('ballast-system', 'ballast-descheduler', policyText, 'kubectl-edit')
  const { results, isDone } = await site.apply()
  expect(isDone).toBe(false)
  expect(results.at(-1)?.said).toContain("the policy's profiles. Nothing of it is overwritten")
  expect(told()).toBe(policyText)
})

test('what all parts of an installation have in common comes to the descheduler, too', async () => {
  const around = {
    fullnameOverride: 'moved',
    imagePullSecrets: [{ name: 'mirror' }],
    arbiter: { ownerLabel: 'example.org/owner' },
  }
  await using site = await DeschedulerSwapSite.start([
    ...ownInstallation({}, around),
    ...deschedulerInstallation({ kind: 'CronJob', by: 'helm' }),
  ])
  const { results, isDone } = await site.apply()
  expect(isDone, JSON.stringify(results)).toBe(true)
  expect(JSON.stringify(site.find('cronjobs.batch', 'moved-descheduler'))).toContain('"imagePullSecrets":[{"name":"mirror"}]')
  expect(textAt(site.find('configmaps', 'moved-descheduler'), 'data', 'config.yaml')).toContain('example.org/owner')
})

test('a policy that spares pods without a budget is told of before the switch', async () => {
  const evictor = { name: 'DefaultEvictor', args: { ignorePodsWithoutPDB: true } }
  const sparing = { ...policy, profiles: [{ ...policy.profiles[0], pluginConfig: [evictor, { name: 'RemoveDuplicates' }] }] }
  await using site = await DeschedulerSwapSite.start(
    deschedulerInstallation({ kind: 'CronJob', by: 'helm', policy: JSON.stringify(sparing) }),
  )
  const { results, isDone } = await site.apply()
  expect(isDone, JSON.stringify(results)).toBe(true)
  const told = 'PodsWithoutPDB is on in profile default: upstream up to v0.36.0 spares every pod then'
  expect(results.find(({ id }) => id === 'convert')?.said).toContain(told)
})
