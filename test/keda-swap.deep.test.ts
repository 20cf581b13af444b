// From KEDA to Ballast and back on the twin: killed before and after each telling write, beside what it cannot do, beside others who write.
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { at, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError, statusBody } from '#kube/objects/status.ts'
import { kedaInstallation, users } from './keda-swap-objects.ts'
import { apiName, KedaSwapSite } from './keda-swap-site.ts'

const { signal } = new AbortController()
const own = 'ballast-system/ballast-apiserver'
const theirs = 'keda/keda-operator-metrics-apiserver'
const all = { 'keda-operator': 1, 'keda-operator-metrics-apiserver': 1, 'keda-admission-webhooks': 1 }
/** Seconds: KEDA's usual polling interval. */
const interval = 30

/** Numbers of writes at which it makes a difference to be killed: of many applied in a row the first two and the last. */
function tellingWrites(writes: readonly string[]): readonly number[] {
  const isOfKind = (index: number, verb: string) => writes[index]?.startsWith(`${verb} `) === true
  const isInside = (index: number, verb: string) => [-2, -1, 0, 1].every(by => isOfKind(index + by, verb))
  return [...writes.keys()]
    .filter(index => !['PATCH', 'DELETE', 'POST'].some(verb => isInside(index, verb)))
    .map(index => index + 1)
}

const turning =
  /deployments\/(keda-operator|ballast-apiserver)$|\/leases\/|\/apiservices\/|\/validatingwebhookconfigurations|\/ballast-config$/

const turningWrites = (writes: readonly string[]): readonly number[] =>
  [...writes.keys()].filter(index => turning.test(writes[index] ?? '')).map(index => index + 1)

describe.each([
  ['forth', false],
  ['back', true],
] as const)('killed %s, another run ends it: one acts, autoscalers are answered, nothing of users is touched', (_name, back) => {
  test.each(['after', 'before'] as const)('%s a telling write', async when => {
    const writes = await (async () => {
      await using site = await KedaSwapSite.start()
      const forth = await site.apply()
      return back ? (await site.apply({ back: true })).writes : forth.writes
    })()
    // Before one is after the one before it, but for those that turn something.
    const telling = when === 'after' ? tellingWrites(writes) : turningWrites(writes)
    expect(telling.length).toBeGreaterThan(when === 'after' ? 15 : 3)
    for (const write of telling) {
      await using site = await KedaSwapSite.start()
      const [untouched, registration, judge] = [site.untouched, site.registration, site.judge]
      if (back) await site.apply()
      const killed = await site.apply({ back, kill: { write, when }, holder: 'ann' })
      const next = await site.apply({ back, holder: 'ann' })
      const named = `killed ${when} write ${write}, ${writes[write - 1]}: ${JSON.stringify(next.results)} ${String(killed.error)}`
      expect(next.error?.message, named).toBeUndefined()
      expect(next.isDone, named).toBe(true)
      expect([site.both, site.blocked], named).toEqual([[], []])
      expect(site.longestGap, named).toBeLessThanOrEqual(interval)
      expect(site.untouched, named).toEqual(untouched)
      expect([site.ledTo, site.upstream, site.isEnabled], named).toEqual(back ? [theirs, all, false] : [own, {}, true])
      if (!back) continue
      expect(site.registration?.['spec'], named).toEqual(registration?.['spec'])
      expect(site.judge?.['webhooks'], named).toEqual(judge?.['webhooks'])
    }
  })
})

test('killed in the middle forth, somebody goes back from there: it is as it was', async () => {
  const writes = await (async () => {
    await using site = await KedaSwapSite.start()
    return (await site.apply()).writes
  })()
  const isOf = (word: string) => writes.findIndex(write => write.includes(word)) + 1
  const places = [
    '/deployments/keda-operator',
    '/leases/',
    `/apiservices/${apiName}`,
    '/validatingwebhookconfigurations/keda-admission',
  ]
  for (const write of places.map(isOf)) {
    expect(write).toBeGreaterThan(0)
    await using site = await KedaSwapSite.start()
    const [untouched, registration, judge] = [site.untouched, site.registration, site.judge]
    await site.apply({ kill: { write, when: 'after' }, holder: 'ann' })
    const { isDone, results } = await site.apply({ back: true, holder: 'ann' })
    expect(isDone, JSON.stringify(results)).toBe(true)
    expect([site.ledTo, site.upstream, site.isEnabled]).toEqual([theirs, all, false])
    expect([site.registration?.['spec'], site.judge?.['webhooks']]).toEqual([registration?.['spec'], judge?.['webhooks']])
    expect([site.untouched, site.both, site.blocked]).toEqual([untouched, [], []])
  }
})

