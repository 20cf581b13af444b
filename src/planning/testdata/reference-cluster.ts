// The reference cluster T4 of rebalancing.md 7.1: four nodes, 124 pods, row by row as the table has them.

import type { KubeObject } from '#kube/objects/objects.ts'
import { boundVolume, claimVolume, namespace, node, workload, type WorkloadOptions } from './objects.ts'

type Owner = 'd' | 'k' | 'n'
type Line = readonly [key: string, kind: 'D' | 'S', count: number, cpu: number, memoryMi: number, owner: Owner, budget: boolean]

const owners = { d: 'descheduler', k: 'keda', n: 'none' } as const

const nodes = [
  ['talos00', 7950, 15500],
  ['talos01', 11950, 22800],
  ['talos02-gpu', 13950, 62500],
  ['talos03', 15950, 13800],
] as const

const daemonSets = [
  ['kube-system/cilium', 100, 256],
  ['traefik/traefik', 100, 128],
  ['node-feature-discovery/nfd-worker', 5, 64],
  ['monitoring/node-exporter', 50, 64],
] as const

const staticPods = [
  ['kube-apiserver', 200, 512],
  ['kube-controller-manager', 50, 256],
  ['kube-scheduler', 10, 64],
] as const

const lines: Readonly<Record<string, readonly Line[]>> = {
  talos00: [
    ['kube-system/coredns', 'D', 2, 100, 70, 'n', true],
    ['kube-system/metrics-server', 'D', 1, 100, 200, 'n', false],
    ['kube-system/cilium-operator', 'D', 1, 50, 128, 'n', false],
    ['cert-manager/cert-manager', 'D', 3, 50, 64, 'n', false],
    ['external-secrets/external-secrets', 'D', 3, 50, 64, 'n', false],
    ['flux-system/flux', 'D', 4, 100, 64, 'n', false],
    ['argocd/argocd', 'D', 6, 100, 128, 'n', false],
    ['liqo/liqo', 'D', 5, 50, 96, 'n', false],
    ['cilium-spire/spire', 'S', 2, 50, 128, 'n', false],
    ['local-path-storage/provisioner', 'D', 1, 20, 64, 'n', false],
    ['node-feature-discovery/nfd-master', 'D', 1, 20, 128, 'n', false],
    ['monitoring/mimir-ingester', 'S', 3, 400, 768, 'd', true],
    ['monitoring/mimir-querier', 'D', 2, 300, 384, 'd', true],
    ['monitoring/mimir-distributor', 'D', 2, 200, 200, 'd', true],
    ['monitoring/mimir-store-gateway', 'S', 1, 200, 400, 'd', true],
    ['monitoring/alloy', 'D', 1, 200, 1536, 'd', true],
    ['monitoring/grafana', 'D', 1, 100, 256, 'd', true],
    ['catalyst/postgresql', 'S', 1, 500, 768, 'd', true],
    ['catalyst/catalyst-api', 'D', 2, 150, 128, 'd', true],
    ['media/kometa', 'D', 1, 200, 512, 'd', true],
    ['media/sonarr', 'D', 1, 100, 128, 'k', false],
    ['media/radarr', 'D', 1, 100, 128, 'k', false],
    ['media/prowlarr', 'D', 1, 100, 128, 'k', false],
    ['minio/minio', 'S', 1, 250, 512, 'd', true],
    ['vpn-gateway/vpn-gateway', 'D', 1, 100, 64, 'n', false],
    ['authentik/authentik', 'D', 2, 150, 200, 'd', true],
    ['infra-control/dashboards', 'D', 2, 110, 32, 'd', true],
  ],
  talos01: [
    ['registry/nexus', 'S', 1, 500, 2048, 'd', true],
    ['monitoring/loki', 'S', 2, 500, 3072, 'd', true],
    ['catalyst/catalyst-workers', 'D', 12, 150, 400, 'd', true],
    ['catalyst-llm/gateway', 'D', 2, 200, 512, 'k', false],
    ['media-private/media-stack', 'D', 8, 100, 384, 'd', true],
    ['authentik/authentik-worker', 'D', 4, 100, 300, 'd', true],
    ['scratch/dev', 'D', 12, 110, 280, 'n', false],
  ],
  'talos02-gpu': [
    ['media/tdarr', 'D', 1, 4000, 16384, 'n', false],
    ['media/tdarr-node-gpu', 'D', 1, 50, 128, 'k', false],
    ['media/immich-ml', 'D', 1, 50, 192, 'd', true],
    ['catalyst-llm/ollama', 'D', 1, 50, 128, 'k', false],
    ['scratch/gpu-lab', 'D', 2, 25, 96, 'n', false],
  ],
  talos03: [
    ['media/plex', 'D', 1, 50, 256, 'n', false],
    ['media/jellyfin', 'D', 1, 50, 256, 'n', false],
    ['scratch/dev-small', 'D', 3, 100, 405, 'n', false],
  ],
}

