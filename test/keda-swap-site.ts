// A twin on which KEDA stands as its chart installs it, a stand-in for each leader that does what its Lease says, and autoscalers that ask each
// second: for trying the swap to ours and back, killed at any write.
import { parse } from 'yaml'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport, TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { at, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#kube/objects/status.ts'
import { formatMicroTime } from '#kube/time/time.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import type { StepResult } from '../src/migration/run.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { carriedSwap, endOf, passed, type SwapWish, upstreamNamed } from './carried-swap.ts'
import { autoscalerOf, kedaInstallation, kedaNamespace, theirAuthority, users } from './keda-swap-objects.ts'
import { surroundings } from './reload-cluster.ts'
import { type Kill, mortal } from './swap-site.ts'

const startMs = Date.parse('2026-03-02T04:00:00Z')
const { signal } = new AbortController()
const apiServices: GroupVersionResource = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' }
export const apiName = 'v1beta1.external.metrics.k8s.io'
const ourAuthority = Buffer.from('authority of a test').toString('base64')
const ours = 'ballast-system/ballast-apiserver'
const theirs = `${kedaNamespace}/keda-operator-metrics-apiserver`
const leaseSeconds = 15

interface Applied {
  readonly results: readonly StepResult[]
  readonly isDone: boolean
  readonly error: Error | undefined
  readonly writes: readonly string[]
}

interface Candidate {
  readonly holder: string
  readonly deployment: string
  readonly place: string
  /** Does it give its Lease back when it ends? KEDA's operator does not. */
  readonly isReleasing: boolean
  isLeading: boolean
}

export class KedaSwapSite implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly admin: Api
  /** Moments at which both led. */
  readonly both: string[] = []
  /** Moments at which a write of a ScaledObject would have been refused, since nobody judges it. */
  readonly blocked: string[] = []
  /** The longest time in which no autoscaler was answered, in seconds. */
  longestGap = 0
  /** Does ours answer where it leads? */
  isAnswering = true
  meanwhile: (write: string) => Promise<void> = async () => undefined
  #gap = 0
  #isOver = false
  readonly #old: Candidate = {
    holder: 'keda-operator-1_a',
    deployment: 'keda-operator',
    place: kedaNamespace,
    isReleasing: false,
    isLeading: false,
  }
  readonly #new: Candidate = {
    holder: 'ballast-apiserver-1_b',
    deployment: 'ballast-apiserver',
    place: 'ballast-system',
    isReleasing: true,
    isLeading: false,
  }

  private constructor(clock: VirtualClock, twin: Twin) {
    this.clock = clock
    this.twin = twin
    this.admin = this.api(twin.transport({ admin: true }))
  }

  static async start(objects: readonly KubeObject[] = [...kedaInstallation(), ...users]): Promise<KedaSwapSite> {
    const clock = new VirtualClock(startMs)
    const twin = await startTwin({ clock, seed: 1, objects: [...surroundings(objects).map(onLinux), ...objects] })
    const site = new KedaSwapSite(clock, twin)
    await site.pass(20_000)
    for (const object of site.list('scaledobjects.keda.sh')) {
      const autoscaler = autoscalerOf({ ...object, kind: 'ScaledObject' })
      const { namespace } = autoscaler.metadata
      await site.admin.resource<KubeObject>(builtIn.horizontalpodautoscalers).create(autoscaler, { namespace, signal })
    }
    site.#stand().catch(error => site.#isOver || site.both.push(`the stand-in broke: ${String(error)}`))
    await site.pass(5_000)
    site.longestGap = 0
    return site
  }

  api(transport: Transport): Api {
    return openApi(transport, { clock: this.clock, userAgent: 'ballast-test' })
  }

  /** Runs the steps as a person would, with a holder of its own; killed where asked. */
  async apply(options: SwapWish & { readonly kill?: Kill } = {}): Promise<Applied> {
    const writes: string[] = []
    const results: StepResult[] = []
    const { kill, ...wish } = options
    const wire = this.#answering(this.twin.transport({ admin: true }))
    const death = new AbortController()
    const api = this.api(mortal(wire, writes, { kill, meanwhile: this.meanwhile, death }))
    const reach = { api, clock: this.clock, capabilities: enabledCapabilities, signal: death.signal }
    const run = carriedSwap(upstreamNamed('keda'), reach, wish, result => results.push(result))
    return { results, writes, ...(await endOf(run, this.clock)) }
  }

  async pass(ms: number): Promise<void> {
    await passed(this.clock, ms)
  }

  list(resource: string): readonly KubeObject[] {
    // The twin's store holds what the API server validated.
    return this.twin.access.list(resource) as readonly KubeObject[]
  }

  find(resource: string, name: string, place?: string): KubeObject | undefined {
    return this.list(resource).find(
      ({ metadata }) => metadata.name === name && (place === undefined || metadata.namespace === place),
    )
  }

  get registration(): KubeObject | undefined {
    return this.find('apiservices.apiregistration.k8s.io', apiName)
  }

  get judge(): KubeObject | undefined {
    return this.find('validatingwebhookconfigurations.admissionregistration.k8s.io', 'keda-admission')
  }

  get ledTo(): string {
    return `${textAt(this.registration, 'spec', 'service', 'namespace')}/${textAt(this.registration, 'spec', 'service', 'name')}`
  }

  /** Replicas of KEDA's Deployments that are there, by name. */
  get upstream(): Readonly<Record<string, number>> {
    const all = this.list('deployments.apps').filter(({ metadata }) => metadata.namespace === kedaNamespace)
    return Object.fromEntries(all.map(one => [one.metadata.name, numberAt(one, 'spec', 'replicas') ?? 1]))
  }

  get isEnabled(): boolean {
    const text = textAt(this.find('configmaps', 'ballast-config', 'ballast-system'), 'data', 'config.yaml')
    return text !== undefined && at(parse(text), 'capabilities', 'autoscale', 'enabled') === true
  }

  /** What no swap may touch: users' objects, their autoscalers, definitions, replicas. */
  get untouched(): unknown {
    const seen = (resource: string, isMeant: (one: KubeObject) => boolean = () => true) =>
      this.list(resource)
        .filter(isMeant)
        .map(one => ({ ...one.metadata, managedFields: undefined, resourceVersion: undefined, spec: one['spec'] }))
    return {
      objects: seen('scaledobjects.keda.sh'),
      autoscalers: seen('horizontalpodautoscalers.autoscaling'),
      definitions: seen('customresourcedefinitions.apiextensions.k8s.io', ({ metadata }) => metadata.name.endsWith('.keda.sh')),
      worker: seen('deployments.apps', ({ metadata }) => metadata.name === 'worker'),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.twin.stop()
  }

  #isReady(name: string, place: string): boolean {
    return (numberAt(this.find('deployments.apps', name, place), 'status', 'readyReplicas') ?? 0) > 0
  }

  #isAwake({ deployment, place }: Candidate): boolean {
    return this.#isReady(deployment, place) && (place === kedaNamespace || this.isEnabled)
  }

  /** The one whom callers are led to answers where it leads, and is judged by its own authority. */
  get #isAnswered(): boolean {
    const authority = textAt(this.registration, 'spec', 'caBundle')
    if (this.ledTo === theirs)
      return (
        this.#isReady('keda-operator-metrics-apiserver', kedaNamespace) && this.#old.isLeading && authority === theirAuthority
      )
    return this.ledTo === ours && this.isAnswering && this.#new.isLeading && authority === ourAuthority
  }

  #answering(inner: Transport): Transport {
    const told = (request: TransportRequest): TransportResponse | undefined => {
      if (!request.path.startsWith('/apis/external.metrics.k8s.io/v1beta1/namespaces/')) return undefined
      if (this.#isAnswered) return answer(200, { kind: 'ExternalMetricValueList', metadata: {}, items: [{ value: '3' }] })
      return answer(503, {
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Failure',
        code: 503,
        reason: 'ServiceUnavailable',
        message: 'away',
      })
    }
    // Simulated pods listen nowhere: whether somebody answers is known here.
    const registered = async (request: TransportRequest): Promise<TransportResponse | undefined> => {
      if (request.verb !== 'GET' || !request.path.endsWith(`/apiservices/${apiName}`)) return undefined
      const found = await inner.request(request)
      if (found.status !== 200) return found
      const status = this.#isReady(this.ledTo.split('/')[1] ?? '', this.ledTo.split('/')[0] ?? '') ? 'True' : 'False'
      const object = JSON.parse(Buffer.from(found.body).toString('utf8'))
      return answer(200, { ...object, status: { conditions: [{ type: 'Available', status }] } })
    }
    return {
      request: async request => told(request) ?? (await registered(request)) ?? inner.request(request),
      stream: async request => {
        const response = told(request) ?? (await registered(request))
        if (response === undefined) return inner.stream(request)
        const { status, headers, body } = response
        return { status, headers, chunks: onePiece(body) }
      },
      close: () => inner.close(),
    }
  }

  async #stand(): Promise<void> {
    for (let second = 0; !this.#isOver; second++) {
      for (const one of [this.#old, this.#new]) await this.#elect(one, second)
      if (this.#old.isLeading) await this.#patchAuthority()
      if (this.#isAwake(this.#new)) await this.#keepCertificate()
      const now = new Date(this.clock.now()).toISOString()
      if (this.#old.isLeading && this.#new.isLeading) this.both.push(now)
      const isJudging = this.#isReady('keda-admission-webhooks', kedaNamespace)
      if (this.judge !== undefined && !isJudging) this.blocked.push(now)
      this.#gap = this.#isAnswered ? 0 : this.#gap + 1
      this.longestGap = Math.max(this.longestGap, this.#gap)
      await this.clock.after(1_000)
    }
  }

  /** As client-go elects: tried each 2 s, and what one holds is not doubted in between. */
  async #elect(one: Candidate, second: number): Promise<void> {
    const isThere = (numberAt(this.find('deployments.apps', one.deployment, one.place), 'status', 'replicas') ?? 0) > 0
    const lease = this.find('leases.coordination.k8s.io', 'operator.keda.sh', kedaNamespace)
    const holder = textAt(lease, 'spec', 'holderIdentity') ?? ''
    const isAwake = one.isLeading ? isThere && (one.place === kedaNamespace || this.isEnabled) : this.#isAwake(one)
    if (!isAwake) {
      if (one.isLeading && one.isReleasing && holder === one.holder && lease !== undefined) await this.#hold(lease, '')
      one.isLeading = false
      return
    }
    if (second % 2 > 0) return
    const renewedMs = Date.parse(textAt(lease, 'spec', 'renewTime') ?? '') || 0
    const isFree = holder === '' || holder === one.holder || this.clock.now() - renewedMs > leaseSeconds * 1_000
    one.isLeading = isFree && (await this.#hold(lease, one.holder))
  }

  async #hold(lease: KubeObject | undefined, holderIdentity: string): Promise<boolean> {
    const spec = {
      holderIdentity,
      leaseDurationSeconds: holderIdentity === '' ? 1 : leaseSeconds,
      renewTime: formatMicroTime(this.clock.now()),
    }
    const leases = this.admin.resource<KubeObject>(builtIn.leases)
    const metadata = { name: 'operator.keda.sh', namespace: kedaNamespace }
    try {
      if (lease === undefined)
        await leases.create(
          { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec },
          { namespace: kedaNamespace, signal },
        )
      else await leases.update({ ...lease, spec }, { namespace: kedaNamespace, signal })
      return true
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error)) return false
      throw error
    }
  }

  /** As long as it leads, KEDA's operator writes its own authority into the APIService, whoever that leads to. */
  async #patchAuthority(): Promise<void> {
    if (this.registration === undefined || textAt(this.registration, 'spec', 'caBundle') === theirAuthority) return
    const body = { spec: { caBundle: theirAuthority } }
    await this.admin.resource<KubeObject>(apiServices).patch(apiName, { type: 'merge', body }, { signal })
  }

  async #keepCertificate(): Promise<void> {
    if (this.find('secrets', 'ballast-apiserver-tls', 'ballast-system') !== undefined) return
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'ballast-apiserver-tls', namespace: 'ballast-system' },
      data: { 'ca.crt': ourAuthority },
    }
    try {
      await this.admin.resource(builtIn.secrets).create(secret, { namespace: 'ballast-system', signal })
    } catch (error) {
      if (!isNotFound(error) && !isAlreadyExists(error)) throw error
    }
  }
}

function answer(status: number, body: object): TransportResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) }
}

async function* onePiece(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body
}

/** As every kubelet labels its node. */
function onLinux(object: KubeObject): KubeObject {
  if (object.kind !== 'Node') return object
  const { labels } = object.metadata
  return { ...object, metadata: { ...object.metadata, labels: { ...labels, 'kubernetes.io/os': 'linux' } } }
}
