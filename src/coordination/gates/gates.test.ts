import { describe, expect, test } from 'vitest'
import { buildClusterState, type ClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject, Node, Taint } from '#kube/objects/objects.ts'
import type { Intent } from '../intent.ts'
import { nothingObserved, type Observation, type Observations } from '../observed/observation.ts'
import { at, noonMs, permit, wrote } from '../observed/testdata/plain-cluster.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { intent } from '../policy/testdata/question.ts'
import { redGatesFor } from './red-gates.ts'
import { type ClusterSignals, noSignals } from './signals.ts'

interface NodeOptions {
  readonly version?: string
  readonly ready?: 'True' | 'False' | 'Unknown'
  readonly cpu?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly taints?: readonly Taint[]
  readonly cordonedBy?: string
}

function node(name: string, options: NodeOptions = {}): Node {
  const { version = 'v1.34.1', ready = 'True', cpu = '4', labels = {}, taints = [], cordonedBy } = options
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: `node-${name}`,
      labels,
      ...(cordonedBy === undefined ? {} : { managedFields: [wrote(cordonedBy, ['unschedulable'], { seconds: -300 })] }),
    },
    spec: { taints, ...(cordonedBy === undefined ? {} : { unschedulable: true }) },
    status: {
      allocatable: { cpu, memory: '16Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: ready, lastTransitionTime: at(-600) }],
      nodeInfo: { kubeletVersion: version },
    },
  }
}

interface PodOptions {
  readonly on?: string
  readonly owner?: string
  readonly cpu?: string
  readonly waitsFor?: number
  readonly reason?: string
  readonly selector?: Readonly<Record<string, string>>
  readonly created?: number
  readonly claim?: string
  readonly tolerates?: string
}

function pod(name: string, options: PodOptions = {}): KubeObject {
  const {
    on,
    owner = 'ReplicaSet',
    cpu = '500m',
    waitsFor = 0,
    reason = 'Unschedulable',
    selector,
    created = -900,
    claim,
    tolerates,
  } = options
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      creationTimestamp: at(created),
      ownerReferences: [{ apiVersion: 'apps/v1', kind: owner, name: name.replace(/-[^-]*$/, ''), uid: 'set', controller: true }],
    },
    spec: {
      containers: [{ name: 'main', resources: { requests: { cpu } } }],
      ...(on === undefined ? {} : { nodeName: on }),
      ...(selector === undefined ? {} : { nodeSelector: selector }),
      ...(tolerates === undefined ? {} : { tolerations: [{ key: tolerates, operator: 'Exists' }] }),
      ...(claim === undefined ? {} : { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: claim } }] }),
    },
    status:
      on === undefined
        ? { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason, lastTransitionTime: at(-waitsFor) }] }
        : { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

const three = [node('n1'), node('n2'), node('n3')]
/** What the intent of the tables moves, from n1 to n2. */
const moved = pod('cart-a', { on: 'n1' })
const stuck = (options: PodOptions = {}) => pod('big-x', { waitsFor: 90, ...options })

interface Asked {
  readonly intent?: Partial<Intent>
  readonly permits?: readonly PermitRecord[]
  readonly signals?: ClusterSignals
  readonly observed?: readonly Observation[]
}

function red(objects: readonly KubeObject[], asked: Asked = {}): string {
  const { state } = buildClusterState([...objects, moved])
  return words(state, asked)
}

function words(state: ClusterState, { intent: change = {}, permits = [], signals = noSignals, observed = [] }: Asked): string {
  const seen: Observations = { ...nothingObserved, since: ms => observed.filter(({ atMs }) => atMs >= ms) }
  const { relocation, proof, ...bare } = intent({ deadlineMs: noonMs + 3_600_000, ...change })
  // A rollout is not steered and needs no proof.
  const asked = bare.verb === 'restart' ? bare : { ...bare, ...(relocation && { relocation }), ...(proof && { proof }) }
  const gates = redGatesFor(asked, { state, permits, observed: seen, signals, nowMs: noonMs })
  return gates.map(({ gate, message, sinceMs }) => `${gate} ${(sinceMs - noonMs) / 1000}: ${message}`).join('; ') || 'green'
}

const fast = { relocation: { from: 'n1', to: ['n2'] }, proof: { snapshotHash: 'h', nodes: ['n2'] } }
const toN3 = { relocation: { from: 'n1', to: ['n3'] }, proof: { snapshotHash: 'h', nodes: ['n3'] } }
const gpu = [node('n1'), node('n2', { labels: { gpu: 'yes' } }), node('n3')]
const restart = { verb: 'restart' } as const
const onN2 = 'pending-pods -90: pod shop/big-x waits for a node and could run on n2, where a replacement may land'
const n2 = { apiVersion: 'v1', kind: 'Node', name: 'n2' }
const drainOfN2 = { verb: 'drain', purpose: 'drain', class: 'cost', targets: [n2], workload: undefined, disrupts: [] } as const
const takenN2 = 'pending-pods -90: pod shop/big-x waits for a node and could run on n2, which would be emptied'
const ours = permit({
  workload: 'shop/ReplicaSet/big',
  createdMs: noonMs - 100_000,
  grant: { token: 1, atMs: noonMs - 100_000, expiresAtMs: noonMs },
})
const boundTo = (name: string): readonly KubeObject[] => [
  { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'shop' }, spec: { volumeName: 'pv' } },
  {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'pv' },
    spec: {
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'host', operator: 'In', values: [name] }] }] },
      },
    },
  },
]
const hosts = [node('n1'), node('n2', { labels: { host: 'n2' } }), node('n3', { labels: { host: 'n3' } })]

