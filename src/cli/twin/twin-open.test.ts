import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { absentSentence, openLines } from './twin-open.ts'

const pod = (status: object, name = 'p'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 's' },
  spec: { containers: [] },
  status,
})
const waiting = (reason: string, message?: string) => ({
  phase: 'Pending',
  containerStatuses: [{ name: 'c', state: { waiting: { reason, ...(message === undefined ? {} : { message }) } } }],
})

// biome-ignore format: a table
test.each([
  ['runs', pod({ phase: 'Running' }), []],
  ['has ended', pod({ phase: 'Succeeded' }), []],
  ['failed', pod({ phase: 'Failed' }), ['Pod s/p: failed']],
  ['an image', pod(waiting('InvalidImageName', 'no reference')), ['Pod s/p: container c waits: InvalidImageName: no reference']],
  ['a crash loop', pod({ ...waiting('CrashLoopBackOff'), phase: 'Running' }), ['Pod s/p: container c waits: CrashLoopBackOff']],
  ['no node', pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }] }), ['Pod s/p: Pending: 0/1 nodes are available']],
  ['a template of devices', { ...pod({ phase: 'Pending' }), spec: { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'arc' }] } }, ['Pod s/p: Pending: ResourceClaimTemplate s/arc is not there']],
  ['devices', { ...pod({ phase: 'Pending' }), spec: { resourceClaims: [{ name: 'gpu', resourceClaimName: 'arc' }] } }, ['Pod s/p: Pending: ResourceClaim s/arc is not there']],
  ['on its way', pod(waiting('ContainerCreating')), ['Pod s/p: Pending: it has not started']],
  ['a quota', { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'r', namespace: 's' }, status: { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota: q' }] } }, ['ReplicaSet s/r: pods are not made: exceeded quota: q']],
])('%s', (_what, object, lines) => expect(openLines([object])).toEqual(lines))

test('of very many the first, and how many more', () => {
  const many = Array.from({ length: 23 }, (_, at) => pod({ phase: 'Failed' }, `p-${at}`))
  expect([openLines(many).length, openLines(many).at(-1)]).toEqual([21, 'and 3 more'])
})

const needing = (name: string, spec: object): KubeObject => ({ ...pod({ phase: 'Running' }, name), spec })
const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'there', namespace: 's' } }
const withEnv = (from: object) => ({ containers: [{ name: 'c', env: [{ name: 'A', valueFrom: from }] }] })

// biome-ignore format: a table
test.each([
  ['a volume', { volumes: [{ name: 'v', secret: { secretName: 'x' } }] }, 'Secret s/x (1 pod)'],
  ['a volume of several sources', { volumes: [{ name: 'v', projected: { sources: [{ secret: { name: 'x' } }, { configMap: { name: 'y' } }] } }] }, 'ConfigMap s/y (1 pod), Secret s/x (1 pod)'],
  ['a variable', withEnv({ secretKeyRef: { name: 'x', key: 'k' } }), 'Secret s/x (1 pod)'],
  ['all keys', { initContainers: [{ name: 'i', envFrom: [{ configMapRef: { name: 'x' } }] }] }, 'ConfigMap s/x (1 pod)'],
  ['what is there', withEnv({ secretKeyRef: { name: 'there', key: 'k' } }), undefined],
  ['what may be absent', withEnv({ secretKeyRef: { name: 'x', key: 'k', optional: true } }), undefined],
  ['what an ended pod needed', { ...withEnv({ secretKeyRef: { name: 'x', key: 'k' } }) }, undefined, 'Succeeded'],
])('absent: %s', (_what, spec, named, phase = 'Running') => {
  const found = absentSentence([secret, { ...needing('p', spec), status: { phase } }])
  expect(found?.replace(/^.*: /, '')).toBe(named)
})

test('absent: objects that many need are counted, and of many objects the first are named', () => {
  const pods = Array.from({ length: 12 }, (_, at) =>
    needing(`p-${at}`, { volumes: [{ name: 'v', configMap: { name: `m-${at}` } }] }),
  )
  const again = needing('again', { volumes: [{ name: 'v', configMap: { name: 'm-0' } }] })
  expect(absentSentence([...pods, again])).toMatch(/: ConfigMap s\/m-0 \(2 pods\), .*, and 2 more$/)
})
