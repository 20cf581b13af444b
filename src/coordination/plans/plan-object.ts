// A plan as the object people approve, and back: what `plan -o yaml` prints, what the controller stores, what `plan verify` reads.

import type { KubeObject } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'
import { formatTime } from '#kube/time/time.ts'
import type { BudgetProposal } from '#planning/candidates/budget-proposals.ts'
import type { EnergyOutcome } from '#planning/energy/record.ts'
import { energyStaySentence } from '#planning/energy/sentences.ts'
import type { LimitMet, Move, NodeShare, Plan, PlanRecord, Risk } from '#planning/plan-record.ts'
import { riskWords } from '#planning/risks.ts'
import { staySentence } from '#planning/sentences.ts'
import {
  ballastApiVersion,
  labelSelector,
  type NodePercent,
  type PlanMove,
  planKind,
  type RebalancePlan,
  type RebalancePlanStatus,
  rebalancePlanSpec,
} from '../api.ts'
import type { PlanPurpose } from '../intent.ts'
import { askingOf } from './names.ts'
import { planMessage, undoingMessage, wholeBound } from './plan-words.ts'
import { goalFigures, storedGoals } from './stored/stored-goals.ts'
import { expectedOf } from './timetable/expected.ts'
import type { Foretold } from './timetable/foretell.ts'
import type { Undoing } from './trial/undone.ts'

interface PlanObjectOptions {
  readonly name: string
  /** Budgets that would let more pods be moved. */
  readonly budgets?: readonly BudgetProposal[]
  readonly policyUid: string | undefined
  /** Hash of the policy that it is made from. */
  readonly policyHash?: string
  readonly nowMs: number
  /** When its moves are expected to go. */
  readonly foretold?: Pick<Foretold, 'timetable' | 'rest'>
  readonly approved?: boolean
  /** Default: `move`. */
  readonly purpose?: PlanPurpose
  /** What it undoes, of a plan that rolls another back. */
  readonly undoing?: Undoing
  /** Default: that of what it replaces, else its name. */
  readonly batch?: string
  /** The plan whose place this one takes: its name, batch and attempt. */
  readonly replaces?: { readonly name: string; readonly batch: string; readonly attempt: number }
}

/** At most so many reasons of pods that stay are kept in the object; the command line prints all. */
const keptUnmovable = 1_000
const keptBudgets = 256
/** Characters of a label's key: a prefix of 253, a slash, a name of 63. */
const longestLabel = 317
/** Workloads that a risk names. */
const keptWorkloads = 64
/** Shares of nodes before and after. */
const keptShares = 1_000

/** The RebalancePlan of `plan`, with the status it has when proposed. */
export function planObject(plan: Plan, options: PlanObjectOptions): RebalancePlan {
  const { name, replaces, purpose = 'move' } = options
  return {
    apiVersion: ballastApiVersion,
    kind: planKind,
    metadata: {
      name,
      labels: { 'ballast.dev/managed': 'true', 'ballast.dev/capability': askingOf({ spec: { purpose } }).requester },
    },
    spec: {
      policyRef: { name: plan.policyName, ...(options.policyUid === undefined ? {} : { uid: options.policyUid }) },
      snapshotHash: plan.snapshotHash,
      batch: options.batch ?? replaces?.batch ?? name,
      ...(replaces === undefined ? {} : { replaces: replaces.name }),
      ...(options.undoing === undefined ? {} : { rollsBack: options.undoing.plan }),
      attempt: replaces?.attempt ?? 0,
      outcome: plan.outcome,
      method: plan.method,
      purpose,
      landing: plan.landing,
      moves: plan.moves.map(storedMove),
      ...(plan.closedNodes === undefined ? {} : { closedNodes: [...plan.closedNodes] }),
      approved: options.approved ?? false,
    },
    status: proposedStatus(plan, options),
  }
}

function storedMove(move: Move): PlanMove {
  const { apiVersion, kind, namespace, name, uid } = move.workload
  return {
    id: move.id,
    wave: move.wave,
    pod: { ...move.pod },
    ...(move.follows === undefined ? {} : { follows: move.follows }),
    workload: { apiVersion, kind, namespace, name, uid },
    from: move.from,
    to: move.to,
    acceptable: [...move.acceptable],
    ...(move.closed === undefined ? {} : { closed: move.closed }),
    action: move.action,
    certificate: { ...move.certificate },
  }
}

