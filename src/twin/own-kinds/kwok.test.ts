import { describe, expect, test } from 'vitest'
import { evaluateCel } from '#kube/cel/cel.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { textAt } from '../json-value.ts'
import { startTestTwin } from '../twin-for-tests.ts'
import { translateKwok } from './kwok.ts'
import { stageSpec } from './stage-spec.ts'
import { usageSpec } from './usage-spec.ts'

const kwok = (kind: string, spec: object, metadata: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'kwok.x-k8s.io/v1alpha1',
  kind,
  metadata: { name: 'x', ...metadata },
  spec: { ...spec },
})
const widgetStage = (spec: object) => kwok('Stage', { resourceRef: { apiGroup: 'example.com/v1', kind: 'Widget' }, ...spec })

describe('a Stage', () => {
  test('becomes a TwinStage that its schema takes', () => {
    const { objects, problems } = translateKwok([
      widgetStage({
        selector: { matchLabels: { app: 'web' }, matchExpressions: [{ key: '.status.phase', operator: 'DoesNotExist' }] },
        weight: 2,
        delay: { durationMilliseconds: 1000, jitterDurationMilliseconds: 3000 },
        next: { statusTemplate: 'phase: Running\nready: true\n', event: { type: 'Normal', reason: 'Ran', message: 'it runs' } },
      }),
    ])
    expect(problems).toEqual([])
    expect(objects).toMatchObject([
      {
        apiVersion: 'ballast.dev/v1alpha1',
        kind: 'TwinStage',
        spec: {
          ref: { group: 'example.com', kind: 'Widget' },
          weight: 2,
          delay: '1000ms',
          jitter: '2000ms',
          patch: { subresource: 'status', merge: { status: { phase: 'Running', ready: true } } },
          event: { reason: 'Ran' },
        },
      },
    ])
    expect(checkAgainst(stageSpec, objects[0]?.spec, '')).toMatchObject({ ok: true })
  })

  const self = { metadata: { name: 'w', labels: { app: 'web', 'a.b/c': 'd' } }, status: { phase: 'Running', size: 3 } }
  // biome-ignore format: a table
  test.each<[string, object, boolean]>([
    ['no selector', {}, true],
    ['a label', { matchLabels: { app: 'web' } }, true],
    ['another label', { matchLabels: { app: 'db' } }, false],
    ['an annotation where there are none', { matchAnnotations: { a: 'b' } }, false],
    ['a value', { matchExpressions: [{ key: '.status.phase', operator: 'In', values: ['Pending', 'Running'] }] }, true],
    ['a number', { matchExpressions: [{ key: '.status.size', operator: 'In', values: ['3'] }] }, true],
    ['not a value', { matchExpressions: [{ key: '.status.phase', operator: 'NotIn', values: ['Running'] }] }, false],
    ['not a value of what is not there', { matchExpressions: [{ key: '.status.none', operator: 'NotIn', values: ['a'] }] }, true],
    ['there', { matchExpressions: [{ key: '.status.phase', operator: 'Exists' }] }, true],
    ['not there, deep down', { matchExpressions: [{ key: '.spec.a.b', operator: 'DoesNotExist' }] }, true],
    ['a quoted key', { matchExpressions: [{ key: '.metadata.labels["a.b/c"]', operator: 'In', values: ['d'] }] }, true],
    ['a CEL expression', { matchExpressions: [{ cel: { expression: 'self.status.size > 5' } }] }, false],
    ['all of them', { matchLabels: { app: 'web' }, matchExpressions: [{ key: '.status.phase', operator: 'DoesNotExist' }] }, false],
  ])('%s', (_, selector, expected) => {
    const [stage] = translateKwok([widgetStage({ selector, next: { delete: true } })]).objects
    expect(evaluateCel(textAt(stage, 'spec', 'match') ?? '', { self })).toEqual({ ok: true, value: expected })
  })

  // biome-ignore format: a table
  test.each<[string, KubeObject, RegExp]>([
    ['of pods', kwok('Stage', { resourceRef: { apiGroup: 'v1', kind: 'Pod' }, next: { delete: true } }), /a stage of Pod/],
    ['with a template to fill in', widgetStage({ next: { statusTemplate: 'at: {{ Now }}' } }), /a template with actions/],
    ['with jq', widgetStage({ selector: { matchExpressions: [{ jq: { expression: '.a' } }] }, next: { delete: true } }), /a selector in jq/],
    ['with a path into a list', widgetStage({ selector: { matchExpressions: [{ key: '.a.[].b', operator: 'Exists' }] }, next: { delete: true } }), /the key \.a\.\[\]\.b/],
    ['with a delay from the object', widgetStage({ delay: { durationFrom: { expressionFrom: '.a' } }, next: { delete: true } }), /spec\.delay\.durationFrom/],
    ['with steps', widgetStage({ steps: [{}] }), /spec\.steps/],
    ['with finalizers', widgetStage({ next: { finalizers: { empty: true } } }), /spec\.next\.finalizers/],
  ])('%s is named and left out', (_, object, words) => {
    const { objects, problems } = translateKwok([object])
    expect(objects).toEqual([])
    expect(problems).toMatchObject([{ code: 'kwok-untranslated', where: 'Stage x', found: expect.stringMatching(words) }])
  })
})

describe('usage', () => {
  test('of a pod by name', () => {
    const usages = [{ containers: ['a', 'b'], usage: { cpu: { value: '100m' }, memory: { value: '1Gi' } } }]
    const { objects } = translateKwok([kwok('ResourceUsage', { usages }, { name: 'web-0', namespace: 'shop' })])
    expect(objects.map(object => object.spec)).toEqual(
      ['a', 'b'].map(container => ({
        selector: { namespace: 'shop', pod: 'web-0', container },
        cpu: { constant: '100m' },
        memory: { constant: '1Gi' },
      })),
    )
    for (const object of objects) expect(checkAgainst(usageSpec, object.spec, '')).toMatchObject({ ok: true })
  })

  test('of all pods, and with an expression', () => {
    const usages = [{ usage: { cpu: { expression: 'double(replicas) * 0.1' } } }]
    const { objects } = translateKwok([kwok('ClusterResourceUsage', { usages })])
    expect(objects).toMatchObject([
      { kind: 'TwinUsage', metadata: { name: 'x' }, spec: { cpu: { expression: 'double(replicas) * 0.1' } } },
    ])
  })

  test('with functions of kwok is named', () => {
    const usages = [{ usage: { cpu: { expression: 'Quantity("1m")' } } }]
    expect(translateKwok([kwok('ClusterResourceUsage', { usages })]).problems).toMatchObject([{ code: 'kwok-untranslated' }])
  })
})

test('a twin takes what kwok has, and reports the rest', async () => {
  await using twin = await startTestTwin([
    kwok('ClusterResourceUsage', { usages: [{ usage: { cpu: { value: '1' } } }] }, { name: 'all' }),
    kwok('Stage', { resourceRef: { apiGroup: 'v1', kind: 'Pod' } }, { name: 'pods' }),
  ])
  expect((await twin.client.get('/apis/ballast.dev/v1alpha1/twinusages/all')).status).toBe(200)
  expect(twin.twin.report.problems).toMatchObject([{ code: 'kwok-untranslated', where: 'Stage pods' }])
})
