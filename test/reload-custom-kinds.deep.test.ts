// Kinds that the configuration names, on the twin: what a change writes into their pod template, and one that has none.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { auto, changeConfigMap, configMap, podTemplate, reloadCluster, remembered } from './reload-cluster.ts'
import { definition } from './reload-kinds.ts'

const group = 'slinky.slurm.net'
const nodeSets = { group, version: 'v1alpha1', kind: 'NodeSet', plural: 'nodesets' }
const customKind = { group, version: 'v1alpha1', kind: 'NodeSet', resource: 'nodesets', podTemplatePath: 'spec.pods.template' }

function nodeSet(name: string, template: object): KubeObject {
  return {
    apiVersion: `${group}/v1alpha1`,
    kind: 'NodeSet',
    metadata: { name, namespace: 'shop', annotations: auto },
    spec: { size: 2, pods: { template } },
  }
}

test.each(['env-vars', 'annotations'])('a change is written where the pod template lies, with %s', async reloadStrategy => {
  const objects = [definition(nodeSets), configMap('settings', { key: 'one' })]
  const config = { debounce: '0s', rateGuard: { enabled: false }, reloadStrategy, customKinds: [customKind] }
  await using cluster = await reloadCluster(objects, { config })
  const broken = podTemplate({ name: 'broken', configmaps: ['settings'] })
  const { containers, ...rest } = broken.spec
  cluster.twin.load([
    nodeSet('slurmd', podTemplate({ name: 'slurmd', configmaps: ['settings'] })),
    nodeSet('broken', { ...broken, spec: { ...rest, containers: containers.map(one => ({ ...one, env: 'A=1' })) } }),
  ])
  cluster.startController()
  await remembered(cluster, 2)
  await changeConfigMap(cluster, 'settings', { key: 'two' })
  const found = (name: string) =>
    JSON.stringify(cluster.list('nodesets.slinky.slurm.net').find(one => one.metadata.name === name))
  const written = reloadStrategy === 'env-vars' ? 'STAKATER_SETTINGS_CONFIGMAP' : 'reloader.stakater.com/last-reloaded-from'
  await cluster.until(() => found('slurmd').includes(written))
  expect(found('slurmd')).toContain('"envFrom":[{"configMapRef":{"name":"settings"}}]')
  expect(found('slurmd')).toContain('"size":2')
  // One that nobody can write into is told, and is no fault of the part.
  const told = () =>
    cluster.events().then(events => events.some(event => event.includes('no pod template with named containers')))
  await cluster.pass(5_000)
  expect(await told()).toBe(true)
  expect(new Set(cluster.errors.map(({ message }) => message))).toEqual(new Set(['reload failed']))
  expect(cluster.forbidden).toEqual([])
})
