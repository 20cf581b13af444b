import { describe, expect, test } from 'vitest'
import { applyJsonPatch } from '#kube/objects/json-patch.ts'
import { answerProbe, probeNameOf } from './landing-probe.ts'

const probe = (name: string, annotations?: Readonly<Record<string, string>>) => ({
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'DisruptionPermit',
  metadata: { name, ...(annotations === undefined ? {} : { annotations }) },
})

describe('what the webhook answers to', () => {
  // biome-ignore format: a table
  test.each<[string, unknown]>([
    ['a permit that is none of its probes', probe('evict-cart-a-1000001')],
    ['another kind of that name',           { ...probe(probeNameOf('wave')), kind: 'ConfigMap' }],
    ['nothing',                             undefined],
    ['a permit without a name',             { kind: 'DisruptionPermit', metadata: {} }],
  ])('nothing to %s', (_name, object) => expect(answerProbe(object)).toBeUndefined())

  test('a probe is marked, and keeps what it carries', () => {
    const object = probe(probeNameOf('wave'), { 'other.example/a': 'b' })
    const answer = answerProbe(object)
    const marked = applyJsonPatch(object, answer?.kind === 'patched' ? answer.patch : [])
    expect(marked).toMatchObject({
      ok: true,
      value: { metadata: { annotations: { 'other.example/a': 'b', 'ballast.dev/landing-gate': 'answered' } } },
    })
  })
})

test('each wave has a probe of its own', () => expect(probeNameOf('a')).not.toBe(probeNameOf('b')))
