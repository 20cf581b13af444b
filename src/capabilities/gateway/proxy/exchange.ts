// One request from its arrival to the end of its answer: routed, counted, held while its target starts, forwarded, tried again.
import { STATUS_CODES } from 'node:http'
import type { Readable } from 'node:stream'
import type { Cancel } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { waitPage, wantsPage } from '../cold/wait-page.ts'
import type { Presence } from '../counts/request-counts.ts'
import { type Endpoint, leastBusy, type Target } from '../endpoints/targets.ts'
import type { Place, Release } from '../holding/waiting-room.ts'
import { heldForm } from '../llm/held-form.ts'
import { HeldStream, heldRequestHeaders } from '../llm/held-stream.ts'
import { classify, hasLlmBody, type LlmRequest, mostLookedAt } from '../llm/llm-request.ts'
import { tierFor } from '../llm/model-tiers.ts'
import { peekBody } from '../llm/peeked-body.ts'
import type { Route, ServicePort } from '../routing/route.ts'
import { accessLine } from './access-log.ts'
import type { Caller } from './caller.ts'
import type { ExchangeWorld, RouteEntry } from './exchange-world.ts'
import { type Abort, type Answering, type Outcome, plainAnswering } from './forward.ts'
import type { Upgraded } from './forward-http1.ts'
import { heldBytesOf } from './held-bytes.ts'
import { answerBody, answerStatic, answerText, coldStartHeader } from './own-answers.ts'
import { forwardedHeaders, isLoop, valuesOf } from './request-head.ts'
import { splice } from './splice.ts'

