import { describe, expect, test } from 'vitest'
import { defaultOwnerLabel, type OwnerLabel } from '#cluster/ownership.ts'
import type { EmittedEvent } from '#kube/events/event-object.ts'
import type { OwnerContradiction } from '../policy/question.ts'
import { deployment, pod } from '../policy/testdata/question.ts'
import { OwnerWarnings } from './owner-warnings.ts'

const cart: OwnerContradiction = { subject: deployment('cart'), said: 'descheduler', key: defaultOwnerLabel.key, isScaled: true }
const arbiter = { reason: 'OwnerContradiction', action: 'Arbitrate', controller: 'ballast.dev/reload' } as const
const planner = { reason: 'RebalanceSkipped', action: 'Plan', controller: 'ballast.dev/deschedule', code: 'KedaManaged' } as const

function told(label: OwnerLabel = defaultOwnerLabel) {
  const events: EmittedEvent[] = []
  return { events, warnings: new OwnerWarnings({ emit: event => events.push(event) }, label) }
}

describe('a label that says other than what holds', () => {
  // biome-ignore format: a table
  test.each<[string, readonly OwnerContradiction[], number]>([
    ['is told once',                          [cart, cart],                                                   1],
    ['and once of each workload',             [cart, { ...cart, subject: deployment('blog') }],               2],
    ['of a namesake elsewhere too',           [cart, { ...cart, subject: deployment('cart', 'other') }],      2],
    ['again when it says something else',     [cart, { ...cart, said: 'none' }, cart],                        2],
    ['again when the workload was made anew', [cart, { ...cart, subject: { ...deployment('cart'), uid: 'x' } }], 2],
    ['and when the ScaledObject is gone',     [{ ...cart, said: 'mine' }, { ...cart, said: 'mine', isScaled: false }], 2],
    ['on a pod without a workload',           [{ ...cart, subject: pod('alone') }],                           1],
  ])('%s', (_name, contradictions, count) => {
    const { events, warnings } = told()
    for (const one of contradictions) warnings.tell(one, arbiter)
    expect(events).toHaveLength(count)
    expect(events.map(({ type }) => type)).toEqual(events.map(() => 'Warning'))
  })

  test('is told by whoever comes first, the planner or the arbiter', () => {
    const { events, warnings } = told()
    warnings.tell(cart, planner)
    warnings.tell(cart, arbiter)
    expect(events).toEqual([
      {
        type: 'Warning',
        reason: 'RebalanceSkipped',
        action: 'Plan',
        controller: 'ballast.dev/deschedule',
        regarding: deployment('cart'),
        note: `its label ballast.dev/managed-by says "descheduler", but a ScaledObject or ScaledJob targets it: it is KEDA's [KedaManaged]`,
      },
    ])
  })

  test('names the values that are configured, and cuts what is too long for a label', () => {
    const { events, warnings } = told({
      key: 'example.com/owner',
      values: { keda: 'scaled', descheduler: 'free', none: 'hands-off' },
    })
    warnings.tell({ ...cart, said: 'x'.repeat(100_000), key: 'example.com/owner', isScaled: false }, arbiter)
    expect(events[0]?.note).toBe(
      `its label example.com/owner says "${'x'.repeat(63)}", which is none of free, scaled, hands-off: it counts as no label`,
    )
  })
})
