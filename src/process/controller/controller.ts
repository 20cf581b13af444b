// The process `ballast controller`: one Lease, one watch a kind, and the parts of the enabled capabilities, each on its own.
// Knows neither flags nor environment; `ballast up` runs it beside its twin.

import type { Registry } from 'prom-client'
import type { OwnerLabel } from '#cluster/ownership.ts'
import { disruptionPermits } from '#coordination/api.ts'
import type { Capability, Identity, Need, WebhookEndpoint } from '#coordination/capability.ts'
import { isAsked } from '#coordination/facts/view-needs.ts'
import { ApiHealth } from '#coordination/gates/api-health.ts'
import { measuredTransport } from '#coordination/gates/measured-transport.ts'
import type { ArbiterPolicy } from '#coordination/policy/arbiter-policy.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import { LeaseElection } from '#kube/leases/lease.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { type Solve, solveInChild } from '#planning/solving/solve.ts'
import { fixedSettings, type Reload, type SettingsFeed } from '../configuration/controller-settings.ts'
import { ControllerHealth, type NamedCheck } from '../health/controller-health.ts'
import type { FaultSource } from '../parts/fault-source.ts'
import { PartHost } from '../parts/part-host.ts'
import { tellPartNews, tellReload } from '../parts/part-news.ts'
import { currentOwner } from '../parts/part-owner.ts'
import type { PartRecord } from '../parts/part-record.ts'
import { PartRoster, watchNeed } from '../parts/part-roster.ts'
import { ProcessFault } from '../parts/process-fault.ts'
import { PartStuckError } from '../parts/supervised-part.ts'
import { SharedWebhooks } from '../webhooks/shared-webhooks.ts'
import { installOurs } from './controller-install.ts'
import { ControllerMetrics } from './controller-metrics.ts'
import { PortBook } from './controller-ports.ts'
import { informerChecks, Terms, type Tuning } from './controller-terms.ts'

interface ControllerOptions {
  /** Closed when the controller ends. */
  readonly transport: Transport
  /** Where it leads to, for metrics: host and port. */
  readonly host?: string
  readonly clock: Clock
  /** Clock of the Lease, where the cluster's clock runs faster than ours: a deadline of 10 s of the cluster may be less than one request takes. */
  readonly leaseClock?: Clock
  readonly random: Random
  readonly log: Log
  /** Name of pod or host, and our own namespace. */
  readonly identity: Omit<Identity, 'instance'>
  readonly capabilities: readonly Capability[]
  /** What the installer decides, where it may change; else the three fields below hold. */
  readonly settings?: SettingsFeed
  /** By name of capability; what is absent has the defaults of its schema. */
  readonly configurations?: Readonly<Record<string, unknown>>
  readonly arbiter?: Partial<ArbiterPolicy> & { readonly ownerLabel?: OwnerLabel }
  /** Kinds of ours that are absent are applied, and our namespace, where we may. Default: no. */
  readonly installDefinitions?: boolean
  /** Shared ones get their certificate here. */
  readonly webhooks?: WebhookEndpoint
  readonly solve?: Solve
  readonly health?: ControllerHealth
  /** Where arbiter and parts are counted. */
  readonly metrics?: Registry
  /** Tells of faults that nobody owns: they end the process. Absent in embedded use. */
  readonly faults?: FaultSource
  readonly tuning?: Tuning
  readonly version?: string
  /** Ends the process in order: parts clean up, the Lease is given back. */
  readonly signal: AbortSignal
}

const leaseName = 'ballast-controller'
const firstRetryMs = 1_000
const longestRetryMs = 30_000

/**
 * Runs until `signal` is aborted, then stops in order and resolves. A term that ends by a fault is told, and another is stood for after
 * a while. @throws InputError of a configuration; ProcessFault where a part does not end, or something went wrong that no part owns.
 */
export async function runController(options: ControllerOptions): Promise<void> {
  const controller = new Controller(options)
  await controller.run()
}

class Controller {
  readonly #options: ControllerOptions
  readonly #api: Api
  readonly #apiHealth: ApiHealth
  readonly #events: EventRecorder
  readonly #identity: Identity
  readonly #health: ControllerHealth
  readonly #settings: SettingsFeed
  readonly #roster: PartRoster
  readonly #metrics: ControllerMetrics | undefined
  readonly #hosts = new Set<PartHost>()
  readonly #informers: Informers
  readonly #watching = new AbortController()
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #ended = new DOMException('the process has ended', 'AbortError')
  #fault: ProcessFault | undefined

