// The first sentences of a workload's page: is it there, is it held, what was done to it, what is to come, and why it cannot go.
import type { Account } from '#coordination/account/account.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import { isActive } from '#coordination/permits/permit-record.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { servedGoals } from '#planning/goals/served-goals.ts'
import type { Freeze, Sentence, Verdict, WorkloadView } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { thingFrozen } from '../../words/en.ts'
import * as words from '../../words/en-workload.ts'
import { moment } from '../../words/moments.ts'
import { goalsOfPlan, isEnded } from '../plans/plan-facts.ts'
import type { WorkloadSubject } from './workload-subject.ts'

const dayMs = 86_400_000

interface VerdictFacts {
  readonly subject: WorkloadSubject
  readonly account: Account
  readonly ready: WorkloadView['ready']
  readonly freeze: Freeze | null
  readonly deletedMs: number | undefined
  readonly hindrance: { readonly why: string; readonly rule: string } | undefined
}

export function workloadVerdict(picture: Picture, facts: VerdictFacts): Verdict {
  const { subject, account, ready, freeze, deletedMs, hindrance } = facts
  const moved = movedSentence(picture, subject)
  if (subject.isGone) {
    const last = account.entries.at(-1)
    const said =
      deletedMs === undefined
        ? words.gone({ agoMs: last === undefined ? undefined : picture.nowMs - last.atMs })
        : words.deleted({ agoMs: picture.nowMs - deletedMs })
    return { level: 'unknown', sentences: [said, ...moved] }
  }
  if (picture.past !== undefined) return { level: 'unknown', sentences: [words.atThatTime(), ...moved] }
  const out = permitsOf(picture, subject).filter(isActive)
  const isAsleep = ready?.wanted === 0 && ready.ready === 0
  const isShort = ready !== null && ready.ready < ready.wanted
  const sentences = [
    ...(freeze === null ? [] : [frozenSentence(freeze)]),
    ...(isAsleep ? [words.asleep()] : isShort ? [words.notAllReady(ready)] : []),
    ...(hindrance === undefined ? [] : [words.cannotMove(hindrance)]),
    ...moved,
    ...out.map(record =>
      words.underWay({ verb: record.verb, who: record.requester, forMs: picture.nowMs - (record.grant?.atMs ?? picture.nowMs) }),
    ),
    ...(out.length > 0 || subject.kind === 'pod' ? [] : plannedSentences(picture, subject)),
  ]
  const level =
    freeze !== null || hindrance !== undefined ? 'blocked' : out.length > 0 ? 'acting' : isShort ? 'attention' : 'good'
  return { level, sentences }
}

function frozenSentence({ since, by, reason }: Freeze): Sentence {
  const time = since === null ? undefined : moment(Date.parse(since))
  return thingFrozen({ time, who: by, reason })
}

function permitsOf({ book }: Picture, subject: WorkloadSubject): readonly PermitRecord[] {
  const records = book.permits.map(({ record }) => record)
  if (subject.kind === 'workload') return records.filter(({ workload }) => workload === subject.key)
  return records.filter(({ targets }) =>
    targets.some(({ namespace, name }) => namespace === subject.namespace && name === subject.name),
  )
}

/** `Moved once within a day, from talos00 to talos03, for goal cp-light.` */
function movedSentence(picture: Picture, subject: WorkloadSubject): readonly Sentence[] {
  const moves = permitsOf(picture, subject).filter(
    ({ purpose, ending, releasedAtMs }) =>
      purpose === 'move' && ending === 'done' && (releasedAtMs ?? 0) >= picture.nowMs - dayMs,
  )
  const last = moves.toSorted((a, b) => (a.releasedAtMs ?? 0) - (b.releasedAtMs ?? 0)).at(-1)
  if (last === undefined) return []
  const told = picture.book.permits.find(({ record }) => record === last)?.object.status?.reason ?? ''
  const from = last.relocation?.from ?? last.nodes[0] ?? ''
  const to = /^landed on (\S+)/.exec(told)?.[1] ?? last.relocation?.to[0] ?? ''
  const plan = picture.book.plans.find(one => last.idempotencyKey.startsWith(`${one.metadata.uid ?? one.metadata.name}/`))
  const goals = plan === undefined ? [] : servedGoals({ from, to }, goalsOfPlan(picture, plan)).map(({ goal }) => goal)
  return from === '' || to === '' ? [] : [words.wasMoved({ times: moves.length, from, to, goals: [...new Set(goals)] })]
}

/** The moves that open plans have for it. */
function plannedSentences({ book }: Picture, subject: Extract<WorkloadSubject, { kind: 'workload' }>): readonly Sentence[] {
  const planned = book.plans
    .filter(plan => !isEnded(plan))
    .flatMap(plan => {
      const over = new Set((plan.status?.steps ?? []).filter(({ state }) => state !== 'Waiting').map(({ id }) => id))
      const moves = plan.spec.moves.filter(move => workloadKey(move.workload) === subject.key && !over.has(move.id))
      const [first] = moves
      return first === undefined
        ? []
        : [words.movePlanned({ moves: moves.length, from: first.from, to: first.to, plan: plan.metadata.name })]
    })
  return planned.length === 0 ? [words.nothingPlanned()] : planned
}
