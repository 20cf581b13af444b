// What whoever watches over autoscaling is shown and told.
import type { AlertRule, PanelRow } from '#coordination/capability.ts'

export const autoscaleAlerts: readonly AlertRule[] = [
  {
    alert: 'BallastScalerErrors',
    // The object's namespace is the one label or the other, by whether Prometheus honours labels of what it scrapes.
    expr: 'sum by (namespace, exported_namespace, scaledObject, scaler) (rate(keda_scaler_detail_errors_total[5m])) > 0',
    for: '15m',
    severity: 'warning',
    summary: 'A trigger of ScaledObject {{ $labels.scaledObject }} has failed for a quarter of an hour.',
    description:
      'Trigger {{ $labels.scaler }} gets no figure from its source; the workload keeps its replicas or has those of its fallback. kubectl ballast why ScaledObject/{{ $labels.scaledObject }} says what was answered.',
  },
  {
    alert: 'BallastExternalMetricsDown',
    // Counted by kube-apiserver.
    expr: 'max by (name) (aggregator_unavailable_apiservice{name="v1beta1.external.metrics.k8s.io"}) == 1',
    for: '5m',
    severity: 'critical',
    summary: 'Autoscalers get no external metrics.',
    description:
      'The API server cannot reach what answers APIService {{ $labels.name }}: HorizontalPodAutoscalers of ScaledObjects keep their replicas as they are. kubectl describe apiservice {{ $labels.name }} says why.',
  },
]

export const autoscalePanels: PanelRow = {
  title: 'Autoscaling',
  panels: [
    { title: 'Values that autoscalers are told', expr: 'max by (scaledObject, scaler) (keda_scaler_metrics_value)' },
    { title: 'Objects with an active trigger', expr: 'max by (scaledObject) (keda_scaler_active)', legend: '{{scaledObject}}' },
    {
      title: 'Failures of triggers',
      expr: 'sum by (scaledObject, scaler) (rate(keda_scaler_detail_errors_total[$__rate_interval]))',
      unit: 'ops',
    },
    {
      title: 'Time that sources take',
      expr: 'max by (scaledObject, scaler) (keda_scaler_metrics_latency_seconds)',
      unit: 's',
    },
  ],
}
