// The parts of the worked example outside of the controller: what is installed for them, and that their processes run with exactly that.

import { Registry } from 'prom-client'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import type { Capability } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { startEmbeddedCluster } from '../src/cli/up/embedded-cluster.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { chartFiles } from '../src/deployment/packaging/chart.ts'
import { kustomizeFiles } from '../src/deployment/packaging/kustomize.ts'
import { runAgentParts } from '../src/process/agent/agent-host.ts'
import { runApiserver } from '../src/process/apiserver/apiserver.ts'
import { SharedApis } from '../src/process/apiserver/shared-apis.ts'
import { fixedSettings } from '../src/process/configuration/controller-settings.ts'
import { runGateway } from '../src/process/gateway/gateway.ts'
import { ControllerHealth } from '../src/process/health/controller-health.ts'
import { PortBook } from '../src/process/parts/port-book.ts'
import { embeddedEnding } from '../src/process/surroundings.ts'
import { namespace, startMs } from './controlled-cluster.ts'
import { refresh } from './sample-capability/capability.ts'
import { refreshAnnotation } from './sample-capability/decision.ts'
import { startPresence } from './sample-capability/presence.ts'
import { node, smallWorkload } from './small-cluster.ts'

const capabilities = [refresh]
const release = plainRelease('ballast', namespace)
/** The sample with one part more, that listens on the leader of the apiserver alone. */
const withDesk: Capability = {
  ...refresh,
  parts: [
    ...refresh.parts,
    {
      process: 'apiserver',
      presence: 'leading',
      trust: 'edge',
      needs: [],
      permissions: [],
      listeners: [{ kind: 'port', name: 'desk', port: 9200, protocol: 'TCP', exposure: 'pod' }],
      offers: [],
      takes: [],
      start: context => startPresence({ ...context, node: 'the leader', api: undefined }),
    },
  ],
}

const installed = (isEnabled: boolean, more: Readonly<Record<string, unknown>> = {}, of: readonly Capability[] = capabilities) =>
  objects(
    installationValues({ preset: { namespace: { create: true }, ...more }, [isEnabled ? 'enable' : 'disable']: ['refresh'] }, of),
    { capabilities: of, release },
  )

type Fields = Readonly<Record<string, unknown>>

/** The value at a path of keys and positions. */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  )
}

const found = (list: readonly KubeObject[], kind: string, name: string) => {
  const object = list.find(one => one.kind === kind && one.metadata.name === name)
  if (object === undefined)
    throw new Error(`there is no ${kind} ${name} among ${list.map(one => `${one.kind} ${one.metadata.name}`).join(', ')}`)
  return object
}

/** `get,list,watch deployments.apps` of the rules of a role. */
const rulesOf = (role: KubeObject) =>
  (
    at(role, 'rules') as readonly {
      readonly apiGroups: readonly string[]
      readonly resources: readonly string[]
      readonly verbs: readonly string[]
      readonly resourceNames?: readonly string[]
    }[]
  ).map(
    ({ apiGroups, resources, verbs, resourceNames = [] }) =>
      `${verbs.join(',')} ${resources.join(',')}${apiGroups[0] === '' ? '' : `.${apiGroups[0]}`}${resourceNames.length === 0 ? '' : ` ${resourceNames.join(',')}`}`,
  )

