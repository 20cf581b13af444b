// Whether a plan may take its next moves by its canary and its signals: asked before the first move, after the canary, and between waves.
import { formatTime } from '#kube/time/time.ts'
import type { RebalancePlan, RebalancePlanStatus, RebalancePolicy } from '../../api.ts'
import type { ClusterView } from '../../facts/cluster-view.ts'
import { canaryOf, type Stage, stageOf } from './canary.ts'
import type { SignalReader } from './signal-reader.ts'
import { type Reading, readingWords, worstOf } from './signals.ts'
import { hasMoved } from './ways-back.ts'

/** A plan that is held back by signals asks them again after so long. */
const askAgainMs = 60_000

type Write = (change: (status: RebalancePlanStatus) => RebalancePlanStatus, signal: AbortSignal) => Promise<void>

interface TrialContext {
  readonly reader: SignalReader | undefined
  readonly view: Pick<ClusterView, 'state'>
  readonly policy: () => RebalancePolicy | undefined
  readonly plan: () => RebalancePlan
  /** Plans that are kept. */
  readonly plans: () => readonly RebalancePlan[]
  readonly write: Write
  readonly now: () => number
}

type TrialEnd =
  /** Its moves are over, and signals stayed unknown. */
  | { readonly kind: 'unsure'; readonly message: string }
  | { readonly kind: 'waits'; readonly message: string; readonly retryMs: number }
  | {
      readonly kind: 'stop'
      readonly message: string
      /** To be written with the end of the plan. */
      readonly stopped: NonNullable<NonNullable<RebalancePlanStatus['trial']>['stopped']>
    }

const moments = {
  begin: 'before the first move',
  canary: 'after the canary',
  wave: 'between waves',
  end: 'after the last move',
} as const

export class Trial {
  readonly #context: TrialContext

  constructor(context: TrialContext) {
    this.#context = context
  }

  get #auto() {
    const plan = this.#context.plan()
    // What undoes a plan that a signal stopped waits for no signal.
    return plan.spec.purpose === 'move' && plan.spec.rollsBack === undefined ? this.#context.policy()?.spec.auto : undefined
  }

  /** The moves that may go before the rest; `undefined`: all may. */
  first(): ReadonlySet<string> | undefined {
    return canaryOf(this.#context.plan(), this.#auto)
  }

  /** Why the next moves may not begin; `undefined`: they may. No move of the plan is under way. */
  async gate(signal: AbortSignal): Promise<TrialEnd | undefined> {
    for (;;) {
      const nowMs = this.#context.now()
      const stage = stageOf(this.#context.plan(), this.#auto, nowMs)
      switch (stage.kind) {
        case 'free':
          return undefined
        case 'canary-done':
          await this.#note({ canaryDoneAt: formatTime(nowMs) }, signal)
          break
        case 'waits': {
          const which = stage.moves === 1 ? 'the first move is' : `the first ${stage.moves} moves are`
          const message = `${which} over: the rest waits until ${formatTime(stage.untilMs)}, then the signals are asked`
          return { kind: 'waits', message, retryMs: stage.untilMs - nowMs }
        }
        case 'settles': {
          const message = `all moves are over: the signals are asked once more at ${formatTime(stage.untilMs)}`
          return { kind: 'waits', message, retryMs: stage.untilMs - nowMs }
        }
        case 'judge':
          return this.#judge(stage, signal)
      }
    }
  }

  async #judge(stage: Stage & { readonly kind: 'judge' }, signal: AbortSignal): Promise<TrialEnd | undefined> {
    const { moment } = stage
    const { reader, view, plan, now } = this.#context
    const signals = this.#auto?.signals ?? []
    const before = plan().status?.trial
    const known = { state: view.state(), ready: before?.ready ?? [] }
    const { readings, ready } =
      reader === undefined ? { readings: signals.map(unread), ready: known.ready } : await reader.read(signals, known, signal)
    const at = formatTime(now())
    const isGreen = worstOf(readings) === 'green'
    const passed = { begin: { begunAt: at }, canary: { canaryPassedAt: at }, wave: {}, end: { endedAt: at } }[moment]
    const told = toldSignals(before?.signals ?? [], readings, at)
    const isNews = told !== before?.signals || ready !== known.ready || (isGreen && moment !== 'wave')
    if (isNews && (readings.length > 0 || isGreen))
      await this.#note({ signals: told, ...(ready.length === 0 ? {} : { ready }), ...(isGreen ? passed : {}) }, signal)
    if (isGreen) return undefined
    const words = readingWords(readings)
    if (moment !== 'begin' && worstOf(readings) === 'red') {
      const rollsBack = this.#auto?.rollBack === true && hasMoved(plan(), this.#context.plans())
      return { kind: 'stop', message: `stopped ${moments[moment]}: ${words}`, stopped: { at, rollsBack } }
    }
    if (stage.moment === 'end' && stage.isFinal) return { kind: 'unsure', message: `${words} ${moments.end}` }
    return { kind: 'waits', message: `held back ${moments[moment]}: ${stateWords(readings)}`, retryMs: askAgainMs }
  }

  async #note(change: NonNullable<RebalancePlanStatus['trial']>, signal: AbortSignal): Promise<void> {
    await this.#context.write(status => ({ ...status, trial: { ...status.trial, ...change } }), signal)
  }
}

function unread({ name }: { readonly name: string }): Reading {
  return { name, state: 'unknown', message: 'nobody reads signals here' }
}

/** Without figures: they change each time, and the message is an event. */
function stateWords(readings: readonly Reading[]): string {
  return readings
    .filter(({ state }) => state !== 'green')
    .map(({ name, state }) => `signal ${name} is ${state}`)
    .join('; ')
}

type Told = NonNullable<NonNullable<RebalancePlanStatus['trial']>['signals']>

/** The very same list where no state changed: what is only another figure is not written. */
function toldSignals(before: Told, readings: readonly Reading[], at: string): Told {
  const known = new Map(before.map(one => [one.name, one]))
  const isSame = before.length === readings.length && readings.every(({ name, state }) => known.get(name)?.state === state)
  if (isSame) return before
  return readings.map(one => {
    const old = known.get(one.name)
    return old?.state === one.state ? old : { ...one, at }
  })
}
