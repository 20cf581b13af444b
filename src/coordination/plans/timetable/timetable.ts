// A plan played against the arbiter's own rules with a ledger and a time that are made up: when each move would be let go and be over,
// or what refuses it and from when it would pass. It waits as the run of a plan waits. Pure.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { workloadObject } from '#planning/candidates/workload-object.ts'
import { type PlanPolicy, workloadKey } from '#planning/goals/policy.ts'
import type { StayReason } from '#planning/plan-record.ts'
import type { ArbiterSurroundings } from '../../arbiter/surroundings.ts'
import { factsFor } from '../../facts/facts.ts'
import type { Intent } from '../../intent.ts'
import { judge, rules } from '../../policy/judge.ts'
import type { Rule, Verdict } from '../../policy/question.ts'
import { disruptionBudget } from '../../policy/safety/disruption-budget.ts'
import { gate } from '../../policy/safety/gate.ts'
import { type MoveRequirements, moveLimits, readyLimitBy } from '../move-context.ts'
import { type AskedMove, moveIntent, requirementsOf } from '../move-intent.ts'
import type { Asking } from '../names.ts'
import { askedAgain, isPatientWith, staleMs } from '../patience.ts'
import { servesUsage } from '../usage/usage-moves.ts'
import { PlayedLedger } from './played-ledger.ts'
import { stayReasonOf } from './stay-reason.ts'
import { closedWindow } from './workload-window.ts'

export interface TimedMove extends AskedMove {
  readonly wave: number
}

export interface TimetableInput {
  /** In the order in which the plan has them. */
  readonly moves: readonly TimedMove[]
  readonly state: ClusterState
  readonly around: ArbiterSurroundings
  readonly asking: Asking
  readonly policy: PlanPolicy
  /** Name of the plan, as far as it has one. */
  readonly plan: string
  /** Under which its steps count once. */
  readonly batch: string
  /** When the windows let it go on: the first such moment at or after the one given; infinity where none comes. */
  readonly opensMs: (ms: number) => number
  /** How long a move takes, in seconds. */
  readonly seconds: (move: AskedMove) => number
  /** So many moves go first, and the rest waits so long after them. */
  readonly canary?: { readonly moves: number; readonly waitMs: number } | undefined
  readonly nowMs: number
}

type Entry =
  | { readonly kind: 'goes'; readonly id: string; readonly beginMs: number; readonly endMs: number }
  | {
      readonly kind: 'refused'
      readonly id: string
      readonly reason: StayReason
      /** What refuses it refuses every further move too. */
      readonly isForAll: boolean
    }

export interface Timetable {
  readonly beginMs: number
  /** When the last move is over; `beginMs` where none goes. */
  readonly endMs: number
  /** In the order of the moves. */
  readonly entries: readonly Entry[]
  /** Every move goes. */
  readonly isWhole: boolean
  /** The red gate that holds its first moves now, in words. How long it stays red nobody knows: the times count from its end. */
  readonly held?: string
}

/**
 * Budgets are counted by the order of the moves, pod by pod; their status, which this rule reads, says nothing of a time to come and is
 * missing in a dump of manifests.
 */
const playedRules = rules.filter(rule => rule !== disruptionBudget)

/** Questions that are played: far above what a plan of the most moves asks, and an end where rules would defer for ever. */
const mostAsks = 20_000

/**
 * When each move of a plan would go that is begun now. It assumes that nobody else asks for anything meanwhile, that permits of others end
 * as moves do or by their time, that gates are green once they let it begin, that budgets are as the plan counts them, and that every pod
 * lands as meant.
 */
