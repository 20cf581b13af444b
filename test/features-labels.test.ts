// Nodes get what rules give them, lose it with the rule, and keep it through everything that only looks like a loss.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { featureKinds } from '../src/capabilities/features/kinds.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import {
  featuresCluster,
  featuresOf,
  givenTo,
  graphicsRule,
  listsOn,
  namespaceObject,
  nodeFeatureRules,
  nodeFeatures,
  nodeIn,
  ruleObject,
} from './features-cluster.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const nothing = { labels: {}, annotations: {}, capacity: {}, taints: [] }
const everything = {
  labels: { 'gpu.example.com/present': 'true', 'gpu.example.com/device-7d51': 'here' },
  annotations: { 'gpu.example.com/by': 'graphics' },
  capacity: { 'gpu.example.com/shares': '1k' },
  taints: ['gpu.example.com/only'],
}
const machines = [featuresOf('n1', '7d51', { plain: 'yes' }), featuresOf('n2', undefined)]
const hasLabels = (of: ControlledCluster, name: string) => Object.keys(givenTo(of, name).labels).length > 0

test('a rule gives labels, annotations, resources and taints, and takes them along when it goes', async () => {
  await using of = await controlledCluster(featuresCluster([...machines, graphicsRule]))
  await of.until(() => givenTo(of, 'n1').taints.length > 0, 60_000)
  expect(givenTo(of, 'n1')).toEqual(everything)
  expect(givenTo(of, 'n2')).toEqual(nothing)
  expect(nodeIn(of, 'n1').metadata.labels).toMatchObject({ 'feature.node.kubernetes.io/plain': 'yes' })
  expect(listsOn(of, 'n1')).toEqual({
    'nfd.node.kubernetes.io/feature-labels': 'gpu.example.com/device-7d51,gpu.example.com/present,plain',
    'nfd.node.kubernetes.io/feature-annotations': 'gpu.example.com/by',
    'nfd.node.kubernetes.io/extended-resources': 'gpu.example.com/shares',
    'nfd.node.kubernetes.io/taints': 'gpu.example.com/only=yes:NoSchedule',
  })
  await of.admin.resource(nodeFeatureRules).delete('graphics', { signal })
  await of.until(() => givenTo(of, 'n1').taints.length === 0, 60_000)
  expect(givenTo(of, 'n1')).toEqual(nothing)
  expect(listsOn(of, 'n1')).toEqual({ 'nfd.node.kubernetes.io/feature-labels': 'plain' })
  expect(of.forbidden).toEqual([])
})

test('at rest nothing is written', async () => {
  await using of = await controlledCluster(featuresCluster([...machines, graphicsRule]))
  await of.until(() => givenTo(of, 'n1').taints.length > 0, 60_000)
  await of.pass(120_000)
  const before = of.writes.length
  await of.pass(1.2 * 3_600_000)
  expect(of.writes.slice(before).filter(write => /\/nodes\/|nfd\.k8s-sigs/.test(write))).toEqual([])
})

test('a status says on how many nodes a rule matches, where it fails, and which feature nobody has', async () => {
  const faulty = ruleObject('faulty', {
    name: 'no number',
    labels: { 'x.example.com/a': 'b' },
    matchFeatures: [{ feature: 'pci.device', matchExpressions: { class: { op: 'Gt', value: ['many'] } } }],
  })
  const old = ruleObject('old', { name: 'none', labels: {}, matchFeatures: [{ feature: 'nobody.has' }] })
  await using of = await controlledCluster(featuresCluster([...machines, graphicsRule, faulty, old]))
  const statusOf = (name: string) =>
    of.list<KubeObject>('nodefeaturerules.nfd.k8s-sigs.io').find(({ metadata }) => metadata.name === name)?.['status']
  await of.until(() => statusOf('old') !== undefined, 60_000)
  expect(statusOf('graphics')).toMatchObject({ matchedNodes: 1, evaluatedNodes: 2, failedNodes: 0, unknownFeatures: [] })
  expect(statusOf('old')).toMatchObject({ matchedNodes: 0, unknownFeatures: ['nobody.has'] })
  expect(statusOf('faulty')).toMatchObject({
    failedNodes: 1,
    conditions: [{ type: 'Valid', status: 'False', reason: 'RuleFailed' }, {}],
  })
  expect(givenTo(of, 'n1')).toEqual(everything)
  await of.until(() => true, 1_000)
  expect((await of.events()).join('\n')).toContain('Warning RuleFailed NodeFeatureRule faulty')
})

