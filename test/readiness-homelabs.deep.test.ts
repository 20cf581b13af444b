// N2, M5 and the bootstrap of a node in the homelabs of `examples/`, with the controller of `ballast up`: held while it is not ready,
// nothing on it but what tolerates that, nothing pulled from outside.
import { describe, expect, test } from 'vitest'
import type { DaemonSet, KubeObject } from '#kube/objects/objects.ts'
import { documentsOf, homelabWith, type JoinedHomelab, manifestsOf, objectsOf } from './joining-node.ts'

const isOf = (name: string) => (object: KubeObject) =>
  object.metadata.name === name || object.metadata.name.startsWith(`${name}-`)

/** While the node is held nothing is on it but pods of DaemonSets and what writes its files, and its mirror did not yet serve. */
function watchJoin(homelab: JoinedHomelab, node: string, mirror: string): { readonly faults: Set<string> } {
  const faults = new Set<string>()
  let wasReady = false
  homelab.watch = () => {
    const isReady = homelab.isReadyOn(node, mirror)
    const isHeld = homelab.isHeld(node)
    if (homelab.node(node) === undefined) return
    if (isHeld)
      for (const { metadata } of homelab.podsOn(node))
        if (metadata.ownerReferences?.[0]?.kind !== 'DaemonSet' && !metadata.name.startsWith('ballast-node-config-'))
          faults.add(`${metadata.name} is on ${node} while it is held`)
    if (!isHeld && !wasReady && !isReady) faults.add(`${node} is let go before its mirror serves`)
    wasReady ||= isReady
  }
  return { faults }
}

const late = (homelab: JoinedHomelab) => homelab.list('pods').filter(isOf('late'))
const phases = (homelab: JoinedHomelab) => late(homelab).map(({ status }) => (status as { phase?: string }).phase)

