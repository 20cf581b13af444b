// The ports of requests through all changes of the settings: most are taken where they are, and what has to begin anew listens before the old one goes.
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { durationMs } from '#kube/time/duration.ts'
import { type GatewayConfig, proxySettings } from './config.ts'
import { haproxyTrouble } from './data-plane/haproxy-program.ts'
import { type TrafficDoor, trafficDoor } from './data-plane/traffic-door.ts'
import type { Caller } from './proxy/caller.ts'
import type { Exchanges } from './proxy/exchanges.ts'
import { FrontDoor } from './proxy/front-door.ts'
import type { Refusal } from './proxy/request-head.ts'
import type { RequestMetrics } from './proxy/request-metrics.ts'
import type { ProxySettings } from './proxy/settings.ts'
import { type GatewayTls, gatewayTls } from './proxy/tls.ts'

interface DoorsOptions {
  readonly clock: Clock
  readonly log: Log
  readonly config: GatewayConfig
  /** The certificates of `config`; absent: no TLS. They are the doors' own from now on. */
  readonly tls: GatewayTls | undefined
  readonly mostPending: number
  readonly exchanges: Exchanges
  readonly metrics: RequestMetrics | undefined
  readonly onRefused: (refusal: Refusal, address: string) => void
}

/** A door, and how it is told that it ends. */
interface Standing<Door> {
  readonly door: Door
  readonly leave: () => void
}

export class Doors implements AsyncDisposable {
  readonly #options: DoorsOptions
  #config: GatewayConfig
  #certificates: GatewayTls | undefined
  #plain: Standing<TrafficDoor> | undefined
  #tls: Standing<FrontDoor> | undefined
  #ports = { traffic: 0, tls: undefined as number | undefined }
  /** Those whose place another one took: they take nothing new, and end what they have. */
  readonly #left = new Set<() => Promise<void>>()
  readonly #leaving = new Set<Promise<void>>()
  #changing: Promise<void> = Promise.resolve()
  /** An end that is hurried on cuts off what those still have. */
  readonly #hurry = new AbortController()
  #isEnding = false
  #isClosed = false

  constructor(options: DoorsOptions) {
    this.#options = options
    this.#config = options.config
    this.#certificates = options.tls
  }

  /** @throws Error where a port is taken; InputError where HAProxy is asked for and cannot be had */
  async listen(): Promise<void> {
    const { ports, bind } = this.#config
    this.#plain = this.#plainDoor(this.#config)
    this.#ports.traffic = await this.#plain.door.listen()
    if (this.#certificates !== undefined) {
      this.#tls = this.#tlsDoor(this.#certificates)
      this.#ports.tls = await this.#tls.door.listen(ports.tls, bind === '' ? undefined : bind)
    }
  }

  /** Where it really listens; no TLS: undefined. */
  get ports(): { readonly traffic: number; readonly tls: number | undefined } {
    return this.#ports
  }

  /** Takes other settings at the same ports. @throws Error where they cannot hold: what was holds on */
  change(next: GatewayConfig): Promise<void> {
    const done = this.#change(next)
    this.#changing = done.catch(() => undefined) // whoever asked hears of it; an end only waits
    return done
  }

