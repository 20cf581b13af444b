import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { itemsAt, textAt } from '../json-value.ts'
import { startTestTwin, testConfigMap, testDeployment } from '../twin-for-tests.ts'

const path = '/apis/apps/v1/namespaces/default/deployments/web'
const made = '2025-01-01T00:00:00Z'
const restart = { spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } } } } }

/** An object as dumps have it, which leave its records out. */
function dumped(object: object & { readonly metadata: object }): KubeObject {
  const { kind, ...rest } = { kind: '', apiVersion: '', ...object }
  return { ...rest, kind, metadata: { name: '', ...object.metadata, namespace: 'default', uid: kind, creationTimestamp: made } }
}

const web = dumped(testDeployment('web'))
type Client = Awaited<ReturnType<typeof startTestTwin>>['client']

/** `manager[/subresource] time` of each record. */
async function records(client: Client, at = path): Promise<readonly string[]> {
  return itemsAt((await client.get(at)).body, 'metadata', 'managedFields').map(entry =>
    [[textAt(entry, 'manager'), textAt(entry, 'subresource')].filter(Boolean).join('/'), textAt(entry, 'time')]
      .filter(Boolean)
      .join(' '),
  )
}

describe('a Deployment that was loaded without records', () => {
  const now = '2026-01-01T00:00:00Z'
  const before = `before-first-apply ${made}`
  const merge = (query: string, body: object) => (client: Client) => client.patch(`${path}${query}`, 'merge', body)
  // biome-ignore format: a table
  test.each<[string, (client: Client) => Promise<unknown>, readonly string[]]>([
    ['has none as long as nobody writes it',       client => client.get(path),                                                    []],
    ['a rollout is of who began it',               merge('?fieldManager=kubectl-rollout', restart),                              [before, `kubectl-rollout ${now}`]],
    ['so is a scale event, which is not dated',    merge('/scale?fieldManager=keda', { spec: { replicas: 3 } }),                 ['keda/scale', before]],
    ['… nor when it is scaled again',              async client => { for (const replicas of [3, 5]) await merge('/scale?fieldManager=keda', { spec: { replicas } })(client) }, ['keda/scale', before]],
    ['replicas written past scale are dated',      merge('?fieldManager=keda', { spec: { replicas: 3 } }),                       [before, `keda ${now}`]],
    ['a write that changes nothing begins none',   merge('?fieldManager=kubectl-rollout', { spec: { replicas: 1 } }),            []],
    ['a status begins none',                       merge('/status?fieldManager=m', { status: { observedGeneration: 7 } }),       []],
    ['whoever forgets them is heard',              async client => { await merge('', { metadata: { managedFields: [{}] } })(client); await merge('', restart)(client) }, []],
  ])('%s', async (_name, write, expected) => {
    await using twin = await startTestTwin([web])
    await write(twin.client)
    expect(await records(twin.client)).toEqual(expected)
  })

  test('what the first writer changed is its own, and of nobody else', async () => {
    await using twin = await startTestTwin([web])
    await merge('?fieldManager=keda', { spec: { replicas: 3 } })(twin.client)
    const body = testDeployment('web', 5)
    expect((await twin.client.apply(path, 'flux', body)).message).toBe(
      'Apply failed with 1 conflict: conflict with "keda" using apps/v1: .spec.replicas',
    )
  })
})

test('a kind whose writers do not matter stays without', async () => {
  await using twin = await startTestTwin([dumped(testConfigMap('m', { x: 'y' }))])
  const at = '/api/v1/namespaces/default/configmaps/m'
  expect((await twin.client.patch(at, 'merge', { data: { x: 'z' } })).status).toBe(200)
  expect(await records(twin.client, at)).toEqual([])
})
