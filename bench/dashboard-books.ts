// A policy, a plan of 200 moves and many permits of the big cluster, as an API server keeps them.
import type { KubeObject } from '#kube/objects/objects.ts'
import { bigCluster, deploymentUid, namespaceOf, podName, podUid } from './big-cluster.ts'

const apiVersion = 'ballast.dev/v1alpha1'
const moves = 200
const beganMs = Date.parse('2026-03-02T05:00:00Z')
const everyMs = 1_000

const at = (ms: number): string => new Date(ms).toISOString()

export function bookObjects(permits: number): readonly KubeObject[] {
  return [policy(), plan(), ...Array.from({ length: permits }, (_, number) => permit(number))]
}

function policy(): KubeObject {
  return {
    apiVersion,
    kind: 'RebalancePolicy',
    metadata: { name: 'bench', uid: 'policy-bench', creationTimestamp: at(beganMs) },
    spec: {
      trigger: 'manual',
      mode: 'Approve',
      goals: [{ name: 'light', nodes: ['node-0'], resource: 'cpu', stat: 'requests', max: 10 }],
    },
  }
}

function workloadOf(number: number) {
  const name = `app-${number}`
  return { apiVersion: 'apps/v1', kind: 'Deployment', namespace: namespaceOf(number), name, uid: deploymentUid(number) }
}

function plan(): KubeObject {
  return {
    apiVersion,
    kind: 'RebalancePlan',
    metadata: { name: 'bench', uid: 'plan-bench', creationTimestamp: at(beganMs) },
    spec: {
      policyRef: { name: 'bench', uid: 'policy-bench', generation: 1 },
      snapshotHash: 'sha256:00',
      expiresAt: '2036-03-02T05:00:00Z',
      approved: false,
      landing: 'prefer',
      purpose: 'rebalance',
      outcome: 'met',
      moves: Array.from({ length: moves }, (_, number) => ({
        id: `m${number}`,
        wave: number + 1,
        pod: { namespace: namespaceOf(number), name: podName(number, 0), uid: podUid(number, 0) },
        workload: workloadOf(number),
        from: `node-${(number * bigCluster.replicas) % bigCluster.nodes}`,
        to: `node-${number + 1}`,
        acceptable: [`node-${number + 1}`],
        action: 'evict',
        certificate: {
          requests: { cpu: 50, memory: 268_435_456 },
          freeBefore: { cpu: 100, memory: 1_000_000_000 },
          freeAfter: { cpu: 50, memory: 731_564_544 },
          filters: [{ name: 'NodeResourcesFit', verdict: 'pass' }],
          landing: { mode: 'prefer', nodes: [`node-${number + 1}`], totals: {} },
        },
      })),
    },
    status: { phase: 'Proposed' },
  }
}

function permit(number: number): KubeObject {
  const workload = workloadOf(number % bigCluster.workloads)
  const grantedMs = beganMs + number * everyMs
  return {
    apiVersion,
    kind: 'DisruptionPermit',
    metadata: {
      name: `evict-${number}`,
      namespace: workload.namespace,
      uid: `permit-${number}`,
      creationTimestamp: at(grantedMs),
    },
    spec: {
      requester: 'deschedule',
      class: 'balance',
      verb: 'evict',
      purpose: 'move',
      targets: [
        {
          apiVersion: 'v1',
          kind: 'Pod',
          namespace: workload.namespace,
          name: `${workload.name}-gone-${number}`,
          uid: `gone-${number}`,
        },
      ],
      workload: `${workload.namespace}/Deployment/${workload.name}`,
      reasons: [{ code: 'rebalance', message: 'plan bench of policy bench moves it' }],
      idempotencyKey: `key/${number}`,
      nodes: ['node-0'],
      joined: [],
      deadline: at(grantedMs + 3_600_000),
      grant: { token: number + 1, at: at(grantedMs), expiresAt: at(grantedMs + 600_000) },
    },
    status: {
      decision: 'Granted',
      releasedAt: at(grantedMs + 60_000),
      ending: 'done',
      reason: 'landed on node-1',
      landing: 'expected',
    },
  }
}