test('what a node had of an earlier master stays until its features are seen to go', async () => {
  const labelled = node('n3')
  const before: KubeObject = {
    ...labelled,
    metadata: {
      ...labelled.metadata,
      labels: { ...labelled.metadata.labels, 'feature.node.kubernetes.io/old': 'true' },
      annotations: { 'nfd.node.kubernetes.io/feature-labels': 'old' },
    },
  }
  await using of = await controlledCluster(featuresCluster([...machines, before]))
  await of.until(() => nodeIn(of, 'n1').metadata.labels?.['feature.node.kubernetes.io/plain'] === 'yes', 60_000)
  await of.pass(1.2 * 3_600_000)
  expect(nodeIn(of, 'n3').metadata.labels).toMatchObject({ 'feature.node.kubernetes.io/old': 'true' })
  await of.admin.resource<KubeObject>(nodeFeatures).create(featuresOf('n3', undefined), { namespace: 'nfd', signal })
  await of.until(() => nodeIn(of, 'n3').metadata.labels?.['feature.node.kubernetes.io/old'] === undefined, 60_000)
})

test('features that go take the labels along, those of another namespace keep them', async () => {
  const elsewhere = featuresOf('n1', '7d51')
  const second: KubeObject = { ...elsewhere, metadata: { ...elsewhere.metadata, namespace: 'z' } }
  await using of = await controlledCluster(featuresCluster([namespaceObject('z'), ...machines, second, graphicsRule], {}))
  await of.until(() => hasLabels(of, 'n1'), 60_000)
  await of.admin.resource(nodeFeatures).delete('n1', { namespace: 'nfd', signal })
  await of.until(() => nodeIn(of, 'n1').metadata.labels?.['feature.node.kubernetes.io/plain'] === undefined, 60_000)
  expect(hasLabels(of, 'n1')).toBe(true)
  await of.admin.resource(nodeFeatures).delete('n1', { namespace: 'z', signal })
  await of.until(() => !hasLabels(of, 'n1'), 60_000)
  expect(listsOn(of, 'n1')).toEqual({})
})

test('a label that a person takes away comes back, and a node that is made again has its labels before the resync', async () => {
  await using of = await controlledCluster(featuresCluster([...machines, graphicsRule], {}))
  await of.until(() => hasLabels(of, 'n1'), 60_000)
  await of.change(builtIn.nodes, { name: 'n1' }, { metadata: { labels: { 'gpu.example.com/present': null } } })
  await of.until(() => givenTo(of, 'n1').labels['gpu.example.com/present'] === 'true', 60_000)
  await of.admin.resource(builtIn.nodes).delete('n1', { signal })
  const { uid: _, ...metadata } = node('n1').metadata
  await of.admin.resource<KubeObject>(builtIn.nodes).create({ ...node('n1'), metadata }, { signal })
  await of.until(() => hasLabels(of, 'n1'), 60_000)
  expect(of.list('nodefeatures.nfd.k8s-sigs.io')).toHaveLength(2)
})

test('features of nodes that are gone are collected, and those that name none', async () => {
  const { labels: _, ...metadata } = featuresOf('nobody', undefined).metadata
  const nobodys = { ...featuresOf('nobody', undefined), metadata }
  await using of = await controlledCluster(featuresCluster([...machines, featuresOf('gone', undefined), nobodys], {}))
  const names = () =>
    of
      .list('nodefeatures.nfd.k8s-sigs.io')
      .map(one => one.metadata.name)
      .sort()
  await of.until(() => names().length === 2, 60_000)
  expect(names()).toEqual(['n1', 'n2'])
  await of.admin.resource(builtIn.nodes).delete('n2', { signal })
  await of.until(() => names().length === 1, 60_000)
})

test('topologies of nodes that are gone are collected, those of the others stay', async () => {
  const topologyOf = (name: string): KubeObject => ({
    apiVersion: 'topology.node.k8s.io/v1alpha2',
    kind: 'NodeResourceTopology',
    metadata: { name },
    zones: [],
  })
  await using of = await controlledCluster(featuresCluster(['n1', 'n2', 'gone'].map(topologyOf), {}))
  const names = () =>
    of
      .list('noderesourcetopologies.topology.node.k8s.io')
      .map(one => one.metadata.name)
      .sort()
  await of.until(() => names().length === 2, 60_000)
  expect(names()).toEqual(['n1', 'n2'])
  await of.admin.resource(builtIn.nodes).delete('n2', { signal })
  await of.until(() => names().length === 1, 60_000)
  expect(names()).toEqual(['n1'])
  expect(of.forbidden).toEqual([])
})

