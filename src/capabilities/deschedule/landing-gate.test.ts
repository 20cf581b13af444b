import { describe, expect, test } from 'vitest'
import { applyJsonPatch } from '#kube/json-patch.ts'
import { answerCreation, matchConditionsOf } from './landing-gate.ts'
import { nodesToTaint } from './landing-taint.ts'
import { cartPod, move } from './testdata/objects.ts'

describe('a pod that is created while a wave is held', () => {
  const patched = (object: unknown): unknown => {
    const answer = answerCreation({ uid: 'u', operation: 'CREATE', object })
    if (answer.kind !== 'allow' || answer.patch === undefined) return object
    const result = applyJsonPatch(
      object,
      answer.patch.map(operation => ({ op: 'add', path: operation.path, value: operation.value })),
    )
    return result.ok ? result.value : result.problem
  }

  test('gets our gate', () =>
    expect(patched(cartPod('cart-c'))).toMatchObject({ spec: { schedulingGates: [{ name: 'ballast.dev/landing' }] } }))

  test('asked twice gets it once', () =>
    expect(patched(patched(cartPod('cart-c')))).toMatchObject({ spec: { schedulingGates: [{ name: 'ballast.dev/landing' }] } }))

  test('keeps the gates of others', () => {
    const held = { ...cartPod('cart-c'), spec: { containers: [], schedulingGates: [{ name: 'other.example/gate' }] } }
    expect(patched(held)).toMatchObject({
      spec: { schedulingGates: [{ name: 'other.example/gate' }, { name: 'ballast.dev/landing' }] },
    })
  })

  test('that has its node already passes as it is', () => {
    const bound = { ...cartPod('cart-c'), spec: { containers: [], nodeName: 'n1' } }
    expect(answerCreation({ uid: 'u', operation: 'CREATE', object: bound })).toEqual({ kind: 'allow' })
  })

  test('what is no pod passes', () =>
    expect(answerCreation({ uid: 'u', operation: 'CREATE', object: { kind: 'Job' } })).toEqual({ kind: 'allow' }))
})

test('only pods of the owners of the wave are sent to us; a surge is known by its name, because its ReplicaSet does not exist yet', () => {
  const [condition] = matchConditionsOf([move(), move({ id: 'm02', action: 'surge' })], ['uid-rs'])
  expect(condition?.expression).toBe(
    'has(object.metadata.ownerReferences) && (object.metadata.ownerReferences.exists(o, o.uid in ["uid-rs"]) || ' +
      '(object.metadata.namespace == "shop" && object.metadata.ownerReferences.exists(o, o.kind == "ReplicaSet" && o.name.startsWith("cart-"))))',
  )
})

test('nodes outside the acceptable set of the whole wave are tainted', () => {
  expect(nodesToTaint(['n1', 'n2', 'n3', 'n4'], [move({ acceptable: ['n2'] }), move({ acceptable: ['n2', 'n3'] })])).toEqual([
    'n1',
    'n4',
  ])
})
