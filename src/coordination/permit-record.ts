// One line of the arbiter's ledger as data, and its form as a DisruptionPermit object.
import type { DisruptionPermit } from './api.ts'
import type { DisruptionClass, Purpose, Reason, Target, Verb } from './intent.ts'

/** Annotation on Lease and permits: the epoch of the leader that wrote them. */
export const leaderEpochAnnotation = 'ballast.dev/leader-epoch'

/** How a permit ended. `withdrawn`: nothing had happened and nothing will. */
export type Ending = 'done' | 'failed' | 'withdrawn' | 'expired'

export interface PermitRecord {
  readonly name: string
  readonly namespace: string
  readonly resourceVersion: string
  readonly requester: string
  readonly class: DisruptionClass
  readonly verb: Verb
  readonly purpose: Purpose
  readonly targets: readonly Target[]
  /** `namespace/Kind/name` of the workload that loses pods by it; the key of the lock. */
  readonly workload: string | undefined
  readonly reasons: readonly Reason[]
  readonly idempotencyKey: string
  readonly batch: string | undefined
  readonly deadlineMs: number
  /** UIDs of the workload's newest pods when it was granted: a pod of the workload that is none of these came afterwards. */
  readonly siblings: readonly string[]
  readonly grant: { readonly token: number; readonly atMs: number; readonly expiresAtMs: number } | undefined
  readonly epoch: number
  readonly releasedAtMs: number | undefined
  readonly ending: Ending | undefined
  /** What the server wrote down as time of creation; server time, whole seconds. */
  readonly createdMs: number
}

/** A grant that is still out: its effect may be under way. */
export function isActive(permit: PermitRecord): boolean {
  return permit.grant !== undefined && permit.releasedAtMs === undefined
}

/** The record of a permit as the API server has it. `undefined` for a request without a grant. Never throws: what is missing reads as empty. */
export function recordOf(permit: DisruptionPermit): PermitRecord {
  const { metadata, spec, status } = permit
  const grant = spec.grant
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    requester: spec.requester,
    class: spec.class,
    verb: spec.verb,
    purpose: spec.purpose,
    targets: spec.targets,
    workload: spec.workload,
    reasons: spec.reasons,
    idempotencyKey: spec.idempotencyKey,
    batch: spec.batch,
    deadlineMs: Date.parse(spec.deadline),
    siblings: spec.siblings,
    grant:
      grant === undefined
        ? undefined
        : { token: grant.token, atMs: Date.parse(grant.at), expiresAtMs: Date.parse(grant.expiresAt) },
    epoch: epochOf(metadata.annotations?.[leaderEpochAnnotation]),
    releasedAtMs: status?.releasedAt === undefined ? undefined : Date.parse(status.releasedAt),
    ending: status?.ending,
    createdMs: metadata.creationTimestamp === undefined ? 0 : Date.parse(metadata.creationTimestamp),
  }
}

/** 0 for an absent or unreadable annotation. */
function epochOf(text: string | undefined): number {
  const value = Number(text ?? '0')
  return Number.isSafeInteger(value) && value > 0 ? value : 0
}
