// What the three requesters have in common, as a capability of Ballast would have it: wishes that follow from what the cluster shows now,
// an answer of the arbiter to each, the effect under the permit, and its end written down. Nothing is remembered but refusals: killed
// anywhere, the next one begins with the permits that are out and with what the cluster shows then.

import type { Reply } from '#coordination/arbiter/hearing.ts'
import type { ControllerContext, Leading, Running } from '#coordination/capability.ts'
import { type Intent, targetKey, wishKey } from '#coordination/intent.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import { isActive, type PermitRecord } from '#coordination/permits/permit-record.ts'
import { messageOf } from '#kube/log.ts'
import type { Progress } from './workloads.ts'

export type Acted =
  | {
      readonly kind: 'acted'
      /** Generation of the workload after it; what is older does not show it yet. */
      readonly generation: number
    }
  | { readonly kind: 'failed'; readonly reason: string }

/** What one requester is. */
export interface Requester {
  readonly name: string
  /** What is wanted at this moment; nothing that the cluster shows already. */
  wishes(): readonly Intent[]
  /** Carries out what a permit allows; safe to call again. */
  act(permit: Permit, signal: AbortSignal): Promise<Acted>
  /** How far the effect of a permit has come, as our watches show it: they may still show what was before it. */
  progress(record: PermitRecord, acted: Acted & { readonly kind: 'acted' }): Progress
  /** Nothing of the workload runs: writes what its next start shall take along. */
  prepareStart?(intent: Intent, signal: AbortSignal): Promise<void>
}

/** What a requester heard, in order: `granted`, `coalesced`, `deny owner`, … with the key of the wish. */
export interface Heard {
  readonly atMs: number
  readonly requester: string
  readonly key: string
  readonly answer: string
  /** When a deferred wish may pass. */
  readonly untilMs?: number
}

const intervals = {
  /** A wish that was refused for good is told again after this long. */
  deniedMs: 10 * 60_000,
  idleMs: 60_000,
  errorMs: 1_000,
} as const

class WishLoop {
  readonly #context: ControllerContext
  readonly #leading: Leading
  readonly #requester: Requester
  readonly #hear: (heard: Heard) => void
  readonly #stop = new AbortController()
  /** Wishes and permits that are being seen to. */
  readonly #open = new Map<string, Promise<void>>()
  /** Wishes that wait for an answer: taken back when nobody wishes them any more. */
  readonly #asking = new Map<string, AbortController>()
  readonly #deniedUntil = new Map<string, number>()

  constructor(context: ControllerContext, leading: Leading, requester: Requester, hear: (heard: Heard) => void) {
    this.#context = context
    this.#leading = leading
    this.#requester = requester
    this.#hear = hear
  }

