// What happens between winning the Lease and giving it back: watches, the ledger taken over, and then the parts that lead.
import type { Registry } from 'prom-client'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { yieldDrains } from '#coordination/arbiter/yield-drains.ts'
import type { Check, Identity, Leading, WebhookEndpoint } from '#coordination/capability.ts'
import { isWhole } from '#coordination/facts/view-needs.ts'
import type { ApiHealth } from '#coordination/gates/api-health.ts'
import type { Need } from '#coordination/needs.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import { servePermitRequests } from '#coordination/permits/permit-requests.ts'
import { modeOf } from '#coordination/policy/mode.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Leader } from '#kube/leases/lease.ts'
import type { Log } from '#kube/log.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import type { Random } from '#kube/random.ts'
import type { Solve } from '#planning/solving/solve.ts'
import type { SettingsFeed } from '../configuration/controller-settings.ts'
import { runningKey, runningText } from '../configuration/running-configuration.ts'
import type { ControllerHealth } from '../health/controller-health.ts'
import { informerChecks } from '../health/informer-checks.ts'
import { writeStatus } from '../parts/capability-status.ts'
import type { PartHost } from '../parts/part-host.ts'
import { ownedClock, ownedWebhooks } from '../parts/part-owner.ts'
import { watchNeed } from '../parts/part-roster.ts'
import type { ProcessParts } from '../parts/process-parts.ts'
import type { Tuning } from '../parts/tuning.ts'
import type { ControllerMetrics } from './controller-metrics.ts'
import { GuardLeases } from './guard-lease.ts'
import { sweepPermits } from './permit-sweep.ts'
import { renewingSolve } from './renewing-solve.ts'
import { openArbiter } from './term-arbiter.ts'

interface TermOptions {
  readonly api: Api
  readonly clock: Clock
  /** Clock of every Lease. */
  readonly leaseClock: Clock
  readonly random: Random
  readonly log: Log
  readonly identity: Identity
  readonly events: EventRecorder
  readonly health: ControllerHealth
  readonly settings: SettingsFeed
  readonly parts: ProcessParts<'controller'>
  readonly webhooks: WebhookEndpoint | undefined
  /** The watches of the process. */
  readonly informers: Informers
  readonly solve: Solve
  readonly tuning: Tuning
  /** Where parts count what they do. */
  readonly registry: Registry | undefined
  /** Counts what each term's arbiter decides. */
  readonly metrics: ControllerMetrics | undefined
  /** How the API server answers us. */
  readonly apiHealth: ApiHealth
  /** Ends the process in order. */
  readonly signal: AbortSignal
}

export class Terms {
  readonly #options: TermOptions
  #isLeading = false
  #stuck: unknown

  constructor(options: TermOptions) {
    this.#options = options
  }

  /** From the start of a term until everything that led has ended. */
  get isLeading(): boolean {
    return this.#isLeading
  }

  /** Why what led cannot be trusted to have ended, though `lead` has; `undefined` where it has. */
  get stuck(): unknown {
    return this.#stuck
  }

  /** Starts all leading parts, waits for the end, and stops them in reverse. Nothing is granted before the ledger was taken over. */
  async lead(leader: Leader): Promise<void> {
    const { signal: outer, health, clock, parts } = this.#options
    if (outer.aborted) return
    this.#isLeading = true
    const ended = Promise.withResolvers<void>()
    const onEnd = () => ended.resolve()
    const signals = [outer, leader.signal]
    for (const signal of signals) signal.addEventListener('abort', onEnd, { once: true })
    const starting = AbortSignal.any(signals)
    try {
      using _watched = health.watchTerm(leader.signal, clock)
      await using stack = new AsyncDisposableStack()
      try {
        const host = await this.#start(leader, stack, { signal: starting, endTerm: onEnd })
        await Promise.race([ended.promise, host.stuck])
      } catch (error) {
        if (!starting.aborted) throw error
      }
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', onEnd)
      parts.roster.standBy()
      this.#isLeading = false
    }
  }

