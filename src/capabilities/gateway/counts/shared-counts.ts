// Requests of each route over all replicas of the gateway: our own at once, the others' by asking them twice a second.
import * as z from 'zod'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { RateWindow } from './rate-window.ts'
import type { RequestCounts, RouteCount } from './request-counts.ts'

/** Another replica's admin port. */
export interface Peer {
  /** `10.0.0.7:9090`, by which it is known. */
  readonly authority: string
}

/** The body that a replica answers with at `path`. @throws Error where none came in time, or too much */
type AskPeer = (peer: Peer, path: string, signal: AbortSignal) => Promise<{ readonly status: number; readonly body: string }>

/** The admin path by which a replica says that it has news. */
export const changedPath = '/changed'

/** What a scaler wants to know of a route. */
export interface SharedCount {
  readonly concurrency: number
  /** Milliseconds since a request came or a byte moved, anywhere; Infinity: never, as far as is known. */
  readonly quietMs: number
}

interface PeerCounts {
  instance: string | undefined
  readonly routes: Map<string, { readonly concurrency: number; readonly total: number; readonly quietMs: number }>
  readMs: number
}

/** Upstream's tick. */
const tickMs = 500
/** What wakes a target goes round at once, but no more often than so. */
const leastGapMs = 20
/** Replicas that are asked. */
const mostPeers = 64
const mostRoutes = 100_000

const whole = z.number().int().min(0)
const ours = z.object({
  instance: z.string(),
  routes: z.record(z.string(), z.object({ concurrency: whole, total: whole, quietMs: z.number().min(0).nullable() })),
})
const upstreams = z.record(z.string(), z.object({ Concurrency: z.number().int(), RequestCount: whole }))

interface SharedOptions {
  readonly clock: Clock
  readonly log: Log
  readonly own: RequestCounts
  /** The others at this moment. */
  readonly peers: () => readonly Peer[]
  readonly ask: AskPeer
  /** What is measured of each round. */
  readonly onRound?: (round: { readonly tookMs: number; readonly peers: number; readonly unreached: number }) => void
  readonly tickMs?: number
}

export class SharedCounts {
  readonly #options: SharedOptions
  readonly #peers = new Map<string, PeerCounts>()
  readonly #ownTotals = new Map<string, number>()
  readonly #windows = new Map<string, RateWindow>()
  readonly #listeners = new Set<(keys: ReadonlySet<string>) => void>()
  #wake: (() => void) | undefined
  #isHurried = false
  #signal: AbortSignal | undefined
  #telling: 'no' | 'once' | 'again' = 'no'

  constructor(options: SharedOptions) {
    this.#options = options
  }

  /** Over all replicas. */
  of(key: string): SharedCount {
    const { own, clock } = this.#options
    let { concurrency, quietMs } = own.of(key)
    for (const { routes, readMs } of this.#peers.values()) {
      const count = routes.get(key)
      if (count === undefined) continue
      concurrency += count.concurrency
      quietMs = Math.min(quietMs, count.quietMs + clock.elapsed() - readMs)
    }
    return { concurrency, quietMs }
  }

  /** Requests for each piece of `granularityMs` over the last `windowMs`; a route is measured from when it is first asked for. */
  rate(key: string, { windowMs, granularityMs }: { readonly windowMs: number; readonly granularityMs: number }): number {
    const known = this.#windows.get(key)
    const nowMs = this.#options.clock.elapsed()
    if (known?.isOf(windowMs, granularityMs)) {
      // What came since the last round is known of our own.
      this.#recordOwn(key, known, nowMs)
      return known.rate(nowMs)
    }
    const window = new RateWindow(windowMs, granularityMs)
    this.#windows.set(key, window)
    this.#ownTotals.set(key, this.#options.own.of(key).total)
    window.record(nowMs, 0)
    return window.rate(nowMs)
  }