describe('what is installed', () => {
  const list = installed(true)

  test('for its API: Deployment, Service, APIService, ports', () => {
    const deployment = found(list, 'Deployment', 'ballast-apiserver')
    const container = at(deployment, 'spec', 'template', 'spec', 'containers', 0)
    expect(at(container, 'args')).toEqual([
      'apiserver',
      '--config=/etc/ballast/config.yaml',
      '--no-dashboard',
      '--api-service=ballast-apiserver',
    ])
    expect(at(container, 'ports')).toEqual([
      { name: 'health', containerPort: 8081, protocol: 'TCP' },
      { name: 'aggregated', containerPort: 6443, protocol: 'TCP' },
    ])
    expect(at(found(list, 'Service', 'ballast-apiserver'), 'spec', 'ports')).toEqual([
      { name: 'metrics', port: 8081, targetPort: 'health', protocol: 'TCP' },
      { name: 'aggregated', port: 443, targetPort: 'aggregated', protocol: 'TCP' },
    ])
    const service = found(list, 'APIService', 'v1.refresh.example.ballast.dev')
    expect(service.metadata.annotations).toEqual({ 'ballast.dev/cabundle-inject': 'ballast-system/ballast-apiserver-tls' })
    expect(at(service, 'spec')).toEqual({
      group: 'refresh.example.ballast.dev',
      version: 'v1',
      groupPriorityMinimum: 100,
      versionPriority: 100,
      service: { name: 'ballast-apiserver', namespace, port: 443 },
    })
    expect(
      at(found(installed(true, { networkPolicy: { enabled: true } }), 'NetworkPolicy', 'ballast-apiserver'), 'spec', 'ingress'),
    ).toMatchObject([
      { ports: [{ port: 8081, protocol: 'TCP' }] },
      { ports: [{ port: 6443, protocol: 'TCP' }] },
      // Replicas among themselves.
      { ports: [{ port: 6443, protocol: 'TCP' }], from: [{ podSelector: {} }] },
    ])
  })

  test('its rights: what it watches, who calls and may, its certificates; nothing of the page', () => {
    expect(rulesOf(found(list, 'ClusterRole', 'ballast-apiserver'))).toEqual([
      'get,list,patch,watch apiservices.apiregistration.k8s.io v1.refresh.example.ballast.dev',
      'create tokenreviews.authentication.k8s.io',
      'create subjectaccessreviews.authorization.k8s.io',
    ])
    expect(rulesOf(found(list, 'ClusterRole', 'ballast-apiserver-workloads'))).toEqual([
      'get,list,watch deployments.apps',
      'create,patch events.events.k8s.io',
    ])
    const roles = list.filter(({ kind, metadata }) => kind === 'Role' && metadata.name.startsWith('ballast-apiserver'))
    expect(Object.fromEntries(roles.map(role => [`${role.metadata.namespace}/${role.metadata.name}`, rulesOf(role)]))).toEqual({
      'ballast-system/ballast-apiserver-own': [
        'get,patch configmaps ballast-status',
        'create configmaps',
        'create,get,update leases.coordination.k8s.io',
        'create,patch events.events.k8s.io',
      ],
      'ballast-system/ballast-apiserver-own-secrets': ['get,list,update,watch secrets ballast-apiserver-tls', 'create secrets'],
      'kube-system/ballast-apiserver-own': ['get,list,watch configmaps extension-apiserver-authentication'],
    })
  })

  test('for its door: Deployment, Service, ServiceAccount, ports', () => {
    const container = at(found(list, 'Deployment', 'ballast-gateway'), 'spec', 'template', 'spec', 'containers', 0)
    expect(at(container, 'args')).toEqual(['gateway', '--config=/etc/ballast/config.yaml'])
    expect(at(container, 'ports', 1)).toEqual({ name: 'door', containerPort: 9100, protocol: 'TCP' })
    expect(at(found(list, 'Service', 'ballast-gateway'), 'spec', 'ports', 1)).toEqual({
      name: 'door',
      port: 9100,
      targetPort: 'door',
      protocol: 'TCP',
    })
    expect(found(list, 'ServiceAccount', 'ballast-gateway').metadata.namespace).toBe(namespace)
    expect(rulesOf(found(list, 'ClusterRole', 'ballast-gateway-workloads'))).toEqual(['create,patch events.events.k8s.io'])
  })

  test('for a part that leads and listens: a Service that the leader takes to itself, and the right to', () => {
    const led = installed(true, {}, [withDesk])
    expect(at(found(led, 'Service', 'ballast-apiserver-leader'), 'spec')).toEqual({
      type: 'ClusterIP',
      ports: [{ name: 'desk', port: 9200, targetPort: 'desk', protocol: 'TCP' }],
    })
    const container = at(found(led, 'Deployment', 'ballast-apiserver'), 'spec', 'template', 'spec', 'containers', 0)
    expect(at(container, 'args')).toContain('--leader-service=ballast-apiserver-leader')
    expect(at(container, 'env')).toContainEqual({
      name: 'BALLAST_POD_IP',
      valueFrom: { fieldRef: { fieldPath: 'status.podIP' } },
    })
    expect(rulesOf(found(led, 'Role', 'ballast-apiserver-own'))).toEqual(
      expect.arrayContaining([
        'create endpointslices.discovery.k8s.io',
        'delete,get,update endpointslices.discovery.k8s.io ballast-apiserver-leader',
      ]),
    )
    const names = list.map(({ metadata }) => metadata.name)
    expect(names).not.toContain('ballast-apiserver-leader')
  })

  test('for its part on nodes: a container of the agents', () => {
    const containers = at(found(list, 'DaemonSet', 'ballast-agent'), 'spec', 'template', 'spec', 'containers')
    expect(at(containers, 0, 'args', 1)).toBe('--role=refresh')
  })

  test('is nothing while it is not enabled', () => {
    const quiet = installed(false).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(quiet.filter(name => /apiserver|gateway|APIService|agent/.test(name))).toEqual([])
  })

  test('is in the chart and in the Kustomize form, each where it is enabled', () => {
    const chart = chartFiles(capabilities)
    expect([...chart.keys()].filter(path => /gateway|api-services/.test(path))).toEqual([
      'templates/_rules.gateway-workloads.tpl',
      'templates/apiserver/api-services.yaml',
      'templates/gateway/deployment.yaml',
      'templates/gateway/network-policy.yaml',
      'templates/gateway/pod-disruption-budget.yaml',
      'templates/gateway/service.yaml',
      'templates/rbac/gateway-service-account.yaml',
      'templates/rbac/gateway-workloads.yaml',
    ])
    expect(chart.get('templates/_helpers.tpl')).toContain('define "ballast.gatewayAccount"')
    expect(chart.get('values.yaml')).toContain('\ngateway:\n')
    const kustomize = kustomizeFiles(capabilities)
    expect(kustomize.get('base/install.yaml')).not.toMatch(/apiserver|gateway/)
    expect(kustomize.get('components/refresh/kustomization.yaml')).toContain('api-services.yaml')
    expect(kustomize.get('components/refresh/kustomization.yaml')).toContain('ballast-gateway')
    expect(kustomize.get('components/refresh/rights.yaml')).toContain('name: ballast-refresh-apiserver')
    expect(kustomize.get('components/apiserver/apiserver.yaml')).toContain('kind: Deployment')
    expect(kustomize.get('components/gateway/gateway.yaml')).toContain('kind: Deployment')
  })

  test('a part without a host is refused by name, here and where processes start', async () => {
    const [controllerPart, apiPart, ...others] = refresh.parts
    if (controllerPart?.process !== 'controller' || apiPart?.process !== 'apiserver') throw new Error('the sample changed')
    const stray: Capability = { ...refresh, parts: [controllerPart, { ...apiPart, trust: 'core' }, ...others] }
    const why = 'refresh, part apiserver-always: trust core does not fit `ballast apiserver`, which hosts edge'
    const values = installationValues({}, capabilities)
    expect(() => objects(values, { capabilities: [stray], release })).toThrow(why)
    await using site = await new Site().start()
    await expect(site.apiserver([stray])).rejects.toThrow(why)
    await expect(site.gateway([stray])).rejects.toThrow(why)
  })
})

