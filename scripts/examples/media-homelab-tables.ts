// A homelab of media servers as tables: three control planes that run everything, two of them with a GPU that five pods share.
import { daemonOn, type Homelab, type NodeRow, row, type WorkloadRow } from './homelab-rows.ts'

const size = { cpuMillicores: 12_000, memoryMi: 31_000, capacityCpu: '12', capacityMemoryMi: 31_480 }
const controlPlane = { 'node-role.kubernetes.io/control-plane': '' }
const withGpu = {
  labels: {
    ...controlPlane,
    'feature.node.kubernetes.io/pci-0300_8086.present': 'true',
    'intel.feature.node.kubernetes.io/gpu': 'true',
  },
  extended: { 'gpu.intel.com/i915': '5' },
}
const gpu = { limits: { 'gpu.intel.com/i915': '1' } }

// biome-ignore format: a table
const nodes: readonly NodeRow[] = [
  { ...size, ...withGpu, name: 'media-1', address: '10.0.60.11', usedMillicores: 2600, usedMi: 9800, cpuShare: 0.4, memoryShare: 0.7 },
  { ...size, ...withGpu, name: 'media-2', address: '10.0.60.12', usedMillicores: 900, usedMi: 5200, cpuShare: 0.3, memoryShare: 0.6 },
  { ...size, labels: controlPlane, extended: {}, name: 'media-3', address: '10.0.60.13', usedMillicores: 700, usedMi: 4100, cpuShare: 0.3, memoryShare: 0.6 },
]
const daemon = daemonOn(nodes.map(node => node.name))
const gpuNodes = { nodes: ['media-1', 'media-2'], nodeSelector: { 'intel.feature.node.kubernetes.io/gpu': 'true' } }
const staticPod = (name: string, node: string, request: readonly [number, number]) =>
  row('kube-system', name, 'Static', 1, request, node, 'core', `registry.k8s.io/${name}:v1.34.1`)

// biome-ignore format: a table
const workloads: readonly WorkloadRow[] = [
  daemon('kube-system', 'cilium', [100, 256], 'quay.io/cilium/cilium:v1.18.4'),
  daemon('kube-system', 'spegel', [0, 128], 'ghcr.io/spegel-org/spegel:v0.4.0', { port: 5000, hostPort: 29_999, readyPort: 5000, args: ['registry', '--mirror-resolve-retries=3', '--mirror-resolve-timeout=20ms', '--registry-addr=:5000', '--router-addr=:5001', '--metrics-addr=:9090', '--containerd-sock=/run/containerd/containerd.sock', '--containerd-namespace=k8s.io', '--containerd-registry-config-path=/etc/cri/conf.d/hosts', '--bootstrap-kind=dns', '--dns-bootstrap-domain=spegel-bootstrap.kube-system.svc.cluster.local.', '--resolve-latest-tag=true'] }),
  daemon('kube-system', 'node-feature-discovery-worker', [5, 64], 'registry.k8s.io/nfd/node-feature-discovery:v0.18.3'),
  daemon('kube-system', 'intel-gpu-plugin-i915', [40, 45], 'docker.io/intel/intel-gpu-plugin:0.34.0', gpuNodes),

  ...nodes.flatMap(({ name }) => [staticPod('kube-apiserver', name, [200, 512]), staticPod('kube-controller-manager', name, [50, 256]), staticPod('kube-scheduler', name, [10, 64])]),
  row('kube-system', 'coredns', 'Deployment', 2, [100, 70], 'media-3', 'core', 'registry.k8s.io/coredns/coredns:v1.13.1', { port: 53 }),
  row('kube-system', 'cilium-operator', 'Deployment', 1, [50, 128], 'media-3', 'core', 'quay.io/cilium/operator-generic:v1.18.4'),
  row('kube-system', 'metrics-server', 'Deployment', 1, [100, 200], 'media-3', 'core', 'registry.k8s.io/metrics-server/metrics-server:v0.8.0', { port: 10_250 }),
  row('kube-system', 'node-feature-discovery-master', 'Deployment', 1, [20, 128], 'media-3', 'core', 'registry.k8s.io/nfd/node-feature-discovery:v0.18.3'),
  row('kube-system', 'intel-device-plugins-operator', 'Deployment', 1, [100, 120], 'media-3', 'core', 'docker.io/intel/intel-deviceplugin-operator:0.34.0'),
  row('kube-system', 'reloader', 'Deployment', 1, [0, 0], 'media-3', 'core', 'ghcr.io/stakater/reloader:v1.4.12', { port: 9090 }),
  row('cert-manager', 'cert-manager', 'Deployment', 3, [50, 64], 'media-3', 'core', 'quay.io/jetstack/cert-manager-controller:v1.19.1'),
  row('external-secrets', 'external-secrets', 'Deployment', 3, [50, 64], 'media-2', 'core', 'ghcr.io/external-secrets/external-secrets:v1.1.0'),
  row('network', 'external-dns', 'Deployment', 1, [50, 64], 'media-2', 'core', 'registry.k8s.io/external-dns/external-dns:v0.20.0', { secret: { name: 'external-dns-cloudflare', values: { CF_API_TOKEN: 'change-me' } } }),

  row('media', 'opencloud', 'Deployment', 1, [250, 512], 'media-2', 'none', 'docker.io/opencloudeu/opencloud:4.0.0', { port: 9200 }),
  row('media', 'plex', 'Deployment', 1, [500, 1024], 'media-1', 'none', 'ghcr.io/home-operations/plex:1.42.2', { port: 32_400, ...gpu }),
  row('media', 'jellyfin', 'Deployment', 1, [500, 1024], 'media-1', 'none', 'docker.io/jellyfin/jellyfin:10.11.3', { port: 8096, ...gpu }),
  row('media', 'tdarr-node', 'Deployment', 1, [1000, 2048], 'media-1', 'none', 'ghcr.io/haveagitgat/tdarr_node:2.53.01', gpu),
  row('media', 'immich-ml', 'Deployment', 1, [500, 2048], 'media-1', 'none', 'ghcr.io/immich-app/immich-machine-learning:v2.3.1', { port: 3003, ...gpu }),
  row('media', 'frigate', 'Deployment', 1, [1000, 1024], 'media-1', 'none', 'ghcr.io/blakeblackshear/frigate:0.16.2', { port: 5000, ...gpu }),
]

export const mediaHomelab: Homelab = {
  tables: 'media-homelab-tables.ts',
  takenAt: '2026-01-12T20:00:00Z',
  createdAt: '2025-12-05T09:00:00Z',
  startedAt: '2026-01-03T06:30:00Z',
  nodes,
  workloads,
  namespaceLabels: {},
  storageClasses: [],
  sharedClaims: [],
  imageBytes: {},
  system: {
    containerRuntimeVersion: 'containerd://2.1.5',
    kernelVersion: '6.12.57-talos',
    kubeletVersion: 'v1.34.1',
    osImage: 'Talos (v1.11.5)',
  },
  saysOwners: false,
}
