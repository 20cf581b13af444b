// What may be pressed, and why something may not: one write each, with the command that writes the same.
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import { freezeOf } from '#coordination/freeze.ts'
import { runUntilAnnotation } from '#coordination/plans/names.ts'
import { isFinal, nextMove, stepOf } from '#coordination/plans/plan-progress.ts'
import { runsAt } from '#coordination/plans/schedule.ts'
import { kubectlLine } from '../actions/kubectl-lines.ts'
import type { ActionBody, ActionButton, ActionName, Freeze, Ref } from '../contract.ts'
import { twinFaultKinds } from '../contract-names.ts'
import type { Picture } from '../picture.ts'
import { startWords } from '../words/en.ts'
import * as words from '../words/en-actions.ts'
import { clusterFreeze } from './freezes.ts'
import { newestFirst } from './plans/plan-at-hand.ts'
import { policyOf, replacementOf } from './plans/plan-facts.ts'
import { ownFaults, speedOf } from './twin-clock.ts'
import type { Viewing } from './viewing.ts'

const { buttonLabels: labels } = words

interface Pressed {
  readonly label: string
  readonly body: ActionButton['body']
  readonly prominent?: boolean
  readonly confirm?: ActionButton['confirm']
  /** Why it cannot be pressed now, whoever looks. */
  readonly hindrance?: string
  /** What it will do, where that is not plain. */
  readonly note?: string
  /** Whose right is asked for, of freeze and thaw. */
  readonly of?: Ref
}

/** What can be done with `plan` in its phase; without a plan, that one be made. None for a past moment or where there are no actions. */
export function planButtons(picture: Picture, plan: RebalancePlan | undefined, viewing: Viewing): readonly ActionButton[] {
  if (!viewing.actions || picture.past !== undefined) return []
  const make = (action: ActionName, pressed: Pressed) => button(picture, viewing, action, pressed)
  const policy = plan === undefined ? picture.book.policies[0] : policyOf(picture, plan)
  if (policy === undefined || policy.spec.mode === 'Report') return []
  const replan = make('replan', { label: labels.replan, body: { policy: policy.metadata.name } })
  if (plan === undefined) return [replan]
  if (replacementOf(picture, plan) !== undefined) return []
  const parts = { picture, plan, policy, viewing }
  const body = guardedBody(plan)
  const pause = make('pause', { label: labels.pause, body: { plan: plan.metadata.name }, prominent: true })
  switch (plan.status?.phase) {
    case undefined:
      return []
    case 'Proposed':
      return plan.spec.moves.length === 0
        ? [replan]
        : [
            make('approve', { label: labels.runAll, body, prominent: true, ...starting(parts, openMoves(plan)) }),
            oneMove(parts),
            replan,
          ]
    case 'Approved':
      return [
        ...(policy.spec.mode === 'Auto' ? [{ ...pause, prominent: false }] : []),
        make('withdraw', { label: labels.withdraw, body }),
      ]
    case 'Running':
      return [pause]
    case 'Paused':
      return [resume(parts), oneMove(parts), make('withdraw', { label: labels.withdrawRest, body })]
    case 'Succeeded':
    case 'Incomplete':
    case 'Failed':
    case 'Expired':
      return isNewest(picture, plan) ? [replan] : []
  }
}

interface PlanParts {
  readonly picture: Picture
  readonly plan: RebalancePlan
  readonly policy: RebalancePolicy
  readonly viewing: Viewing
}

