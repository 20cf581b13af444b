// Who is woken before Ballast goes: case by case.
import { expect, test } from 'vitest'
import type { KubeObject, ManagedFieldsEntry } from '#kube/objects/objects.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import { type Asleep, firstToWake, wakeOutcome } from './waking.ts'

const nowMs = Date.parse('2026-03-02T04:00:00Z')

const wrote = (manager: string, subresource?: string): ManagedFieldsEntry => ({
  manager,
  operation: 'Update',
  apiVersion: 'apps/v1',
  fieldsType: 'FieldsV1',
  fieldsV1: { 'f:spec': { 'f:replicas': {} } },
  ...(subresource === undefined ? {} : { subresource }),
})
/** Everything but the replicas is its writer's. */
const applied = { ...wrote('helm'), fieldsV1: { 'f:spec': { 'f:template': {} } } }

function asleep(
  given: {
    readonly spec?: Partial<ScaledObject['spec']>
    readonly status?: ScaledObject['status']
    readonly metadata?: Partial<KubeObject['metadata']>
    readonly writers?: readonly ManagedFieldsEntry[]
    readonly annotations?: Readonly<Record<string, string>>
  } = {},
  around: Partial<Asleep> = {},
): Asleep {
  const { spec = {}, status = { originalReplicaCount: 1 }, metadata = {}, writers = [applied], annotations = {} } = given
  return {
    object: {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: 'cart', namespace: 'shop', ...metadata },
      spec: { scaleTargetRef: { name: 'cart' }, triggers: [{ type: 'cron', metadata: {} }], ...spec },
      status,
    },
    target: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'cart', namespace: 'shop', annotations, managedFields: writers },
    },
    namespace: 'ballast-system',
    isKedaThere: false,
    awake: undefined,
    nowMs,
    ...around,
  }
}

const noted = (annotations: Readonly<Record<string, string>>) => ({ metadata: { annotations } })
const restores = (more: Partial<ScaledObject['spec']>) => ({ advanced: { restoreToOriginalReplicaCount: true }, ...more })
const leads = (scalerAddress: string) => ({ spec: { triggers: [{ type: 'external-push', metadata: { scalerAddress } }] } })

test.each<[string, Asleep, string | number]>([
  ['ours put it to sleep', asleep(), 1],
  ['a server that notes who wrote through the scale', asleep({ writers: [wrote('ballast-autoscale', 'scale')] }), 1],
  ['the same of KEDA, which is gone', asleep({ writers: [wrote('keda', 'scale')] }), 1],
  ['a server that keeps no record', asleep({ writers: [] }), 1],
  ['to its least', asleep({ spec: { minReplicaCount: 3, idleReplicaCount: 0 } }), 3],
  ['what it had before is not asked for', asleep({ status: { originalReplicaCount: 4 } }), 1],
  ['to what it had', asleep({ spec: restores({}), status: { originalReplicaCount: 4 } }), 4],
  ['not above its most', asleep({ spec: restores({ maxReplicaCount: 2 }), status: { originalReplicaCount: 4 } }), 2],
  ['not below its least', asleep({ spec: restores({ minReplicaCount: 2 }), status: { originalReplicaCount: 1 } }), 2],
  [
    'it had none',
    asleep({ spec: restores({}), status: { originalReplicaCount: 0 } }),
    'left: ScaledObject shop/cart found it so: who set it to zero nobody can tell',
  ],
  [
    'never settled',
    asleep({ status: {} }),
    'left: ScaledObject shop/cart was never looked after: who set it to zero nobody can tell',
  ],
  ['a kind with its replicas elsewhere', asleep({ writers: [{ ...wrote('ballast-autoscale', 'scale'), fieldsV1: {} }] }), 1],
  [
    'a user scaled it to zero',
    asleep({ writers: [wrote('kubectl', 'scale')] }),
    'stays: kubectl set it to zero, not an autoscaler',
  ],
  [
    'a user and ours say zero',
    asleep({ writers: [wrote('ballast-autoscale', 'scale'), { ...wrote('flux'), operation: 'Apply' }] }),
    'stays: flux set it to zero, not an autoscaler',
  ],
  ['paused', asleep(noted({ 'autoscaling.keda.sh/paused': 'true' })), 'stays: ScaledObject shop/cart is paused'],
  [
    'paused at a number',
    asleep(noted({ 'autoscaling.keda.sh/paused-replicas': '0' })),
    'stays: ScaledObject shop/cart is paused',
  ],
  [
    'not to scale out',
    asleep(noted({ 'autoscaling.keda.sh/paused-scale-out': 'true' })),
    'stays: ScaledObject shop/cart may not scale out (autoscaling.keda.sh/paused-scale-out)',
  ],
  ['not to scale in', asleep(noted({ 'autoscaling.keda.sh/paused-scale-in': 'true' })), 1],
  [
    'frozen',
    asleep({ annotations: { 'ballast.dev/freeze': 'audit' } }),
    'stays: frozen by ballast.dev/freeze on Deployment shop/cart: audit',
  ],
  ['frozen once', asleep({ annotations: { 'ballast.dev/freeze': '2026-03-01T00:00:00Z' } }), 1],
  [
    'its ScaledObject is being deleted',
    asleep({ metadata: { deletionTimestamp: '2026-03-02T03:00:00Z' } }),
    'stays: ScaledObject shop/cart is being deleted, and does not say restoreToOriginalReplicaCount',
  ],
  [
    'being deleted, and to be restored',
    asleep({
      metadata: { deletionTimestamp: '2026-03-02T03:00:00Z' },
      spec: restores({}),
      status: { originalReplicaCount: 2 },
    }),
    2,
  ],
  ['KEDA runs', asleep({}, { isKedaThere: true }), "stays: KEDA's operator runs, and wakes it"],
  ['KEDA runs, and asks our gateway', asleep(leads('ballast-gateway.ballast-system:9090'), { isKedaThere: true }), 1],
  [
    "KEDA runs, and asks its add-on's",
    asleep(leads('keda-add-ons-http-external-scaler.keda:9090'), { isKedaThere: true }),
    "stays: KEDA's operator runs, and wakes it",
  ],
  [
    'another of its group is awake',
    asleep(noted({ 'ballast.dev/one-awake': 'gpu' }), { awake: 'shop/llm' }),
    'left: of its group gpu one is awake at a time, and shop/llm is',
  ],
])('%s', (_, given, expected) => {
  const outcome = wakeOutcome(given)
  expect(outcome.kind === 'wake' ? outcome.replicas : `${outcome.kind}: ${outcome.because}`).toBe(expected)
})

test('of a group the first by priority, by its last activity, by name', () => {
  const member = (name: string, priority: number, lastActiveTime?: string) =>
    asleep({
      metadata: { name, annotations: { 'ballast.dev/one-awake': 'gpu', 'ballast.dev/one-awake-priority': String(priority) } },
      ...(lastActiveTime === undefined ? {} : { status: { lastActiveTime } }),
    }).object
  const members = [
    member('d', 0),
    member('c', 0),
    member('b', 0, '2026-03-02T03:00:00Z'),
    member('a', 0, '2026-03-02T02:00:00Z'),
    member('z', 5),
  ]
  expect(members.toSorted(firstToWake).map(({ metadata }) => metadata.name)).toEqual(['z', 'b', 'a', 'c', 'd'])
})
