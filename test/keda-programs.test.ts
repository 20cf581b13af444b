// The three programs in KEDA's place on the twin, with the rights of KEDA's chart. The operator makes and spreads the certificates of all, answers
// an adapter that has them, and scales; the adapter tells the twin's autoscaler; the webhooks judge. None asks for what it may not.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { Agent, request } from 'undici'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { certificateLife, isIssuedBy, namesOf } from '#kube/server/certificates.ts'
import { delegationObjects } from '#kube/server/delegation-rights.ts'
import { runKedaAdapter } from '../src/capabilities/autoscale/commands/keda-adapter.ts'
import { runKedaWebhooks } from '../src/capabilities/autoscale/commands/keda-webhooks.ts'
import { runKedaOperator } from '../src/capabilities/autoscale/commands/run-keda-operator.ts'
import { parseAdapterFlags } from '../src/capabilities/autoscale/flags/adapter-flags.ts'
import { parseOperatorFlags } from '../src/capabilities/autoscale/flags/keda-flags.ts'
import { parseWebhooksFlags } from '../src/capabilities/autoscale/flags/webhooks-flags.ts'
import { externalMetrics, scaledObjects, triggerAuthentications } from '../src/capabilities/autoscale/names.ts'
import { openMetricsClient } from '../src/capabilities/autoscale/served/metrics-client.ts'
import { AutoscaleSite, hourly, scaled } from './autoscale-site.ts'
import { kedaNamespace, kedaRoles } from './keda-role.ts'

const apiServices = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' } as const
const configurations = builtIn.validatingwebhookconfigurations
const clientConfig = { service: { name: 'keda-admission-webhooks', namespace: kedaNamespace, path: '/validate' } }
const rule = { apiGroups: ['keda.sh'], apiVersions: ['v1alpha1'], operations: ['CREATE'], resources: ['scaledobjects'] }
const webhook = { clientConfig, rules: [rule], sideEffects: 'None', failurePolicy: 'Ignore', admissionReviewVersions: ['v1'] }

const upstreamObjects: readonly KubeObject[] = [
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'keda-admission' },
    webhooks: [
      { ...webhook, name: 'vscaledobject.kb.io' },
      { ...webhook, name: 'vscaledjob.kb.io' },
    ],
  },
  {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: externalMetrics.name },
    spec: {
      ...{ group: externalMetrics.group, version: externalMetrics.version, groupPriorityMinimum: 100, versionPriority: 100 },
      service: { name: 'keda-operator-metrics-apiserver', namespace: kedaNamespace, port: 443 },
    },
  },
]

const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]()
})

async function begun(isWide: boolean) {
  const adapter = { namespace: kedaNamespace, name: 'keda-metrics-server' }
  const site = await AutoscaleSite.start(0, [...kedaRoles({ isWide }), ...delegationObjects(adapter), ...upstreamObjects])
  open.push(site)
  return site
}

const flags = [
  '--leader-elect',
  '--enable-cert-rotation=true',
  '--metrics-service-bind-address=127.0.0.1:0',
  '--metrics-server-service-name=keda-operator-metrics-apiserver',
]

/** One of ours, until the test is over. */
async function launched(site: AutoscaleSite, more: readonly string[], environment: Readonly<Record<string, string>>) {
  const parsed = parseOperatorFlags([...flags, ...more], { WATCH_NAMESPACE: '', POD_NAMESPACE: kedaNamespace, ...environment })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  expect(parsed.refused).toEqual([])
  const token = await site.twin.issueToken({ namespace: kedaNamespace, serviceAccount: 'keda-operator', seconds: 86_400 })
  const stop = new AbortController()
  let port: number | undefined
  let end: unknown
  const running = runKedaOperator(
    {
      settings: parsed.settings,
      transport: site.twin.transport({ token }),
      // Chance makes the identities of two differ.
      ...{ clock: site.clock, random: seededRandom(open.length), log: silentLog, registry: new Registry() },
      ...{ name: 'keda-operator-0', userAgent: 'ballast keda' },
      onServing: service => {
        port = service.port
      },
    },
    stop.signal,
  ).then(
    () => (end = 'over'),
    (error: unknown) => (end = error),
  )
  open.push({
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('the test is over', 'AbortError'))
      for (let passed = 0; end === undefined && passed < 200; passed++) await site.clock.advance(100)
      await running
      expect(end).toBe('over')
    },
  })
  return {
    /** Where its metrics service is; undefined while it has none. */
    port: () => {
      if (end !== undefined && !stop.signal.aborted) throw end
      return port
    },
  }
}

