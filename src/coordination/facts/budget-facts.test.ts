import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { budgetAnswer } from './budget-facts.ts'

function pod(name: string, change: { isReady?: boolean; isLeaving?: boolean } = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      labels: { app: 'cart' },
      ...(change.isLeaving === true ? { deletionTimestamp: '2026-03-02T04:00:00Z' } : {}),
    },
    spec: { nodeName: 'n1', containers: [{ name: 'main' }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: change.isReady === false ? 'False' : 'True' }] },
  }
}

function budget(status: object, change: { name?: string; spec?: object; generation?: number } = {}): KubeObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: change.name ?? 'cart', namespace: 'shop', generation: change.generation ?? 1 },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'cart' } }, ...change.spec },
    status: { observedGeneration: 1, expectedPods: 2, desiredHealthy: 1, currentHealthy: 2, disruptionsAllowed: 1, ...status },
  }
}

function permit(podName: string): PermitRecord {
  return {
    name: 'p',
    namespace: 'shop',
    resourceVersion: '1',
    requester: 'isolate',
    class: 'correctness',
    verb: 'evict',
    purpose: 'isolate',
    targets: [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: podName, uid: `uid-${podName}` }],
    workload: undefined,
    reasons: [],
    idempotencyKey: 'k',
    batch: undefined,
    change: undefined,
    relocation: undefined,
    nodes: [],
    joined: [],
    dropped: [],
    deadlineMs: 0,
    siblings: [],
    grant: { token: 1, atMs: 0, expiresAtMs: 1 },
    epoch: 1,
    releasedAtMs: undefined,
    ending: undefined,
    landing: undefined,
    createdMs: 0,
  }
}

const node: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1' },
  status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' } },
}

// biome-ignore format: a table
test.each<[string, KubeObject[], PermitRecord[], string]>([
  ['none selects it',                                        [pod('a'), pod('b')],                                                       [],            'no-budget'],
  ['one allows it',                                          [pod('a'), pod('b'), budget({})],                                           [],            'allowed'],
  ['one is used up',                                         [pod('a'), pod('b'), budget({ disruptionsAllowed: 0, currentHealthy: 1 })], [],            'exhausted'],
  ['one is used up by what we granted and nobody saw yet',   [pod('a'), pod('b'), budget({})],                                           [permit('b')], 'exhausted'],
  ['... but not by what is seen to leave',                   [pod('a'), pod('b', { isLeaving: true }), budget({})],                      [permit('b')], 'allowed'],
  ['... nor by what the server counted',                     [pod('a'), pod('b'), budget({ disruptedPods: { b: '2026-03-02T04:00:00Z' } })], [permit('b')], 'allowed'],
  ['minAvailable 1 of one replica can never allow it',       [pod('a'), budget({ expectedPods: 1, desiredHealthy: 1, disruptionsAllowed: 0 })], [],     'never-allows'],
  ['two overlap',                                            [pod('a'), budget({}), budget({}, { name: 'other' })],                      [],            'several'],
  ['one was changed and not judged yet',                     [pod('a'), budget({}, { generation: 2 })],                                  [],            'exhausted'],
  ['one that selects everything ({})',                       [pod('a'), budget({}, { spec: { selector: {} } })],                          [],            'allowed'],
  ['one without selector selects nothing',                   [pod('a'), budget({}, { spec: { selector: null } })],                        [],            'no-budget'],
  ['a pod that is not Ready takes nothing from a met budget', [pod('a', { isReady: false }), pod('b'), budget({ disruptionsAllowed: 0, currentHealthy: 1 })], [], 'allowed'],
  ['... but from one that is short',                         [pod('a', { isReady: false }), pod('b'), budget({ disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 2, expectedPods: 3 })], [], 'exhausted'],
  ['... unless the budget lets the unhealthy go',            [pod('a', { isReady: false }), pod('b'), budget({ disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 2, expectedPods: 3 }, { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } })], [], 'allowed'],
])('budgets of a pod: %s', (_name, objects, ledger, expected) => {
  const { state } = buildClusterState([node, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }, ...objects])
  const asked = state.pods.get('shop/a')
  if (asked === undefined) throw new Error('pod shop/a was set aside')
  expect(budgetAnswer(state, asked, ledger).kind).toBe(expected)
})
