// Whom taints of rules take away from a node: what the arbiter is told.

import { expect, test } from 'vitest'
import type { Toleration } from '#kube/objects/objects.ts'
import { takenAway } from './node-writes.ts'

const pod = (name: string, tolerations: readonly Toleration[], isTerminating = false) => ({
  isTerminating,
  object: { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [], tolerations } },
})
const key = 'gpu.example.com/only'
const pods = [
  pod('plain', []),
  pod('leaving', [], true),
  pod('tolerant', [{ key, operator: 'Exists' }]),
  pod('for a while', [{ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }]),
  pod('of another', [{ key: 'other', operator: 'Exists' }]),
]

test.each([
  ['NoSchedule', []],
  ['PreferNoSchedule', []],
  ['NoExecute', ['plain', 'for a while', 'of another']],
])('%s takes away %j', (effect, names) =>
  expect(takenAway([{ key, effect }], pods).map(({ object }) => object.metadata.name)).toEqual(names),
)

test('of several taints each counts', () =>
  expect(
    takenAway(
      [
        { key: 'free.example.com/t', effect: 'NoSchedule' },
        { key, effect: 'NoExecute' },
      ],
      pods,
    ),
  ).toHaveLength(3))