describe('pods that wait for a node', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], Asked, string]>([
    ['none',                                           three,                                                     { intent: fast },                       'green'],
    ['one that could use the destination',             [...three, stuck()],                                       { intent: fast },                       onN2],
    ['for a minute, and no longer',                    [...three, stuck({ waitsFor: 60 })],                       { intent: fast },                       'green'],
    ['held by a gate, not by the scheduler',           [...three, stuck({ reason: 'SchedulingGated' })],          { intent: fast },                       'green'],
    ['two, and the second could use it',               [...three, stuck({ cpu: '64' }), pod('big-y', { waitsFor: 90 })], { intent: fast },                    onN2.replace('big-x', 'big-y')],
    ['two of one kind, one with its volume there',     [...hosts, ...boundTo('n2'), pod('big-w', { waitsFor: 90, selector: { host: 'n9' } }), stuck({ claim: 'data' })], { intent: fast }, onN2],
    ['it needs a label that the destination lacks',    [...gpu, stuck({ selector: { gpu: 'yes' } })],             { intent: toN3 },                       'green'],
    ['… that the destination has',                     [...gpu, stuck({ selector: { gpu: 'yes' } })],             { intent: fast },                       onN2],
    ['it is bigger than any node',                     [...three, stuck({ cpu: '64' })],                          { intent: fast },                       'green'],
    ['it does not tolerate the destination',           [node('n1'), node('n2', { taints: [{ key: 'x', effect: 'NoSchedule' }] }), stuck()], { intent: fast }, 'green'],
    ['a soft taint keeps nobody away',                 [node('n1'), node('n2', { taints: [{ key: 'x', effect: 'PreferNoSchedule' }] }), stuck()], { intent: fast }, onN2],
    ['the destination is cordoned',                    [node('n1'), node('n2', { cordonedBy: 'kubectl' }), stuck()], { intent: fast },                     'green'],
    ['its volume lies elsewhere',                      [...hosts, ...boundTo('n3'), stuck({ claim: 'data' })],    { intent: fast },                       'green'],
    ['its volume lies at the destination',             [...hosts, ...boundTo('n2'), stuck({ claim: 'data' })],    { intent: fast },                       onN2],
    ['a rollout may land anywhere',                    [...three, stuck()],                                       { intent: restart },                    'pending-pods -90: pod shop/big-x waits for a node and could run on n1, where a replacement may land'],
    ['what disturbs nobody worsens nothing',           [...three, stuck()],                                       { intent: { ...fast, disrupts: [] } },  'green'],
    ['a drain of the node that it could use',          [...gpu, stuck({ selector: { gpu: 'yes' } })],             { intent: drainOfN2 },                  takenN2],
    ['… whose cordon is there already',                [node('n1'), node('n2', { labels: { gpu: 'yes' }, cordonedBy: 'outsider' }), stuck({ selector: { gpu: 'yes' } })], { intent: drainOfN2 }, takenN2],
    ['… of another node',                              [...gpu, stuck({ selector: { gpu: 'yes' } })],             { intent: { ...drainOfN2, targets: [{ ...n2, name: 'n3' }] } }, 'green'],
    ['… and it comes to cordoned nodes: a DaemonSet’s', [...gpu, stuck({ selector: { gpu: 'yes' }, tolerates: 'node.kubernetes.io/unschedulable' })], { intent: drainOfN2 }, 'green'],
    ['… a taint keeps it away from it anyway',         [node('n1'), node('n2', { taints: [{ key: 'x', effect: 'NoSchedule' }] }), stuck({ cpu: '5' })], { intent: drainOfN2 }, 'green'],
    ['the end of the node that it could use',          [...gpu, stuck({ selector: { gpu: 'yes' } })],             { intent: { ...drainOfN2, verb: 'terminate' } }, takenN2],
    ['the replacement of our own move',                [...three, stuck({ created: -95 })],                       { intent: fast, permits: [ours] },      'green'],
    ['… a pod that was there before the permit',       [...three, stuck({ created: -900 })],                      { intent: fast, permits: [ours] },      onN2],
    ['… a sibling of then',                            [...three, stuck({ created: -98 })],                       { intent: fast, permits: [{ ...ours, siblings: ['uid-big-x'] }] }, onN2],
    ['as the observer counts them',                    [...three, stuck()],                                       { intent: fast, signals: { ...noSignals, unschedulable: [] } }, 'green'],
    ['… and it names one that is gone',                three,                                                     { intent: fast, signals: { ...noSignals, unschedulable: [{ key: 'shop/big-x', uid: 'u', sinceMs: 0 }] } }, 'green'],
  ])('%s', (_name, objects, asked, expected) => expect(red(objects, asked)).toBe(expected))
})

