// What plans say of a workload: that it is to be moved, that a move was left out, that its pods stay and why.
import type { OwnerLabel } from '#cluster/ownership.ts'
import { labelFacts } from '#planning/candidates/owner.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { stayCodes } from '#planning/plan-record.ts'
import { remedySentence } from '#planning/sentences.ts'
import type { PlanMove, PlanStep, RebalancePlan, RebalancePlanStatus } from '../api.ts'
import { moveKey } from '../plans/move-run.ts'
import { askingOf } from '../plans/names.ts'
import { isFinal } from '../plans/plan-progress.ts'
import type { Book } from './book.ts'
import type { Entry } from './entry.ts'

type StoredStay = NonNullable<RebalancePlanStatus['unmovable']>[number]

interface Context {
  readonly book: Book
  readonly ownerLabel: OwnerLabel
  readonly nowMs: number
}

/** Lines of every plan that speaks of the workload `key`, apart from what its permits tell. */
export function planEntries(key: string, { book, ownerLabel, nowMs }: Context): readonly Entry[] {
  const granted = new Set(
    book.permits.flatMap(({ record }) => [record.idempotencyKey, ...record.joined.map(one => one.idempotencyKey)]),
  )
  const skips = book.events.filter(event => event.reason === 'RebalanceSkipped')
  const moved = book.plans.flatMap(plan =>
    plan.spec.moves
      .filter(move => workloadKey(move.workload) === key)
      .flatMap(move => [
        proposalEntry(plan, move, nowMs),
        ...(granted.has(moveKey(plan, move)) || skips.some(event => event.note.includes(`pod ${move.pod.name} `))
          ? []
          : stepEntry(plan, move)),
      ]),
  )
  return [...moved, ...stays(key, book.plans, ownerLabel)]
}

/** A line for each step of `plan` that no permit tells of. */
export function ownSteps(plan: RebalancePlan, book: Book): readonly Entry[] {
  const granted = new Set(book.permits.flatMap(({ record }) => record.idempotencyKey))
  return plan.spec.moves.filter(move => !granted.has(moveKey(plan, move))).flatMap(move => stepEntry(plan, move))
}

/** `RebalancePlan talos-1 of policy talos`. */
function planWords(plan: RebalancePlan): string {
  return `plan ${plan.metadata.name} of policy ${plan.spec.policyRef.name}`
}

export function madeMs(plan: RebalancePlan): number {
  const times = [plan.metadata.creationTimestamp, plan.status?.checkedAt, plan.status?.startedAt]
  return times.map(time => Date.parse(time ?? '')).find(ms => !Number.isNaN(ms)) ?? 0
}

function proposalEntry(plan: RebalancePlan, move: PlanMove, nowMs: number): Entry {
  const isOpen = plan.status?.phase === 'Proposed' && !plan.spec.approved
  return {
    atMs: Math.min(madeMs(plan), nowMs),
    who: askingOf(plan).requester,
    what: planWords(plan),
    decision: undefined,
    outcome: isOpen ? 'waits' : 'told',
    sentence: `proposes to move pod ${move.pod.name} from ${move.from} to ${move.to} (${move.id}, wave ${move.wave}${move.action === 'surge' ? ', the new pod first' : ''})${isOpen ? '; nobody has approved it yet' : ''}`,
    because: [],
    data: {
      plan: plan.metadata.name,
      move: move.id,
      from: move.from,
      to: move.to,
      action: move.action,
      phase: plan.status?.phase ?? '',
    },
    ...(isOpen
      ? { wayOut: `kubectl patch rebalanceplan ${plan.metadata.name} --type merge -p '{"spec":{"approved":true}}'` }
      : {}),
  }
}

const stateWords: Readonly<Record<PlanStep['state'], string>> = {
  Waiting: 'waits',
  Acting: 'is under way',
  Landing: 'waits for its replacement',
  Landed: 'is done',
  Mismatch: 'is done, elsewhere',
  Skipped: 'was left out',
  Failed: 'failed',
}

function stepEntry(plan: RebalancePlan, move: PlanMove): readonly Entry[] {
  const step = plan.status?.steps?.find(({ id }) => id === move.id)
  if (step === undefined || !isFinal(step)) return []
  const latest = [plan.status?.finishedAt, plan.status?.progressAt]
    .map(time => Date.parse(time ?? ''))
    .find(ms => !Number.isNaN(ms))
  const isDone = step.state === 'Landed' || step.state === 'Mismatch'
  return [
    {
      atMs: latest ?? madeMs(plan),
      isLatest: true,
      who: askingOf(plan).requester,
      what: `move ${move.id} of ${planWords(plan)}`,
      decision: undefined,
      outcome: isDone ? 'done' : 'not-done',
      sentence: `move of pod ${move.pod.name} from ${move.from} ${stateWords[step.state]}${step.message === undefined ? (step.landedOn === undefined ? '' : `: landed on ${step.landedOn}`) : `: ${step.message}`}`,
      because: [],
      ...(step.reason === undefined ? {} : { reason: step.reason }),
      ...(step.seconds === undefined ? {} : { seconds: step.seconds }),
    },
  ]
}

/** Only the newest plan of each policy counts: it says why the pods stay as things are. */
function stays(key: string, plans: readonly RebalancePlan[], ownerLabel: OwnerLabel): readonly Entry[] {
  const [namespace = '', kind = '', name = ''] = key.split('/')
  const shown = `${kind} ${namespace}/${name}`
  const newest = [...Map.groupBy(plans, plan => plan.spec.policyRef.name).values()].flatMap(group =>
    group.toSorted((a, b) => madeMs(b) - madeMs(a)).slice(0, 1),
  )
  return newest.flatMap(plan => {
    const held = (plan.status?.unmovable ?? []).filter(one => one.workload === shown)
    return [...Map.groupBy(held, one => one.reason)].map(([reason, pods]): Entry => {
      const wayOut = remedyOf({ ...pods[0], reason }, ownerLabel)
      return {
        atMs: madeMs(plan),
        who: askingOf(plan).requester,
        what: planWords(plan),
        decision: undefined,
        outcome: 'not-done',
        sentence: `leaves ${pods.length === 1 ? `pod ${pods[0]?.pod ?? ''}` : `${pods.length} pods`} where ${pods.length === 1 ? 'it is' : 'they are'}: ${pods[0]?.message ?? reason}`,
        because: [],
        reason,
        data: { plan: plan.metadata.name, pods: pods.flatMap(one => one.pod ?? []) },
        ...(wayOut === undefined ? {} : { wayOut }),
      }
    })
  })
}

/**
 * What would let a pod go that stays for `VolumePinned:nexus-data`: the code, and the volume that its remedy names. A remedy that speaks of the
 * owner label names the one that the plan saw; of plans that did not keep it, the one that `ownerLabel` writes.
 */
export function remedyOf(
  { reason, label, labelled }: Pick<StoredStay, 'reason' | 'label' | 'labelled'>,
  ownerLabel: OwnerLabel,
): string | undefined {
  const [word, pv] = reason.split(':')
  const code = stayCodes.find(known => known === word)
  return code === undefined
    ? undefined
    : remedySentence(code, {
        ...labelFacts(ownerLabel, label),
        ...(labelled === undefined ? {} : { source: labelled }),
        ...(pv === undefined ? {} : { pv }),
      })?.trim()
}
