// From Reloader to Ballast and back on the twin: killed at each write, by two people at once, with owners that undo what is done.
import { describe, expect, test } from 'vitest'
import { textAt } from '#kube/objects/object-fields.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { hashContent } from '../src/capabilities/reload/sources/content-hash.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects as installation } from '../src/deployment/objects.ts'
import { openSwap } from '../src/migration/swap.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { upstreamNamed } from './carried-swap.ts'
import { secret, workload } from './reload-cluster.ts'
import { SwapSite, upstreamInstallation, users } from './swap-site.ts'

const signal = new AbortController().signal
const states = ({ results }: { readonly results: readonly { id: string; state: string }[] }) =>
  results.map(({ id, state }) => `${id}: ${state}`)
const everything = [...users, ...upstreamInstallation()]

test('forth: every step is proved, nothing is rolled out, upstream is gone; back: it is as it was', async () => {
  await using site = await SwapSite.start(everything)
  const templates = () =>
    site
      .list('deployments.apps')
      .filter(({ metadata }) => metadata.namespace === 'shop')
      .map(object => JSON.stringify(Reflect.get(Object(object['spec']), 'template')))
  const before = templates()
  const forth = await site.apply()
  expect(forth.error).toBeUndefined()
  expect(forth.results.filter(({ state }) => state === 'failed')).toEqual([])
  expect(states(forth)).toEqual([
    'check: done',
    'convert: done',
    'install: done',
    'shadow: done',
    'switch: done',
    'prove: done',
    'remove: done',
    'doctor: done',
  ])
  expect(site.upstreamReplicas).toBeUndefined()
  expect(site.isEnabled).toBe(true)
  expect(site.find('clusterroles.rbac.authorization.k8s.io', 'reloader-reloader-role')).toBeUndefined()
  expect(site.find('secrets', 'sh.helm.release.v1.reloader.v1')).toBeUndefined()
  expect(templates()).toEqual(before)

  const back = await site.apply({ back: true })
  expect(back.error).toBeUndefined()
  expect(states(back)).toEqual(['check: done', 'restore: done', 'switch: done', 'prove: done'])
  expect(site.upstreamReplicas).toBe(1)
  expect(site.isEnabled).toBe(false)
  expect(site.find('clusterrolebindings.rbac.authorization.k8s.io', 'reloader-reloader-role-binding')).toBeDefined()
  expect(templates()).toEqual(before)
  expect(site.both).toEqual([])

  const again = await site.apply()
  expect(again.isDone).toBe(true)
  expect(site.both).toEqual([])
})

test('step by step, and a step that is done is not done again', async () => {
  await using site = await SwapSite.start(everything)
  for (const id of ['check', 'convert', 'install', 'shadow', 'switch']) {
    const { results } = await site.apply({ which: { kind: 'next' } })
    expect(results.map(result => result.id)).toEqual([id])
  }
  const { results, writes } = await site.apply({ which: { kind: 'only', index: 4 } })
  expect(results.map(({ state }) => state)).toEqual(['was so'])
  expect(writes.filter(write => !write.includes('ballast-migration-reloader'))).toEqual([])
})

/** Numbers of writes after which it makes a difference to be killed: of many applied in a row the first two and the last. */
function tellingWrites(writes: readonly string[]): readonly number[] {
  const isApplied = (index: number) => writes[index]?.startsWith('PATCH ') === true
  const isInside = (index: number) => isApplied(index - 2) && isApplied(index - 1) && isApplied(index) && isApplied(index + 1)
  return [...writes.keys()].filter(index => !isInside(index)).map(index => index + 1)
}

describe('killed after any write, another run ends it, and never do both reload', () => {
  test.each([
    ['forth', false, 15],
    ['back', true, 8],
  ])('%s', async (_name, back, least) => {
    const writes = await (async () => {
      await using site = await SwapSite.start(everything)
      const forth = await site.apply()
      return back ? (await site.apply({ back: true })).writes : forth.writes
    })()
    const telling = tellingWrites(writes)
    expect(telling.length).toBeGreaterThan(least)
    for (const write of telling) {
      await using site = await SwapSite.start(everything)
      if (back) await site.apply()
      const killed = await site.apply({ back, kill: { write, when: 'after' }, holder: 'ann' })
      const next = await site.apply({ back, holder: 'ann' })
      const named = `killed after write ${write}, ${writes[write - 1]}: ${JSON.stringify(next.results)} ${String(killed.error)}`
      expect(next.error?.message, named).toBeUndefined()
      expect(next.isDone, named).toBe(true)
      expect(site.both, named).toEqual([])
      expect([site.upstreamReplicas, site.isEnabled], named).toEqual(back ? [1, false] : [undefined, true])
    }
  })
})