  constructor(options: ControllerOptions) {
    const { clock, random, log, capabilities, identity } = options
    this.#options = options
    this.#settings = options.settings ?? fixedSettings(options)
    this.#identity = { ...identity, instance: `${identity.name}_${randomUuid(random)}` }
    this.#health = options.health ?? new ControllerHealth()
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal])
    const { bucket } = options.tuning ?? {}
    // The wire goes by real time where the cluster's clock runs faster: a second of the cluster may be less than one answer takes.
    const wire = options.leaseClock ?? clock
    this.#apiHealth = new ApiHealth(wire)
    this.#metrics = options.metrics === undefined ? undefined : new ControllerMetrics(options.metrics, clock)
    const { host = 'kubernetes' } = options
    const transport = this.#metrics?.counted(options.transport, { host, clock: wire }) ?? options.transport
    this.#api = openApi(measuredTransport(transport, this.#apiHealth, wire), {
      clock,
      userAgent: `ballast/${options.version ?? programVersion} controller`,
      log,
      requestObserver: this.#metrics?.requests(host),
      ...(bucket === undefined ? {} : { bucket }),
    })
    this.#informers = new Informers(this.#api, {
      namespaces: options.tuning?.namespaces ?? [],
      clock,
      random,
      log,
      onHandlerFault: this.#onHandlerFault,
      signal: this.#watching.signal,
      ...options.tuning?.lists,
    })
    this.#events = new EventRecorder(this.#api, {
      clock,
      random,
      controller: 'ballast.dev/controller',
      instance: `ballast-controller-${identity.name}`,
      log,
    })
    this.#metrics?.watchInformers(this.#informers, clock)
    const { capabilities: sections } = this.#settings.current
    if (options.metrics !== undefined)
      for (const one of capabilities) if (sections[one.name]?.isEnabled === true) one.metrics?.(options.metrics)
    this.#roster = new PartRoster(capabilities, { clock, ports: new PortBook(), observer: this.#metrics })
    this.#metrics?.watchParts(this.#roster.records)
  }

  async run(): Promise<void> {
    const { installDefinitions, faults, capabilities, clock, log } = this.#options
    const signal = this.#signal
    try {
      await using stack = new AsyncDisposableStack()
      stack.use(this.#informers)
      if (faults !== undefined) stack.use(faults.onUnowned(error => this.#end(error)))
      stack.use(this.#settings.onReload(this.#onReload))
      for (const { name } of capabilities) stack.use(this.#health.add(name, () => this.#checksOf(name)))
      if (installDefinitions === true)
        await installOurs(this.#api, { capabilities, namespace: this.#identity.namespace, clock, log }, signal)
      await this.#keepCertificates(stack)
      if (this.#options.tuning?.standby === 'warm') this.#watchWarm()
      if (this.#roster.has('always')) await this.#startAlways(stack)
      await this.#standForTerms()
    } catch (error) {
      if (error instanceof PartStuckError) this.#fault ??= new ProcessFault(error.message, { cause: error })
      else if (!signal.aborted || error !== signal.reason) throw this.#fault ?? error
    } finally {
      await this.#events.flush()
      await this.#api.close()
    }
    if (this.#fault !== undefined) throw this.#fault
  }

  /** Begins the end of the process, in order. */
  #end(error: unknown): void {
    if (this.#fault !== undefined) return
    const why = messageOf(error)
    this.#fault = new ProcessFault(`something that no part owns failed: ${why}`, { cause: error })
    this.#options.log.error({ err: error, why }, 'a fault without an owner: the process ends in order')
    this.#stop.abort(this.#ended)
  }

  /** A handler threw: its part's fault, or everybody's. */
  readonly #onHandlerFault = (error: unknown): void => {
    const owner = currentOwner()
    if (owner === undefined) this.#end(error)
    else owner.fault(error, 'an informer handler')
  }

  async #standForTerms(): Promise<void> {
    const { clock, leaseClock, random, log, solve, webhooks, tuning = {} } = this.#options
    const signal = this.#signal
    const terms = new Terms({
      api: this.#api,
      apiHealth: this.#apiHealth,
      clock,
      leaseClock: leaseClock ?? clock,
      random,
      log,
      identity: this.#identity,
      events: this.#events,
      health: this.#health,
      settings: this.#settings,
      roster: this.#roster,
      webhooks,
      informers: this.#informers,
      solve: solve ?? solveInChild,
      hosts: this.#hosts,
      tell: this.#tell,
      onHandlerFault: this.#onHandlerFault,
      tuning,
      registry: this.#options.metrics,
      metrics: this.#metrics,
      signal,
    })
    for (let failures = 0; !signal.aborted; ) {
      // While we lead, the end is begun by the term itself: parts first, the Lease last.
      const candidacy = new AbortController()
      const onAbort = () => (terms.isLeading ? undefined : candidacy.abort(signal.reason))
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) candidacy.abort(signal.reason)
      try {
        await this.#openElection().run(leader => terms.lead(leader), candidacy.signal)
        failures = 0
      } catch (error) {
        if (terms.stuck !== undefined) throw terms.stuck
        if (signal.aborted) throw error
        // What led still runs, whoever leads now.
        if (terms.isLeading) throw new ProcessFault(messageOf(error), { cause: error })
        const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures++)
        log.error({ delayMs, why: messageOf(error) }, 'term ended by a fault, tried again')
        await clock.after(delayMs, signal).catch(ignoreAbort(signal))
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    }
  }

  #openElection(): LeaseElection {
    const { clock, random, log, leaseClock, tuning } = this.#options
    return new LeaseElection({
      api: this.#api,
      namespace: this.#identity.namespace,
      name: leaseName,
      identity: this.#identity.instance,
      clock: leaseClock ?? clock,
      random,
      log,
      events: this.#events,
      ...tuning?.lease,
    })
  }

  /** Before any part may tell API servers by which authority we are to be judged. */
  async #keepCertificates(stack: AsyncDisposableStack): Promise<void> {
    const { webhooks, random, capabilities } = this.#options
    if (!(webhooks instanceof SharedWebhooks)) return
    stack.use(this.#health.add('webhooks', () => [webhooks.check]))
    // What is off has no configuration of webhooks, and our role no right to look for it.
    const { capabilities: sections } = this.#settings.current
    const enabled = capabilities.filter(({ name }) => sections[name]?.isEnabled === true)
    const { namespace } = this.#identity
    const around = { api: this.#api, informers: this.#informers, random, namespace, capabilities: enabled }
    stack.use(await webhooks.keep(around, this.#signal))
  }

  /** What a leader watches, from now on. */
  #watchWarm(): void {
    const settings = this.#settings.current
    const viewNeeds = this.#roster.viewNeeds(settings)
    const needs: readonly Need[] = [...viewNeeds, ...this.#roster.needs('leading', settings)]
    const warm = this.#informers.share({ needs: needs.map(need => watchNeed(need, this.#identity)) })
    if (isAsked(viewNeeds)) warm.of(disruptionPermits)
    for (const need of needs) {
      const { fields: _, mode, ...scope } = watchNeed(need, this.#identity)
      warm.of(need, { ...scope, metadataOnly: mode === 'metadata', optional: need.optional === true })
    }
  }

  /** Parts that do not care who leads. */
  async #startAlways(stack: AsyncDisposableStack): Promise<void> {
    const { clock, random, log, webhooks, tuning } = this.#options
    const watching = new AbortController()
    stack.defer(() => watching.abort(this.#ended))
    const informers = stack.use(this.#informers.share({ signal: watching.signal }))
    stack.use(this.#health.add('always', () => informerChecks(informers, clock)))
    const host = stack.use(
      new PartHost({
        clock,
        log,
        tell: this.#tell,
        signal: watching.signal,
        ...(tuning?.gracefulMs === undefined ? {} : { gracefulMs: tuning.gracefulMs }),
      }),
    )
    this.#hosts.add(host)
    host.stuck.catch(error => this.#end(error))
    const { metrics } = this.#options
    const shared = { clock, random, log, identity: this.#identity, api: this.#api, informers, events: this.#events }
    const context = { ...shared, webhooks, metrics }
    const apply = () =>
      this.#roster.apply(host, {
        presence: 'always',
        settings: () => this.#settings.current,
        context: { ...context, leading: undefined },
      })
    stack.use(
      this.#settings.onReload(({ kind }) => {
        if (kind === 'applied') apply().catch(this.#onHandlerFault)
      }),
    )
    await apply()
  }

  readonly #onReload = (reload: Reload): void => {
    this.#metrics?.reloaded(reload.kind)
    tellReload(reload, { events: this.#events, namespace: this.#identity.namespace })
  }

  readonly #tell = (record: PartRecord, news: Parameters<typeof tellPartNews>[0]['news']): void => {
    tellPartNews(
      { part: record.name, capability: record.capability, news },
      { events: this.#events, lease: { namespace: this.#identity.namespace, name: leaseName } },
    )
  }

  #checksOf(capability: string): readonly NamedCheck[] {
    return this.#roster.records
      .filter(record => record.capability === capability)
      .flatMap(record => {
        for (const host of this.#hosts) {
          const checks = host.checksOf(record.name)
          if (checks !== undefined) return checks
        }
        return [record.check()]
      })
  }
}

function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return error => {
    if (!signal.aborted) throw error
  }
}
