import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { namespace, node, workload } from '#planning/testdata/objects.ts'
import { lookAtCluster } from './gather.ts'
import { saysNothing } from './look.ts'
import { rivalries } from './rivals.ts'

function lookAt(objects: readonly KubeObject[], energy: Parameters<typeof lookAtCluster>[0]['energy'] = []) {
  const read = buildClusterState(objects)
  return lookAtCluster({
    looked: 'test',
    state: read.state,
    objects: read.objects,
    settings: settingsForServer('v1.34.0'),
    energy,
  })
}

const object = (apiVersion: string, kind: string, name: string, spec: unknown, more: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'web', ...more },
  spec,
})

/** A workload that is recognised as an upstream by its image and its name. */
const upstream = (name: string, image: string): KubeObject =>
  object('apps/v1', 'Deployment', name, { replicas: 1, template: { spec: { containers: [{ name: 'main', image }] } } })

const descheduler = upstream('descheduler', 'registry.k8s.io/descheduler/descheduler:v0.34.0')
const updater = upstream('vpa-updater', 'registry.k8s.io/autoscaling/vpa-updater:1.4.0')
const sized = (updateMode: string) =>
  object('autoscaling.k8s.io/v1', 'VerticalPodAutoscaler', 'a', {
    targetRef: { kind: 'Deployment', name: 'app' },
    updatePolicy: { updateMode },
  })
const horizontal = (name: string, resource = 'cpu') =>
  object('autoscaling/v2', 'HorizontalPodAutoscaler', name, {
    scaleTargetRef: { kind: 'Deployment', name: 'app' },
    metrics: [{ type: 'Resource', resource: { name: resource } }],
  })
const scaledObject = object('keda.sh/v1alpha1', 'ScaledObject', 'app', {
  scaleTargetRef: { name: 'app' },
  triggers: [{ type: 'cron' }],
})
const event = (pod: string, reason: string, component: string, count = 1): KubeObject => ({
  ...object('v1', 'Event', `${pod}.${component}`, undefined),
  involvedObject: { kind: 'Pod', namespace: 'web', name: pod },
  reason,
  message: 'pod was evicted',
  source: { component },
  count,
})
const owner = (manager: string, subresource?: string) => ({
  manager,
  operation: 'Apply',
  fieldsV1: { 'f:spec': { 'f:replicas': {} } },
  ...(subresource === undefined ? {} : { subresource }),
})
const app = (...managedFields: readonly object[]) =>
  object('apps/v1', 'Deployment', 'app', { replicas: 2, template: {} }, { managedFields })

test.each<readonly [what: string, objects: readonly KubeObject[], expected: readonly string[]]>([
  ['one evictor', [descheduler], []],
  [
    'two evictors',
    [descheduler, updater, sized('Recreate')],
    ['could fight evicts what both may reach: descheduler (Deployment web/descheduler), VPA (Deployment web/vpa-updater)'],
  ],
  ['a VPA that only recommends', [descheduler, updater, sized('Off')], []],
  ['a VPA without objects', [descheduler, updater], []],
  [
    'Events of two evictors about one workload',
    [
      descheduler,
      updater,
      sized('Auto'),
      event('app-6f9c8d7b5f-x2x4z', 'Descheduled', 'sigs.k8s.io/descheduler', 3),
      event('app-6f9c8d7b5f-aaaaa', 'EvictedPod', 'vpa-updater'),
    ],
    ['fights evicts web/app: descheduler, VPA'],
  ],
  [
    'Events of two evictors about two workloads',
    [event('app-6f9c8d7b5f-x2x4z', 'Descheduled', 'descheduler'), event('db-0', 'EvictedPod', 'vpa-updater')],
    [],
  ],
  ['Events that are about something else', [event('a-0', 'Killing', 'kubelet'), event('a-0', 'Evicted', 'kubelet')], []],
  [
    'two autoscalers of one workload',
    [horizontal('one'), horizontal('two')],
    ['could fight scales Deployment web/app: HorizontalPodAutoscaler web/one, HorizontalPodAutoscaler web/two'],
  ],
  [
    'two autoscalers of what has yet to be filled in',
    ['one', 'two'].map(name =>
      object('autoscaling/v2', 'HorizontalPodAutoscaler', name, { scaleTargetRef: { kind: 'Deployment', name: `\${APP}` } }),
    ),
    [],
  ],
  ['one autoscaler that is written twice', [horizontal('one'), horizontal('one')], []],
  ["a ScaledObject's own autoscaler", [scaledObject, horizontal('keda-hpa-app')], []],
  [
    'a ScaledObject and an autoscaler of somebody',
    [scaledObject, horizontal('own')],
    ['could fight scales Deployment web/app: ScaledObject web/app, HorizontalPodAutoscaler web/own'],
  ],
  [
    'a VPA and an autoscaler by the same resource',
    [horizontal('own'), sized('Auto')],
    ['could fight scales Deployment web/app: HorizontalPodAutoscaler web/own, VerticalPodAutoscaler web/a'],
  ],
  ['a VPA and an autoscaler by something else', [horizontal('own', 'ephemeral-storage'), sized('Auto')], []],
  [
    'replicas that Git writes beside the scale',
    [horizontal('own'), app(owner('kube-controller-manager', 'scale'), owner('kustomize-controller'))],
    ['fights scales Deployment web/app: HorizontalPodAutoscaler web/own, kustomize-controller'],
  ],
  ['replicas that only the autoscaler writes', [horizontal('own'), app(owner('kube-controller-manager', 'scale'))], []],
  ['replicas that were never scaled', [horizontal('own'), app(owner('helm'))], []],
])('%s', (_what, objects, expected) => {
  const found = lookAt([node('n'), namespace('web'), ...objects]).rivalries
  expect(found.map(({ certainty, verb, target, rivals }) => `${certainty} ${verb} ${target}: ${rivals.join(', ')}`)).toEqual(
    expected,
  )
  for (const { certainty, evidence } of found) expect(evidence.length > 0).toBe(certainty === 'fights')
})