/** One that answers. */
async function operator(site: AutoscaleSite, more: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
  const one = await launched(site, more, environment)
  await until(site, () => one.port() !== undefined)
  return { port: one.port() ?? 0 }
}

async function until(site: AutoscaleSite, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let passed = 0; !(await holds()); passed++) {
    if (passed > 600) throw new Error('waited in vain')
    await site.clock.advance(200)
  }
}

async function secretOf(site: AutoscaleSite) {
  const secret = await site.get(builtIn.secrets, 'kedaorg-certs', kedaNamespace)
  return { secret, text: (key: string) => Buffer.from(String(at(secret, 'data', key) ?? ''), 'base64').toString() }
}

const bundlesOf = async (site: AutoscaleSite) => {
  const service = await site.get(apiServices, externalMetrics.name, '')
  const { webhooks } = await site.get(configurations, 'keda-admission', '')
  return [at(service, 'spec', 'caBundle'), ...[webhooks].flat().map(one => at(Object(one), 'clientConfig', 'caBundle'))]
}

const refusals = ({ twin }: AutoscaleSite) =>
  twin.requests.entries
    .filter(({ agent, code }) => agent.startsWith('ballast keda') && code === 403)
    .map(({ verb, path }) => `${verb} ${path}`)

/** The files of the Secret, as a kubelet brings them. */
async function mounted(site: AutoscaleSite): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-keda-'))
  open.push({ [Symbol.asyncDispose]: async () => rmSync(directory, { recursive: true }) })
  const { text } = await secretOf(site)
  for (const key of ['ca.crt', 'tls.crt', 'tls.key']) writeFileSync(join(directory, key), text(key))
  return directory
}

type Beside = Parameters<typeof runKedaAdapter>[1]

/** One of the other two, until the test is over. @returns its port */
async function beside(
  site: AutoscaleSite,
  name: 'keda-adapter' | 'keda-admission-webhooks',
  run: (started: Beside, signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const serviceAccount = name === 'keda-adapter' ? 'keda-metrics-server' : 'keda-webhook'
  const token = await site.twin.issueToken({ namespace: kedaNamespace, serviceAccount, seconds: 86_400 })
  const stop = new AbortController()
  const serving = Promise.withResolvers<number>()
  const transport = site.twin.transport({ token })
  const running = run(
    {
      ...{ transport, log: silentLog, registry: new Registry(), clock: systemClock, random: seededRandom(1) },
      ...{
        name: `${name}-0`,
        userAgent: `ballast ${name}`,
        listen: async () => undefined,
        listenGuarded: async () => undefined,
        transportOf: async () => transport,
      },
      onServing: ({ port }) => serving.resolve(port),
    },
    stop.signal,
  )
  running.catch(serving.reject)
  open.push({
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('the test is over', 'AbortError'))
      await running
    },
  })
  return await serving.promise
}

const environment = { WATCH_NAMESPACE: '', POD_NAMESPACE: kedaNamespace, KEDA_SERVICE_MIN_TLS_VERSION: 'TLS13' }

async function adapter(site: AutoscaleSite, operatorPort: number, directory: string): Promise<number> {
  const parsed = parseAdapterFlags(
    [
      ...[`--metrics-service-address=127.0.0.1:${operatorPort}`, '--metrics-service-grpc-authority=keda-operator.keda.svc'],
      ...[`--cert-dir=${directory}`, `--client-ca-file=${directory}/ca.crt`, '--bind-address=127.0.0.1', '--secure-port=6443'],
      ...[`--tls-cert-file=${directory}/tls.crt`, `--tls-private-key-file=${directory}/tls.key`],
    ],
    environment,
  )
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  const settings = { ...parsed.settings, serving: { ...parsed.settings.serving, port: 0 } }
  return await beside(site, 'keda-adapter', (started, signal) => runKedaAdapter(settings, started, signal))
}

