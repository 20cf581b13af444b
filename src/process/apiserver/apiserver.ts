// The process `ballast apiserver`: what faces the outside, with a Lease of its own. It hosts the parts of capabilities that belong there, serves
// their APIs behind the cluster's API server, and shows the page of the cluster: whoever leads serves that, the others say who does. Knows
// neither flags nor environment.
import type { Registry } from 'prom-client'
import type { Capability, Identity, KubeletAccess } from '#coordination/capability.ts'
import { leaderSlice, leadingPorts, partsIn } from '#coordination/part-hosts.ts'
import { gatewaysPort } from '#coordination/ports/gateway-door.ts'
import { usagePort } from '#coordination/ports/usage.ts'
import type { PictureSource } from '#dashboard/picture.ts'
import type { PictureSettings } from '#dashboard/source/live-source.ts'
import { openLiveSource } from '#dashboard/source/live-source.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Dial } from '#kube/client/dispatcher.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import { type Leader, LeaseElection } from '#kube/leases/lease.ts'
import type { Log } from '#kube/log.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { fixedSettings, type SettingsFeed } from '../configuration/controller-settings.ts'
import { GuardLeases } from '../controller/guard-lease.ts'
import type { ControllerHealth } from '../health/controller-health.ts'
import { writeStatus } from '../parts/capability-status.ts'
import type { FaultSource } from '../parts/fault-source.ts'
import { PartMetrics } from '../parts/part-metrics.ts'
import { ownedApis, ownedClock } from '../parts/part-owner.ts'
import { type OwnOfPart, watchNeed } from '../parts/part-roster.ts'
import { PortBook } from '../parts/port-book.ts'
import { ProcessParts } from '../parts/process-parts.ts'
import { type LeadsTerms, standForTerms } from '../parts/stand-for-terms.ts'
import type { Tuning } from '../parts/tuning.ts'
import { dashboardSlice, keepEndpoint } from './apiserver-endpoint.ts'
import { mirrorMetricsPort } from './mirror-port.ts'
import { readMetrics } from './read-metrics.ts'
import type { SharedApis } from './shared-apis.ts'

const apiserverLease = 'ballast-apiserver'

/** What is shown, for one term of leading. */
interface ShownPage extends AsyncDisposable {
  readonly port: number
}

/** The page of the cluster, and who says on its address that another leads. */
interface PageOptions {
  /** How the cluster is called on the page. */
  readonly cluster: string
  /** Settings for a server of this version; asked with each picture. */
  readonly settings: (gitVersion: string) => PictureSettings
  /** Port of the mirrors' metrics, as it is now; absent: the default. */
  readonly mirrorPort?: () => number
  readonly openPage: (shown: { readonly api: Api; readonly source: PictureSource }) => Promise<ShownPage>
  /** Answers on the page's address while another leads; disposing frees that. */
  readonly openStandby: (holder: () => string) => Promise<AsyncDisposable>
  /** The Service whose traffic the leader takes, and our address; absent where nobody outside of the pod is to reach the page. */
  readonly service?: { readonly name: string; readonly address: string }
}

interface ApiserverOptions {
  /** Closed when the process ends. */
  readonly transport: Transport
  readonly clock: Clock
  /** For Leases, where `clock` is a twin's that runs faster. */
  readonly leaseClock?: Clock
  readonly random: Random
  readonly log: Log
  /** Name of pod or host, and our own namespace. */
  readonly identity: Omit<Identity, 'instance'>
  readonly health: ControllerHealth
  /** Whose parts are hosted; default: none. */
  readonly capabilities?: readonly Capability[]
  /** What the installer decides, where it may change; else every capability is enabled with its section of `configurations`. */
  readonly settings?: SettingsFeed
  readonly configurations?: Readonly<Record<string, unknown>>
  /** Absent: API servers have no way to this process. */
  readonly apis?: SharedApis
  /** Absent: no part asks kubelets. */
  readonly kubelets?: KubeletAccess
  /** Absent: sources of triggers are where they say. */
  readonly sources?: Dial
  /** Doors between parts, where somebody beside this process uses them too. */
  readonly ports?: PortBook
  /** The Service of ports that parts have which lead, and our address; absent: nobody outside of the pod is to reach them. */
  readonly leaderService?: { readonly name: string; readonly address: string }
  /** Absent: no page is served. */
  readonly page?: PageOptions
  /** Where parts are counted. */
  readonly metrics?: Registry
  /** Tells of faults that nobody owns: they end the process. Absent in embedded use. */
  readonly faults?: FaultSource
  readonly tuning?: Pick<Tuning, 'bucket' | 'lease' | 'lists' | 'namespaces' | 'gracefulMs'>
  readonly signal: AbortSignal
}

