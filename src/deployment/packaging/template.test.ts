import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { canonical } from '#test/rendered-chart.ts'
import { sampleCases, sampleChart, sampleRelease, sampleTrees } from '#test/sample-chart.ts'
import recorded from '../../../test/fixtures/helm/sample.json' with { type: 'json' }
import { evaluate } from '../evaluate.ts'

describe('a tree filled in is what Helm makes of its template', () => {
  const release = { ...sampleRelease, service: 'ballast', served: new Set<string>(sampleRelease.served) }

  test('the recording is of these templates (else: node test/real/helm/record.ts)', () => {
    expect(sampleChart().digest).toBe(recorded.chart)
  })

  test.each(Object.entries(sampleCases))('with values %s', (title, values) => {
    const made = sampleTrees.flatMap(tree => evaluate(tree, { values, release })) as readonly KubeObject[]
    expect(canonical(made)).toEqual(Reflect.get(recorded.rendered, title))
  })
})