test('forth, back, forth again', async () => {
  await using site = await KedaSwapSite.start()
  for (const back of [false, true, false, true]) {
    const { isDone, results } = await site.apply({ back })
    expect(isDone, JSON.stringify(results)).toBe(true)
    expect(site.ledTo).toBe(back ? theirs : own)
  }
  expect([site.both, site.blocked]).toEqual([[], []])
  expect(site.longestGap).toBeLessThanOrEqual(15)
})

test("back where KEDA's operator has another authority than the one that was kept, and users wrote the APIService", async () => {
  await using site = await KedaSwapSite.start()
  const resource = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' }
  const patched = (body: object) => site.admin.resource<KubeObject>(resource).patch(apiName, { type: 'merge', body }, { signal })
  let isPatched = false
  site.meanwhile = async write => {
    if (isPatched || !write.includes('/leases/')) return
    isPatched = true
    await patched({ spec: { caBundle: Buffer.from('an authority before').toString('base64') } })
  }
  expect((await site.apply()).isDone).toBe(true)
  await patched({ metadata: { labels: { team: 'mine' }, annotations: { 'example.com/note': 'mine' } } })
  const { isDone, results } = await site.apply({ back: true })
  expect([isDone, isPatched], JSON.stringify(results)).toEqual([true, true])
  expect([site.ledTo, site.upstream, site.isEnabled]).toEqual([theirs, all, false])
  expect(site.registration?.metadata.labels).toMatchObject({ team: 'mine', 'helm.sh/chart': 'keda-2.20.2' })
  expect(Object.keys(site.registration?.metadata.annotations ?? {}).sort()).toEqual([
    'example.com/note',
    'meta.helm.sh/release-name',
    'meta.helm.sh/release-namespace',
  ])
  expect([site.both, site.blocked]).toEqual([[], []])
})

