// From the HTTP add-on to ours within its own Deployments, and back, on the twin: killed at each write, with roll-outs that get stuck. Each second
// both of its Services are looked at: somebody who is ready answers at all times.
import { describe, expect, test } from 'vitest'
import { listAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { upstreamNamed } from './carried-swap.ts'
import { SwapSite } from './swap-site.ts'

const namespace = 'keda'
const chart = {
  'app.kubernetes.io/name': 'http-add-on',
  'app.kubernetes.io/part-of': 'keda-add-ons-http',
  'helm.sh/chart': 'keda-add-ons-http-0.15.0',
}
const helm = { 'meta.helm.sh/release-name': 'http-add-on', 'meta.helm.sh/release-namespace': namespace }
const env = (variables: Readonly<Record<string, string>>) => Object.entries(variables).map(([name, value]) => ({ name, value }))
const log = ['--zap-log-level=info', '--zap-encoder=console', '--zap-time-encoding=rfc3339']

interface Program {
  readonly name: string
  readonly component: string
  readonly replicas: number
  readonly args?: readonly string[]
  readonly variables: Readonly<Record<string, string>>
}

const programs: readonly Program[] = [
  {
    name: 'interceptor',
    component: 'interceptor',
    replicas: 3,
    variables: { KEDA_HTTP_PROXY_PORT: '8080', KEDA_HTTP_ADMIN_PORT: '9090', KEDA_HTTP_DIRECT_POD_ROUTING: 'true' },
  },
  {
    name: 'external-scaler',
    component: 'scaler',
    replicas: 1,
    variables: {
      KEDA_HTTP_SCALER_PORT: '9090',
      KEDA_HTTP_SCALER_TARGET_ADMIN_NAMESPACE: namespace,
      KEDA_HTTP_SCALER_TARGET_ADMIN_SERVICE: 'keda-add-ons-http-interceptor-admin',
      KEDA_HTTP_SCALER_TARGET_ADMIN_DEPLOYMENT: 'keda-add-ons-http-interceptor',
      KEDA_HTTP_SCALER_TARGET_ADMIN_PORT: '9090',
    },
  },
  {
    name: 'controller-manager',
    component: 'operator',
    replicas: 1,
    args: ['--metrics-bind-address=:8443', '--metrics-secure=true', '--metrics-auth=true', '--leader-elect', ...log],
    variables: {
      KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_SERVICE: 'keda-add-ons-http-external-scaler',
      KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_PORT: '9090',
      KEDA_HTTP_OPERATOR_NAMESPACE: namespace,
    },
  },
]

const metadata = (name: string, component: string) => ({
  name: `keda-add-ons-http-${name}`,
  namespace,
  labels: { ...chart, 'app.kubernetes.io/component': component },
  annotations: helm,
})

const deploymentOf = ({ name, component, replicas, args = log, variables }: Program, more: object = {}): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(name, component),
    spec: {
      replicas,
      selector: { matchLabels: { 'app.kubernetes.io/component': component } },
      template: {
        metadata: { labels: { 'app.kubernetes.io/component': component } },
        spec: {
          terminationGracePeriodSeconds: 10,
          containers: [
            {
              name: component,
              image: `ghcr.io/kedacore/http-add-on-${component}:0.15.0`,
              args,
              env: env(variables),
              resources: { limits: { cpu: '0.5', memory: '64Mi' }, requests: { cpu: '250m', memory: '20Mi' } },
            },
          ],
        },
      },
      ...more,
    },
  }) as unknown as KubeObject

const serviceOf = (name: string, component: string, port: number): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(name, component),
    spec: { selector: { 'app.kubernetes.io/component': component }, ports: [{ name: 'it', port, protocol: 'TCP' }] },
  }) as unknown as KubeObject

const services = [serviceOf('interceptor-proxy', 'interceptor', 8080), serviceOf('external-scaler', 'scaler', 9090)]
const everything = [...programs.map(program => deploymentOf(program)), ...services]

const start = (objects: readonly KubeObject[]) =>
  SwapSite.start(objects, 'stand-in', {
    upstream: upstreamNamed('http-add-on'),
    deployment: 'keda-add-ons-http-interceptor',
  })

const templates = (site: SwapSite) =>
  site
    .list('deployments.apps')
    .filter(one => one.metadata.namespace === namespace)
    .map(one => JSON.stringify(templateOf(one)))
    .sort()
