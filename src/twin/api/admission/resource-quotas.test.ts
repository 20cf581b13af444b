import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { valueAt } from '../../json-value.ts'
import { startTestTwin, testConfigMap } from '../../twin-for-tests.ts'

const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }

function quota(hard: Readonly<Record<string, string>>, spec: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q', namespace: 'default' }, spec: { hard, ...spec } }
}

function pod(name: string, resources: object = {}): KubeObject {
  const containers = [{ name: 'c', image: 'i', resources }]
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec: { containers } }
}

const half = { requests: { cpu: '500m', memory: '64Mi' } }
const pods = '/api/v1/namespaces/default/pods'
const configMaps = '/api/v1/namespaces/default/configmaps'
const forbidden = (what: string, why: string) => `${what} is forbidden: ${why}`

describe('a new object', () => {
  test.each([
    {
      name: 'is one too many',
      hard: { pods: '1' },
      before: [pod('a')],
      path: pods,
      body: pod('b'),
      message: forbidden('pods "b"', 'exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'),
    },
    {
      name: 'is one too many by its count',
      hard: { 'count/configmaps': '1' },
      before: [testConfigMap('a')],
      path: configMaps,
      body: testConfigMap('b'),
      message: forbidden(
        'configmaps "b"',
        'exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=1, limited: count/configmaps=1',
      ),
    },
    {
      name: 'asks for too much',
      hard: { 'requests.cpu': '900m', memory: '1Gi' },
      before: [pod('a', half)],
      path: pods,
      body: pod('b', half),
      message: forbidden(
        'pods "b"',
        'exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=500m, limited: requests.cpu=900m',
      ),
    },
    {
      name: 'does not say what it asks for',
      hard: { cpu: '1', 'limits.memory': '1Gi' },
      before: [],
      path: pods,
      body: pod('b'),
      message: forbidden('pods "b"', 'failed quota: q: must specify cpu for: c; limits.memory for: c'),
    },
    { name: 'fits exactly', hard: { cpu: '1' }, before: [pod('a', half)], path: pods, body: pod('b', half), message: undefined },
    { name: 'is not counted', hard: { pods: '0' }, before: [], path: configMaps, body: testConfigMap('b'), message: undefined },
  ])('$name', async ({ hard, before, path, body, message }) => {
    await using twin = await startTestTwin([namespace, quota(hard), ...before])
    const answer = await twin.client.post(path, body)
    expect({ status: answer.status, message: answer.message }).toEqual({ status: message === undefined ? 201 : 403, message })
  })

  test('outside of the scopes is none of the quota', async () => {
    await using twin = await startTestTwin([namespace, quota({ pods: '0' }, { scopes: ['BestEffort'] })])
    expect((await twin.client.post(pods, pod('busy', half))).status).toBe(201)
    expect((await twin.client.post(pods, pod('idle'))).status).toBe(403)
  })
})

test('the status follows what comes and goes', async () => {
  const objects = [namespace, quota({ pods: '5', 'requests.cpu': '4', 'count/configmaps': '3' }), pod('a', half), pod('b', half)]
  await using twin = await startTestTwin(objects, {
    components: {},
    scheduler: false,
    kubelet: false,
    controllers: ['resourcequota'],
  })
  const used = async () => {
    await twin.twin.settle({ limitMs: 10_000 })
    return valueAt((await twin.client.get('/api/v1/namespaces/default/resourcequotas/q')).body, 'status', 'used')
  }
  expect(await used()).toEqual({ pods: '2', 'requests.cpu': '1', 'count/configmaps': '0' })
  await twin.client.post(configMaps, testConfigMap('b'))
  await twin.client.call('DELETE', `${pods}/a`, { query: { gracePeriodSeconds: '0' } })
  expect(await used()).toEqual({ pods: '1', 'requests.cpu': '500m', 'count/configmaps': '1' })
})