function proposedStatus(
  plan: Plan,
  options: Pick<PlanObjectOptions, 'nowMs' | 'policyHash' | 'budgets' | 'foretold' | 'undoing'>,
): RebalancePlanStatus {
  const { nowMs, policyHash, foretold, undoing, budgets = [] } = options
  const { moves, lowerBound, gap, withMargins } = plan.objective
  const at = formatTime(nowMs)
  const message = undoing === undefined ? planMessage(plan, foretold) : undoingMessage(plan, undoing, foretold)
  return {
    phase: 'Proposed',
    message,
    objective: { moves, lowerBound, atLeast: wholeBound(lowerBound), gap, ...(withMargins === true ? { withMargins } : {}) },
    ...(plan.limits === undefined ? {} : { limits: plan.limits.map(storedLimit) }),
    ...(plan.shortfall === undefined ? {} : { shortfall: plan.shortfall }),
    ...(foretold === undefined ? {} : { expected: expectedOf(foretold) }),
    goals: storedGoals(plan.goals, goal => goalFigures(goal, 'now', 'after')),
    before: tellingShares(plan, plan.before).map(storedShare),
    after: tellingShares(plan, plan.after).map(storedShare),
    unmovable: [...(undoing?.left ?? []).map(storedLeft), ...plan.unmovable.map(storedStay)].slice(0, keptUnmovable),
    ...(plan.risks === undefined ? {} : { risks: plan.risks.map(storedRisk) }),
    ...(plan.energy === undefined ? {} : { energy: storedEnergy(plan.energy) }),
    ...(budgets.length === 0 ? {} : { budgets: budgets.slice(0, keptBudgets).flatMap(storedBudget) }),
    checkedAt: at,
    ...(policyHash === undefined ? {} : { policyHash }),
    conditions: [
      {
        type: 'Proven',
        status: plan.outcome === 'met' ? 'True' : 'False',
        reason: plan.outcome === 'met' ? 'CertificatesMade' : 'GoalsNotReached',
        message,
        lastTransitionTime: at,
      },
      { type: 'GoalsMet', status: 'Unknown', reason: 'NotRun', message: 'the plan has not run', lastTransitionTime: at },
    ],
  }
}

function storedRisk(risk: Risk): NonNullable<RebalancePlanStatus['risks']>[number] {
  const { code, grade, moves, workloads } = risk
  return { risk: code, grade, moves, workloads: workloads.slice(0, keptWorkloads), message: riskWords(risk) }
}

function storedLimit(met: LimitMet): NonNullable<RebalancePlanStatus['limits']>[number] {
  return met.limit === 'solver' ? { ...met, detail: met.detail.slice(0, 1024) } : { ...met }
}

type StoredStay = NonNullable<RebalancePlanStatus['unmovable']>[number]

function storedStay(one: Plan['unmovable'][number]): StoredStay {
  return {
    workload:
      one.workload === undefined
        ? `Pod ${one.pod.namespace}/${one.pod.name}`
        : `${one.workload.kind} ${one.workload.namespace}/${one.workload.name}`,
    pod: `${one.pod.namespace}/${one.pod.name}`,
    reason: one.data['pv'] === undefined ? one.code : `${one.code}:${one.data['pv']}`,
    message: staySentence(one),
    ...ownerLabelOf(one),
  }
}

const holders = ['pod', 'workload', 'namespace'] as const

/** The label that people would have to change: the one that was found, which need not be the one that the configuration writes. */
function ownerLabelOf({ code, data }: Plan['unmovable'][number]): Pick<StoredStay, 'label' | 'labelled'> {
  const { write: label, source } = data
  if ((code !== 'OwnerNone' && code !== 'Unlabelled') || label === undefined || label.length > longestLabel) return {}
  const labelled = holders.find(holder => holder === source)
  return labelled === undefined ? { label } : { label, labelled }
}

function storedLeft({ workload, pod, reason, message }: Undoing['left'][number]): StoredStay {
  return { workload: `${workload.kind} ${workload.namespace}/${workload.name}`, pod, reason, message }
}