/** Whether the API server finds the sample's API. */
function isServed(twin: Twin): boolean {
  return (twin.access.list('apiservices.apiregistration.k8s.io') as readonly KubeObject[])
    .filter(({ metadata }) => metadata.name === 'v1.refresh.example.ballast.dev')
    .some(
      one =>
        (at(one, 'status', 'conditions') as readonly Fields[] | undefined)?.some(
          ({ type, status }) => type === 'Available' && status === 'True',
        ) === true,
    )
}

/** What the ConfigMap `ballast-status` says at `key`. */
function statusOf(twin: Twin, key: string): string | undefined {
  const map = (twin.access.list('configmaps') as readonly KubeObject[]).find(({ metadata }) => metadata.name === 'ballast-status')
  const text = at(map, 'data', key)
  if (typeof text !== 'string') return undefined
  const { type, status, reason, message } = at(JSON.parse(text), 'conditions', 0) as Fields
  return `${type} ${status} ${reason} ${message}`
}

const agesIn = (answer: unknown) =>
  (at(answer, 'items') as readonly KubeObject[]).map(({ metadata, after }) => `${metadata.namespace}/${metadata.name} ${after}`)

const shop = [
  node('n1'),
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  ...smallWorkload({ name: 'web', cpu: '100m', on: ['n1'], owner: 'descheduler', annotations: { [refreshAnnotation]: '24h' } }),
  ...smallWorkload({ name: 'api', cpu: '100m', on: ['n1'], owner: 'descheduler' }),
]

/** The sample whose door tells where it is. */
function tellingDoor() {
  const opened = Promise.withResolvers<string>()
  const parts = refresh.parts.map(part =>
    part.process === 'gateway'
      ? {
          ...part,
          start: async (...given: Parameters<typeof part.start>) => {
            const running = await part.start(...given)
            const [port = ''] = /\d+/.exec(running.health()[0]?.message ?? '') ?? []
            opened.resolve(port)
            return running
          },
        }
      : part,
  )
  return { capability: { ...refresh, parts }, port: opened.promise }
}

async function knock(port: string) {
  const { statusCode, body } = await request(`http://127.0.0.1:${port}/`)
  return [statusCode, await body.text()]
}

