// A change is acted on exactly once, wherever the controller dies: killed before and after each of its writes, and followed by another.
import { createHash } from 'node:crypto'
import { reload } from '#capabilities/reload'
import type { ControlledCluster } from './controlled-cluster.ts'
import { describeKills, type Scenario } from './crash-harness.ts'
import {
  auto,
  changeConfigMap,
  changeSecret,
  configMap,
  marksOf,
  remembered,
  rolloutsOf,
  secret,
  surroundings,
  workload,
} from './reload-cluster.ts'

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')

function isQuiet(cluster: ControlledCluster): boolean {
  return cluster.permits().every(({ status }) => status?.releasedAt !== undefined)
}

function rolloutFaults(cluster: ControlledCluster, wanted: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(wanted).flatMap(([name, count]) => {
    const found = rolloutsOf(cluster, name)
    return found === count ? [] : [`${name}: ${found} rollouts, expected ${count}`]
  })
}

const objects = [
  configMap('settings', { key: 'one' }),
  secret('token', { key: 'one' }),
  workload({ name: 'web', configmaps: ['settings'], secrets: ['token'] }),
  workload({ name: 'api', configmaps: ['settings'] }),
  workload({ name: 'idle', configmaps: ['settings'], annotations: {} }),
]

function changed(strategy: 'env-vars' | 'annotations'): Scenario {
  const isWritten = (cluster: ControlledCluster) =>
    strategy === 'annotations'
      ? rolloutsOf(cluster, 'web') > 0 && rolloutsOf(cluster, 'api') > 0
      : marksOf(cluster, 'web')['STAKATER_TOKEN_SECRET'] === sha1('key=two') &&
        marksOf(cluster, 'web')['STAKATER_SETTINGS_CONFIGMAP'] === sha1('key=two') &&
        marksOf(cluster, 'api')['STAKATER_SETTINGS_CONFIGMAP'] === sha1('key=two')
  return {
    name: `a ConfigMap and a Secret change, ${strategy}`,
    cluster: {
      objects: [...surroundings(objects), ...objects],
      capabilities: [reload],
      configurations: { reload: { reloadStrategy: strategy } },
    },
    async drive(cluster) {
      // What was never remembered is seen for the first time, and known.
      await remembered(cluster, 2)
      await changeConfigMap(cluster, 'settings', { key: 'two' })
      await changeSecret(cluster, 'token', { key: 'two' })
      await cluster.until(() => isWritten(cluster) && isQuiet(cluster))
    },
    faults: cluster => rolloutFaults(cluster, { web: 1, api: 1, idle: 0 }),
  }
}

describeKills(changed('env-vars'))
describeKills(changed('annotations'))

const paused = [
  configMap('settings', { key: 'one' }),
  workload({
    name: 'web',
    configmaps: ['settings'],
    annotations: { ...auto, 'deployment.reloader.stakater.com/pause-period': '15s' },
  }),
]

describeKills({
  name: 'a Deployment is paused after its change',
  cluster: {
    objects: [...surroundings(paused), ...paused],
    capabilities: [reload],
    configurations: { reload: { debounce: '0s' } },
  },
  async drive(cluster) {
    await remembered(cluster)
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await cluster.until(() => rolloutsOf(cluster, 'web') > 0 && isQuiet(cluster))
  },
  faults: cluster => [
    ...rolloutFaults(cluster, { web: 1 }),
    ...cluster
      .list<{
        readonly apiVersion: string
        readonly kind: string
        readonly metadata: { readonly name: string }
        readonly spec: { readonly paused?: boolean }
      }>('deployments.apps')
      .filter(({ spec }) => spec.paused === true)
      .map(({ metadata }) => `${metadata.name} is paused`),
  ],
})
