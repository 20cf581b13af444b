import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { openLines } from './twin-open.ts'

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
  ['on its way', pod(waiting('ContainerCreating')), ['Pod s/p: Pending: it has not started']],
  ['a quota', { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'r', namespace: 's' }, status: { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota: q' }] } }, ['ReplicaSet s/r: pods are not made: exceeded quota: q']],
])('%s', (_what, object, lines) => expect(openLines([object])).toEqual(lines))

test('of very many the first, and how many more', () => {
  const many = Array.from({ length: 23 }, (_, at) => pod({ phase: 'Failed' }, `p-${at}`))
  expect([openLines(many).length, openLines(many).at(-1)]).toEqual([21, 'and 3 more'])
})