test('what users have of ours and KEDA does not know is named before anything is written on the way back', async () => {
  await using site = await KedaSwapSite.start()
  await site.apply()
  const resource = { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' }
  const given = (triggers: readonly object[]) =>
    site.admin
      .resource<KubeObject>(resource)
      .patch('worker', { type: 'merge', body: { spec: { triggers } } }, { namespace: 'shop', signal })
  const metadata = { timezone: 'Etc/UTC', start: '0 3 * * *', end: '0 5 * * *', desiredReplicas: '3' }
  const cron = { type: 'cron', metadata }
  const window = { type: 'time-window', metadata: { timezone: 'Etc/UTC', from: '08:00', to: '18:00' } }
  const refused = async (said: string, allowLossy: boolean) => {
    const { results, writes } = await site.apply({ back: true, allowLossy })
    expect(results).toMatchObject([{ id: 'check', state: 'failed', said: expect.stringContaining(said) }])
    expect(writes.filter(one => !one.includes('/ballast-migration-keda'))).toEqual([])
    expect([site.ledTo, site.upstream]).toEqual([own, {}])
  }
  await given([cron, window])
  await refused('ScaledObject shop/worker: trigger 1 (time-window) is of a type that KEDA does not know', true)
  await given([{ ...cron, metadata: { ...metadata, dstSafe: 'true' } }])
  await refused('ScaledObject shop/worker: trigger 0 (cron) says dstSafe, which KEDA drops; --allow-lossy', false)
  const { isDone, results } = await site.apply({ back: true, allowLossy: true })
  expect(isDone, JSON.stringify(results)).toBe(true)
  expect(results[0]?.said).toContain('says dstSafe')
  expect([site.ledTo, site.upstream]).toEqual([theirs, all])
})

test('what KEDA is told is told to ours, and definitions stay those of its chart', async () => {
  await using site = await KedaSwapSite.start()
  await site.apply({ which: { kind: 'only', index: 2 } })
  const text = textAt(site.find('configmaps', 'ballast-config', 'ballast-system'), 'data', 'config.yaml') ?? ''
  expect(at(parse(text), 'capabilities', 'autoscale')).toMatchObject({
    enabled: true,
    httpTimeout: '5s',
    clusterObjectNamespace: 'keda',
  })
  const definition = site.find('customresourcedefinitions.apiextensions.k8s.io', 'scaledobjects.keda.sh')
  expect(definition?.metadata.labels).toMatchObject({ 'helm.sh/chart': 'keda-2.20.2' })
  // Nobody's turn has come yet.
  expect([site.ledTo, site.upstream, site.judge !== undefined]).toEqual([theirs, all, true])
  expect(site.longestGap).toBe(0)
})

describe('what fails is put back by itself', () => {
  test('ours that leads and does not answer', async () => {
    await using site = await KedaSwapSite.start()
    const [untouched, registration] = [site.untouched, site.registration]
    site.isAnswering = false
    const { results, isDone } = await site.apply()
    expect(isDone).toBe(false)
    expect(results.at(-1)).toMatchObject({
      id: 'switch',
      state: 'reverted',
      said: expect.stringContaining('callers are not answered any more: shop/s0-cron-Etc-UTC-03xxx-05xxx'),
    })
    expect([site.ledTo, site.upstream, site.isEnabled]).toEqual([theirs, all, false])
    expect(site.registration?.['spec']).toEqual(registration?.['spec'])
    expect([site.untouched, site.both, site.blocked]).toEqual([untouched, [], []])
    site.isAnswering = true
    const again = await site.apply()
    expect(again.isDone, JSON.stringify(again.results)).toBe(true)
    expect(site.ledTo).toBe(own)
  })

  test('somebody else who writes the APIService meanwhile', async () => {
    await using site = await KedaSwapSite.start()
    let isWritten = false
    site.meanwhile = async write => {
      if (isWritten || !write.startsWith('PUT') || !write.endsWith(`/apiservices/${apiName}`)) return
      isWritten = true
      const body = { metadata: { labels: { team: 'x' } } }
      const resource = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' }
      await site.admin.resource<KubeObject>(resource).patch(apiName, { type: 'merge', body }, { signal })
    }
    const { results, isDone } = await site.apply()
    expect(isDone).toBe(false)
    expect(results.at(-1)).toMatchObject({ id: 'switch', said: expect.stringContaining('somebody else wrote APIService') })
    expect([site.ledTo, site.upstream]).toEqual([theirs, all])
    const again = await site.apply()
    expect(again.isDone, JSON.stringify(again.results)).toBe(true)
    expect(site.registration?.metadata.labels).toMatchObject({ team: 'x' })
    expect(site.both).toEqual([])
  })

  test('somebody else who writes its admission meanwhile', async () => {
    await using site = await KedaSwapSite.start()
    let isWritten = false
    site.meanwhile = async write => {
      if (isWritten || write !== 'DELETE /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/keda-admission')
        return
      isWritten = true
      const body = { metadata: { labels: { team: 'x' } } }
      const resource = builtIn.validatingwebhookconfigurations
      await site.admin.resource<KubeObject>(resource).patch('keda-admission', { type: 'merge', body }, { signal })
    }
    const { results } = await site.apply()
    expect(results.at(-1)).toMatchObject({ id: 'sleep', state: 'reverted', said: expect.stringContaining('keda-admission') })
    expect([site.ledTo, site.upstream]).toEqual([theirs, all])
    const again = await site.apply()
    expect(again.isDone, JSON.stringify(again.results)).toBe(true)
    const back = await site.apply({ back: true })
    expect(back.isDone, JSON.stringify(back.results)).toBe(true)
    expect(site.judge?.metadata.labels).toMatchObject({ team: 'x' })
    expect([site.both, site.blocked]).toEqual([[], []])
  })

  test.each<[string, number, number]>([
    ['denied', 403, Number.POSITIVE_INFINITY],
    ['refused once by a server that fails', 500, 0],
    ['refused for a while, as all writes are', 500, 40_000],
  ])('a write that is denied in the middle: %s', async (_name, code, lastsMs) => {
    await using site = await KedaSwapSite.start()
    const before = site.untouched
    let sinceMs: number | undefined
    site.meanwhile = async write => {
      const isTheOne = write.startsWith('PUT') && write.endsWith(`/apiservices/${apiName}`)
      if (isTheOne) sinceMs ??= site.clock.now()
      const isOver = sinceMs === undefined || site.clock.now() - sinceMs > lastsMs
      if (code === 403 ? isTheOne : !isOver) throw new StatusError(statusBody(code, 'a policy denied it'))
    }
    const { results, isDone } = await site.apply()
    expect(isDone).toBe(false)
    expect(results.at(-1)).toMatchObject({ id: 'switch', state: 'reverted', said: expect.stringContaining('a policy denied it') })
    await site.pass(20_000)
    expect([site.ledTo, site.upstream, site.isEnabled]).toEqual([theirs, all, false])
    expect([site.untouched, site.both, site.blocked]).toEqual([before, [], []])
    // Beside what the server takes: two processes that end and begin, and a try each 5 s.
    expect(site.longestGap).toBeLessThanOrEqual(10 + (code === 403 ? 0 : lastsMs / 1_000))
    site.meanwhile = async () => undefined
    expect((await site.apply()).isDone).toBe(true)
    expect(site.ledTo).toBe(own)
  })
})

describe('what stands in the way is said, and nothing is written', () => {
  const [, worker] = users
  const scaled = (triggers: readonly object[], more: object = {}): KubeObject => ({
    ...(worker as KubeObject),
    spec: { scaleTargetRef: { name: 'worker' }, triggers, ...more },
  })
  const identity: KubeObject = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'TriggerAuthentication',
    metadata: { name: 'cloud', namespace: 'shop' },
    spec: { podIdentity: { provider: 'aws' } },
  }
  const job: KubeObject = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledJob',
    metadata: { name: 'batch', namespace: 'shop' },
    spec: {
      jobTargetRef: { template: { spec: { containers: [{ name: 'a', image: 'a' }], restartPolicy: 'Never' } } },
      triggers: [{ type: 'arangodb', metadata: { queueURL: 'q', awsRegion: 'r' } }],
    },
  }
  const cron = { type: 'cron', metadata: { timezone: 'Etc/UTC', start: '0 3 * * *', end: '0 5 * * *', desiredReplicas: '3' } }
  const args = (...words: readonly string[]) => ['--leader-elect', ...words]

  test.each<[string, readonly KubeObject[], string, string]>([
    [
      'a trigger that ours does not have',
      [...kedaInstallation(), ...users, job],
      'check',
      'ScaledJob shop/batch: trigger 0 (arangodb)',
    ],
    [
      'an identity at a cloud',
      [...kedaInstallation(), users[0] as KubeObject, identity, scaled([{ ...cron, authenticationRef: { name: 'cloud' } }])],
      'check',
      'ScaledObject shop/worker: trigger 0 (cron) uses TriggerAuthentication shop/cloud, which asks for the pod identity aws',
    ],
    [
      'a login that ours does not have',
      [
        ...kedaInstallation(),
        users[0] as KubeObject,
        scaled([{ type: 'kafka', metadata: { bootstrapServers: 'q:9092', consumerGroup: 'q', topic: 'q', sasl: 'gssapi' } }]),
      ],
      'check',
      'ours refuses it: sasl gssapi is not in Ballast yet',
    ],
    [
      'another Lease',
      [...kedaInstallation({ operatorArgs: args('--leader-election-id=mine') }), ...users],
      'check',
      'has Lease mine',
    ],
    ['no election', [...kedaInstallation({ operatorArgs: ['--zap-log-level=info'] }), ...users], 'check', 'elects no leader'],
    [
      'one namespace only',
      [...kedaInstallation({ env: [{ name: 'WATCH_NAMESPACE', value: 'shop' }] }), ...users],
      'convert',
      'ours takes all ScaledObjects of the cluster',
    ],
    ['flags that are lost', [...kedaInstallation({ operatorArgs: args('--odd=1') }), ...users], 'convert', '--odd'],
    [
      'Argo CD',
      [...kedaInstallation({ labels: { 'argocd.argoproj.io/instance': 'keda' } }), ...users],
      'check',
      '--cascade=orphan',
    ],
  ])('%s', async (_name, objects, step, said) => {
    await using site = await KedaSwapSite.start(objects)
    const before = site.untouched
    const { results, writes } = await site.apply()
    expect(results.at(-1)).toMatchObject({ id: step, state: 'failed' })
    expect(results.at(-1)?.said).toContain(said)
    expect(writes.filter(write => !write.includes('/ballast-migration-keda') && !write.endsWith('/keda/configmaps'))).toEqual([])
    expect([site.untouched, site.ledTo, site.upstream]).toEqual([before, theirs, all])
  })

  test.each([
    { guardLease: { enabled: false }, said: 'guardLease.enabled: false' },
    { guardLease: { enabled: true, namespace: 'ballast-system' }, said: 'guardLease.namespace: ballast-system' },
  ])("ours would not wait for KEDA's Lease: $said", async ({ guardLease, said }) => {
    await using site = await KedaSwapSite.start()
    const right = 'Write guardLease: {enabled: true, namespace: keda}'
    for (const back of [false, true]) {
      // Installed, and back; then forth, and back from there.
      await site.apply()
      if (!back) await site.apply({ back: true })
      const before = [site.untouched, site.ledTo, site.upstream]
      const text = textAt(site.find('configmaps', 'ballast-config', 'ballast-system'), 'data', 'config.yaml') ?? ''
      const write = (changed: string) =>
        site.admin
          .resource<KubeObject>(builtIn.configmaps)
          .patch(
            'ballast-config',
            { type: 'merge', body: { data: { 'config.yaml': changed } } },
            { namespace: 'ballast-system', signal },
          )
      const configured = parse(text)
      configured.capabilities.autoscale.guardLease = guardLease
      await write(JSON.stringify(configured))
      const { results, writes } = await site.apply({ back })
      expect(results).toMatchObject([{ id: 'check', state: 'failed', said: expect.stringContaining(right) }])
      expect(results[0]?.said).toContain(said)
      expect(writes.filter(one => !one.includes('/ballast-migration-keda'))).toEqual([])
      expect([site.untouched, site.ledTo, site.upstream]).toEqual(before)
      await write(text)
    }
    expect(site.both).toEqual([])
  })

  test('a release that Helm knows is forgotten only with consent: its uninstall would delete every ScaledObject', async () => {
    await using site = await KedaSwapSite.start()
    const { results } = await site.apply({ forgetRelease: false })
    expect(results.at(-1)).toMatchObject({ id: 'remove', state: 'failed', said: expect.stringContaining('every ScaledObject') })
    expect(site.ledTo).toBe(own)
    expect((await site.apply()).isDone).toBe(true)
  })
})

test('kinds that objects target, as KEDA has said them, are named', async () => {
  const game = {
    ...(users[1] as KubeObject),
    spec: { ...Object(users[1]?.['spec']), scaleTargetRef: { apiVersion: 'example.com/v1', kind: 'Game', name: 'worker' } },
    status: { scaleTargetGVKR: { group: 'example.com', version: 'v1', kind: 'Game', resource: 'games' } },
  }
  await using site = await KedaSwapSite.start([...kedaInstallation(), users[0] as KubeObject, game as KubeObject])
  await site.apply({ which: { kind: 'only', index: 2 } })
  const text = textAt(site.find('configmaps', 'ballast-config', 'ballast-system'), 'data', 'config.yaml') ?? ''
  expect(at(parse(text), 'capabilities', 'autoscale', 'scaleKinds')).toEqual([
    { group: 'example.com', version: 'v1', kind: 'Game', resource: 'games' },
  ])
  const role = site.find('clusterroles.rbac.authorization.k8s.io', 'ballast-apiserver')
  const further = site.list('clusterroles.rbac.authorization.k8s.io').flatMap(one => JSON.stringify(one['rules']))
  expect(role).toBeDefined()
  expect(further.some(rules => rules.includes('games/scale'))).toBe(true)
})
