// All that the books say of one subject, line by line, oldest first; what they say twice is said once.

import type { ClusterState } from '#cluster/cluster-state.ts'
import { controllerOf, type OwnerLabel } from '#cluster/ownership.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { planKind } from '../api.ts'
import type { Observation, Observations } from '../observed/observation.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { askingOf } from '../plans/names.ts'
import type { Book, KeptPermit } from './book.ts'
import type { ClusterEvent } from './cluster-events.ts'
import { type Entry, inOrderOfTime } from './entry.ts'
import { eventEntries, isOurs, isWorthTelling } from './event-entries.ts'
import { isolationEntries } from './isolation-entries.ts'
import { observedEntry, sameAsObserved } from './observed-entries.ts'
import { permitEntries } from './permit-entries.ts'
import { madeMs, ownSteps, planEntries } from './plan-entries.ts'
import type { Subject } from './subject.ts'

interface TimelineInput {
  readonly subject: Subject
  readonly state: ClusterState
  readonly book: Book
  readonly observed: Observations
  readonly ownerLabel: OwnerLabel
  readonly nowMs: number
}

/** The lines of `subject` up to `nowMs`, oldest first. */
export function timelineOf(input: TimelineInput): readonly Entry[] {
  const { subject, book, nowMs } = input
  const epoch = book.permits.reduce((highest, { record }) => Math.max(highest, record.epoch), 0)
  const permits = book.permits.filter(permit => isAbout(permit, input))
  const observations = observationsOf(input)
  const events = book.events.filter(event => concerns(event, input) && isNews(event, { permits, observations, book }))
  return inOrderOfTime([
    ...ofPlans(subject, input),
    ...permits.flatMap(permit => permitEntries(permit, { nowMs, epoch })),
    ...observations.map(observedEntry),
    ...eventEntries(events),
    ...isolationEntries(subject, book.policies, { nowMs, isOfIt: key => isPodOf(key, input) }),
  ]).filter(entry => entry.atMs <= nowMs)
}

function isAbout({ record }: KeptPermit, { subject, book }: TimelineInput): boolean {
  switch (subject.kind) {
    case 'workload':
      return record.workload === subject.key
    case 'pod':
      return record.targets.some(
        target => target.kind === 'Pod' && target.namespace === subject.namespace && target.name === subject.name,
      )
    case 'node':
      return (
        record.nodes.includes(subject.name) ||
        record.targets.some(target => target.kind === 'Node' && target.name === subject.name) ||
        record.relocation?.to.includes(subject.name) === true
      )
    case 'plan':
      return book.plans.some(plan => isPlanOf(plan, subject) && isStepOf(record, plan))
    case 'policy':
      // What went well its plans tell in one line each; an isolation asks for taints and tolerations without a plan.
      return (
        record.ending !== 'done' &&
        (record.reasons.some(({ message }) => ` ${message} `.includes(` policy ${subject.name} `)) ||
          book.plans.some(plan => isPlanOf(plan, subject) && isStepOf(record, plan)))
      )
  }
}

function isPlanOf(plan: Book['plans'][number], subject: Subject & { kind: 'plan' | 'policy' }): boolean {
  return subject.kind === 'plan' ? plan.metadata.name === subject.name : plan.spec.policyRef.name === subject.name
}

/** Steps carry the plan's UID in their key; what steers for it carries its batch. */
function isStepOf(record: PermitRecord, plan: Book['plans'][number]): boolean {
  const batch = plan.spec.batch ?? plan.metadata.name
  return record.batch === batch || record.idempotencyKey.startsWith(`${plan.metadata.uid ?? plan.metadata.name}/`)
}

function ofPlans(subject: Subject, { book, ownerLabel, nowMs }: TimelineInput): readonly Entry[] {
  switch (subject.kind) {
    case 'workload':
      return planEntries(subject.key, { book, ownerLabel, nowMs })
    case 'pod':
      return []
    case 'node':
      return book.plans.flatMap(plan => nodeEntry(plan, subject.name))
    case 'plan':
    case 'policy':
      return book.plans
        .filter(plan => isPlanOf(plan, subject))
        .flatMap(plan => [madeEntry(plan), ...endEntry(plan), ...(subject.kind === 'plan' ? ownSteps(plan, book) : [])])
  }
}

type PlanObject = Book['plans'][number]

function madeEntry(plan: PlanObject): Entry {
  const { phase = 'Proposed', message = '' } = plan.status ?? {}
  const waits = phase === 'Proposed' && !plan.spec.approved
  return {
    atMs: madeMs(plan),
    who: askingOf(plan).requester,
    what: `plan ${plan.metadata.name} of policy ${plan.spec.policyRef.name}`,
    decision: undefined,
    outcome: waits ? 'waits' : 'told',
    sentence: `${plan.spec.moves.length} moves proposed${waits ? '; nobody has approved it yet' : ''}${message === '' || plan.status?.finishedAt !== undefined ? '' : `: ${message}`}`,
    because: [],
    data: { phase, moves: plan.spec.moves.length, landing: plan.spec.landing },
  }
}

