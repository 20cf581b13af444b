import { expect, test } from 'vitest'
import { examineCluster } from '#doctor/checks.ts'
import type { OwnFacts } from '#doctor/facts.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

const registration = (name: string, service: object | undefined): KubeObject => ({
  apiVersion: 'apiregistration.k8s.io/v1',
  kind: 'APIService',
  metadata: { name },
  spec: service === undefined ? {} : { service },
})
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
const metrics = 'v1beta1.metrics.k8s.io'
const theirs = { namespace: 'kube-system', name: 'metrics-server' }

// biome-ignore format: a table
test.each<[string, OwnFacts | undefined, KubeObject, boolean]>([
  ['another server, while ours measures', ours(['metrics']), registration(metrics, theirs),                                               true],
  ['ours',                                ours(['metrics']), registration(metrics, { namespace: 'ballast-system', name: 'ballast-apiserver' }), false],
  ['ours, at the port that is not said',  ours(['metrics']), registration(metrics, { namespace: 'ballast-system', name: 'ballast-apiserver', port: 443 }), false],
  ['another port of ours',                ours(['metrics']), registration(metrics, { namespace: 'ballast-system', name: 'ballast-apiserver', port: 8081 }), true],
  ['another Service of our namespace',    ours(['metrics']), registration(metrics, { namespace: 'ballast-system', name: 'metrics-server' }), true],
  ['ours by a name of its own',           { ...ours(['metrics']), account: 'x' }, registration(metrics, { namespace: 'ballast-system', name: 'y' }), false],
  ['another server, and ours is off',     ours(['reload']),  registration(metrics, theirs),                                               false],
  ['another server, and no Ballast',      undefined,         registration(metrics, theirs),                                               false],
  ['served by the API server itself',     ours(['metrics']), registration(metrics, undefined),                                            false],
  ['another API',                         ours(['metrics']), registration('v1beta1.external.metrics.k8s.io', theirs),                     false],
])('%s', (_name, own, object, isFound) => {
  const unread = [{ kind: 'endpointslices.discovery.k8s.io', why: 'a test' }]
  const found = examineCluster({ objects: [object], unread, nowMs: 0, ours: own }).filter(({ id }) => id === 'metrics-elsewhere')
  expect(found.map(({ fix, capability }) => [fix, capability])).toEqual(isFound ? [['ballast migrate plan metrics-server', 'metrics']] : [])
})
