// The reference homelab as tables: four nodes and what runs on them, as they stood on 2025-12-19.
import { daemonOn, type Homelab, type NodeRow, row, type WorkloadRow } from './homelab-rows.ts'

// biome-ignore format: a table
const nodes: readonly NodeRow[] = [
  { name: 'talos00', cpuMillicores: 7950, memoryMi: 15500, capacityCpu: '8', capacityMemoryMi: 15980, address: '10.0.40.10', labels: { 'node-role.kubernetes.io/control-plane': '' }, extended: {}, usedMillicores: 4540, usedMi: 11320, cpuShare: 0.47, memoryShare: 0.58 },
  { name: 'talos01', cpuMillicores: 11950, memoryMi: 22800, capacityCpu: '12', capacityMemoryMi: 23280, address: '10.0.40.11', labels: { 'intel.feature.node.kubernetes.io/gpu': 'true' }, extended: { 'gpu.intel.com/i915': '5' }, usedMillicores: 840, usedMi: 6845, cpuShare: 0.12, memoryShare: 0.24 },
  { name: 'talos02-gpu', cpuMillicores: 13950, memoryMi: 62500, capacityCpu: '14', capacityMemoryMi: 62980, address: '10.0.40.12', labels: { 'intel.feature.node.kubernetes.io/gpu': 'true', 'ballast.dev/gpu-tier': 'local' }, extended: { 'gpu.intel.com/xe': '5' }, usedMillicores: 560, usedMi: 5005, cpuShare: 0.02, memoryShare: 0.4 },
  { name: 'talos03', cpuMillicores: 15950, memoryMi: 13800, capacityCpu: '16', capacityMemoryMi: 14280, address: '10.0.40.13', labels: {}, extended: { 'amd.com/gpu': '1' }, usedMillicores: 60, usedMi: 1520, cpuShare: 0.05, memoryShare: 0.4 },
]

const daemon = daemonOn(nodes.map(node => node.name))

