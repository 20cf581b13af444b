// The APIs that other servers serve behind the twin: which there are, whether they can be asked, and where a request for one goes.
// Their servers are real, so all of this takes real time; a virtual clock waits for the first word of each.

import type { KubeObject } from '#kube/objects/objects.ts'
import { StatusError } from '#kube/objects/status.ts'
import type { PathRequest, ResourceRequest } from '#kube/server/request-info.ts'
import type { ClusterAccess } from '../access.ts'
import { plainText } from '../api/answers/answer.ts'
import { type ApiServer, timestamp, type User } from '../api/api-server.ts'
import type { TwinRequest, TwinResponse } from '../api/request.ts'
import type { KeyPair } from '../authority.ts'
import { fieldsAt, isSame, itemsAt, numberAt, textAt } from '../json-value.ts'
import { isPlayed, type Verdict, verdictOfCluster, verdictOfServer } from './availability.ts'
import { forward } from './forwarding.ts'
import { apiServiceName } from './local-api-services.ts'
import { RemoteConnections } from './remote-connections.ts'
import { type RemoteVersion, remoteVersion } from './remote-discovery.ts'
import { serviceReference, serviceTarget } from './service-target.ts'

const apiServices = 'apiservices.apiregistration.k8s.io'
const writer = { manager: 'kube-apiserver', user: 'system:apiserver' } as const

const recheckMs = 30_000
const firstRetryMs = 1_000

/** A group and version that another server serves, as discovery lists it. */
export interface RemoteApi {
  readonly group: string
  readonly version: string
  readonly groupPriority: number
  readonly versionPriority: number
  /** Undefined until it was had once. */
  readonly served: RemoteVersion | undefined
  readonly isStale: boolean
}

type Forward = (request: TwinRequest, user: User) => Promise<TwinResponse>

/** What is known of one registered API beyond its object. */
interface Watched {
  readonly stop: AbortController
  cancelNext: () => void
  retryMs: number
  served: RemoteVersion | undefined
  isStale: boolean
}

interface AggregatorOptions {
  readonly server: ApiServer
  readonly access: ClusterAccess
  /** What the twin shows itself with. */
  readonly certificate: () => KeyPair | undefined
}

export class Aggregator implements AsyncDisposable {
  readonly #options: AggregatorOptions
  readonly #connections: RemoteConnections
  readonly #watched = new Map<string, Watched>()
  readonly #subscriptions = new DisposableStack()
  #isClosed = false