/**
 * Runs until `signal` is aborted, then gives the Lease back and resolves. A term that ends by a fault is told, and another is stood for after
 * a while. @throws PartRefusedError for parts that nobody would run; ProcessFault where a part does not end, or something failed that no part owns
 */
export async function runApiserver(options: ApiserverOptions): Promise<void> {
  await new Apiserver(options).run()
}

class Apiserver implements LeadsTerms {
  readonly #options: ApiserverOptions
  readonly #api: Api
  readonly #events: EventRecorder
  readonly #identity: Identity
  readonly #settings: SettingsFeed
  readonly #parts: ProcessParts<'apiserver'>
  readonly #informers: Informers
  readonly #ports: PortBook
  readonly #watching = new AbortController()
  #door: Door | undefined
  #isLeading = false
  #stuck: unknown

  constructor(options: ApiserverOptions) {
    const { clock, random, log, identity, tuning = {}, capabilities = [], metrics: registry } = options
    this.#options = options
    this.#ports = options.ports ?? new PortBook()
    this.#identity = { ...identity, instance: `${identity.name}_${randomUuid(random)}` }
    this.#settings = options.settings ?? fixedSettings({ capabilities, configurations: options.configurations })
    const counts = registry === undefined ? undefined : { registry, metrics: new PartMetrics(registry) }
    const host = 'kubernetes'
    this.#api = openApi(counts?.metrics.counted(options.transport, { host, clock }) ?? options.transport, {
      clock,
      userAgent: `ballast/${programVersion} apiserver`,
      log,
      requestObserver: counts?.metrics.requests(host),
      ...(tuning.bucket === undefined ? {} : { bucket: tuning.bucket }),
    })
    this.#events = new EventRecorder(this.#api, {
      clock,
      random,
      controller: 'ballast.dev/apiserver',
      instance: `${apiserverLease}-${identity.name}`,
      log,
    })
    this.#parts = new ProcessParts({
      process: 'apiserver',
      capabilities,
      settings: this.#settings,
      identity: this.#identity,
      health: options.health,
      events: this.#events,
      regarding: {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        namespace: identity.namespace,
        name: apiserverLease,
      },
      counted: counts,
      ports: this.#ports,
      clock,
      log,
      gracefulMs: tuning.gracefulMs,
      signal: options.signal,
    })
    this.#informers = new Informers(this.#api, {
      namespaces: tuning.namespaces ?? [],
      clock,
      random,
      log,
      onHandlerFault: this.#parts.onHandlerFault,
      signal: this.#watching.signal,
      ...tuning.lists,
    })
    counts?.metrics.watchInformers(this.#informers, clock)
    counts?.metrics.watchLeading(apiserverLease, () => this.isLeading)
  }

  get #leaseClock(): Clock {
    return this.#options.leaseClock ?? this.#options.clock
  }

  get isLeading(): boolean {
    return this.#isLeading
  }

  get stuck(): unknown {
    return this.#stuck
  }

  async run(): Promise<void> {
    const { signal } = this.#parts
    const { page, health, faults, clock, log } = this.#options
    try {
      await using stack = new AsyncDisposableStack()
      stack.use(this.#informers)
      this.#parts.watch(stack, faults)
      await this.#keepApis(stack)
      await this.#parts.startAlways(stack, { informers: this.#informers, contextOf: own => this.#contextOf(own, undefined) })
      if (page !== undefined) {
        const door = stack.use(new Door({ ...this.#options, page, informers: this.#informers, ports: this.#ports }))
        this.#door = door
        stack.use(health.add('dashboard', () => [door.check()]))
      }
      const { instance } = this.#identity
      const onStand = async (election: LeaseElection) =>
        await this.#door?.standBy(() => (election.holder === instance ? '' : podOf(election.holder)))
      await standForTerms(this, { openElection: () => this.#openElection(), onStand, health, clock, log, signal })
    } catch (error) {
      if (!signal.aborted && this.#parts.fault === undefined) throw error
      if (error !== signal.reason) log.warn({ err: error }, 'the last term did not end cleanly')
    } finally {
      await this.#events.flush()
      await this.#api.close()
    }
    if (this.#parts.fault !== undefined) throw this.#parts.fault
  }

  /** One term: the page, and the parts that lead. */
  async lead(leader: Leader): Promise<void> {
    const { signal: outer, roster } = this.#parts
    if (outer.aborted) return
    this.#isLeading = true
    const over = AbortSignal.any([outer, leader.signal])
    try {
      using _watched = this.#options.health.watchTerm(leader.signal, this.#leaseClock)
      await using stack = new AsyncDisposableStack()
      const stuck = Promise.withResolvers<never>()
      stuck.promise.catch(() => undefined) // raced below
      if (roster.records.length > 0) this.#tellStatus(leader, stack)
      if (roster.has('leading')) await this.#startLeading(leader, stack, stuck.reject)
      await this.#takeTraffic(leader, stack, over)
      const showing = this.#door === undefined ? ended(over) : this.#door.lead(this.#api, over)
      await Promise.race([showing, stuck.promise])
    } finally {
      roster.standBy()
      this.#isLeading = false
    }
  }

  /** Says in `ballast-status` how the parts of this replica stand, until the term is over. */
  #tellStatus(leader: Leader, stack: AsyncDisposableStack): void {
    const { clock, log, identity } = this.#options
    const { records } = this.#parts.roster
    const stop = new AbortController()
    const status = { api: this.#apiOf(leader), namespace: identity.namespace, process: 'apiserver', clock, log, records } as const
    const written = writeStatus(status, stop.signal)
    stack.defer(async () => {
      stop.abort(new DOMException('the term is over', 'AbortError'))
      await written
    })
  }

  /** Leads the Service of leading parts here, for one term. */
  async #takeTraffic(leader: Leader, stack: AsyncDisposableStack, signal: AbortSignal): Promise<void> {
    const { leaderService, capabilities = [], clock, log, identity } = this.#options
    const ports = leadingPorts(capabilities.flatMap(one => partsIn('apiserver', one)))
    if (leaderService === undefined || ports.length === 0) return
    const { name: service, address } = leaderService
    const at = { slice: leaderSlice, service, address, ports, ...placeOf(identity) }
    stack.use(await keepEndpoint(at, { api: this.#apiOf(leader), clock, log, signal }))
  }

  async #startLeading(leader: Leader, stack: AsyncDisposableStack, onStuck: (error: unknown) => void): Promise<void> {
    const { random, log, tuning = {} } = this.#options
    const { roster } = this.#parts
    const { namespace, instance } = this.#identity
    const needs = roster.needs('leading', this.#settings.current).map(need => watchNeed(need, this.#identity))
    const informers = stack.use(this.#informers.share({ needs, signal: leader.signal }))
    const host = this.#parts.openHost(stack, leader.signal, error => {
      this.#stuck = error
      onStuck(error)
    })
    const guards = new GuardLeases({
      api: this.#api,
      clock: this.#leaseClock,
      random,
      log,
      identity: instance,
      outlived: leader.predecessor,
      namespace,
      namespaces: tuning.namespaces,
      times: tuning.lease,
    })
    const apply = () =>
      roster.apply(host, {
        presence: 'leading',
        settings: () => this.#settings.current,
        identity: this.#identity,
        informers,
        contextOf: own => this.#contextOf(own, leader),
        guards,
      })
    stack.use(
      this.#settings.onReload(({ kind }) => {
        if (kind === 'applied') apply().catch((error: unknown) => this.#parts.onHandlerFault(error))
      }),
    )
    await apply()
  }

  #contextOf({ owner, ports, informers }: OwnOfPart, leader: Leader | undefined) {
    const { clock, random, log, metrics, apis, kubelets, sources } = this.#options
    const api = this.#apiOf(leader)
    const own = ownedClock(clock, owner)
    return {
      clock: own,
      random,
      log,
      identity: this.#identity,
      ports,
      metrics,
      api,
      informers,
      events: this.#events,
      leading: leader === undefined ? undefined : { effects: { api, clock, leadership: leader } },
      apis: apis === undefined ? undefined : ownedApis(apis, owner),
      kubelets,
      sources,
    }
  }

  /** A leader writes nothing after its term, however long it waited on its way to the socket. */
  #apiOf(leader: Leader | undefined): Api {
    return leader === undefined ? this.#api : this.#api.under(() => leader.assert())
  }

  /** Before any part may say what it serves. */
  async #keepApis(stack: AsyncDisposableStack): Promise<void> {
    const { apis, random, health, capabilities = [] } = this.#options
    if (apis === undefined) return
    stack.use(health.add('apis', () => apis.checks()))
    const { capabilities: sections } = this.#settings.current
    const enabled = capabilities.filter(({ name }) => sections[name]?.isEnabled === true)
    const { namespace, name: pod } = this.#identity
    const around = { api: this.#api, informers: this.#informers, random, namespace, pod, capabilities: enabled }
    stack.use(await apis.keep(around, this.#parts.signal))
  }

  #openElection(): LeaseElection {
    const { random, log, tuning } = this.#options
    return new LeaseElection({
      api: this.#api,
      namespace: this.#identity.namespace,
      name: apiserverLease,
      identity: this.#identity.instance,
      clock: this.#leaseClock,
      random,
      log,
      events: this.#events,
      ...tuning?.lease,
    })
  }
}

function placeOf({ name, namespace }: Pick<Identity, 'name' | 'namespace'>) {
  return { pod: name, namespace }
}

/** `<pod or host name>_<uuid>`. */
function podOf(holder: string): string {
  return holder.slice(0, Math.max(0, holder.lastIndexOf('_')))
}

interface DoorOptions extends Omit<ApiserverOptions, 'page' | 'ports'> {
  readonly page: PageOptions
  readonly informers: Informers
  readonly ports: PortBook
}

/** Who answers on the page's address: the page where we lead, else whoever says who does. */
class Door implements AsyncDisposable {
  readonly #options: DoorOptions
  #standby: AsyncDisposable | undefined
  #holder: () => string = () => ''
  #state = 'starting'
  #isOk = true

  constructor(options: DoorOptions) {
    this.#options = options
  }

  check() {
    return { name: 'dashboard', ok: this.#isOk, state: this.#state }
  }

  async standBy(holder: () => string): Promise<void> {
    this.#holder = holder
    if (this.#standby !== undefined) return
    this.#standby = await this.#options.page.openStandby(() => this.#holder())
    this.#is(true, 'standing by')
  }

  /** One term, until `signal` is aborted. */
  async lead(api: Api, signal: AbortSignal): Promise<void> {
    try {
      await using term = new AsyncDisposableStack()
      await this.#close()
      this.#is(false, 'opening')
      const gitVersion = await versionOf(api, signal)
      const { page: options, identity, clock, log } = this.#options
      const page = term.use(await options.openPage({ api, source: this.#follow(api, { gitVersion, term, signal }) }))
      const { service } = options
      if (service !== undefined) {
        const ports = [{ name: 'http', port: page.port, protocol: 'TCP' }] as const
        const at = { slice: dashboardSlice, service: service.name, address: service.address, ports, ...placeOf(identity) }
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
    const { clock, random, log, page, ports } = this.#options
    const { cluster } = page
    const settings = () => page.settings(gitVersion)
    const informers = term.use(this.#options.informers.share({ signal }))
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
        measured: () => ports.take(usagePort),
        gateways: () => ports.take(gatewaysPort),
        mirrors: { read: readMetrics, port: page.mirrorPort ?? (() => mirrorMetricsPort(undefined)) },
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
