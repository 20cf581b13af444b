import { expect, test } from 'vitest'
import { syntheticCluster } from './synthetic-cluster.ts'

test.each([
  [{ nodes: 0, pods: 0 }, 0, []],
  [{ nodes: 3, pods: 30 }, 3, [30]],
  [{ nodes: 1, pods: 61 }, 1, [30, 30, 1]],
])('%j', (size, nodes, replicas) => {
  const objects = syntheticCluster(size)
  expect(objects.filter(object => object.kind === 'Node')).toHaveLength(nodes)
  expect(objects.filter(object => object.kind === 'Deployment').map(object => object.spec)).toMatchObject(
    replicas.map(count => ({ replicas: count })),
  )
  expect(new Set(objects.map(object => `${object.kind} ${object.metadata.name}`)).size).toBe(objects.length)
})
