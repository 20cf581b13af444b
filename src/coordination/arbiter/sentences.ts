// The arbiter's reasons in words, with the way out. `why`, events, conditions, logs and the dashboard print these.
import { ownerKeysText } from '#cluster/ownership.ts'
import { describeTarget, type Intent, purposeRows } from '../intent.ts'
import { gateKeys } from '../policy/arbiter-policy.ts'
import type { CapName, Cause, Objection, Verdict } from '../policy/question.ts'

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
  early: 'NotYet',
  'least-replicas': 'LeastReplicas',
  window: 'OutsideWindow',
  gate: 'GateRed',
  'under-way': 'UnderWay',
  waking: 'Waking',
  'node-lock': 'NodeInUse',
  'zone-drain': 'ZoneDraining',
  'plan-lock': 'OtherPlan',
  'scale-cool-down': 'JustScaled',
  'reverse-move': 'ReverseMove',
  quarantine: 'Quarantined',
  cap: 'OverCap',
  overtaken: 'Overtaken',
  company: 'WaitsForCompany',
}

/** One line: what was asked, the answer, the rule, why, until when, and what would change it. */
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
      return `${subject}: deferred until ${timeText(verdict.untilMs)} by ${verdict.objection.rule}: ${whyAndWayOut(verdict.objection)}`
    case 'deny': {
      const until =
        verdict.untilMs === undefined
          ? ''
          : `; it would wait until ${timeText(verdict.untilMs)}, and is wanted before ${timeText(intent.deadlineMs)}`
      return `${subject}: denied by ${verdict.objection.rule}: ${objectionSentence(verdict.objection)}${until}; ${remedy(verdict.objection)}`
    }
    case 'no-op':
      return `${subject}: nothing to do: ${whyAndWayOut(verdict.objection)}`
    case 'coalesced':
      return `${subject}: goes along with ${verdict.into.name}`
    case 'absorbed':
      return `${subject}: will go along with the rollout that ${verdict.into.requester} waits for`
  }
}

function whyAndWayOut(objection: Objection): string {
  return `${objectionSentence(objection)}; ${remedy(objection)}`
}

/** Why, without what to do about it. */
export function objectionSentence(objection: Objection): string {
  switch (objection.rule) {
    case 'repeat':
      return `it was done under permit ${objection.permit}`
    case 'stale':
      return `${describeTarget(objection.target)} ${presenceWords[objection.presence]}`
    case 'late':
      return `it was wanted before ${timeText(objection.deadlineMs)}`
    case 'nothing-runs':
      return `${objection.workload} has 0 replicas`
    case 'owner':
      return ownerSentence(objection)
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
      return `a pod of ${objection.workload} was replaced ${causeWords(objection.cause)}`
    case 'disruption-budget':
      return `PodDisruptionBudget ${objection.budget}: ${objection.message}`
    case 'budgets-overlap':
      return `${describeTarget(objection.pod)} is selected by ${objection.budgets.length} PodDisruptionBudgets (${objection.budgets.join(', ')}), which the eviction API refuses`
    case 'fit-proof':
      return `nothing proves that ${objection.workload ?? 'what is evicted'} fits elsewhere`
    case 'early':
      return `it is wanted from ${timeText(objection.notBeforeMs)} on`
    case 'least-replicas':
      return `${objection.workload} has ${objection.replicas} replicas, at least ${objection.least} are asked for`
    case 'window':
      return objection.opensMs === undefined
        ? `no window of ${objection.requester} opens any more`
        : `it is outside of the windows of ${objection.requester}, the next opens at ${timeText(objection.opensMs)}`
    case 'gate':
      return `gate ${objection.gate} is red: ${objection.message}`
    case 'under-way':
      return objection.kind === 'rollout'
        ? `${objection.workload} is being rolled out by ${objection.by} since ${timeText(objection.sinceMs)}`
        : `pods of ${objection.workload} are being drained by ${objection.by} since ${timeText(objection.sinceMs)}`
    case 'waking':
      return `${objection.workload} was woken at ${timeText(objection.sinceMs)} and has not been Ready for 2 minutes yet`
    case 'node-lock':
      return `node ${objection.node} is in the hands of ${objection.requester} under permit ${objection.permit}`
    case 'zone-drain':
      return `node ${objection.node} of ${objection.zone === '' ? 'the nodes without a zone' : `zone ${objection.zone}`} is being drained under permit ${objection.permit}`
    case 'plan-lock':
      return `node ${objection.node} is source or destination of plan ${objection.batch}, which is running (permit ${objection.permit})`
    case 'scale-cool-down':
      return `${objection.workload} was scaled ${causeWords(objection.cause)}`
    case 'reverse-move':
      return `${objection.workload} was moved from ${objection.to} to ${objection.from} under permit ${objection.permit}`
    case 'quarantine':
      return `${objection.workload} came back to its source ${times(objection.failures)}, last under permit ${objection.permit}`
    case 'cap':
      return capSentence(objection)
    case 'overtaken':
      return `${objection.requester} waits for the same in a better place (${objection.by})`
    case 'company':
      return `other changes of ${objection.workload} may come, and go into the same rollout`
  }
}

function ownerSentence({
  workload,
  owner,
  source,
  contradicting,
  purpose,
  label,
}: Objection & { readonly rule: 'owner' }): string {
  const said = contradicting === undefined ? undefined : `"${contradicting.slice(0, 63)}"`
  if (owner === undefined) {
    return said === undefined
      ? `${workload} carries no label ${ownerKeysText(label)} and the policy leaves such workloads alone`
      : `${workload} carries the label ${label.key} with the value ${said}, which says nothing, and the policy leaves such workloads alone`
  }
  const found =
    source !== 'scaler'
      ? `label ${label.key}=${label.values[owner]} of the ${source}`
      : `${source}${said === undefined ? '' : `, though its label ${label.key} says ${said}`}`
  return `${workload} belongs to ${owner} (${found}), which does not allow ${purpose}`
}

