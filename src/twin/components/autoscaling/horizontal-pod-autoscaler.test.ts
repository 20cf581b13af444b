import { describe, expect, it } from 'vitest'
import { itemsAt } from '../../json-value.ts'
import { person, TestCluster, testNodes } from '../cluster-for-tests.ts'

const deployment = {
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' } },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' }, annotations: { 'ballast.dev/twin-usage-cpu': '10m' } },
      spec: { containers: [{ name: 'app', image: 'app:1', resources: { requests: { cpu: '100m' } } }] },
    },
  },
}

/** Three use 10 % of what they ask for: one is enough. */
const autoscaler = {
  ...{ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name: 'web', namespace: 'default' } },
  spec: {
    ...{ scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, minReplicas: 1, maxReplicas: 5 },
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
  },
}

const resource = 'horizontalpodautoscalers.autoscaling'

function ableToScale(cluster: TestCluster): unknown {
  const found = cluster.access.get(resource, 'default', 'web')
  return itemsAt(found, 'status', 'conditions').find(({ type }) => type === 'AbleToScale')?.['reason']
}

describe('an autoscaler that is deleted', () => {
  const replaced = async (absentMs: number) => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('deployments.apps', deployment)
    cluster.access.create(resource, autoscaler, person)
    await cluster.clock.advance(240_000)
    expect(ableToScale(cluster)).toBe('ScaleDownStabilized')
    cluster.access.remove(resource, 'default', 'web', person)
    if (absentMs > 0) await cluster.clock.advance(absentMs)
    cluster.access.create(resource, autoscaler, person)
    // What it saw first is five minutes old now, what one sees that begins anew is not.
    await cluster.clock.advance(100_000)
    return cluster.get('deployments.apps', 'web')?.spec?.replicas
  }

  it('and comes again before its round goes on where it was', async () => {
    expect(await replaced(0)).toBe(1)
  })

  it('and was missed by a round begins anew', async () => {
    expect(await replaced(20_000)).toBe(3)
  })
})
