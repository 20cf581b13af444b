// One permit for many wishes that were asked for together: a member of it says what a permit of its own would. Here the one is made of
// the many, and taken apart again; whoever reads the ledger sees only permits of one wish. Pure.
import type { DisruptionPermit } from '../api.ts'
import type { Intent } from '../intent.ts'
import { type PermitRecord, recordOf } from './permit-record.ts'

type Spec = DisruptionPermit['spec']
type Status = NonNullable<DisruptionPermit['status']>
type Member = NonNullable<Spec['members']>[number]
type MemberEnd = NonNullable<Status['members']>[number]

/** Targets of all members together; the definition of the kind says the same. */
export const mostTogether = 500
/** Wishes that go along with all members together; the definition of the kind says the same. */
export const mostJoinedTogether = 128
/** UIDs of pods that all members together name, so that the object stays small. */
const mostSiblings = 4_000
/** Characters that are kept of the reason why a member ended. */
const longestReason = 256
/** An object of etcd may have 1.5 MB, an Event of the watch less: above this another permit is begun, in characters of JSON. */
const largestPermit = 700_000

interface Shared {
  readonly name: string
  readonly namespace: string
  members: number
  targets: number
  size: number
  joined: number
}

/** Where a wish stands that is granted together with others. */
interface Seat {
  readonly name: string
  readonly namespace: string
  readonly member: number
}

/** The permits that the granted ones of some wishes share: one, as long as they are alike and not too many. */
export class Together {
  readonly #open = new Map<string, Shared>()
  readonly #namespace: string
  /** UIDs that each may name of its workload's pods. */
  readonly siblings: number

  /** A permit lies in the namespace of its first target, or in `ownNamespace`. */
  constructor(intents: readonly Intent[], ownNamespace: string) {
    this.#namespace = ownNamespace
    this.siblings = Math.max(4, Math.floor(mostSiblings / Math.max(1, intents.length)))
  }

