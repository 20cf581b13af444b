// The homelab of the example: five workloads go to zero, and wake by their queues and windows, as its twin's sources say.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { testWorkload } from '#twin/components/cluster-for-tests.ts'
import { readSource } from '../src/cli/source/source.ts'
import { AutoscaleSite } from './autoscale-site.ts'

const minuteMs = 60_000

const scaleToZero = ['media/sonarr', 'media/radarr', 'media/prowlarr', 'media/tdarr-node-gpu', 'catalyst-llm/ollama']

const config = readSource(join(import.meta.dirname, '..', 'examples', 'talos-homelab', 'config')).objects.map(
  ({ object }) => object as KubeObject,
)

/** What the example has of autoscaling, over workloads of one small pod. */
function objects(): readonly KubeObject[] {
  const namespaces = ['media', 'monitoring', 'catalyst-llm'].map(name => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
  }))
  const workloads = scaleToZero.map(place => {
    const [namespace = '', name = ''] = place.split('/')
    const workload = testWorkload('Deployment', name, { replicas: 1 })
    return { ...workload, metadata: { ...workload.metadata, namespace } }
  })
  const services = config.filter(({ kind }) => kind === 'Service')
  return [...namespaces, ...workloads, ...services, ...config.filter(({ kind }) => kind === 'ScaledObject').map(withoutRequests)]
}

/** Nobody counts requests here: what they wake has tests of its own. */
function withoutRequests(object: KubeObject): KubeObject {
  const { spec } = object as KubeObject & { readonly spec: { readonly triggers: readonly { readonly type: string }[] } }
  const triggers = spec.triggers.filter(({ type }) => type !== 'external-push')
  return { ...object, spec: { ...spec, triggers } } as KubeObject
}

test('five workloads go to zero; one wakes by its window, the others by their queues, and they rest again', async () => {
  await using site = await AutoscaleSite.start(0, objects())
  await site.operator({ isServed: false })
  const atZero = async () => {
    const { items } = await site.api
      .resource<KubeObject & { spec: { replicas: number } }>(builtIn.deployments)
      .list({ signal: site.signal })
    const asleep = items.filter(({ spec }) => spec.replicas === 0).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    return scaleToZero.filter(place => asleep.includes(place))
  }
  /** Those that are awake, each five minutes from the start on. */
  const awake: string[][] = []
  for (let minute = 0; minute <= 40; minute += 5) {
    const asleep = await atZero()
    awake.push(scaleToZero.filter(place => !asleep.includes(place)).map(place => place.replace(/.*\//, '')))
    await site.clock.advance(5 * minuteMs)
  }
  const rows = awake.map((names, index) => `${index * 5} min: ${names.join(', ')}`)
  // Queues wait from minute 7 (radarr), 9 (tdarr), 30 (prowlarr) and 40 (ollama) on; a window of sonarr opens each quarter of an hour.
  expect(rows).toEqual([
    '0 min: sonarr, radarr, prowlarr, tdarr-node-gpu, ollama',
    '5 min: sonarr',
    '10 min: radarr, tdarr-node-gpu',
    '15 min: sonarr, radarr, tdarr-node-gpu',
    '20 min: sonarr, tdarr-node-gpu',
    '25 min: tdarr-node-gpu',
    '30 min: sonarr, prowlarr, tdarr-node-gpu',
    '35 min: sonarr, prowlarr, tdarr-node-gpu',
    '40 min: ollama',
  ])
  expect(site.events.filter(({ reason }) => reason === 'KEDAScalerFailed')).toEqual([])
})
