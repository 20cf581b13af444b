// The agent of a simulated node asks the mirror of its node, and says what it heard; scripts that a shell is given end.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { TestCluster, testNodes } from '../cluster-for-tests.ts'

const agent = (role: string, nodeName: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: role, namespace: 'default' },
  spec: { nodeName, containers: [{ name: 'main', image: 'b', args: ['agent', `--role=${role}`] }] },
})
const conditionOn = (cluster: TestCluster, name: string) =>
  cluster.get('nodes', name)?.status?.conditions?.find(({ type }) => type === 'ballast.dev/MirrorReady')

test('it says that the mirror serves, and when it is away', async () => {
  await using cluster = await TestCluster.start(testNodes(2))
  cluster.create('pods', agent('readiness', 'n1'))
  await cluster.settle()
  expect(conditionOn(cluster, 'n1')).toMatchObject({ status: 'False', reason: 'EndpointConnectionError' })
  cluster.create('pods', agent('mirror', 'n1'))
  await cluster.settle()
  expect(conditionOn(cluster, 'n1')).toMatchObject({ status: 'True', reason: 'Serving' })
  expect(conditionOn(cluster, 'n2')).toBeUndefined()
  cluster.access.remove('pods', 'default', 'mirror', { manager: 'kubectl', user: 'ballast-admin' }, { gracePeriodSeconds: 0 })
  await cluster.settle()
  expect(conditionOn(cluster, 'n1')).toMatchObject({ status: 'False' })
})

test.each([
  ['with a deadline, never restarted', { restartPolicy: 'Never', activeDeadlineSeconds: 60 }, 'Succeeded'],
  ['without a deadline', { restartPolicy: 'Never' }, 'Running'],
  ['restarted', { activeDeadlineSeconds: 60 }, 'Running'],
])('a script, %s', async (_, spec, phase) => {
  await using cluster = await TestCluster.start(testNodes(1))
  const containers = [{ name: 'main', image: 'b', command: ['/bin/sh', '-c', 'true'] }]
  cluster.create('pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'script', namespace: 'default' },
    spec: { nodeName: 'n1', containers, ...spec },
  })
  await cluster.settle()
  expect(cluster.get('pods', 'script')?.status?.phase).toBe(phase)
})
