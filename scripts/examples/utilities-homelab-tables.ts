// A homelab of utilities as tables: an image mirror before eight registries, a descheduler, a reloader, a slow file server.
import { daemonOn, type Homelab, type NodeRow, row, type WorkloadRow } from './homelab-rows.ts'

const size = { cpuMillicores: 8000, memoryMi: 32_000, capacityCpu: '8', capacityMemoryMi: 32_480 }
const worker = { ...size, labels: {}, extended: {} }

// biome-ignore format: a table
const nodes: readonly NodeRow[] = [
  { ...worker, name: 'util-cp1', address: '10.0.50.10', labels: { 'node-role.kubernetes.io/control-plane': '' }, usedMillicores: 1300, usedMi: 6100, cpuShare: 0.5, memoryShare: 0.9 },
  { ...worker, name: 'util-w1', address: '10.0.50.11', usedMillicores: 2200, usedMi: 5200, cpuShare: 0.3, memoryShare: 0.6 },
  { ...worker, name: 'util-w2', address: '10.0.50.12', usedMillicores: 240, usedMi: 1500, cpuShare: 0.25, memoryShare: 0.6 },
  { ...worker, name: 'util-gpu1', address: '10.0.50.13', usedMillicores: 3400, usedMi: 15_800, cpuShare: 0.5, memoryShare: 0.75 },
]
const daemon = daemonOn(nodes.map(node => node.name))
const core = (namespace: string, name: string, replicas: number, image: string, port?: number) =>
  row(namespace, name, 'Deployment', replicas, [100, 128], 'util-cp1', 'core', image, port === undefined ? {} : { port })
const staticPod = (name: string, image: string) =>
  row('kube-system', name, 'Static', 1, [100, 128], 'util-cp1', 'core', `registry.k8s.io/${image}:v1.34.1`)

const registries = [
  'https://docker.io',
  'https://ghcr.io',
  'https://quay.io',
  'https://gcr.io',
  'https://registry.k8s.io',
  'https://mcr.microsoft.com',
  'https://git.daviestechlabs.io',
  'https://public.ecr.aws',
]

