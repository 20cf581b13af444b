import { describe, expect, test } from 'vitest'
import { applyJsonPatch } from '#kube/objects/json-patch.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { problemSentence } from '#kube/problem.ts'
import { cartPod, move } from '../testdata/objects.ts'
import { answerCreation, matchConditionsOf } from './landing-gate.ts'
import { nodesToTaint } from './landing-taint.ts'

describe('a pod that is created while a wave is held', () => {
  const patched = (object: Pod): Pod => {
    const answer = answerCreation({ operation: 'CREATE', object })
    if (answer.kind !== 'patched') return object
    const result = applyJsonPatch(object, answer.patch)
    if (!result.ok) throw new Error(problemSentence(result.problem))
    // The patch adds gates to a pod: what comes out is a pod.
    return result.value as Pod
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
    expect(answerCreation({ operation: 'CREATE', object: bound })).toEqual({ kind: 'allowed' })
  })

  test('what is no pod passes', () =>
    expect(
      answerCreation({ operation: 'CREATE', object: { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'j' } } }),
    ).toEqual({ kind: 'allowed' }))
})

test('only pods of the owners of the wave are sent to us; a surge is known by its name, because its ReplicaSet does not exist yet', () => {
  const { conditions, probe } = matchConditionsOf([move(), move({ id: 'm02', action: 'surge' })], ['uid-rs'])
  expect(probe).toMatch(/^landing-probe-[0-9a-f]{16}$/)
  expect(conditions.map(({ expression }) => expression)).toEqual([
    `(request.resource.resource == "disruptionpermits" && request.name == "${probe}") || ` +
      '(has(object.metadata.ownerReferences) && (object.metadata.ownerReferences.exists(o, o.uid in ["uid-rs"]) || ' +
      '(object.metadata.namespace == "shop" && object.metadata.ownerReferences.exists(o, o.kind == "ReplicaSet" && o.name.startsWith("cart-")))))',
  ])
})

test('nodes outside the acceptable set of the whole wave are tainted', () => {
  expect(nodesToTaint(['n1', 'n2', 'n3', 'n4'], [move({ acceptable: ['n2'] }), move({ acceptable: ['n2', 'n3'] })], {})).toEqual([
    'n1',
    'n4',
  ])
})