/** As upstream dials: so often, and for so long where no deadline is nearer. */
const againMs = 50
const dialMs = 60_000
/** A connection that was kept may be gone; a second one in a row is no accident. */
const mostStale = 2
/** A fallback without a time of its own is asked after so long. */
const fallbackMs = 30_000
/** A client left before it was answered, as web servers write it. */
const leftStatus = 499
/** Signs of life of JSON, where a route says nothing of how often. */
const standardHeartbeatMs = 15_000

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
  #body: Readable | undefined
  #hasLeave = false
  #llm: LlmRequest | undefined
  /** An answer that began before its target was there. */
  #held: HeldStream | undefined
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
    if (isLoop(this.#caller.head)) {
      this.#all.log.info({ route: entry.route.key }, 'a request went round: the route may lead to the gateway itself')
      answerText(this.#caller, 508)
      return
    }
    if (this.#answeredByRule(entry) || this.#answeredFromList(entry)) return
    this.#count(entry)
    const { head } = this.#caller
    if (entry.route.hints.llm && hasLlmBody(head.method, head.path)) void this.#look(entry)
    else this.#begin(entry)
  }

  #count(entry: RouteEntry): void {
    this.#entry = entry
    // Who forwarded it counts it as long as it is here.
    if (this.#caller.head.isForwarded === true) return
    this.#presence = this.#all.counts.arrive(entry.route.key)
  }

  #uncount(): void {
    this.#presence?.leave()
    this.#presence = undefined
  }

  /** What models there are is answered from memory while their server sleeps: such questions are not counted. */
  #answeredFromList(entry: RouteEntry): boolean {
    const { reception } = this.#all
    const { route } = entry
    if (reception === undefined || !this.#isList(route) || this.#all.isReady(entry)) return false
    const kept = reception.lists.answer(route.key, this.#question())
    if (kept !== undefined) answerBody(this.#caller, { status: 200, ...kept })
    return kept !== undefined
  }

  #isList({ hints }: Route): boolean {
    const { method, path } = this.#caller.head
    if (!hints.llm) return false
    return classify({ method, path, contentType: undefined, body: new Uint8Array(), isWhole: true })?.kind === 'list'
  }

  #question() {
    const { method, target, host, passed: headers } = this.#caller.head
    return { method, target, host, headers }
  }

  /** The model that a request names may choose the target, and whether a stream is expected says how it waits. */
  async #look(entry: RouteEntry): Promise<void> {
    const caller = this.#caller
    const { head, body } = caller
    if (body === undefined) {
      this.#begin(entry)
      return
    }
    const gone = new AbortController()
    this.#cancels.push(() => gone.abort(new DOMException('the client left', 'AbortError')))
    caller.sendContinue()
    this.#hasLeave = true
    try {
      const peeked = await peekBody(body, mostLookedAt, gone.signal)
      if (this.#isOver) return
      this.#body = peeked.body
      const contentType = valuesOf(head, 'content-type')[0]
      this.#llm = classify({ method: head.method, path: head.path, contentType, body: peeked.first, isWhole: peeked.isWhole })
    } catch (error) {
      if (this.#isOver) return
      this.#all.log.info({ route: entry.route.key, why: messageOf(error) }, 'the body of a request did not come')
      caller.destroy()
      return
    }
    this.#begin(this.#chosen(entry))
  }

  /** The route that answers for the model, in the namespace of the one that was asked. */
  #chosen(entry: RouteEntry): RouteEntry {
    const { hints, namespace } = entry.route
    const model = this.#llm === undefined || this.#llm.kind === 'list' ? undefined : this.#llm.model
    const name = tierFor(hints.modelTiers, model)
    const chosen = name === undefined ? undefined : this.#all.entry(`${namespace}/${name}`)
    if (chosen === undefined || chosen === entry) return entry
    this.#uncount()
    this.#count(chosen)
    return chosen
  }

  #begin(entry: RouteEntry): void {
    const { route } = entry
    const target = this.#all.targets.of(route.namespace, route.target)
    if (target.problem !== undefined) {
      this.#all.log.warn({ route: route.key, why: target.problem }, 'a request has no target')
      this.#refuse(500)
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

  /** An answer of ours: within a stream that has begun in the words of its protocol. */
  #refuse(status: number, more: readonly string[] = []): void {
    if (this.#held?.isHeld === true) this.#held.fail({ status, why: `${status} ${STATUS_CODES[status] ?? ''}`.trim() })
    else answerText(this.#caller, status, [...this.#coldStart(), ...more])
  }

  /** Once a target was ready, every answer says whether the request had waited for it. */
  #coldStart(): readonly string[] {
    const isSaid = this.#all.settings.coldStartHeader && this.#forwardedMs !== undefined
    return isSaid ? [coldStartHeader, this.#wasHeld ? 'true' : 'false'] : []
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
    if (!isReady && this.#shown(entry)) return
    const bytes = heldBytesOf(this.#caller)
    const most = route.mostPending ?? (settings.mostPending > 0 ? settings.mostPending : undefined)
    if (!room.admits(route.key, bytes, most)) {
      metrics?.rejected(route)
      if (route.overflow === 'Placeholder' && route.placeholder !== undefined) this.#answer(route, route.placeholder)
      else if (route.hints.overflowToFallback && route.fallback !== undefined) this.#toFallback(entry, route.fallback)
      else this.#refuse(503, ['Retry-After', String(this.#all.retryAfterSeconds(entry))])
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
    if (!isReady) {
      this.#all.reception?.begin(route.key)
      this.#openStream(entry)
    }
    this.#all.held(entry)
  }

  /** People get a page that says how far the start is, and keep the target wanted by looking at it. */
  #shown(entry: RouteEntry): boolean {
    const { route } = entry
    const { reception } = this.#all
    const { head } = this.#caller
    if (reception === undefined || route.hints.waiting !== 'page' || !wantsPage(head.method, head.passed)) return false
    reception.begin(route.key)
    this.#all.linger(entry)
    const progress = reception.progress(route.key)
    const page = waitPage({ name: route.name, host: head.authority, target: head.target, progress })
    answerBody(this.#caller, page)
    return true
  }

  /** A client that expects a stream gets its head at once, and signs of life until the target is there. */
  #openStream({ route }: RouteEntry): void {
    const { hints, key } = route
    const everyMs = hints.heartbeatMs ?? (hints.heartbeatJson ? standardHeartbeatMs : undefined)
    const form = heldForm(this.#llm, { spaces: hints.heartbeatJson })
    if (this.#held !== undefined || everyMs === undefined || form === undefined) return
    const { clock, reception, settings } = this.#all
    const model = this.#llm === undefined || this.#llm.kind === 'list' ? undefined : this.#llm.model
    const held = new HeldStream({ form, model, sink: this.#caller, now: () => clock.now() })
    this.#held = held
    const progress = () => reception?.progress(key) ?? { stage: 'queued' }
    held.open(progress(), settings.coldStartHeader ? [coldStartHeader, 'true'] : [])
    const alive = () => {
      if (!held.isHeld || this.#isOver) return
      held.alive(progress())
      this.#cancels.push(clock.schedule(everyMs, alive))
    }
    this.#cancels.push(clock.schedule(everyMs, alive))
  }

  #released(entry: RouteEntry, why: Release): void {
    if (this.#isOver || why === 'left') return
    const { fallback } = entry.route
    if (why === 'go') this.#forward(entry)
    else if (why === 'ended') this.#refuse(503, ['Retry-After', '1'])
    else if (fallback !== undefined) this.#toFallback(entry, fallback)
    else this.#refuse(504)
  }

  #toFallback(entry: RouteEntry, fallback: ServicePort): void {
    const { namespace } = entry.route
    const target = this.#all.targets.of(namespace, fallback)
    if (target.problem !== undefined) {
      this.#all.log.warn({ route: entry.route.key, why: target.problem }, 'a fallback has no target')
      this.#refuse(500)
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
    const passed = forwardedHeaders(head, { address: caller.address, isTls: caller.isTls })
    const extraHeaders = settings.coldStartHeader && !isFallback ? [coldStartHeader, this.#wasHeld ? 'true' : 'false'] : []
    const expectsContinue = head.expectsContinue && !this.#hasLeave
    const answers = this.#answers(entry, extraHeaders)
    const forwarding = {
      caller,
      body: this.#body ?? caller.body,
      expectsContinue,
      endpoint,
      wire: isTls && target.wire === 'http' ? ('https' as const) : target.wire,
      serverName: `${service}.${route.namespace}`,
      headers: this.#held === undefined ? passed : heldRequestHeaders(passed),
      target: head.target,
      responseHeaderMs: route.timeouts.responseHeaderMs ?? settings.responseHeaderMs,
      extraHeaders,
      moved: () => this.#presence?.moved(),
      ...(answers === undefined ? {} : { answers }),
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
    const { http1, http2 } = this.#all.forwarders
    const abort =
      forwarding.wire === 'h2c' && head.upgrade === undefined
        ? http2.forward(forwarding, done)
        : http1.forward(forwarding, done, upgraded => this.#upgraded(upgraded, done, forwarding.extraHeaders))
    if (!isDone) this.#abort = abort
    if (this.#isOver) abort()
    if (this.#wasHeld) this.#all.reception?.look(route.key)
  }

  /** Who takes the target's answer in the client's place; undefined: nobody does. */
  #answers({ route }: RouteEntry, extraHeaders: readonly string[]): Answering | undefined {
    const { reception } = this.#all
    const isList = reception !== undefined && this.#isList(route)
    const isFirst = reception !== undefined && this.#wasHeld
    if (!isList && !isFirst) return this.#held
    const to: Answering = this.#held ?? plainAnswering(this.#caller, extraHeaders)
    const recording = isList ? reception.lists.record(route.key, this.#question()) : undefined
    return {
      head: (status, reason, headers) => {
        if (isFirst) reception.starts.answered(route.key)
        recording?.head(status, headers)
        to.head(status, reason, headers)
      },
      write: chunk => {
        recording?.write(chunk)
        return to.write(chunk)
      },
      end: trailers => {
        recording?.end()
        to.end(trailers)
      },
      broken: why => to.broken(why),
    }
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
      this.#refuse(outcome.isLate ? 504 : 502)
      return
    }
    if (outcome.isStale && ++this.#stale <= mostStale && !isFallback) {
      this.#forward(entry)
      return
    }
    const leftMs = dialMs - (clock.elapsed() - (this.#forwardedMs ?? clock.elapsed()))
    if (outcome.isStale || leftMs <= againMs) {
      log.info({ route: route.key, why: outcome.why }, 'a target was not reached')
      this.#refuse(outcome.isStale ? 502 : 504)
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
      this.#refuse(504)
      return
    }
    const abort = this.#abort
    this.#abort = undefined
    if (this.#caller.hasAnswered && this.#held?.isHeld !== true) this.#caller.destroy()
    else this.#refuse(504)
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
    this.#uncount()
    if (this.#wasHeld && entry !== undefined) this.#all.left(entry)
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
}