test('whoever was killed is over after five minutes: then another may go on', async () => {
  await using site = await SwapSite.start(everything)
  await site.apply({ kill: { write: 4, when: 'before' }, holder: 'ann' })
  await site.pass(299_000)
  expect((await site.apply({ holder: 'bob' })).error?.message).toContain('ann is at this migration')
  await site.pass(2_000)
  expect((await site.apply({ holder: 'bob' })).isDone).toBe(true)
})

test('of two people at once one is told who the other is', async () => {
  await using site = await SwapSite.start(everything)
  const first = await site.apply({ kill: { write: 4, when: 'after' }, holder: 'ann' })
  expect(first.error?.message).toContain('killed')
  const second = await site.apply({ holder: 'bob' })
  expect(second.error?.message).toContain('ann is at this migration')
  const own = await site.apply({ holder: 'ann' })
  expect(own.isDone).toBe(true)
})

test('a proof that fails after the switch puts it back: ours off, upstream as before', async () => {
  await using site = await SwapSite.start(everything)
  await site.apply({ which: { kind: 'only', index: 2 } })
  // Its controller does not hear of the new configuration.
  site.isFollowing = false
  const { results, isDone } = await site.apply()
  expect(isDone).toBe(false)
  expect(results.at(-1)).toMatchObject({ id: 'switch', state: 'reverted' })
  expect([site.upstreamReplicas, site.isEnabled]).toEqual([1, false])
})

test('a roll-out that nothing explains puts the switch back', async () => {
  await using site = await SwapSite.start(everything)
  await site.apply({ which: { kind: 'only', index: 2 } })
  for (const index of [0, 1, 3, 4]) await site.apply({ which: { kind: 'only', index } })
  const body = {
    spec: { template: { spec: { containers: [{ name: 'app', env: [{ name: 'STAKATER_KEYS_SECRET', value: 'x' }] }] } } },
  }
  await site.admin.resource(builtIn.deployments).patch('web', { type: 'strategic', body }, { namespace: 'shop', signal })
  const { results } = await site.apply()
  expect(results).toMatchObject([
    { id: 'prove', state: 'reverted', said: expect.stringContaining('the swap rolled out Deployment shop/web') },
  ])
  expect([site.upstreamReplicas, site.isEnabled]).toEqual([1, false])
  expect(site.both).toEqual([])
})

test('a reload of a Secret that was written meanwhile is no fault of the swap', async () => {
  await using site = await SwapSite.start(everything)
  for (const index of [0, 1, 2, 3, 4]) await site.apply({ which: { kind: 'only', index } })
  const data = { password: Buffer.from('two').toString('base64') }
  await site.admin
    .resource(builtIn.secrets)
    .patch('keys', { type: 'merge', body: { data } }, { namespace: 'shop', signal, fieldManager: 'kubectl' })
  const body = {
    spec: { template: { spec: { containers: [{ name: 'app', env: [{ name: 'STAKATER_KEYS_SECRET', value: 'x' }] }] } } },
  }
  await site.admin.resource(builtIn.deployments).patch('web', { type: 'strategic', body }, { namespace: 'shop', signal })
  const { results, isDone } = await site.apply()
  expect(isDone, JSON.stringify(results)).toBe(true)
  expect(results[0]).toMatchObject({ id: 'prove', said: expect.stringContaining('Deployment shop/web') })
})

test('with the real controller: a Secret that is written in the gap is acted on once, and nothing else is rolled out', async () => {
  const hash = hashContent([{ key: 'password', value: Buffer.from('one'), encoded: false }]).sha1
  // As upstream left them after an earlier reload.
  const reloadedOnce = (name: string, secretName: string) => {
    const object = workload({ name, secrets: [secretName] })
    const variable = { name: `STAKATER_${secretName.toUpperCase()}_SECRET`, value: hash }
    return JSON.parse(JSON.stringify(object).replace('"image":', `"env":[${JSON.stringify(variable)}],"image":`))
  }
  const objects = [
    reloadedOnce('web', 'keys'),
    reloadedOnce('steady', 'certs'),
    secret('keys', { password: 'one' }),
    secret('certs', { password: 'one' }),
    ...upstreamInstallation(),
  ]
  await using site = await SwapSite.start(objects, 'real')
  const template = (name: string) =>
    JSON.stringify(Reflect.get(Object(site.find('deployments.apps', name)?.['spec']), 'template'))
  const generation = (name: string) => site.find('deployments.apps', name)?.metadata.generation ?? 0
  const before = { steady: template('steady'), web: template('web'), generation: generation('web') }
  site.meanwhile = async write => {
    if (!write.endsWith('/deployments/reloader-reloader') || !write.startsWith('PATCH')) return
    const data = { password: Buffer.from('two').toString('base64') }
    await site.admin.resource(builtIn.secrets).patch('keys', { type: 'merge', body: { data } }, { namespace: 'shop', signal })
  }
  const { results, error } = await site.apply()
  expect(error).toBeUndefined()
  expect(results.filter(({ state }) => state === 'failed' || state === 'reverted')).toEqual([])
  await site.pass(60_000)
  expect(template('steady')).toBe(before.steady)
  expect(template('web')).not.toBe(before.web)
  expect(generation('web')).toBe(before.generation + 1)

  site.meanwhile = async () => undefined
  const back = await site.apply({ back: true })
  expect(back.isDone, JSON.stringify(back.results)).toBe(true)
  expect([site.upstreamReplicas, site.isEnabled]).toEqual([1, false])
  expect(generation('web')).toBe(before.generation + 1)
  expect(site.both).toEqual([])
})