/** A twin in which all of it is installed, and processes that have the rights of their ServiceAccounts. */
class Site implements AsyncDisposable {
  /** Certificates are judged by the host's clock. */
  readonly clock = new VirtualClock(systemClock.now())
  readonly health = new ControllerHealth()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []
  readonly #apis: Api[] = []
  #twin: Twin | undefined

  async start(of: readonly Capability[] = capabilities): Promise<this> {
    this.#twin = await startTwin({
      clock: this.clock,
      seed: 1,
      // Only then it has a front proxy, whose calls an API behind it believes.
      listen: { port: 0 },
      objects: [
        ...shop,
        ...installed(true, {}, of).filter(({ kind }) => !['Deployment', 'DaemonSet', 'ResourceQuota'].includes(kind)),
      ],
    })
    return this
  }

  get twin(): Twin {
    if (this.#twin === undefined) throw new Error('not started')
    return this.#twin
  }

  async transport(serviceAccount: string) {
    return this.twin.transport({ token: await this.twin.issueToken({ namespace, serviceAccount }) })
  }

  /** As the cluster's administrator asks. */
  admin(): Api {
    const api = openApi(this.twin.transport({ admin: true }), { clock: this.clock, userAgent: 'test' })
    this.#apis.push(api)
    return api
  }

  async apiserver(
    of: readonly Capability[],
    apis?: SharedApis,
    metrics = new Registry(),
    leaderService?: { readonly name: string; readonly address: string },
  ): Promise<void> {
    const running = runApiserver({
      ...this.#around(),
      transport: await this.transport('ballast-apiserver'),
      capabilities: of,
      metrics,
      ...(apis === undefined ? {} : { apis }),
      ...(leaderService === undefined ? {} : { leaderService }),
    })
    this.#running.push(running.catch(() => undefined)) // whoever asked hears of it
    return await running
  }

  async gateway(of: readonly Capability[]): Promise<void> {
    const running = runGateway({
      ...this.#around(),
      transport: await this.transport('ballast-gateway'),
      capabilities: of,
      configurations: { refresh: { doorPort: 0 } },
    })
    this.#running.push(running.catch(() => undefined)) // whoever asked hears of it
    return await running
  }

  until(done: () => boolean): Promise<void> {
    return this.clock.runUntil(done, { limitMs: 120_000 })
  }

  /** `refresh-...` of /readyz, each with its message. */
  checks(): readonly string[] {
    return this.health.ready().map(({ name, state, check }) => `${name} ${state ?? ''} ${check() ?? 'ok'}`)
  }

  /** Ends the processes in order. */
  async end(): Promise<void> {
    this.#stop.abort(new DOMException('the test is over', 'AbortError'))
    let isOver = false
    const all = Promise.all(this.#running).then(() => {
      isOver = true
    })
    await this.until(() => isOver)
    await all
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end()
    for (const api of this.#apis) await api.close()
    await this.twin.stop()
  }

  #around() {
    return {
      clock: this.clock,
      random: seededRandom(1),
      log: silentLog,
      identity: { name: 'pod-a', namespace },
      health: this.health,
      signal: this.#stop.signal,
    }
  }
}

