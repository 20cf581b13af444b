// What is asked of an API server about APIs that others serve behind it, the same of the real one and of the twin.
import { setTimeout as pause } from 'node:timers/promises'
import type { Transport } from '#kube/client/transport.ts'
import { echoGroup, echoService, startEchoServer } from './echo-server.ts'
import { metricsService, startSmallMetrics } from './small-metrics.ts'

export interface Ask {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query. */
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly text: string
  readonly warnings?: readonly string[]
}

/** An API server: the administrator's requests, and a transport with a ServiceAccount's token. */
export interface Site {
  ask(ask: Ask): Promise<Answer>
  /** Transport as the account `small-metrics` in `kube-system`, which exists by then. */
  accountTransport(): Promise<Transport & { close(): Promise<void> }>
}

export interface Recorded {
  readonly name: string
  readonly ask: { readonly method: string; readonly path: string; readonly headers?: Readonly<Record<string, string>> }
  readonly status: number
  readonly contentType: string
  /** Parsed where it is JSON. */
  readonly body: unknown
  /** Who owns which fields, where that is recorded. */
  readonly managers?: unknown
}

const registrations = '/apis/apiregistration.k8s.io/v1/apiservices'
const discoveryAccept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
const longestWaitMs = 180_000

/** Runs all of it and yields what was answered, in order, without what differs from run to run. */
export async function recordAggregation(site: Site): Promise<readonly Recorded[]> {
  const run = new Run(site)
  await run.locals()
  await run.refusals()
  await run.withoutService()
  await run.echo()
  await run.metrics()
  return run.records
}

class Run {
  readonly records: Recorded[] = []
  readonly #site: Site
  readonly #ports = new Map<number, string>()

  constructor(site: Site) {
    this.#site = site
  }