describe.each([
  ['utilities-homelab', 'util-w3', 20],
  ['media-homelab', 'media-4', 4],
])('N2: a node joins %s', (name, node, pods) => {
  test('beside Spegel: its pod on the node is Ready before workloads come, which pull from other nodes', async () => {
    await using homelab = await homelabWith(objectsOf(name))
    expect(homelab.list('nodes').filter(({ metadata }) => homelab.isHeld(metadata.name))).toEqual([])
    const { faults } = watchJoin(homelab, node, 'spegel')
    await homelab.apply([...documentsOf(name, 'joining/workload.yaml'), ...documentsOf(name, 'joining/node.yaml')])
    await homelab.until(() => homelab.podsOn(node).some(isOf('spegel')))
    expect(homelab.isHeld(node)).toBe(true)
    expect(phases(homelab)).toEqual(Array.from({ length: pods }, () => 'Pending'))
    await homelab.until(() => !homelab.isHeld(node))
    await homelab.until(() => phases(homelab).every(phase => phase === 'Running'))
    expect(late(homelab)).toHaveLength(pods)
    expect([...faults]).toEqual([])
    expect(homelab.pullsOn(node).map(({ source }) => source)).toEqual(['peer'])
    expect(homelab.node(node)?.metadata.annotations?.['ballast.dev/readiness-released-at']).toBeDefined()
    expect(await homelab.eventsOf(node)).toContainEqual(
      "TaintRemoved: Taint 'ballast.dev/agent-not-ready:NoSchedule' removed: rules 'mirror' are done",
    )
  })

  test('with Ballast in Spegel’s place: configured where it is to be, the agents answer, then workloads come', async () => {
    const manifests = manifestsOf(name).filter(({ kind }) => kind !== 'Deployment')
    const before = objectsOf(name).filter(
      object => !isOf('spegel')(object) && !(object.kind === 'ConfigMap' && object.metadata.name === 'ballast-config'),
    )
    const known = new Set(before.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
    const added = manifests.filter(({ kind, metadata }) => kind !== 'Namespace' || !known.has(`${kind} ${metadata.name}`))
    await using homelab = await homelabWith([...before, ...added])
    const isServing = () =>
      homelab.list('nodes').every(({ metadata }) => homelab.isReadyOn(metadata.name, 'ballast-agent-mirror'))
    await homelab.until(isServing)
    const isConfigured = name === 'media-homelab'
    const { faults } = watchJoin(homelab, node, 'ballast-agent-mirror')
    const images = [{ names: ['ghcr.io/ballast-dev/ballast:0.1.0'], sizeBytes: 190_000_000 }]
    const [joining] = documentsOf(name, 'joining/node.yaml')
    if (joining === undefined) throw new Error('no node joins')
    const { status } = joining
    const brought = { ...joining, status: { ...(status as object), images: [...(status as { images: [] }).images, ...images] } }
    await homelab.apply([...documentsOf(name, 'joining/workload.yaml'), brought])
    if (isConfigured) {
      await homelab.until(() => homelab.node(node)?.metadata.annotations?.['ballast.dev/mirror-config'] !== undefined)
      expect(homelab.isHeld(node)).toBe(true)
    }
    await homelab.until(() => !homelab.isHeld(node))
    expect(homelab.node(node)?.status?.conditions?.find(({ type }) => type === 'ballast.dev/MirrorReady')).toMatchObject({
      status: 'True',
      reason: 'Serving',
    })
    await homelab.until(() => phases(homelab).every(phase => phase === 'Running'))
    expect(late(homelab)).toHaveLength(pods)
    expect([...faults]).toEqual([])
    expect(homelab.pullsOn(node).map(({ source }) => source)).toEqual(['peer'])
    expect((await homelab.eventsOf(node)).some(event => event.startsWith('MirrorConfigured'))).toBe(isConfigured)
  })
})

test('M5: a cluster is bootstrapped, the mirror before what pulls: each image comes into the house once', async () => {
  const all = objectsOf('media-homelab')
  const names = all.filter(({ kind }) => kind === 'Node').map(({ metadata }) => metadata.name)
  const nothing = all.filter(({ kind, metadata }) => kind === 'Namespace' && metadata.name !== 'ballast-system')
  const manifests = manifestsOf('media-homelab')
  const agents = manifests.filter(({ kind }) => kind === 'DaemonSet')
  await using homelab = await homelabWith([
    ...nothing,
    ...manifests.filter(({ kind }) => kind !== 'DaemonSet' && kind !== 'Deployment'),
  ])
  const [joining] = documentsOf('media-homelab', 'joining/node.yaml')
  if (joining === undefined) throw new Error('no node joins')
  const nodes = names.map(name => ({
    ...joining,
    metadata: { name, labels: { ...joining.metadata.labels, 'kubernetes.io/hostname': name } },
  }))
  const find = (kind: string, name: string) =>
    all.filter(object => object.kind === kind && object.metadata.name === name).map(fresh)
  // The order of gitops/bootstrap: cilium, coredns, the mirror, cert-manager.
  await homelab.apply([...nodes, ...find('DaemonSet', 'cilium'), ...find('Deployment', 'coredns')])
  await homelab.pass(30_000)
  // Nothing that is to come through the mirror is pulled while there is none: the nodes are held.
  expect(
    homelab
      .list('pods')
      .filter(isOf('coredns'))
      .map(({ spec }) => (spec as { nodeName?: string }).nodeName),
  ).toEqual([undefined, undefined])
  await homelab.apply(agents)
  await homelab.until(() => names.every(name => !homelab.isHeld(name)))
  const servedMs = homelab.clock.now()
  const [certManager] = find('Deployment', 'cert-manager')
  if (certManager === undefined) throw new Error('no cert-manager')
  await homelab.apply([spread(certManager)])
  const pods = () => homelab.list('pods').filter(isOf('cert-manager'))
  await homelab.until(
    () => pods().length === 3 && pods().every(({ status }) => (status as { phase?: string }).phase === 'Running'),
  )
  const pulls = homelab.cluster.twin.imagePulls.filter(({ image }) => image.includes('cert-manager'))
  expect(pulls.map(({ node }) => node).toSorted()).toEqual(names)
  expect(pulls.filter(({ source }) => source === 'outside')).toHaveLength(1)
  expect(pulls.every(({ isMirrored, beganMs }) => isMirrored && beganMs >= servedMs)).toBe(true)
  // All that the nodes did not bring, each once.
  const outside = homelab.cluster.twin.imagePulls.filter(({ source }) => source === 'outside').map(({ image }) => image)
  expect(outside.toSorted()).toEqual([...new Set(outside)].toSorted())
})

/** As a chart has it: nothing of what the server adds. */
function fresh({ apiVersion, kind, metadata, spec }: KubeObject & { readonly spec?: DaemonSet['spec'] }): KubeObject {
  const { name, namespace, labels } = metadata
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: labels ?? {} }, spec }
}

/** One pod a node, so that each has to pull. */
function spread(workload: KubeObject): KubeObject {
  const spec = workload['spec'] as {
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: object }
  }
  const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: spec.template.metadata.labels } }
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } }
  return { ...workload, spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, affinity } } } }
}
