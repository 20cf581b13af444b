import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { InPlaceProgram } from '#upstreams/upstream.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { environmentOf, leavesNobody, type OwnPods, programContainer, templateWithOurs, wordsOf } from './program-template.ts'

const program: InPlaceProgram = {
  command: 'interceptor',
  image: 'http-add-on-interceptor',
  isOf: () => true,
  told: () => ({ refused: [], unused: [] }),
}
const own: OwnPods = {
  image: 'example/ballast:1',
  pullPolicy: 'IfNotPresent',
  pullSecrets: [{ name: 'pull' }],
  runAsUser: 65_532,
  memory: { request: '160Mi', limit: '512Mi' },
}

function workload(container: object, pod: object = {}, spec: object = {}): KubeObject {
  const one = {
    name: 'it',
    image: 'ghcr.io/kedacore/http-add-on-interceptor:0.15.0',
    args: ['--zap-log-level=info'],
    ...container,
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'keda-add-ons-http-interceptor', namespace: 'keda' },
    spec: {
      ...spec,
      template: { metadata: { labels: { a: 'b' } }, spec: { ...pod, containers: [{ name: 'mesh', image: 'mesh:1' }, one] } },
    },
  }
}
const changed = (container: object, pod: object = {}) => templateWithOurs(workload(container, pod), program, own)
const containerOf = (template: unknown) => valueAt(template, ['spec', 'containers']) as readonly object[]

test('ours in the place of upstream: what upstream is told stays, other containers too', () => {
  const template = changed({ env: [{ name: 'KEDA_HTTP_PROXY_PORT', value: '8080' }] }, { terminationGracePeriodSeconds: 45 })
  expect(containerOf(template)).toEqual([
    { name: 'mesh', image: 'mesh:1' },
    {
      name: 'it',
      image: 'example/ballast:1',
      imagePullPolicy: 'IfNotPresent',
      args: ['interceptor', '--zap-log-level=info'],
      env: [
        { name: 'KEDA_HTTP_PROXY_PORT', value: '8080' },
        { name: 'BALLAST_TERMINATION_GRACE_SECONDS', value: '45' },
      ],
      resources: { requests: { memory: '160Mi' } },
      securityContext: { runAsUser: 65_532 },
      volumeMounts: [{ name: 'ballast-tmp', mountPath: '/tmp' }],
    },
  ])
  expect(valueAt(template, ['spec', 'volumes'])).toEqual([{ name: 'ballast-tmp', emptyDir: {} }])
  expect(valueAt(template, ['spec', 'imagePullSecrets'])).toEqual([{ name: 'pull' }])
  expect(valueAt(template, ['metadata'])).toEqual({ labels: { a: 'b' } })
})

test.each<[string, object, object]>([
  [
    'less than ours needs is raised',
    { limits: { cpu: '0.5', memory: '64Mi' }, requests: { memory: '20Mi' } },
    { limits: { cpu: '0.5', memory: '512Mi' }, requests: { memory: '160Mi' } },
  ],
  [
    'more stays',
    { limits: { memory: '2Gi' }, requests: { memory: '1Gi' } },
    { limits: { memory: '2Gi' }, requests: { memory: '1Gi' } },
  ],
])('memory: %s', (_name, resources, expected) => {
  expect(valueAt(containerOf(changed({ resources }))[1], ['resources'])).toEqual(expected)
})

test('a command of upstream goes, its words stay; a user and a folder for scratch that are said stay', () => {
  const container = { command: ['/interceptor', '--kubeconfig=/k'], volumeMounts: [{ name: 'x', mountPath: '/tmp' }] }
  const template = changed(container, { securityContext: { runAsUser: 1000 }, volumes: [{ name: 'x', emptyDir: {} }] })
  const found = containerOf(template)[1]
  expect(found).not.toHaveProperty('command')
  expect(found).not.toHaveProperty('securityContext')
  expect(valueAt(found, ['args'])).toEqual(['interceptor', '--kubeconfig=/k', '--zap-log-level=info'])
  expect(valueAt(template, ['spec', 'volumes'])).toEqual([{ name: 'x', emptyDir: {} }])
})

test('done twice is done once; of an earlier version of ours the image alone changes', () => {
  const once = templateWithOurs(workload({}), program, own)
  const again = { ...workload({}), spec: { template: once } }
  expect(templateWithOurs(again, program, own)).toEqual(once)
  const next = templateWithOurs(again, program, { ...own, image: 'example/ballast:2', runAsUser: 1 })
  expect(JSON.stringify(next)).toBe(JSON.stringify(once).replace('example/ballast:1', 'example/ballast:2'))
})

test('what is told is read the same from upstream and from ours', () => {
  const before = workload({})
  const after = { ...before, spec: { template: templateWithOurs(before, program, own) } }
  for (const one of [before, after]) expect(wordsOf(programContainer(one, program), program)).toEqual(['--zap-log-level=info'])
  const env = [
    { name: 'A', value: '1' },
    { name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
    { name: 'C', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
  ]
  expect(environmentOf({ env, envFrom: [{ configMapRef: { name: 'm' } }] }, before.metadata)).toEqual({
    seen: { A: '1', B: 'keda' },
    unseen: ['C', 'all of m'],
  })
})

describe('does a roll-out leave somebody who answers?', () => {
  const rolling = (maxSurge: unknown, maxUnavailable: unknown) => ({
    type: 'RollingUpdate',
    rollingUpdate: { maxSurge, maxUnavailable },
  })
  // biome-ignore format: a table
  test.each<[number | undefined, object | undefined, boolean]>([
    [undefined, undefined, true], [1, undefined, true], [3, undefined, true], [0, { type: 'Recreate' }, false],
    [3, { type: 'Recreate' }, false], [1, rolling(0, 1), false], [1, rolling(0, '25%'), false], [2, rolling(0, 1), true],
    [3, rolling('25%', '100%'), false], [1, rolling(1, 0), true], [2, rolling(0, '50%'), true],
  ])('%s pods, %j: %s', (replicas, strategy, isAnswered) => {
    const spec = { ...(replicas === undefined ? {} : { replicas }), ...(strategy === undefined ? {} : { strategy }) }
    expect(leavesNobody(workload({}, {}, spec)) === undefined).toBe(isAnswered)
  })
})
