// Which write an action is. Pure: the body that was posted, and who asks.

import { planKind, rebalancePlans, rebalancePolicies } from '#coordination/api.ts'
import { freezeAnnotation } from '#coordination/freeze.ts'
import { approvedByAnnotation, frozenByAnnotation, planNowAnnotation, runUntilAnnotation } from '#coordination/plans/names.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import type { ActionBody, ActionName, Ref } from '../contract.ts'
import { faultSpecOf, isFaultKind } from './twin-faults.ts'
import type { Asked, Write, WrittenObject } from './write.ts'

const ofBallast = { group: 'ballast.dev', version: 'v1alpha1' } as const
const twinClock: WrittenObject = {
  resource: { ...ofBallast, resource: 'twinclocks' },
  kind: 'TwinClock',
  namespace: undefined,
  name: 'clock',
}

/** What can be frozen: namespaces, workloads, nodes and pods. */
const freezable: Readonly<Record<string, { readonly resource: GroupVersionResource; readonly isNamespaced: boolean }>> = {
  Namespace: { resource: builtIn.namespaces, isNamespaced: false },
  Node: { resource: builtIn.nodes, isNamespaced: false },
  RebalancePlan: { resource: rebalancePlans, isNamespaced: false },
  Pod: { resource: builtIn.pods, isNamespaced: true },
  Deployment: { resource: builtIn.deployments, isNamespaced: true },
  StatefulSet: { resource: builtIn.statefulsets, isNamespaced: true },
  DaemonSet: { resource: builtIn.daemonsets, isNamespaced: true },
  ReplicaSet: { resource: builtIn.replicasets, isNamespaced: true },
  ReplicationController: { resource: builtIn.replicationcontrollers, isNamespaced: true },
  Job: { resource: builtIn.jobs, isNamespaced: true },
  CronJob: { resource: builtIn.cronjobs, isNamespaced: true },
}

/** Kinds that can be frozen, as scopes. */
export function freezableScopes(): readonly Ref[] {
  return Object.entries(freezable).map(([kind, { isNamespaced }]) => ({
    kind,
    namespace: isNamespaced ? 'any' : null,
    name: 'any',
  }))
}

/** What is frozen by `scope`; null is all: Ballast's own Namespace. `undefined` where that cannot be frozen. */
export function frozenObject(scope: Ref | null, ownNamespace: string): WrittenObject | undefined {
  if (scope === null) return { resource: builtIn.namespaces, kind: 'Namespace', namespace: undefined, name: ownNamespace }
  const known = Object.hasOwn(freezable, scope.kind) ? freezable[scope.kind] : undefined
  if (known === undefined || known.isNamespaced !== (scope.namespace !== null)) return undefined
  return { resource: known.resource, kind: scope.kind, namespace: scope.namespace ?? undefined, name: scope.name }
}

/** A reason as it is written: one line; without any, `true`. */
export function reasonText(reason: string | undefined): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const text = (reason ?? '').replaceAll(/[\u0000-\u0020\u007f-\u009f\u2028\u2029]+/g, ' ').trim()
  return text === '' ? 'true' : text
}

/** The write of `action`, with empty names where `body` does not give them: who sends it has checked the body. */
export function writeOf(action: ActionName, body: Partial<ActionBody>, asked: Asked): Write {
  switch (action) {
    case 'approve':
      return planWrite(body, {
        annotations: { [approvedByAnnotation]: asked.viewer, [runUntilAnnotation]: null },
        spec: { approved: true, approvedHash: body.snapshotHash ?? '' },
      })
    case 'step':
      return planWrite(body, {
        annotations: { [approvedByAnnotation]: asked.viewer, [runUntilAnnotation]: body.move ?? '' },
        spec: { approved: true, approvedHash: body.snapshotHash ?? '' },
      })
    case 'withdraw':
      return planWrite(body, {
        annotations: { [approvedByAnnotation]: null, [runUntilAnnotation]: null },
        spec: { approved: false, approvedHash: null },
      })
    case 'pause':
      return annotated(planOf(body), frozen(body, asked))
    case 'resume':
      return annotated(planOf(body), { ...thawed, [runUntilAnnotation]: null })
    case 'replan':
      return annotated(
        { resource: rebalancePolicies, kind: 'RebalancePolicy', namespace: undefined, name: body.policy ?? '' },
        { [planNowAnnotation]: asked.time ?? '' },
      )
    case 'freeze':
      return annotated(scopeOf(body, asked), frozen(body, asked))
    case 'thaw':
      return annotated(scopeOf(body, asked), thawed)
    case 'twin/speed':
      return { verb: 'patch', of: twinClock, body: { spec: { speed: String(body.speed ?? '') } } }
    case 'twin/pause':
      return { verb: 'patch', of: twinClock, body: { spec: { paused: true } } }
    case 'twin/run':
      return { verb: 'patch', of: twinClock, body: { spec: { paused: false } } }
    case 'twin/advance':
      return { verb: 'patch', of: twinClock, body: { spec: { advance: `${body.advanceMs ?? 0}ms` } } }
    case 'twin/next':
      return { verb: 'patch', of: twinClock, body: { spec: { next: 1 } } }
    case 'twin/fault': {
      const { kind = '', ...fault } = body.fault ?? {}
      return { verb: 'create', of: faultOf(body), spec: isFaultKind(kind) ? { ...faultSpecOf({ ...fault, kind }) } : {} }
    }
    case 'twin/heal':
      return { verb: 'delete', of: faultOf(body) }
    case 'twin/reset':
      return { verb: 'reset' }
  }
}

const thawed = { [freezeAnnotation]: null, [frozenByAnnotation]: null } as const

function frozen(body: Partial<ActionBody>, asked: Asked): Readonly<Record<string, string>> {
  return { [freezeAnnotation]: reasonText(body.reason), [frozenByAnnotation]: asked.viewer }
}

function planOf({ plan = '' }: Partial<ActionBody>): WrittenObject {
  return { resource: rebalancePlans, kind: planKind, namespace: undefined, name: plan }
}

function faultOf({ name = '' }: Partial<ActionBody>): WrittenObject {
  return { resource: { ...ofBallast, resource: 'twinfaults' }, kind: 'TwinFault', namespace: undefined, name }
}

function scopeOf({ scope = null }: Partial<ActionBody>, { ownNamespace }: Asked): WrittenObject {
  const object = frozenObject(scope, ownNamespace)
  if (object !== undefined || scope === null) return object ?? { ...planOf({}), name: '' }
  const resource = { group: '', version: 'v1', resource: scope.kind.toLowerCase() }
  return { resource, kind: scope.kind, namespace: scope.namespace ?? undefined, name: scope.name }
}

function annotated(of: WrittenObject, annotations: Readonly<Record<string, string | null>>): Write {
  return { verb: 'patch', of, body: { metadata: { annotations } } }
}

function planWrite(
  body: Partial<ActionBody>,
  change: { readonly annotations: Readonly<Record<string, string | null>>; readonly spec: Readonly<Record<string, unknown>> },
): Write {
  const guard = body.resourceVersion === undefined ? {} : { resourceVersion: body.resourceVersion }
  return {
    verb: 'patch',
    of: planOf(body),
    body: { metadata: { ...guard, annotations: change.annotations }, spec: change.spec },
  }
}