function endEntry(plan: PlanObject): readonly Entry[] {
  const { phase, finishedAt, message = '' } = plan.status ?? {}
  const atMs = Date.parse(finishedAt ?? '')
  if (Number.isNaN(atMs) || phase === undefined) return []
  return [
    {
      atMs,
      who: askingOf(plan).requester,
      what: `plan ${plan.metadata.name} of policy ${plan.spec.policyRef.name}`,
      decision: undefined,
      outcome: phase === 'Succeeded' ? 'done' : 'not-done',
      sentence: `${phase.toLowerCase()}${message === '' ? '' : `: ${message}`}`,
      because: [],
      reason: phase,
    },
  ]
}

function nodeEntry(plan: PlanObject, node: string): readonly Entry[] {
  const leaving = plan.spec.moves.filter(move => move.from === node).length
  const coming = plan.spec.moves.filter(move => move.to === node).length
  if (leaving + coming === 0) return []
  return [
    {
      ...madeEntry(plan),
      sentence: [
        ...(leaving === 0 ? [] : [`${leaving} pods are to go from here`]),
        ...(coming === 0 ? [] : [`${coming} are to come`]),
      ].join(', '),
      data: { phase: plan.status?.phase ?? '', leaving, coming },
    },
  ]
}

function observationsOf({ subject, observed, nowMs }: TimelineInput): readonly Observation[] {
  const found =
    subject.kind === 'workload'
      ? [
          ...observed.ofWorkload(subject.key),
          ...observed.since(0).filter(one => one.kind === 'drain' && one.workload === subject.key),
        ]
      : subject.kind === 'node'
        ? observed.since(0).filter(one => one.nodes.includes(subject.name))
        : []
  return [...new Set(found)].filter(one => one.atMs <= nowMs)
}

/** Whether the event is about the subject: itself, or a pod or ReplicaSet of it, also one that is gone. */
function concerns({ regarding }: ClusterEvent, { subject, state, book }: TimelineInput): boolean {
  switch (subject.kind) {
    case 'node':
      return regarding.kind === 'Node' && regarding.name === subject.name
    case 'plan':
      return regarding.kind === planKind && regarding.name === subject.name
    case 'policy':
      return (
        (regarding.kind === 'RebalancePolicy' && regarding.name === subject.name) ||
        (regarding.kind === planKind && book.plans.some(plan => plan.metadata.name === regarding.name && isPlanOf(plan, subject)))
      )
    case 'pod':
      return regarding.kind === 'Pod' && regarding.namespace === subject.namespace && regarding.name === subject.name
    case 'workload':
      break
  }
  const { workload } = subject
  if (regarding.namespace !== workload.namespace) return false
  if (regarding.kind === workload.kind && regarding.name === workload.name) return true
  if (regarding.kind === 'DisruptionPermit')
    return book.permits.some(({ record }) => record.workload === subject.key && record.name === regarding.name)
  if (regarding.kind === 'Pod') {
    const pod = state.pods.get(`${workload.namespace}/${regarding.name}`)
    return pod === undefined
      ? namesOfPods(workload).test(regarding.name)
      : pod.workload !== undefined && workloadKey(pod.workload) === subject.key
  }
  const object = state.object(regarding.kind, workload.namespace, regarding.name)
  const owner = object === undefined ? undefined : controllerOf(object.metadata)
  return owner?.kind === workload.kind && owner.name === workload.name
}

function isPodOf(podKey: string, { subject, state }: TimelineInput): boolean {
  const workload = state.pods.get(podKey)?.workload
  return subject.kind === 'workload' && workload !== undefined && workloadKey(workload) === subject.key
}

/** How controllers name their pods: all that is left of one that is gone. */
function namesOfPods({ kind, name }: { readonly kind: string; readonly name: string }): RegExp {
  const exact = name.replace(/[^a-z0-9-]/g, '\\$&')
  if (kind === 'Deployment') return new RegExp(`^${exact}-[a-z0-9]{1,10}-[a-z0-9]{1,5}$`)
  return kind === 'StatefulSet' ? new RegExp(`^${exact}-\\d+$`) : new RegExp(`^${exact}-[a-z0-9]{1,5}$`)
}

/** The kubelet takes its time to stop what was evicted. */
const afterglowMs = 60_000

/** What a permit, a plan or an observation tells already is no news. */
function isNews(
  event: ClusterEvent,
  known: { readonly permits: readonly KeptPermit[]; readonly observations: readonly Observation[]; readonly book: Book },
): boolean {
  if (!isWorthTelling(event)) return false
  if (isOurs(event)) {
    const isPlanned =
      event.reason === 'RebalancePlanned' && known.book.plans.some(plan => event.note.startsWith(`${plan.metadata.name}:`))
    return !isPlanned
  }
  const isUnderPermit = known.permits.some(
    ({ record: { grant, releasedAtMs } }) =>
      grant !== undefined &&
      event.atMs >= grant.atMs - 1_000 &&
      event.atMs <= (releasedAtMs ?? Number.POSITIVE_INFINITY) + afterglowMs,
  )
  const isObserved = known.observations.some(
    ({ kind, atMs }) => sameAsObserved[kind].includes(event.reason) && Math.abs(atMs - event.atMs) <= afterglowMs,
  )
  return !isUnderPermit && !isObserved
}
