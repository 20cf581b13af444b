// Everybody who is told of reloads, behind the one face that the loop knows.
import { Registry } from 'prom-client'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Log } from '#kube/log.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { type ReloadMetrics, reloadMetrics } from '../metrics.ts'
import { Alerts } from './alerts.ts'
import { annotationInvalidEvent, forbiddenEvent, reloadedEvent, reloadFailEvent, throttledEvent } from './events.ts'
import { readHttpUrl } from './outgoing-http.ts'
import type { Acted, ReloadTelling, ToldSource, ToldWorkload } from './telling.ts'
import { UpdateWebhook } from './update-webhook.ts'

/** Settings from the capability's configuration. */
interface TellingSettings {
  readonly webhookUrl: string
  readonly metricsByNamespace: boolean
  readonly alerts: {
    readonly enabled: boolean
    readonly sink: string
    readonly webhookUrl: string
    readonly proxy: string
    readonly additionalInfo: string
  }
}

interface TellingOptions {
  readonly settings: TellingSettings
  readonly events: Pick<EventRecorder, 'emit'>
  /** Absent: counted, but shown nowhere. */
  readonly metrics?: Registry | undefined
  /** Ballast's own namespace. */
  readonly namespace: string
  readonly clock: Clock
  readonly log: Log
}

/** Once told is enough, of so many. */
const mostRemembered = 10_000

export class Telling implements ReloadTelling, AsyncDisposable {
  readonly #options: TellingOptions
  readonly #metrics: ReloadMetrics
  readonly #alerts: Alerts | undefined
  readonly #webhook: UpdateWebhook | undefined
  readonly #told = new Set<string>()

  /** @throws InputError of addresses that are none */
  constructor(options: TellingOptions) {
    const { settings, clock, log, metrics } = options
    this.#options = options
    this.#metrics = reloadMetrics(metrics ?? new Registry())
    if (settings.metricsByNamespace) this.#metrics.countByNamespace()
    const problems: Problem[] = []
    const urlOf = (text: string, key: string): URL | undefined => {
      if (text.trim() === '') return undefined
      const read = readHttpUrl(text, `capabilities.reload.${key}`)
      if (!read.ok) problems.push(read.problem)
      return read.ok ? read.value : undefined
    }
    const { enabled, sink, additionalInfo } = settings.alerts
    const receiver = enabled ? urlOf(settings.alerts.webhookUrl, 'alerts.webhookUrl') : undefined
    const proxy = enabled ? urlOf(settings.alerts.proxy, 'alerts.proxy') : undefined
    const webhook = urlOf(settings.webhookUrl, 'webhookUrl')
    if (problems.length > 0) throw new InputError(problems)
    if (enabled && receiver === undefined) log.error({}, 'alerts are enabled, but alerts.webhookUrl is not set: none is sent')
    const onResult = (result: 'success' | 'error' | 'dropped') => this.#metrics.alerted(result)
    this.#alerts =
      receiver === undefined ? undefined : new Alerts({ url: receiver, sink, proxy, additionalInfo, clock, log, onResult })
    this.#webhook = webhook === undefined ? undefined : new UpdateWebhook({ url: webhook, clock, log })
  }

  get queue() {
    return this.#metrics.queue
  }

  eventReceived(...told: Parameters<ReloadTelling['eventReceived']>): void {
    this.#metrics.received(...told)
  }

  eventProcessed(...told: Parameters<ReloadTelling['eventProcessed']>): void {
    this.#metrics.processed(...told)
  }

  scanned(kind: string, count: number): void {
    this.#metrics.scanned(kind, count)
  }

  matched(kind: string, count: number): void {
    this.#metrics.matched(kind, count)
  }

  skipped(...told: Parameters<ReloadTelling['skipped']>): void {
    this.#metrics.skipped(...told)
  }

  reconciled(...told: Parameters<ReloadTelling['reconciled']>): void {
    this.#metrics.reconciled(...told)
  }

  acted({ workload, sources, result, seconds, message = 'unknown' }: Acted): void {
    const { events, log } = this.#options
    const { kind, namespace, name } = workload
    this.#metrics.acted(workload, result, seconds)
    const facts = { kind, namespace, name, sources: sources.map(source => `${source.type} ${source.namespace}/${source.name}`) }
    if (result === 'success') log.info(facts, 'reloaded')
    else log.error({ ...facts, why: message }, 'reload failed')
    if (result === 'error') {
      // A failure's words do not name the source: one for each component that tells it.
      const byType = new Map(sources.map(source => [source.type, source]))
      const told: Iterable<ToldSource | undefined> = byType.size === 0 ? [undefined] : byType.values()
      for (const source of told) events.emit(reloadFailEvent(workload, source, message))
      return
    }
    for (const source of sources) {
      events.emit(reloadedEvent(workload, source))
      this.#alerts?.send(workload, source)
    }
  }

  throttled(workload: ToldWorkload, untilMs: number, sources: readonly ToldSource[]): void {
    if (!this.#isNew(`throttled ${workload.uid} ${untilMs}`)) return
    this.#metrics.throttled()
    this.#options.events.emit(throttledEvent(workload, untilMs, sources))
  }

  annotationInvalid(workload: ToldWorkload, key: string, value: string, why: string): void {
    if (!this.#isNew(`annotation ${workload.uid} ${key}=${value}`)) return
    this.#options.log.warn({ ...shown(workload), key, why }, 'annotation cannot be read')
    this.#options.events.emit(annotationInvalidEvent(workload, { key, value, why }))
  }

  forbidden(kind: string, message: string): void {
    this.#metrics.forbidden(kind)
    if (!this.#isNew(`forbidden ${kind} ${message}`)) return
    this.#options.log.warn({ kind, why: message }, 'kind cannot be used, others go on')
    this.#options.events.emit(forbiddenEvent(kind, message, this.#options.namespace))
  }

  retried(): void {
    this.#metrics.retried()
  }

  async sourceChanged(source: ToldSource, signal: AbortSignal): Promise<boolean> {
    if (this.#webhook === undefined) return false
    await this.#webhook.tell(source, signal)
    return true
  }

  /** Resolves when all alerts were sent or given up. */
  async idle(): Promise<void> {
    await this.#alerts?.idle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#alerts?.[Symbol.asyncDispose]()
    await this.#webhook?.[Symbol.asyncDispose]()
  }

  #isNew(what: string): boolean {
    if (this.#told.has(what)) return false
    if (this.#told.size >= mostRemembered) {
      for (const oldest of this.#told) {
        this.#told.delete(oldest)
        break
      }
    }
    this.#told.add(what)
    return true
  }
}

function shown({ kind, namespace, name }: ToldWorkload) {
  return { kind, namespace, name }
}