const volumes: Readonly<Record<string, { readonly volume: string; readonly pinnedTo?: string }>> = {
  'registry/nexus': { volume: 'nexus-local', pinnedTo: 'talos01' },
  'catalyst/postgresql': { volume: 'postgresql-network' },
}

/** T4 as objects. `labels: false` leaves out owner labels and budgets, as the homelab was before anybody labelled it. */
export function referenceCluster(options: { readonly labels?: boolean } = {}): readonly KubeObject[] {
  const isLabelled = options.labels ?? true
  const names = nodes.map(([name]) => name)
  const objects: KubeObject[] = nodes.map(([name, cpu, memoryMi]) =>
    node(name, { cpu, memoryMi, labels: name === 'talos00' ? { 'node-role.kubernetes.io/control-plane': '' } : {} }),
  )
  for (const [key, cpu, memoryMi] of daemonSets) objects.push(...workload(key, { kind: 'DaemonSet', cpu, memoryMi, on: names }))
  objects.push(...workload('kube-system/intel-gpu-plugin', { kind: 'DaemonSet', cpu: 25, memoryMi: 64, on: ['talos02-gpu'] }))
  for (const [name, cpu, memoryMi] of staticPods) objects.push(staticPod(name, cpu, memoryMi))
  for (const [nodeName, rows] of Object.entries(lines)) {
    for (const [key, kind, count, cpu, memoryMi, owner, hasBudget] of rows) {
      const [space = '', name = ''] = key.split('/')
      const volume = volumes[key]
      const given: WorkloadOptions = {
        kind: kind === 'D' ? 'Deployment' : 'StatefulSet',
        cpu,
        memoryMi,
        on: Array.from({ length: count }, () => nodeName),
        ...(volume === undefined ? {} : { spec: claimVolume(`data-${name}`) }),
        ...(isLabelled ? { owner: owners[owner], ...(hasBudget ? { budget: { maxUnavailable: 1 } } : {}) } : {}),
      }
      objects.push(...workload(key, given))
      if (volume !== undefined) objects.push(...boundVolume(space, `data-${name}`, volume))
    }
  }
  const spaces = new Set(objects.flatMap(object => object.metadata.namespace ?? []))
  return [...[...spaces].sort().map(name => namespace(name)), ...objects]
}

function staticPod(name: string, cpu: number, memoryMi: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-talos00`,
      namespace: 'kube-system',
      uid: `pod-${name}`,
      annotations: { 'kubernetes.io/config.mirror': 'abc', 'kubernetes.io/config.source': 'file' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'talos00', uid: 'node-talos00', controller: true }],
    },
    spec: {
      nodeName: 'talos00',
      priority: 2000001000,
      containers: [{ name, resources: { requests: { cpu: `${cpu}m`, memory: `${memoryMi}Mi` } } }],
    },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }
}