/** What was seen when it was pressed: a plan that has changed since is refused. */
function guardedBody({ metadata, spec }: RebalancePlan): ActionButton['body'] {
  const { resourceVersion } = metadata
  return {
    plan: metadata.name,
    snapshotHash: spec.snapshotHash,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
}

function oneMove(parts: PlanParts): ActionButton {
  const { picture, plan, viewing } = parts
  const move = nextMove(plan)
  const of = move === undefined ? {} : { move: move.id }
  const pressed = { label: labels.oneMove, body: { ...guardedBody(plan), ...of } }
  if (move === undefined) return button(picture, viewing, 'step', { ...pressed, hindrance: 'No move is left.' })
  return button(picture, viewing, 'step', { ...pressed, ...starting(parts, [move]) })
}

/** A plan goes on when what was written to hold it is taken away; what else holds it, ends by itself. */
function resume({ picture, plan, viewing }: PlanParts): ActionButton {
  const isHeld = freezeOf(plan, picture.nowMs) !== undefined || plan.metadata.annotations?.[runUntilAnnotation] !== undefined
  const message = (plan.status?.message ?? '').replace(/[.\s]+$/, '')
  return button(picture, viewing, 'resume', {
    label: labels.resume,
    body: { plan: plan.metadata.name },
    prominent: true,
    ...(isHeld ? {} : { hindrance: words.resumesItself({ message }) }),
  })
}

/** What is asked once more before `moves` are begun, and what is to be known. In a twin nothing is asked. */
function starting(
  { picture, policy, viewing }: PlanParts,
  moves: RebalancePlan['spec']['moves'],
): Pick<Pressed, 'confirm' | 'note'> {
  const { nowMs } = picture
  const note = clusterFreeze(picture) === null ? {} : { note: words.startsAfterFreeze }
  if (picture.mode === 'twin') return note
  const window = runsAt(policy, nowMs)
  const start =
    window.isOpen || window.nextMs === undefined
      ? 'now'
      : startWords({ atMs: window.nextMs, nowMs, zone: policy.spec.timeZone, displayZone: viewing.displayZone })
  const pods = moves.length
  const workloads = new Set(moves.map(({ workload: { namespace, kind, name } }) => `${namespace}/${kind}/${name}`)).size
  const text = words.confirmRun({ moves: pods, pods, workloads, concurrent: policy.spec.limits.concurrent, start })
  return { ...note, confirm: { pods, workloads, text } }
}

function openMoves(plan: RebalancePlan): RebalancePlan['spec']['moves'] {
  return plan.spec.moves.filter(({ id }) => !isFinal(stepOf(plan, id)))
}

function isNewest(picture: Picture, plan: RebalancePlan): boolean {
  return newestFirst(picture).find(one => one.spec.policyRef.name === plan.spec.policyRef.name) === plan
}

/** Freeze of `scope` (null: everything), or its end, whichever applies. `frozen`: the freeze that holds for it, be it of something around it. */
export function freezeButtons(
  picture: Picture,
  scope: Ref | null,
  frozen: Freeze | null,
  viewing: Viewing,
): readonly ActionButton[] {
  if (!viewing.actions || picture.past !== undefined) return []
  const of = scope === null ? {} : { of: scope }
  if (frozen === null || !isSameScope(frozen.scope, scope))
    return [button(picture, viewing, 'freeze', { label: labels.freeze, body: { scope }, ...of })]
  const isConfigured = scope === null && picture.arbiter.freeze !== false
  return [
    button(picture, viewing, 'thaw', {
      label: labels.thaw,
      body: { scope },
      prominent: true,
      ...of,
      ...(isConfigured ? { hindrance: words.frozenByConfiguration } : {}),
    }),
  ]
}

function isSameScope(one: Ref | null, other: Ref | null): boolean {
  return one?.kind === other?.kind && one?.namespace === other?.namespace && one?.name === other?.name
}

const speeds = [1, 10, 60, 600, 'max'] as const
const minuteMs = 60_000

/** What drives the twin; none outside of one. The pace that it goes at is the prominent one. */
export function twinButtons(picture: Picture, viewing: Viewing): readonly ActionButton[] {
  if (!viewing.actions || picture.twin === undefined || picture.past !== undefined) return []
  const make = (action: ActionName, pressed: Pressed) => button(picture, viewing, action, pressed)
  const speed = speedOf(picture)
  const steer =
    speed === 0
      ? make('twin/run', { label: labels.run, body: {}, prominent: true })
      : make('twin/pause', { label: labels.pause, body: {} })
  return [
    steer,
    ...speeds.map(one =>
      make('twin/speed', { label: words.speedLabel(one), body: { speed: one }, prominent: one === (speed ?? 'max') }),
    ),
    make('twin/advance', { label: labels.step, body: { advanceMs: minuteMs } }),
    make('twin/next', { label: labels.next, body: {} }),
    ...twinFaultKinds.map(kind => make('twin/fault', { label: words.faultLabels[kind] ?? kind, body: { fault: { kind } } })),
    ...ownFaults(picture).map(({ name }) => make('twin/heal', { label: `${labels.heal} ${name}`, body: { name } })),
    make('twin/reset', { label: labels.reset, body: {} }),
  ]
}

function button(picture: Picture, viewing: Viewing, action: ActionName, pressed: Pressed): ActionButton {
  const { label, body, prominent = false, confirm = null, hindrance, note, of } = pressed
  const may = viewing.can(action, of)
  const { viewer } = viewing
  const because = may.allowed ? (hindrance ?? note ?? null) : may.because
  const asked: Partial<ActionBody> = body
  return {
    action,
    label,
    enabled: may.allowed && hindrance === undefined,
    because,
    kubectl: kubectlLine(action, asked, { viewer, ownNamespace: picture.ownNamespace }),
    body,
    prominent,
    confirm,
  }
}
