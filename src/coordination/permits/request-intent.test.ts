import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { DisruptionPermit } from '../api.ts'
import type { Target } from '../intent.ts'
import { intentOfRequest } from './request-intent.ts'

const node = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: `uid-${name}`, labels: { 'kubernetes.io/hostname': name } },
  spec: {},
  status: {
    allocatable: { cpu: '2', memory: '8Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: 'True' }],
  },
})
const pod = (name: string, owner: string, cpu = '500m', kind = 'StatefulSet'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    ownerReferences: [{ apiVersion: 'apps/v1', kind, name: owner, uid: `uid-${owner}`, controller: true }],
  },
  spec: { nodeName: 'n1', containers: [{ name: 'main', resources: { requests: { cpu, memory: '64Mi' } } }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
})
const workload = (name: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name, namespace: 'shop', uid: `uid-${name}` },
  spec: { replicas: 2, selector: {}, template: {}, progressDeadlineSeconds: 120 },
})
const { state } = buildClusterState([
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  ...['n1', 'n2'].map(node),
  ...['db', 'web', 'big'].map(workload),
  // A drain leaves those of DaemonSets: they fit nowhere else, and go with their node.
  pod('agent-x', 'agent', '100m', 'DaemonSet'),
  ...[pod('db-0', 'db'), pod('db-1', 'db'), pod('web-0', 'web'), pod('big-0', 'big', '3')],
])
const context = { state, settings: settingsForServer('v1.36.0'), ownNamespace: 'ballast-system' }

const podNamed = (name: string): Target => ({ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name, uid: `uid-${name}` })
const db: Target = { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'shop', name: 'db', uid: 'uid-db' }
const n1: Target = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'uid-n1' }

function request(spec: Partial<DisruptionPermit['spec']>, namespace = 'shop'): DisruptionPermit {
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'DisruptionPermit',
    metadata: { name: 'ask', namespace },
    spec: {
      requester: 'outsider',
      class: 'cost',
      verb: 'evict',
      purpose: 'move',
      targets: [podNamed('db-0')],
      reasons: [],
      idempotencyKey: 'k',
      nodes: [],
      joined: [],
      deadline: '2026-03-02T05:00:00Z',
      siblings: [],
      ...spec,
    },
  }
}

describe('what is asked', () => {
  // biome-ignore format: a table
  test.each<[string, DisruptionPermit, object]>([
    ['an eviction: its workload, and where a replacement fits', request({ targets: [podNamed('db-0'), podNamed('db-1')] }), { workload: { name: 'db' }, disrupts: [{ name: 'db-0' }, { name: 'db-1' }], timeToLiveMs: 600_000, proof: { nodes: expect.arrayContaining(['n2']) } }],
    ['of a pod that is gone: the rules say so',          request({ targets: [podNamed('db-9')] }),                                                        { workload: undefined, disrupts: [] }],
    ['a restart: all pods, for as long as it may take',  request({ verb: 'restart', purpose: 'reload', targets: [db], change: { annotations: { a: 'b' } } }), { workload: { name: 'db', uid: 'uid-db' }, disrupts: [{ name: 'db-0' }, { name: 'db-1' }], timeToLiveMs: 420_000, change: { annotations: { a: 'b' } } }],
    ['a scale to zero: all pods',                        request({ verb: 'scale', purpose: 'scale-to-zero', targets: [db], replicas: 0 }),                { replicas: 0, disrupts: [{ name: 'db-0' }, { name: 'db-1' }] }],
    ['a scale up: nobody',                               request({ verb: 'scale', purpose: 'provide', targets: [db], replicas: 4 }),                      { replicas: 4, disrupts: [] }],
    ['a drain, in our own namespace: what stands there', request({ verb: 'drain', purpose: 'drain', targets: [n1] }, 'ballast-system'),                  { workload: undefined, disrupts: [{ name: 'big-0' }, { name: 'db-0' }, { name: 'db-1' }, { name: 'web-0' }], timeToLiveMs: 3_600_000 }],
  ])('%s', (_name, asked, expected) => {
    const reading = intentOfRequest(asked, context)
    expect(reading).toMatchObject({ kind: 'intent', intent: expected })
  })

  test('an eviction of what fits nowhere comes without a proof: the rules deny it', () => {
    const reading = intentOfRequest(request({ targets: [podNamed('big-0')] }), context)
    expect(reading.kind === 'intent' && 'proof' in reading.intent).toBe(false)
  })
})

describe('what is wrong is said with its path', () => {
  // biome-ignore format: a table
  test.each<[string, DisruptionPermit, string]>([
    ['another namespace',     request({}, 'default'),                                                       'spec.targets[0]: Pod shop/db-0 is asked for in namespace default, expected shop'],
    ['a node elsewhere',      request({ verb: 'drain', targets: [n1] }),                                    'spec.targets[0]: Node n1 is asked for in namespace shop, expected ballast-system'],
    ['the wrong kind',        request({ verb: 'restart', targets: [n1] }, 'ballast-system'),                'spec.targets[0].kind: Node, expected Deployment or StatefulSet or DaemonSet for verb restart'],
    ['no UID',                request({ targets: [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'db-0' }] }), 'spec.targets[0].uid: nothing, expected the UID of the Pod that is meant'],
    ['two workloads',         request({ targets: [podNamed('db-0'), podNamed('web-0')] }),                  'spec.targets: pods of several workloads, expected those of one: ask for each'],
    ['two at once',           request({ verb: 'restart', targets: [db, { ...db, name: 'web' }] }),          'spec.targets: 2, expected one for verb restart'],
    ['too many',              request({ targets: Array.from({ length: 51 }, (_, at) => podNamed(`p-${at}`)) }), 'spec.targets: 51, expected at most 50 for verb evict'],
    ['no time',               request({ deadline: 'soon' }),                                                'spec.deadline: "soon", expected a time'],
    ['a scale without number', request({ verb: 'scale', targets: [db] }),                                   'spec.replicas: nothing, expected how many are wanted'],
  ])('%s', (_name, asked, expected) => {
    expect(intentOfRequest(asked, context)).toEqual({ kind: 'bad', message: expected })
  })

  test('what the definition of the kind does not allow', () => {
    const asked = JSON.parse(JSON.stringify(request({})))
    asked.spec.class = 'whim'
    const reading = intentOfRequest(asked, context)
    expect(reading.kind === 'bad' ? reading.message : '').toMatch(/^spec: class: found .*whim.*, expected one of "safety"/)
  })
})
