// What whoever watches over devices is shown and told.
import type { AlertRule, PanelRow } from '#coordination/capability.ts'

export const devicesAlerts: readonly AlertRule[] = [
  {
    alert: 'BallastDeviceUnhealthy',
    expr: 'max by (pod, instance, resource) (ballast_devices_capacity - ballast_devices_allocatable) > 0',
    for: '10m',
    severity: 'warning',
    summary: 'Devices of {{ $labels.resource }} are not healthy.',
    description:
      '{{ $value }} of them are offered to no new pod by {{ $labels.pod }}. The page Hardware, and ballast devices on the node, say which and why.',
  },
  {
    alert: 'BallastDeviceRefused',
    expr: 'sum by (pod, resource) (increase(ballast_devices_allocate_refused_total[15m])) > 0',
    for: '0m',
    severity: 'warning',
    summary: 'A pod was refused its devices.',
    description: 'The kubelet of {{ $labels.pod }} asked for devices that could not be given; the log of the pod says why.',
  },
]

export const devicesPanels: PanelRow = {
  title: 'Devices',
  panels: [
    { title: 'Offered', expr: 'sum by (resource) (ballast_devices_capacity)' },
    { title: 'Healthy', expr: 'sum by (resource) (ballast_devices_allocatable)' },
    { title: 'Busy', expr: 'avg by (pod, device) (ballast_devices_busy_ratio)', unit: 'percentunit' },
    { title: 'Memory in use', expr: 'sum by (pod, device) (ballast_devices_memory_bytes{state="used"})', unit: 'bytes' },
  ],
}
