import { describe, expect, test } from 'vitest'
import { examineCluster } from '#doctor/checks.ts'
import type { OwnFacts } from '#doctor/facts.ts'
import { gatherCluster } from '#doctor/gather-cluster.ts'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startTwin } from '#twin/twin.ts'
import { servedKinds } from '../kinds/served-kinds.ts'

const ours = (enabled: readonly string[]): OwnFacts => ({
  ...{
    namespace: 'ballast-system',
    enabled,
    configurations: {},
    isConfigured: true,
    isRunning: true,
    account: 'ballast-controller',
    rights: [],
  },
})

function found(objects: readonly KubeObject[], own: OwnFacts | 'none' = ours(['autoscale'])) {
  const unread = [{ kind: 'endpointslices.discovery.k8s.io', why: 'a test' }]
  return examineCluster({ objects, unread, nowMs: 0, ours: own === 'none' ? undefined : own }).filter(
    ({ area }) => area === 'autoscaling',
  )
}

const scaled = (kind: string, ...types: readonly string[]): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind,
  metadata: { name: 'a', namespace: 'media' },
  spec: { scaleTargetRef: { name: 'a' }, jobTargetRef: { template: {} }, triggers: types.map(type => ({ type, metadata: {} })) },
})

describe('receivers of events', () => {
  const source = (kind: string, destination: unknown, apiVersion = 'eventing.keda.sh/v1alpha1'): KubeObject => ({
    ...{ apiVersion, kind, metadata: { name: 'told' }, spec: { destination } },
  })
  const azure = { azureEventGridTopic: { endpoint: 'https://grid.example' } }
  const http = { http: { uri: 'http://told' } }

  test.each<[string, KubeObject, readonly RegExp[]]>([
    ['HTTP', source('CloudEventSource', http), []],
    ['HTTP beside Azure', source('CloudEventSource', { ...http, ...azure }), []],
    ['Azure', source('CloudEventSource', azure), [/azureEventGridTopic/]],
    ['Azure, of the cluster', source('ClusterCloudEventSource', azure), [/azureEventGridTopic/]],
    ['none', source('CloudEventSource', undefined), [/names no receiver/]],
    ['somebody else', source('CloudEventSource', azure, 'tea.example/v1'), []],
  ])('%s', (_what, object, expected) => {
    expect(found([object]).map(({ id, message }) => `${id}: ${message}`)).toEqual(
      expected.map(words => expect.stringMatching(words)),
    )
  })
})

describe('triggers', () => {
  test.each<[string, KubeObject, readonly string[]]>([
    ['of types that are here', scaled('ScaledObject', 'cron', 'cpu'), []],
    ['of one that KEDA alone has', scaled('ScaledObject', 'cron', 'pulsar'), ['trigger-missing: trigger 1 is of type "pulsar"']],
    [
      'of a ScaledJob',
      scaled('ScaledJob', 'pulsar', 'arangodb'),
      ['trigger-missing: trigger 0 is of type "pulsar"', 'trigger-missing: trigger 1 is of type "arangodb"'],
    ],
    ['of one that nobody has', scaled('ScaledObject', 'tea'), ['trigger-unknown: trigger 0 is of type "tea"']],
    ['of somebody else', { ...scaled('ScaledObject', 'tea'), apiVersion: 'tea.example/v1' }, []],
    ['that are no list', { ...scaled('ScaledObject'), spec: { triggers: 'tea' } }, []],
  ])('%s', (_what, object, expected) => {
    expect(found([object]).map(({ id, message }) => `${id}: ${message.split(',')[0]}`)).toEqual(expected)
  })

  test('say what that means by who is in charge', () => {
    const [withUs] = found([scaled('ScaledObject', 'pulsar')])
    const [withKeda] = found([scaled('ScaledObject', 'pulsar')], 'none')
    expect([withUs?.message, withKeda?.message]).toEqual([
      expect.stringContaining('not scaled while Ballast has it'),
      expect.stringContaining('only KEDA scales'),
    ])
  })

  test('are read of a cluster, not only the names of their objects', async () => {
    const clock = new VirtualClock(0)
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'media' } }
    const definitions = servedKinds.flatMap(({ definition }) => definition ?? [])
    await using twin = await startTwin({ clock, seed: 1, objects: [namespace, ...definitions, scaled('ScaledObject', 'pulsar')] })
    const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
    const { objects } = await gatherCluster({ api, signal: new AbortController().signal, helmSecrets: false })
    await api.close()
    expect(found(objects).map(({ id }) => id)).toEqual(['trigger-missing'])
  })
})

const registration = (service: object | undefined, name = 'v1beta1.external.metrics.k8s.io'): KubeObject => ({
  apiVersion: 'apiregistration.k8s.io/v1',
  kind: 'APIService',
  metadata: { name },
  spec: service === undefined ? {} : { service },
})
const own = { namespace: 'ballast-system', name: 'ballast-apiserver' }

test.each<[string, OwnFacts | 'none', KubeObject, boolean]>([
  [
    'KEDA in its own namespace',
    ours(['autoscale']),
    registration({ namespace: 'keda', name: 'keda-operator-metrics-apiserver', port: 443 }),
    true,
  ],
  ['KEDA in ours', ours(['autoscale']), registration({ ...own, name: 'keda-operator-metrics-apiserver' }), true],
  ['our Service by another port', ours(['autoscale']), registration({ ...own, port: 6443 }), true],
  ['ours', ours(['autoscale']), registration({ ...own, port: 443 }), false],
  ['ours, by the usual port', ours(['autoscale']), registration(own), false],
  ['another server, and ours is off', ours(['reload']), registration({ namespace: 'keda', name: 'x' }), false],
  ['another server, and no Ballast', 'none', registration({ namespace: 'keda', name: 'x' }), false],
  ['served by the API server itself', ours(['autoscale']), registration(undefined), false],
  ['another API', ours(['autoscale']), registration({ namespace: 'keda', name: 'x' }, 'v1beta1.custom.metrics.k8s.io'), false],
])('external metrics: %s', (_name, enabled, object, isFound) => {
  expect(found([object], enabled).map(({ id }) => id)).toEqual(isFound ? ['external-metrics-elsewhere'] : [])
})

test('our Service is called after the release', () => {
  const labels = { 'app.kubernetes.io/part-of': 'ballast', 'app.kubernetes.io/component': 'apiserver' }
  const metadata = { name: 'home-ballast-apiserver', namespace: 'ballast-system', labels }
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas: 1 } }
  expect(found([deployment, registration({ ...own, name: metadata.name })])).toEqual([])
  expect(found([deployment, registration(own)])).toHaveLength(1)
})
