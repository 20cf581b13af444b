// What whoever watches over the mirror is shown and told.
import type { AlertRule, PanelRow } from '#coordination/capability.ts'

export const mirrorAlerts: readonly AlertRule[] = [
  {
    alert: 'BallastMirrorNotReady',
    // Counted by kube-state-metrics, of DaemonSets by the names that the chart gives.
    expr: 'sum by (namespace, daemonset) (kube_daemonset_status_number_ready{daemonset=~".*ballast.*-agent-mirror"}) / sum by (namespace, daemonset) (kube_daemonset_status_desired_number_scheduled{daemonset=~".*ballast.*-agent-mirror"}) < 0.9',
    for: '10m',
    severity: 'warning',
    summary: 'The image mirror is not ready on more than a tenth of its nodes.',
    description:
      'Of DaemonSet {{ $labels.daemonset }} only {{ $value | humanizePercentage }} of the pods are ready. Nodes without one pull from the registry.',
  },
  {
    alert: 'BallastMirrorProblem',
    expr: 'max by (pod, instance, reason) (ballast_mirror_problems) > 0',
    for: '30m',
    severity: 'warning',
    summary: 'A mirror is of no use to its node: {{ $labels.reason }}.',
    description:
      'Pod {{ $labels.pod }} says so. Events of its node say what to change; ballast doctor mirror names all such nodes.',
  },
  {
    alert: 'BallastMirrorWrongBytes',
    expr: 'sum by (peer) (increase(ballast_mirror_verify_failures_total[15m])) > 0',
    for: '0m',
    severity: 'warning',
    summary: 'Peer {{ $labels.peer }} gave content that does not match its digest.',
    description: 'Nothing of it was handed on. Events PoisonedBlob name the digest; its containerd may have a broken disk.',
  },
]

export const mirrorPanels: PanelRow = {
  title: 'Image mirror',
  panels: [
    {
      title: 'Requests, by whether another node had it',
      expr: 'sum by (cache) (rate(spegel_mirror_requests_total[$__rate_interval]))',
      unit: 'ops',
    },
    {
      title: 'Bytes in from other nodes and out to them',
      expr: 'sum by (direction) (rate(ballast_mirror_bytes_total[$__rate_interval]))',
      unit: 'Bps',
    },
    { title: 'Nodes in the routing table', expr: 'min(ballast_mirror_peers)' },
    {
      title: 'Left to the registry',
      expr: 'sum by (reason) (rate(ballast_mirror_fallthrough_total[$__rate_interval]))',
      unit: 'ops',
    },
  ],
}