  /** Requests of all routes and replicas at this moment. */
  all(): number {
    let sum = this.#options.own.all
    for (const { routes } of this.#peers.values()) for (const { concurrency } of routes.values()) sum += concurrency
    return sum
  }

  /** Calls `onChange` with routes whose numbers at other replicas changed. */
  watch(onChange: (keys: ReadonlySet<string>) => void): Disposable {
    this.#listeners.add(onChange)
    return { [Symbol.dispose]: () => void this.#listeners.delete(onChange) }
  }

  /** Asks the others until `signal` is aborted; while there is none it waits for news. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, tickMs: givenMs = tickMs, peers } = this.#options
    this.#signal = signal
    while (!signal.aborted) {
      await this.round(signal)
      try {
        if (!this.#isHurried) await this.#news(signal, peers().length === 0 ? undefined : givenMs)
        else await clock.after(leastGapMs, signal)
        this.#isHurried = false
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  /** Others may have come, or one of them has news: they are asked before their time. */
  hurry(): void {
    this.#isHurried = true
    this.#wake?.()
  }

  /** A target is wanted here that sleeps: whoever asks another replica is to hear of it before that one asks by itself. */
  tellOthers(): void {
    if (this.#telling === 'no') void this.#tell()
    else this.#telling = 'again'
  }

  async #tell(): Promise<void> {
    const { clock, log, peers, ask } = this.#options
    const signal = this.#signal
    if (signal === undefined || peers().length === 0) return
    this.#telling = 'once'
    await Promise.all(
      peers()
        .slice(0, mostPeers)
        .map(async peer => {
          try {
            await ask(peer, changedPath, signal)
          } catch (error) {
            // It asks by itself in a moment.
            log.debug({ peer: peer.authority, why: messageOf(error) }, 'another replica was not told')
          }
        }),
    )
    try {
      await clock.after(leastGapMs, signal)
    } catch {
      return // the process ends
    }
    const isAgain = this.#now() === 'again'
    this.#telling = 'no'
    if (isAgain) this.tellOthers()
  }

  #now(): 'no' | 'once' | 'again' {
    return this.#telling
  }

  /** Waits until somebody has news, or for `mostMs`. @throws `signal.reason` */
  async #news(signal: AbortSignal, mostMs: number | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    this.#wake = resolve
    const cancel = mostMs === undefined ? undefined : this.#options.clock.schedule(mostMs, resolve)
    try {
      await promise
    } finally {
      cancel?.()
      this.#wake = undefined
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Asks each of the others once. */
  async round(signal: AbortSignal): Promise<void> {
    const { clock, log, onRound } = this.#options
    const peers = this.#options.peers().slice(0, mostPeers)
    const begunMs = clock.elapsed()
    const present = new Set(peers.map(({ authority }) => authority))
    const changed = new Set<string>()
    for (const [authority, { routes }] of this.#peers)
      if (!present.has(authority)) {
        for (const [key, { concurrency }] of routes) if (concurrency > 0) changed.add(key)
        this.#peers.delete(authority)
      }
    let unreached = 0
    await Promise.all(
      peers.map(async peer => {
        try {
          this.#take(peer, await this.#read(peer, signal), changed)
        } catch (error) {
          if (signal.aborted) return
          unreached++
          log.debug(
            { peer: peer.authority, why: messageOf(error) },
            'another replica does not say its counts: its last ones stay',
          )
        }
      }),
    )
    const nowMs = clock.elapsed()
    for (const [key, window] of this.#windows) {
      if (this.#isGone(key)) this.#windows.delete(key)
      else this.#recordOwn(key, window, nowMs)
    }
    onRound?.({ tookMs: nowMs - begunMs, peers: peers.length, unreached })
    if (changed.size > 0) for (const listener of this.#listeners) listener(changed)
  }

  async #read(peer: Peer, signal: AbortSignal): Promise<PeerCounts> {
    const { ask, clock } = this.#options
    const answer = await ask(peer, '/counts', signal)
    const readMs = clock.elapsed()
    if (answer.status === 200) {
      const { instance, routes } = ours.parse(JSON.parse(answer.body))
      const entries = Object.entries(routes).slice(0, mostRoutes)
      return {
        instance,
        readMs,
        routes: new Map(
          entries.map(([key, { quietMs, ...count }]) => [key, { ...count, quietMs: quietMs ?? Number.POSITIVE_INFINITY }]),
        ),
      }
    }
    if (answer.status !== 404) throw new Error(`status ${answer.status}`)
    // Upstream's interceptor, as during an exchange.
    const queue = await ask(peer, '/queue', signal)
    if (queue.status !== 200) throw new Error(`status ${queue.status}`)
    const entries = Object.entries(upstreams.parse(JSON.parse(queue.body))).slice(0, mostRoutes)
    return {
      instance: undefined,
      readMs,
      routes: new Map(
        entries.map(([key, { Concurrency, RequestCount }]) => [
          key,
          { concurrency: Math.max(0, Concurrency), total: RequestCount, quietMs: Concurrency > 0 ? 0 : Number.POSITIVE_INFINITY },
        ]),
      ),
    }
  }

  #take({ authority }: Peer, counts: PeerCounts, changed: Set<string>): void {
    const before = this.#peers.get(authority)
    // An address may be another process's by now: its numbers begin anew.
    const isAnew = before !== undefined && before.instance !== counts.instance
    for (const [key, { concurrency, total }] of counts.routes) {
      const known = before?.routes.get(key)
      if ((known?.concurrency ?? 0) !== concurrency) changed.add(key)
      if (known === undefined) continue
      const delta = isAnew || total < known.total ? total : total - known.total
      if (delta > 0) this.#windows.get(key)?.record(counts.readMs, delta)
    }
    for (const [key, { concurrency }] of before?.routes ?? []) if (concurrency > 0 && !counts.routes.has(key)) changed.add(key)
    this.#peers.set(authority, counts)
  }

  #recordOwn(key: string, window: RateWindow, nowMs: number): void {
    const { total } = this.#options.own.of(key)
    const known = this.#ownTotals.get(key) ?? 0
    // A route that was forgotten and came back counts from nothing.
    window.record(nowMs, total < known ? total : total - known)
    this.#ownTotals.set(key, total)
  }

  #isGone(key: string): boolean {
    const count: RouteCount = this.#options.own.of(key)
    const isGone =
      count.total === 0 &&
      ![...this.#peers.values()].some(({ routes }) => routes.has(key)) &&
      ![...this.#options.own.keys()].includes(key)
    if (isGone) this.#ownTotals.delete(key)
    return isGone
  }
}
