// The process `ballast apiserver`: what faces the outside, with a Lease of its own. Today that is the page of the cluster: whoever leads
// serves it, the others say who does. Knows neither flags nor environment.

import type { PictureSource } from '#dashboard/picture.ts'
import type { PictureSettings } from '#dashboard/source/live-source.ts'
import { openLiveSource } from '#dashboard/source/live-source.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import { type Leader, LeaseElection } from '#kube/leases/lease.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import type { Tuning } from '../controller/controller-terms.ts'
import type { ControllerHealth } from '../health/controller-health.ts'
import { keepEndpoint } from './apiserver-endpoint.ts'
import { mirrorMetricsPort } from './mirror-port.ts'
import { readMetrics } from './read-metrics.ts'

const apiserverLease = 'ballast-apiserver'
const firstRetryMs = 1_000
const longestRetryMs = 30_000

/** What is shown, for one term of leading. */
interface ShownPage extends AsyncDisposable {
  readonly port: number
}

interface ApiserverOptions {
  /** Closed when the process ends. */
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Name of pod or host, and our own namespace. */
  readonly identity: { readonly name: string; readonly namespace: string }
  /** How the cluster is called on the page. */
  readonly cluster: string
  /** Settings for a server of this version; asked with each picture. */
  readonly settings: (gitVersion: string) => PictureSettings
  /** Port of the mirrors' metrics, as it is now; absent: the default. */
  readonly mirrorPort?: () => number
  readonly health: ControllerHealth
  readonly openPage: (shown: { readonly api: Api; readonly source: PictureSource }) => Promise<ShownPage>
  /** Answers on the page's address while another leads; disposing frees that. */
  readonly openStandby: (holder: () => string) => Promise<AsyncDisposable>
  /** The Service whose traffic the leader takes, and our address; absent where nobody outside of the pod is to reach the page. */
  readonly service?: { readonly name: string; readonly address: string }
  readonly tuning?: Pick<Tuning, 'bucket' | 'lease' | 'lists' | 'namespaces'>
  readonly signal: AbortSignal
}

/**
 * Runs until `signal` is aborted, then gives the Lease back and resolves. A term that ends by a fault is told, and another is stood for after
 * a while.
 */
export async function runApiserver(options: ApiserverOptions): Promise<void> {
  const { clock, random, log, identity, health, tuning = {}, signal } = options
  const { bucket, lease } = tuning
  await using stack = new AsyncDisposableStack()
  const api = openApi(options.transport, {
    clock,
    userAgent: `ballast/${programVersion} apiserver`,
    log,
    ...(bucket === undefined ? {} : { bucket }),
  })
  stack.defer(() => api.close())
  const instance = `${identity.name}_${randomUuid(random)}`
  const events = stack.use(
    new EventRecorder(api, {
      clock,
      random,
      controller: 'ballast.dev/apiserver',
      instance: `${apiserverLease}-${identity.name}`,
      log,
    }),
  )
  const door = stack.use(new Door(options))
  stack.use(health.add('dashboard', () => [door.check()]))
  for (let failures = 0; !signal.aborted; ) {
    const { namespace } = identity
    const election = new LeaseElection({
      api,
      namespace,
      name: apiserverLease,
      identity: instance,
      clock,
      random,
      log,
      events,
      ...lease,
    })
    try {
      await door.standBy(() => (election.holder === instance ? '' : podOf(election.holder)))
      await election.run(leader => door.lead(leader, api), signal)
      failures = 0
    } catch (error) {
      if (signal.aborted) return
      const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures++)
      log.error({ delayMs, why: messageOf(error) }, 'term ended by a fault, tried again')
      await clock.after(delayMs, signal).catch((reason: unknown) => {
        if (!signal.aborted) throw reason
      })
    }
  }
}

/** `<pod or host name>_<uuid>`. */
function podOf(holder: string): string {
  return holder.slice(0, Math.max(0, holder.lastIndexOf('_')))
}

/** Who answers on the page's address: the page where we lead, else whoever says who does. */
class Door implements AsyncDisposable {
  readonly #options: ApiserverOptions
  #standby: AsyncDisposable | undefined
  #holder: () => string = () => ''
  #state = 'starting'
  #isOk = true

  constructor(options: ApiserverOptions) {
    this.#options = options
  }

  check() {
    return { name: 'dashboard', ok: this.#isOk, state: this.#state }
  }

  async standBy(holder: () => string): Promise<void> {
    this.#holder = holder
    if (this.#standby !== undefined) return
    this.#standby = await this.#options.openStandby(() => this.#holder())
    this.#is(true, 'standing by')
  }

  /** One term. */
  async lead(leader: Leader, api: Api): Promise<void> {
    const { signal } = leader
    try {
      await using term = new AsyncDisposableStack()
      await this.#close()
      this.#is(false, 'opening')
      const gitVersion = await versionOf(api, signal)
      const page = term.use(await this.#options.openPage({ api, source: this.#follow(api, { gitVersion, term, signal }) }))
      const { service, identity, clock, log } = this.#options
      if (service !== undefined) {
        const at = { ...service, namespace: identity.namespace, pod: identity.name, port: page.port }
        term.use(await keepEndpoint(at, { api, clock, log, signal }))
      }
      this.#is(true, 'serving')
      await ended(signal)
    } finally {
      if (!this.#options.signal.aborted) await this.standBy(this.#holder)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }

  /** Follows the cluster until the term is over. */
  #follow(
    api: Api,
    {
      gitVersion,
      term,
      signal,
    }: { readonly gitVersion: string; readonly term: AsyncDisposableStack; readonly signal: AbortSignal },
  ): PictureSource {
    const { clock, random, log, cluster, tuning = {} } = this.#options
    const settings = () => this.#options.settings(gitVersion)
    const informers = term.use(
      new Informers(api, { namespaces: tuning.namespaces ?? [], clock, random, log, signal, ...tuning.lists }),
    )
    return term.use(
      openLiveSource({
        informers,
        api,
        clock,
        wallClock: clock,
        random,
        mode: 'cluster',
        cluster,
        settings,
        mirrors: { read: readMetrics, port: this.#options.mirrorPort ?? (() => mirrorMetricsPort(undefined)) },
        log,
        signal,
      }),
    )
  }

  async #close(): Promise<void> {
    const standby = this.#standby
    this.#standby = undefined
    await standby?.[Symbol.asyncDispose]()
  }

  #is(isOk: boolean, state: string): void {
    this.#isOk = isOk
    this.#state = state
  }
}

async function versionOf(api: Api, signal: AbortSignal): Promise<string> {
  const version = await api.getPath('/version', { signal })
  return typeof version === 'object' && version !== null && 'gitVersion' in version ? String(version.gitVersion) : ''
}

function ended(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
