// What an account is made from, beside the cluster's state: permits, plans, policies and events, read once and checked.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'
import {
  type DisruptionPermit,
  planKind,
  type RebalancePlan,
  type RebalancePolicy,
  rebalancePlanSpec,
  rebalancePlanStatus,
} from '../api.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { disruptionPermitSpec, disruptionPermitStatus } from '../permits/permit-schema.ts'
import { recordsOf, singlesOf } from '../permits/shared-permit.ts'
import { readPolicy } from '../plans/plan-policy.ts'
import { type ClusterEvent, clusterEvents } from './cluster-events.ts'

/** A permit as it is stored, with what the rules read of it. */
export interface KeptPermit {
  readonly object: DisruptionPermit
  readonly record: PermitRecord
}

export interface Book {
  /** In order of namespace and name. */
  readonly permits: readonly KeptPermit[]
  readonly plans: readonly RebalancePlan[]
  readonly policies: readonly RebalancePolicy[]
  readonly events: readonly ClusterEvent[]
  /** What could not be read, and was left out. */
  readonly problems: readonly Problem[]
}

/** Reads what of `objects` is ours, and the events. An object that is not what its kind says is named in `problems`. */
export function bookOf(objects: readonly KubeObject[]): Book {
  const problems: Problem[] = []
  const permits: KeptPermit[] = []
  const plans: RebalancePlan[] = []
  const policies: RebalancePolicy[] = []
  for (const object of objects) {
    switch (object.kind) {
      case 'DisruptionPermit': {
        const parts = read(object, 'permit-shape', { spec: disruptionPermitSpec, status: disruptionPermitStatus }, problems)
        if (parts === undefined) break
        permits.push(...keptPermits({ ...object, ...parts }))
        break
      }
      case planKind: {
        const parts = read(object, 'plan-shape', { spec: rebalancePlanSpec, status: rebalancePlanStatus }, problems)
        if (parts !== undefined) plans.push({ ...object, ...parts })
        break
      }
      case 'RebalancePolicy': {
        const policy = readPolicy(object)
        if (policy.ok) policies.push(policy.policy)
        else problems.push(...policy.problems)
        break
      }
      default:
        break
    }
  }
  const inOrder = (a: KubeObject, b: KubeObject) =>
    compare(a.metadata.namespace ?? '', b.metadata.namespace ?? '') || compare(a.metadata.name, b.metadata.name)
  return {
    permits: permits.toSorted((a, b) => inOrder(a.object, b.object)),
    plans: plans.toSorted(inOrder),
    policies: policies.toSorted(inOrder),
    events: clusterEvents(objects),
    problems,
  }
}

/** A permit as accounts tell it: one, or each of those that share it by itself. */
export function keptPermits(permit: DisruptionPermit): readonly KeptPermit[] {
  const records = recordsOf(permit)
  return singlesOf(permit).flatMap((object, at) => {
    const record = records[at]
    return record === undefined ? [] : [{ object, record }]
  })
}

interface Schema<T> {
  safeParse(value: unknown):
    | { readonly success: true; readonly data: T }
    | {
        readonly success: false
        readonly error: {
          readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string; readonly code?: string }[]
        }
      }
}

/** Spec and status of `object`, checked; `undefined` where either is wrong. */
function read<Spec, Status>(
  object: KubeObject,
  code: string,
  schemas: { readonly spec: Schema<Spec>; readonly status: Schema<Status> },
  problems: Problem[],
): { readonly spec: Spec; readonly status?: Status } | undefined {
  const spec = schemas.spec.safeParse(object['spec'])
  const status = object['status'] === undefined ? undefined : schemas.status.safeParse(object['status'])
  const { namespace, name } = object.metadata
  for (const [field, parsed] of [
    ['spec', spec],
    ['status', status],
  ] as const) {
    if (parsed === undefined || parsed.success) continue
    const [issue] = parsed.error.issues
    problems.push({
      code,
      where: `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}: ${[field, ...(issue?.path ?? []).map(String)].join('.')}`,
      found: issue?.code ?? 'something else',
      expected: issue?.message ?? 'what the kind has there',
    })
  }
  if (!spec.success || status?.success === false) return undefined
  return { spec: spec.data, ...(status === undefined ? {} : { status: status.data }) }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