// biome-ignore format: a table
const workloads: readonly WorkloadRow[] = [
  daemon('kube-system', 'cilium', [100, 256], 'quay.io/cilium/cilium:v1.18.4'),
  daemon('traefik', 'traefik', [100, 128], 'docker.io/library/traefik:v3.6.2', { port: 8000 }),
  daemon('node-feature-discovery', 'nfd-worker', [5, 64], 'registry.k8s.io/nfd/node-feature-discovery:v0.18.3'),
  daemon('monitoring', 'node-exporter', [50, 64], 'quay.io/prometheus/node-exporter:v1.10.2', { toleratesControlPlane: false }),
  daemon('kube-system', 'intel-gpu-plugin', [25, 64], 'docker.io/intel/intel-gpu-plugin:0.34.0', { nodes: ['talos02-gpu'], nodeSelector: { 'ballast.dev/gpu-tier': 'local' } }),

  row('kube-system', 'kube-apiserver', 'Static', 1, [200, 512], 'talos00', 'core', 'registry.k8s.io/kube-apiserver:v1.34.1', { usedMillicores: 414, usedMi: 1946 }),
  row('kube-system', 'kube-controller-manager', 'Static', 1, [50, 256], 'talos00', 'core', 'registry.k8s.io/kube-controller-manager:v1.34.1'),
  row('kube-system', 'kube-scheduler', 'Static', 1, [10, 64], 'talos00', 'core', 'registry.k8s.io/kube-scheduler:v1.34.1'),
  row('kube-system', 'coredns', 'Deployment', 2, [100, 70], 'talos00', 'core', 'registry.k8s.io/coredns/coredns:v1.13.1', { port: 53 }),
  row('kube-system', 'metrics-server', 'Deployment', 1, [100, 200], 'talos00', 'core', 'registry.k8s.io/metrics-server/metrics-server:v0.8.0', { port: 10250 }),
  row('kube-system', 'cilium-operator', 'Deployment', 1, [50, 128], 'talos00', 'core', 'quay.io/cilium/operator-generic:v1.18.4'),
  row('cert-manager', 'cert-manager', 'Deployment', 3, [50, 64], 'talos00', 'core', 'quay.io/jetstack/cert-manager-controller:v1.19.1'),
  row('external-secrets', 'external-secrets', 'Deployment', 3, [50, 64], 'talos00', 'core', 'ghcr.io/external-secrets/external-secrets:v1.1.0'),
  row('flux-system', 'flux', 'Deployment', 4, [100, 64], 'talos00', 'core', 'ghcr.io/fluxcd/kustomize-controller:v1.7.2'),
  row('argocd', 'argocd', 'Deployment', 6, [100, 128], 'talos00', 'core', 'quay.io/argoproj/argocd:v3.2.0'),
  row('liqo', 'liqo', 'Deployment', 5, [50, 96], 'talos00', 'core', 'ghcr.io/liqotech/liqo-controller-manager:v1.0.1'),
  row('cilium-spire', 'spire', 'StatefulSet', 2, [50, 128], 'talos00', 'core', 'ghcr.io/spiffe/spire-server:1.12.4', { port: 8081 }),
  row('local-path-storage', 'provisioner', 'Deployment', 1, [20, 64], 'talos00', 'core', 'docker.io/rancher/local-path-provisioner:v0.0.32'),
  row('node-feature-discovery', 'nfd-master', 'Deployment', 1, [20, 128], 'talos00', 'core', 'registry.k8s.io/nfd/node-feature-discovery:v0.18.3'),

  row('monitoring', 'mimir-ingester', 'StatefulSet', 3, [400, 768], 'talos00', 'descheduler', 'docker.io/grafana/mimir:3.0.0', { port: 9095 }),
  row('monitoring', 'mimir-querier', 'Deployment', 2, [300, 384], 'talos00', 'descheduler', 'docker.io/grafana/mimir:3.0.0', { port: 9095 }),
  row('monitoring', 'mimir-distributor', 'Deployment', 2, [200, 200], 'talos00', 'descheduler', 'docker.io/grafana/mimir:3.0.0', { port: 9095 }),
  row('monitoring', 'mimir-store-gateway', 'StatefulSet', 1, [200, 400], 'talos00', 'descheduler', 'docker.io/grafana/mimir:3.0.0', { port: 9095 }),
  row('monitoring', 'alloy', 'Deployment', 1, [200, 1536], 'talos00', 'descheduler', 'docker.io/grafana/alloy:v1.11.3', { port: 12345, usedMillicores: 196, usedMi: 1536 }),
  row('monitoring', 'grafana', 'Deployment', 1, [100, 256], 'talos00', 'descheduler', 'docker.io/grafana/grafana:12.3.0', { port: 3000, secret: { name: 'grafana-admin', values: { GF_SECURITY_ADMIN_USER: 'admin', GF_SECURITY_ADMIN_PASSWORD: 'change-me' } } }),
  row('catalyst', 'postgresql', 'StatefulSet', 1, [500, 768], 'talos00', 'descheduler', 'docker.io/library/postgres:18.1', { port: 5432, volume: 'network' }),
  row('catalyst', 'catalyst-api', 'Deployment', 2, [150, 128], 'talos00', 'descheduler', 'ghcr.io/catalyst/api:2.14.0', { port: 8080 }),
  row('media', 'kometa', 'Deployment', 1, [200, 512], 'talos00', 'descheduler', 'docker.io/kometateam/kometa:v2.2.2', { usedMillicores: 181, usedMi: 1024 }),
  row('media', 'sonarr', 'Deployment', 1, [100, 128], 'talos00', 'keda', 'ghcr.io/home-operations/sonarr:4.0.16', { port: 8989 }),
  row('media', 'radarr', 'Deployment', 1, [100, 128], 'talos00', 'keda', 'ghcr.io/home-operations/radarr:6.0.4', { port: 7878 }),
  row('media', 'prowlarr', 'Deployment', 1, [100, 128], 'talos00', 'keda', 'ghcr.io/home-operations/prowlarr:2.3.0', { port: 9696 }),
  row('minio', 'minio', 'StatefulSet', 1, [250, 512], 'talos00', 'descheduler', 'quay.io/minio/minio:RELEASE.2025-10-15T17-29-55Z', { port: 9000 }),
  row('vpn-gateway', 'vpn-gateway', 'Deployment', 1, [100, 64], 'talos00', 'none', 'ghcr.io/angelnu/pod-gateway:v1.13.0'),
  row('authentik', 'authentik', 'Deployment', 2, [150, 200], 'talos00', 'descheduler', 'ghcr.io/goauthentik/server:2025.10.2', { port: 9000 }),
  row('infra-control', 'dashboards', 'Deployment', 2, [110, 32], 'talos00', 'descheduler', 'ghcr.io/infra-control/dashboards:1.8.1', { port: 8080 }),

  row('registry', 'nexus', 'StatefulSet', 1, [500, 2048], 'talos01', 'descheduler', 'docker.io/sonatype/nexus3:3.86.2', { port: 8081, volume: 'local', usedMillicores: 9, usedMi: 1229 }),
  row('monitoring', 'loki', 'StatefulSet', 2, [500, 3072], 'talos01', 'descheduler', 'docker.io/grafana/loki:3.6.1', { port: 3100 }),
  row('catalyst', 'catalyst-workers', 'Deployment', 12, [150, 400], 'talos01', 'descheduler', 'ghcr.io/catalyst/workers:2.14.0'),
  row('catalyst-llm', 'gateway', 'Deployment', 2, [200, 512], 'talos01', 'keda', 'ghcr.io/catalyst/llm-gateway:0.9.3', { port: 8080 }),
  row('media-private', 'media-stack', 'Deployment', 8, [100, 384], 'talos01', 'descheduler', 'ghcr.io/home-operations/media-stack:1.4.0', { port: 8080 }),
  row('authentik', 'authentik-worker', 'Deployment', 4, [100, 300], 'talos01', 'descheduler', 'ghcr.io/goauthentik/server:2025.10.2'),
  row('scratch', 'dev', 'Deployment', 12, [110, 280], 'talos01', 'none', 'docker.io/library/debian:13'),

  row('media', 'tdarr', 'Deployment', 1, [4000, 16384], 'talos02-gpu', 'none', 'ghcr.io/haveagitgat/tdarr:2.53.01', { port: 8265, usedMillicores: 544, usedMi: 2970 }),
  row('media', 'tdarr-node-gpu', 'Deployment', 1, [50, 128], 'talos02-gpu', 'keda', 'ghcr.io/haveagitgat/tdarr_node:2.53.01'),
  row('media', 'immich-ml', 'Deployment', 1, [50, 192], 'talos02-gpu', 'descheduler', 'ghcr.io/immich-app/immich-machine-learning:v2.3.1', { port: 3003 }),
  row('catalyst-llm', 'ollama', 'Deployment', 1, [50, 128], 'talos02-gpu', 'keda', 'docker.io/ollama/ollama:0.13.0', { port: 11434 }),
  row('scratch', 'gpu-lab', 'Deployment', 2, [25, 96], 'talos02-gpu', 'none', 'docker.io/library/debian:13'),

  row('media', 'plex', 'Deployment', 1, [50, 256], 'talos03', 'none', 'ghcr.io/home-operations/plex:1.42.2', { port: 32400 }),
  row('media', 'jellyfin', 'Deployment', 1, [50, 256], 'talos03', 'none', 'docker.io/jellyfin/jellyfin:10.11.3', { port: 8096 }),
  row('scratch', 'dev-small', 'Deployment', 3, [100, 405], 'talos03', 'none', 'docker.io/library/debian:13'),
]

export const talosHomelab: Homelab = {
  tables: 'talos-homelab-tables.ts',
  takenAt: '2025-12-19T20:00:00Z',
  createdAt: '2025-11-02T09:00:00Z',
  startedAt: '2025-12-01T06:30:00Z',
  nodes,
  workloads,
  namespaceLabels: {
    'catalyst-llm': { 'liqo.io/scheduling-enabled': 'true' },
    media: { 'goldilocks.fairwinds.com/enabled': 'true' },
  },
  storageClasses: [
    { name: 'local-path', provisioner: 'rancher.io/local-path', bindingMode: 'WaitForFirstConsumer' },
    {
      name: 'nfs-slow',
      provisioner: 'nfs.csi.k8s.io',
      bindingMode: 'Immediate',
      more: { parameters: { server: 'candlekeep', share: '/kubernetes' }, mountOptions: ['nfsvers=4.1', 'nconnect=16'] },
    },
  ],
  sharedClaims: [],
  imageBytes: {},
  system: {
    containerRuntimeVersion: 'containerd://2.1.5',
    kernelVersion: '6.12.57-talos',
    kubeletVersion: 'v1.34.1',
    osImage: 'Talos (v1.11.5)',
  },
  saysOwners: true,
}