  async #start(
    leader: Leader,
    stack: AsyncDisposableStack,
    { signal, endTerm }: { readonly signal: AbortSignal; readonly endTerm: () => void },
  ): Promise<PartHost> {
    const { clock, random, log, identity, events, settings, parts, webhooks, tuning, solve } = this.#options
    const { health, metrics, registry } = this.#options
    // Nothing of this term is written after it, however long it waited on its way to the socket.
    const api = this.#options.api.under(() => leader.assert())
    const { roster } = parts
    const needs = roster.needs('leading', settings.current).map(need => watchNeed(need, identity))
    const informers = stack.use(this.#options.informers.share({ needs, signal: leader.signal }))
    stack.use(health.add('informers', () => informerChecks(informers, clock)))
    const { namespaces = [] } = tuning
    if (namespaces.length > 0) stack.use(health.add('scope', () => [scopeNote(namespaces)]))
    const viewNeeds = this.#viewNeeds()
    const { arbiter, view, permits, usageAge, waiting } = await openArbiter(
      { ...this.#options, api, informers, leader, viewNeeds, namespaces },
      stack,
      signal,
    )
    const { ownerLabel } = settings.current
    const version = () => serverVersion(api, signal)
    const model = settingsForServer(await untilDone(version, { clock, log, what: "the server's version is read" }, signal))
    const effects = { api, clock, leadership: leader }
    const leading: Leading = {
      ...{ arbiter, effects, view, settings: model, ownerLabel, usageAge },
      solve: renewingSolve(solve, leader, clock),
      refresh: signal => leader.refresh(signal),
    }
    const { namespace } = identity
    const state = () => view.state()
    const queueObserver = metrics?.queues.of('permit-requests')
    const whyNotServed = isWhole(viewNeeds) ? undefined : (requester: string) => this.#whyNotServed(requester)
    const around = { api, permits, arbiter, state, settings: model, ownNamespace: namespace, events, clock, log }
    const requests = { ...around, queueObserver, whyNotServed }
    const policy = () => settings.current.arbiter
    const counted = (record: PermitRecord) => metrics?.drainYielded(record)
    const running = { key: runningKey, text: () => runningText(settings.current) }
    const yielding = { arbiter, view, waiting, policy, effects, events, counted, clock, log }
    this.#beside(leader, stack, background => [
      sweepPermits({ arbiter, clock, log }, background),
      servePermitRequests(requests, background),
      yieldDrains(yielding, background),
      writeStatus({ api, namespace, clock, log, records: roster.records, running }, background),
    ])
    const host = parts.openHost(stack, leader.signal, error => {
      this.#stuck = error
    })
    const shared = { random, log, identity, api, events, leading, metrics: registry }
    const guards = new GuardLeases({
      api: this.#options.api,
      clock: this.#options.leaseClock,
      random,
      log,
      identity: identity.instance,
      outlived: leader.predecessor,
      namespace,
      namespaces,
      times: tuning.lease,
    })
    const apply = () =>
      roster.apply(host, {
        presence: 'leading',
        settings: () => settings.current,
        identity,
        informers,
        contextOf: ({ owner, ports, informers: own }) => ({
          ...shared,
          ports,
          informers: own,
          clock: ownedClock(clock, owner),
          webhooks: webhooks === undefined ? undefined : ownedWebhooks(webhooks, owner),
        }),
        guards,
      })
    stack.use(
      settings.onReload(({ kind }) => {
        if (kind !== 'applied') return
        // Another view of the cluster is set up before anything is judged by it.
        if (this.#viewNeeds() === viewNeeds) apply().catch((error: unknown) => parts.onHandlerFault(error))
        else endTerm()
      }),
    )
    await apply()
    return host
  }

  /** What the arbiter watches for the capabilities that are enabled; the same value for the same needs. */
  #viewNeeds(): readonly Need[] {
    const { parts, settings } = this.#options
    return parts.roster.viewNeeds(settings.current)
  }

  #whyNotServed(requester: string): string | undefined {
    if (modeOf(requester, this.#options.settings.current.arbiter.modes) === 'observe') return undefined
    return `${requester} is judged in another mode than observe, for which the leader does not watch enough of the cluster: enable the capability there`
  }

  /** The process's own work of a term, begun now and awaited at its end. */
  #beside(leader: Leader, stack: AsyncDisposableStack, begin: (signal: AbortSignal) => readonly Promise<void>[]): void {
    const over = new AbortController()
    const running = begin(AbortSignal.any([leader.signal, over.signal]))
    stack.defer(async () => {
      over.abort(new DOMException('the term is over', 'AbortError'))
      await Promise.all(running)
    })
  }
}

function scopeNote(namespaces: readonly string[]): Check {
  const message = `only namespaces ${namespaces.join(', ')} are watched: what lies in no namespace (nodes, volumes) counts as absent`
  return { name: 'scope', ok: true, message }
}

/** `''` where the server does not say, or not to us. */
async function serverVersion(api: Api, signal: AbortSignal): Promise<string> {
  const version = await api.getPath('/version', { signal }).catch((error: unknown) => {
    if (isForbidden(error) || isNotFound(error)) return undefined
    throw error
  })
  return typeof version === 'object' && version !== null && 'gitVersion' in version && typeof version.gitVersion === 'string'
    ? version.gitVersion
    : ''
}
