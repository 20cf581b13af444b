// A cluster of many nodes of which some are hot: the same numbers each time, for measuring plans.

import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import type { Goal } from '#planning/goals/policy.ts'

export interface CrowdedCluster {
  readonly objects: readonly KubeObject[]
  readonly goals: readonly Goal[]
}

const nodeCpu = 16_000
const nodeMemoryMi = 65_536

/** `nodes` nodes and about `pods` pods of Deployments with budgets; the first `hot` nodes are above 80 % of their CPU, the goals ask them below 70 %. */
export function crowdedCluster(options: {
  readonly nodes: number
  readonly pods: number
  readonly hot: number
  readonly seed: number
}): CrowdedCluster {
  const random = seededRandom(options.seed)
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const names = Array.from({ length: options.nodes }, (_, at) => `node-${String(at).padStart(3, '0')}`)
  const objects: KubeObject[] = names.map((name, at) => node(name, `zone-${at % 3}`))
  const used = names.map(() => 0)
  const perNode = options.pods / options.nodes
  // Hot nodes take pods until they are hot, the others until they have their share of pods.
  const isHot = (at: number) => at < options.hot
  const counts = names.map(() => 0)
  for (let number = 0; counts.reduce((sum, count) => sum + count, 0) < options.pods; number++) {
    const cpu = whole(1, 10) * 50
    const replicas = whole(2, 12)
    const on: number[] = []
    for (let at = 0; at < replicas; at++) {
      const wanted = random() < 0.3 ? whole(0, options.hot - 1) : whole(0, names.length - 1)
      const hasRoom = (place: number) =>
        (used[place] ?? 0) + cpu <= nodeCpu * (isHot(place) ? 0.93 : 0.55) &&
        (counts[place] ?? 0) < perNode * (isHot(place) ? 1.5 : 1)
      const place = hasRoom(wanted) ? wanted : names.findIndex((_, other) => hasRoom((other + wanted) % names.length))
      const chosen = hasRoom(wanted) ? wanted : place < 0 ? wanted : (place + wanted) % names.length
      used[chosen] = (used[chosen] ?? 0) + cpu
      counts[chosen] = (counts[chosen] ?? 0) + 1
      on.push(chosen)
    }
    objects.push(...deployment(`app-${number}`, { cpu, memoryMi: whole(1, 8) * 128, on: on.map(at => names[at] ?? '') }))
  }
  const hotNodes = names.filter((_, at) => isHot(at) && (used[at] ?? 0) > nodeCpu * 0.7)
  const goals: Goal[] = [{ name: 'cool', nodes: hotNodes, resource: 'cpu', stat: 'requests', max: 70, margin: 1, hard: false }]
  return { objects: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'apps' } }, ...objects], goals }
}

function node(name: string, zone: string): KubeObject {
  const amounts = { cpu: `${nodeCpu}m`, memory: `${nodeMemoryMi}Mi`, pods: '110' }
  const labels = { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': zone }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name, labels },
    status: { allocatable: amounts, capacity: amounts, conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

function deployment(
  name: string,
  options: { readonly cpu: number; readonly memoryMi: number; readonly on: readonly string[] },
): readonly KubeObject[] {
  const labels = { app: name }
  const spec = {
    containers: [
      {
        name: 'main',
        image: `registry.example/${name}:1`,
        resources: { requests: { cpu: `${options.cpu}m`, memory: `${options.memoryMi}Mi` } },
      },
    ],
  }
  const template = { metadata: { labels }, spec }
  const owner = (kind: string, uid: string, of: string) => ({ apiVersion: 'apps/v1', kind, name: of, uid, controller: true })
  const metadata = (kind: string) => ({ name, namespace: 'apps', uid: `${kind}-${name}`, labels })
  const replicas = options.on.length
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { ...metadata('d'), labels: { ...labels, 'scaling.talos.io/managed-by': 'descheduler' } },
      spec: { replicas, selector: { matchLabels: labels }, template },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { ...metadata('r'), ownerReferences: [owner('Deployment', `d-${name}`, name)] },
      spec: { replicas, selector: { matchLabels: labels }, template },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: metadata('b'),
      spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
    },
    ...options.on.map((nodeName, at) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${name}-${at}`,
        namespace: 'apps',
        uid: `p-${name}-${at}`,
        labels,
        ownerReferences: [owner('ReplicaSet', `r-${name}`, name)],
      },
      spec: { ...spec, nodeName },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    })),
  ]
}