  async #change(next: GatewayConfig): Promise<void> {
    const { clock, log, exchanges } = this.#options
    await using made = new AsyncDisposableStack()
    const isOtherTls = !isDeepStrictEqual(next.tls, this.#config.tls)
    const certificates = isOtherTls ? await gatewayTls(next.tls, { clock, log }) : this.#certificates
    if (isOtherTls && certificates !== undefined) made.use(certificates)
    const plain = (await this.#needsOther(next)) ? this.#plainDoor(next, this.#plain?.door) : undefined
    if (plain !== undefined) {
      made.use(plain.door)
      await plain.door.listen()
    }
    const tls = certificates === undefined ? undefined : (this.#tls ?? this.#tlsDoor(certificates))
    if (tls !== undefined && tls !== this.#tls) {
      made.defer(() => tls.door.destroy())
      this.#ports.tls = await tls.door.listen(next.ports.tls, next.bind === '' ? undefined : next.bind)
    }
    if (this.#isEnding) throw new DOMException('the gateway ends', 'AbortError')
    made.move()
    // Nothing fails from here on.
    this.#config = next
    exchanges.useSettings(this.#settings(next))
    if (isOtherTls) this.#useCertificates(certificates, tls)
    if (plain === undefined) return
    const before = this.#plain
    this.#plain = plain
    if (before !== undefined) this.#leave(before)
  }

  /** As connections to targets take it; undefined: no TLS. */
  get toTargets(): GatewayTls['toTargets'] | undefined {
    return this.#certificates?.toTargets
  }

  /** Whether somebody has every port that clients send to. */
  get isListening(): boolean {
    return !this.#isClosed && this.#plain?.door.isListening === true
  }

  /** What health says of it. */
  get state(): string {
    return this.#plain?.door.state ?? ''
  }

  /** The process ends soon: connections are taken as before, and none is kept after its answer. */
  async ends(): Promise<void> {
    this.#isEnding = true
    await this.#plain?.door.ends()
  }

  /** No connection is taken any more; those without a request end. HAProxy is waited for, at the latest `mostMs` or until `signal` aborts. */
  async close(mostMs: number, signal: AbortSignal): Promise<void> {
    this.#isEnding = true
    this.#isClosed = true
    this.#tls?.door.close()
    const over = Promise.withResolvers<void>()
    const late = this.#options.clock.schedule(mostMs, () => over.resolve())
    await Promise.all([this.#plain?.door.close(mostMs, signal), Promise.race([Promise.all(this.#leaving), over.promise])])
    late()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    this.#isClosed = true
    this.#hurry.abort(new DOMException('the gateway ends', 'AbortError'))
    await this.#changing
    this.#tls?.door.destroy()
    this.#certificates?.[Symbol.dispose]()
    await this.#plain?.door[Symbol.asyncDispose]()
    for (const end of this.#left) await end()
    await Promise.all(this.#leaving)
  }

  /** HAProxy reads its settings when it starts; the gateway itself whenever it uses them. */
  async #needsOther(next: GatewayConfig): Promise<boolean> {
    const isSame = isDeepStrictEqual(startedWith(next), startedWith(this.#config))
    if (isSame) return false
    if (this.#plain?.door.isByHaproxy === true || next.dataPlane === 'haproxy') return true
    return next.dataPlane !== 'builtin' && !next.accessLog && (await haproxyTrouble()) === undefined
  }

  #plainDoor(config: GatewayConfig, before?: TrafficDoor): Standing<TrafficDoor> {
    const { clock, log, exchanges, metrics } = this.#options
    const { door, leave } = this.#door()
    const ports = before === undefined ? config.ports : { ...config.ports, traffic: this.#ports.traffic }
    const at = { config: { ...config, ports }, settings: this.#settings(config), before }
    return { door: trafficDoor({ clock, log, exchanges, metrics, door, ...at }), leave }
  }

  #tlsDoor({ options }: GatewayTls): Standing<FrontDoor> {
    const { door, leave } = this.#door()
    // A listener asks for names where it asked first, whatever certificates it is given later.
    const SNICallback: typeof options.SNICallback = (name, done) => {
      const ask = this.#certificates?.options.SNICallback
      if (ask === undefined) done(null)
      else ask(name, done)
    }
    const made = new FrontDoor(Object.assign(door, { tls: { ...options, SNICallback } }))
    this.#certificates?.onChange(changed => made.useTls(changed))
    return { door: made, leave }
  }

  #door() {
    const { clock, exchanges, onRefused } = this.#options
    const doors = this
    let isLeaving = false
    const door = {
      ...{ clock, onRefused },
      onRequest: (caller: Caller) => exchanges.handle(caller),
      isEnding: () => doors.#isEnding || isLeaving,
      get proxyProtocol() {
        return doors.#config.proxyProtocol
      },
    }
    const leave = () => {
      isLeaving = true
    }
    return { door, leave }
  }

  #useCertificates(certificates: GatewayTls | undefined, tls: Standing<FrontDoor> | undefined): void {
    const before = this.#certificates
    const left = this.#tls
    this.#certificates = certificates
    this.#tls = tls
    if (certificates !== undefined && tls !== undefined) {
      tls.door.useTls(certificates.options)
      certificates.onChange(changed => tls.door.useTls(changed))
    }
    if (left !== undefined && left !== tls) {
      this.#ports.tls = undefined
      left.leave()
      left.door.close()
      this.#left.add(async () => left.door.destroy())
    }
    before?.[Symbol.dispose]()
  }

  /** Its requests go on; a HAProxy that has none ends, at the latest after the time of a drain. */
  #leave({ door, leave }: Standing<TrafficDoor>): void {
    const { log } = this.#options
    const mostMs = durationMs(this.#config.drain.timeout)
    const isProcess = door.isByHaproxy
    const end = async () => {
      this.#left.delete(end)
      await door[Symbol.asyncDispose]()
    }
    this.#left.add(end)
    leave()
    const leaving = (async () => {
      await door.ends()
      await door.close(mostMs, this.#hurry.signal)
      if (isProcess) await end()
    })().catch((error: unknown) =>
      log.warn({ why: messageOf(error) }, 'a door whose place another one took did not end in order'),
    )
    this.#leaving.add(leaving)
    void leaving.then(() => this.#leaving.delete(leaving))
  }

  #settings(config: GatewayConfig): ProxySettings {
    return { ...proxySettings(config), mostPending: this.#options.mostPending }
  }
}

/** What HAProxy is started with. */
function startedWith({ timeouts, dataPlane, accessLog, proxyProtocol, coldStartHeader }: GatewayConfig) {
  const { request, responseHeader, connect } = timeouts
  return { request, responseHeader, connect, dataPlane, accessLog, proxyProtocol, coldStartHeader }
}
