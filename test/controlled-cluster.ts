// A twin with Ballast's controller on a virtual clock, and a hand that can kill the controller between any two bytes it sends.
import { deschedule } from '#capabilities/deschedule'
import { type RebalancePlan, type RebalancePolicy, rebalancePlans, rebalancePolicies } from '#coordination/api.ts'
import type { WebhookEndpoint } from '#coordination/capability.ts'
import { type Api, openApi } from '#kube/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { ConnectionError } from '#kube/connection-error.ts'
import { type Log, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects.ts'
import { seededRandom } from '#kube/random.ts'
import type { GroupVersionResource } from '#kube/resource.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import type { Transport, TransportRequest } from '#kube/transport.ts'
import { type Solution, type Solve, solveInChild } from '#planning/solve.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { runController } from '../src/cli/controller.ts'
import { controllerToken, installBallast } from '../src/cli/install-ballast.ts'
import { startWebhookEndpoint } from '../src/cli/webhook-endpoint.ts'

export const namespace = 'ballast-system'
const startMs = Date.parse('2026-03-02T04:00:00Z')

/** Kills before or after the n-th write of the controllers of a cluster, counted over all of them. */
export interface Kill {
  readonly write: number
  readonly when: 'before' | 'after'
}

export interface ControlledOptions {
  readonly objects: readonly KubeObject[]
  readonly kill?: Kill
  readonly seed?: number
  /** Serves the controllers' webhooks over HTTPS, so that landings are held and not only preferred. */
  readonly hold?: boolean
}

/** Answers of the solver are kept: the same model has the same answer, and hundreds of runs need not spawn hundreds of processes. */
const answers = new Map<string, Promise<Solution>>()
const solveOnce: Solve = (model, options) => {
  const key = JSON.stringify([model, options])
  const known = answers.get(key) ?? solveInChild(model, options, new AbortController().signal)
  answers.set(key, known)
  return known
}

interface Parts {
  readonly twin: Twin
  readonly clock: VirtualClock
  readonly admin: Api
  readonly token: string
  readonly seed: number
  readonly kill: Kill | undefined
  readonly webhooks: (WebhookEndpoint & AsyncDisposable) | undefined
}

export class ControlledCluster implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly admin: Api
  /** What the controllers logged as errors. */
  readonly errors: { readonly facts: object; readonly message: string }[] = []
  /** Writes that reached the server, in order: verb and path. */
  readonly writes: string[] = []
  /** Answers of 403 to any controller. */
  readonly forbidden: string[] = []
  readonly #token: string
  readonly #random: () => number
  readonly #webhooks: Parts['webhooks']
  /** Called with each write of a controller (verb and path) before it reaches the server: what else happens in the cluster just then. */
  meanwhile: (write: string) => Promise<void> | void = () => undefined
  #kill: Kill | undefined
  #controller: { stop: AbortController; dead: AbortController; done: Promise<void> } | undefined
  #started = 0

  constructor(parts: Parts) {
    this.twin = parts.twin
    this.clock = parts.clock
    this.admin = parts.admin
    this.#token = parts.token
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
    const transport = this.#mortal(this.twin.transport({ token: this.#token }), dead)
    this.#started++
    const done = runController({
      transport,
      clock: this.clock,
      random: this.#random,
      log: this.#log(dead.signal),
      identity: { name: `controller-${this.#started}`, namespace },
      capabilities: [deschedule],
      solve: solveOnce,
      ...(this.#webhooks === undefined ? {} : { webhooks: this.#webhooks }),
      signal: AbortSignal.any([stop.signal, dead.signal]),
    })
    // A killed process ends in any way it likes.
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

  list<T extends KubeObject>(resource: string): readonly T[] {
    // The twin's store holds what the API server validated.
    return this.twin.access.list(resource) as readonly T[]
  }

  plans(): readonly RebalancePlan[] {
    return this.list<RebalancePlan>('rebalanceplans.ballast.dev')
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
    // Its end is not awaited: on a clock that stands still what it waits for does not come.
    this.#controller?.dead.abort(new Error('the test is over'))
    await this.twin.stop()
    await this.#webhooks?.[Symbol.asyncDispose]()
  }

  get #signal(): AbortSignal {
    return new AbortController().signal
  }

  #log(dead: AbortSignal): Log {
    const nothing = () => undefined
    return {
      debug: nothing,
      info: nothing,
      warn: nothing,
      error: (facts, message) => {
        if (!dead.aborted) this.errors.push({ facts, message })
      },
    }
  }

  /** Counts writes, and dies at the one it is told to: nothing is sent or heard afterwards. */
  #mortal(inner: Transport, dead: AbortController): Transport {
    const die = () => {
      this.#kill = undefined
      dead.abort(new Error('killed'))
    }
    const alive = <T>(work: () => Promise<T>): Promise<T> => (dead.signal.aborted ? new Promise<T>(() => undefined) : work())
    const withLife = (request: TransportRequest): TransportRequest => ({
      ...request,
      signal: AbortSignal.any([request.signal, dead.signal]),
    })
    return {
      request: request =>
        alive(async () => {
          if (request.verb === 'GET') return inner.request(withLife(request))
          const number = this.writes.length + 1
          if (this.#kill?.when === 'before' && this.#kill.write === number) {
            die()
            throw new ConnectionError('killed')
          }
          this.writes.push(`${request.verb} ${request.path}`)
          await this.meanwhile(`${request.verb} ${request.path}`)
          const answer = await inner.request(request)
          if (answer.status === 403) this.forbidden.push(`${request.verb} ${request.path}`)
          if (this.#kill?.when === 'after' && this.#kill.write === number) {
            die()
            throw new ConnectionError('killed')
          }
          return answer
        }),
      stream: request => alive(() => inner.stream(withLife(request))),
      close: () => inner.close(),
    }
  }
}

/** A twin with `objects`, Ballast installed by an administrator, and no controller yet. */
export async function controlledCluster(options: ControlledOptions): Promise<ControlledCluster> {
  const clock = new VirtualClock(startMs)
  const seed = options.seed ?? 1
  const twin = await startTwin({ clock, seed, objects: [] })
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test admin' })
  const { signal } = new AbortController()
  await installBallast(admin, { capabilities: [deschedule], namespace, signal })
  const token = await controllerToken(admin, { namespace, seconds: 86_400, signal })
  twin.load(options.objects)
  await twin.settle({ limitMs: 120_000 })
  return new ControlledCluster({
    twin,
    clock,
    admin,
    token,
    seed: seed + 100,
    kill: options.kill,
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

function isOver(plan: RebalancePlan): boolean {
  return ['Succeeded', 'Failed', 'Expired'].includes(plan.status?.phase ?? '')
}
