// The steps of a replay: each move in its order, where its pod is afterwards, what was refused, and the sums of the boxes that it changes.
import type { PlanMove, RebalancePlan } from '#coordination/api.ts'
import { moveKey } from '#coordination/plans/move-run.ts'
import type { Move, Sentence } from '../../contract.ts'
import type { ReplayBox, ReplayStep } from '../../contract-replay.ts'
import type { Picture } from '../../picture.ts'
import { moveKept } from '../../words/en-plan.ts'
import * as words from '../../words/en-replay.ts'
import { proofSentence } from '../plans/certificate.ts'
import { movesOf, reasonOf } from '../plans/moves.ts'
import { goalsOfPlan } from '../plans/plan-facts.ts'
import { type Amounts, amountsOfMove } from './starts.ts'

/** Refusals of one move that are told. */
const mostRefusals = 5

interface StepsFacts {
  readonly picture: Picture
  readonly plan: RebalancePlan
  readonly resources: readonly string[]
  readonly boxes: readonly ReplayBox[]
  /** `undefined`: the node is in no box. */
  readonly boxOf: (node: string) => string | undefined
  readonly missedBy: (box: ReplayBox, requested: Amounts) => readonly string[]
}

/** Those in which a box has a part. */
export function stepsOf(facts: StepsFacts): readonly ReplayStep[] {
  const { picture, plan, boxes, boxOf } = facts
  const { moves } = plan.spec
  const sums = new Map(boxes.map(box => [box.name, { box, requested: box.requested, pods: box.pods }]))
  const firstOf = firstMoves(moves)
  const standsOn = new Map(moves.filter(({ id }) => firstOf.get(id) === id).map(({ id, from }) => [id, from]))
  const refused = refusalsOf(picture, plan)
  return movesOf(picture, plan).flatMap((shown, index): readonly ReplayStep[] => {
    const move = moves[index]
    if (move === undefined) return []
    const tile = firstOf.get(move.id) ?? move.id
    const [nodeFrom, nodeTo] = [standsOn.get(tile) ?? move.from, nodeAfter(shown)]
    if (nodeTo !== nodeFrom) standsOn.set(tile, nodeTo ?? '')
    const from = boxOf(nodeFrom)
    const to = nodeTo === null ? null : boxOf(nodeTo)
    if (from === undefined || to === undefined) return []
    const shift = (name: string, sign: 1 | -1) => {
      const sum = sums.get(name)
      if (sum === undefined) return
      const amounts = amountsOfMove(move, facts.resources)
      const requested = sum.requested.map((amount, at) => amount + sign * (amounts[at] ?? 0))
      sums.set(name, { ...sum, requested, pods: sum.pods + sign })
    }
    if (from !== to) {
      shift(from, -1)
      if (to !== null) shift(to, 1)
    }
    const changed = from === to ? [] : [from, ...(to === null ? [] : [to])]
    return [
      {
        ...{ id: move.id, wave: move.wave, tile, from, to, state: shown.state },
        text: words.replayStep({
          ...{ n: index + 1, of: moves.length, pod: `${move.pod.namespace}/${move.pod.name}`, from: move.from, to: move.to },
          ...{ state: shown.state, landedOn: shown.landedOn, ms: shown.ms },
        }),
        why: whyOf(facts, move),
        refusals: [...(isRefused(shown) ? [shown.because] : []), ...(refused.get(moveKey(plan, move)) ?? [])].slice(
          0,
          mostRefusals,
        ),
        proof: proofSentence(move),
        after: changed.flatMap(name => {
          const sum = sums.get(name)
          return sum === undefined
            ? []
            : [{ box: name, requested: [...sum.requested], pods: sum.pods, missed: [...facts.missedBy(sum.box, sum.requested)] }]
        }),
      },
    ]
  })
}

/** The first move of the pod that each move takes: one that stops on its way is one tile. */
function firstMoves(moves: readonly PlanMove[]): ReadonlyMap<string, string> {
  const first = new Map<string, string>()
  for (const { id, follows } of moves) first.set(id, follows === undefined ? id : (first.get(follows) ?? id))
  return first
}

const isRefused = ({ state }: Move): boolean => state === 'waiting' || state === 'skipped' || state === 'failed'

/** Where the pod is once the step is over, as it is planned or as it happened; null: on no node. */
function nodeAfter({ state, from, to, landedOn }: Move): string | null {
  switch (state) {
    case 'planned':
    case 'waiting':
    case 'running':
      return to
    case 'done':
      return landedOn ?? to
    case 'elsewhere':
      return landedOn
    case 'skipped':
    case 'failed':
      return landedOn ?? from
  }
}

function whyOf({ picture, plan }: StepsFacts, move: PlanMove): Sentence {
  const goals = goalsOfPlan(picture, plan)
  if (goals.length > 0 || plan.spec.purpose !== 'move') return reasonOf({ goals, plan }, move)
  const names = [...new Set((plan.status?.goals ?? []).map(({ name }) => name))]
  return words.servesPlan({ goals: names })
}

/** What the arbiter's Events say of each wish that had to wait or was refused, a rule once. */
function refusalsOf({ book }: Picture, plan: RebalancePlan): ReadonlyMap<string, readonly Sentence[]> {
  const keys = new Set(plan.spec.moves.map(move => moveKey(plan, move)))
  const told = new Map<string, Map<string, Sentence>>()
  for (const { verdict, note } of book.events) {
    if (verdict?.key === undefined || !keys.has(verdict.key)) continue
    if (verdict.decision !== 'Queued' && verdict.decision !== 'Denied') continue
    const rules = told.get(verdict.key) ?? new Map<string, Sentence>()
    rules.set(verdict.reason, moveKept({ rule: verdict.reason, message: note }))
    told.set(verdict.key, rules)
  }
  return new Map(Array.from(told, ([key, rules]) => [key, [...rules.values()]]))
}
