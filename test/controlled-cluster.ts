// A twin with Ballast's controller on a virtual clock, and a hand that can kill the controller between any two bytes it sends.

import { Registry } from 'prom-client'
import { deschedule } from '#capabilities/deschedule'
import type { OwnerLabel } from '#cluster/ownership.ts'
import {
  type DisruptionPermit,
  overPhases,
  type RebalancePlan,
  type RebalancePolicy,
  rebalancePlans,
  rebalancePolicies,
} from '#coordination/api.ts'
import type { Capability, WebhookEndpoint } from '#coordination/capability.ts'
import { singlesOf } from '#coordination/permits/shared-permit.ts'
import type { ArbiterPolicy } from '#coordination/policy/arbiter-policy.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport, TransportRequest, TransportStream } from '#kube/client/transport.ts'
import { type Clock, systemClock, VirtualClock } from '#kube/clock.ts'
import { type Log, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { problemSentence } from '#kube/problem.ts'
import { seededRandom } from '#kube/random.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import type { Solution, Solve } from '#planning/solving/solve.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { controllerToken, installBallast } from '../src/deployment/install-ballast.ts'
import { shiftedClock } from '../src/kube/testdata/shifted-clock.ts'
import { runController } from '../src/process/controller/controller.ts'
import { ControllerHealth } from '../src/process/health/controller-health.ts'
import { SharedWebhooks } from '../src/process/webhooks/shared-webhooks.ts'
import { startWebhookEndpoint } from '../src/process/webhooks/webhook-endpoint.ts'
import { DisruptionWitness } from './disruption-witness.ts'
import { MortalWebhooks } from './mortal-webhooks.ts'
import { warmSolve } from './warm-solver.ts'

export const namespace = 'ballast-system'
/** Where every test's clock begins. */
export const startMs = Date.parse('2026-03-02T04:00:00Z')

/** Kills before or after the n-th write of the controllers of a cluster, counted over all of them. */
export interface Kill {
  readonly write: number
  readonly when: 'before' | 'after'
}

/** Takes the webhooks away from the moment at which the n-th write is sent, for so many milliseconds. */
export interface Outage {
  readonly write: number
  readonly forMs: number
}

export interface ControlledOptions {
  readonly objects: readonly KubeObject[]
  /** Namespaces that Ballast is installed into: there before it. */
  readonly before?: readonly KubeObject[]
  readonly kill?: Kill
  readonly seed?: number
  /** Serves the controllers' webhooks over HTTPS, so that landings are held and not only preferred. They die with their controller. */
  readonly hold?: boolean
  /** Its controllers serve webhooks with the certificate of the Secret that all replicas share. */
  readonly sharesCertificate?: boolean
  /** The webhooks are away though their controller lives. */
  readonly outage?: Outage
  /** What the controllers run; default: deschedule. */
  readonly capabilities?: readonly Capability[]
  /** Sections of the configuration by capability. */
  readonly configurations?: Readonly<Record<string, unknown>>
  readonly arbiter?: Partial<ArbiterPolicy> & { readonly ownerLabel?: OwnerLabel }
  /** Paths that may be listed and not watched, and how often what may not be watched is listed unasked. */
  readonly unwatchable?: { readonly paths: RegExp; readonly pollMs: number }
  /** What stands between controllers and the server. */
  readonly between?: (inner: Transport, clock: Clock) => Transport
}

/** Answers of the solver are kept: the same model has the same answer, and hundreds of runs need not spawn hundreds of processes. */
const answers = new Map<string, Promise<Solution>>()
const solveOnce: Solve = (model, options) => {
  const key = JSON.stringify([model, options])
  const known = answers.get(key) ?? warmSolve(model, options, new AbortController().signal)
  answers.set(key, known)
  return known
}

interface EventObject extends KubeObject {
  readonly type?: string
  readonly reason?: string
  readonly note?: string
  readonly regarding?: { readonly kind?: string; readonly name?: string }
}

interface Parts {
  readonly twin: Twin
  readonly clock: VirtualClock
  readonly admin: Api
  readonly token: string
  readonly seed: number
  readonly kill: Kill | undefined
  readonly options: Omit<ControlledOptions, 'objects' | 'before' | 'kill' | 'seed' | 'hold'>
  readonly webhooks: (WebhookEndpoint & AsyncDisposable) | undefined
}

/** In which a process whose requests are refused has ended. */
const endingMs = 120_000

export class ControlledCluster implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly admin: Api
  /** What the controllers logged as errors. */
  readonly errors: { readonly facts: object; readonly message: string }[] = []
  /** What the controller that was started last counts. */
  metrics = new Registry()
  /** Told as somebody else's doing. */
  readonly byOthers: object[] = []
  readonly warnings: { readonly facts: object; readonly message: string }[] = []
  /** Health of the controller that was started last. */
  health = new ControllerHealth()
  /** What it serves webhooks with, where replicas share a certificate. */
  shared: SharedWebhooks | undefined
  /** Whether it ended by itself, and why. */
  ended: unknown
  /** Writes that reached the server, in order: verb and path. */
  readonly writes: string[] = []
  /** What controllers read and watched, in order. */
  readonly reads: string[] = []
  /** Answers of 403 to any controller. */
  readonly forbidden: string[] = []
  /** Every pod that was taken away since the objects were loaded. */
  readonly witness: DisruptionWitness
  readonly #token: string
  readonly #options: Parts['options']
  readonly #random: () => number
  readonly #webhooks: Parts['webhooks']
  /** Called with each write of a controller (verb and path) before it reaches the server: what else happens in the cluster just then. */
  meanwhile: (write: string) => Promise<void> | void = () => undefined
  /** Called with each list and watch of a controller before it reaches the server. */
  beforeRead: (path: string) => Promise<void> | void = () => undefined
  /** How far the wall clock of the controllers is from the cluster's, in milliseconds: somebody sets it, or NTP does. Durations are not touched. */
  clockIsOffByMs = 0
  #kill: Kill | undefined
  #controller: { stop: AbortController; dead: AbortController; done: Promise<void> } | undefined
  #served: MortalWebhooks | undefined
  #isOut = false
  #started = 0
  #closing: Promise<void> = Promise.resolve()
  /** The test is over: what a killed process still waits for is refused, so that it ends and is not kept in memory by its signals. */
  readonly #over = new AbortController()

  constructor(parts: Parts) {
    this.twin = parts.twin
    this.clock = parts.clock
    this.admin = parts.admin
    this.witness = new DisruptionWitness(parts.twin, parts.clock)
    this.#token = parts.token
    this.#options = parts.options
    this.#random = seededRandom(parts.seed)
    this.#kill = parts.kill
    this.#webhooks = parts.webhooks
  }

  get isAlive(): boolean {
    return this.#controller !== undefined && !this.#controller.dead.signal.aborted
  }

  /** How often a controller was started. */
  get started(): number {
    return this.#started
  }

  /** A new controller process with an identity of its own. */
  startController(): void {
    const stop = new AbortController()
    const dead = new AbortController()
    const direct = this.twin.transport({ token: this.#token })
    const transport = this.#mortal(this.#options.between?.(direct, this.clock) ?? direct, dead)
    this.health = new ControllerHealth()
    this.metrics = new Registry()
    const mortal = this.#webhooks === undefined ? undefined : new MortalWebhooks(this.#webhooks)
    this.#served = mortal
    if (this.#isOut) mortal?.goAway()
    dead.signal.addEventListener('abort', () => mortal?.goAway(), { once: true })
    const before = this.shared
    this.#closing = this.#closing.then(() => before?.[Symbol.asyncDispose]())
    this.shared = this.#options.sharesCertificate === true ? this.#sharedWebhooks() : undefined
    const webhooks = this.shared ?? mortal
    this.#started++
    const { unwatchable } = this.#options
    const done = runController({
      metrics: this.metrics,
      transport,
      clock: this.#controllerClock,
      random: this.#random,
      log: this.#log(dead.signal),
      identity: { name: `controller-${this.#started}`, namespace },
      capabilities: this.#options.capabilities ?? [deschedule],
      ...(this.#options.configurations === undefined ? {} : { configurations: this.#options.configurations }),
      ...(this.#options.arbiter === undefined ? {} : { arbiter: this.#options.arbiter }),
      solve: solveOnce,
      health: this.health,
      ...(webhooks === undefined ? {} : { webhooks }),
      ...(unwatchable === undefined
        ? {}
        : { tuning: { lists: { watchList: 'off' as const, pageSize: 500, pollMs: unwatchable.pollMs } } }),
      signal: AbortSignal.any([stop.signal, dead.signal]),
    })
    // A killed process ends in any way it likes.
    done.catch((error: unknown) => (this.ended ??= error))
    this.#controller = { stop, dead, done: done.catch(error => (dead.signal.aborted ? undefined : Promise.reject(error))) }
  }

  /** Ends the controller as SIGTERM does. */
  async stopController(): Promise<void> {
    const controller = this.#controller
    this.#controller = undefined
    controller?.stop.abort(new DOMException('shutdown', 'AbortError'))
    let ended = false
    const done = controller?.done.finally(() => {
      ended = true
    })
    if (done !== undefined) {
      await this.clock.runUntil(() => ended, { limitMs: 60_000 })
      await done
    }
  }

  /** Ends the controller as SIGKILL does; `until` starts another. */
  killController(): void {
    this.#controller?.dead.abort(new Error('killed'))
  }

  /** Virtual time until `done`; a controller that was killed is followed by a new one. */
  async until(done: () => boolean, limitMs = 3_600_000): Promise<void> {
    await this.clock.runUntil(
      () => {
        if (!this.isAlive) this.startController()
        return done()
      },
      { limitMs },
    )
  }

  /** Lets so many milliseconds pass, as `until` does. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.now() + ms
    // So that the clock has somewhere to go.
    this.clock.schedule(ms, () => undefined)
    await this.until(() => this.clock.now() >= untilMs, ms + 1_000)
  }

  list<T extends KubeObject>(resource: string): readonly T[] {
    // The twin's store holds what the API server validated.
    return this.twin.access.list(resource) as readonly T[]
  }

  /** Plans, oldest first: their names are drawn, and say nothing of their order. */
  plans(): readonly RebalancePlan[] {
    const madeAtMs = ({ metadata }: RebalancePlan) => Date.parse(metadata.creationTimestamp ?? '')
    return this.list<RebalancePlan>('rebalanceplans.ballast.dev').toSorted((a, b) => madeAtMs(a) - madeAtMs(b))
  }

  /** Events as a person reads them: `Warning DisruptionDenied Deployment web: …`. */
  async events(): Promise<readonly string[]> {
    const list = await this.admin.resource<EventObject>(builtIn.events).list({ signal: this.#signal })
    return list.items.map(
      ({ type, reason, regarding, note }) => `${type} ${reason} ${regarding?.kind} ${regarding?.name}: ${note}`,
    )
  }

  /** Each wish that was granted or asked for, also of those that share a permit. */
  permits(): readonly DisruptionPermit[] {
    return this.list<DisruptionPermit>('disruptionpermits.ballast.dev').flatMap(singlesOf)
  }

  /** Asks for a plan, approves each that is proposed, and follows them to the end of the last. */
  async rebalance(policy: string): Promise<void> {
    await this.ask(policy)
    await this.followPlans()
  }

  async followPlans(): Promise<void> {
    const ended = () => this.plans().length > 0 && this.plans().every(isOver)
    const waiting = () => this.plans().find(plan => plan.status?.phase === 'Proposed' && !plan.spec.approved)
    for (;;) {
      await this.until(() => ended() || waiting() !== undefined)
      const plan = waiting()
      if (plan === undefined) return
      await this.approve(plan)
    }
  }

  async ask(policy: string, value = 'now'): Promise<void> {
    const body = { metadata: { annotations: { 'ballast.dev/plan-now': value } } }
    await this.admin.resource<RebalancePolicy>(rebalancePolicies).patch(policy, { type: 'merge', body }, { signal: this.#signal })
  }

  /** What a person or another program does: a merge patch as administrator. */
  async change(
    resource: GroupVersionResource,
    at: { readonly name: string; readonly namespace?: string },
    body: object,
  ): Promise<void> {
    await this.admin
      .resource(resource)
      .patch(
        at.name,
        { type: 'merge', body },
        { signal: this.#signal, ...(at.namespace === undefined ? {} : { namespace: at.namespace }) },
      )
  }

  async approve(plan: RebalancePlan): Promise<void> {
    const body = { spec: { approved: true, approvedHash: plan.spec.snapshotHash } }
    await this.admin
      .resource<RebalancePlan>(rebalancePlans)
      .patch(plan.metadata.name, { type: 'merge', body }, { signal: this.#signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller?.dead.abort(new Error('the test is over'))
    this.#over.abort(new Error('the test is over'))
    this.witness[Symbol.dispose]()
    await this.twin.stop()
    // Its end is not awaited: time goes on for what it waits for, and no longer.
    await this.clock.advance(endingMs)
    await this.#webhooks?.[Symbol.asyncDispose]()
    await this.#closing
    await this.shared?.[Symbol.asyncDispose]()
  }

  #sharedWebhooks(): SharedWebhooks {
    return new SharedWebhooks({ host: '127.0.0.1', port: 0, bind: '127.0.0.1', clock: this.clock, log: silentLog })
  }

  get #controllerClock(): Clock {
    const { clock } = this
    return shiftedClock(clock, () => this.clockIsOffByMs)
  }

  get #signal(): AbortSignal {
    return new AbortController().signal
  }

  #log(dead: AbortSignal): Log {
    const nothing = () => undefined
    return {
      debug: nothing,
      info: (facts, message) => {
        if (!dead.aborted && message === 'disruption by others') this.byOthers.push(facts)
      },
      warn: (facts, message) => {
        if (!dead.aborted) this.warnings.push({ facts, message })
      },
      error: (facts, message) => {
        if (!dead.aborted) this.errors.push({ facts, message })
      },
    }
  }

  #breakOut({ forMs }: Outage): void {
    this.#isOut = true
    this.#served?.goAway()
    this.clock.schedule(forMs, () => {
      this.#isOut = false
      if (this.isAlive) this.#served?.comeBack()
    })
  }

  /** Counts writes, and dies at the one it is told to: nothing is sent or heard afterwards. */
  #mortal(inner: Transport, dead: AbortController): Transport {
    const die = () => {
      this.#kill = undefined
      dead.abort(new Error('killed'))
    }
    const over = this.#over.signal
    const alive = <T>(work: () => Promise<T>): Promise<T> => {
      if (!dead.signal.aborted) return work()
      const { promise, reject } = Promise.withResolvers<T>()
      const refuse = () => reject(new ConnectionError('the test is over'))
      if (over.aborted) refuse()
      else over.addEventListener('abort', refuse, { once: true })
      return promise
    }
    const withLife = (request: TransportRequest): TransportRequest => ({
      ...request,
      signal: AbortSignal.any([request.signal, dead.signal]),
    })
    return {
      request: request =>
        alive(async () => {
          if (request.verb === 'GET') {
            this.reads.push(`read ${request.path}`)
            return inner.request(withLife(request))
          }
          const number = this.writes.length + 1
          if (this.#kill?.when === 'before' && this.#kill.write === number) {
            die()
            throw new ConnectionError('killed')
          }
          this.writes.push(`${request.verb} ${request.path}`)
          if (this.#options.outage?.write === number) this.#breakOut(this.#options.outage)
          await this.meanwhile(`${request.verb} ${request.path}`)
          const answer = await inner.request(request)
          if (answer.status === 403) this.forbidden.push(`${request.verb} ${request.path}`)
          if (this.#kill?.when === 'after' && this.#kill.write === number) {
            die()
            throw new ConnectionError('killed')
          }
          return answer
        }),
      stream: request =>
        alive(async () => {
          const { path, query = {} } = request
          const isWatch = query['watch'] === 'true'
          this.reads.push(`${isWatch ? 'watch' : 'read'} ${path}`)
          await this.beforeRead(path)
          const isRefused = isWatch && this.#options.unwatchable?.paths.test(path) === true
          return isRefused ? forbidden() : inner.stream(withLife(request))
        }),
      close: () => inner.close(),
    }
  }
}

/** A twin with `objects`, Ballast installed by an administrator, and no controller yet. */
export async function controlledCluster(options: ControlledOptions): Promise<ControlledCluster> {
  const clock = new VirtualClock(startMs)
  const seed = options.seed ?? 1
  const twin = await startTwin({ clock, seed, objects: options.before ?? [] })
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test admin' })
  const { signal } = new AbortController()
  const { capabilities = [deschedule], configurations } = options
  await installBallast(admin, { capabilities, configurations, namespace, signal })
  const token = await controllerToken(admin, { namespace, seconds: 86_400, signal })
  const { problems } = twin.load(options.objects)
  if (problems.length > 0) throw new Error(`the twin leaves objects out: ${problems.map(problemSentence).join('; ')}`)
  await twin.settle({ limitMs: 120_000 })
  return new ControlledCluster({
    twin,
    clock,
    admin,
    token,
    seed: seed + 100,
    kill: options.kill,
    options,
    webhooks: options.hold === true ? await webhookEndpoint(clock) : undefined,
  })
}

async function webhookEndpoint(clock: VirtualClock): Promise<WebhookEndpoint & AsyncDisposable> {
  // Certificates are judged by the host's clock, whatever the cluster's says.
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'test authority', nowMs })
  const tls = await issueLeaf(authority, { commonName: 'webhooks', ipAddresses: ['127.0.0.1'], usages: ['server'], nowMs })
  return startWebhookEndpoint({
    tls,
    bundle: authority.certificate,
    reachedBy: { host: '127.0.0.1' },
    bind: '127.0.0.1',
    port: 0,
    clock,
    log: silentLog,
  })
}

/** What an API server says to who may not. */
function forbidden(): TransportStream {
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 403, reason: 'Forbidden', message: 'not allowed' }
  async function* chunks() {
    yield new TextEncoder().encode(JSON.stringify(status))
  }
  return { status: 403, headers: { 'content-type': 'application/json' }, chunks: chunks() }
}

function isOver(plan: RebalancePlan): boolean {
  return overPhases.some(phase => phase === plan.status?.phase)
}