const hooks = { valueFrom: { secretKeyRef: { name: 'hooks', key: 'url' } } }
const withAlerts = upstreamInstallation().map(object =>
  object.kind === 'Deployment'
    ? JSON.parse(
        JSON.stringify(object).replace(
          '"args":[]',
          `"env":${JSON.stringify([
            { name: 'ALERT_ON_RELOAD', value: 'true' },
            { name: 'ALERT_WEBHOOK_URL', ...hooks },
          ])}`,
        ),
      )
    : object,
)

test("upstream's Secret for alerts comes along, with no more of it than is named", async () => {
  const hidden = secret('hooks', { url: 'https://hook.example', other: 'x' })
  await using site = await SwapSite.start([
    ...users,
    ...withAlerts,
    { ...hidden, metadata: { name: 'hooks', namespace: 'reloader' } },
  ])
  const { results } = await site.apply()
  expect(results.filter(({ state }) => state === 'failed')).toEqual([])
  const copy = site.list('secrets').find(({ metadata }) => metadata.namespace === 'ballast-system' && metadata.name === 'hooks')
  expect(copy).toMatchObject({ data: { url: Buffer.from('https://hook.example').toString('base64') } })
  expect(Object.keys(Object(copy?.['data']))).toEqual(['url'])
  const own = JSON.stringify(site.find('deployments.apps', 'ballast-controller'))
  expect(own).toContain('ALERT_ON_RELOAD')
  expect(own).toContain(JSON.stringify({ name: 'hooks', key: 'url' }))
})

test('a Secret for alerts that is not there stops the swap before it begins', async () => {
  await using site = await SwapSite.start([...users, ...withAlerts])
  const { results } = await site.apply()
  expect(results.at(-1)).toMatchObject({ id: 'install', state: 'failed', said: expect.stringContaining('Secret reloader/hooks') })
  expect([site.upstreamReplicas, site.find('deployments.apps', 'ballast-controller')]).toEqual([1, undefined])
})

test('Ballast that is there already is to get the variables by its values', async () => {
  const there = installation(installationValues({}, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release: plainRelease('ballast', 'ballast-system'),
  })
  await using site = await SwapSite.start([...users, ...withAlerts, ...there])
  const { results } = await site.apply()
  expect(results.at(-1)).toMatchObject({
    id: 'install',
    state: 'failed',
    said: expect.stringContaining('ALERT_ON_RELOAD, ALERT_WEBHOOK_URL; put them into controller.extraEnv'),
  })
  expect(site.upstreamReplicas).toBe(1)
})

test('Ballast that is there already, without reload, gets its rights and settings', async () => {
  const there = installation(installationValues({}, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release: plainRelease('ballast', 'ballast-system'),
  })
  const objects = [...users, ...there, ...upstreamInstallation(['--auto-reload-all=true'])]
  await using site = await SwapSite.start(objects, 'real')
  const { results } = await site.apply()
  expect(results.filter(({ state }) => state === 'failed' || state === 'reverted')).toEqual([])
  expect(textAt(site.find('configmaps', 'ballast-config'), 'data', 'config.yaml')).toContain('autoReloadAll: true')
  expect(site.both).toEqual([])
})

