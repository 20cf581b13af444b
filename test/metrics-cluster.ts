// The cluster on which metrics-server was recorded and on which Ballast is asked for the same: two nodes that measure, one that cannot be
// asked, and pods that are steady, start, restart, stop, idle, are not measured, or ended.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { FakeContainer, FakeKubelets, FakeNode } from './fake-kubelets.ts'

/** When what happens, after the story began, in milliseconds. */
export const story = { starts: 20_000, restarts: 45_000, stops: 60_000 } as const

const container = (pod: string, name: string, cores: number, mebibytes: number, startMs: number): FakeContainer => ({
  namespace: 'shop',
  pod,
  name,
  startMs,
  cores,
  bytes: mebibytes * 1024 * 1024 + 4096,
})

/** What its nodes measure. `idle` has used no CPU at all: upstream does not serve it. */
export function metricsNodes(beganMs: number): readonly FakeNode[] {
  const longAgo = beganMs - 3_600_000
  return [
    {
      name: 'n1',
      cores: 1.25,
      bytes: 3 * 1024 ** 3,
      containers(nowMs) {
        const at = nowMs - beganMs
        return [
          container('steady', 'app', 0.125500321, 40, longAgo),
          container('steady', 'sidecar', 0.01, 8, longAgo),
          ...(at >= story.starts ? [container('starting', 'app', 0.3, 20, beganMs + story.starts)] : []),
          at >= story.restarts
            ? container('restarting', 'app', 0.7, 30, beganMs + story.restarts)
            : container('restarting', 'app', 0.2, 30, longAgo),
          ...(at < story.stops ? [container('stopping', 'app', 0.4, 10, longAgo)] : []),
          container('idle', 'app', 0, 12, longAgo),
          container('done', 'app', 0.1, 7, longAgo),
        ]
      },
    },
    {
      name: 'n2',
      cores: 0.05,
      bytes: 1024 ** 3 + 512,
      containers: () => [{ ...container('other', 'app', 0.02, 5, longAgo), namespace: 'default' }],
    },
    { name: 'silent', cores: 0, bytes: 0, containers: () => [] },
  ]
}

/** Opens the kubelets of its nodes. By name. */
export async function openKubelets(
  kubelets: FakeKubelets,
  beganMs: number,
): Promise<ReadonlyMap<string, Awaited<ReturnType<FakeKubelets['open']>>>> {
  const opened = new Map<string, Awaited<ReturnType<FakeKubelets['open']>>>()
  for (const node of metricsNodes(beganMs)) opened.set(node.name, await kubelets.open(node))
  const silent = opened.get('silent')
  if (silent !== undefined) silent.fault = { status: 503, body: '' }
  return opened
}

export function nodeObject(name: string, port: number): KubeObject {
  const amounts = { cpu: '4', memory: '4Gi', pods: '110' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { zone: 'a' } },
    status: {
      capacity: amounts,
      allocatable: amounts,
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  }
}

const pods = [
  ['n1', 'shop', 'steady', 'app', 'sidecar'],
  ['n1', 'shop', 'starting', 'app'],
  ['n1', 'shop', 'restarting', 'app'],
  ['n1', 'shop', 'stopping', 'app'],
  ['n1', 'shop', 'idle', 'app'],
  ['n1', 'shop', 'unmeasured', 'app'],
  ['n1', 'shop', 'done', 'app'],
  ['n2', 'default', 'other', 'app'],
] as const

/** Its namespaces and pods, with their phases. */
export function podObjects(): readonly KubeObject[] {
  return [
    ...['shop', 'empty'].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    ...pods.map(([nodeName, namespace, name, ...containers]) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels: { app: name } },
      spec: {
        nodeName,
        automountServiceAccountToken: false,
        containers: containers.map(one => ({ name: one, image: 'registry.example/app:1' })),
      },
      status: { phase: name === 'done' ? 'Succeeded' : 'Running' },
    })),
  ]
}
