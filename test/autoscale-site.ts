// ScaledObjects and ScaledJobs on the twin: our operator over a wire that can be cut and that ends it at a write, external metrics served to the
// twin's own HorizontalPodAutoscaler as to a real one.
import { Registry } from 'prom-client'
import { type Api, openApi } from '#kube/client/api.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport, TransportRequest, TransportResponse, TransportStream } from '#kube/client/transport.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { statusBody } from '#kube/objects/status.ts'
import { seededRandom } from '#kube/random.ts'
import { startAggregatedServer } from '#kube/server/aggregated-server.ts'
import { issueAuthority, issueLeaf, serviceDnsNames } from '#kube/server/certificates.ts'
import { delegationObjects } from '#kube/server/delegation-rights.ts'
import { startMs, testNodes, testWorkload } from '#twin/components/cluster-for-tests.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import type { AutoscaleConfig } from '../src/capabilities/autoscale/config.ts'
import { kedaMetrics } from '../src/capabilities/autoscale/counts/keda-metrics.ts'
import type { ScaledObject } from '../src/capabilities/autoscale/kinds/scaled-object.ts'
import { servedKinds } from '../src/capabilities/autoscale/kinds/served-kinds.ts'
import { externalMetrics, scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { Notices } from '../src/capabilities/autoscale/notices/notices.ts'
import { Autoscaling } from '../src/capabilities/autoscale/operator/autoscaling.ts'
import { scalerWorld } from '../src/capabilities/autoscale/scalers/testdata/scaler-world.ts'
import { externalMetricsApi } from '../src/capabilities/autoscale/served/external-metrics.ts'

/** The process ends at its `write`th write, which the server has done by then or never sees. */
export interface EndAt {
  readonly write: number
  readonly moment: 'before' | 'after'
}

/** What one operator hears of the server. Nothing more once it has ended, or while the server is away. */
export class CutWire implements Transport {
  readonly #inner: Transport
  readonly #end: EndAt | undefined
  readonly writes: string[] = []
  readonly #open = new Set<AbortController>()
  #isEnded = false
  #isAway = false
  #refused: ((write: string, body: string) => boolean) | undefined

  constructor(inner: Transport, end: EndAt | undefined) {
    this.#inner = inner
    this.#end = end
  }

  get hasEnded(): boolean {
    return this.#isEnded
  }

  set isAway(away: boolean) {
    this.#isAway = away
    if (away) this.#breakAll()
  }

  /** The server answers 500 to the first write of this kind, and does not do it. */
  refuseOnce(isIt: (write: string, body: string) => boolean): void {
    this.#refused = isIt
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    this.#check()
    if (request.verb === 'GET') return await this.#inner.request(request)
    const write = `${request.verb} ${request.path}`
    this.writes.push(write)
    if (this.#refused?.(write, Buffer.from(request.body ?? '').toString()) === true) {
      this.#refused = undefined
      const body = Buffer.from(JSON.stringify(statusBody(500, 'etcdserver: request timed out', 'InternalError')))
      return { status: 500, headers: { 'content-type': 'application/json' }, body }
    }
    const isLast = this.writes.length === this.#end?.write
    if (isLast && this.#end?.moment === 'before') this.#endNow()
    this.#check()
    const answer = await this.#inner.request(request)
    if (isLast) this.#endNow()
    this.#check()
    return answer
  }

  async stream(request: TransportRequest): Promise<TransportStream> {
    this.#check()
    const cut = new AbortController()
    this.#open.add(cut)
    const signal = AbortSignal.any([request.signal, cut.signal])
    const stream = await this.#inner.stream({ ...request, signal })
    return { ...stream, chunks: this.#cuttable(stream.chunks, cut) }
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  async *#cuttable(chunks: AsyncIterable<Uint8Array>, cut: AbortController): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of chunks) {
        cut.signal.throwIfAborted()
        yield chunk
      }
    } finally {
      this.#open.delete(cut)
    }
  }

  #endNow(): void {
    this.#isEnded = true
    this.#breakAll()
  }

  #breakAll(): void {
    for (const cut of [...this.#open]) cut.abort(new ConnectionError('the connection broke'))
    this.#open.clear()
  }

  #check(): void {
    if (this.#isEnded || this.#isAway) throw new ConnectionError('nobody answers')
  }
}

/** One of our operators. */
export interface OneOperator extends AsyncDisposable {
  readonly autoscaling: Autoscaling
  readonly wire: CutWire
}

const apiServer = { namespace: 'kube-system', name: 'metrics' } as const

export function scaled(
  name: string,
  spec: Partial<ScaledObject['spec']>,
  metadata: Partial<KubeObject['metadata']> = {},
): KubeObject {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { scaleTargetRef: { name }, triggers: [], ...spec },
  }
}