test('all three: the twin’s autoscaler hears the value by our adapter, and a wrong object is refused on upstream’s path', async () => {
  const site = await begun(true)
  const { port } = await operator(site)
  const directory = await mounted(site)
  const endpoint = `https://127.0.0.1:${await adapter(site, port, directory)}`
  const metadata = { name: 'keda-operator-metrics-apiserver', namespace: kedaNamespace }
  const annotations = { 'ballast.dev/twin-endpoint': endpoint }
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { ...metadata, annotations }, spec: { ports: [{ port: 443 }] } }
  await site.create({ group: '', version: 'v1', resource: 'services' }, service)
  await site.create(scaledObjects, scaled('web', { triggers: [hourly('0 * * * *', '59 * * * *', 3)] }))
  await until(site, async () => (await site.replicas()) === 3)

  const parsed = parseWebhooksFlags([`--cert-dir=${directory}`], environment)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  const settings = { ...parsed.settings, port: 0 }
  const judging = await beside(site, 'keda-admission-webhooks', (started, signal) =>
    runKedaWebhooks(settings, { ...started, host: '127.0.0.1' }, signal),
  )
  const { text } = await secretOf(site)
  const dispatcher = new Agent({ connect: { ca: text('ca.crt'), servername: 'keda-admission-webhooks.keda.svc' } })
  open.push({ [Symbol.asyncDispose]: () => dispatcher.destroy() })
  const asked = async (object: KubeObject) => {
    const resource = { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' }
    const kind = { group: 'keda.sh', version: 'v1alpha1', kind: 'ScaledObject' }
    const review = { uid: 'a', kind, resource, operation: 'CREATE', userInfo: {}, namespace: 'default', object, oldObject: null }
    const answer = await request(`https://127.0.0.1:${judging}/validate-keda-sh-v1alpha1-scaledobject?timeout=10s`, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: review }),
    })
    const { response } = Object(await answer.body.json())
    return response.allowed === true ? 'allowed' : response.status.message
  }
  const triggers = [hourly('0 * * * *', '59 * * * *', 3)]
  expect(await asked(scaled('free', { triggers }))).toBe('allowed')
  expect(await asked(scaled('second', { scaleTargetRef: { name: 'web' }, triggers }))).toMatch(
    /already managed by the ScaledObject 'web'/,
  )
  expect(refusals(site)).toEqual([])
})

test.each([true, false])('with the chart’s role (any kind may be got: %s)', async isWide => {
  const site = await begun(isWide)
  const { port } = await operator(site)
  const { secret, text } = await secretOf(site)
  expect(secret).toMatchObject({ type: 'Opaque', metadata: { labels: { 'app.kubernetes.io/part-of': 'keda' } } })
  // The form that upstream's own rotation reads.
  expect(text('ca.key')).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/)
  expect(isIssuedBy(text('tls.crt'), text('ca.crt'))).toBe(true)
  expect(namesOf(text('tls.crt')).dnsNames).toEqual(
    ['keda-operator', 'keda-operator-metrics-apiserver', 'keda-admission-webhooks'].flatMap(name =>
      ['', '.keda', '.keda.svc', '.keda.svc.cluster.local'].map(end => `${name}${end}`),
    ),
  )
  const bundle = Buffer.from(text('ca.crt')).toString('base64')
  await until(site, async () => (await bundlesOf(site)).every(found => found === bundle))
  const lease = site.twin.access.list('leases.coordination.k8s.io').find(({ metadata }) => metadata.name === 'operator.keda.sh')
  expect(at(lease ?? secret, 'spec', 'holderIdentity')).toMatch(/^keda-operator-0_/)

  const credentials = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'queue', namespace: 'default' },
    data: { word: 'eA==' },
  }
  await site.create(builtIn.secrets, credentials)
  await site.create(triggerAuthentications, {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'TriggerAuthentication',
    metadata: { name: 'queue', namespace: 'default' },
    spec: { secretTargetRef: [{ parameter: 'word', name: 'queue', key: 'word' }] },
  })
  const trigger = { ...hourly('0 * * * *', '59 * * * *', 3), authenticationRef: { name: 'queue' } }
  await site.create(scaledObjects, scaled('web', { triggers: [trigger] }))
  await until(site, async () => Number(at(await site.get(builtIn.deployments, 'web'), 'spec', 'replicas')) > 0)
  const material = { tls: { certificate: text('tls.crt'), key: text('tls.key') }, bundle: text('ca.crt') }
  const address = `127.0.0.1:${port}`
  await using client = openMetricsClient({ address, authority: 'keda-operator', material, clock: site.clock, log: silentLog })
  const metric = String(at(await site.get(scaledObjects, 'web'), 'status', 'externalMetricNames', '0'))
  const asked = { namespace: 'default', scaledObject: 'web', metric }
  expect(await client.values(asked, site.signal)).toMatchObject([{ name: metric, quantity: '3' }])
  await expect(client.values({ ...asked, scaledObject: 'nobody' }, site.signal)).rejects.toThrow(/nobody/)
  expect(refusals(site)).toEqual([])
})