test('a definition of upstream, which has no status, is no trouble: what fails is told by Events', async () => {
  const failing = ruleObject('failing', {
    name: 'fails',
    labelsTemplate: '{{ .no.thing }}',
    matchFeatures: [{ feature: 'pci.device' }],
  })
  await using of = await controlledCluster(featuresCluster([...machines, graphicsRule, failing], {}))
  const spec: unknown = featureKinds.find(({ plural }) => plural === 'nodefeaturerules')?.definition?.['spec']
  // The cast: it is that of a CustomResourceDefinition.
  const [version] = (spec as { readonly versions: readonly object[] }).versions
  const versions = [{ ...version, subresources: {} }]
  await of.change(builtIn.customresourcedefinitions, { name: 'nodefeaturerules.nfd.k8s-sigs.io' }, { spec: { versions } })
  await of.until(() => hasLabels(of, 'n1'), 60_000)
  await of.pass(60_000)
  expect(of.errors).toEqual([])
  expect(of.writes.filter(write => write.endsWith('nodefeaturerules/failing/status'))).toHaveLength(1)
  expect((await of.events()).join('\n')).toContain('Warning RuleFailed NodeFeatureRule failing')
})

test('features count only in namespaces that the selector takes, as they are labelled now', async () => {
  const namespace = { ...namespaceObject('trusted'), metadata: { name: 'trusted', labels: { features: 'yes' } } }
  const trusted = featuresOf('n1', '7d51')
  const second: KubeObject = { ...trusted, metadata: { ...trusted.metadata, namespace: 'trusted' } }
  const master = { restrictions: { nodeFeatureNamespaceSelector: { matchLabels: { features: 'yes' } } } }
  await using of = await controlledCluster(featuresCluster([namespace, ...machines, second, graphicsRule], master))
  await of.until(() => hasLabels(of, 'n1'), 60_000)
  await of.pass(10_000)
  expect(nodeIn(of, 'n1').metadata.labels?.['feature.node.kubernetes.io/plain']).toBeUndefined()
  await of.change(builtIn.namespaces, { name: 'nfd' }, { metadata: { labels: { features: 'yes' } } })
  await of.until(() => nodeIn(of, 'n1').metadata.labels?.['feature.node.kubernetes.io/plain'] === 'yes', 60_000)
  // Features that do not count keep no label, neither.
  for (const name of ['trusted', 'nfd'])
    await of.change(builtIn.namespaces, { name }, { metadata: { labels: { features: name === 'nfd' ? 'no' : 'yes' } } })
  await of.admin.resource(nodeFeatures).delete('n1', { namespace: 'trusted', signal })
  await of.until(() => !hasLabels(of, 'n1'), 60_000)
  expect(listsOn(of, 'n1')).toEqual({})
  expect(of.forbidden).toEqual([])
})

test('a status that the server refuses holds up neither the others nor what is collected', async () => {
  const refused = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 422, reason: 'Invalid', message: 'no' }
  const other = ruleObject('other', {
    name: 'all',
    labels: { 'x.example.com/all': 'yes' },
    matchFeatures: [{ feature: 'pci.device' }],
  })
  await using of = await controlledCluster({
    ...featuresCluster([...machines, featuresOf('gone', undefined), graphicsRule, other], {}),
    between: inner => ({
      ...inner,
      request: request =>
        request.path.endsWith('/nodefeaturerules/graphics/status')
          ? Promise.resolve({ status: 422, headers: {}, body: Buffer.from(JSON.stringify(refused)) })
          : inner.request(request),
    }),
  })
  const statusOf = (name: string) =>
    of.list<KubeObject>('nodefeaturerules.nfd.k8s-sigs.io').find(({ metadata }) => metadata.name === name)?.['status']
  await of.until(() => statusOf('other') !== undefined, 60_000)
  await of.until(() => of.list('nodefeatures.nfd.k8s-sigs.io').length === 2, 60_000)
  expect(statusOf('graphics')).toBeUndefined()
  expect(of.warnings.map(({ message }) => message)).toContain('the status of a rule is not written, tried again')
})

test('a freeze of the arbiter holds taints, and labels go on', async () => {
  await using of = await controlledCluster({ ...featuresCluster([...machines, graphicsRule]), arbiter: { freeze: true } })
  await of.until(() => hasLabels(of, 'n1'), 120_000)
  await of.pass(30_000)
  expect(givenTo(of, 'n1')).toEqual({ ...everything, taints: [] })
  expect(of.warnings.map(({ message }) => message)).toContain('taints are not granted, asked for again')
})

