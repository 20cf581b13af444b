// The policy that is installed with workers of features and topology updaters, on the twin: the token of an agent's pod says what is on its own node, and on no other.
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { startTwin } from '#twin/twin.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { featuresOf, nodeFeatures } from './features-cluster.ts'

const namespace = 'ballast-agent'
const { signal } = new AbortController()
const installed = objects(
  installationValues({ enable: ['features'], set: ['capabilities.features.topology.enabled=true'] }, capabilities),
  {
    capabilities,
    release: plainRelease('ballast', 'ballast-system'),
  },
).filter(
  ({ kind, metadata }) =>
    kind === 'CustomResourceDefinition' ||
    (/^(ServiceAccount|(Cluster)?Role(Binding)?|ValidatingAdmissionPolicy(Binding)?)$/.test(kind) &&
      metadata.name.includes('agent')),
)
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'agent-1', namespace, uid: 'uid-agent-1' },
  spec: { nodeName: 'n1', serviceAccountName: 'ballast-agent', containers: [{ name: 'main', image: 'agent' }] },
}

async function site() {
  const nodes = ['n1', 'n2'].map(name => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid: `uid-${name}` }, spec: {} }))
  const twin = await startTwin({
    clock: new VirtualClock(systemClock.now()),
    objects: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, ...nodes, pod, ...installed],
    components: false,
  })
  const asAgent = async (isBound: boolean) => {
    const bound = isBound ? { bound: { kind: 'Pod', name: 'agent-1', uid: 'uid-agent-1' } as const } : {}
    const token = await twin.issueToken({ namespace, serviceAccount: 'ballast-agent', ...bound })
    return openApi(twin.transport({ token }), { clock: systemClock, userAgent: 'test' })
  }
  const writer = async (isBound: boolean) => (await asAgent(isBound)).resource<KubeObject>(nodeFeatures)
  return { asAgent, writer, [Symbol.asyncDispose]: () => twin.stop() }
}

/** What a worker publishes under one name of one node. */
function published(name: string, node: string | undefined): KubeObject {
  const { metadata, ...rest } = featuresOf(name, undefined, { plain: 'yes' })
  const labels = node === undefined ? {} : { 'nfd.node.kubernetes.io/node-name': node }
  return { ...rest, metadata: { ...metadata, namespace, labels } }
}

const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'written',
    (error: Error) => error.message,
  )

test('an agent publishes its own node, and changes what it published', async () => {
  await using of = await site()
  const features = await of.writer(true)
  const made = await features.create(published('n1', 'n1'), { namespace, signal })
  expect(await outcome(features.update({ ...made, spec: { labels: { plain: 'no' } } }, { namespace, signal }))).toBe('written')
})

test.each([
  ['another node under its name', true, 'n2', 'n2', 'writes the object of the node that it runs on'],
  ['another node under its own name', true, 'n1', 'n2', 'by the label of its own node'],
  ['nobody', true, 'n1', undefined, 'by the label of its own node'],
  ['its node, by a token of no pod', false, 'n1', 'n1', 'writes the object of the node that it runs on'],
])('it does not publish %s', async (_what, isBound, name, node, words) => {
  await using of = await site()
  const features = await of.writer(isBound)
  expect(await outcome(features.create(published(name, node), { namespace, signal }))).toContain(words)
})

test('it does not turn what it published into what another node has', async () => {
  await using of = await site()
  const features = await of.writer(true)
  const made = await features.create(published('n1', 'n1'), { namespace, signal })
  const turned = { ...made, metadata: { ...made.metadata, labels: { 'nfd.node.kubernetes.io/node-name': 'n2' } } }
  expect(await outcome(features.update(turned, { namespace, signal }))).toContain('by the label of its own node')
})

const topologies = { group: 'topology.node.k8s.io', version: 'v1alpha2', resource: 'noderesourcetopologies' }
const topologyOf = (name: string, zone = 'node-0'): KubeObject => ({
  apiVersion: 'topology.node.k8s.io/v1alpha2',
  kind: 'NodeResourceTopology',
  metadata: { name },
  zones: [{ name: zone, type: 'Node' }],
})
const applied = { fieldManager: 'node-feature-discovery-topology-updater', force: true, signal }

test('an agent applies the topology of its own node, new and again, and of no other', async () => {
  await using of = await site()
  const resource = (await of.asAgent(true)).resource<KubeObject>(topologies)
  expect(await outcome(resource.apply(topologyOf('n1'), applied))).toBe('written')
  expect(await outcome(resource.apply(topologyOf('n1', 'node-1'), applied))).toBe('written')
  expect(await outcome(resource.apply(topologyOf('n2'), applied))).toContain('writes the object of the node that it runs on')
  const nobody = (await of.asAgent(false)).resource<KubeObject>(topologies)
  expect(await outcome(nobody.apply(topologyOf('n1'), applied))).toContain('writes the object of the node that it runs on')
})

test('it takes none away, and reads what it needs with its rights', async () => {
  await using of = await site()
  const api = await of.asAgent(true)
  await api.resource<KubeObject>(topologies).apply(topologyOf('n1'), applied)
  expect(await outcome(api.resource<KubeObject>(topologies).delete('n1', { signal }))).toContain('forbidden')
  expect((await api.resource<KubeObject>(builtIn.pods).list({ signal, fieldSelector: 'spec.nodeName=n1' })).items).toHaveLength(1)
  expect((await api.resource<KubeObject>(builtIn.namespaces).get(namespace, { signal })).metadata.name).toBe(namespace)
})