  /** How many wishes may go along with `intent`, where its permit is begun already. */
  room(intent: Intent): number {
    return mostJoinedTogether - (this.#open.get(kindOf(intent))?.joined ?? 0)
  }

  /** The place of `permit`, made as if it stood alone. */
  seat(intent: Intent, permit: DisruptionPermit): Seat {
    const kind = kindOf(intent)
    const size = JSON.stringify(permit.spec).length
    const { targets, joined, grant } = permit.spec
    const open = this.#open.get(kind)
    const isFull = open === undefined || open.targets + targets.length > mostTogether || open.size + size > largestPermit
    const shared: Shared = isFull
      ? {
          name: `${intent.verb}-${intent.requester}-${grant?.token ?? 0}`,
          namespace: intent.targets[0]?.namespace ?? this.#namespace,
          members: 0,
          targets: 0,
          size: 0,
          joined: 0,
        }
      : open
    this.#open.set(kind, shared)
    const { name, namespace } = shared
    const member = shared.members++
    shared.targets += targets.length
    shared.size += size
    shared.joined += joined.length
    return { name, namespace, member }
  }
}

/** What members have in common: what an object says once. */
function kindOf({ requester, verb, purpose, class: urgency, batch, mark, fieldManager }: Intent): string {
  return JSON.stringify([requester, verb, purpose, urgency, batch, mark, fieldManager])
}

/** The one permit of `singles`, in their order; each is as it would be alone, and of one kind with the others. @throws RangeError for none */
export function sharedPermit(singles: readonly DisruptionPermit[]): DisruptionPermit {
  const [first] = singles
  const grant = first?.spec.grant
  if (first === undefined || grant === undefined) throw new RangeError('a permit is shared by at least one that is granted')
  const nodes = [...new Set(singles.flatMap(({ spec }) => spec.nodes))].slice(0, mostTogether)
  const nodeNumbers = new Map(nodes.map((name, at) => [name, at]))
  const deadline = latest(singles.map(({ spec }) => spec.deadline))
  const expiresAt = latest(singles.map(({ spec }) => spec.grant?.expiresAt ?? grant.expiresAt))
  const { change: _change, relocation: _relocation, replicas: _replicas, workload: _workload, ...common } = first.spec
  const { wouldBe: _wouldBe, ...granted } = grant
  return {
    ...first,
    spec: {
      ...common,
      // The shared permit has no wish of its own: each member has one.
      idempotencyKey: first.metadata.name,
      targets: singles.flatMap(({ spec }) => spec.targets),
      nodes,
      joined: singles.flatMap(({ spec }, member) => spec.joined.map(one => ({ ...one, member }))),
      siblings: [],
      deadline,
      grant: { ...granted, expiresAt },
      members: singles.map(({ spec }) => memberOf(spec, { common, nodeNumbers, deadline, expiresAt })),
    },
  }
}

function memberOf(
  spec: Spec,
  {
    common,
    nodeNumbers,
    deadline,
    expiresAt,
  }: {
    readonly common: Pick<Spec, 'reasons'>
    readonly nodeNumbers: ReadonlyMap<string, number>
    readonly deadline: string
    readonly expiresAt: string
  },
): Member {
  const { workload, change, relocation, replicas, grant } = spec
  const nodes = spec.nodes.flatMap(name => nodeNumbers.get(name) ?? [])
  const isSaid = JSON.stringify(spec.reasons) === JSON.stringify(common.reasons)
  return {
    idempotencyKey: spec.idempotencyKey,
    token: grant?.token ?? 0,
    ...(spec.targets.length === 1 ? {} : { targets: spec.targets.length }),
    ...(workload === undefined ? {} : { workload }),
    ...(isSaid ? {} : { reasons: spec.reasons }),
    ...(change === undefined ? {} : { change }),
    ...(relocation === undefined ? {} : { relocation }),
    ...(replicas === undefined ? {} : { replicas }),
    ...(nodes.length === 0 ? {} : { nodes }),
    ...(spec.siblings.length === 0 ? {} : { siblings: spec.siblings }),
    ...(spec.deadline === deadline ? {} : { deadline: spec.deadline }),
    ...(grant === undefined || grant.expiresAt === expiresAt ? {} : { expiresAt: grant.expiresAt }),
    ...(grant?.wouldBe === undefined ? {} : { wouldBe: grant.wouldBe }),
  }
}

function latest(times: readonly string[]): string {
  return times.reduce((last, time) => (Date.parse(time) > Date.parse(last) ? time : last))
}

/** The permits that `permit` is one of, each as if it stood alone; a permit of one wish is itself. Never throws for what `whyUnreadable` lets pass. */
export function singlesOf(permit: DisruptionPermit): readonly DisruptionPermit[] {
  const { spec, status } = permit
  const { members, ...common } = spec
  if (!Array.isArray(members)) return [permit]
  const ends = new Map((status?.members ?? []).map(end => [end.member, end]))
  let next = 0
  return (
    spec.members?.map((one, at): DisruptionPermit => {
      const targets = common.targets.slice(next, next + (one.targets ?? 1))
      next += one.targets ?? 1
      const { token, reasons, nodes = [], siblings = [], deadline, expiresAt, wouldBe, targets: _, ...own } = one
      const { grant } = common
      const single: Spec = {
        ...common,
        ...own,
        targets,
        reasons: reasons ?? common.reasons,
        nodes: nodes.flatMap(number => common.nodes[number] ?? []),
        siblings,
        joined: (common.joined ?? []).flatMap(({ member, ...wish }) => (member === at ? [wish] : [])),
        deadline: deadline ?? common.deadline,
        ...(grant === undefined
          ? {}
          : {
              grant: { ...grant, token, expiresAt: expiresAt ?? grant.expiresAt, ...(wouldBe === undefined ? {} : { wouldBe }) },
            }),
      }
      const told = statusOf(status, ends.get(at), single.joined)
      const { status: _status, ...object } = permit
      return { ...object, spec: single, ...(told === undefined ? {} : { status: told }) }
    }) ?? [permit]
  )
}

function statusOf(status: Status | undefined, end: MemberEnd | undefined, joined: Spec['joined']): Status | undefined {
  if (status === undefined) return undefined
  const { members: _, dropped, ...common } = status
  const own = dropped?.filter(one => joined.some(wish => isSame(wish, one)))
  const { releasedAt, ending, landing, reason, ...still } = common
  const told = own === undefined || own.length === 0 ? still : { ...still, dropped: own }
  if (end !== undefined) {
    const { member: _member, ...ended } = end
    return { ...told, ...ended }
  }
  // Released as a whole, by hand or by a leader that knew no members.
  if (releasedAt === undefined) return told
  return {
    ...told,
    releasedAt,
    ...(ending === undefined ? {} : { ending }),
    ...(landing === undefined ? {} : { landing }),
    ...(reason === undefined ? {} : { reason }),
  }
}

function isSame(
  a: { readonly requester: string; readonly idempotencyKey: string },
  b: { readonly requester: string; readonly idempotencyKey: string },
): boolean {
  return a.requester === b.requester && a.idempotencyKey === b.idempotencyKey
}

/** The records of a permit: one, or one for each member. */
export function recordsOf(permit: DisruptionPermit): readonly PermitRecord[] {
  if (!Array.isArray(permit.spec.members)) return [recordOf(permit)]
  return singlesOf(permit).map((single, member) => ({ ...recordOf(single), member }))
}

/** A member that has ended, and why. */
export type EndedMember = PermitRecord & { readonly reason: string }

const gravest = ['failed', 'expired', 'yielded', 'withdrawn', 'done'] as const

/** What the status of a shared permit says of the members that ended; and of itself, where that is all of them. */
export function statusOfMembers(all: number, ended: readonly EndedMember[]): Status {
  const members = ended
    .toSorted((a, b) => (a.member ?? 0) - (b.member ?? 0))
    .map(({ member = 0, releasedAtMs = 0, ending, landing, reason }) => ({
      member,
      releasedAt: new Date(releasedAtMs).toISOString(),
      reason: reason.slice(0, longestReason),
      ...(ending === undefined ? {} : { ending }),
      ...(landing === undefined ? {} : { landing }),
    }))
  if (ended.length < all) return { decision: 'Granted', members }
  const counts = gravest
    .map(ending => [ending, ended.filter(one => one.ending === ending).length] as const)
    .filter(([, count]) => count > 0)
  const [worst] = counts
  return {
    decision: 'Granted',
    members,
    releasedAt: new Date(Math.max(...ended.map(({ releasedAtMs = 0 }) => releasedAtMs))).toISOString(),
    reason: `of ${all}: ${counts.map(([ending, count]) => `${count} ${ending}`).join(', ')}`,
    ...(worst === undefined ? {} : { ending: worst[0] }),
  }
}