/** Active between two times of the hour. */
export const hourly = (start: string, end: string, replicas: number) => ({
  type: 'cron',
  metadata: { timezone: 'Etc/UTC', start, end, desiredReplicas: String(replicas) },
})

const person = { manager: 'kubectl', user: 'ballast-admin' } as const

function registration(authority: string): KubeObject {
  const { group, version } = externalMetrics
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${version}.${group}` },
    spec: {
      ...{ group, version, groupPriorityMinimum: 100, versionPriority: 100 },
      caBundle: Buffer.from(authority).toString('base64'),
      service: { ...apiServer, port: 443 },
    },
  }
}

export class AutoscaleSite implements AsyncDisposable {
  readonly clock = new VirtualClock(startMs)
  readonly events: { reason: string; note: string }[] = []
  readonly #stack = new AsyncDisposableStack()
  readonly #stop = new AbortController()
  readonly twin: Twin
  readonly api: Api

  /** With a Deployment `web`, and what else the test brings. */
  static async start(replicas: number, more: readonly KubeObject[] = []): Promise<AutoscaleSite> {
    const clock = new VirtualClock(startMs)
    const served = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: apiServer }
    const objects = [
      ...servedKinds.flatMap(({ definition }) => definition ?? []),
      ...[...testNodes(2), testWorkload('Deployment', 'web', { replicas }), served, ...delegationObjects(apiServer)],
      ...more,
    ]
    const twin = await startTwin({ clock, seed: 1, objects, listen: { port: 0 } })
    const site = new AutoscaleSite(clock, twin)
    await twin.settle({ limitMs: 60_000 })
    return site
  }

  private constructor(clock: VirtualClock, twin: Twin) {
    this.clock = clock
    this.twin = this.#stack.use(twin)
    this.api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
    this.#stack.defer(() => this.api.close())
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** Starts one of ours; it serves external metrics where `isServed`. */
  async operator({
    end,
    isServed = true,
    registry,
    groups = [],
    ownNamespace,
  }: {
    readonly end?: EndAt
    readonly isServed?: boolean
    /** Where it counts; given, it also tells CloudEventSources. */
    readonly registry?: Registry
    readonly groups?: AutoscaleConfig['groups']
    /** Where it keeps what it learned of arrivals; absent: nowhere. */
    readonly ownNamespace?: string
  } = {}): Promise<OneOperator> {
    const { clock } = this
    const stack = new AsyncDisposableStack()
    this.#stack.use(stack)
    const stop = new AbortController()
    const { signal } = stop
    const wire = new CutWire(this.twin.transport({ admin: true }), end)
    const api = openApi(wire, { clock, userAgent: 'ballast-autoscale-test' })
    stack.defer(() => api.close())
    const informers = stack.use(new Informers(api, { clock, random: seededRandom(1), log: silentLog, signal }))
    const leadership = { assert: () => undefined }
    const events = { emit: ({ reason, note }: { reason: string; note: string }) => void this.events.push({ reason, note }) }
    const metrics = registry === undefined ? undefined : kedaMetrics(registry)
    const { outgoing } = stack.use(scalerWorld({ clock }))
    const notices =
      metrics === undefined
        ? undefined
        : stack.use(
            new Notices({
              ...{ informers, api, clock, random: seededRandom(2), log: silentLog, outgoing, metrics },
              place: { cluster: 'homelab', namespace: 'keda' },
            }),
          )
    const autoscaling = stack.use(
      new Autoscaling({
        informers,
        clock,
        api,
        log: silentLog,
        events: notices?.beside(events) ?? events,
        ...(metrics === undefined ? {} : { metrics }),
        effects: { api, leadership },
        world: stack.use(scalerWorld({ clock, dial: this.twin.sources })),
        groups,
        ownNamespace,
        given: async ({ trigger }) => ({ metadata: trigger.metadata, env: {}, auth: {} }),
      }),
    )
    await informers.allSynced(signal)
    const run = Promise.all([autoscaling.run(signal), notices?.run(signal)])
    run.catch(() => undefined) // awaited below
    stack.defer(async () => {
      stop.abort()
      await run
    })
    if (isServed) await this.#serve(autoscaling)
    return { autoscaling, wire, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  }

  async #serve(autoscaling: Autoscaling): Promise<void> {
    const nowMs = systemClock.now()
    const authority = await issueAuthority({ commonName: 'metrics', nowMs })
    const dnsNames = serviceDnsNames(apiServer.name, apiServer.namespace)
    const token = await this.twin.issueToken({ namespace: apiServer.namespace, serviceAccount: apiServer.name, seconds: 86_400 })
    const opened = openApi(this.twin.transport({ token }), { clock: this.clock, userAgent: 'test' })
    this.#stack.defer(() => opened.close())
    const around = { clock: systemClock, random: seededRandom(1), log: silentLog }
    const apis = [externalMetricsApi(() => autoscaling)]
    const server = this.#stack.use(
      await startAggregatedServer({
        ...around,
        apis: () => apis,
        tls: await issueLeaf(authority, { commonName: 'metrics', dnsNames, usages: ['server'], nowMs }),
        ...{ port: 0, host: '127.0.0.1', api: opened, metrics: new Registry(), version: 'v0.1.0' },
        informers: this.#stack.use(new Informers(opened, { ...around, signal: this.signal })),
      }),
    )
    const annotations = { 'ballast.dev/twin-endpoint': `https://127.0.0.1:${server.port}` }
    const service = { metadata: { ...apiServer, annotations }, spec: { ports: [{ port: 443 }] } }
    this.twin.access.create('services', { apiVersion: 'v1', kind: 'Service', ...service }, person)
    this.twin.access.create('apiservices.apiregistration.k8s.io', registration(authority.certificate), person)
  }

  async create(resource: Parameters<Api['resource']>[0], object: KubeObject): Promise<KubeObject> {
    return await this.api
      .resource<KubeObject>(resource)
      .create(object, { namespace: object.metadata.namespace, signal: this.signal })
  }

  /** Empty: it lies in none. */
  async get<T extends KubeObject>(resource: Parameters<Api['resource']>[0], name: string, namespace = 'default'): Promise<T> {
    const place = namespace === '' ? {} : { namespace }
    return await this.api.resource<T>(resource).get(name, { ...place, signal: this.signal })
  }

  async replicas(): Promise<number> {
    const { spec } = await this.get<KubeObject & { readonly spec: { readonly replicas: number } }>(builtIn.deployments, 'web')
    return spec.replicas
  }

  async autoscalers(): Promise<readonly string[]> {
    const { items } = await this.api
      .resource<KubeObject>(builtIn.horizontalpodautoscalers)
      .list({ namespace: 'default', signal: this.signal })
    return items.map(({ metadata }) => metadata.name)
  }

  /** Changes annotations of the ScaledObject `web`; null takes one away. */
  async annotate(annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const body = { metadata: { annotations } }
    await this.api.resource(scaledObjects).patch('web', { type: 'merge', body }, { namespace: 'default', signal: this.signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#stack.disposeAsync()
  }
}
