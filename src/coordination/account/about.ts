// What the subject of an account is, in a few lines: the facts that the rules look at.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { effectiveOwner, kindKey, type OwnerLabel, ownerKeysText, workloadOwner } from '#cluster/ownership.ts'
import { budgetAnswer } from '../facts/budget-facts.ts'
import { freezeOf } from '../freeze.ts'
import { isActive } from '../permits/permit-record.ts'
import type { Book } from './book.ts'
import { isolationLines } from './isolation-entries.ts'
import type { Subject } from './subject.ts'

interface Facts {
  readonly subject: Subject
  readonly state: ClusterState
  readonly book: Book
  readonly ownerLabel: OwnerLabel
  readonly nowMs: number
}

export function factLines(facts: Facts): readonly string[] {
  const { subject } = facts
  switch (subject.kind) {
    case 'workload':
      return [
        ...(subject.askedFor === undefined ? [] : [`${subject.askedFor} belongs to it`]),
        ...(subject.isGone ? ['it is gone: this is what is kept of it'] : ofWorkload(subject, facts)),
      ]
    case 'pod':
      return subject.isGone ? ['it is gone'] : ['nobody controls it: if it goes, it does not come back']
    case 'node':
      return ofNode(subject.name, facts)
    case 'plan':
      return ofPlan(subject.name, facts.book)
    case 'policy':
      return ofPolicy(subject.name, facts.book)
  }
}

function ofWorkload({ workload }: Subject & { kind: 'workload' }, { state, book, ownerLabel, nowMs }: Facts): readonly string[] {
  const pods = state.podsOf(workload.uid).filter(pod => !pod.isFinished)
  const object = state.object(kindKey(workload.apiVersion, workload.kind), workload.namespace, workload.name)
  const [pod] = pods
  const owner = pod === undefined ? workloadOwner(state, workload, ownerLabel) : effectiveOwner(state, pod, ownerLabel)
  const places = Map.groupBy(pods, one => one.nodeName ?? 'no node')
  const spread = [...places].map(([node, on]) => (on.length === 1 ? node : `${node} (${on.length})`)).sort()
  const freeze = freezeOf(object, nowMs) ?? freezeOf(state.object('Namespace', undefined, workload.namespace), nowMs)
  const budget =
    pod === undefined ? undefined : budgetAnswer(state, pod, book.permits.map(({ record }) => record).filter(isActive))
  return [
    ownerWords(owner, ownerLabel),
    pods.length === 0
      ? 'no pod of it runs'
      : `${pods.length === 1 ? '1 pod' : `${pods.length} pods`}, ${pods.filter(one => one.isReady).length} ready, on ${spread.join(', ')}`,
    ...(budget === undefined ? [] : [budgetWords(budget)]),
    ...(freeze === undefined ? [] : [`frozen by ${freeze.where}: ${freeze.reason}`]),
  ]
}

function ownerWords(found: ReturnType<typeof effectiveOwner>, label: OwnerLabel): string {
  const { owner, source, contradicting, key = label.key } = found
  const { values } = label
  if (owner === undefined)
    return contradicting === undefined
      ? `belongs to nobody: no label ${ownerKeysText(label)}`
      : `belongs to nobody: the label ${key}=${contradicting} means nothing`
  if (source !== 'scaler') return `belongs to ${owner} (label ${key}=${values[owner]} of the ${source})`
  const against = contradicting === undefined ? '' : `, against its label ${key}=${contradicting}`
  return `belongs to ${owner} (a ScaledObject or ScaledJob targets it${against})`
}

function budgetWords(answer: ReturnType<typeof budgetAnswer>): string {
  switch (answer.kind) {
    case 'no-budget':
      return 'no PodDisruptionBudget selects its pods'
    case 'allowed':
      return `PodDisruptionBudget ${answer.budget} lets a pod go`
    case 'exhausted':
      return `PodDisruptionBudget ${answer.budget} lets no pod go now: ${answer.message}`
    case 'never-allows':
      return `PodDisruptionBudget ${answer.budget} can never let a pod go`
    case 'several':
      return `${answer.budgets.length} PodDisruptionBudgets select its pods: ${answer.budgets.join(', ')}`
  }
}

function ofNode(name: string, { state, book, nowMs }: Facts): readonly string[] {
  const node = state.nodes.get(name)
  if (node === undefined) return ['it is gone']
  const taints = node.object.spec?.taints ?? []
  const freeze = freezeOf(node.object, nowMs)
  return [
    `${node.isReady ? 'ready' : 'not ready'}, ${node.isSchedulable ? 'open to new pods' : 'cordoned'}, ${state.podsOn(name).length} pods`,
    taints.length === 0
      ? 'no taints'
      : `taints ${taints.map(taint => `${taint.key}${taint.value === undefined || taint.value === '' ? '' : `=${taint.value}`}:${taint.effect}`).join(', ')}`,
    ...(freeze === undefined ? [] : [`frozen by ${freeze.where}: ${freeze.reason}`]),
    ...book.policies.filter(({ status }) => status?.isolation?.nodes.includes(name) === true).flatMap(isolationLines),
  ]
}

function ofPlan(name: string, book: Book): readonly string[] {
  const plan = book.plans.find(one => one.metadata.name === name)
  if (plan === undefined) return ['it was not there yet']
  const steps = plan.status?.steps ?? []
  const counts = [...Map.groupBy(steps, step => step.state)].map(([state, ones]) => `${ones.length} ${state.toLowerCase()}`)
  return [
    `${plan.status?.phase ?? 'Proposed'}, of policy ${plan.spec.policyRef.name}, to ${plan.spec.purpose}; ${plan.spec.approved ? 'approved' : 'not approved'}`,
    `${plan.spec.moves.length} moves${counts.length === 0 ? '' : `: ${counts.join(', ')}`}; ${plan.status?.unmovable?.length ?? 0} pods stay (ballast why pod/NAME says why)`,
    ...(plan.status?.goals ?? []).map(goal => `goal ${goal.name}: ${goal.outcome}: ${goal.message}`),
  ]
}

function ofPolicy(name: string, book: Book): readonly string[] {
  const policy = book.policies.find(one => one.metadata.name === name)
  if (policy === undefined) return []
  const { spec, status } = policy
  return [
    `mode ${spec.mode}, ${spec.trigger === 'manual' ? 'planned when asked' : `planned at ${spec.schedule ?? ''} ${spec.timeZone}`}`,
    ...(status?.lastPlan === undefined ? [] : [`last plan ${status.lastPlan}`]),
    ...(status?.nextPlanTime === undefined ? [] : [`next plan at ${status.nextPlanTime}`]),
    ...isolationLines(policy),
    ...(status?.isolation?.blocked ?? []).map(row => `in its way: ${row.subject}: ${row.message} [${row.reason}]`),
    ...(status?.isolation?.undo ?? []).map(line => `to take it back: ${line}`),
    ...(status?.conditions ?? []).map(
      condition =>
        `${condition.type} ${condition.status}${condition.reason === undefined ? '' : ` (${condition.reason})`}${condition.message === undefined || condition.message === '' ? '' : `: ${condition.message}`}`,
    ),
  ]
}
