// The account of one object: what was done with it and what was not, by whom and by which rule, what the arbiter would say now, and
// what would change that. Pure: the books and the cluster's state in, data out.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import { factsFor } from '../facts/facts.ts'
import { type Intent, mostDestinations } from '../intent.ts'
import type { Observations } from '../observed/observation.ts'
import { viewOf } from '../permits/ledger-view.ts'
import { isActive } from '../permits/permit-record.ts'
import { moveKey } from '../plans/move-run.ts'
import { askingOf } from '../plans/names.ts'
import { isOver } from '../plans/plan-progress.ts'
import type { ArbiterPolicy } from '../policy/arbiter-policy.ts'
import { factLines } from './about.ts'
import { type AnswerContext, answerTo, type PresentAnswer } from './answers.ts'
import type { Asker } from './asker.ts'
import type { Book } from './book.ts'
import type { Entry } from './entry.ts'
import { type Planner, plannersOf } from './planner-words.ts'
import { type QuestionContext, questionsOn } from './questions.ts'
import { bookAt, unknowns } from './rewind.ts'
import { type Subject, shownSubject } from './subject.ts'
import { timelineOf } from './timeline.ts'

interface AccountInput {
  /** The capabilities in whose names the arbiter is asked what it would say now. */
  readonly askers: readonly Asker[]
  readonly subject: Subject
  readonly state: ClusterState
  readonly book: Book
  readonly observed: Observations
  readonly policy: ArbiterPolicy
  readonly ownerLabel: OwnerLabel
  /** Ballast's own namespace. */
  readonly ownNamespace: string
  readonly settings: SchedulerSettings
  /** The pods as they stand in `state`, where that was made before; it is not changed. */
  readonly placement?: Placement
  /** The cluster's present, in milliseconds since 1970. */
  readonly nowMs: number
  /** Asked for as it stood then; default now. */
  readonly atMs?: number
}

export interface Account {
  readonly subject: Subject
  /** `Deployment shop/cart`. */
  readonly shown: string
  readonly atMs: number
  readonly isPast: boolean
  /** What it is: owner, replicas, nodes, budgets; of a plan or policy how it stands. */
  readonly about: readonly string[]
  /** Oldest first. */
  readonly entries: readonly Entry[]
  /** Permits on it that are out, `namespace/name`. */
  readonly out: readonly string[]
  readonly now: readonly PresentAnswer[]
  /** What stands before what is not granted, once each, and what would take it away. */
  readonly obstacles: readonly Obstacle[]
  /** What cannot be said any more. */
  readonly unknown: readonly string[]
}

/** A rule of the arbiter, or of a policy's planner, that stands before questions. */
export interface Obstacle {
  /** The rule's name; `planner of policy NAME`. */
  readonly rule: string
  readonly reason: string
  readonly sentence: string
  readonly wayOut: string | undefined
  /** Before which questions, and of each from when on it would let it pass. */
  readonly before: readonly { readonly question: string; readonly fromMs: number | undefined }[]
}

/** The account of `subject`. The same input gives the same account. */
export function accountOf(input: AccountInput): Account {
  const { subject, state, ownerLabel, nowMs } = input
  const atMs = input.atMs ?? nowMs
  const book = bookAt(input.book, { atMs, nowMs })
  const observed = observedUntil(input.observed, atMs)
  const entries = timelineOf({ subject, state, book, observed, ownerLabel, nowMs: atMs })
  const now = answersOn({ ...input, book, observed, nowMs: atMs })
  return {
    subject,
    shown: shownSubject(subject),
    atMs,
    isPast: atMs < nowMs,
    about: factLines({ ...input, book }),
    entries,
    out: book.permits
      .filter(({ record }) => isActive(record) && entries.some(entry => entry.permit === `${record.namespace}/${record.name}`))
      .map(({ record }) => `${record.namespace}/${record.name}`),
    now,
    obstacles: obstaclesOf(now),
    unknown: unknowns(atMs, nowMs, input.book),
  }
}

function observedUntil(observed: Observations, atMs: number): Observations {
  return {
    ofWorkload: workload => observed.ofWorkload(workload).filter(one => one.atMs <= atMs),
    since: ms => observed.since(ms).filter(one => one.atMs <= atMs),
    wokenMs: workload => {
      const wokenMs = observed.wokenMs?.(workload)
      return wokenMs === undefined || wokenMs > atMs ? undefined : wokenMs
    },
  }
}

