// Operator mode on the twin: files come to each node by a pod of an image that is there.
import { expect, test } from 'vitest'
import { readiness } from '#capabilities/readiness'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { nodeFiles, nodeFilesDigest } from './node-files-capability.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const namespaces: readonly KubeObject[] = ['ballast-agent'].map(name => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name },
}))
const pause = 'registry.k8s.io/pause:3.10'
const proxy = 'registry.k8s.io/kube-proxy:v1.34.1'

/** A node with those images and an address. */
function withImages(name: string, images: readonly string[]): KubeObject {
  const bare = node(name)
  const status = typeof bare['status'] === 'object' ? bare['status'] : {}
  return {
    ...bare,
    status: {
      ...status,
      addresses: [{ type: 'InternalIP', address: '10.0.0.7' }],
      images: images.map(one => ({ names: [one], sizeBytes: 1_000_000 })),
    },
  }
}

function cluster(images: readonly string[]): Promise<ControlledCluster> {
  return controlledCluster({
    before: namespaces,
    objects: [
      withImages('n1', images),
      // Without an address there is nothing to write to it.
      node('n2'),
      // Ourselves: by this pod it is known which image we are.
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'controller-1', namespace: 'ballast-system' },
        spec: {
          nodeName: 'n1',
          containers: [{ name: 'main', image: 'ghcr.io/ballast/ballast:1', imagePullPolicy: 'IfNotPresent' }],
        },
      },
    ],
    capabilities: [nodeFiles, readiness],
    configurations: { readiness: readiness.config.parse({ admission: false, configureNodes: true }) },
  })
}

const podsOf = (of: ControlledCluster) => of.list<Pod>('pods').filter(({ metadata }) => metadata.namespace === 'ballast-agent')
const noteOf = (of: ControlledCluster) =>
  of.list<Node>('nodes').find(({ metadata }) => metadata.name === 'n1')?.metadata.annotations?.['ballast.dev/mirror-config']

test('case 29: kube-proxy that is there writes them; the pod goes, and the node says what was written', async () => {
  await using of = await cluster([pause, proxy])
  of.startController()
  await of.until(() => podsOf(of).length > 0, 60_000)
  const [pod] = podsOf(of)
  expect(pod?.spec.containers[0]).toMatchObject({ image: proxy, imagePullPolicy: 'Never' })
  await of.until(() => noteOf(of) === nodeFilesDigest, 60_000)
  await of.until(() => podsOf(of).length === 0, 60_000)
  await of.pass(120_000)
  expect(podsOf(of)).toEqual([])
  expect(await of.events()).toContainEqual(expect.stringContaining('Normal MirrorConfigured Node n1'))
  expect([...of.forbidden, ...of.errors]).toEqual([])
})

test('case 29: it ends with 127: the next is ours, which is pulled, after an event', async () => {
  await using of = await cluster([pause, proxy])
  of.startController()
  await of.until(() => podsOf(of).length > 0, 60_000)
  const [pod] = podsOf(of)
  const status = {
    phase: 'Failed',
    containerStatuses: [
      { name: 'write', image: proxy, imageID: '', ready: false, restartCount: 0, state: { terminated: { exitCode: 127 } } },
    ],
  }
  await of.admin
    .resource<Pod>(builtIn.pods)
    .patch(
      pod?.metadata.name ?? '',
      { type: 'merge', body: { status } },
      { signal, namespace: 'ballast-agent', subresource: 'status' },
    )
  const ours = () => podsOf(of).find(({ spec }) => spec.containers[0]?.image === 'ghcr.io/ballast/ballast:1')
  await of.until(() => ours() !== undefined, 120_000)
  expect(ours()?.spec.containers[0]).toMatchObject({ imagePullPolicy: 'IfNotPresent' })
  expect(await of.events()).toContainEqual(expect.stringContaining('Warning NoBaseImage Node n1'))
  expect([...of.forbidden, ...of.errors]).toEqual([])
})
