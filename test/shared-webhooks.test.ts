// Replicas that share a certificate, against a twin, with the rights that an installation gives them.
import { Agent, request } from 'undici'
import { describe, expect, test } from 'vitest'
import { controllerToken, installBallast } from '#deployment/install-ballast.ts'
import { openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { type Log, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { fixedSettings } from '../src/process/configuration/controller-settings.ts'
import { runController } from '../src/process/controller/controller.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { ballastNamespace } from '../src/process/own-names.ts'
import { SharedWebhooks } from '../src/process/webhooks/shared-webhooks.ts'

const { signal } = new AbortController()

async function openCluster() {
  const stack = new AsyncDisposableStack()
  // Certificates are judged by the host's clock.
  const clock = new VirtualClock(systemClock.now())
  const twin = stack.use(await startTwin({ clock, seed: 1, objects: [] }))
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'admin' })
  stack.defer(() => admin.close())
  await installBallast(admin, { capabilities: enabledCapabilities, namespace: ballastNamespace, signal })
  const token = await controllerToken(admin, { namespace: ballastNamespace, seconds: 3_600, signal })
  let replicas = 0
  /** Another replica, when it answers calls. */
  const start = async (options: { readonly host?: string; readonly log?: Log } = {}) => {
    const { host = '127.0.0.1', log = silentLog } = options
    const random = seededRandom(++replicas)
    const api = openApi(twin.transport({ token }), { clock, userAgent: `replica-${replicas}` })
    const stop = new AbortController()
    const informers = new Informers(api, { clock, random, signal: stop.signal })
    const webhooks = new SharedWebhooks({ host, port: 0, bind: '127.0.0.1', clock, log })
    const around = { api, informers, random, namespace: ballastNamespace, capabilities: enabledCapabilities }
    let isKept = false
    const [kept] = await Promise.all([
      webhooks.keep(around, stop.signal).finally(() => {
        isKept = true
      }),
      clock.runUntil(() => isKept, { limitMs: 60_000 }),
    ])
    stack.defer(async () => {
      await kept[Symbol.asyncDispose]()
      await webhooks[Symbol.asyncDispose]()
      stop.abort(new Error('the test is over'))
      await informers[Symbol.asyncDispose]()
      await api.close()
    })
    return webhooks
  }
  const forbidden = () => twin.requests.entries.filter(({ code }) => code === 403).map(({ verb, path }) => `${verb} ${path}`)
  return { clock, twin, admin, start, forbidden, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** The status that a caller gets who trusts what the configuration says. */
async function statusAt(webhooks: SharedWebhooks): Promise<number> {
  const { url, caBundle } = webhooks.clientConfig('/mutate/x')
  const ca = Buffer.from(String(caBundle), 'base64').toString()
  const agent = new Agent({ connect: { ca } })
  const answer = await request(String(url), { dispatcher: agent, method: 'POST', body: '{}' })
  await answer.body.dump()
  await agent.destroy()
  return answer.statusCode
}

describe('replicas with the rights of the installation', () => {
  test('serve one certificate, made by whoever was first, and are believed', async () => {
    await using cluster = await openCluster()
    const first = await cluster.start()
    const second = await cluster.start()
    expect(second.certificates?.leaf).toEqual(first.certificates?.leaf)
    expect(second.clientConfig('/x')['caBundle']).toBe(first.clientConfig('/x')['caBundle'])
    expect([await statusAt(first), await statusAt(second)]).toEqual([404, 404])
    expect(first.check).toEqual({ name: 'webhooks', ok: true, state: 'shared certificate' })
    expect(cluster.forbidden()).toEqual([])
  })

  test('under several names get one certificate with all of them', async () => {
    await using cluster = await openCluster()
    const first = await cluster.start()
    await cluster.start({ host: 'ballast.example' })
    const third = await cluster.start({ host: 'localhost' })
    await cluster.clock.quiet()
    expect([await statusAt(first), await statusAt(third)]).toEqual([404, 404])
    expect(third.certificates?.leaf).toEqual(first.certificates?.leaf)
  })

  test('put the bundle into the configurations that they write, whoever changed it, and not into others', async () => {
    await using cluster = await openCluster()
    const webhooks = await cluster.start()
    const configurations = cluster.admin.resource<KubeObject>(builtIn.mutatingwebhookconfigurations)
    const write = (name: string, webhook: string) =>
      configurations.create(
        {
          apiVersion: 'admissionregistration.k8s.io/v1',
          kind: 'MutatingWebhookConfiguration',
          metadata: { name, annotations: webhooks.annotations() },
          webhooks: [
            {
              name: webhook,
              clientConfig: { url: 'https://127.0.0.1:1/x', caBundle: '' },
              sideEffects: 'None',
              admissionReviewVersions: ['v1'],
              rules: [{ operations: ['CREATE'], apiGroups: ['nobody'], apiVersions: ['v1'], resources: ['xs'] }],
            },
          ],
        },
        { signal },
      )
    await write('ballast-landing', 'landing.deschedule.ballast.dev')
    await write('ballast-isolation', 'tolerations.isolate.ballast.dev')
    await write('elsewhere', 'a.ballast.dev')
    await cluster.clock.quiet()
    const { items } = await configurations.list({ signal })
    const bundles = items.map(item => [item.metadata.name, JSON.stringify(item['webhooks']).match(/"caBundle":"([^"]+)"/)?.[1]])
    const { caBundle } = webhooks.clientConfig('/x')
    expect(Object.fromEntries(bundles)).toEqual({
      'ballast-landing': caBundle,
      'ballast-isolation': caBundle,
      elsewhere: undefined,
    })
    expect(cluster.forbidden()).toEqual([])
  })
})

test.each([
  ['read', ['create', 'update']],
  ['made', ['get', 'list', 'watch', 'update']],
])('where the Secret may not be %s a replica says so and serves with its own', async (_what, verbs) => {
  await using cluster = await openCluster()
  const rules = [{ apiGroups: [''], resources: ['secrets'], verbs }]
  const roles = cluster.admin.resource<KubeObject>(builtIn.roles)
  await roles.patch('ballast-controller-own-secrets', { type: 'merge', body: { rules } }, { signal, namespace: ballastNamespace })
  // Reload reads Secrets everywhere.
  await cluster.admin.resource(builtIn.clusterrolebindings).delete('ballast-controller-secrets', { signal })
  const said: string[] = []
  const webhooks = await cluster.start({
    log: { ...silentLog, warn: (facts, text) => said.push(`${text} ${JSON.stringify(facts)}`) },
  })
  expect(said.filter(text => text.includes('the Secret may not be used'))).toHaveLength(1)
  expect(said.join()).toContain(`Secret ${ballastNamespace}/ballast-tls`)
  expect(await statusAt(webhooks)).toBe(404)
  expect(webhooks.annotations()).toEqual({})
  expect(webhooks.check).toEqual({ name: 'webhooks', ok: true, state: 'own certificate' })
  expect(cluster.twin.access.list('secrets').map(({ metadata }) => metadata.name)).toEqual([])
})

test('a controller looks for no configuration of what is off: its role has no right to', async () => {
  const clock = new VirtualClock(systemClock.now())
  await using twin = await startTwin({ clock, seed: 1, objects: [] })
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'admin' })
  const capabilities = enabledCapabilities.filter(({ name }) => name === 'readiness')
  await installBallast(admin, { capabilities, namespace: ballastNamespace, signal })
  const token = await controllerToken(admin, { namespace: ballastNamespace, seconds: 3_600, signal })
  await using webhooks = new SharedWebhooks({ host: '127.0.0.1', port: 0, bind: '127.0.0.1', clock, log: silentLog })
  const fixed = fixedSettings({ capabilities: enabledCapabilities })
  const sections = Object.entries(fixed.current.capabilities)
  const onlyReadiness = Object.fromEntries(
    sections.map(([name, section]) => [name, { ...section, isEnabled: name === 'readiness' }]),
  )
  const stop = new AbortController()
  const running = runController({
    transport: twin.transport({ token }),
    clock,
    random: seededRandom(1),
    log: silentLog,
    identity: { name: 'controller', namespace: ballastNamespace },
    capabilities: enabledCapabilities,
    settings: {
      ...fixed,
      current: { ...fixed.current, capabilities: onlyReadiness },
    },
    webhooks,
    signal: stop.signal,
  })
  const hasConfiguration = () =>
    twin.requests.entries.some(({ verb, path }) => verb === 'PATCH' && path.includes('webhookconfigurations'))
  await clock.runUntil(hasConfiguration, { limitMs: 120_000 })
  stop.abort()
  await running
  await admin.close()
  expect(twin.requests.entries.filter(({ code }) => code === 403).map(({ path }) => path)).toEqual([])
})