const down = (options: NodeOptions = {}) => [node('n1'), node('n2', { ready: 'False', ...options }), node('n3')]

describe('nodes', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], Asked, string]>([
    ['not Ready',                                down(),                                                                   {}, 'node-not-ready -600: node n2 is not Ready'],
    ['not heard of',                             down({ ready: 'Unknown' }),                                               {}, 'node-not-ready -600: node n2 is not Ready'],
    ['two of them',                              [...down(), node('n4', { ready: 'False' })],                              {}, 'node-not-ready -600: node n2 is not Ready and 1 more'],
    ['we are switching it off',                  down(), { permits: [permit({ verb: 'terminate', targets: [n2] })] },         'green'],
    ['we keep it switched off',                  down({ cordonedBy: 'ballast-provision' }),                                {}, 'green'],
    ['somebody cordoned it, and it is off',      down({ cordonedBy: 'kubectl' }),                                          {}, 'node-not-ready -600: node n2 is not Ready'],
    ['an upgrade is going on',                   [...three, node('n4', { version: 'v1.35.0' })],                           {}, 'kubelet-versions -600: kubelets differ: v1.34.1 on 3 nodes, v1.35.0 on n4'],
    ['the other one is not Ready',               [...three, node('n4', { version: 'v1.35.0', ready: 'False' })],           {}, 'node-not-ready -600: node n4 is not Ready'],
    ['a node of another cluster',                [...three, node('n4', { version: 'v1.30.0', labels: { 'liqo.io/type': 'virtual-node' } })], {}, 'green'],
    ['a node that does not say',                 [...three, node('n4', { version: '' })],                                  {}, 'green'],
  ])('%s', (_name, objects, asked, expected) => expect(red(objects, asked)).toBe(expected))
})

