// ScaledObjects whose triggers need no server, one for each shape of a spec: KEDA's operator was recorded over them, and ours is held to it.

/** What is made, in a namespace of its own, and what is changed later on. */
export interface KedaScenario {
  readonly name: string
  readonly target?: { readonly kind: 'Deployment' | 'StatefulSet'; readonly replicas: number }
  readonly metadata?: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> }
  readonly spec: Readonly<Record<string, unknown>>
  /** Merged into the object when it has settled. */
  readonly later?: Readonly<Record<string, unknown>>
  /** The object is deleted at the end, and what is left is told. */
  readonly isDeleted?: true
  /** The autoscaler of this name is there before, and belongs to nobody. */
  readonly foreignAutoscaler?: string
}

const cron = (start: string, end: string, desiredReplicas = '3', more: Readonly<Record<string, unknown>> = {}) => ({
  type: 'cron',
  metadata: { timezone: 'Etc/UTC', start, end, desiredReplicas },
  ...more,
})

const never = '0 0 30 2 *'
/** A start that never comes is always on, an end that never comes never. */
const on = (more: Readonly<Record<string, unknown>> = {}) => cron(never, '0 12 * * *', '3', more)
const off = (more: Readonly<Record<string, unknown>> = {}) => cron('0 12 * * *', never, '3', more)
const cpu = (metricType: string, value: string, metadata: Readonly<Record<string, string>> = {}) => ({
  type: 'cpu',
  metricType,
  metadata: { value, ...metadata },
})
const memory = (metricType: string, value: string) => ({ type: 'memory', metricType, metadata: { value } })

const behavior = {
  scaleDown: { stabilizationWindowSeconds: 60, policies: [{ type: 'Percent', value: 50, periodSeconds: 30 }] },
  scaleUp: { policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }], selectPolicy: 'Min' },
}
const annotated = (annotations: Record<string, string>) => ({ metadata: { annotations } })
const paused = 'autoscaling.keda.sh/paused'

