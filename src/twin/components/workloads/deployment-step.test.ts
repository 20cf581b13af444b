import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Deployment } from '#kube/objects/objects.ts'
import {
  isScalingEvent,
  recreateStep,
  rollingStep,
  rolloutShape,
  type SetState,
  type Sizing,
  scalingStep,
} from './deployment-step.ts'

function set(name: string, replicas: number, available: number, options: Partial<SetState> = {}): SetState {
  return {
    name,
    replicas,
    available,
    desiredReplicas: undefined,
    maxReplicas: undefined,
    createdMs: name === 'new' ? 100 : 1,
    ...options,
  }
}

function deployment(
  replicas: number,
  maxSurge?: number | string,
  maxUnavailable?: number | string,
  type = 'RollingUpdate',
): Deployment {
  const rollingUpdate = {
    ...(maxSurge === undefined ? {} : { maxSurge }),
    ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
  }
  const spec = { replicas, selector: {}, template: { spec: { containers: [] } }, strategy: { type, rollingUpdate } }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec }
}

// biome-ignore format: a table
test.each([
  ['surge rounds up, unavailable down', deployment(10, '25%', '25%'), { desired: 10, surge: 3, unavailable: 2 }],
  ['the defaults are 25 %', deployment(4), { desired: 4, surge: 1, unavailable: 1 }],
  ['both 0 become one unavailable', deployment(3, 0, '10%'), { desired: 3, surge: 0, unavailable: 1 }],
  ['Recreate has neither', deployment(3, 1, 1, 'Recreate'), { desired: 3, surge: 0, unavailable: 0 }],
])('shape: %s', (_, given, expected) => {
  expect(rolloutShape(given)).toEqual(expected)
})

const ten = { desired: 10, surge: 3, unavailable: 2 }

// biome-ignore format: a table
test.each<[string, SetState, readonly SetState[], readonly Sizing[]]>([
  ['a fresh rollout starts with the surge', set('new', 0, 0), [set('old', 10, 10)], [{ name: 'new', to: 3 }]],
  ['then available old pods go down to the minimum', set('new', 3, 0), [set('old', 10, 10)], [{ name: 'old', to: 8 }]],
  ['then the new set takes their place', set('new', 3, 0), [set('old', 8, 8)], [{ name: 'new', to: 5 }]],
  ['an image that never gets ready stops at 8 + 5 (case 22)', set('new', 5, 0), [set('old', 8, 8)], []],
  ['available new pods let old ones go', set('new', 5, 2), [set('old', 8, 8)], [{ name: 'old', to: 6 }]],
  ['not available old pods go first, oldest set first', set('new', 3, 3), [set('old', 5, 2), set('older', 5, 5, { createdMs: 0 })], [{ name: 'old', to: 2 }, { name: 'older', to: 3 }]],
  ['a set above the desired count shrinks', set('new', 12, 12), [], [{ name: 'new', to: 10 }]],
  ['a finished rollout stands still', set('new', 10, 10), [set('old', 0, 0)], []],
])('rolling: %s', (_, current, old, expected) => {
  expect(rollingStep(ten, current, old)).toEqual(expected)
})

test('a rolling update keeps both bounds at every step and ends, whatever the shape (case 23)', () => {
  const shapes = fc.record({
    desired: fc.integer({ min: 1, max: 30 }),
    surge: fc.integer({ min: 0, max: 10 }),
    unavailable: fc.integer({ min: 0, max: 10 }),
  })
  fc.assert(
    fc.property(shapes, fc.array(fc.boolean(), { maxLength: 200 }), (raw, coins) => {
      const unavailable = Math.min(raw.desired, raw.surge === 0 && raw.unavailable === 0 ? 1 : raw.unavailable)
      const shape = { ...raw, unavailable }
      let current = set('new', 0, 0)
      let old = set('old', raw.desired, raw.desired)
      let turns = 0
      while (current.available < raw.desired || old.replicas > 0) {
        for (const { name, to } of rollingStep(shape, current, [old])) {
          if (name === 'new') current = { ...current, replicas: to, available: Math.min(current.available, to) }
          else old = { ...old, replicas: to, available: Math.min(old.available, to) }
        }
        expect(current.replicas + old.replicas).toBeLessThanOrEqual(raw.desired + raw.surge)
        expect(current.available + old.available).toBeGreaterThanOrEqual(raw.desired - unavailable)
        // A coin decides whether a pod gets ready now; without coins left each turn readies one.
        if ((coins[turns] ?? true) && current.available < current.replicas)
          current = { ...current, available: current.available + 1 }
        if (++turns > 1000) throw new Error('the rollout does not end')
      }
    }),
  )
})

describe('recreate', () => {
  // biome-ignore format: a table
  test.each<[string, SetState | undefined, readonly SetState[], number, readonly Sizing[]]>([
    ['old sets go to 0 first', undefined, [set('old', 3, 3)], 3, [{ name: 'old', to: 0 }]],
    ['nothing while an old pod is still ending', set('new', 0, 0), [set('old', 0, 0)], 1, []],
    ['then the new set gets all', set('new', 0, 0), [set('old', 0, 0)], 0, [{ name: 'new', to: 3 }]],
  ])('%s', (_, current, old, left, expected) => {
    expect(recreateStep({ desired: 3, surge: 0, unavailable: 0 }, current, old, left)).toEqual(expected)
  })
})

describe('scaling', () => {
  const sized = { desiredReplicas: 10, maxReplicas: 13 }
  // biome-ignore format: a table
  test.each<[string, number, SetState | undefined, readonly SetState[], readonly Sizing[]]>([
    ['one active set takes all of it', 5, set('new', 3, 3), [set('old', 0, 0)], [{ name: 'new', to: 5 }]],
    ['a saturated new set empties the old ones', 10, set('new', 10, 10, { desiredReplicas: 10 }), [set('old', 2, 2)], [{ name: 'old', to: 0 }]],
    ['growth is spread in proportion, the rest to the largest', 20, set('new', 5, 0, sized), [set('old', 8, 8, sized)], [{ name: 'old', to: 15 }, { name: 'new', to: 10 }]],
    ['zero is zero for all', 0, set('new', 5, 0, sized), [set('old', 8, 8, sized)], [{ name: 'old', to: 0 }, { name: 'new', to: 0 }]],
  ])('%s', (_, desired, current, old, expected) => {
    const shape = { desired, surge: Math.ceil(desired / 4), unavailable: 1 }
    expect(scalingStep(shape, current, old, true)).toEqual(expected)
  })

  test('a changed replica count is seen by the annotation of the last sizing', () => {
    expect(isScalingEvent(5, [set('new', 3, 3, { desiredReplicas: 5 })])).toBe(false)
    expect(isScalingEvent(6, [set('new', 3, 3, { desiredReplicas: 5 })])).toBe(true)
    expect(isScalingEvent(6, [set('old', 0, 0, { desiredReplicas: 5 })])).toBe(false)
  })
})
