import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { TestCluster, testNodes } from '../cluster-for-tests.ts'

const resource = 'clusterroles.rbac.authorization.k8s.io'
const label = 'rbac.authorization.k8s.io/aggregate-to-view'
const rule = { verbs: ['get'], apiGroups: ['shop.example.com'], resources: ['orders'] }

function role(name: string, labels: Readonly<Record<string, string>>, more: Readonly<Record<string, unknown>>): KubeObject {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name, labels }, ...more }
}

test('view, edit and admin have the rules of a role that is labelled for view, until it goes', async () => {
  await using cluster = await TestCluster.start(testNodes(1))
  const rules = (name: string) => cluster.access.get(resource, undefined, name)?.['rules']
  await cluster.settle()
  const before = rules('view')
  cluster.create(resource, role('orders', { [label]: 'true' }, { rules: [rule] }))
  await cluster.settle()
  for (const name of ['view', 'edit', 'admin']) expect(rules(name), name).toContainEqual(rule)
  cluster.access.remove(resource, undefined, 'orders', { manager: 'kubectl', user: 'u' })
  await cluster.settle()
  expect(rules('view')).toEqual(before)
  expect(rules('admin')).not.toContainEqual(rule)
})

test('a role whose selectors select each other comes to rest', async () => {
  const both = { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { ring: 'yes' } }] } }
  await using cluster = await TestCluster.start([
    ...testNodes(1),
    role('one', { ring: 'yes' }, both),
    role('two', { ring: 'yes' }, both),
    role('part', { ring: 'yes' }, { rules: [rule] }),
  ])
  await cluster.settle()
  for (const name of ['one', 'two']) expect(cluster.access.get(resource, undefined, name)?.['rules']).toEqual([rule])
})
