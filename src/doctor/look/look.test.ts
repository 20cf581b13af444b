import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { namespace, node, workload } from '#planning/testdata/objects.ts'
import { lookAtCluster } from './gather.ts'
import { saysNothing } from './look.ts'
import { rivalries } from './rivals.ts'

interface Traces {
  readonly objects: readonly KubeObject[]
  readonly events: Readonly<Record<'v1' | 'events.k8s.io/v1', readonly KubeObject[]>>
}

const fixture = new URL('../../../test/fixtures/look-traces/traces.json', import.meta.url)
const traces: Traces = JSON.parse(readFileSync(fixture, 'utf8'))

function lookAt(objects: readonly KubeObject[], energy: Parameters<typeof lookAtCluster>[0]['energy'] = []) {
  const read = buildClusterState(objects)
  return lookAtCluster({
    looked: 'test',
    isLive: false,
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

const rescaled = (size: number, count: number, name = 'own', reason = 'All metrics below target'): KubeObject => ({
  ...object('v1', 'Event', `${name}.${size}.${reason.length}`, undefined),
  involvedObject: { kind: 'HorizontalPodAutoscaler', namespace: 'web', name },
  reason: 'SuccessfulRescale',
  message: `New size: ${size}; reason: ${reason}`,
  source: { component: 'horizontal-pod-autoscaler' },
  count,
})
const karpenter = upstream('karpenter', 'public.ecr.aws/karpenter/controller:1.5.0')
const pool = (spec: object, budgets: readonly object[] = []) =>
  object('karpenter.sh/v1', 'NodePool', 'p', { template: { spec }, disruption: { budgets } })

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
    'replicas that are in a manifest that is applied',
    [horizontal('own'), app(owner('kube-controller-manager', 'scale'), owner('kustomize-controller'))],
    ['could fight scales Deployment web/app: HorizontalPodAutoscaler web/own, kustomize-controller'],
  ],
  [
    'replicas that the autoscaler had to set again',
    [horizontal('own'), app(owner('helm')), rescaled(3, 2)],
    ['fights scales Deployment web/app: HorizontalPodAutoscaler web/own, helm'],
  ],
  [
    'replicas of a ScaledObject that its autoscaler had to set again, nobody knows for whom',
    [
      scaledObject,
      horizontal('keda-hpa-app'),
      app(),
      rescaled(3, 1, 'keda-hpa-app'),
      rescaled(3, 1, 'keda-hpa-app', 'above target'),
    ],
    ['fights scales Deployment web/app: ScaledObject web/app, somebody who writes spec.replicas'],
  ],
  ['replicas that the autoscaler set to several numbers', [horizontal('own'), app(), rescaled(3, 2), rescaled(1, 1)], []],
  ['replicas that the autoscaler set once', [horizontal('own'), app(), rescaled(3, 1)], []],
  ['replicas that another autoscaler had to set again', [horizontal('own'), app(), rescaled(3, 2, 'other')], []],
  ['replicas that only the autoscaler writes', [horizontal('own'), app(owner('kube-controller-manager', 'scale'))], []],
  ['replicas that nobody applies again', [horizontal('own'), app({ ...owner('kubectl-create'), operation: 'Update' })], []],
  [
    'two evictors, of which one leaves nodes alone',
    [descheduler, karpenter, pool({ expireAfter: 'Never' }, [{ nodes: '0' }])],
    [],
  ],
  ...(
    [
      ['without a NodePool', []],
      ['whose nodes expire', [pool({}, [{ nodes: '0' }])]],
      ['with a budget at times', [pool({ expireAfter: 'Never' }, [{ nodes: '0', schedule: '0 9 * * *' }])]],
      ['with a budget for a reason', [pool({ expireAfter: 'Never' }, [{ nodes: '0', reasons: ['Drifted'] }])]],
      ['without a budget', [pool({ expireAfter: 'Never' })]],
    ] as const
  ).map(
    ([what, pools]) =>
      [
        `two evictors, one of them Karpenter ${what}`,
        [descheduler, karpenter, ...pools],
        [
          'could fight evicts what both may reach: descheduler (Deployment web/descheduler), Karpenter (Deployment web/karpenter)',
        ],
      ] as const,
  ),
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

/** What real programs leave, by `test/real/look/record.ts`: in `v1` as dumps have Events, in `events.k8s.io/v1` as a live cluster gives them. */
test.each(['v1', 'events.k8s.io/v1'] as const)('traces of real programs are evidence, in Events of %s', version => {
  const events = traces.events[version]
  const found = rivalries([], [...traces.objects, ...events])
  expect(found.map(({ certainty, verb, target, rivals, evidence }) => ({ certainty, verb, target, rivals, evidence }))).toEqual([
    {
      certainty: 'fights',
      verb: 'evicts',
      target: 'shop/web',
      rivals: expect.arrayContaining(['descheduler', 'VPA']),
      evidence: expect.arrayContaining([
        'Events: descheduler evicted 1 of its pods',
        expect.stringMatching(/^Events: VPA evicted \d+ of its pods$/),
      ]),
    },
    {
      certainty: 'fights',
      verb: 'scales',
      target: 'Deployment shop/app',
      rivals: ['HorizontalPodAutoscaler shop/app', 'somebody who writes spec.replicas'],
      evidence: [
        'Events: HorizontalPodAutoscaler shop/app set 3 replicas 2 times and no other number, so somebody set others in between',
      ],
    },
  ])
  for (const by of ['descheduler', 'vpa-updater', 'horizontal-pod-autoscaler'])
    expect(rivalries([], [...traces.objects, ...events.filter(one => !JSON.stringify(one).includes(by))])).toHaveLength(1)
})