  constructor(options: AggregatorOptions) {
    this.#options = options
    this.#connections = new RemoteConnections(options.certificate)
    const { access } = options
    this.#subscriptions.defer(
      access.subscribe(apiServices, ({ object, previous, type }) => {
        // What we write ourselves is their status.
        if (type !== 'MODIFIED' || !isSame(object['spec'], previous?.['spec'])) this.#recheck(object.metadata.name)
      }),
    )
    const onService = (namespace: string | undefined, service: string | undefined) => {
      for (const object of this.#registered()) {
        const reference = serviceReference(fieldsAt(object, 'spec', 'service'))
        if (reference.namespace === namespace && reference.name === service) this.#recheck(object.metadata.name)
      }
    }
    this.#subscriptions.defer(
      access.subscribe('services', ({ object: { metadata } }) => onService(metadata.namespace, metadata.name)),
    )
    this.#subscriptions.defer(
      access.subscribe('endpointslices.discovery.k8s.io', ({ object: { metadata } }) =>
        onService(metadata.namespace, metadata.labels?.['kubernetes.io/service-name']),
      ),
    )
    for (const object of this.#registered()) this.#recheck(object.metadata.name)
  }

  /** Where a request goes that is not the twin's own to answer; undefined: it is. */
  route(info: ResourceRequest | PathRequest): Forward | undefined {
    const place = placeOf(info)
    if (place === undefined) return undefined
    const { server } = this.#options
    const object = server.store.get(apiServices, undefined, apiServiceName(place.group, place.version))
    if (object === undefined || !this.#isRemote(object)) return undefined
    const target = serviceTarget(server.store, serviceReference(fieldsAt(object, 'spec', 'service')))
    if (!target.ok || conditionOf(object)?.status !== 'True') return unavailable
    const dispatcher = this.#connections.agentFor(object['spec'], target.serverName)
    const isLongRunning = info.kind === 'resource' && (info.verb === 'watch' || longSubresources.has(info.subresource ?? ''))
    return (request, user) => forward({ url: target.url, dispatcher }, request, { user, isLongRunning, clock: server.wire })
  }

  /** Every API that is registered with a Service which the twin does not play, by name. */
  remoteApis(): readonly RemoteApi[] {
    return this.#registered().map(object => {
      const spec = fieldsAt(object, 'spec')
      const watched = this.#watched.get(object.metadata.name)
      return {
        group: textAt(spec, 'group') ?? '',
        version: textAt(spec, 'version') ?? '',
        groupPriority: numberAt(spec, 'groupPriorityMinimum') ?? 0,
        versionPriority: numberAt(spec, 'versionPriority') ?? 0,
        served: watched?.served,
        isStale: watched?.isStale ?? true,
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#subscriptions.dispose()
    for (const name of [...this.#watched.keys()]) this.#forget(name)
    await this.#connections.close()
  }

  #registered(): readonly KubeObject[] {
    return this.#options.server.store.list(apiServices).filter(object => this.#isRemote(object))
  }

  #isRemote(object: KubeObject): boolean {
    return fieldsAt(object, 'spec', 'service') !== undefined && !isPlayed(this.#options.server.store, object)
  }

  #forget(name: string): void {
    const watched = this.#watched.get(name)
    watched?.stop.abort(new DOMException('the API is no longer watched', 'AbortError'))
    watched?.cancelNext()
    this.#watched.delete(name)
  }

  /** Looks anew at an API that changed, after the write that changed it is done. */
  #recheck(name: string): void {
    const known = this.#watched.get(name)
    this.#forget(name)
    if (this.#isClosed) return
    const watched: Watched = {
      stop: new AbortController(),
      cancelNext: () => undefined,
      retryMs: firstRetryMs,
      served: known?.served,
      isStale: true,
    }
    this.#watched.set(name, watched)
    const held = this.#options.server.clock.hold()
    queueMicrotask(() => {
      this.#checkAlone(name, watched).finally(() => held[Symbol.dispose]())
    })
  }

  /** One API whose check fails is looked at again like one that does not answer; a write that others were quicker with comes round again too. */
  async #checkAlone(name: string, watched: Watched): Promise<void> {
    try {
      await this.#check(name, watched)
    } catch (error) {
      if (watched.stop.signal.aborted) return
      const { server } = this.#options
      if (!(error instanceof StatusError)) server.onTrouble({ kind: 'object', where: `APIService ${name}`, error, count: 1 })
      watched.cancelNext = server.wire.schedule(watched.retryMs, () => void this.#checkAlone(name, watched))
      watched.retryMs = Math.min(recheckMs, watched.retryMs * 2)
    }
  }

  async #check(name: string, watched: Watched): Promise<void> {
    const { server } = this.#options
    const object = server.store.get(apiServices, undefined, name)
    if (object === undefined || watched.stop.signal.aborted) return
    const service = fieldsAt(object, 'spec', 'service')
    if (service === undefined) return this.#write(object, local)
    const verdict = verdictOfCluster(server.store, object)
    if (verdict !== undefined) {
      watched.isStale = true
      return this.#write(object, verdict)
    }
    const answered = await verdictOfServer(server.store, this.#connections, object, watched.stop.signal)
    if (watched.stop.signal.aborted) return
    const current = server.store.get(apiServices, undefined, name)
    if (current !== undefined) this.#write(current, answered)
    if (answered.status === 'True') await this.#discover(object, watched)
    else watched.isStale = true
    if (watched.stop.signal.aborted) return
    const isWell = answered.status === 'True'
    watched.cancelNext = server.wire.schedule(isWell ? recheckMs : watched.retryMs, () => void this.#checkAlone(name, watched))
    watched.retryMs = isWell ? firstRetryMs : Math.min(recheckMs, watched.retryMs * 2)
  }

  async #discover(object: KubeObject, watched: Watched): Promise<void> {
    const spec = fieldsAt(object, 'spec')
    const target = serviceTarget(this.#options.server.store, serviceReference(spec?.['service']))
    if (!target.ok) return
    try {
      watched.served = await remoteVersion({
        url: target.url,
        dispatcher: this.#connections.agentFor(spec, target.serverName),
        group: textAt(spec, 'group') ?? '',
        version: textAt(spec, 'version') ?? '',
        signal: watched.stop.signal,
      })
      watched.isStale = false
    } catch (error) {
      // It may answer the probe and not this: what was known before is stale then.
      if (!(error instanceof Error)) throw error
      watched.isStale = true
    }
  }

  #write(object: KubeObject, verdict: Verdict): void {
    const now = timestamp(this.#options.server.clock.now())
    const before = conditionOf(object)
    const lastTransitionTime = before?.status === verdict.status ? (before.lastTransitionTime ?? now) : now
    const condition = {
      type: 'Available',
      status: verdict.status,
      lastTransitionTime,
      reason: verdict.reason,
      message: verdict.message,
    }
    const others = itemsAt(object, 'status', 'conditions').filter(({ type }) => type !== 'Available')
    const status = { ...fieldsAt(object, 'status'), conditions: [...others, condition] }
    if (isSame(status, object['status'])) return
    this.#options.access.update(apiServices, { ...object, status }, writer, { subresource: 'status' })
  }
}

const local: Verdict = { status: 'True', reason: 'Local', message: 'Local APIServices are always available' }
const longSubresources = new Set(['proxy', 'log', 'exec', 'attach', 'portforward'])

const unavailable: Forward = () => Promise.resolve(plainText(503, 'service unavailable\n'))

function conditionOf(
  object: KubeObject,
): { readonly status: string; readonly lastTransitionTime: string | undefined } | undefined {
  const condition = itemsAt(object, 'status', 'conditions').find(({ type }) => type === 'Available')
  return condition === undefined
    ? undefined
    : { status: textAt(condition, 'status') ?? '', lastTransitionTime: textAt(condition, 'lastTransitionTime') }
}

/** The group and version that a request is about, as far as another server may serve it. */
function placeOf(info: ResourceRequest | PathRequest): { readonly group: string; readonly version: string } | undefined {
  if (info.kind === 'resource') return info.group === '' ? undefined : info
  const [, group, version] = /^(?:\/openapi\/v3)?\/apis\/([^/]+)\/([^/]+)(?:\/|$)/.exec(info.path) ?? []
  return group === undefined || version === undefined ? undefined : { group, version }
}