export function timetableOf(input: TimetableInput): Timetable {
  const beginMs = input.opensMs(input.nowMs)
  if (!Number.isFinite(beginMs)) {
    const reason: StayReason = { code: 'WindowClosed', data: { message: "no window of the plan's policy opens any more" } }
    const entries = input.moves.map(({ id }): Entry => ({ kind: 'refused', id, reason, isForAll: true }))
    return { beginMs: input.nowMs, endMs: input.nowMs, entries, isWhole: entries.length === 0 }
  }
  const play = new Play(input, beginMs)
  const held = beginMs > input.nowMs ? undefined : play.held()
  const entries = play.play()
  const ends = entries.flatMap(entry => (entry.kind === 'goes' ? [entry.endMs] : []))
  return {
    beginMs,
    endMs: ends.reduce((latest, ms) => Math.max(latest, ms), beginMs),
    entries,
    isWhole: entries.every(({ kind }) => kind === 'goes'),
    ...(held === undefined ? {} : { held }),
  }
}

/** A move whose turn it is. */
interface Turn {
  readonly move: TimedMove
  readonly firstAskedMs: number
  refusals: number
  askMs: number
  /** A change before this does not make it ask. */
  deafUntilMs: number
}

interface Running {
  readonly move: TimedMove
  readonly beginMs: number
  readonly endMs: number
  readonly release: (ms: number) => void
}

type Worker =
  | { readonly kind: 'idle' }
  | { readonly kind: 'asks'; readonly asks: Turn }
  | { readonly kind: 'runs'; readonly runs: Running }

class Play {
  readonly #input: TimetableInput
  readonly #around: ArbiterSurroundings
  readonly #requirements: MoveRequirements
  readonly #ledger: PlayedLedger
  readonly #entries = new Map<string, Entry>()
  readonly #leftOut = new Map<string, StayReason>()
  #progressMs: number
  #asks = 0

  constructor(input: TimetableInput, beginMs: number) {
    this.#input = input
    this.#around = { ...input.around, ownNamespace: '', policy: { ...input.around.policy, freeze: false } }
    this.#requirements = requirementsOf(input.policy)
    this.#ledger = new PlayedLedger(input, beginMs)
    this.#progressMs = beginMs
  }

  /** What gate is red for one of the moves that would go first. */
  held(): string | undefined {
    const { moves } = this.#input
    const nowMs = this.#progressMs
    const first = Math.min(...moves.map(({ wave }) => wave))
    for (const move of moves.filter(({ wave }) => wave === first)) {
      const verdict = this.#judge(this.#intentOf(move, nowMs + staleMs), nowMs, { nowMs, asked: [gate], asksGates: true })
      if (verdict.kind === 'defer' && verdict.objection.rule === 'gate') return verdict.objection.message
    }
    return undefined
  }

  play(): readonly Entry[] {
    const { moves } = this.#input
    let nowMs = this.#progressMs
    const { canary } = this.#input
    const inOrder = moves.toSorted((a, b) => a.wave - b.wave)
    const first = canary === undefined || canary.moves >= moves.length ? inOrder : inOrder.slice(0, canary.moves)
    nowMs = this.#waves(first, nowMs)
    if (canary === undefined || first.length === moves.length) return this.#told()
    nowMs += canary.waitMs
    this.#ledger.endUntil(nowMs)
    this.#progressMs = nowMs
    this.#waves(inOrder.slice(first.length), nowMs)
    return this.#told()
  }