function answersOn(input: AccountInput): readonly PresentAnswer[] {
  const { state, book, policy, settings, ownerLabel, ownNamespace, nowMs, subject } = input
  const placement = input.placement ?? new Placement(state, settings)
  const planners = plannersOf(book.policies, { state, settings, ownerLabel, nowMs, plans: book.plans, placement })
  const [first] = planners
  const isolation = book.policies.find(one => one.spec.isolation !== undefined)?.spec.isolation
  const context: QuestionContext = {
    state,
    placement,
    nowMs,
    requirements: {
      requireBudget: first?.policy.coordination.requirePDB ?? true,
      unlabelled: first?.policy.coordination.unlabelled ?? 'none',
      ignoreScalers: first?.policy.coordination.kedaPresence === 'ignore',
      evictScaled: isolation?.keda === 'evict',
      spareUnmanaged: isolation?.includeUnmanaged === false,
    },
    isSurge: pod => first?.surges(pod.key) === true,
    askers: input.askers,
  }
  const ledger = viewOf(book.permits.map(({ record }) => record).filter(record => record.grant !== undefined))
  const factsOf = (intent: Intent) =>
    factsFor(intent, { state, ledger: ledger.active(), ownerLabel, ownNamespace, observed: input.observed, nowMs })
  const asking: AnswerContext = { state, ledger, observed: input.observed, policy, nowMs, factsOf }
  const posed = subject.kind === 'plan' ? waitingMoves(subject.name, input, context) : questionsOn(subject, context)
  return posed.map(question =>
    answerTo(question, question.intent.purpose === 'move' ? wordsOf(planners, question.intent) : [], asking),
  )
}

function wordsOf(planners: readonly Planner[], { disrupts }: Intent) {
  const [pod] = disrupts
  return pod === undefined ? [] : planners.flatMap(planner => planner.wordsOn(`${pod.namespace ?? ''}/${pod.name}`))
}

/** The moves of a plan that have not begun, asked for as the plan would: in its name, class and batch. */
function waitingMoves(name: string, { book }: AccountInput, context: QuestionContext) {
  const plan = book.plans.find(one => one.metadata.name === name)
  if (plan === undefined || isOver(plan)) return []
  const begun = new Set(book.permits.map(({ record }) => record.idempotencyKey))
  const over = new Set((plan.status?.steps ?? []).filter(step => step.state !== 'Waiting').map(step => step.id))
  return plan.spec.moves
    .filter(move => !over.has(move.id) && !begun.has(moveKey(plan, move)))
    .flatMap(move => {
      const { requester, purpose, class: urgency } = askingOf(plan)
      const pod: Subject = { kind: 'pod', namespace: move.pod.namespace, name: move.pod.name, isGone: false }
      return questionsOn(pod, context)
        .filter(question => question.intent.purpose === purpose)
        .map(question => ({
          ...question,
          intent: {
            ...question.intent,
            requester,
            purpose,
            class: urgency,
            workload: move.workload,
            relocation: {
              from: move.from,
              to: [move.to, ...move.acceptable.filter(node => node !== move.to)].slice(0, mostDestinations),
            },
            batch: plan.spec.batch ?? plan.metadata.name,
            idempotencyKey: moveKey(plan, move),
          },
        }))
    })
}

/** Each obstacle once, in the order of speaking; where several stand before one question, all of them have to go. */
function obstaclesOf(answers: readonly PresentAnswer[]): readonly Obstacle[] {
  const found = new Map<string, Obstacle>()
  const add = (obstacle: Omit<Obstacle, 'before'>, question: string, fromMs: number | undefined) => {
    const key = `${obstacle.rule}\n${obstacle.sentence}`
    found.set(key, { ...obstacle, before: [...(found.get(key)?.before ?? []), { question, fromMs }] })
  }
  for (const { question, objections, planner } of answers) {
    for (const { holds, fromMs, rule, reason, sentence, wayOut } of objections)
      if (holds) add({ rule, reason, sentence, wayOut }, question, fromMs)
    for (const { policy, reason, sentence, wayOut } of planner)
      add({ rule: `planner of policy ${policy}`, reason, sentence, wayOut }, question, undefined)
  }
  return [...found.values()]
}
