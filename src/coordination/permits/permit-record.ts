// One line of the arbiter's ledger as data, and its form as a DisruptionPermit object.

import type { DisruptionPermit } from '../api.ts'
import {
  type DisruptionClass,
  type Purpose,
  type Reason,
  type Relocation,
  type RolloutMark,
  type Target,
  type TemplateChange,
  type Verb,
  wishKey,
} from '../intent.ts'
import type { endings, landings } from './permit-words.ts'

/** Annotation on Lease and permits: the epoch of the leader that wrote them. */
export const leaderEpochAnnotation = 'ballast.dev/leader-epoch'

export type Ending = (typeof endings)[number]

export type Landing = (typeof landings)[number]

/** An intent that goes along with a permit that was granted to another: no disruption of its own. */
export interface Joined {
  readonly requester: string
  readonly class: DisruptionClass
  readonly verb: Verb
  readonly purpose: Purpose
  readonly reasons: readonly Reason[]
  readonly idempotencyKey: string
  readonly change: TemplateChange | undefined
  readonly mark?: RolloutMark
  readonly relocation: Relocation | undefined
}

/** A wish that was to go along until the server refused its change: not done, and free to ask again. */
interface Dropped extends Joined {
  /** The server's words. */
  readonly message: string
}

export interface PermitRecord {
  readonly name: string
  readonly namespace: string
  /** Which of the wishes that share the permit it is, from 0; absent where the permit is its own. */
  readonly member?: number
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
  readonly change: TemplateChange | undefined
  /** Mark of a rollout: `none` where its change makes new pods by itself. */
  readonly mark?: RolloutMark
  /** In whose name the effect is written, where that is not the requester's. */
  readonly fieldManager?: string
  readonly relocation: Relocation | undefined
  /** `scale`: how many are wanted. */
  readonly replicas?: number
  /** Nodes that lose pods by it. */
  readonly nodes: readonly string[]
  /** What goes along; without `dropped`. */
  readonly joined: readonly Joined[]
  readonly dropped: readonly Dropped[]
  readonly deadlineMs: number
  /** UIDs of the workload's newest pods when it was granted: a pod of the workload that is none of these came afterwards. */
  readonly siblings: readonly string[]
  readonly grant: { readonly token: number; readonly atMs: number; readonly expiresAtMs: number } | undefined
  readonly epoch: number
  readonly releasedAtMs: number | undefined
  readonly ending: Ending | undefined
  readonly landing: Landing | undefined
  /** What the server wrote down as time of creation; server time, whole seconds. */
  readonly createdMs: number
}

/** A grant that is still out: its effect may be under way. */
export function isActive(permit: PermitRecord): boolean {
  return permit.grant !== undefined && permit.releasedAtMs === undefined
}

/** Largest token and epoch that can have come about: what is above was written by hand. */
const largestToken = 1e15
const largestEpoch = 1e9

/** Why a permit cannot be read as a grant, with path, found and expected; `undefined`: it can, or it is a request without a grant. */
export function whyUnreadable({ spec }: DisruptionPermit): string | undefined {
  if (typeof spec !== 'object' || spec === null) return `spec is ${JSON.stringify(spec)}, expected an object`
  const { grant } = spec
  if (grant === undefined) return undefined
  if (!Number.isSafeInteger(grant.token) || grant.token < 1 || grant.token > largestToken)
    return `spec.grant.token is ${JSON.stringify(grant.token)}, expected a whole number from 1 to ${largestToken}`
  for (const field of ['at', 'expiresAt'] as const) {
    if (Number.isNaN(Date.parse(grant[field]))) return `spec.grant.${field} is ${JSON.stringify(grant[field])}, expected a time`
  }
  for (const field of ['requester', 'idempotencyKey'] as const) {
    if (typeof spec[field] !== 'string') return `spec.${field} is ${JSON.stringify(spec[field])}, expected text`
  }
  if (spec.members !== undefined) {
    const wrong = wrongMember(spec.members)
    if (wrong !== undefined) return wrong
  }
  if (!Array.isArray(spec.targets)) return `spec.targets is ${JSON.stringify(spec.targets)}, expected a list`
  return undefined
}

