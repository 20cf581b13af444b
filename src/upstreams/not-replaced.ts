// Upstreams that Ballast recognises and does not replace yet: rows for `doctor`.
import { none, type Upstream } from './upstream.ts'

export const notReplaced: readonly Upstream[] = [
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