test('evidence says who, how often and where it is from; it comes first', () => {
  const objects = [
    horizontal('one'),
    horizontal('two'),
    event('app-6f9c8d7b5f-x2x4z', 'Descheduled', 'descheduler', 3),
    event('app-6f9c8d7b5f-aaaaa', 'EvictedPod', 'vpa-updater'),
  ]
  const [first] = rivalries([], objects)
  expect(first?.evidence).toEqual(['Events: descheduler evicted 3 of its pods', 'Events: VPA evicted 1 of its pods'])
})

test('of a workload that is measured what is requested and not used is told, of others nothing', () => {
  const objects = [node('n', { cpu: 1000 }), namespace('web'), ...workload('web/app', { cpu: 400, on: ['n'] })]
  expect(lookAt(objects).waste?.resources[0]).toEqual({ resource: 'cpu', allocatable: 1000, requested: 400 })
  const pod = objects.find(({ kind }) => kind === 'Pod')
  const measured: KubeObject = {
    apiVersion: 'metrics.k8s.io/v1beta1',
    kind: 'PodMetrics',
    metadata: { name: pod?.metadata.name ?? '', namespace: 'web' },
    containers: [{ name: 'main', usage: { cpu: '150m', memory: '1Mi' } }],
  }
  const found = lookAt([...objects, measured])
  expect(found.waste?.resources[0]).toMatchObject({ unused: { amount: 250, pods: 1 } })
  expect(found.unknown.join()).not.toContain('what pods use')
})

test('an idle node is told with its watts where a policy says them', () => {
  const objects = [
    node('busy'),
    node('idle'),
    namespace('web'),
    ...workload('web/app', { cpu: 2000, memoryMi: 4096, on: ['busy'] }),
  ]
  const energy = [{ name: 'idle', idleWatts: 12, maxWatts: 40, standbyWatts: 1, bootSeconds: 60, powerDown: 'allowed' as const }]
  expect(lookAt(objects, energy).waste?.idle).toEqual([{ name: 'idle', cpu: 0, memory: 0, watts: 12 }])
  expect(lookAt(objects).waste?.idle).toEqual([{ name: 'idle', cpu: 0, memory: 0 }])
})

test('the loss of a node is played: what fits nowhere else is named', () => {
  const objects = [
    node('big', { cpu: 4000 }),
    node('small', { cpu: 1000 }),
    namespace('web'),
    ...workload('web/large', { cpu: 3000, on: ['big'] }),
    ...workload('web/tiny', { cpu: 100, on: ['small'] }),
  ]
  const { losses } = lookAt(objects)
  expect(losses?.map(({ lost, pending }) => [lost, pending.length])).toEqual([['big', 1]])
  expect(losses?.[0]?.pending[0]).toMatch(/^web\/large/)
})

test('a cluster where nothing stands out says nothing', () => {
  const nodes = [node('a', { cpu: 1000, memoryMi: 1024 }), node('b', { cpu: 1000, memoryMi: 1024 })]
  const pods = workload('web/app', { cpu: 300, memoryMi: 300, on: ['a', 'b'] })
  const found = lookAt([...nodes, namespace('web'), ...pods])
  expect(found).toMatchObject({ present: [], rivalries: [], losses: [], proposals: [] })
  expect(saysNothing(found)).toBe(true)
  expect(saysNothing(lookAt([...nodes, namespace('web'), ...pods, descheduler]))).toBe(false)
})