function wrongMember(members: unknown): string | undefined {
  if (!Array.isArray(members)) return `spec.members is ${JSON.stringify(members)}, expected a list`
  for (const [at, member] of members.entries()) {
    const { token, idempotencyKey }: { readonly token?: unknown; readonly idempotencyKey?: unknown } = member ?? {}
    if (!Number.isSafeInteger(token) || typeof idempotencyKey !== 'string')
      return `spec.members[${at}] is ${JSON.stringify(member)}, expected a token and an idempotencyKey`
  }
  return undefined
}

/**
 * The record of a permit as the API server has it. Never throws for what `whyUnreadable` finds nothing in: fields that older versions
 * did not write read as empty.
 */
export function recordOf(permit: DisruptionPermit): PermitRecord {
  const { metadata, spec, status } = permit
  const { grant } = spec
  const named: readonly DisruptionPermit['spec']['joined'][number][] = listOf(spec.joined)
  const joined = named.map(one => ({ ...one, reasons: listOf(one.reasons), change: one.change, relocation: one.relocation }))
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    requester: spec.requester,
    class: spec.class,
    verb: spec.verb,
    purpose: spec.purpose ?? 'move',
    targets: listOf(spec.targets),
    workload: spec.workload,
    reasons: listOf(spec.reasons),
    idempotencyKey: spec.idempotencyKey,
    batch: spec.batch,
    change: spec.change,
    ...(spec.mark === undefined ? {} : { mark: spec.mark }),
    ...(spec.fieldManager === undefined ? {} : { fieldManager: spec.fieldManager }),
    relocation: spec.relocation,
    ...(spec.replicas === undefined ? {} : { replicas: spec.replicas }),
    nodes: listOf(spec.nodes),
    ...sorted(joined, listOf(status?.dropped)),
    deadlineMs: Date.parse(spec.deadline),
    siblings: listOf(spec.siblings),
    grant:
      grant === undefined
        ? undefined
        : { token: grant.token, atMs: Date.parse(grant.at), expiresAtMs: Date.parse(grant.expiresAt) },
    epoch: epochOf(metadata.annotations?.[leaderEpochAnnotation]),
    releasedAtMs: status?.releasedAt === undefined ? undefined : Date.parse(status.releasedAt),
    ending: status?.ending,
    landing: status?.landing,
    createdMs: metadata.creationTimestamp === undefined ? 0 : Date.parse(metadata.creationTimestamp),
  }
}

/** `record` when the server refused the changes of `dropped`; whom it does not name is no matter of it. */
export function withDropped(record: PermitRecord, dropped: readonly DroppedWish[]): PermitRecord {
  return { ...record, ...sorted([...record.joined, ...record.dropped], [...record.dropped, ...dropped]) }
}

/** A dropped passenger by name. */
export type DroppedWish = Pick<Dropped, 'requester' | 'idempotencyKey' | 'message'>

function sorted(wishes: readonly Joined[], dropped: readonly DroppedWish[]): Pick<PermitRecord, 'joined' | 'dropped'> {
  const messages = new Map(dropped.map(one => [wishKey(one), one.message]))
  return {
    joined: wishes.filter(one => !messages.has(wishKey(one))),
    dropped: wishes.flatMap(one => {
      const message = messages.get(wishKey(one))
      return message === undefined ? [] : [{ ...one, message }]
    }),
  }
}

function listOf<T>(list: readonly T[] | undefined): readonly T[] {
  return Array.isArray(list) ? list : []
}

/** An epoch as it is written in an annotation; 0 for an absent or unreadable one. */
export function epochOf(text: string | undefined): number {
  const value = Number(text ?? '0')
  return Number.isSafeInteger(value) && value > 0 && value <= largestEpoch ? value : 0
}
