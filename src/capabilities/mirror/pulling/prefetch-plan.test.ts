import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Deployment, KubeObject, Node } from '#kube/objects/objects.ts'
import { mostPrefetched } from '../prefetch.ts'
import { prefetchImages, prefetchPlan, wholeImageName } from './prefetch-plan.ts'

// biome-ignore format: a table
test.each([
  ['nginx',                         'docker.io/library/nginx:latest'],
  ['nginx:1.29',                    'docker.io/library/nginx:1.29'],
  ['grafana/loki:3',                'docker.io/grafana/loki:3'],
  ['ghcr.io/acme/app:v1',           'ghcr.io/acme/app:v1'],
  ['registry.test:5000/a:v1',       'registry.test:5000/a:v1'],
  ['localhost/a',                   'localhost/a:latest'],
  [`a@sha256:${'0'.repeat(64)}`,    `docker.io/library/a@sha256:${'0'.repeat(64)}`],
  ['Upper/Case',                    undefined],
  ['a b',                           undefined],
  ['ghcr.io/../etc',                undefined],
  ['',                              undefined],
])('%s is %s', (text, expected) => expect(wholeImageName(text)).toBe(expected))

test('a list by comma: spaces and repetitions do not matter, what is no image is named, and 64 are enough', () => {
  expect(prefetchImages(' nginx:1 , nginx:1,, A ')).toEqual({ images: ['docker.io/library/nginx:1'], wrong: ['A'] })
  const long = Array.from({ length: mostPrefetched + 1 }, (_, at) => `a:${at}`)
  const { images, wrong } = prefetchImages(long.join())
  expect(images).toHaveLength(mostPrefetched)
  expect(wrong).toEqual([`docker.io/library/a:${mostPrefetched}`])
})

const node = (name: string, more: Partial<Node> & { readonly images?: readonly string[] } = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/os': 'linux', ...more.metadata?.labels } },
  spec: more.spec ?? {},
  status: {
    addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
    conditions: [{ type: 'Ready', status: 'True' }],
    images: [{ names: [...(more.images ?? [])] }],
  },
})

const namespace = (images: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', annotations: { 'ballast.dev/prefetch': images } },
})

const deployment = (images: string, pod: object = {}): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', annotations: { 'ballast.dev/prefetch': images } },
  spec: { selector: {}, template: { spec: { containers: [], ...pod } } },
})

const wantedOf = (input: Parameters<typeof prefetchPlan>[0]) => Object.fromEntries(prefetchPlan(input).wanted)

describe('where', () => {
  const gpu = node('gpu', {
    metadata: { name: 'gpu', labels: { gpu: 'yes' } },
    spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] },
  })
  const nodes = [node('a'), gpu, node('off', { spec: { unschedulable: true } })]

  test('of a Namespace: every node that takes pods', () => {
    expect(wantedOf({ nodes, namespaces: [namespace('app:1')], deployments: [] })).toEqual({
      a: ['docker.io/library/app:1'],
      gpu: ['docker.io/library/app:1'],
    })
  })

  test('of a Deployment: where its pods could run', () => {
    const tolerant = { nodeSelector: { gpu: 'yes' }, tolerations: [{ key: 'gpu', operator: 'Exists' }] }
    expect(wantedOf({ nodes, namespaces: [], deployments: [deployment('app:1', tolerant)] })).toEqual({
      gpu: ['docker.io/library/app:1'],
    })
    expect(wantedOf({ nodes, namespaces: [], deployments: [deployment('app:1')] })).toEqual({ a: ['docker.io/library/app:1'] })
  })

  test('what a node says it has is not asked for', () => {
    const having = node('a', { images: ['docker.io/library/app:1'] })
    expect(wantedOf({ nodes: [having], namespaces: [namespace('app:1,app:2')], deployments: [] })).toEqual({
      a: ['docker.io/library/app:2'],
    })
  })

  test('says why there is nothing to do', () => {
    const { subjects } = prefetchPlan({ nodes: [], namespaces: [namespace('A')], deployments: [] })
    expect(subjects.map(({ reasons }) => reasons)).toEqual([['"A" is no image, or one too many', 'no node takes its pods']])
  })
})

test('a hostile annotation never makes a name that is none', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), text => {
      for (const image of prefetchImages(text).images) expect(image).toMatch(/^[A-Za-z0-9[][^\s]*\/[a-z0-9][^\s,]*[:@][^\s,]+$/)
    }),
  )
})
