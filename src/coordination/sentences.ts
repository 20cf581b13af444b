// The arbiter's reasons in words, with the way out. `why`, events, conditions, logs and the dashboard print these.
import { describeTarget, type Intent } from './intent.ts'
import type { Objection, Verdict } from './policy.ts'

/** CamelCase reason of events and conditions for each rule. */
export const objectionReasons: Readonly<Record<Objection['rule'], string>> = {
  repeat: 'AlreadyDone',
  stale: 'StaleTarget',
  late: 'DeadlinePassed',
  'nothing-runs': 'NothingRuns',
  owner: 'NotOurs',
  protected: 'DoNotDisrupt',
  'budget-required': 'NoPDB',
  'budget-never-allows': 'PDBNeverAllows',
  freeze: 'Frozen',
  lock: 'OneAtATime',
  'cool-down': 'CoolDown',
  'disruption-budget': 'PDBExhausted',
  'budgets-overlap': 'PDBsOverlap',
  'fit-proof': 'NoFitProof',
}

/** One line: what was asked, the answer, the rule, why, and what would change it. */
export function verdictSentence(intent: Intent, verdict: Verdict): string {
  const [first] = intent.targets
  const others = intent.targets.length > 1 ? ` and ${intent.targets.length - 1} more` : ''
  const subject = `${intent.verb} ${first === undefined ? 'nothing' : describeTarget(first)}${others}`
  switch (verdict.kind) {
    case 'grant':
      return verdict.wouldBe === undefined
        ? `${subject}: granted`
        : `${subject}: granted; in mode enforce it would be ${verdict.wouldBe.decision}: ${objectionSentence(verdict.wouldBe.objection)}`
    case 'same':
      return `${subject}: granted before as ${verdict.permit.name}`
    case 'defer':
      return `${subject}: deferred until ${new Date(verdict.untilMs).toISOString()} by ${verdict.objection.rule}: ${objectionSentence(verdict.objection)}`
    case 'deny':
      return `${subject}: denied by ${verdict.objection.rule}: ${objectionSentence(verdict.objection)}; ${remedy(verdict.objection)}`
    case 'no-op':
      return `${subject}: nothing to do: ${objectionSentence(verdict.objection)}`
    case 'coalesced':
      return `${subject}: goes along with ${verdict.into}`
  }
}

/** Why, without what to do about it. */
export function objectionSentence(objection: Objection): string {
  switch (objection.rule) {
    case 'repeat':
      return `it was done under permit ${objection.permit}`
    case 'stale':
      return `${describeTarget(objection.target)} ${presenceWords[objection.presence]}`
    case 'late':
      return `it was wanted before ${new Date(objection.deadlineMs).toISOString()}`
    case 'nothing-runs':
      return `${objection.workload} has 0 replicas`
    case 'owner':
      return objection.owner === undefined
        ? `${objection.workload} carries no owner label and the policy leaves such workloads alone`
        : `${objection.workload} belongs to ${objection.owner} (${objection.source}), which does not allow ${objection.purpose}`
    case 'protected':
      return `${describeTarget(objection.target)} carries ${objection.annotation}`
    case 'budget-required':
      return `no PodDisruptionBudget selects the pods of ${objection.workload}`
    case 'budget-never-allows':
      return `PodDisruptionBudget ${objection.budget} can never allow ${describeTarget(objection.pod)} to go`
    case 'freeze':
      return `frozen by ${objection.freeze.where}: ${objection.freeze.reason}`
    case 'lock':
      return `${objection.workload} is being disrupted by ${objection.requester} under permit ${objection.permit}`
    case 'cool-down':
      return `a pod of ${objection.workload} was replaced under permit ${objection.permit}`
    case 'disruption-budget':
      return `PodDisruptionBudget ${objection.budget}: ${objection.message}`
    case 'budgets-overlap':
      return `${describeTarget(objection.pod)} is selected by ${objection.budgets.length} PodDisruptionBudgets (${objection.budgets.join(', ')}), which the eviction API refuses`
    case 'fit-proof':
      return `nothing proves that ${objection.workload ?? 'what is evicted'} fits elsewhere`
  }
}

const presenceWords = {
  terminating: 'is terminating already',
  replaced: 'was replaced by another of the same name',
  gone: 'is gone',
} as const

/** What would let it pass: the end of a sentence. */
function remedy(objection: Objection): string {
  switch (objection.rule) {
    case 'repeat':
      return 'nothing is left to do'
    case 'stale':
    case 'fit-proof':
      return 'plan again from the present state'
    case 'late':
      return 'ask again with a later deadline'
    case 'nothing-runs':
      return 'its next start takes the change along'
    case 'owner':
      return objection.owner === undefined
        ? 'label it scaling.talos.io/managed-by=descheduler, or set coordination.unlabelled: descheduler in the policy'
        : 'change the label scaling.talos.io/managed-by if that is not meant'
    case 'protected':
      return 'take the annotation away when it may be moved'
    case 'budget-required':
      return 'create a PodDisruptionBudget with maxUnavailable 1 for it (ballast plan --emit-pdbs prints it)'
    case 'budget-never-allows':
      return 'change the budget to maxUnavailable 1, or add a replica'
    case 'freeze':
      return objection.freeze.where === 'arbiter.freeze'
        ? 'set arbiter.freeze: false in the configuration'
        : 'take the annotation ballast.dev/freeze away'
    case 'lock':
    case 'cool-down':
    case 'disruption-budget':
      return 'wait'
    case 'budgets-overlap':
      return 'leave only one PodDisruptionBudget that selects it'
  }
}