test('groups name the nodes that one of their rules matches', async () => {
  const group = {
    apiVersion: 'nfd.k8s-sigs.io/v1alpha1',
    kind: 'NodeFeatureGroup',
    metadata: { name: 'cards', namespace: 'ballast-agent' },
    spec: {
      featureGroupRules: [
        {
          name: 'sets',
          vars: { card: 'yes' },
          matchFeatures: [{ feature: 'pci.device', matchExpressions: { vendor: { op: 'Exists' } } }],
        },
        { name: 'never', matchFeatures: [{ feature: 'nobody.has' }] },
      ],
    },
  }
  const master = { nodeFeatureGroups: true }
  await using of = await controlledCluster(featuresCluster([...machines, group], master))
  const nodes = () =>
    of.list<KubeObject & { status?: { nodes?: unknown } }>('nodefeaturegroups.nfd.k8s-sigs.io')[0]?.status?.nodes
  await of.until(() => nodes() !== undefined, 60_000)
  expect(nodes()).toEqual([{ name: 'n1' }])
  await of.admin.resource<KubeObject>(nodeFeatures).delete('n1', { namespace: 'nfd', signal })
  await of.until(() => JSON.stringify(nodes()) === '[]', 60_000)
  expect(of.forbidden).toEqual([])
})

test('a rule follows a label of the node and what its kubelet says, and what rules wrote sets off none', async () => {
  const looks = (feature: string, key: string, value: string) => ({
    feature,
    matchExpressions: { [key]: { op: 'In', value: [value] } },
  })
  const rule = ruleObject(
    'pools',
    { name: 'pool', labels: { 'a.example.com/fast': 'true' }, matchFeatures: [looks('node.label', 'example.com/pool', 'fast')] },
    {
      name: 'loop',
      labels: { 'a.example.com/loop': 'true' },
      matchFeatures: [looks('node.label', 'a.example.com/fast', 'true')],
    },
    { name: 'old', labels: { 'a.example.com/old': 'true' }, matchFeatures: [looks('node.info', 'kubeletVersion', 'v1.30.0')] },
  )
  await using of = await controlledCluster(featuresCluster([...machines, rule], { resyncPeriod: '1m' }))
  const given = () =>
    Object.keys(nodeIn(of, 'n1').metadata.labels ?? {})
      .filter(key => key.startsWith('a.example.com/'))
      .join()
  await of.until(() => nodeIn(of, 'n1').metadata.labels?.['feature.node.kubernetes.io/plain'] === 'yes', 60_000)
  expect(given()).toBe('')
  await of.change(builtIn.nodes, { name: 'n1' }, { metadata: { labels: { 'example.com/pool': 'fast' } } })
  await of.until(() => given() === 'a.example.com/fast', 10_000)
  await of.pass(5 * 60_000)
  expect(given()).toBe('a.example.com/fast')
  const body = { status: { nodeInfo: { kubeletVersion: 'v1.30.0' } } }
  await of.admin.resource(builtIn.nodes).patch('n1', { type: 'merge', body }, { subresource: 'status', signal })
  await of.until(() => given() === 'a.example.com/fast,a.example.com/old', 10_000)
  await of.change(builtIn.nodes, { name: 'n1' }, { metadata: { labels: { 'example.com/pool': 'slow' } } })
  await of.until(() => given() === 'a.example.com/old', 10_000)
})

test('with a grace a node keeps what it has for so long, and what comes back meanwhile changes nothing', async () => {
  await using of = await controlledCluster(featuresCluster([...machines, graphicsRule], { removalGrace: '1m' }))
  await of.until(() => hasLabels(of, 'n1'), 60_000)
  await of.pass(10_000)
  const written = of.writes.length
  const resource = of.admin.resource<KubeObject>(nodeFeatures)
  await resource.delete('n1', { namespace: 'nfd', signal })
  await of.pass(50_000)
  await resource.create(featuresOf('n1', '7d51', { plain: 'yes' }), { namespace: 'nfd', signal })
  await of.pass(180_000)
  expect(of.writes.slice(written).filter(write => write.includes('/nodes/'))).toEqual([])
  await resource.delete('n1', { namespace: 'nfd', signal })
  const goneMs = of.clock.now()
  await of.until(() => !hasLabels(of, 'n1'), 70_000)
  expect(of.clock.now() - goneMs).toBeGreaterThan(60_000)
})