  #waves(moves: readonly TimedMove[], beginMs: number): number {
    let nowMs = beginMs
    for (const wave of Map.groupBy(moves, ({ wave }) => wave).values()) nowMs = this.#wave(wave, nowMs)
    return nowMs
  }

  #told(): readonly Entry[] {
    const { moves } = this.#input
    return moves.map(({ id }) => this.#entries.get(id) ?? unforeseen(id))
  }

  /** As many moves at once as the policy allows; each worker takes the next when its own is over. @returns when the last is */
  #wave(moves: readonly TimedMove[], beginMs: number): number {
    const queue = [...moves]
    const count = Math.min(this.#input.policy.limits.concurrent, queue.length)
    const workers: Worker[] = Array.from({ length: count }, () => ({ kind: 'idle' }))
    let nowMs = beginMs
    for (;;) {
      for (const [at, worker] of workers.entries()) workers[at] = this.#step(worker, queue, nowMs)
      const next = Math.min(...workers.map(nextMs))
      if (next === Number.POSITIVE_INFINITY) return nowMs
      const isWaitedFor = workers.some(({ kind }) => kind === 'asks')
      const freedMs = isWaitedFor ? this.#ledger.nextEndMs() : Number.POSITIVE_INFINITY
      nowMs = Math.max(nowMs, Math.min(next, freedMs))
      let isChanged = this.#ledger.endUntil(nowMs)
      for (const [at, worker] of workers.entries()) {
        if (worker.kind !== 'runs' || worker.runs.endMs > nowMs) continue
        this.#land(worker.runs)
        workers[at] = { kind: 'idle' }
        isChanged = true
      }
      if (isChanged) for (const worker of workers) if (worker.kind === 'asks') wake(worker.asks, nowMs)
    }
  }

  /** What a worker does at this moment: takes a move, asks for it, or goes on with what it does. */
  #step(worker: Worker, queue: TimedMove[], nowMs: number): Worker {
    let current = worker
    for (;;) {
      if (current.kind === 'runs') return current
      if (current.kind === 'idle') {
        const move = queue.shift()
        if (move === undefined) return current
        const left = this.#leftOut.get(workloadKey(move.workload))
        if (left !== undefined) this.#refuse(move, left, { nowMs, isForAll: false })
        else current = { kind: 'asks', asks: { move, firstAskedMs: nowMs, refusals: 0, askMs: nowMs, deafUntilMs: nowMs } }
        continue
      }
      if (current.asks.askMs > nowMs) return current
      current = this.#ask(current.asks, nowMs)
    }
  }

  #ask(asks: Turn, nowMs: number): Worker {
    const { move } = asks
    const opensMs = this.#input.opensMs(nowMs)
    if (++this.#asks > mostAsks) return this.#refuse(move, unforeseen(move.id).reason, { nowMs, isForAll: true })
    if (opensMs === Number.POSITIVE_INFINITY) {
      const reason: StayReason = { code: 'WindowClosed', data: { message: "no window of the plan's policy opens any more" } }
      return this.#refuse(move, reason, { nowMs, isForAll: true })
    }
    if (opensMs > nowMs) {
      // The run pauses, and takes the move up anew.
      this.#progressMs = Math.max(this.#progressMs, opensMs)
      return later({ ...asks, refusals: 0 }, opensMs, opensMs)
    }
    const deadlineMs = this.#progressMs + staleMs
    const closed = closedWindow(workloadObject(this.#input.state, move.workload), nowMs)
    if (closed !== undefined) {
      if (closed.opensMs <= deadlineMs) return later(asks, closed.opensMs, closed.opensMs)
      const until = Number.isFinite(closed.opensMs) ? { until: new Date(closed.opensMs).toISOString() } : {}
      return this.#refuse(move, { code: 'WindowClosed', data: { message: closed.message, ...until } }, { nowMs, isForAll: false })
    }
    const intent = this.#intentOf(move, deadlineMs)
    const verdict = this.#judge(intent, asks.firstAskedMs, { nowMs, asked: playedRules, asksGates: false })
    if (verdict.kind === 'grant') {
      const release = this.#ledger.grant(intent, nowMs)
      return { kind: 'runs', runs: { move, beginMs: nowMs, endMs: nowMs + this.#tookMs(move), release } }
    }
    return this.#notGranted(asks, verdict, nowMs)
  }

  #notGranted(asks: Turn, verdict: Exclude<Verdict, { kind: 'grant' }>, nowMs: number): Worker {
    const { move } = asks
    switch (verdict.kind) {
      case 'coalesced':
      case 'same':
        // It goes along with a rollout that is out, or was begun already.
        return { kind: 'runs', runs: { move, beginMs: nowMs, endMs: nowMs + this.#tookMs(move), release: () => undefined } }
      case 'absorbed':
        return later(asks, nowMs + moveLimits.longestRetryMs, nowMs)
      case 'no-op':
      case 'deny': {
        const untilMs = verdict.kind === 'deny' ? verdict.untilMs : undefined
        const { objection } = verdict
        const isForAll = objection.rule === 'cap' && objection.cap === 'per-hour'
        return this.#refuse(move, stayReasonOf(objection, untilMs), { nowMs, isForAll })
      }
      case 'defer': {
        const { objection, untilMs } = verdict
        const isWaiting = isPatientWith(objection.rule)
        const refusals = asks.refusals + (isWaiting ? 0 : 1)
        if (objection.rule === 'freeze' || refusals >= moveLimits.tries)
          return this.#refuse(move, stayReasonOf(objection, untilMs), { nowMs, isForAll: false })
        const wait = askedAgain({ isWaiting, refusals, untilMs: untilMs - nowMs })
        return later({ ...asks, refusals }, nowMs + wait.limitMs, nowMs + wait.leastMs)
      }
    }
  }

  #refuse(
    move: TimedMove,
    reason: StayReason,
    { nowMs, isForAll }: { readonly nowMs: number; readonly isForAll: boolean },
  ): Worker {
    this.#entries.set(move.id, { kind: 'refused', id: move.id, reason, isForAll })
    this.#leftOut.set(workloadKey(move.workload), reason)
    this.#progressMs = Math.max(this.#progressMs, nowMs)
    return { kind: 'idle' }
  }

  #land({ move, beginMs, endMs, release }: Running): void {
    release(endMs)
    this.#progressMs = Math.max(this.#progressMs, endMs)
    this.#entries.set(move.id, { kind: 'goes', id: move.id, beginMs, endMs })
  }

  #tookMs(move: TimedMove): number {
    return Math.max(1, Math.round(this.#input.seconds(move) * 1000))
  }

  #judge(
    intent: Intent,
    firstAskedMs: number,
    { nowMs, asked, asksGates }: { readonly nowMs: number; readonly asked: readonly Rule[]; readonly asksGates: boolean },
  ): Verdict {
    const { state } = this.#input
    const { observed, policy } = this.#around
    const ledger = this.#ledger.view
    const facts = factsFor(intent, { ...this.#around, state, ledger: ledger.active(), asksGates, nowMs })
    return judge({ intent, facts, ledger, observed, pending: [], firstAskedMs, policy, nowMs }, asked)
  }

  #intentOf(move: TimedMove, deadlineMs: number): Intent {
    const { plan, batch, policy, asking, state } = this.#input
    const spec = workloadObject(state, move.workload)?.['spec']
    return moveIntent(move, {
      ...{ plan, batch, policy: policy.name, asking },
      key: `${plan}/${move.id}`,
      isForUsage: servesUsage(move, policy),
      deadlineMs,
      readyMs: readyLimitBy(typeof spec === 'object' && spec !== null ? spec : {}),
      requirements: this.#requirements,
      proof: { snapshotHash: '', nodes: [move.to] },
    })
  }
}

function nextMs(worker: Worker): number {
  switch (worker.kind) {
    case 'idle':
      return Number.POSITIVE_INFINITY
    case 'asks':
      return worker.asks.askMs
    case 'runs':
      return worker.runs.endMs
  }
}

function later(asks: Turn, askMs: number, deafUntilMs: number): Worker {
  return { kind: 'asks', asks: { ...asks, askMs, deafUntilMs } }
}

/** What somebody gave back may let it go. */
function wake(asks: Turn, nowMs: number): void {
  asks.askMs = Math.min(asks.askMs, Math.max(nowMs, asks.deafUntilMs))
}

function unforeseen(id: string): Entry & { readonly kind: 'refused' } {
  const reason: StayReason = {
    code: 'ArbiterDenies',
    data: { reason: 'NotForeseen', message: `its turn does not come within ${mostAsks} questions` },
  }
  return { kind: 'refused', id, reason, isForAll: true }
}
