// The way to a CSI driver, whosever it is: its socket is waited for, it is asked who it is and what it can, and when it goes away it is waited for again.

import { status } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import type { Method } from '#kube/grpc/method.ts'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { SocketClient } from '#kube/grpc/socket-client.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside, OutsideError } from '#kube/outside-error.ts'
import type { Random } from '#kube/random.ts'
import { pluginServices } from '../../csi/messages.ts'
import { controllerMethods, identityMethods } from '../../csi/methods.ts'
import { type CallTimes, unknownDriver } from './call-metrics.ts'
import { DriverError, goCode } from './driver-error.ts'

const times = {
  firstRetryMs: 100,
  lastRetryMs: 5_000,
} as const

/** What a driver says of itself. */
export interface DriverFacts {
  readonly name: string
  /** Numbers of `pluginServices`. */
  readonly services: ReadonlySet<number>
  /** Numbers of `controllerCapabilities`. */
  readonly can: ReadonlySet<number>
}

interface LinkOptions {
  /** Absolute path of the socket, or `tcp://HOST:PORT`. */
  readonly address: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly times?: CallTimes | undefined
  /** For calls by which it is found out who the driver is, in milliseconds. */
  readonly askLimitMs: number
}

interface CallOptions {
  readonly limitMs: number
  readonly signal: AbortSignal
  /** Asked right before the call is sent. @throws where whoever asks may not act any more */
  readonly guard?: () => void
}

export class DriverLink implements Disposable {
  readonly #options: LinkOptions
  #client: SocketClient
  readonly #end = new AbortController()
  /** What the driver said last; one of another name is another driver. */
  #facts: DriverFacts | undefined
  #found: Promise<DriverFacts> | undefined
  #isReady = false
  #why = 'nobody has asked for it yet'

  constructor(options: LinkOptions) {
    this.#options = options
    this.#client = new SocketClient({ address: options.address, clock: options.clock })
  }

  /** How it stands, in words; undefined where the driver is there. */
  get waiting(): string | undefined {
    return this.#isReady ? undefined : this.#why
  }

  /** What the driver last said of itself; undefined before it was there. */
  get facts(): DriverFacts | undefined {
    return this.#facts
  }

  /** What the driver is, as soon as it is there and ready. @throws `signal.reason` */
  async ready(signal: AbortSignal): Promise<DriverFacts> {
    signal.throwIfAborted()
    this.#found ??= this.#find()
    // A caller may go while it waits; the search goes on for the others, and ends with the link.
    const { promise, reject } = Promise.withResolvers<never>()
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([this.#found, promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** @throws DriverError; `signal.reason`; what `guard` throws */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Partial<Request>,
    { limitMs, signal, guard }: CallOptions,
  ): Promise<Response> {
    guard?.()
    const { clock } = this.#options
    const sentMs = clock.elapsed()
    try {
      const answer = await this.#client.ask(method, request, { limitMs, signal })
      this.#count(method.path, status.OK, sentMs)
      return answer
    } catch (error) {
      if (!(error instanceof CallRefused)) throw error
      this.#count(method.path, error.code, sentMs)
      // It may be gone, and it may have said so itself: whoever asks next finds out.
      if (error.code === status.UNAVAILABLE) this.#lose(error.message)
      throw new DriverError(error)
    }
  }

  /** Whether the driver says that it is ready, asked just now. @throws DriverError; `signal.reason` */
  async probe(limitMs: number, signal: AbortSignal): Promise<boolean> {
    const { ready } = await this.call(identityMethods.probe, {}, { limitMs, signal })
    // A driver that says nothing of it is, by the CSI specification.
    return ready?.value ?? true
  }

  [Symbol.dispose](): void {
    this.#end.abort(new DOMException('the way to the driver is closed', 'AbortError'))
    this.#client[Symbol.dispose]()
  }

  #lose(why: string): void {
    if (!this.#isReady) return
    this.#isReady = false
    this.#found = undefined
    this.#why = why
    this.#options.log.warn({ address: this.#options.address, why }, 'the CSI driver is not there: it is waited for')
  }

  #find(): Promise<DriverFacts> {
    const finding = this.#untilFound(this.#end.signal)
    // The link may be closed while nobody waits any more.
    finding.catch(() => undefined)
    return finding
  }

  async #untilFound(signal: AbortSignal): Promise<DriverFacts> {
    const { clock, random, log, address } = this.#options
    let retryMs: number = times.firstRetryMs
    let told = ''
    for (;;) {
      try {
        const facts = await this.#ask(signal)
        const before = this.#facts?.name ?? facts.name
        if (facts.name !== before) throw new OutsideError(`the driver ${facts.name} is there in place of ${before}`)
        this.#facts = facts
        this.#isReady = true
        log.info({ address, driver: facts.name }, 'the CSI driver is there')
        return facts
      } catch (error) {
        signal.throwIfAborted()
        if (!isOutside(error)) throw error
        this.#why = messageOf(error)
        if (this.#why !== told) log.info({ address, why: this.#why }, 'the CSI driver is waited for')
        told = this.#why
        this.#reconnect()
      }
      await clock.after(Math.ceil(retryMs * (0.8 + 0.4 * random())), signal)
      retryMs = Math.min(times.lastRetryMs, retryMs * 2)
    }
  }

  /** A channel that failed waits by itself before it connects again; here that is done already. */
  #reconnect(): void {
    const { address, clock } = this.#options
    this.#client[Symbol.dispose]()
    this.#client = new SocketClient({ address, clock })
  }

  async #ask(signal: AbortSignal): Promise<DriverFacts> {
    const options = { limitMs: this.#options.askLimitMs, signal }
    if (!(await this.probe(options.limitMs, signal))) throw new OutsideError('the driver answers that it is not ready')
    const { name } = await this.call(identityMethods.getPluginInfo, {}, options)
    if (name === '') throw new OutsideError('the driver says no name of itself')
    const plugin = await this.call(identityMethods.getPluginCapabilities, {}, options)
    const services = new Set(plugin.capabilities.map(({ service }) => service?.type ?? 0))
    if (!services.has(pluginServices.CONTROLLER_SERVICE)) return { name, services, can: new Set() }
    const controller = await this.call(controllerMethods.controllerGetCapabilities, {}, options)
    return { name, services, can: new Set(controller.capabilities.map(({ rpc }) => rpc?.type ?? 0)) }
  }

  #count(path: string, code: status, sentMs: number): void {
    const { clock, times: histogram } = this.#options
    const labels = { driver_name: this.#facts?.name ?? unknownDriver, method_name: path, grpc_status_code: goCode(code) }
    histogram?.observe(labels, (clock.elapsed() - sentMs) / 1_000)
  }
}
