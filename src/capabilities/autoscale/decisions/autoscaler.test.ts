import { describe, expect, test } from 'vitest'
import { listAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ScaledObject, ScaledObjectSpec } from '../kinds/scaled-object.ts'
import { externalMetric, type HpaMetric } from '../triggers/metric-names.ts'
import { autoscalerDifferences, autoscalerMetrics, autoscalerName, repeatedMetrics, wantedAutoscaler } from './autoscaler.ts'

function scaled(spec: Partial<ScaledObjectSpec> = {}, metadata: Partial<KubeObject['metadata']> = {}): ScaledObject {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'sonarr', namespace: 'media', uid: 'u-1', ...metadata },
    spec: { scaleTargetRef: { name: 'sonarr' }, triggers: [{ type: 'cron', metadata: {} }], ...spec },
  }
}

const cpu: HpaMetric = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }
const queue = externalMetric('s0-redis-jobs', 'AverageValue', 5)
const target = { target: { apiVersion: 'apps/v1', kind: 'Deployment' }, version: '2.21.0' }

describe('the autoscaler of a ScaledObject', () => {
  test('is named, bounded, labelled and owned as KEDA does it', () => {
    const object = scaled(
      { minReplicaCount: 0 },
      { labels: { app: 'tv', team: 'x' }, annotations: { 'scaledobject.keda.sh/hpa-excluded-labels': 'team' } },
    )
    expect(wantedAutoscaler(object, [cpu, queue], target)).toMatchObject({
      metadata: {
        name: 'keda-hpa-sonarr',
        namespace: 'media',
        labels: {
          'app.kubernetes.io/name': 'keda-hpa-sonarr',
          'app.kubernetes.io/version': '2.21.0',
          'app.kubernetes.io/part-of': 'sonarr',
          'app.kubernetes.io/managed-by': 'keda-operator',
          app: 'tv',
        },
        ownerReferences: [{ kind: 'ScaledObject', uid: 'u-1', controller: true }],
      },
      spec: {
        minReplicas: 1,
        maxReplicas: 100,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'sonarr' },
        metrics: [
          {
            type: 'External',
            external: {
              metric: { name: 's0-redis-jobs', selector: { matchLabels: { 'scaledobject.keda.sh/name': 'sonarr' } } },
              target: { type: 'AverageValue', averageValue: '5' },
            },
          },
          cpu,
        ],
      },
    })
    expect(wantedAutoscaler(object, [queue], target).metadata.labels).not.toHaveProperty('team')
  })

  test('a formula folds external metrics into one and leaves cpu beside it', () => {
    const modifiers = { formula: 'a + b', target: '2.5', metricType: 'Value' as const }
    const metrics = autoscalerMetrics(scaled({ advanced: { scalingModifiers: modifiers } }), [queue, cpu])
    expect(metrics).toMatchObject([
      cpu,
      { external: { metric: { name: 'composite-metric' }, target: { type: 'Value', value: '2500m' } } },
    ])
  })

  test('a paused direction is switched off and the other kept', () => {
    const behavior = { scaleDown: { stabilizationWindowSeconds: 60 }, scaleUp: { selectPolicy: 'Max' } }
    const object = scaled(
      { advanced: { horizontalPodAutoscalerConfig: { name: 'mine', behavior } } },
      { annotations: { 'autoscaling.keda.sh/paused-scale-in': 'yes' } },
    )
    expect(autoscalerName(object)).toBe('mine')
    expect(wantedAutoscaler(object, [queue], target)['spec']).toMatchObject({
      behavior: { scaleDown: { stabilizationWindowSeconds: 60, selectPolicy: 'Disabled' }, scaleUp: { selectPolicy: 'Max' } },
    })
  })

  test('what the server adds is no difference, what the object says otherwise is', () => {
    const wanted = wantedAutoscaler(scaled(), [queue, externalMetric('s1-x', 'Value', 1_000)], target)
    const copy = (): KubeObject & { spec: Record<string, unknown> } =>
      structuredClone({ ...wanted, spec: { ...Object(wanted['spec']) } })
    const filled = copy()
    filled['spec']['metrics'] = JSON.parse(JSON.stringify(filled['spec']['metrics']).replace('"1k"', '"1000"'))
    expect(autoscalerDifferences(wanted, { ...filled, status: {} })).toEqual([])
    const more = copy()
    more['spec']['metrics'] = [...listAt(more, 'spec', 'metrics'), cpu]
    expect(autoscalerDifferences(wanted, more)).toEqual(['spec'])
    const paused = copy()
    paused['spec']['behavior'] = { scaleDown: { selectPolicy: 'Disabled' } }
    expect(autoscalerDifferences(wanted, paused)).toEqual(['spec'])
    expect(
      autoscalerDifferences(wanted, { ...copy(), metadata: { ...wanted.metadata, labels: {}, ownerReferences: [] } }),
    ).toEqual(['labels', 'owner'])
  })

  test('metrics that two triggers share are named', () => {
    expect(repeatedMetrics([queue, queue, cpu, cpu])).toEqual(['s0-redis-jobs'])
  })
})
