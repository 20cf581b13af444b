import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ownFacts } from './own-facts.ts'

function controller(args: readonly string[]): KubeObject {
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'ballast-controller', namespace: 'ballast-system' },
    spec: { replicas: 2, template: { spec: { containers: [{ name: 'controller', args }] } } },
  }
  return object
}

test('rights among the pods on nodes are those in their namespace', () => {
  const agents: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {
      name: 'a',
      namespace: 'of-agents',
      labels: { 'app.kubernetes.io/part-of': 'ballast', 'app.kubernetes.io/component': 'agent-mirror' },
    },
  }
  const placesWith = (objects: readonly KubeObject[]) => {
    const around = { capabilities: enabledCapabilities, nowMs: 0 }
    const rights = ownFacts([controller(['controller', '--enable=mirror']), ...objects], undefined, around)?.rights ?? []
    return [...new Set(rights.filter(({ resource }) => resource === 'configmaps').map(({ place }) => place))].toSorted()
  }
  expect(placesWith([])).toEqual(['', 'ballast-agent'])
  expect(placesWith([agents])).toEqual(['', 'of-agents'])
})

function configMap(reload: boolean): KubeObject {
  const text = [
    'apiVersion: ballast.dev/v1alpha1',
    'kind: BallastConfiguration',
    `capabilities: {reload: {enabled: ${reload}}, deschedule: {enabled: false}, isolate: {enabled: false}}`,
  ].join('\n')
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ballast-config' }, data: { 'config.yaml': text } }
  return object
}

test.each([
  ['the file alone', ['controller', '--config=/etc/ballast/config.yaml'], true, ['reload']],
  ['the file says no', ['controller'], false, []],
  ['an argument, as a component of Kustomize sets it', ['controller', '--enable=reload'], false, ['reload']],
  ['a list in a word of its own', ['controller', '--enable', 'isolate,reload'], false, ['isolate', 'reload']],
  ['a name that nobody knows', ['controller', '--enable=reload,other'], false, ['reload']],
])('what is enabled: %s', (_name, args, reload, expected) => {
  const facts = ownFacts([controller(args)], configMap(reload), { capabilities: enabledCapabilities, nowMs: 0 })
  expect(facts?.enabled.toSorted()).toEqual(expected)
  expect(facts?.isConfigured).toBe(true)
})
