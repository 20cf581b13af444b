// One request from its arrival to the end of its answer: routed, counted, held while its target starts, forwarded, tried again.
import type { Cancel } from '#kube/clock.ts'
import type { Presence } from '../counts/request-counts.ts'
import { type Endpoint, leastBusy, type Target } from '../endpoints/targets.ts'
import type { Place, Release } from '../holding/waiting-room.ts'
import type { Route, ServicePort } from '../routing/route.ts'
import { accessLine } from './access-log.ts'
import type { Caller } from './caller.ts'
import type { ExchangeWorld, RouteEntry } from './exchange-world.ts'
import type { Abort, Answering, Outcome } from './forward.ts'
import type { Upgraded } from './forward-careful.ts'
import { answerStatic, answerText, coldStartHeader } from './own-answers.ts'
import { forwardedHeaders, valuesOf } from './request-head.ts'
import { splice } from './splice.ts'

/** As upstream dials: so often, and for so long where no deadline is nearer. */
const againMs = 50
const dialMs = 60_000
/** A connection that was kept may be gone; a second one in a row is no accident. */
const mostStale = 2
/** A fallback without a time of its own is asked after so long. */
const fallbackMs = 30_000
/** What a held request takes beside its body, and how much of a body waits with it; more stays with the client. */
const heldBytes = 4 * 1024
const heldBodyBytes = 64 * 1024
/** A client left before it was answered, as web servers write it. */
const leftStatus = 499

interface Sending {
  readonly entry: RouteEntry
  readonly target: Target
  readonly endpoint: Endpoint
  /** Name of the Service that it is of. */
  readonly service: string
  readonly isFallback: boolean
}

export class Exchange {
  readonly #all: ExchangeWorld
  readonly #caller: Caller
  readonly #arrivedMs: number
  #entry: RouteEntry | undefined
  #presence: Presence | undefined
  #place: Place | undefined
  #abort: Abort | undefined
  #isOver = false
  #wasHeld = false
  #forwardedMs: number | undefined
  #stale = 0
  #isUpgraded = false
  #answers: Answering | undefined
  readonly #cancels: Cancel[] = []