describe('what stands in the way is said with the way out', () => {
  const flux = { 'helm.toolkit.fluxcd.io/name': 'reloader', 'helm.toolkit.fluxcd.io/namespace': 'reloader' }
  const fluxKind = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'helmreleases.helm.toolkit.fluxcd.io' },
    spec: {
      group: 'helm.toolkit.fluxcd.io',
      scope: 'Namespaced',
      names: { plural: 'helmreleases', kind: 'HelmRelease', singular: 'helmrelease', listKind: 'HelmReleaseList' },
      versions: [
        {
          name: 'v2',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  }
  const helmRelease = (suspend: boolean) => ({
    apiVersion: 'helm.toolkit.fluxcd.io/v2',
    kind: 'HelmRelease',
    metadata: { name: 'reloader', namespace: 'reloader' },
    spec: { suspend },
  })

  test.each([
    [
      'Flux that is live',
      [...users, ...upstreamInstallation([], flux), fluxKind, helmRelease(false)],
      'check',
      'spec.suspend: true',
    ],
    [
      'Argo CD',
      [...users, ...upstreamInstallation([], { 'argocd.argoproj.io/instance': 'reloader' })],
      'check',
      '--cascade=orphan',
    ],
    ['flags that are lost', [...users, ...upstreamInstallation(['--odd=1'])], 'convert', '--odd'],
  ])('%s', async (_name, objects, id, words) => {
    await using site = await SwapSite.start(objects)
    const { results, isDone, writes } = await site.apply()
    expect(isDone).toBe(false)
    expect(results.at(-1)).toMatchObject({ id, state: 'failed', said: expect.stringContaining(words) })
    expect(
      writes.filter(
        write =>
          !write.includes('ballast-migration-reloader') && !write.startsWith('POST /api/v1/namespaces/reloader/configmaps'),
      ),
    ).toEqual([])
    expect(site.upstreamReplicas).toBe(1)
  })

  test('Flux that is suspended lets the switch pass, and the removal after its deletion', async () => {
    await using site = await SwapSite.start([...users, ...upstreamInstallation([], flux), fluxKind, helmRelease(true)])
    const { isDone, results } = await site.apply()
    expect(results.filter(({ state }) => state === 'failed')).toEqual([])
    expect(isDone).toBe(true)
  })

  test("Helm's own record is deleted only with consent", async () => {
    await using site = await SwapSite.start(everything)
    const { results } = await site.apply({ forgetRelease: false })
    expect(results.at(-1)).toMatchObject({ id: 'remove', state: 'failed', said: expect.stringContaining('--forget-release') })
    expect(site.find('secrets', 'sh.helm.release.v1.reloader.v1')).toBeDefined()
    expect(site.upstreamReplicas).toBe(0)
  })

  test('settings of ours that would reload something else', async () => {
    await using site = await SwapSite.start([
      ...everything,
      workload({ name: 'more', namespace: 'shop', annotations: {}, secrets: ['keys'] }),
    ])
    await site.apply({ which: { kind: 'only', index: 2 } })
    const object = await site.admin.resource(builtIn.configmaps).get('ballast-config', { namespace: 'ballast-system', signal })
    const text = String(Reflect.get(Object(object['data']), 'config.yaml')).replace(/autoReloadAll: false/, 'autoReloadAll: true')
    await site.admin
      .resource(builtIn.configmaps)
      .update({ ...object, data: { 'config.yaml': text } }, { namespace: 'ballast-system', signal })
    const { results } = await site.apply()
    expect(results.at(-1)).toMatchObject({
      id: 'shadow',
      state: 'failed',
      said: expect.stringContaining('only ours: secret shop/keys -> Deployment shop/more'),
    })
  })

  test('rights that are missing, each with its place, before anything is written', async () => {
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'looks' } }
    const onlooker = [
      { ...rbac, kind: 'ClusterRole', rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list'] }] },
      {
        ...rbac,
        kind: 'ClusterRoleBinding',
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'looks' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ann' }],
      },
    ]
    await using site = await SwapSite.start([...everything, ...onlooker])
    const refused = async (back: boolean) => {
      const reach = {
        api: site.api(site.twin.transport({ user: 'ann', groups: [] })),
        clock: site.clock,
        capabilities: enabledCapabilities,
        signal,
      }
      const upstream = upstreamNamed('reloader')
      const open = await openSwap({ ...reach, upstream }, { forgetRelease: true, back, holder: 'ann' })
      return open.missingAccess()
    }
    const said = await refused(false)
    for (const words of [
      'ann may not create, delete, update configmaps in reloader;',
      'create, delete, patch clusterroles.rbac.authorization.k8s.io, clusterrolebindings.rbac.authorization.k8s.io',
      'delete, patch deployments.apps in reloader',
      'delete serviceaccounts, secrets in reloader.',
      "kubectl create clusterrolebinding ballast-migration --clusterrole=cluster-admin --user='ann'",
    ])
      expect(said).toContain(words)
    expect((await site.apply()).isDone).toBe(true)
    expect(await refused(true)).toMatch(
      /update configmaps in ballast-system; .*create clusterroles.rbac.*, clusterrolebindings.rbac/,
    )
    expect((await site.apply({ back: true })).isDone).toBe(true)
  })

  test('two Reloaders, or none', async () => {
    await using none = await SwapSite.start(users)
    expect((await none.apply()).error?.message).toContain('no Reloader')
    const [one] = upstreamInstallation()
    if (one === undefined) throw new Error('no Deployment')
    await using two = await SwapSite.start([...everything, { ...one, metadata: { ...one.metadata, name: 'other-reloader' } }])
    expect((await two.apply()).error?.message).toContain('2 Reloaders')
  })
})