const words = (site: SwapSite) =>
  site
    .list('deployments.apps')
    .filter(one => one.metadata.namespace === namespace)
    .map(one => String(listAt(listAt(templateOf(one), 'spec', 'containers')[0], 'args')[0]))
    .sort()
const ready = (site: SwapSite, service: string) =>
  site
    .list('endpointslices.discovery.k8s.io')
    .filter(({ metadata: { labels } }) => labels?.['kubernetes.io/service-name'] === service)
    .flatMap(slice => listAt(slice, 'endpoints'))
    .filter(endpoint => valueAt(endpoint, ['conditions', 'ready']) === true).length

/** Services at which nobody was ready, by the second. */
function watched(site: SwapSite) {
  const gaps: string[] = []
  const looks = { count: 0, isOver: false }
  const look = async () => {
    while (!looks.isOver) {
      looks.count++
      for (const { metadata: one } of services) if (ready(site, one.name) === 0) gaps.push(`${looks.count} ${one.name}`)
      await site.clock.after(1_000)
    }
  }
  void look()
  return {
    gaps,
    looks,
    [Symbol.dispose]() {
      looks.isOver = true
    },
  }
}

const states = ({ results }: { readonly results: readonly { id: string; state: string }[] }) =>
  results.map(({ id, state }) => `${id}: ${state}`)
const ours = ['http-operator', 'interceptor', 'scaler']

test('forth, back to the letter, and forth again: somebody is ready at every second, nothing but three templates is written', async () => {
  await using site = await start(everything)
  const before = templates(site)
  using watch = watched(site)
  const forth = await site.apply()
  expect(forth.error).toBeUndefined()
  expect(forth.isDone, JSON.stringify(forth.results)).toBe(true)
  expect(states(forth)).toEqual(['check: done', 'convert: done', 'scaler: done', 'interceptor: done', 'http-operator: done'])
  expect(words(site)).toEqual(ours)
  const deployments = forth.writes.filter(write => !write.includes('/configmaps'))
  expect(deployments).toEqual(
    ['external-scaler', 'interceptor', 'controller-manager'].map(
      name => `PUT /apis/apps/v1/namespaces/keda/deployments/keda-add-ons-http-${name}`,
    ),
  )
  const back = await site.apply({ back: true })
  expect(back.error).toBeUndefined()
  expect(states(back)).toEqual(['check: done', 'http-operator: done', 'interceptor: done', 'scaler: done'])
  expect(templates(site)).toEqual(before)
  expect((await site.apply()).isDone).toBe(true)
  expect(words(site)).toEqual(ours)
  expect(watch.looks.count).toBeGreaterThan(10)
  expect(watch.gaps).toEqual([])
})

test('new pods that get no node: after ten minutes upstream is put back, and answered all the while', async () => {
  await using site = await start(everything)
  const before = templates(site)
  using watch = watched(site)
  const nodes = site.admin.resource<KubeObject>(builtIn.nodes)
  const { signal } = new AbortController()
  for (const { metadata: one } of site.list('nodes'))
    await nodes.patch(one.name, { type: 'merge', body: { spec: { unschedulable: true } } }, { signal, fieldManager: 'somebody' })
  const forth = await site.apply()
  expect(states(forth).at(-1)).toBe('scaler: reverted')
  expect(forth.results.at(-1)?.said).toMatch(/of 1 pods of Deployment keda\/keda-add-ons-http-external-scaler are new/)
  await site.pass(60_000)
  expect(templates(site)).toEqual(before)
  expect(watch.gaps).toEqual([])
  // The look itself sees a gap where there is one.
  const deployments = site.admin.resource<KubeObject>(builtIn.deployments)
  const scaler = 'keda-add-ons-http-external-scaler'
  await deployments.patch(
    scaler,
    { type: 'merge', body: { spec: { replicas: 0 } } },
    { namespace, signal, fieldManager: 'somebody' },
  )
  await site.pass(60_000)
  expect(watch.gaps.join()).toContain(scaler)
})