describe('on the twin, with exactly those rights', () => {
  test('its API is asked through the API server, and its part is shown, counted and told apart', async () => {
    await using site = await new Site().start()
    const metrics = new Registry()
    const apis = new SharedApis({
      service: 'ballast-apiserver',
      port: 0,
      bind: '127.0.0.1',
      clock: site.clock,
      log: silentLog,
      metrics,
      version: 'v0.1.0',
    })
    void site.apiserver(capabilities, apis, metrics)
    await site.until(() => apis.port !== undefined)
    const admin = site.admin()
    await admin
      .resource(builtIn.services)
      .patch(
        'ballast-apiserver',
        { type: 'merge', body: { metadata: { annotations: { 'ballast.dev/twin-endpoint': `https://127.0.0.1:${apis.port}` } } } },
        { namespace, fieldManager: 'test', signal: new AbortController().signal },
      )
    await site.until(() => isServed(site.twin))
    const answer = await admin.getPath('/apis/refresh.example.ballast.dev/v1/ages', { signal: new AbortController().signal })
    expect(at(answer, 'kind')).toBe('AgeList')
    expect(agesIn(answer)).toEqual(['shop/web 24h'])
    const one = await admin.getPath('/apis/refresh.example.ballast.dev/v1/namespaces/shop/ages/web', {
      signal: new AbortController().signal,
    })
    expect(at(one, 'after')).toBe('24h')
    expect(site.checks().filter(check => check.startsWith('refresh'))).toEqual([
      'refresh-apiserver-always running ok',
      'refresh-ages  ok',
    ])
    expect(await metrics.metrics()).toContain(
      'ballast_part_state{capability="refresh",part="apiserver-always",state="running"} 1',
    )
    await site.until(() => statusOf(site.twin, 'refresh.apiserver') !== undefined)
    expect(statusOf(site.twin, 'refresh.apiserver')).toBe('Ready True Running refresh/apiserver-always: running')
    // Who writes the status leads.
    expect(await metrics.metrics()).toContain('leader_election_master_status{name="ballast-apiserver"} 1')
  })

  test('the Service of what listens on the leader leads to it while it leads', async () => {
    const site = await new Site().start([withDesk])
    try {
      void site.apiserver([withDesk], undefined, new Registry(), { name: 'ballast-apiserver-leader', address: '10.0.0.7' })
      const slices = () => site.twin.access.list('endpointslices.discovery.k8s.io') as readonly KubeObject[]
      const led = () => slices().find(({ metadata }) => metadata.name === 'ballast-apiserver-leader')
      await site.until(() => led() !== undefined)
      expect(led()?.metadata.labels?.['kubernetes.io/service-name']).toBe('ballast-apiserver-leader')
      expect(at(led(), 'endpoints', 0, 'addresses')).toEqual(['10.0.0.7'])
      expect(at(led(), 'ports')).toEqual([{ name: 'desk', port: 9200, protocol: 'TCP' }])
      await site.end()
      expect(led()).toBeUndefined()
    } finally {
      await site[Symbol.asyncDispose]()
    }
  })

  test('its door answers, on every replica', async () => {
    const { capability, port } = tellingDoor()
    await using site = await new Site().start()
    void site.gateway([capability])
    expect(await knock(await port)).toEqual([200, 'the door is open\n'])
    expect(site.checks().filter(check => check.startsWith('refresh'))).toEqual([
      'refresh-gateway-always running ok',
      'refresh-door  ok',
    ])
  })

  test('its part on nodes lives in an agent', async () => {
    const part = partsIn('node', refresh)[0]
    if (part === undefined) throw new Error('the sample changed')
    const stop = new AbortController()
    const clock = new VirtualClock(startMs)
    const identity = { name: 'a', namespace, instance: 'a_1' }
    const ports = new PortBook().forPart()
    const context = { clock, random: seededRandom(1), log: silentLog, identity, ports, node: 'n1', api: undefined }
    const started = Promise.withResolvers<string | undefined>()
    const running = runAgentParts({
      parts: [
        {
          capability: 'refresh',
          role: 'refresh',
          start: async ({ signal }) => {
            const begun = await part.start(context, refresh.config.parse({}), signal)
            started.resolve(begun.health()[0]?.message)
            return begun
          },
        },
      ],
      log: silentLog,
      gracefulMs: 1_000,
      signal: stop.signal,
      ending: embeddedEnding,
      exit: code => {
        throw new Error(`ended with ${code}`)
      },
    })
    expect(await started.promise).toBe('on n1')
    stop.abort(new DOMException('the test is over', 'AbortError'))
    await running
  })
})

test('`ballast up` runs its API and its door beside the controller', async () => {
  const clock = new VirtualClock(systemClock.now())
  const { capability, port } = tellingDoor()
  const { signal } = new AbortController()
  const { current: settings } = fixedSettings({ capabilities: [capability], configurations: { refresh: { doorPort: 0 } } })
  const listen = { port: 0, bind: '127.0.0.1' }
  const made = { objects: shop, clock, seed: 1, capabilities: [capability], settings, listen, log: silentLog, signal }
  const { twin, admin, controller, ...cluster } = await startEmbeddedCluster(made)
  try {
    expect(await knock(await port)).toEqual([200, 'the door is open\n'])
    await clock.runUntil(() => isServed(twin), { limitMs: 120_000 })
    expect(agesIn(await admin.getPath('/apis/refresh.example.ballast.dev/v1/ages', { signal }))).toEqual(['shop/web 24h'])
    await clock.runUntil(
      () => ['refresh', 'refresh.apiserver'].every(key => statusOf(twin, key)?.startsWith('Ready True Running')),
      {
        limitMs: 120_000,
      },
    )
  } finally {
    let isOver = false
    const ended = cluster[Symbol.asyncDispose]().then(() => (isOver = true))
    await clock.runUntil(() => isOver, { limitMs: 120_000 })
    await ended
  }
  await controller
})
