// Laws that every strategy keeps on clusters in which nothing is where it should be.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fieldProjection, SharedParts } from '#kube/informers/projection.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { runsOf } from '#test/runs.ts'
import { strategyPodFields } from './pod-fields.ts'
import { messyCluster } from './testdata/messy-cluster.ts'
import { oneCycle } from './testdata/one-cycle.ts'
import { policyCases, policyText } from './testdata/policies.ts'

const nowMs = Date.UTC(2026, 10, 1)
const runs = runsOf(6)

/** The same objects in an order that hangs on `seed` alone. */
function shuffled(objects: readonly KubeObject[], seed: number): readonly KubeObject[] {
  const weight = (at: number) => Math.imul(at + 1, seed | 1) >>> 0
  return objects
    .map((object, at) => ({ object, weight: weight(at) }))
    .sort((a, b) => a.weight - b.weight)
    .map(({ object }) => object)
}

describe.each(policyCases)('$strategy, $name', one => {
  const policy = policyText(one)

  test('what goes, and in which order, does not hang on the order of the input; no pod goes twice', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer(), (seed, order) => {
        const objects = messyCluster(seed, nowMs)
        const keys = oneCycle(objects, policy, { nowMs }).evicted.map(({ key }) => key)
        expect(new Set(keys).size).toBe(keys.length)
        expect(oneCycle(shuffled(objects, order), policy, { nowMs }).evicted.map(({ key }) => key)).toEqual(keys)
      }),
      { numRuns: runs },
    )
  })

  test('whoever refuses an eviction costs no other pod its own: nobody is wished for twice, and everybody who is refused is told', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), seed => {
        const { report, evicted, told } = oneCycle(messyCluster(seed, nowMs), policy, {
          nowMs,
          answer: pod =>
            pod.name.endsWith('1') ? { kind: 'failed', why: 'webhook-denied', message: 'no' } : { kind: 'evicted' },
        })
        const wished = report.entries.map(({ wish }) => wish.pod.key)
        expect(new Set(wished).size).toBe(wished.length)
        const refused = told.filter(({ message }) => message === 'eviction failed').map(({ fields }) => fields['pod'])
        const asked = report.entries.filter(({ result }) => !result.startsWith('maximum number')).map(({ wish }) => wish.pod.key)
        expect([...refused, ...evicted.map(({ key }) => key)].sort()).toEqual(asked.sort())
      }),
      { numRuns: runs },
    )
  })

  test('what informers keep of a pod is enough', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), seed => {
        const objects = messyCluster(seed, nowMs)
        const kept = fieldProjection(strategyPodFields, new SharedParts())
        const slim = objects.map(object => (object.kind === 'Pod' ? kept.project(object) : object))
        const keysOf = (of: readonly KubeObject[]) => oneCycle(of, policy, { nowMs }).evicted.map(({ key }) => key)
        expect(keysOf(slim)).toEqual(keysOf(objects))
      }),
      { numRuns: runs },
    )
  })

  test('a pod that a strategy took up has an outcome with a reason', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), seed => {
        const { evicted, told } = oneCycle(messyCluster(seed, nowMs), policy, { nowMs })
        const stays = told.filter(({ message }) => message === 'pod stays')
        for (const { fields } of stays) expect(fields['reason']).not.toBe('')
        const gone = new Set(evicted.map(({ key }) => key))
        const isBoth = stays.filter(({ fields }) => gone.has(String(fields['pod'])))
        // A pod may be let off by one constraint or owner and taken by another.
        if (one.strategy !== 'RemovePodsViolatingTopologySpreadConstraint' && one.strategy !== 'RemovePodsViolatingNodeAffinity')
          expect(isBoth).toEqual([])
      }),
      { numRuns: runs },
    )
  })
})