  /** The APIs that the server serves itself, each registered as the others are. */
  async locals(): Promise<void> {
    const { text } = await this.#want({ method: 'GET', path: registrations })
    const list: { readonly items: readonly LocalApiService[] } = JSON.parse(text)
    const rows = list.items.map(({ metadata, spec, status }) => ({
      name: metadata.name,
      labels: metadata.labels,
      spec,
      conditions: status?.conditions.map(condition => ({ ...condition, lastTransitionTime: undefined })),
    }))
    const ask = { method: 'GET', path: registrations }
    this.records.push({
      name: 'local APIs',
      ask,
      status: 200,
      contentType: 'application/json',
      body: this.#steady(JSON.stringify(rows)),
    })
    const groups: { readonly groups: readonly { readonly name: string }[] } = JSON.parse(
      (await this.#want({ method: 'GET', path: '/apis' })).text,
    )
    this.records.push({
      name: 'order of groups',
      ask: { method: 'GET', path: '/apis' },
      status: 200,
      contentType: 'application/json',
      body: groups.groups.map(group => group.name),
    })
  }

  async refusals(): Promise<void> {
    const cases = {
      'a name that is not version and group': [
        { group: 'a.example.io', version: 'v1', groupPriorityMinimum: 10, versionPriority: 10 },
        'v2.a.example.io',
      ],
      'no priorities': [{ group: 'a.example.io', version: 'v1' }, 'v1.a.example.io'],
      'priorities out of range': [
        { group: 'a.example.io', version: 'v1', groupPriorityMinimum: 30000, versionPriority: 2000 },
        'v1.a.example.io',
      ],
      'a bundle and no verification': [
        {
          group: 'a.example.io',
          version: 'v1',
          groupPriorityMinimum: 10,
          versionPriority: 10,
          service: echoService,
          insecureSkipTLSVerify: true,
          caBundle: 'YQ==',
        },
        'v1.a.example.io',
      ],
      'a bundle without a service': [
        { group: 'a.example.io', version: 'v1', groupPriorityMinimum: 10, versionPriority: 10, caBundle: 'YQ==' },
        'v1.a.example.io',
      ],
      'a service without a name': [
        {
          group: 'a.example.io',
          version: 'v1',
          groupPriorityMinimum: 10,
          versionPriority: 10,
          insecureSkipTLSVerify: true,
          service: { namespace: 'default', name: '' },
        },
        'v1.a.example.io',
      ],
    } as const
    for (const [name, [spec, at]] of Object.entries(cases))
      await this.#record(`refused: ${name}`, { method: 'POST', path: registrations, body: apiService(at, spec) })
  }

  async withoutService(): Promise<void> {
    const name = `v1.${echoGroup}`
    const collection = `/apis/${echoGroup}/v1/things`
    await this.#record('nobody serves it', { method: 'GET', path: collection })
    await this.#want({
      method: 'POST',
      path: registrations,
      body: apiService(name, { ...echoSpec, service: { ...echoService, port: 8443 } }),
    })
    await this.#until(name, 'ServiceNotFound')
    await this.#record('no service', { method: 'GET', path: collection })
    await this.#record('no service: its versions', { method: 'GET', path: `/apis/${echoGroup}/v1` })
    await this.#record('no service: its group', { method: 'GET', path: `/apis/${echoGroup}` })
    await this.#recordGroup('no service: the groups', 'application/json')
    await this.#recordGroup('no service: aggregated discovery', discoveryAccept)
    const service = (ports: readonly object[]) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: echoService.name },
      spec: { clusterIP: '10.0.0.99', ports },
    })
    await this.#want({ method: 'POST', path: services, body: service([{ port: 443, name: 'https' }]) })
    await this.#until(name, 'ServicePortError')
    await this.#want({ method: 'PATCH', path: `${services}/echo`, body: { spec: { ports: [{ port: 8443, name: 'https' }] } } })
    await this.#until(name, 'EndpointsNotFound')
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'echo-1', labels: { 'kubernetes.io/service-name': 'echo' } },
      addressType: 'IPv4',
      endpoints: [],
      ports: [{ name: 'https', port: 8443 }],
    }
    const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'
    await this.#want({ method: 'POST', path: slices, body: slice })
    await this.#until(name, 'MissingEndpoints')
    await this.#want({ method: 'DELETE', path: `${slices}/echo-1` })
    await this.#want({ method: 'DELETE', path: `${services}/echo` })
    await this.#until(name, 'ServiceNotFound')
    await this.#want({ method: 'DELETE', path: `${registrations}/${name}` })
    await this.#untilGone(collection)
  }

  async echo(): Promise<void> {
    const name = `v1.${echoGroup}`
    const things = `/apis/${echoGroup}/v1/things`
    await using echo = await startEchoServer()
    this.#ports.set(echo.port, 'ECHO')
    await this.#want({ method: 'POST', path: services, body: externalService(echoService.name, echo.port) })
    const spec = { ...echoSpec, service: { ...echoService, port: echo.port } }
    await this.#want({ method: 'POST', path: registrations, body: apiService(name, spec) })
    await this.#until(name, 'FailedDiscoveryCheck')
    await this.#record('not trusted', { method: 'GET', path: things })
    await this.#want({ method: 'PATCH', path: `${registrations}/${name}`, body: { spec: { insecureSkipTLSVerify: true } } })
    await this.#until(name, 'Passed')
    await this.#want({
      method: 'PATCH',
      path: `${registrations}/${name}`,
      body: { spec: { insecureSkipTLSVerify: null, caBundle: Buffer.from(echo.authority).toString('base64') } },
    })
    await this.#until(name, 'Passed')
    await this.#untilServed(`/apis/${echoGroup}/v1`)
    await this.#record('its versions', { method: 'GET', path: `/apis/${echoGroup}/v1` })
    await this.#untilCurrent(echoGroup)
    await this.#recordGroup('legacy discovery behind, aggregated before', discoveryAccept)
    await this.#record('the administrator', { method: 'GET', path: `${things}?labelSelector=a%3Db&limit=5` })
    const jane = {
      'impersonate-user': 'jane',
      'impersonate-uid': '1234',
      'impersonate-extra-scopes%2fa': 'x',
      'impersonate-group': 'system:masters',
    }
    await this.#record('somebody else', { method: 'GET', path: `${things}/a%2Fb%20c?x=%20y&x=z`, headers: jane })
    await this.#record('a body', {
      method: 'POST',
      path: things,
      body: { a: 1 },
      headers: { 'x-remote-user': 'root', 'x-own': 'kept' },
    })
    await this.#record('a watch', { method: 'GET', path: `${things}?watch=1` })
    await this.#record('a redirect', { method: 'GET', path: `${things}/redirect` })
    await this.#record('forbidden', { method: 'GET', path: things, headers: { 'impersonate-user': 'jane' } })
    await this.#record('too slow', { method: 'GET', path: `${things}/slow?timeout=1s` })
    await this.#record('a kind that it does not list', { method: 'GET', path: `/apis/${echoGroup}/v1/others` })
    await echo[Symbol.asyncDispose]()
    await this.#record('gone since a moment', { method: 'GET', path: things })
    await this.#until(name, 'FailedDiscoveryCheck')
    await this.#record('gone', { method: 'GET', path: things })
    await this.#want({ method: 'DELETE', path: `${registrations}/${name}` })
    await this.#want({ method: 'DELETE', path: `${services}/echo` })
    await this.#untilGone(things)
  }

  async metrics(): Promise<void> {
    const root = '/apis/metrics.k8s.io/v1beta1'
    await using transport = asDisposable(await this.#site.accountTransport())
    await using metrics = await startSmallMetrics(transport.value)
    const { port } = metrics.server
    this.#ports.set(port, 'METRICS')
    await this.#want({
      method: 'POST',
      path: '/api/v1/namespaces/kube-system/services',
      body: externalService(metricsService.name, port),
    })
    const name = 'v1beta1.metrics.k8s.io'
    const spec = {
      group: 'metrics.k8s.io',
      version: 'v1beta1',
      groupPriorityMinimum: 100,
      versionPriority: 100,
      caBundle: Buffer.from(metrics.authority).toString('base64'),
      service: { ...metricsService, port },
    }
    await this.#site.ask({ method: 'DELETE', path: `${registrations}/${name}` })
    await this.#want({ method: 'POST', path: registrations, body: apiService(name, spec) })
    await this.#until(name, 'Passed')
    await this.#untilServed(root)
    const asked: Readonly<Record<string, Omit<Ask, 'method'>>> = {
      'metrics: resources': { path: root },
      'metrics: nodes': { path: `${root}/nodes` },
      'metrics: nodes of a label': { path: `${root}/nodes?labelSelector=zone%3Db` },
      'metrics: nodes of a name': { path: `${root}/nodes?fieldSelector=metadata.name%3Dn1` },
      'metrics: a node': { path: `${root}/nodes/n1` },
      'metrics: no such node': { path: `${root}/nodes/n9` },
      'metrics: nodes as a table': { path: `${root}/nodes`, headers: { accept: tableAccept } },
      'metrics: pods as a table': { path: `${root}/namespaces/shop/pods?includeObject=None`, headers: { accept: tableAccept } },
      'metrics: pods of all namespaces': { path: `${root}/pods` },
      'metrics: pods of a namespace': { path: `${root}/namespaces/shop/pods` },
      'metrics: metadata': {
        path: `${root}/nodes/n1`,
        headers: { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' },
      },
      'metrics: protobuf alone': { path: `${root}/nodes`, headers: { accept: 'application/vnd.kubernetes.protobuf' } },
      'metrics: a watch': { path: `${root}/nodes?watch=true` },
      'metrics: not to jane': { path: `${root}/namespaces/shop/pods`, headers: { 'impersonate-user': 'jane' } },
    }
    for (const [name, ask] of Object.entries(asked)) await this.#record(name, { method: 'GET', ...ask })
    await this.#record('metrics: a write', { method: 'POST', path: `${root}/nodes`, body: {} })
    await this.#untilCurrent('metrics.k8s.io')
    await this.#recordGroup('metrics: aggregated discovery', discoveryAccept, 'metrics.k8s.io')
    await metrics[Symbol.asyncDispose]()
    await this.#until(name, 'FailedDiscoveryCheck')
    await this.#record('metrics: gone', { method: 'GET', path: `${root}/nodes` })
  }

  async #want(ask: Ask): Promise<Answer> {
    const answer = await this.#site.ask(ask)
    if (answer.status >= 300) throw new Error(`${ask.method} ${ask.path}: ${answer.status} ${answer.text}`)
    return answer
  }

  async #record(name: string, ask: Ask): Promise<void> {
    const answer = await this.#site.ask(ask)
    const { status, contentType, text } = answer
    const asked = { method: ask.method, path: ask.path, ...(ask.headers === undefined ? {} : { headers: ask.headers }) }
    this.records.push({ name, ask: asked, status, contentType, body: this.#steady(text) })
  }

  /** One group of the list of all: the others are recorded elsewhere. */
  async #recordGroup(name: string, accept: string, group: string = echoGroup): Promise<void> {
    const path = '/apis'
    const { status, contentType, text } = await this.#site.ask({ method: 'GET', path, headers: { accept } })
    const body = groupIn(JSON.parse(text), group)
    this.records.push({ name, ask: { method: 'GET', path, headers: { accept } }, status, contentType, body: body ?? null })
  }

  /** Waits until the APIService says so, and records its condition. */
  async #until(name: string, reason: string): Promise<void> {
    const seen = await this.#poll(`${name} to be ${reason}`, async () => {
      const { text } = await this.#site.ask({ method: 'GET', path: `${registrations}/${name}` })
      const object: { readonly status?: { readonly conditions?: readonly { readonly reason?: string }[] } } = JSON.parse(text)
      const condition = object.status?.conditions?.[0]
      return condition?.reason === reason ? condition : undefined
    })
    this.records.push({
      name: `condition ${reason}`,
      ask: { method: 'GET', path: `${registrations}/${name}` },
      status: 200,
      contentType: 'application/json',
      body: this.#steady(JSON.stringify({ ...seen, lastTransitionTime: undefined })),
    })
  }

  async #untilServed(path: string): Promise<void> {
    await this.#poll(`${path} to be served`, async () =>
      (await this.#site.ask({ method: 'GET', path })).status === 200 ? true : undefined,
    )
  }

  async #untilGone(path: string): Promise<void> {
    await this.#poll(`${path} to be gone`, async () =>
      (await this.#site.ask({ method: 'GET', path })).status === 404 ? true : undefined,
    )
  }

  async #untilCurrent(group: string): Promise<void> {
    await this.#poll(`${group} to be current`, async () => {
      const { text } = await this.#site.ask({ method: 'GET', path: '/apis', headers: { accept: discoveryAccept } })
      return JSON.stringify(groupIn(JSON.parse(text), group) ?? '').includes('"freshness":"Current"') ? true : undefined
    })
  }

  async #poll<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    const deadline = Date.now() + longestWaitMs
    for (;;) {
      const found = await look()
      if (found !== undefined) return found
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
      await pause(50)
    }
  }

  #steady(text: string): unknown {
    let steady = text
    for (const [port, word] of this.#ports) steady = steady.replaceAll(`:${port}`, `:${word}`)
    steady = steady.replaceAll(/X509SHA256=[0-9a-f]{64}/g, 'X509SHA256=OWN').replaceAll(/\[::1\]|127\.0\.0\.1/g, 'LOOPBACK')
    if (!/^[{[]/.test(steady)) return steady
    const lines = steady.trim().split('\n')
    return lines.length > 1 ? lines.map(line => JSON.parse(line)) : JSON.parse(steady)
  }
}

interface LocalApiService {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec: object
  readonly status?: { readonly conditions: readonly object[] }
}

const services = '/api/v1/namespaces/default/services'
const echoSpec = { group: echoGroup, version: 'v1', groupPriorityMinimum: 500, versionPriority: 10 }

function externalService(name: string, port: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port, name: 'https' }] },
  }
}

function apiService(name: string, spec: object): object {
  return { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name }, spec }
}

function groupIn(list: unknown, group: string): unknown {
  const { groups, items }: { groups?: readonly { name: string }[]; items?: readonly { metadata: { name: string } }[] } =
    Object(list)
  return groups?.find(({ name }) => name === group) ?? items?.find(({ metadata }) => metadata.name === group)
}

function asDisposable<T extends { close(): Promise<void> }>(value: T): AsyncDisposable & { readonly value: T } {
  return { value, [Symbol.asyncDispose]: () => value.close() }
}
