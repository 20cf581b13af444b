// The process `ballast controller`: one Lease, one watch a kind, and the parts of the enabled capabilities, each on its own.
// Knows neither flags nor environment; `ballast up` runs it beside its twin.

import type { Registry } from 'prom-client'
import type { OwnerLabel } from '#cluster/ownership.ts'
import { disruptionPermits } from '#coordination/api.ts'
import type { Capability, Identity, WebhookEndpoint } from '#coordination/capability.ts'
import { isAsked } from '#coordination/facts/view-needs.ts'
import { ApiHealth } from '#coordination/gates/api-health.ts'
import { measuredTransport } from '#coordination/gates/measured-transport.ts'
import type { Need } from '#coordination/needs.ts'
import type { ArbiterPolicy } from '#coordination/policy/arbiter-policy.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import { LeaseElection } from '#kube/leases/lease.ts'
import type { Log } from '#kube/log.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { type Solve, solveInChild } from '#planning/solving/solve.ts'
import { fixedSettings, type Reload, type SettingsFeed } from '../configuration/controller-settings.ts'
import { ControllerHealth } from '../health/controller-health.ts'
import { controllerLease } from '../own-names.ts'
import type { FaultSource } from '../parts/fault-source.ts'
import { tellReload } from '../parts/part-news.ts'
import { ownedClock, ownedWebhooks } from '../parts/part-owner.ts'
import { watchNeed } from '../parts/part-roster.ts'
import { ProcessParts } from '../parts/process-parts.ts'
import { standForTerms } from '../parts/stand-for-terms.ts'
import { PartStuckError } from '../parts/supervised-part.ts'
import type { Tuning } from '../parts/tuning.ts'
import { SharedWebhooks } from '../webhooks/shared-webhooks.ts'
import { installOurs } from './controller-install.ts'
import { ControllerMetrics } from './controller-metrics.ts'
import { Terms } from './controller-terms.ts'

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
  readonly #parts: ProcessParts<'controller'>
  readonly #metrics: ControllerMetrics | undefined
  readonly #informers: Informers
  readonly #watching = new AbortController()

  constructor(options: ControllerOptions) {
    const { clock, random, log, capabilities, identity } = options
    this.#options = options
    this.#settings = options.settings ?? fixedSettings(options)
    this.#identity = { ...identity, instance: `${identity.name}_${randomUuid(random)}` }
    this.#health = options.health ?? new ControllerHealth()
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
    this.#events = new EventRecorder(this.#api, {
      clock,
      random,
      controller: 'ballast.dev/controller',
      instance: `ballast-controller-${identity.name}`,
      log,
    })
    this.#parts = new ProcessParts({
      process: 'controller',
      capabilities,
      settings: this.#settings,
      identity: this.#identity,
      health: this.#health,
      events: this.#events,
      regarding: {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        namespace: identity.namespace,
        name: controllerLease,
      },
      counted:
        options.metrics === undefined || this.#metrics === undefined
          ? undefined
          : { registry: options.metrics, metrics: this.#metrics },
      clock,
      log,
      gracefulMs: options.tuning?.gracefulMs,
      signal: options.signal,
    })
    this.#informers = new Informers(this.#api, {
      namespaces: options.tuning?.namespaces ?? [],
      clock,
      random,
      log,
      onHandlerFault: this.#parts.onHandlerFault,
      signal: this.#watching.signal,
      ...options.tuning?.lists,
    })
    this.#metrics?.watchInformers(this.#informers, clock)
  }

  async run(): Promise<void> {
    const { installDefinitions, faults, capabilities, clock, log } = this.#options
    const { signal } = this.#parts
    try {
      await using stack = new AsyncDisposableStack()
      stack.use(this.#informers)
      this.#parts.watch(stack, faults)
      stack.use(this.#settings.onReload(this.#onReload))
      if (installDefinitions === true)
        await installOurs(
          this.#api,
          { capabilities, namespace: this.#identity.namespace, clock, log, events: this.#events },
          signal,
        )
      await this.#keepCertificates(stack)
      if (this.#options.tuning?.standby === 'warm') this.#watchWarm()
      await this.#startAlways(stack)
      await this.#standForTerms()
    } catch (error) {
      if (error instanceof PartStuckError) this.#parts.end(error)
      else if (!signal.aborted || error !== signal.reason) throw this.#parts.fault ?? error
    } finally {
      await this.#events.flush()
      await this.#api.close()
    }
    if (this.#parts.fault !== undefined) throw this.#parts.fault
  }

  async #standForTerms(): Promise<void> {
    const { clock, leaseClock, random, log, solve, webhooks, tuning = {} } = this.#options
    const { signal } = this.#parts
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
      parts: this.#parts,
      webhooks,
      informers: this.#informers,
      solve: solve ?? solveInChild,
      tuning,
      registry: this.#options.metrics,
      metrics: this.#metrics,
      signal,
    })
    this.#metrics?.watchLeading(controllerLease, () => terms.isLeading)
    const health = this.#health
    await standForTerms(terms, { openElection: () => this.#openElection(), health, clock, log, signal })
  }

  #openElection(): LeaseElection {
    const { clock, random, log, leaseClock, tuning } = this.#options
    return new LeaseElection({
      api: this.#api,
      namespace: this.#identity.namespace,
      name: controllerLease,
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
    stack.use(await webhooks.keep(around, this.#parts.signal))
  }

  /** What a leader watches, from now on. */
  #watchWarm(): void {
    const settings = this.#settings.current
    const viewNeeds = this.#parts.roster.viewNeeds(settings)
    const needs: readonly Need[] = [...viewNeeds, ...this.#parts.roster.needs('leading', settings)]
    const warm = this.#informers.share({ needs: needs.map(need => watchNeed(need, this.#identity)) })
    if (isAsked(viewNeeds)) warm.of(disruptionPermits)
    for (const need of needs) {
      const { fields: _, mode, ...scope } = watchNeed(need, this.#identity)
      warm.of(need, { ...scope, metadataOnly: mode === 'metadata', optional: need.optional === true })
    }
  }

  /** Parts that do not care who leads. */
  async #startAlways(stack: AsyncDisposableStack): Promise<void> {
    const { clock, random, log, webhooks, metrics } = this.#options
    const shared = { random, log, identity: this.#identity, api: this.#api, events: this.#events, metrics, leading: undefined }
    await this.#parts.startAlways(stack, {
      informers: this.#informers,
      contextOf: ({ owner, ports, informers }) => ({
        ...shared,
        ports,
        informers,
        clock: ownedClock(clock, owner),
        webhooks: webhooks === undefined ? undefined : ownedWebhooks(webhooks, owner),
      }),
    })
  }

  readonly #onReload = (reload: Reload): void => {
    tellReload(reload, { events: this.#events, namespace: this.#identity.namespace })
  }
}
