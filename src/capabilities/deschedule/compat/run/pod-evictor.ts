// One eviction of a cycle: the arbiter is asked, the server asked under its permit, and how it ended written down. The only place of the
// drop-in that disrupts anything.
import type { Arbiter } from '#coordination/arbiter/arbiter.ts'
import type { Reply } from '#coordination/arbiter/hearing.ts'
import { type EffectContext, surelyOverMs } from '#coordination/effects/effect-context.ts'
import { evictAsUpstream } from '#coordination/effects/evict.ts'
import type { PermitEnd } from '#coordination/permits/ledger.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import { LeaseLostError } from '#kube/leases/lease.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { EvictionWish } from '../contract.ts'
import { type EvictionOutcome, evictionAnnotations, outcomeByPod, outcomeOf } from '../eviction.ts'
import { evictionIntent, targetOf } from './eviction-intent.ts'

interface PodEvictorOptions {
  readonly arbiter: Pick<Arbiter, 'request' | 'release'>
  readonly effects: EffectContext
  /** The server's preferred version of the group: `policy/v1`. */
  readonly evictionVersion: string
  readonly inBackground: boolean
  readonly log: Log
}

/** What evictions of one cycle have in common. */
interface EvictionTerms {
  /** Names the cycle. */
  readonly batch: string
  /** Absent: each pod's own. */
  readonly gracePeriodSeconds?: number
}

/** How often a pod is looked at whose eviction was not answered, and when: at the end of what the server may have worked on it. */
const looksMs: readonly number[] = [0, surelyOverMs]

export class PodEvictor {
  readonly #options: PodEvictorOptions

  constructor(options: PodEvictorOptions) {
    this.#options = options
  }

  /**
   * Evicts the pod of `wish`, once. Goes on to its end whoever wants to stop: an eviction under way has to be counted.
   * @throws LeaseLostError where we lead no more
   */
  async evict(wish: EvictionWish, terms: EvictionTerms): Promise<EvictionOutcome> {
    const { arbiter, effects } = this.#options
    // Each request of it has a time-out of its own.
    const { signal } = new AbortController()
    let reply: Reply
    try {
      reply = await arbiter.request(evictionIntent(wish, { nowMs: effects.clock.now(), batch: terms.batch }), signal)
    } catch (error) {
      if (error instanceof LeaseLostError) throw error
      return { kind: 'failed', why: 'unavailable', message: `the eviction could not be recorded: ${messageOf(error)}` }
    }
    if (reply.kind !== 'granted') return refusedBy(reply)
    const outcome = await this.#send({ wish, permit: reply.permit, terms }, signal)
    await this.#release(reply.permit, endOf(outcome), signal)
    return outcome
  }

  async #send(
    { wish, permit, terms }: { readonly wish: EvictionWish; readonly permit: Permit; readonly terms: EvictionTerms },
    signal: AbortSignal,
  ): Promise<EvictionOutcome> {
    const { effects, evictionVersion, inBackground } = this.#options
    const { gracePeriodSeconds } = terms
    const request = {
      pod: targetOf(wish),
      apiVersion: evictionVersion,
      annotations: evictionAnnotations(wish),
      ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    }
    try {
      await evictAsUpstream(effects, permit, request, signal)
      return { kind: 'evicted' }
    } catch (error) {
      if (error instanceof LeaseLostError) throw error
      const outcome = outcomeOf(error, wish.pod, { inBackground })
      return outcome.kind === 'unknown' ? await this.#readBack(wish, outcome.message, signal) : outcome
    }
  }

  /** No answer came: the pod says whether the server acted. */
  async #readBack({ pod }: EvictionWish, message: string, signal: AbortSignal): Promise<EvictionOutcome> {
    const { effects } = this.#options
    let why = message
    for (const delayMs of looksMs) {
      await effects.clock.after(delayMs, signal)
      try {
        const outcome = outcomeByPod(pod, await this.#podNow(pod, signal), message)
        if (outcome.kind === 'evicted') return outcome
        why = message
      } catch (error) {
        why = `${message}; the pod could not be read back: ${messageOf(error)}`
      }
    }
    return { kind: 'failed', why: 'unavailable', message: why }
  }

  async #podNow({ namespace, name }: EvictionWish['pod'], signal: AbortSignal): Promise<Pod | undefined> {
    try {
      return await this.#options.effects.api.resource<Pod>(builtIn.pods).get(name, { namespace, signal, priority: 'effect' })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async #release({ record }: Permit, end: PermitEnd, signal: AbortSignal): Promise<void> {
    const { arbiter, log } = this.#options
    try {
      await arbiter.release(record, end, signal)
    } catch (error) {
      if (error instanceof LeaseLostError) throw error
      log.warn({ permit: `${record.namespace}/${record.name}`, why: messageOf(error) }, 'how an eviction ended was not written')
    }
  }
}

/** What the arbiter's refusal is to the strategy. In mode `observe` it speaks for pods that are not what was meant, and for a freeze. */
function refusedBy({ verdict, sentence }: Exclude<Reply, { readonly kind: 'granted' }>): EvictionOutcome {
  const isStale = 'objection' in verdict && verdict.objection.rule === 'stale'
  return { kind: 'failed', why: isStale ? 'conflict' : 'refused', message: sentence }
}

function endOf(outcome: EvictionOutcome): PermitEnd {
  switch (outcome.kind) {
    case 'evicted':
      return { ending: 'done', reason: 'the pod is evicted' }
    case 'background':
    case 'ignored':
      return { ending: 'done', reason: 'somebody else evicts the pod' }
    case 'failed':
    case 'unknown':
      return { ending: 'failed', reason: outcome.message }
  }
}
