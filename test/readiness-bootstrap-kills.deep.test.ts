// The whole bootstrap of a node while the controller is killed before and after each of its writes: it registers tainted, gets its files,
// its mirror answers, it is let go, and what waited lands. And over its time: let go, or held until it is met after all.
import { readiness } from '#capabilities/readiness'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { describeKills } from './crash-harness.ts'
import { nodeFiles, nodeFilesDigest } from './node-files-capability.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const ownTaint = 'ballast.dev/agent-not-ready'
const mirror = { name: 'mirror', require: [{ condition: 'ballast.dev/MirrorReady=True' }] }
const isRuled = (of: ControlledCluster) =>
  of.list('configmaps').some(({ metadata }) => metadata.name === 'ballast-readiness-rules')
const nodeOf = (of: ControlledCluster, name: string) => of.list<Node>('nodes').find(({ metadata }) => metadata.name === name)
const isHeld = (of: ControlledCluster, name: string) =>
  nodeOf(of, name)?.spec?.taints?.some(({ key }) => key === ownTaint) === true
const noteOf = (of: ControlledCluster, name: string, key: string) => nodeOf(of, name)?.metadata.annotations?.[key]

/** Registers a node as its kubelet does: with the taint, an address, and the images that it has. */
async function register(of: ControlledCluster, name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
  const bare = node(name)
  const { uid: _, ...metadata } = bare.metadata
  const status = {
    ...(bare['status'] as object),
    addresses: [{ type: 'InternalIP', address: '10.0.0.7' }],
    images: [{ names: ['registry.k8s.io/kube-proxy:v1.34.1'], sizeBytes: 1_000_000 }],
  }
  const spec = { taints: [{ key: ownTaint, effect: 'NoSchedule' }] }
  const fresh = { ...bare, metadata: { ...metadata, labels: { ...metadata.labels, ...labels } }, spec, status }
  await of.admin.resource<KubeObject>(builtIn.nodes).create(fresh, { signal })
}

async function say(of: ControlledCluster, name: string): Promise<void> {
  const body = { status: { conditions: [{ type: 'ballast.dev/MirrorReady', status: 'True' }] } }
  await of.admin.resource<Node>(builtIn.nodes).patch(name, { type: 'strategic', body }, { signal, subresource: 'status' })
}

const waiting: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default' },
  spec: { nodeSelector: { pool: 'new' }, containers: [{ name: 'main', image: 'web' }] },
}
const webOn = (of: ControlledCluster) => of.list<Pod>('pods').find(({ metadata }) => metadata.name === 'web')?.spec.nodeName
const agentPods = (of: ControlledCluster) => of.list<Pod>('pods').filter(({ metadata }) => metadata.namespace === 'ballast-agent')

describeKills({
  name: 'a node joins, gets its files by an image that it has, and is let go',
  cluster: {
    before: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ballast-agent' } }],
    objects: [node('n1')],
    capabilities: [nodeFiles, readiness],
    configurations: { readiness: readiness.config.parse({ admission: false, configureNodes: true, rules: [mirror] }) },
  },
  async drive(of) {
    await of.until(() => isRuled(of), 120_000)
    await of.pass(2_000)
    await of.admin.resource<KubeObject>(builtIn.pods).create(waiting, { signal, namespace: 'default' })
    await register(of, 'n2', { pool: 'new' })
    const isWritten = () => noteOf(of, 'n2', 'ballast.dev/mirror-config') === nodeFilesDigest
    await of.until(() => isWritten() || webOn(of) !== undefined, 300_000)
    if (!isHeld(of, 'n2')) throw new Error('n2 is not held any more, and its mirror has not answered')
    await say(of, 'n2')
    await of.until(() => webOn(of) === 'n2', 120_000)
    await of.until(() => agentPods(of).length === 0, 120_000)
    await of.pass(10_000)
  },
  faults: of => [
    ...(isHeld(of, 'n2') ? ['n2 is held'] : []),
    ...(noteOf(of, 'n2', 'ballast.dev/readiness-released-at') === undefined ? ['n2 does not say when it was let go'] : []),
    ...agentPods(of).map(({ metadata }) => `pod ${metadata.name} is left`),
  ],
})

describeKills({
  name: 'two nodes whose mirror does not come: one is let go, the other held until it does',
  cluster: {
    objects: [node('n1')],
    capabilities: [readiness],
    configurations: {
      readiness: readiness.config.parse({
        admission: false,
        timeout: '20s',
        onTimeout: 'hold',
        rules: [
          { ...mirror, name: 'hard', nodeSelector: { matchLabels: { hard: 'yes' } } },
          { ...mirror, name: 'soft', nodeSelector: { matchLabels: { soft: 'yes' } }, onTimeout: 'release' },
        ],
      }),
    },
  },
  async drive(of) {
    await of.until(() => isRuled(of), 120_000)
    await of.pass(2_000)
    await register(of, 'hard', { hard: 'yes' })
    await register(of, 'soft', { soft: 'yes' })
    await of.pass(5_000)
    if (!isHeld(of, 'hard') || !isHeld(of, 'soft')) throw new Error('let go before their time')
    await of.until(() => !isHeld(of, 'soft'), 300_000)
    await of.pass(5_000)
    if (!isHeld(of, 'hard')) throw new Error('let go though it is to be held')
    await say(of, 'hard')
    await of.until(() => !isHeld(of, 'hard'), 120_000)
    await of.pass(2_000)
  },
  faults: of => ['hard', 'soft'].filter(name => isHeld(of, name)).map(name => `${name} is held`),
})
