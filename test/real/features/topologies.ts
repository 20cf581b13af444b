// Topologies by the real nfd-topology-updater and by ours, of the same machines, kubelets and pods: the same zones, attributes and policies.

import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { systemRandom } from '#kube/random.ts'
import { HostTree } from '#machines/host-tree.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { featureKinds } from '../../../src/capabilities/features/kinds.ts'
import { nodeResourceTopologies } from '../../../src/capabilities/features/names.ts'
import { FakeKubelet } from '../../../src/capabilities/features/topology/testdata/fake-kubelet.ts'
import { readExcludeList, topologySchema } from '../../../src/capabilities/features/topology/topology-settings.ts'
import { publishTopologyOnce } from '../../../src/capabilities/features/topology/topology-updater.ts'
import { PartUnavailable } from '../cache.ts'
import { runCommand } from '../run-command.ts'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'
import { type TopologyScene, topologyScenes } from './topology-scenes.ts'
import { writeTree } from './tree-files.ts'
import { nodeName } from './worker-answer.ts'

const count = 40
const namespace = 'nfd'

/** @throws Error with the first that differs; PartUnavailable where it cannot be built, or nobody may change the root */
export async function comparedTopologies(seed: number): Promise<string> {
  if (process.getuid?.() !== 0) throw new PartUnavailable('chroot needs root')
  const program = await upstreamPath('nfd-topology-updater')
  let zones = 0
  for (const [index, one] of topologyScenes(seed, count).entries()) {
    const [theirs, ours] = await bothOf(one, program)
    if (!isDeepStrictEqual(ours, theirs))
      throw new Error(
        `machine ${index}: ours ${JSON.stringify(ours)}, theirs ${JSON.stringify(theirs)}, of ${JSON.stringify(one)}`,
      )
    zones += theirs.zones.length
  }
  return `${count} machines with ${zones} zones published as by ${upstreamVersion('nfd-topology-updater')}`
}

/** What both make of a machine, without the order that is chance with upstream. */
async function bothOf(one: TopologyScene, program: string): Promise<readonly [Comparable, Comparable]> {
  await using stack = new AsyncDisposableStack()
  const root = mkdtempSync(join(tmpdir(), 'ballast-numa-'))
  stack.defer(() => rmSync(root, { recursive: true, force: true }))
  const config = 'etc/kubernetes/node-feature-discovery/nfd-topology-updater.conf'
  const node = 'sys/bus/node/devices'
  const links = Object.keys(one.files).flatMap(path => /^sys\/devices\/system\/node\/(node\d+)\/meminfo$/.exec(path)?.[1] ?? [])
  writeTree(root, {
    files: {
      ...one.files,
      ...Object.fromEntries(links.map(name => [`${node}/${name}`, { link: `../../../devices/system/node/${name}` }])),
      'kubelet.yaml': one.kubelet,
      [config]: one.updater,
    },
  })
  const kubelet = stack.use(await FakeKubelet.start(root))
  kubelet.says({ pods: one.held, allocatable: one.allocatable })
  const made = ['default', 'shop', namespace].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
  const objects = [...featureKinds.flatMap(({ definition }) => definition ?? []), ...made, ...one.pods]
  const listen = { port: 0, bind: '127.0.0.1' }
  const twin = await startTwin({ clock: systemClock, objects, components: false, listen })
  stack.defer(() => twin.stop())
  copyFileSync(program, join(root, 'nfd-topology-updater'))
  writeFileSync(join(root, 'kubeconfig'), await twin.kubeconfig(), { mode: 0o600 })
  const flags = [
    ...['-oneshot', '-sleep-interval=10ms', '-kubeconfig=/kubeconfig', `-config=/${config}`, '-kubelet-state-dir='],
    ...['-kubelet-config-uri=file:///kubelet.yaml', `-podresources-socket=${kubelet.socket.slice(root.length)}`],
  ]
  const env = { NODE_NAME: nodeName, KUBERNETES_NAMESPACE: namespace }
  const run = await runCommand('chroot', [root, '/nfd-topology-updater', ...flags], { env, timeoutMs: 60_000 })
  if (run.code !== 0) throw new Error(`nfd-topology-updater ended with ${run.code}: ${run.stderr.slice(-2_000)}`)
  const theirs = comparable(twin)
  const { signal } = new AbortController()
  const api = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test' })
  await api.resource<KubeObject>(nodeResourceTopologies).delete(nodeName, { signal })
  const context = {
    ...{ clock: systemClock, random: systemRandom, log: silentLog, node: nodeName, api },
    identity: { name: 'here', namespace, instance: 'here_1' },
    ports: { take: () => undefined, offer: () => undefined },
  }
  const settings = topologySchema.parse({
    ...{ enabled: true, podResourcesSocket: kubelet.socket, kubeletConfigUri: `file://${root}/kubelet.yaml` },
    excludeList: readExcludeList(one.updater, config, () => undefined),
  })
  await publishTopologyOnce(context, settings, signal, { tree: new HostTree({ hostPrefix: `${root}/`, ownRoot: root }) })
  return [theirs, comparable(twin)]
}

interface Comparable {
  readonly zones: readonly unknown[]
  readonly rest: unknown
}

interface Zone {
  readonly name: string
  readonly resources?: readonly { readonly name: string }[]
}

function comparable(twin: Twin): Comparable {
  const [object] = twin.access.list('noderesourcetopologies.topology.node.k8s.io') as readonly KubeObject[]
  if (object === undefined) throw new Error('nothing is published')
  const { metadata, attributes, topologyPolicies } = object as KubeObject &
    Readonly<Record<'attributes' | 'topologyPolicies', unknown>>
  const byName = (one: { readonly name: string }, other: { readonly name: string }) => (one.name < other.name ? -1 : 1)
  // The cast: the API server has checked it by the definition.
  const zones = (object['zones'] as readonly Zone[]).toSorted(byName)
  const owners = metadata.ownerReferences?.map(({ kind, name, uid }) => ({ kind, name, uid }))
  return {
    zones: zones.map(zone => ({ ...zone, resources: (zone.resources ?? []).toSorted(byName) })),
    rest: { attributes, topologyPolicies, owners, name: metadata.name },
  }
}
