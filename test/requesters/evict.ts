// A test double of what evicts in an upstream's place: asks for a list of evictions, one after the other as the upstream asked for them,
// and evicts under each permit. Each is asked for once; what is deferred is asked for until it is granted.
import { Placement } from '#cluster/placement.ts'
import type { ControllerContext, Leading } from '#coordination/capability.ts'
import { evict, evictPermission } from '#coordination/effects/evict.ts'
import type { DisruptionClass, FitProof, Intent, Purpose, Target } from '#coordination/intent.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { snapshotHash } from '#planning/snapshot-hash.ts'
import { requesterCapability } from './requester-capability.ts'
import { type Heard, wordsOf } from './wish-loop.ts'

/** One eviction that is wished. */
export interface EvictionWish {
  readonly namespace: string
  readonly pod: string
  readonly class: DisruptionClass
  readonly purpose: Purpose
  /** After the first. */
  readonly afterMs: number
}

export interface EvictionOptions {
  readonly name: string
  readonly wishes: readonly EvictionWish[]
  readonly hear: (heard: Heard) => void
}

const deadlineMs = 12 * 3_600_000
const timeToLiveMs = 10 * 60_000
const shortestWaitMs = 1_000
const longestWaitMs = 30_000
const nothingMore = { after: Promise.resolve() }

export function evictionRequester({ name, wishes, hear }: EvictionOptions) {
  return requesterCapability({
    name,
    disrupts: 'evict',
    permission: evictPermission,
    start: async (context, outer) => {
      const { leading } = context
      if (leading === undefined) throw new Error('a requester acts only where it leads')
      const stop = new AbortController()
      const evictions = new Evictions(context, leading, { name, hear })
      const running = evictions.run(wishes, AbortSignal.any([outer, stop.signal]))
      return {
        health: () => [],
        reconfigure: async () => 'restart-part',
        async [Symbol.asyncDispose]() {
          stop.abort(new DOMException(`${name} is stopped`, 'AbortError'))
          await running
        },
      }
    },
  })
}

class Evictions {
  readonly #context: ControllerContext
  readonly #leading: Leading
  readonly #options: Pick<EvictionOptions, 'name' | 'hear'>

  constructor(context: ControllerContext, leading: Leading, options: Pick<EvictionOptions, 'name' | 'hear'>) {
    this.#context = context
    this.#leading = leading
    this.#options = options
  }

  async run(wishes: readonly EvictionWish[], signal: AbortSignal): Promise<void> {
    const { clock, informers } = this.#context
    const later: Promise<void>[] = []
    try {
      await informers.allSynced(signal)
      const startMs = clock.elapsed()
      for (const wish of wishes) {
        await clock.after(Math.max(0, startMs + wish.afterMs - clock.elapsed()), signal)
        const { after } = await this.#ask(wish, signal)
        later.push(after)
        after.catch(() => undefined)
      }
      await Promise.all(later)
    } catch (error) {
      if (!signal.aborted) throw error
      await Promise.allSettled(later)
    }
  }

  /** Asks once, and evicts if that is granted. `after` is what goes on meanwhile. */
  async #ask(wish: EvictionWish, signal: AbortSignal): Promise<{ readonly after: Promise<void> }> {
    const intent = this.#intentOf(wish)
    if (intent === undefined) return nothingMore
    const reply = await this.#leading.arbiter.request(intent, signal)
    const nowMs = this.#context.clock.now()
    const { name, hear } = this.#options
    const untilMs = reply.kind === 'not-granted' && reply.verdict.kind === 'defer' ? reply.verdict.untilMs : undefined
    const answer = reply.kind === 'granted' ? 'granted' : wordsOf(reply.verdict)
    hear({ atMs: nowMs, requester: name, key: intent.idempotencyKey, answer, ...(untilMs === undefined ? {} : { untilMs }) })
    if (reply.kind === 'granted') return this.#evict(reply.permit, signal)
    // An upstream does not come back to what a budget refused before its next cycle, which is not part of the recording.
    if (untilMs === undefined || answer === 'defer disruption-budget') return nothingMore
    return { after: this.#again(wish, untilMs - nowMs, signal) }
  }

  async #again(wish: EvictionWish, waitMs: number, signal: AbortSignal): Promise<void> {
    await this.#context.clock.after(Math.max(shortestWaitMs, Math.min(longestWaitMs, waitMs)), signal)
    const { after } = await this.#ask(wish, signal)
    await after
  }

  /** Evicts; `after` follows the replacement until it is there. */
  async #evict(permit: Permit, signal: AbortSignal): Promise<{ readonly after: Promise<void> }> {
    const { effects, arbiter } = this.#leading
    const [target] = permit.record.targets
    if (target === undefined) throw new Error('a permit that names nothing')
    const outcome = await evict(effects, permit, target, signal)
    if (outcome.kind === 'evicted') return { after: this.#follow(permit, target, signal) }
    await arbiter.release(permit.record, { ending: 'failed', reason: outcome.kind }, signal)
    return nothingMore
  }

  async #follow(permit: Permit, target: Target, signal: AbortSignal): Promise<void> {
    const { arbiter, view } = this.#leading
    const isWhole = () => {
      const pods = [...view.state().pods.values()]
      const siblings = pods.filter(({ workload }) => workload !== undefined && workloadKey(workload) === permit.record.workload)
      const isGone = pods.every(({ uid }) => uid !== target.uid)
      return isGone && siblings.length > 0 && siblings.every(({ isReady }) => isReady) ? true : undefined
    }
    const found = await view.until(isWhole, { limitMs: timeToLiveMs / 2, signal })
    const ending = found === true ? 'done' : 'failed'
    await arbiter.release(
      permit.record,
      { ending, reason: found === true ? 'its replacement is Ready' : 'no replacement came' },
      signal,
    )
  }

  #intentOf(wish: EvictionWish): Intent | undefined {
    const state = this.#leading.view.state()
    const pod = state.pods.get(`${wish.namespace}/${wish.pod}`)
    if (pod?.workload === undefined) return undefined
    const target = { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid }
    return {
      requester: this.#options.name,
      verb: 'evict',
      purpose: wish.purpose,
      class: wish.class,
      targets: [target],
      workload: pod.workload,
      disrupts: [target],
      reasons: [{ code: 'upstream', message: 'what the upstream did' }],
      idempotencyKey: pod.uid,
      deadlineMs: this.#context.clock.now() + deadlineMs,
      timeToLiveMs,
      unlabelled: 'descheduler',
      proof: this.#proofOf(`${wish.namespace}/${wish.pod}`),
    }
  }

  #proofOf(key: string): FitProof {
    const state = this.#leading.view.state()
    const pod = state.pods.get(key)
    const placement = new Placement(state, this.#leading.settings)
    if (pod === undefined) return { snapshotHash: '', nodes: [] }
    const replacement = placement.asPending(pod)
    placement.remove(key)
    return { snapshotHash: snapshotHash(state), nodes: placement.evaluate(replacement).landing }
  }
}
