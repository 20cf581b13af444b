import { expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { TestClient } from '../../twin-for-tests.ts'
import { person, TestCluster, testNodes } from '../cluster-for-tests.ts'

const pod = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'main', image: 'app:1' }], ...spec },
})

async function debug(cluster: TestCluster, name: string, ...ephemeralContainers: readonly object[]): Promise<void> {
  const client = new TestClient(cluster.twin.transport({ admin: true }))
  const path = `/api/v1/namespaces/default/pods/${name}/ephemeralcontainers`
  expect(await client.patch(path, 'strategic', { spec: { ephemeralContainers } })).toMatchObject({ status: 200 })
}

const states = (one: Pod | undefined) =>
  (one?.status?.['ephemeralContainerStatuses'] as readonly { name: string; state: object }[] | undefined)?.map(
    ({ name, state }) => `${name} ${Object.keys(state).join()}`,
  )

test('they are pulled and started one after the other, beside what runs, and end with their pod', async () => {
  await using cluster = await TestCluster.start(testNodes(1))
  cluster.create('pods', pod('p', { restartPolicy: 'Never' }))
  await cluster.settle()
  const before = cluster.get('pods', 'p')?.status?.containerStatuses
  await debug(cluster, 'p', { name: 'one', image: 'busybox' }, { name: 'two', image: 'busybox' })
  await cluster.settle()
  expect(states(cluster.get('pods', 'p'))).toEqual(['one running', 'two running'])
  expect(cluster.get('pods', 'p')?.status).toMatchObject({ phase: 'Running', containerStatuses: before })
  const messages = cluster.list('events').map(event => String(event['message']))
  expect(messages).toEqual(expect.arrayContaining(['Created container: one', 'Started container two', 'Pulling image "busybox"']))
  const running = cluster.get('pods', 'p')
  if (running !== undefined)
    for (const name of ['two', 'main']) cluster.twin.components?.endContainer(running, name, name === 'two' ? 0 : 3)
  await cluster.settle()
  const ended = cluster.get('pods', 'p')
  expect(states(ended)).toEqual(['one terminated', 'two terminated'])
  expect(ended?.status).toMatchObject({
    phase: 'Failed',
    ephemeralContainerStatuses: [
      { state: { terminated: { exitCode: 137 } } },
      { state: { terminated: { exitCode: 0, reason: 'Completed' } } },
    ],
    containerStatuses: [{ state: { terminated: { exitCode: 3, reason: 'Error' } } }],
  })
  expect(cluster.failures).toEqual([])
})

test('one in a pod that has no sandbox yet waits for it', async () => {
  await using cluster = await TestCluster.start(testNodes(1))
  cluster.create('pods', pod('p', { schedulingGates: [{ name: 'held' }] }))
  await cluster.settle()
  await debug(cluster, 'p', { name: 'one', image: 'busybox' })
  await cluster.settle()
  expect(states(cluster.get('pods', 'p'))).toBeUndefined()
  const gated = cluster.get('pods', 'p')
  if (gated !== undefined) {
    const { schedulingGates: _, ...spec } = gated.spec
    cluster.access.update('pods', { ...gated, spec: { ...spec, containers: gated.spec.containers } }, person)
  }
  await cluster.settle()
  expect(states(cluster.get('pods', 'p'))).toEqual(['one running'])
})
