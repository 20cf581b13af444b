// From where simulated nodes get their images: which pods are mirrors, which registries they are asked for, who has what.
import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod, PodStatus } from '#kube/objects/objects.ts'
import { TestCluster, testNodes } from '../cluster-for-tests.ts'
import { mirrorOf, type OtherNode, pullSource, registryOf } from './image-mirrors.ts'

const ready: PodStatus = { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] }
const podWith = (container: Record<string, unknown>, status: PodStatus = ready): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'm', namespace: 'mirrors' },
  spec: { containers: [{ name: 'main', ...container }] },
  status,
})
const spegel = 'ghcr.io/spegel-org/spegel:v0.7.4'

describe('which pod is a mirror, and of what', () => {
  test.each([
    ['spegel', { image: spegel, args: ['registry'] }, { registries: undefined, relays: false }],
    ['its other subcommands', { image: spegel, args: ['cleanup'] }, undefined],
    ['ours', { image: 'b', args: ['agent', '--role=mirror'] }, { registries: undefined, relays: true }],
    [
      'ours, two words',
      { image: 'b', command: ['ballast', 'agent', '--role', 'mirror'] },
      { registries: undefined, relays: true },
    ],
    ['another role', { image: 'b', args: ['agent', '--role=readiness'] }, undefined],
    ['an image whose name ends alike', { image: 'ghcr.io/a/notspegel:1', args: ['registry'] }, undefined],
    [
      'some registries',
      { image: spegel, args: ['registry', '--mirrored-registries', 'https://docker.io', 'http://r.test:5000', '--x=1'] },
      { registries: new Set(['docker.io', 'r.test:5000']), relays: false },
    ],
    [
      'a wildcard is all',
      { image: spegel, args: ['registry', '--mirrored-registries=_default'] },
      { registries: undefined, relays: false },
    ],
  ])('%s', (_, container, expected) => expect(mirrorOf(podWith(container))).toEqual(expected))

  test('one that is not ready serves nobody', () =>
    expect(mirrorOf(podWith({ image: spegel, args: ['registry'] }, { conditions: [] }))).toBeUndefined())
})

test.each([
  ['nginx', 'docker.io'],
  ['library/nginx:1', 'docker.io'],
  ['ghcr.io/a/b:1', 'ghcr.io'],
  ['localhost/a', 'localhost'],
  ['registry.test:5000/a', 'registry.test:5000'],
])('the registry of %s is %s', (image, registry) => expect(registryOf(image)).toBe(registry))

describe('from where a pull comes', () => {
  const all = { registries: undefined, relays: true }
  const plain = { registries: undefined, relays: false }
  const other = (of: Partial<OtherNode>): OtherNode => ({ mirror: all, hasImage: false, isPulling: false, ...of })
  test.each([
    ['no mirror here', undefined, [other({ hasImage: true })], 'outside'],
    ['nobody has it', all, [other({})], 'outside'],
    ['somebody has it', all, [other({}), other({ hasImage: true })], 'peer'],
    ['who has it has no mirror', all, [other({ hasImage: true, mirror: undefined })], 'outside'],
    ['somebody is at it', all, [other({ isPulling: true })], 'relay'],
    ['a copy is better than one under way', all, [other({ isPulling: true }), other({ hasImage: true })], 'peer'],
    ['its mirror does not share what is under way', all, [other({ isPulling: true, mirror: plain })], 'outside'],
    ['nor does ours', plain, [other({ isPulling: true })], 'outside'],
    ['another registry', { registries: new Set(['ghcr.io']), relays: true }, [other({ hasImage: true })], 'outside'],
  ] as const)('%s', (_, mirror, others, expected) => expect(pullSource('docker.io/a/b:1', mirror, others)).toBe(expected))
})

describe('in a cluster', () => {
  const onNode = (name: string, node: number, image: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName: `n${node}`, containers: [{ name: 'main', image }] },
  })
  const mirrors = (count: number, relays: boolean): KubeObject[] =>
    Array.from({ length: count }, (_, at) => {
      const made = onNode(`mirror-${at + 1}`, at + 1, spegel)
      const args = relays ? ['agent', '--role=mirror'] : ['registry']
      return { ...made, spec: { nodeName: `n${at + 1}`, containers: [{ name: 'main', image: spegel, args }] } }
    })
  const sources = (cluster: TestCluster, image: string) =>
    cluster.components.imagePulls.filter(pull => pull.image === image).map(({ node, source }) => `${node} ${source}`)

  test('the second node gets it from the first, and quicker', async () => {
    await using cluster = await TestCluster.start(testNodes(2))
    for (const mirror of mirrors(2, false)) cluster.create('pods', mirror)
    await cluster.settle()
    cluster.create('pods', onNode('a', 1, 'docker.io/x/y:1'))
    await cluster.settle()
    cluster.create('pods', onNode('b', 2, 'docker.io/x/y:1'))
    await cluster.settle()
    expect(sources(cluster, 'docker.io/x/y:1')).toEqual(['n1 outside', 'n2 peer'])
    const [first, second] = cluster.components.imagePulls.slice(-2).map(({ beganMs, endsMs }) => endsMs - beganMs)
    expect(second).toBeLessThan((first ?? 0) / 2)
  })

  test('pods of one node that want it at once share one pull', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    for (const name of ['a', 'b', 'c']) cluster.create('pods', onNode(name, 1, 'docker.io/x/y:1'))
    await cluster.settle()
    expect(sources(cluster, 'docker.io/x/y:1')).toEqual(['n1 outside'])
    expect(cluster.pods().every(({ status }) => status?.phase === 'Running')).toBe(true)
  })

  test('with the registry away it still comes from a node that has it, and from nowhere else', async () => {
    await using cluster = await TestCluster.start(testNodes(2))
    for (const mirror of mirrors(2, false)) cluster.create('pods', mirror)
    cluster.create('pods', onNode('a', 1, 'docker.io/x/y:1'))
    await cluster.settle()
    cluster.twin.fault({ image: { pattern: 'docker.io/*', error: 'ErrImagePull' } })
    cluster.create('pods', onNode('b', 2, 'docker.io/x/y:1'))
    cluster.create('pods', onNode('c', 2, 'docker.io/x/new:1'))
    await cluster.clock.advance(60_000)
    expect(cluster.get('pods', 'b')?.status?.phase).toBe('Running')
    expect(cluster.get('pods', 'c')?.status?.phase).toBe('Pending')
  })

  test.each([
    [false, 0],
    [true, 3],
  ])('four at once, sharing what is under way: %s', async (relays, relayed) => {
    await using cluster = await TestCluster.start(testNodes(4))
    for (const mirror of mirrors(4, relays)) cluster.create('pods', mirror)
    await cluster.settle()
    for (const node of [1, 2, 3, 4]) cluster.create('pods', onNode(`p${node}`, node, 'docker.io/x/y:1'))
    await cluster.settle()
    const ends = cluster.components.imagePulls.filter(({ image }) => image === 'docker.io/x/y:1')
    expect(ends.filter(({ source }) => source === 'relay')).toHaveLength(relayed)
    expect(ends.filter(({ source }) => source === 'outside')).toHaveLength(4 - relayed)
    const downloaded = Math.min(...ends.filter(({ source }) => source === 'outside').map(({ endsMs }) => endsMs))
    for (const { source, endsMs } of ends) if (source === 'relay') expect(endsMs).toBeGreaterThan(downloaded)
  })
})
