// The parts of a process that speaks to the API server: which there are, who hosts them, whose a fault is, and what is told of them.
// Controller, apiserver and gateway have one each; what leads among replicas is theirs.
import type { Registry } from 'prom-client'
import type { Capability, Check, Contexts, Identity } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informers } from '#kube/informers/informer.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { SettingsFeed } from '../configuration/controller-settings.ts'
import type { ControllerHealth } from '../health/controller-health.ts'
import { informerChecks } from '../health/informer-checks.ts'
import type { FaultSource } from './fault-source.ts'
import { PartHost } from './part-host.ts'
import type { PartMetrics } from './part-metrics.ts'
import { type PartNews, tellPartNews } from './part-news.ts'
import { currentOwner } from './part-owner.ts'
import type { PartRecord } from './part-record.ts'
import { type ClusterProcess, type OwnOfPart, PartRoster } from './part-roster.ts'
import { PortBook } from './port-book.ts'
import { ProcessFault } from './process-fault.ts'
import { PartStuckError } from './supervised-part.ts'

interface ProcessPartsOptions<P extends ClusterProcess> {
  readonly process: P
  readonly capabilities: readonly Capability[]
  readonly settings: SettingsFeed
  readonly identity: Identity
  readonly health: ControllerHealth
  readonly events: EventRecorder
  /** What events about parts are about: the Lease of the process, or its pod. */
  readonly regarding: Parameters<typeof tellPartNews>[1]['regarding']
  /** Absent: nobody collects. */
  readonly counted?: { readonly registry: Registry; readonly metrics: PartMetrics } | undefined
  /** Doors between parts, where others than parts use them too. */
  readonly ports?: PortBook | undefined
  readonly clock: Clock
  readonly log: Log
  /** How long parts may take to end in order, in milliseconds. */
  readonly gracefulMs?: number | undefined
  /** Ends the process in order. */
  readonly signal: AbortSignal
}

export class ProcessParts<P extends ClusterProcess> {
  readonly roster: PartRoster<P>
  /** Aborted when the process is to end, by whoever started it or by a fault that nobody owns. */
  readonly signal: AbortSignal
  readonly #options: ProcessPartsOptions<P>
  readonly #hosts = new Set<PartHost>()
  readonly #stop = new AbortController()
  readonly #ended = new DOMException('the process has ended', 'AbortError')
  #fault: ProcessFault | undefined

  /** @throws PartRefusedError naming parts that nobody would run */
  constructor(options: ProcessPartsOptions<P>) {
    const { process, capabilities, clock, counted, settings, ports = new PortBook() } = options
    this.#options = options
    this.signal = AbortSignal.any([options.signal, this.#stop.signal])
    const { capabilities: sections } = settings.current
    if (counted !== undefined)
      for (const one of capabilities)
        if (sections[one.name]?.isEnabled === true && one.parts.some(part => part.process === process))
          one.metrics?.(counted.registry)
    this.roster = new PartRoster(process, capabilities, { clock, ports, observer: counted?.metrics })
    counted?.metrics.watchParts(this.roster.records)
  }

  /** Why the process ends against its will. */
  get fault(): ProcessFault | undefined {
    return this.#fault
  }

  /** Shows every capability that has parts here on /readyz, an only one that is quarantined on /livez, counts reloads, and hears of faults without an owner, until `stack` is disposed of. */
  watch(stack: AsyncDisposableStack, faults: FaultSource | undefined): void {
    const { health, settings, counted } = this.#options
    if (counted !== undefined) stack.use(settings.onReload(({ kind }) => counted.metrics.reloaded(kind)))
    if (faults !== undefined) stack.use(faults.onUnowned(error => this.end(error)))
    const names = new Set(this.roster.records.map(({ capability }) => capability))
    for (const name of names) stack.use(health.add(name, () => this.#checksOf(name)))
    // A drop-in is there for one capability: where nothing of it runs by a bug, another process may do better.
    if (names.size === 1) stack.use(health.addLive(() => this.#onlyCapability()))
  }

  #onlyCapability(): Check {
    const wanted = this.roster.records.filter(({ state }) => state !== 'stopped')
    const isOk = wanted.length === 0 || wanted.some(({ state }) => state !== 'quarantined')
    const states = wanted.map(record => `${record.name}: ${record.check().state}`).join(', ')
    return { name: 'parts', ok: isOk, ...(isOk ? {} : { message: states, state: states }) }
  }

  /** Begins the end of the process, in order. */
  end(error: unknown): void {
    if (this.#fault !== undefined) return
    const why = messageOf(error)
    this.#fault =
      error instanceof PartStuckError
        ? new ProcessFault(why, { cause: error })
        : new ProcessFault(`something that no part owns failed: ${why}`, { cause: error })
    this.#options.log.error({ err: error, why }, 'a fault without an owner: the process ends in order')
    this.#stop.abort(this.#ended)
  }

  /** A handler threw: its part's fault, or everybody's; where it is `alone` that one object cannot be read, nobody's. */
  readonly onHandlerFault = (error: unknown, alone?: string): void => {
    const owner = currentOwner()
    if (alone !== undefined) owner?.mishap(error, `an informer handler, ${alone}`)
    else if (owner === undefined) this.end(error)
    else owner.fault(error, 'an informer handler')
  }

  readonly #tell = (record: PartRecord, news: PartNews): void => {
    const { events, regarding } = this.#options
    tellPartNews({ part: record.name, capability: record.capability, news }, { events, regarding })
  }

  /** A host whose parts end with `signal` at once, and in order when `stack` is disposed of. */
  openHost(stack: AsyncDisposableStack, signal: AbortSignal, onStuck: (error: unknown) => void): PartHost {
    const { clock, log, gracefulMs } = this.#options
    const host = new PartHost({ clock, log, tell: this.#tell, signal, ...(gracefulMs === undefined ? {} : { gracefulMs }) })
    this.#hosts.add(host)
    host.stuck.catch(onStuck)
    stack.defer(() => void this.#hosts.delete(host))
    return stack.use(host)
  }

  /** Starts the parts that do not care who leads; they end when `stack` is disposed of. */
  async startAlways(
    stack: AsyncDisposableStack,
    given: { readonly informers: Informers; readonly contextOf: (own: OwnOfPart) => Contexts[P] },
  ): Promise<void> {
    if (!this.roster.has('always')) return
    const { clock, health, settings, identity } = this.#options
    const watching = new AbortController()
    stack.defer(() => watching.abort(this.#ended))
    const informers = stack.use(given.informers.share({ signal: watching.signal }))
    stack.use(health.add('always', () => informerChecks(informers, clock)))
    const host = this.openHost(stack, watching.signal, error => this.end(error))
    const apply = () =>
      this.roster.apply(host, {
        presence: 'always',
        settings: () => settings.current,
        identity,
        informers,
        contextOf: given.contextOf,
      })
    stack.use(
      settings.onReload(({ kind }) => {
        if (kind === 'applied') apply().catch((error: unknown) => this.onHandlerFault(error))
      }),
    )
    await apply()
  }

  #checksOf(capability: string): readonly Check[] {
    return this.roster.records
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