export const kedaScenarios: readonly KedaScenario[] = [
  { name: 'plain-on', spec: { triggers: [on()] } },
  { name: 'plain-off', spec: { triggers: [off()] } },
  { name: 'off-from-many', target: { kind: 'Deployment', replicas: 3 }, spec: { triggers: [off()] } },
  {
    name: 'off-least-two',
    target: { kind: 'Deployment', replicas: 1 },
    spec: { minReplicaCount: 2, maxReplicaCount: 7, triggers: [off()] },
  },
  { name: 'on-least-two', spec: { minReplicaCount: 2, maxReplicaCount: 7, triggers: [on()] } },
  {
    name: 'idle-off',
    target: { kind: 'Deployment', replicas: 4 },
    spec: { idleReplicaCount: 0, minReplicaCount: 2, triggers: [off()] },
  },
  { name: 'idle-on', spec: { idleReplicaCount: 0, minReplicaCount: 3, triggers: [on()] } },
  { name: 'idle-not-less', spec: { idleReplicaCount: 2, minReplicaCount: 2, triggers: [on()] } },
  { name: 'idle-without-least', spec: { idleReplicaCount: 0, triggers: [on()] } },
  { name: 'idle-and-least-zero', spec: { idleReplicaCount: 0, minReplicaCount: 0, triggers: [on()] } },
  { name: 'equal-bounds', spec: { minReplicaCount: 5, maxReplicaCount: 5, triggers: [on()] } },
  {
    name: 'initial-cooldown',
    target: { kind: 'Deployment', replicas: 2 },
    spec: { initialCooldownPeriod: 3600, triggers: [off()] },
  },
  { name: 'with-behavior', spec: { advanced: { horizontalPodAutoscalerConfig: { behavior } }, triggers: [on()] } },
  { name: 'own-name', spec: { advanced: { horizontalPodAutoscalerConfig: { name: 'another-name' } }, triggers: [on()] } },
  {
    name: 'renamed',
    spec: { triggers: [on()] },
    later: { spec: { advanced: { horizontalPodAutoscalerConfig: { name: 'renamed-hpa' } } } },
  },
  {
    name: 'labels',
    metadata: {
      labels: { team: 'one', secret: 'no', 'app.kubernetes.io/part-of': 'shop' },
      annotations: { 'scaledobject.keda.sh/hpa-excluded-labels': 'secret', note: 'kept' },
    },
    spec: { triggers: [on()] },
  },
  {
    name: 'label-added',
    spec: { triggers: [on()] },
    later: { metadata: { labels: { later: 'yes' }, annotations: { later: 'yes' } }, spec: { maxReplicaCount: 9 } },
  },
  { name: 'two-triggers', spec: { triggers: [on(), cron('0 12 * * *', never, '8')] } },
  { name: 'two-of-one-kind', spec: { triggers: [on({ name: 'one' }), on({ name: 'two' })] } },
  { name: 'same-names', spec: { triggers: [on({ name: 'one' }), off({ name: 'one' })] } },
  { name: 'of-value', spec: { triggers: [on({ metricType: 'Value' })] } },
  { name: 'of-utilization', spec: { triggers: [on({ metricType: 'Utilization' })] } },
  { name: 'unknown-type', spec: { triggers: [{ type: 'no-such', metadata: {} }] } },
  { name: 'missing-parameter', spec: { triggers: [{ type: 'cron', metadata: { timezone: 'Etc/UTC', start: never } }] } },
  { name: 'same-start-and-end', spec: { triggers: [cron(never, never)] } },
  { name: 'bad-schedule', spec: { triggers: [cron('0 8 * * 7', '0 12 * * *')] } },
  { name: 'no-replicas', spec: { triggers: [cron(never, '0 12 * * *', '0')] } },
  { name: 'cached-cron', spec: { triggers: [on({ useCachedMetrics: true })] } },
  { name: 'cpu-utilization', spec: { minReplicaCount: 1, triggers: [cpu('Utilization', '50')] } },
  { name: 'cpu-average', spec: { minReplicaCount: 1, triggers: [cpu('AverageValue', '500m')] } },
  { name: 'memory-average', spec: { minReplicaCount: 1, triggers: [memory('AverageValue', '64Mi')] } },
  {
    name: 'cpu-of-container',
    spec: { minReplicaCount: 1, triggers: [cpu('Utilization', '70', { containerName: 'app' })] },
  },
  { name: 'cpu-and-memory', spec: { minReplicaCount: 1, triggers: [memory('Utilization', '80'), cpu('Utilization', '50')] } },
  { name: 'cpu-and-cron', spec: { minReplicaCount: 1, triggers: [cpu('Utilization', '50'), on()] } },
  { name: 'cpu-without-type', spec: { minReplicaCount: 1, triggers: [{ type: 'cpu', metadata: { value: '50' } }] } },
  {
    name: 'cpu-alone-off',
    target: { kind: 'Deployment', replicas: 0 },
    spec: { minReplicaCount: 1, triggers: [cpu('Utilization', '50')] },
  },
  {
    name: 'formula',
    spec: {
      advanced: { scalingModifiers: { formula: 'one + two', target: '2' } },
      triggers: [on({ name: 'one' }), off({ name: 'two' })],
    },
  },
  {
    name: 'formula-of-value',
    spec: {
      advanced: { scalingModifiers: { formula: 'one * 2', target: '2.5', activationTarget: '10', metricType: 'Value' } },
      triggers: [on({ name: 'one' })],
    },
  },
  {
    name: 'formula-beside-cpu',
    spec: {
      minReplicaCount: 1,
      advanced: { scalingModifiers: { formula: 'one', target: '2' } },
      triggers: [cpu('Utilization', '50'), on({ name: 'one' })],
    },
  },
  {
    name: 'formula-unknown-name',
    spec: { advanced: { scalingModifiers: { formula: 'one + three', target: '2' } }, triggers: [on({ name: 'one' })] },
  },
  {
    name: 'formula-without-target',
    spec: { advanced: { scalingModifiers: { formula: 'one' } }, triggers: [on({ name: 'one' })] },
  },
  { name: 'with-fallback', spec: { fallback: { failureThreshold: 3, replicas: 6 }, triggers: [on()] } },
  {
    name: 'cpu-with-fallback',
    spec: { minReplicaCount: 1, fallback: { failureThreshold: 3, replicas: 6 }, triggers: [cpu('Utilization', '50')] },
  },
  {
    name: 'paused',
    target: { kind: 'Deployment', replicas: 3 },
    metadata: { annotations: { [paused]: 'true' } },
    spec: { triggers: [off()] },
  },
  {
    name: 'paused-false',
    target: { kind: 'Deployment', replicas: 0 },
    metadata: { annotations: { [paused]: 'false' } },
    spec: { triggers: [on()] },
  },
  {
    name: 'paused-later',
    spec: { triggers: [on()] },
    later: annotated({ [paused]: 'true' }),
  },
  {
    name: 'paused-at-two',
    target: { kind: 'Deployment', replicas: 5 },
    metadata: { annotations: { 'autoscaling.keda.sh/paused-replicas': '2' } },
    spec: { triggers: [on()] },
  },
  {
    name: 'unpaused',
    metadata: { annotations: { 'autoscaling.keda.sh/paused-replicas': '2' } },
    spec: { triggers: [on()] },
    later: { metadata: { annotations: { 'autoscaling.keda.sh/paused-replicas': null } } },
  },
  {
    name: 'paused-in',
    target: { kind: 'Deployment', replicas: 4 },
    metadata: { annotations: { 'autoscaling.keda.sh/paused-scale-in': 'true' } },
    spec: { advanced: { horizontalPodAutoscalerConfig: { behavior } }, triggers: [off()] },
  },
  {
    name: 'paused-out',
    target: { kind: 'Deployment', replicas: 0 },
    metadata: { annotations: { 'autoscaling.keda.sh/paused-scale-out': 'true' } },
    spec: { triggers: [on()] },
  },
  {
    name: 'paused-out-then-not',
    target: { kind: 'Deployment', replicas: 0 },
    metadata: { annotations: { 'autoscaling.keda.sh/paused-scale-out': 'true' } },
    spec: { triggers: [on()] },
    later: { metadata: { annotations: { 'autoscaling.keda.sh/paused-scale-out': null } } },
  },
  {
    name: 'forced',
    target: { kind: 'Deployment', replicas: 0 },
    metadata: { annotations: { 'autoscaling.keda.sh/force-activation': 'maybe' } },
    spec: { triggers: [off()] },
  },
  {
    name: 'restores',
    target: { kind: 'Deployment', replicas: 2 },
    spec: { minReplicaCount: 4, advanced: { restoreToOriginalReplicaCount: true }, triggers: [off()] },
    isDeleted: true,
  },
  {
    name: 'deleted',
    target: { kind: 'Deployment', replicas: 2 },
    spec: { minReplicaCount: 4, triggers: [off()] },
    isDeleted: true,
  },
  { name: 'stateful', target: { kind: 'StatefulSet', replicas: 0 }, spec: { triggers: [on()] } },
  { name: 'no-target', spec: { scaleTargetRef: { name: 'nobody' }, triggers: [on()] } },
  { name: 'no-such-kind', spec: { scaleTargetRef: { name: 'x', kind: 'Nothing', apiVersion: 'no.such/v1' }, triggers: [on()] } },
  {
    name: 'no-scale',
    spec: { scaleTargetRef: { name: 'kube-root-ca.crt', kind: 'ConfigMap', apiVersion: 'v1' }, triggers: [on()] },
  },
  {
    name: 'a-name-of-more-than-thirty-letters-and-yet-more',
    spec: { triggers: [on()] },
  },
  {
    name: 'metrics-less-later',
    spec: { triggers: [on(), cron('0 12 * * *', never, '8')] },
    later: { spec: { triggers: [on()] } },
  },
  { name: 'fails-then-works', spec: { triggers: [cron(never, never)] }, later: { spec: { triggers: [on()] } } },
  { name: 'works-then-fails', spec: { triggers: [on()] }, later: { spec: { triggers: [cron(never, never)] } } },
  {
    name: 'foreign',
    foreignAutoscaler: 'keda-hpa-foreign',
    spec: { triggers: [on()] },
  },
  {
    name: 'taken-over',
    foreignAutoscaler: 'old-hpa',
    metadata: { annotations: { 'scaledobject.keda.sh/transfer-hpa-ownership': 'true' } },
    spec: { advanced: { horizontalPodAutoscalerConfig: { name: 'old-hpa' } }, triggers: [on()] },
  },
]
