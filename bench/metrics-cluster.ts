// A cluster that is measured: nodes with 30 pods and 45 containers each, what their kubelets say, and their objects as an API server has them.
import type { KubeObject, Pod } from '../src/kube/objects/objects.ts'

export const podsPerNode = 30
const containersPerNode = 45
const since = '2026-03-02T04:00:00Z'

const containerSeries = [
  ['container_cpu_usage_seconds_total', (at: number, second: number) => (100 + at * 1.37 + second * 0.1).toFixed(6)],
  ['container_memory_working_set_bytes', (at: number) => (4.7264768e7 + at * 4096).toExponential()],
  ['container_start_time_seconds', (at: number) => (1.6332538e9 + at / 100).toExponential()],
  ['container_swap_usage_bytes', () => '0'],
] as const
const podSeries = ['pod_cpu_usage_seconds_total', 'pod_memory_working_set_bytes', 'pod_swap_usage_bytes'] as const

export const podOf = (node: number, at: number) => ({
  namespace: `team-${node % 40}`,
  name: `deployment-${node}-7f9c5b6d4-${at}x`,
})

/** What a kubelet of 30 pods and 45 containers says at a time, `second` seconds after its containers began to use CPU: 33 KB. */
export function kubeletBody(node: number, second: number, timeMs: number): Buffer {
  const lines = containerSeries.flatMap(([name, value]) => [
    `# TYPE ${name} gauge`,
    ...Array.from({ length: containersPerNode }, (_, at) => {
      const pod = podOf(node, at % podsPerNode)
      const container = at < podsPerNode ? 'main' : 'sidecar'
      return `${name}{container="${container}",namespace="${pod.namespace}",pod="${pod.name}"} ${value(at, second)} ${timeMs}`
    }),
  ])
  const ofPods = podSeries.flatMap(name =>
    Array.from({ length: podsPerNode }, (_, at) => {
      const pod = podOf(node, at)
      return `${name}{namespace="${pod.namespace}",pod="${pod.name}"} 1.5 ${timeMs}`
    }),
  )
  const own = [`node_cpu_usage_seconds_total ${1_000 + second} ${timeMs}`, `node_memory_working_set_bytes 1.6e+09 ${timeMs}`]
  return Buffer.from(`${[...lines, ...ofPods, ...own].join('\n')}\n`)
}

const nodeName = (node: number) => `node-${node}`

/** `port`: of its kubelet on loopback. */
export function measuredNode(node: number, port: number): KubeObject {
  const amounts = { cpu: '32', memory: '64Gi', pods: '110' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: nodeName(node),
      uid: `uid-${nodeName(node)}`,
      labels: { 'kubernetes.io/hostname': nodeName(node), 'topology.kubernetes.io/zone': `zone-${node % 3}` },
    },
    status: {
      capacity: amounts,
      allocatable: amounts,
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
    },
  }
}

const appLabels = (node: number) => ({ app: `app-${node}`, 'pod-template-hash': '7f9c5b6d4' })

/** Pods of one node's Deployment: the selector of its autoscaler. */
export const appSelector = (node: number) => `app=app-${node}`

/** As an API server has it: the containers' statuses alone are a kilobyte. */
export function measuredPod(node: number, at: number): Pod {
  const { namespace, name } = podOf(node, at)
  const names = at + podsPerNode < containersPerNode ? ['main', 'sidecar'] : ['main']
  const uid = `${String(node).padStart(8, '0')}-4c1b-4d2e-9f00-${String(at).padStart(12, '0')}`
  const image = `registry.example/team/${names[0]}:1.4.2`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid,
      generateName: `deployment-${node}-7f9c5b6d4-`,
      creationTimestamp: since,
      labels: appLabels(node),
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `deployment-${node}-7f9c5b6d4`,
          uid: `rs-${String(node).padStart(8, '0')}-9f00-000000000000`,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      nodeName: nodeName(node),
      containers: names.map(one => ({ name: one, image, resources: { requests: { cpu: '100m', memory: '128Mi' } } })),
    },
    status: {
      phase: 'Running',
      podIP: `10.${node % 250}.${at}.1`,
      startTime: since,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
      containerStatuses: names.map(one => ({
        name: one,
        image,
        imageID: `${image}@sha256:${'ab'.repeat(32)}`,
        containerID: `containerd://${uid.padEnd(64, '0')}`,
        ready: true,
        restartCount: 0,
        started: true,
        state: { running: { startedAt: `2026-03-02T04:00:${String((node + at) % 60).padStart(2, '0')}Z` } },
      })),
    },
  }
}

export function* clusterObjects(ports: readonly number[]): Generator<KubeObject> {
  for (let team = 0; team < Math.min(40, ports.length); team++)
    yield { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `team-${team}` } }
  for (const [node, port] of ports.entries()) {
    yield measuredNode(node, port)
    for (let at = 0; at < podsPerNode; at++) yield measuredPod(node, at)
  }
}
