// How each upstream is recognised: workload names and images, chart names, labels, Leases, kinds. Any two signals of a workload are enough.

import { imagesOf, isWanted } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ClusterFacts, ofKind } from './facts.ts'

export interface Upstream {
  /** As Ballast's users call it. */
  readonly name: string
  /** The capability that does its job, whether built yet or not. */
  readonly capability: string
  /** Names of workloads: exactly, or by their end. */
  readonly workloads: readonly RegExp[]
  /** Names in `app.kubernetes.io/name`, and in charts. */
  readonly names: readonly string[]
  /** The last part of an image's repository. */
  readonly images: readonly string[]
  readonly leases: readonly string[]
  /** API groups of its kinds. */
  readonly groups: readonly string[]
  readonly finalizers: readonly RegExp[]
  readonly taints: readonly RegExp[]
  readonly nodeLabels: readonly RegExp[]
}

const none = { leases: [], groups: [], finalizers: [], taints: [], nodeLabels: [] } as const

export const upstreams: readonly Upstream[] = [
  {
    ...none,
    name: 'Reloader',
    capability: 'reload',
    workloads: [/^reloader$/, /-reloader$/],
    names: ['reloader'],
    images: ['stakater/reloader'],
    leases: ['stakater-reloader-lock'],
  },
  {
    ...none,
    name: 'descheduler',
    capability: 'deschedule',
    // The plain manifests' CronJob has a name of its own.
    workloads: [/^descheduler(-cronjob)?$/, /-descheduler$/],
    names: ['descheduler'],
    images: ['descheduler/descheduler'],
    leases: ['descheduler'],
  },
  {
    ...none,
    name: 'Spegel',
    capability: 'mirror',
    workloads: [/^spegel$/, /-spegel$/],
    names: ['spegel'],
    images: ['spegel-org/spegel'],
  },
  {
    ...none,
    name: 'KEDA',
    capability: 'autoscale',
    workloads: [/^keda-operator$/, /^keda-operator-metrics-apiserver$/, /^keda-admission-webhooks$/],
    names: ['keda', 'keda-operator'],
    images: ['kedacore/keda', 'kedacore/keda-metrics-apiserver', 'kedacore/keda-admission-webhooks'],
    leases: ['operator.keda.sh'],
    groups: ['keda.sh', 'eventing.keda.sh'],
    finalizers: [/^finalizer\.keda\.sh$/],
  },
  {
    ...none,
    name: 'KEDA HTTP add-on',
    capability: 'autoscale',
    workloads: [/^keda-add-ons-http-/],
    names: ['keda-add-ons-http', 'http-add-on'],
    images: ['kedacore/http-add-on-operator', 'kedacore/http-add-on-interceptor', 'kedacore/http-add-on-scaler'],
    groups: ['http.keda.sh'],
    finalizers: [/^httpscaledobject\.http\.keda\.sh/],
  },
  {
    ...none,
    name: 'metrics-server',
    capability: 'metrics',
    workloads: [/^metrics-server$/],
    names: ['metrics-server'],
    images: ['metrics-server/metrics-server'],
  },
  {
    ...none,
    name: 'VPA',
    capability: 'rightsize',
    workloads: [/(^|-)vpa-(recommender|updater|admission-controller)$/],
    names: ['vpa', 'vertical-pod-autoscaler'],
    images: ['autoscaling/vpa-recommender', 'autoscaling/vpa-updater', 'autoscaling/vpa-admission-controller'],
    leases: ['vpa-recommender-lease', 'vpa-recommender', 'vpa-updater'],
    groups: ['autoscaling.k8s.io'],
  },
  {
    ...none,
    name: 'Goldilocks',
    capability: 'rightsize',
    workloads: [/goldilocks-(controller|dashboard)$/],
    names: ['goldilocks'],
    images: ['fairwinds-ops/oss/goldilocks', 'fairwindsops/goldilocks'],
  },
  {
    ...none,
    name: 'node-feature-discovery',
    capability: 'features',
    workloads: [/^(.*-)?(nfd|node-feature-discovery)-(master|worker|gc)$/],
    names: ['node-feature-discovery', 'nfd'],
    images: ['nfd/node-feature-discovery'],
    leases: ['nfd-master.nfd.kubernetes.io'],
    groups: ['nfd.k8s-sigs.io'],
    nodeLabels: [/^feature\.node\.kubernetes\.io\//],
  },
  {
    ...none,
    name: 'Intel device plugins',
    capability: 'devices',
    workloads: [/^inteldeviceplugins-controller-manager$/, /^intel-gpu-plugin/],
    names: ['intel-device-plugins-operator', 'intel-device-plugins-gpu'],
    images: ['intel/intel-deviceplugin-operator', 'intel/intel-gpu-plugin'],
    leases: ['d1c7b6d5.intel.com'],
    groups: ['deviceplugin.intel.com', 'fpga.intel.com'],
  },
  {
    ...none,
    name: 'csi-driver-nfs',
    capability: 'nfs',
    workloads: [/^csi-nfs-(controller|node)$/],
    names: ['csi-driver-nfs'],
    images: ['sig-storage/nfsplugin'],
    leases: ['nfs-csi-k8s-io', 'external-snapshotter-leader-nfs-csi-k8s-io', 'external-resizer-nfs-csi-k8s-io'],
    finalizers: [/nfs\.csi\.k8s\.io/],
  },
  {
    ...none,
    name: 'Karpenter',
    capability: 'provision',
    workloads: [/^karpenter$/],
    names: ['karpenter'],
    images: ['karpenter/controller'],
    leases: ['karpenter-leader-election'],
    groups: ['karpenter.sh', 'karpenter.k8s.aws'],
    finalizers: [/^karpenter\.sh\/termination$/],
    taints: [/^karpenter\.sh\//],
  },
  {
    ...none,
    name: 'Liqo',
    capability: 'federate',
    workloads: [/^liqo-/],
    names: ['liqo'],
    images: ['liqotech/liqo-controller-manager', 'liqotech/virtual-kubelet', 'liqotech/fabric'],
    groups: ['liqo.io'],
    finalizers: [/\.liqo\.io(\/|$)/],
    taints: [/^virtual-node\.liqo\.io\//],
  },
]

export interface FoundUpstream {
  readonly upstream: Upstream
  readonly workload: KubeObject
  readonly version: string | undefined
  /** `reloader-2.2.7`, where a label says so. */
  readonly chart: string | undefined
  /** It is to have pods. */
  readonly isLive: boolean
}

const workloadKinds = ['Deployment', 'DaemonSet', 'StatefulSet', 'CronJob'] as const

/** Every workload of an upstream, by any two of its image, its name, its labels and its chart. */
export function findUpstreams(facts: ClusterFacts): readonly FoundUpstream[] {
  return ofKind(facts, ...workloadKinds).flatMap(workload => {
    const upstream = upstreams.find(candidate => signals(candidate, workload) >= 2)
    if (upstream === undefined) return []
    return [{ upstream, workload, version: versionOf(upstream, workload), chart: chartOf(workload), isLive: isWanted(workload) }]
  })
}

function signals(upstream: Upstream, workload: KubeObject): number {
  const labels = workload.metadata.labels ?? {}
  const chart = chartOf(workload) ?? ''
  return [
    imagesOf(workload).some(image => upstream.images.some(name => isImage(image, name))),
    upstream.workloads.some(pattern => pattern.test(workload.metadata.name)),
    upstream.names.includes(labels['app.kubernetes.io/name'] ?? labels['app'] ?? ''),
    upstream.names.some(name => chart.replace(/-v?\d.*$/, '') === name),
  ].filter(Boolean).length
}

/** Whatever registry: `mirror.example/ghcr/stakater/reloader:v1`. */
function isImage(image: string, name: string): boolean {
  const repository = image.replace(/@.*$/, '').replace(/:[^/]*$/, '')
  return repository === name || repository.endsWith(`/${name}`)
}

function chartOf(workload: KubeObject): string | undefined {
  const { labels } = workload.metadata
  return labels?.['helm.sh/chart'] ?? labels?.['chart']
}

function versionOf(upstream: Upstream, workload: KubeObject): string | undefined {
  const image = imagesOf(workload).find(candidate => upstream.images.some(name => isImage(candidate, name)))
  return workload.metadata.labels?.['app.kubernetes.io/version'] ?? /:([^/@:]+)(?:@|$)/.exec(image ?? '')?.[1]
}