/** As many as an object may have; those of nodes that goals name, then of those that moves touch, then the others. */
export function tellingShares(
  { goals, moves }: Pick<Plan, 'goals' | 'moves'>,
  shares: readonly NodeShare[],
): readonly NodeShare[] {
  if (shares.length <= keptShares) return shares
  const resources = new Set(shares.map(({ resource }) => resource)).size
  const told = new Set([
    ...goals.map(({ node }) => node),
    ...moves.flatMap(({ from, to }) => [from, to]),
    ...shares.map(({ node }) => node),
  ])
  const kept = new Set([...told].slice(0, Math.floor(keptShares / resources)))
  return shares.filter(({ node }) => kept.has(node))
}

function storedEnergy({ watts, nodes, moves, warnings }: EnergyOutcome): NonNullable<RebalancePlanStatus['energy']> {
  return {
    wattsBefore: watts.before,
    wattsAfter: watts.after,
    nodes: nodes.map(({ stays, node, decision, watts: now, wattsAfter, moves: leaving }) => ({
      ...{ node, decision, watts: now, wattsAfter, moves: leaving },
      ...(stays === undefined ? {} : { reason: stays.code, message: energyStaySentence(stays).slice(0, 1024) }),
    })),
    moves: moves.slice(0, keptUnmovable).map(({ pod, from, to }) => ({ pod, from, to })),
    ...(warnings.length === 0 ? {} : { warnings: warnings.map(text => text.slice(0, 1024)) }),
  }
}

/** A selector that the API server would not take in a plan is left out: it would refuse the whole. */
function storedBudget({ metadata, spec }: BudgetProposal): NonNullable<RebalancePlanStatus['budgets']> {
  const read = labelSelector.safeParse(spec.selector)
  const { name, namespace } = metadata
  return namespace === undefined || !read.success ? [] : [{ namespace, name, selector: read.data }]
}

const percentOf = (used: number, allocatable: number): number => (allocatable === 0 ? 0 : (used * 100) / allocatable)

/** A share of a node for the object: whole numbers as text, the percentage as `kubectl describe node` prints it. */
export function storedShare(share: NodeShare): NodePercent {
  return {
    node: share.node,
    resource: share.resource,
    percent: Math.trunc(percentOf(share.used, share.allocatable)),
    requested: String(share.used),
    allocatable: String(share.allocatable),
  }
}

/** What a verifier judges, of a RebalancePlan read from a file or the API server; with every problem of its shape. */
export function planRecord(
  object: KubeObject,
): { readonly ok: true; readonly record: PlanRecord } | { readonly ok: false; readonly problems: readonly Problem[] } {
  const place = `RebalancePlan ${object.metadata.name}`
  const parsed = rebalancePlanSpec.safeParse(object['spec'])
  if (!parsed.success) {
    return {
      ok: false,
      problems: parsed.error.issues.map(issue => ({
        code: 'plan-shape',
        where: `${place}: ${['spec', ...issue.path.map(String)].join('.')}`,
        found: issue.code,
        expected: issue.message,
      })),
    }
  }
  const spec = parsed.data
  // Checked below by the verifier, number by number; here only the shape of the object is known.
  const status = (object['status'] ?? {}) as RebalancePlanStatus
  return {
    ok: true,
    record: {
      policyName: spec.policyRef.name,
      snapshotHash: spec.snapshotHash,
      landing: spec.landing,
      moves: spec.moves,
      ...(spec.closedNodes === undefined ? {} : { closedNodes: spec.closedNodes }),
      objective: {
        moves: status.objective?.moves ?? spec.moves.length,
        cost: 0,
        lowerBound: status.objective?.lowerBound ?? 0,
        gap: status.objective?.gap ?? 0,
      },
      before: (status.before ?? []).map(shareOf),
      after: (status.after ?? []).map(shareOf),
    },
  }
}

function shareOf(stored: NodePercent): NodeShare {
  const used = Number(stored.requested)
  const allocatable = Number(stored.allocatable)
  const exact = { node: stored.node, resource: stored.resource, used, allocatable, percent: percentOf(used, allocatable) }
  // A figure that is not the one we print was edited: it goes to the verifier as it stands.
  return storedShare(exact).percent === stored.percent ? exact : { ...exact, percent: stored.percent }
}