describe('killed around any write, another run ends it, and somebody is ready at every second', () => {
  test.each([
    ['forth', false],
    ['back', true],
  ])('%s', async (_name, back) => {
    const writes = await (async () => {
      await using site = await start(everything)
      const forth = await site.apply()
      return back ? (await site.apply({ back: true })).writes : forth.writes
    })()
    expect(writes.length).toBeGreaterThan(6)
    for (const when of ['before', 'after'] as const)
      for (const write of writes.keys()) {
        await using site = await start(everything)
        const before = templates(site)
        using watch = watched(site)
        if (back) await site.apply()
        await site.apply({ back, kill: { write: write + 1, when }, holder: 'ann' })
        const next = await site.apply({ back, holder: 'ann' })
        const named = `killed ${when} write ${write + 1}, ${writes[write]}: ${JSON.stringify(next.results)}`
        expect(next.isDone, named).toBe(true)
        expect(watch.gaps, named).toEqual([])
        if (back) expect(templates(site), named).toEqual(before)
        else expect(words(site), named).toEqual(ours)
        if (back) continue
        // However it was broken off, the way back knows what was there.
        expect((await site.apply({ back: true, holder: 'ann' })).isDone, named).toBe(true)
        expect(templates(site), named).toEqual(before)
      }
  })
})

test('a change that others made to a template of ours is told, and is not in what comes back', async () => {
  await using site = await start(everything)
  const before = templates(site)
  await site.apply()
  const deployments = site.admin.resource<KubeObject>(builtIn.deployments)
  const { signal } = new AbortController()
  const name = 'keda-add-ons-http-interceptor'
  const body = { spec: { template: { metadata: { annotations: { restarted: 'now' } } } } }
  await deployments.patch(name, { type: 'merge', body }, { namespace, signal, fieldManager: 'somebody' })
  const told: string[] = []
  const back = await site.apply({ back: true, tell: line => void told.push(line) })
  expect(back.isDone).toBe(true)
  expect(told.join()).toContain(`the pod template of Deployment keda/${name} was changed by others meanwhile`)
  expect(templates(site)).toEqual(before)
})

// biome-ignore format: a table
test.each<[string, readonly KubeObject[], RegExp]>([
  ['its strategy takes all pods away', [deploymentOf(programs[0] as Program, { strategy: { type: 'Recreate' } }), ...everything.slice(1)], /strategy is Recreate.*Nothing was written/],
  ['two operators would act', [...everything.slice(0, 2), deploymentOf({ ...(programs[2] as Program), args: log }), ...services], /is not told --leader-elect/],
  ['words that ours does not take', [deploymentOf({ ...(programs[0] as Program), variables: { KEDA_HTTP_PROXY_PORT: 'x', KEDA_HTTP_ADMIN_PORT: '9090' } }), ...everything.slice(1)], /interceptor: KEDA_HTTP_PROXY_PORT cannot be used/],
  ['what has no effect', [...everything.slice(0, 2), deploymentOf({ ...(programs[2] as Program), args: ['--leader-elect', '--profiling-bind-address=127.0.0.1:8084'] }), ...services], /http-operator: --profiling-bind-address has no effect.*--allow-lossy/],
])('%s: nothing is written, and the way out is said', async (_name, objects, why) => {
  await using site = await start(objects)
  const before = templates(site)
  const { isDone, results } = await site.apply()
  expect(isDone).toBe(false)
  expect(results.at(-1)?.said).toMatch(why)
  expect(templates(site)).toEqual(before)
})

test('an owner that is live would undo it: it is named, and nothing is written', async () => {
  const owned = everything.map(one =>
    one.kind === 'Deployment'
      ? { ...one, metadata: { ...one.metadata, labels: { ...one.metadata.labels, 'argocd.argoproj.io/instance': 'http' } } }
      : one,
  )
  await using site = await start(owned)
  const before = templates(site)
  const { isDone, results } = await site.apply()
  expect(isDone).toBe(false)
  expect(results.at(-1)?.said).toMatch(/is live and brings upstream back/)
  expect(templates(site)).toEqual(before)
})

test('the plan for plain manifests, which call all three http', async () => {
  const plain = everything.map(one => ({
    ...one,
    metadata: { ...one.metadata, labels: { 'app.kubernetes.io/name': 'http' }, annotations: {} },
  }))
  await using site = await start(plain)
  expect((await site.apply()).isDone).toBe(true)
  expect(words(site)).toEqual(ours)
  expect((await site.apply({ back: true })).isDone).toBe(true)
  expect(textAt(site.find('deployments.apps', 'keda-add-ons-http-interceptor'), 'metadata', 'name')).toBeDefined()
  expect(words(site)).toEqual(['--metrics-bind-address=:8443', '--zap-log-level=info', '--zap-log-level=info'])
})