  start<Config>(outer: AbortSignal): Running<Config> {
    const signal = AbortSignal.any([outer, this.#stop.signal])
    const running = this.#run(signal)
    return {
      health: () => [{ name: 'loop', ok: true }],
      reconfigure: async () => 'restart-part',
      [Symbol.asyncDispose]: async () => {
        this.#stop.abort(new DOMException(`${this.#requester.name} is stopped`, 'AbortError'))
        await running
        await Promise.all(this.#open.values())
      },
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context
    const { arbiter, view } = this.#leading
    while (!signal.aborted) {
      for (const record of arbiter.unfinished(this.#requester.name))
        this.#see(wishKey(record), () => this.#follow(arbiter.adopt(record), signal), signal)
      const wishes = new Map(this.#requester.wishes().map(intent => [wishKey(intent), intent]))
      for (const [key, asking] of this.#asking)
        if (!wishes.has(key)) asking.abort(new DOMException('not wished any more', 'AbortError'))
      for (const [key, intent] of wishes)
        if ((this.#deniedUntil.get(key) ?? 0) <= clock.now()) this.#see(key, () => this.#pursue(intent, signal), signal)
      try {
        let looked = 0
        await view.until(() => (looked++ > 0 ? true : undefined), { limitMs: intervals.idleMs, signal })
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  #see(key: string, work: () => Promise<void>, signal: AbortSignal): void {
    if (this.#open.has(key)) return
    const done = this.#untilDone(work, signal).finally(() => {
      this.#open.delete(key)
      if (!signal.aborted) this.#leading.view.ring()
    })
    this.#open.set(key, done)
  }

  async #untilDone(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (signal.aborted) return
      this.#context.log.warn({ capability: this.#requester.name, why: messageOf(error) }, 'tried again')
      await this.#context.clock.after(intervals.errorMs, signal).catch(() => undefined)
    }
  }

  async #pursue(intent: Intent, signal: AbortSignal): Promise<void> {
    const reply = await this.#ask(intent, signal)
    if (reply === undefined) return
    this.#tell(intent, reply)
    if (reply.kind === 'granted') return this.#follow(reply.permit, signal)
    const { verdict } = reply
    const { clock } = this.#context
    switch (verdict.kind) {
      case 'coalesced':
        // The holder of the permit does it; how it ends decides whether anything is left to wish for.
        await this.#untilEnded(verdict.into, signal)
        return
      case 'no-op':
        if (verdict.objection.rule === 'nothing-runs') await this.#requester.prepareStart?.(intent, signal)
        else this.#deniedUntil.set(wishKey(intent), clock.now() + intervals.deniedMs)
        return
      case 'absorbed':
      case 'defer':
      case 'deny':
        this.#deniedUntil.set(wishKey(intent), clock.now() + intervals.deniedMs)
        return
      default:
        verdict satisfies never
    }
  }

  /** The arbiter's answer; `undefined` when the wish was taken back before. */
  async #ask(intent: Intent, signal: AbortSignal): Promise<Reply | undefined> {
    const key = wishKey(intent)
    const asking = new AbortController()
    this.#asking.set(key, asking)
    try {
      const either = AbortSignal.any([signal, asking.signal])
      const first = await this.#leading.arbiter.request(intent, either)
      if (first.kind === 'granted' || (first.verdict.kind !== 'defer' && first.verdict.kind !== 'absorbed')) return first
      this.#tell(intent, first)
      return await this.#leading.arbiter.obtain(intent, either)
    } catch (error) {
      if (!signal.aborted && asking.signal.aborted) return undefined
      throw error
    } finally {
      this.#asking.delete(key)
    }
  }

  async #follow(permit: Permit, signal: AbortSignal): Promise<void> {
    const { arbiter, view } = this.#leading
    const { record } = permit
    const acted = await this.#requester.act(permit, signal)
    if (acted.kind === 'failed') {
      const { clock } = this.#context
      const { requester, idempotencyKey: key } = record
      this.#hear({ atMs: clock.now(), requester, key, answer: acted.reason })
      // The same change is refused again.
      this.#deniedUntil.set(wishKey(record), clock.now() + intervals.deniedMs)
      return arbiter.release(record, { ending: 'failed', reason: acted.reason }, signal)
    }
    const limitMs = Math.max(0, record.grant.expiresAtMs - this.#context.clock.now())
    const ended = await view.until(
      () => {
        const progress = this.#requester.progress(record, acted)
        return progress === 'under-way' ? undefined : progress
      },
      { limitMs, signal },
    )
    const end =
      ended === 'done'
        ? { ending: 'done' as const, reason: 'the rollout is over' }
        : { ending: 'failed' as const, reason: ended === undefined ? 'it took too long' : 'its rollout is stuck' }
    await arbiter.release(record, end, signal)
  }

  async #untilEnded(record: PermitRecord, signal: AbortSignal): Promise<void> {
    const { arbiter, view } = this.#leading
    const isOut = () =>
      arbiter.records().some(one => one.name === record.name && one.namespace === record.namespace && isActive(one))
    await view.until(() => (isOut() ? undefined : true), { limitMs: intervals.idleMs, signal })
  }

  #tell(intent: Intent, reply: Reply): void {
    const answer = reply.kind === 'granted' ? 'granted' : wordsOf(reply.verdict)
    this.#hear({ atMs: this.#context.clock.now(), requester: this.#requester.name, key: intent.idempotencyKey, answer })
  }
}

/** `deny owner`, `defer lock`, `coalesced`, … */
export function wordsOf(verdict: Exclude<Reply, { kind: 'granted' }>['verdict']): string {
  return 'objection' in verdict ? `${verdict.kind} ${verdict.objection.rule}` : verdict.kind
}

/** Starts a requester's loop; `hear` is told each answer. */
export async function startWishes<Config>(
  context: ControllerContext,
  parts: { readonly requester: (leading: Leading) => Requester; readonly hear: (heard: Heard) => void },
  signal: AbortSignal,
): Promise<Running<Config>> {
  const { leading } = context
  if (leading === undefined) throw new Error('a requester acts only where it leads')
  const requester = parts.requester(leading)
  await context.informers.allSynced(signal)
  return new WishLoop(context, leading, requester, parts.hear).start<Config>(signal)
}

/** `Deployment/shop/cart`: part of a wish's key. */
export function subjectOf(workload: { readonly kind: string; readonly namespace: string; readonly name: string }): string {
  return `${workload.kind}/${targetKey(workload)}`
}
