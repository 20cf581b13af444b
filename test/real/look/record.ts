// Records the Events and managedFields that real programs leave where they undo each other's work, in test/fixtures/look-traces:
// `node test/real/look/record.ts`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ApiObject } from '../control-plane/api-client.ts'
import { commands, FightingCluster } from './fighting-cluster.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'look-traces')

/** Has everybody do their work, one after the other, on a cluster of two nodes. */
export async function fight(cluster: FightingCluster): Promise<void> {
  await cluster.deploy('web', { replicas: 4, cpu: '700m' })
  await cluster.wishOtherSizes()
  await cluster.deschedule()
  await cluster.update()
  await cluster.scaleAndApply()
}

/** What is told of an Event, or who owns which field; no times and no ids, which are others each time. */
function kept(object: ApiObject): object {
  const { apiVersion, kind, metadata, ...rest } = object
  const { name, namespace, managedFields } = metadata
  const owners = Array.isArray(managedFields) ? managedFields.map(({ time: _, ...owner }: { time?: string }) => owner) : undefined
  return JSON.parse(
    JSON.stringify(
      { apiVersion, kind, metadata: { name, namespace, ...(owners === undefined ? {} : { managedFields: owners }) }, ...rest },
      (key, value) =>
        /^(uid|resourceVersion|creationTimestamp|status|eventTime|firstTimestamp|lastTimestamp|deprecatedFirstTimestamp|deprecatedLastTimestamp|lastObservedTime|reportingInstance)$/.test(
          key,
        )
          ? undefined
          : value,
    ),
  ) as object
}

async function listed(cluster: FightingCluster, apiVersion: string, kind: string, path: string): Promise<readonly object[]> {
  const items = await cluster.list(path)
  return items.map(item => kept({ ...item, apiVersion, kind }))
}

if (import.meta.main) {
  await using cluster = await FightingCluster.start()
  await fight(cluster)
  const isTrace = (event: object) => !/"(kubelet|deployment-controller|replicaset-controller)"/.test(JSON.stringify(event))
  const objects = [
    ...(await listed(cluster, 'apps/v1', 'Deployment', '/apis/apps/v1/namespaces/shop/deployments')),
    ...(await listed(
      cluster,
      'autoscaling/v2',
      'HorizontalPodAutoscaler',
      '/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers',
    )),
  ]
  const events = {
    'events.k8s.io/v1': (await listed(cluster, 'events.k8s.io/v1', 'Event', '/apis/events.k8s.io/v1/events')).filter(isTrace),
    v1: (await listed(cluster, 'v1', 'Event', '/api/v1/events')).filter(isTrace),
  }
  const recorded = { server: cluster.plane.serverVersion, programs: commands, objects, events }
  mkdirSync(fixtures, { recursive: true })
  writeFileSync(join(fixtures, 'traces.json'), `${JSON.stringify(recorded, undefined, 2)}\n`)
  console.log(`${objects.length} objects, ${events.v1.length} Events`)
}
