// What whoever watches over NFS volumes is shown and told.
import type { AlertRule, PanelRow } from '#coordination/capability.ts'

export const nfsAlerts: readonly AlertRule[] = [
  {
    alert: 'BallastNFSStale',
    expr: 'max by (pod, instance) (ballast_nfs_unreachable_servers) > 0',
    for: '5m',
    severity: 'warning',
    summary: 'An NFS server does not answer.',
    description:
      '{{ $value }} servers do not answer {{ $labels.pod }}: volumes of theirs are neither mounted nor made, and pods that use them hang. ballast doctor nfs names them.',
  },
  {
    alert: 'BallastNFSUnmountedByForce',
    expr: 'sum by (step) (increase(ballast_nfs_unmounts_by_force_total[15m])) > 0',
    for: '0m',
    severity: 'info',
    summary: 'A volume of NFS was unmounted by force.',
    description: 'Its server did not answer when its pod was gone. What the pod had written and not synced is lost.',
  },
]

export const nfsPanels: PanelRow = {
  title: 'NFS volumes',
  panels: [
    { title: 'Servers that do not answer', expr: 'max by (pod) (ballast_nfs_unreachable_servers)', legend: '{{pod}}' },
    {
      title: 'Use of volumes',
      expr: 'max by (namespace, exported_namespace, persistentvolumeclaim) (ballast_nfs_volume_used_bytes)',
      unit: 'bytes',
    },
    {
      title: 'Connections, asked for and there',
      expr: 'count by (server, requested, effective) (ballast_nfs_nconnect)',
    },
    { title: 'Looks that hang', expr: 'sum(ballast_nfs_hanging_looks)' },
  ],
}