// biome-ignore format: a table
const workloads: readonly WorkloadRow[] = [
  daemon('kube-system', 'cilium', [100, 128], 'quay.io/cilium/cilium:v1.18.4'),
  daemon('spegel', 'spegel', [0, 0], 'ghcr.io/spegel-org/spegel:v0.3.0', { port: 5000, hostPort: 29_999, readyPort: 5000, args: ['registry', '--mirror-resolve-retries=3', '--mirror-resolve-timeout=20ms', '--registry-addr=:5000', '--router-addr=:5001', '--metrics-addr=:9090', '--containerd-sock=/run/containerd/containerd.sock', '--containerd-namespace=k8s.io', '--containerd-registry-config-path=/etc/containerd/certs.d', '--bootstrap-kind=dns', '--dns-bootstrap-domain=spegel-bootstrap.spegel.svc.cluster.local.', '--mirrored-registries', ...registries] }),
  daemon('csi-nfs', 'csi-nfs-node', [0, 0], 'registry.k8s.io/sig-storage/nfsplugin:v4.13.0'),

  staticPod('kube-apiserver', 'kube-apiserver'),
  staticPod('kube-controller-manager', 'kube-controller-manager'),
  staticPod('kube-scheduler', 'kube-scheduler'),
  core('kube-system', 'coredns', 2, 'registry.k8s.io/coredns/coredns:v1.13.1', 53),
  core('kube-system', 'metrics-server', 1, 'registry.k8s.io/metrics-server/metrics-server:v0.8.0', 10_250),
  core('kube-system', 'cilium-operator', 1, 'quay.io/cilium/operator-generic:v1.18.4'),
  core('cert-manager', 'cert-manager', 3, 'quay.io/jetstack/cert-manager-controller:v1.19.1'),
  core('external-secrets', 'external-secrets', 3, 'ghcr.io/external-secrets/external-secrets:v1.1.0'),
  core('flux-system', 'flux', 4, 'ghcr.io/fluxcd/kustomize-controller:v1.7.2'),
  core('vault', 'vault', 1, 'docker.io/hashicorp/vault:1.21.1', 8200),
  core('traefik', 'traefik', 2, 'docker.io/library/traefik:v3.6.2', 8000),
  core('network', 'external-dns', 1, 'registry.k8s.io/external-dns/external-dns:v0.20.0'),
  core('kuberay', 'kuberay-operator', 1, 'quay.io/kuberay/operator:v1.5.0'),
  core('kube-system', 'snapshot-controller', 1, 'registry.k8s.io/sig-storage/snapshot-controller:v8.4.0'),

  row('csi-nfs', 'csi-nfs-controller', 'Deployment', 1, [0, 0], 'util-cp1', 'core', 'registry.k8s.io/sig-storage/nfsplugin:v4.13.0'),
  row('descheduler', 'descheduler', 'Deployment', 1, [0, 0], 'util-cp1', 'core', 'registry.k8s.io/descheduler/descheduler:v0.33.0'),
  row('reloader', 'reloader', 'Deployment', 1, [0, 0], 'util-cp1', 'core', 'ghcr.io/stakater/reloader:v1.4.12', { port: 9090 }),

  row('apps', 'web', 'Deployment', 12, [500, 512], 'util-w1', 'descheduler', 'git.daviestechlabs.io/apps/web:1.12.0', { port: 8080, secret: { name: 'web-db', values: { DATABASE_USER: 'web', DATABASE_PASSWORD: 'change-me' } } }),
  row('gitea', 'gitea', 'StatefulSet', 1, [500, 1024], 'util-w1', 'none', 'docker.io/gitea/gitea:1.25.1', { port: 3000, volume: 'network' }),
  row('apps', 'small', 'Deployment', 7, [100, 256], 'util-w2', 'descheduler', 'git.daviestechlabs.io/apps/small:0.9.4'),
  row('ai-ml', 'vllm', 'Deployment', 1, [4000, 12_000], 'util-gpu1', 'none', 'docker.io/vllm/vllm-openai:v0.11.2', { port: 8000, usedMillicores: 2100, usedMi: 9400 }),
  row('kuberay', 'ray-worker', 'Deployment', 2, [1200, 4000], 'util-gpu1', 'none', 'docker.io/rayproject/ray:2.51.1'),
]

export const utilitiesHomelab: Homelab = {
  tables: 'utilities-homelab-tables.ts',
  takenAt: '2026-01-12T20:00:00Z',
  createdAt: '2025-12-05T09:00:00Z',
  startedAt: '2026-01-03T06:30:00Z',
  nodes,
  workloads,
  namespaceLabels: { spegel: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
  storageClasses: [
    {
      name: 'nfs-slow',
      provisioner: 'nfs.csi.k8s.io',
      bindingMode: 'Immediate',
      more: { parameters: { server: 'candlekeep', share: '/kubernetes' }, mountOptions: ['nfsvers=4.1', 'nconnect=16'] },
    },
  ],
  sharedClaims: [
    { namespace: 'media', name: 'library', size: '1Ti' },
    { namespace: 'ai-ml', name: 'artifacts', size: '1Ti' },
    { namespace: 'photos', name: 'library', size: '1Ti' },
  ],
  imageBytes: { 'docker.io/vllm/vllm-openai:v0.11.2': 12_000_000_000, 'docker.io/rayproject/ray:2.51.1': 2_400_000_000 },
  system: {
    containerRuntimeVersion: 'containerd://2.1.5',
    kernelVersion: '6.12.48+deb13-amd64',
    kubeletVersion: 'v1.34.1',
    osImage: 'Debian GNU/Linux 13 (trixie)',
  },
  saysOwners: false,
}
