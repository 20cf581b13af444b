// The gate of one running wave: raised before the first of its pods goes, asked before each that follows.
import type { PlanMove, RebalancePlan } from '../../api.ts'
import { askingOf } from '../names.ts'
import { type GateAnswer, holdDecision, holdLimits } from './landing-decision.ts'
import { type HoldContext, holdWave } from './landing-gate.ts'
import { askGate } from './landing-probe.ts'

/** What is known of the gate over the waves of one run of a plan. */
export class WaveGate {
  readonly #context: HoldContext
  readonly #plan: RebalancePlan
  #probe: { readonly name: string; readonly namespace: string } | undefined
  #last: { readonly answer: GateAnswer; readonly atMs: number } | undefined
  #asking: Promise<string | undefined> | undefined
  #wasInVain = false

  constructor(context: HoldContext, plan: RebalancePlan) {
    this.#context = context
    this.#plan = plan
  }

  /**
   * Writes the configuration for `moves`. What is under way already is followed first: who waited in vain before asks now, everybody else
   * when the next pod is to go. @returns why the gate cannot be relied on; `undefined`: nothing speaks against it
   */
  async raise(moves: readonly PlanMove[], signal: AbortSignal): Promise<string | undefined> {
    const name = await holdWave(this.#context, { plan: this.#plan, moves }, signal)
    this.#probe = { name, namespace: moves[0]?.pod.namespace ?? 'default' }
    this.#last = undefined
    return this.#wasInVain ? this.silence(signal) : undefined
  }

  /** Why a pod that is made now would not be gated, asked for as long as there is patience; `undefined`: it would. Several that ask at once share the answer. */
  async silence(signal: AbortSignal): Promise<string | undefined> {
    this.#asking ??= this.#ask(signal).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #ask(signal: AbortSignal): Promise<string | undefined> {
    const { clock } = this.#context.effects
    const beganMs = clock.elapsed()
    for (;;) {
      const answer = await this.#answer(signal)
      const decision = holdDecision(answer, { silentMs: clock.elapsed() - beganMs, wasInVain: this.#wasInVain })
      if (decision.kind === 'held') {
        this.#wasInVain = false
        return undefined
      }
      if (decision.kind === 'prefer') {
        this.#wasInVain = true
        return decision.why
      }
      await clock.after(decision.ms, signal)
    }
  }

  async #answer(signal: AbortSignal): Promise<GateAnswer> {
    const { effects } = this.#context
    const nowMs = effects.clock.elapsed()
    if (this.#last?.answer.kind === 'gated' && nowMs - this.#last.atMs < holdLimits.freshMs) return this.#last.answer
    if (this.#probe === undefined) return { kind: 'ungated', why: 'the gate was not raised' }
    const { requester } = askingOf(this.#plan)
    const answer = await askGate(effects, { ...this.#probe, requester }, signal)
    this.#last = { answer, atMs: effects.clock.elapsed() }
    return answer
  }
}