  constructor(all: ExchangeWorld, caller: Caller) {
    this.#all = all
    this.#caller = caller
    this.#arrivedMs = all.clock.elapsed()
    caller.onClose(() => this.#over())
  }

  start(entry: RouteEntry | undefined): void {
    if (entry === undefined) {
      answerText(this.#caller, 404)
      return
    }
    this.#entry = entry
    if (this.#answeredByRule(entry)) return
    const { route } = entry
    this.#presence = this.#all.counts.arrive(route.key)
    entry.presences.add(this.#presence)
    const target = this.#all.targets.of(route.namespace, route.target)
    if (target.problem !== undefined) {
      this.#all.log.warn({ route: route.key, why: target.problem }, 'a request has no target')
      answerText(this.#caller, 500)
      return
    }
    const requestMs = route.timeouts.requestMs ?? this.#all.settings.requestMs
    if (requestMs > 0) this.#cancels.push(this.#all.clock.schedule(requestMs, () => this.#late()))
    this.#proceed(entry)
  }

  /** Whether a rule of the route answers by itself: such requests are not counted. */
  #answeredByRule(entry: RouteEntry): boolean {
    const { head } = this.#caller
    const rule = entry.statics?.find(head.host, head.path, name => valuesOf(head, name))
    if (rule === undefined || (rule.mode === 'WhenUnavailable' && this.#all.isReady(entry))) return false
    this.#answer(entry.route, rule.answer)
    return true
  }

  #answer(route: Route, answer: Parameters<typeof answerStatic>[1]['answer']): void {
    const why = answerStatic(this.#caller, { route, answer, texts: this.#all.texts })
    if (why !== undefined) this.#all.log.warn({ route: route.key, why }, 'an answer of the route cannot be given')
  }

  #proceed(entry: RouteEntry): void {
    if (this.#all.isReady(entry) && this.#all.room.waiting(entry.route.key) === 0) this.#forward(entry)
    else this.#hold(entry)
  }

  #hold(entry: RouteEntry): void {
    const { route } = entry
    const { room, settings, metrics } = this.#all
    const isReady = this.#all.isReady(entry)
    const holdsFirst = route.overflow === 'Placeholder' && route.mostPending !== undefined
    if (!isReady && route.placeholder !== undefined && !holdsFirst) {
      this.#all.linger(entry)
      this.#answer(route, route.placeholder)
      return
    }
    const bytes = heldBytes + Math.min(this.#bodyBytes(), heldBodyBytes)
    const most = route.mostPending ?? (settings.mostPending > 0 ? settings.mostPending : undefined)
    if (!room.admits(route.key, bytes, most)) {
      metrics?.rejected(route)
      if (route.overflow === 'Placeholder' && route.placeholder !== undefined) this.#answer(route, route.placeholder)
      else if (route.hints.overflowToFallback && route.fallback !== undefined) this.#toFallback(entry, route.fallback)
      else answerText(this.#caller, 503, ['Retry-After', String(this.#all.retryAfterSeconds(entry))])
      return
    }
    this.#wasHeld ||= !isReady
    const told = route.timeouts.readinessMs ?? settings.readinessMs
    const readinessMs = told === 0 && route.fallback !== undefined ? fallbackMs : told
    const waited: Cancel[] = []
    const place = room.enter(route.key, bytes, why => {
      this.#place = undefined
      for (const cancel of waited) cancel()
      this.#released(entry, why)
    })
    this.#place = place
    if (readinessMs > 0) {
      const leftMs = readinessMs - (this.#all.clock.elapsed() - this.#arrivedMs)
      waited.push(this.#all.clock.schedule(Math.max(0, leftMs), () => place.leave('overdue')))
    }
    this.#all.held(entry)
  }

  #released(entry: RouteEntry, why: Release): void {
    if (this.#isOver || why === 'left') return
    const { fallback } = entry.route
    if (why === 'go') this.#forward(entry)
    else if (why === 'ended') answerText(this.#caller, 503, ['Retry-After', '1'])
    else if (fallback !== undefined) this.#toFallback(entry, fallback)
    else answerText(this.#caller, 504)
  }

  #toFallback(entry: RouteEntry, fallback: ServicePort): void {
    const { namespace } = entry.route
    const target = this.#all.targets.of(namespace, fallback)
    if (target.problem !== undefined) {
      this.#all.log.warn({ route: entry.route.key, why: target.problem }, 'a fallback has no target')
      answerText(this.#caller, 500)
      return
    }
    // A Service whose endpoints nobody told us of is asked by its name.
    const byName = { host: `${fallback.service}.${namespace}`, port: fallback.port ?? 80, inFlight: 0 }
    const endpoint = this.#one(target) ?? { ...byName, authority: `${byName.host}:${byName.port}` }
    this.#send({ entry, target, endpoint, service: fallback.service, isFallback: true })
  }

  #forward(entry: RouteEntry): void {
    if (this.#isOver) return
    const { route } = entry
    const target = this.#all.targets.of(route.namespace, route.target)
    const endpoint = this.#one(target, entry)
    if (endpoint === undefined) {
      // It was ready a moment ago.
      this.#hold(entry)
      return
    }
    this.#forwardedMs ??= this.#all.clock.elapsed()
    this.#send({ entry, target, endpoint, service: route.target.service, isFallback: false })
  }

  #one(target: Target, entry?: RouteEntry): Endpoint | undefined {
    const ready = entry === undefined ? target.endpoints : this.#all.readyEndpoints(entry)
    return leastBusy(ready, this.#all.nextTurn()) ?? target.outside
  }

  #send({ entry, target, endpoint, service, isFallback }: Sending): void {
    const caller = this.#caller
    const { route } = entry
    const { settings } = this.#all
    const { head } = caller
    const isTls = caller.isTls && settings.tlsToTargets
    const forwarding = {
      caller,
      endpoint,
      wire: isTls && target.wire === 'http' ? ('https' as const) : target.wire,
      serverName: `${service}.${route.namespace}`,
      headers: forwardedHeaders(head, { address: caller.address, isTls: caller.isTls }),
      target: head.target,
      responseHeaderMs: route.timeouts.responseHeaderMs ?? settings.responseHeaderMs,
      extraHeaders: settings.coldStartHeader && !isFallback ? [coldStartHeader, this.#wasHeld ? 'true' : 'false'] : [],
      moved: () => this.#presence?.moved(),
      ...(this.#answers === undefined ? {} : { answers: this.#answers }),
    }
    endpoint.inFlight++
    entry.inFlight++
    let isDone = false
    const done = (outcome: Outcome) => {
      if (isDone) return
      isDone = true
      endpoint.inFlight--
      entry.inFlight--
      this.#abort = undefined
      this.#sent(entry, outcome, isFallback)
      this.#all.advance(entry)
    }
    const { plain, careful, http2 } = this.#all.forwarders
    const isCareful = head.upgrade !== undefined || head.expectsContinue || head.sendsTrailers
    const abort =
      forwarding.wire === 'h2c' && head.upgrade === undefined
        ? http2.forward(forwarding, done)
        : isCareful
          ? careful.forward(forwarding, done, upgraded => this.#upgraded(upgraded, done, forwarding.extraHeaders))
          : plain.forward(forwarding, done)
    if (!isDone) this.#abort = abort
    if (this.#isOver) abort()
  }

  #sent(entry: RouteEntry, outcome: Outcome, isFallback: boolean): void {
    if (this.#isOver || outcome.kind === 'answered' || outcome.kind === 'left') return
    const { log, clock } = this.#all
    const { route } = entry
    if (outcome.kind === 'broken') {
      log.info({ route: route.key, why: outcome.why }, 'a target broke off within an answer')
      return
    }
    if (outcome.kind === 'failed') {
      log.info({ route: route.key, why: outcome.why }, 'a target did not answer')
      answerText(this.#caller, outcome.isLate ? 504 : 502)
      return
    }
    if (outcome.isStale && ++this.#stale <= mostStale && !isFallback) {
      this.#forward(entry)
      return
    }
    const leftMs = dialMs - (clock.elapsed() - (this.#forwardedMs ?? clock.elapsed()))
    if (outcome.isStale || leftMs <= againMs) {
      log.info({ route: route.key, why: outcome.why }, 'a target was not reached')
      answerText(this.#caller, outcome.isStale ? 502 : 504)
      return
    }
    this.#cancels.push(
      clock.schedule(againMs, () => {
        if (this.#isOver) return
        if (isFallback && route.fallback !== undefined) this.#toFallback(entry, route.fallback)
        else this.#forward(entry)
      }),
    )
  }

  #upgraded(upgraded: Upgraded, done: (outcome: Outcome) => void, extraHeaders: readonly string[]): void {
    const taken = this.#caller.takeOver?.()
    if (taken === undefined || this.#isOver) {
      upgraded.socket.destroy()
      done({ kind: 'left' })
      return
    }
    this.#isUpgraded = true
    for (const cancel of this.#cancels.splice(0)) cancel()
    const end = splice({
      taken,
      upgraded,
      extraHeaders,
      moved: () => this.#presence?.moved(),
      onEnd: () => {
        done({ kind: 'answered' })
        this.#over()
      },
    })
    this.#all.spliced.add(end)
    this.#cancels.push(() => void this.#all.spliced.delete(end))
  }

  /** The time for the whole request is over. */
  #late(): void {
    if (this.#isOver || this.#isUpgraded) return
    if (this.#place !== undefined) {
      this.#place.leave('left')
      answerText(this.#caller, 504)
      return
    }
    const abort = this.#abort
    this.#abort = undefined
    if (this.#caller.hasAnswered) this.#caller.destroy()
    else answerText(this.#caller, 504)
    abort?.()
  }

  /** The client is gone, or has everything. */
  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const cancel of this.#cancels.splice(0)) cancel()
    this.#place?.leave('left')
    this.#abort?.()
    const entry = this.#entry
    if (this.#presence !== undefined) {
      this.#presence.leave()
      entry?.presences.delete(this.#presence)
    }
    this.#report(entry?.route)
  }

  #report(route: Route | undefined): void {
    const caller = this.#caller
    const { metrics, clock, settings, log } = this.#all
    const tookMs = clock.elapsed() - this.#arrivedMs
    const status = this.#isUpgraded ? 101 : caller.hasAnswered ? caller.status : leftStatus
    metrics?.answered(caller.head.method, status, route, tookMs / 1000)
    if (settings.accessLog) log.info({ access: accessLine(caller, clock.now() - tookMs) }, 'request')
  }

  #bodyBytes(): number {
    const { contentLength, isChunked } = this.#caller.head
    return contentLength ?? (isChunked ? heldBodyBytes : 0)
  }
}
