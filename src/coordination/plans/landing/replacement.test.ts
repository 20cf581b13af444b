import { describe, expect, test } from 'vitest'
import { cartPod, move, permit, plan } from '../testdata/objects.ts'
import { claimedBy, replacementAmong } from './replacement.ts'

describe('the replacement of an evicted pod is', () => {
  const sibling = cartPod('cart-b', { atSeconds: -1 })
  // biome-ignore format: a table
  test.each<[string, Parameters<typeof replacementAmong>[0], string[], string | undefined]>([
    ['nobody while only siblings stand',                      [sibling],                                                                   [],               undefined],
    ['the pod that came after the permit',                    [sibling, cartPod('cart-c', { atSeconds: 1 })],                               [],               'cart-c'],
    ['found in the very second of the permit',                [sibling, cartPod('cart-c')],                                                [],               'cart-c'],
    ['not one that came long before the permit',              [sibling, cartPod('cart-x', { atSeconds: -60 })],                             [],               undefined],
    ['not the pod that was to go',                            [cartPod('cart-a', { atSeconds: 1 })],                                        [],               undefined],
    ['a pod of the same name with another UID (StatefulSet)', [cartPod('cart-a', { uid: 'uid-new', atSeconds: 2 })],                        [],               'cart-a'],
    ['not another step\'s replacement',                       [cartPod('cart-c', { atSeconds: 1 }), cartPod('cart-d', { atSeconds: 2 })],   ['uid-cart-c'],   'cart-d'],
    ['not one that leaves again',                             [cartPod('cart-c', { atSeconds: 1, isLeaving: true })],                       [],               undefined],
    ['not one that failed',                                   [cartPod('cart-c', { atSeconds: 1, phase: 'Failed' })],                       [],               undefined],
    ['the earliest of several',                               [cartPod('cart-d', { atSeconds: 2 }), cartPod('cart-c', { atSeconds: 1 })],   [],               'cart-c'],
  ])('%s', (_name, pods, claimed, expected) => {
    expect(replacementAmong(pods, { move: move(), permit: permit(), claimed: new Set(claimed) })?.metadata.name).toBe(expected)
  })
})

test('what other steps recorded is claimed, what this one recorded is not', () => {
  const steps = [
    { id: 'm01', state: 'Landing' as const, replacement: { name: 'cart-c', uid: 'uid-c' } },
    { id: 'm02', state: 'Landed' as const, replacement: { name: 'cart-d', uid: 'uid-d' } },
  ]
  expect([...claimedBy(plan({ steps }), 'm01')]).toEqual(['uid-d'])
})