const lostFrom = (name: string, seconds: number, kind: 'drain' | 'pod-lost' = 'pod-lost'): Observation => ({
  kind,
  workload: undefined,
  namespace: undefined,
  nodes: [name],
  atMs: noonMs + seconds * 1000,
  by: 'kubectl drain',
  evidence: 'e',
})
const removed = (seconds: number) =>
  node('n2', { taints: [{ key: 'karpenter.sh/disrupted', effect: 'NoSchedule', timeAdded: at(seconds) }] })
const cordoned = node('n2', { cordonedBy: 'kubectl' })
const left = pod('web-a', { on: 'n2' })

describe('a drain by others', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], Asked, string]>([
    ['pods go from a cordoned node',              [cordoned, left],                                            { observed: [lostFrom('n2', -30)] },           'foreign-drain -300: node n2 is being drained by kubectl drain'],
    ['… seen as a drain',                         [cordoned, left],                                            { observed: [lostFrom('n2', -30, 'drain')] },  'foreign-drain -300: node n2 is being drained by kubectl drain'],
    ['a cordon alone',                            [cordoned, left],                                            {},                                            'green'],
    ['pods go from another node',                 [cordoned, left],                                            { observed: [lostFrom('n1', -30)] },           'green'],
    ['the last went ten minutes ago',             [cordoned, left],                                            { observed: [lostFrom('n2', -601)] },          'green'],
    ['nothing is left on it',                     [cordoned],                                                  { observed: [lostFrom('n2', -30)] },           'green'],
    ['only its DaemonSets are left',              [cordoned, pod('agent-a', { on: 'n2', owner: 'DaemonSet' })], { observed: [lostFrom('n2', -30)] },          'green'],
    ['our own drain',                             [cordoned, left],                                            { observed: [lostFrom('n2', -30)], permits: [permit({ verb: 'drain', targets: [n2] })] }, 'green'],
    ['our own cordon',                            [node('n2', { cordonedBy: 'ballast-provision' }), left],     { observed: [lostFrom('n2', -30)] },           'green'],
    ['Karpenter marked it',                       [removed(-20), left],                                        {},                                            'foreign-drain -20: node n2 is being drained by Karpenter'],
    ['… an hour ago, and is held up',             [removed(-3_601), left],                                     {},                                            'green'],
  ])('%s', (_name, objects, asked, expected) => expect(red([node('n1'), ...objects], { intent: fast, ...asked })).toBe(expected))
})

const answers = (p99Ms: number, errors: number, requests = 200) => ({
  ...noSignals,
  api: { p99Ms, errors, requests, errorShare: errors / requests, sinceMs: noonMs - 5_000 },
})
const ofUsage = { reasons: [{ code: 'goal', message: 'm', data: { stat: 'usage' } }] }

describe('signals', () => {
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['the API server is well',                      { signals: answers(1_000, 2) },                             'green'],
    ['it is slow',                                  { signals: answers(1_500, 0) },                             "api-slow -5: of the API server's last 200 answers 99 in 100 took up to 1500 ms, 0 % failed"],
    ['it fails',                                    { signals: answers(10, 3) },                                "api-slow -5: of the API server's last 200 answers 99 in 100 took up to 10 ms, 1.5 % failed"],
    ['it was asked too little to say that it is slow', { signals: answers(1_500, 0, 19) },                      'green'],
    ['one failure in a few requests',               { signals: answers(10, 1, 10) },                            'green'],
    ['usage is old, for a goal of requests',        { signals: { ...noSignals, usageAgeMs: 600_000 } },         'green'],
    ['usage is old, for a goal of usage',           { intent: ofUsage, signals: { ...noSignals, usageAgeMs: 150_000 } }, 'usage-stale -30: usage was measured 150 s ago'],
    ['usage is fresh enough',                       { intent: ofUsage, signals: { ...noSignals, usageAgeMs: 120_000 } }, 'green'],
    ['nobody measures usage',                       { intent: ofUsage },                                        'green'],
  ])('%s', (_name, asked, expected) => expect(red(three, asked)).toBe(expected))
})