test('certificates that KEDA made are served as they are, and the Secret stays as it was', async () => {
  const site = await begun(true)
  const first = await operator(site)
  const made = await secretOf(site)
  const plain = ['ca.crt', 'ca.key', 'tls.crt', 'tls.key']
  const data = Object.fromEntries(plain.map(key => [key, Buffer.from(made.text(key)).toString('base64')]))
  await open.pop()?.[Symbol.asyncDispose]()
  // As KEDA's operator leaves it: nothing of ours in it.
  const { signal } = site
  await site.api.resource(builtIn.secrets).delete('kedaorg-certs', { namespace: kedaNamespace, signal })
  const metadata = { name: 'kedaorg-certs', namespace: kedaNamespace }
  await site.create(builtIn.secrets, { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata, data })
  const second = await operator(site)
  expect(second.port).not.toBe(first.port)
  expect(at((await secretOf(site)).secret, 'data')).toEqual(data)
  const { notBeforeMs, notAfterMs } = certificateLife(made.text('tls.crt'))
  expect((notAfterMs - notBeforeMs) / 86_400_000).toBeCloseTo(365, 1)
})

test('of two operators one acts and answers; the other begins when its Lease is given back', async () => {
  const site = await begun(true)
  await operator(site)
  const second = await launched(site, [], {})
  const [first] = open.splice(1, 1)
  await site.clock.advance(40_000)
  expect(second.port()).toBeUndefined()
  await first?.[Symbol.asyncDispose]()
  await until(site, () => second.port() !== undefined)
  expect(refusals(site)).toEqual([])
})

test('it looks only at what the selector says, and at the namespaces that it is told', async () => {
  const site = await begun(true)
  const other = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } }
  await site.create(builtIn.namespaces, other)
  await operator(site, [], { WATCH_NAMESPACE: 'default,other', WATCH_LABEL_SELECTOR: 'tier=gold' })
  const objects = [
    scaled('web', { triggers: [hourly('0 * * * *', '59 * * * *', 3)] }, { labels: { tier: 'gold' } }),
    scaled('plain', { scaleTargetRef: { name: 'web' }, triggers: [hourly('0 * * * *', '59 * * * *', 3)] }),
  ]
  for (const object of objects) await site.create(scaledObjects, object)
  await until(site, async () => Number(at(await site.get(builtIn.deployments, 'web'), 'spec', 'replicas')) > 0)
  await site.clock.advance(60_000)
  expect((await site.get(scaledObjects, 'plain')).metadata.finalizers).toBeUndefined()
  expect((await site.get(scaledObjects, 'web')).metadata.finalizers).toEqual(['finalizer.keda.sh'])
  expect(refusals(site)).toEqual([])
})