function causeWords(cause: Cause): string {
  return cause.kind === 'permit'
    ? `by ${cause.requester} under permit ${cause.permit}`
    : `by ${cause.observation.by} at ${timeText(cause.observation.atMs)}`
}

const presenceWords = {
  terminating: 'is terminating already',
  replaced: 'was replaced by another of the same name',
  gone: 'is gone',
} as const

function capSentence({ cap, subject, used, limit }: Objection & { readonly rule: 'cap' }): string {
  if (used > limit) return `it asks for ${used} at once, at most ${limit} may go (${cap} of ${subject})`
  switch (cap) {
    case 'concurrent':
      return `${used} of ${limit} disruptions that the cluster takes at once are under way`
    case 'per-hour':
      return `${used} of ${limit} disruptions that an hour takes are used up`
    case 'per-namespace':
      return `${used} of ${limit} disruptions that namespace ${subject} takes at once are under way`
    case 'per-node':
      return `${used} of ${limit} that may leave node ${subject} at once are leaving it`
    case 'per-destination':
      return `${used} of ${limit} that may come to node ${subject} at once are on their way`
  }
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

/** RFC 3339; what is no time says so. */
function timeText(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? 'a time unknown' : date.toISOString()
}

/** What would let it pass, by whom: the end of a sentence. */
export function remedy(objection: Objection): string {
  switch (objection.rule) {
    case 'repeat':
      return 'nothing is left to do; a new wish takes a new key'
    case 'stale':
      return 'plan again from the present state'
    case 'late':
      return 'ask again with a later deadline'
    case 'early':
      return 'it goes on by itself then'
    case 'nothing-runs':
      return 'its next start takes the change along'
    case 'owner':
      return ownerRemedy(objection)
    case 'protected':
      return 'take the annotation away when it may be moved'
    case 'budget-required':
      return 'create a PodDisruptionBudget with maxUnavailable 1 for it (ballast plan --emit-pdbs prints it)'
    case 'budget-never-allows':
      return 'change the budget to maxUnavailable 1, or add a replica'
    case 'least-replicas':
      return `scale it to ${objection.least}, or lower the least number in the policy that asks`
    case 'freeze':
      return objection.freeze.where === 'arbiter.freeze'
        ? 'set arbiter.freeze: false in the configuration'
        : 'take the annotation ballast.dev/freeze away'
    case 'window':
      return `arbiter.windows.${objection.requester} in the configuration says when it may`
    case 'gate':
      return `it goes on once that is over; arbiter.gates.${gateKeys[objection.gate]}: false in the configuration takes the gate away`
    case 'under-way':
      return 'it goes on when that is done, or makes no progress for 10 minutes (spec.progressDeadlineSeconds)'
    case 'waking':
      return 'it goes on 2 minutes after the workload is Ready'
    case 'lock':
    case 'node-lock':
    case 'zone-drain':
      return `it goes on when permit ${objection.permit} is released (ballast permits shows how far that is)`
    case 'plan-lock':
      return `it goes on when plan ${objection.batch} has ended`
    case 'cool-down':
      return 'arbiter.cooldowns in the configuration says for each class how long that counts'
    case 'scale-cool-down':
      return 'arbiter.cooldowns.scale in the configuration says how long that counts'
    case 'reverse-move':
      return 'change the goals so that both can hold; arbiter.cooldowns.reverseMove in the configuration says how long that counts'
    case 'quarantine':
      return 'see in its pods why no other node takes them; arbiter.cooldowns.longestQuarantine in the configuration bounds the time'
    case 'disruption-budget':
      return 'it goes on when more of its pods are healthy; the budget or more replicas would allow more'
    case 'budgets-overlap':
      return 'leave only one PodDisruptionBudget that selects it'
    case 'cap':
      return objection.used > objection.limit
        ? `ask for ${objection.limit} at once, or raise arbiter.caps.${capKeys[objection.cap]} in the configuration`
        : `it goes on when there is room; arbiter.caps.${capKeys[objection.cap]} in the configuration says how much there is`
    case 'overtaken':
      return `it goes on when ${objection.by} is done; after 30 minutes it has more urgency`
    case 'fit-proof':
      return 'make room on another node, then plan again from the present state'
    case 'company':
      return 'it goes on by itself; arbiter.mergeWindow in the configuration says how long that is waited for'
  }
}

const capKeys = {
  concurrent: 'concurrent',
  'per-hour': 'perHour',
  'per-namespace': 'perNamespace',
  'per-node': 'perSourceNode',
  'per-destination': 'perDestination',
} as const satisfies Readonly<Record<CapName, string>>

function ownerRemedy({ owner, source, purpose, label }: Objection & { readonly rule: 'owner' }): string {
  const wayOut = purposeRows[purpose].ownerWaysOut?.[owner ?? 'unlabelled']
  if (wayOut !== undefined) return wayOut
  if (owner === undefined)
    return `label it ${label.key}=${label.values.descheduler}, or set coordination.unlabelled: descheduler in the policy`
  return source === 'scaler'
    ? 'delete the ScaledObject that targets it if KEDA is not to have it'
    : `change the label ${label.key} of the ${source} if that is not meant`
}
