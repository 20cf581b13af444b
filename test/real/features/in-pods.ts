// Features of nodes in pods of a real kubelet: controller and agent as `ballast manifests --enable features` installs them, in our image with
// a root that is read-only. The node's own files are found through its mounts, a feature file that comes is seen, the kubelet is asked what is where, and
// what was published goes with the agents.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandLine } from '../../cli/bundled.ts'
import { ownImage, reference } from '../image/own-image.ts'
import { archivesIn, type KubeletCluster, registryFiles, startKubeletCluster } from '../kubelet/cluster.ts'
import { limitMs, toldOf } from '../kubelet/pods.ts'
import { until } from '../mirror/laboratory/program.ts'
import { commandOutput } from '../run-command.ts'

const agents = 'ballast-agent'
const featureFiles = '/etc/kubernetes/node-feature-discovery/features.d'

interface Served {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>>
    readonly ownerReferences?: readonly { readonly kind: string }[]
  }
}

export async function featuresInPods(): Promise<string> {
  const archives = archivesIn(await ownImage())
  await using cluster = await startKubeletCluster({ nodes: 1, archives, taints: [], audit: true, containerdFiles: registryFiles })
  const [n1] = cluster.nodes
  ok(n1 !== undefined)
  writeFileSync(n1.machine.path('/etc/os-release'), 'ID=laboratory\nVERSION_ID="7.2"\n')
  mkdirSync(n1.machine.path(featureFiles), { recursive: true })
  try {
    await cluster.apply(await manifests())
    await until('the node has labels of its system', async () => (await labels(cluster))[system] === 'laboratory', limitMs, 500)
    const found = await labels(cluster)
    strictEqual(found['feature.node.kubernetes.io/system-os_release.VERSION_ID.major'], '7')
    match(found['feature.node.kubernetes.io/cpu-model.family'] ?? '', /^\d+$/)
    // The program that asks the processor runs in a container without any right and any place to write.
    strictEqual(found['feature.node.kubernetes.io/cpu-cpuid.X86_64_V1'], process.arch === 'x64' ? 'true' : undefined)
    const published: Served = await json(cluster, '-n', agents, 'get', 'nodefeature', 'n1')
    deepStrictEqual(
      published.metadata.ownerReferences?.map(({ kind }) => kind),
      ['Pod', 'DaemonSet'],
    )

    writeFileSync(join(n1.machine.path(featureFiles), 'later'), 'example.com/later=seen\n')
    await until(
      'a feature file that came is seen',
      async () => (await labels(cluster))['example.com/later'] === 'seen',
      limitMs,
      250,
    )

    await until('the node has a topology', async () => (await topology(cluster)) !== undefined, limitMs, 500)
    const { zones = [], attributes = [] } = (await topology(cluster)) ?? {}
    const processors = zones.flatMap(({ resources }) => resources.filter(({ name }) => name === 'cpu'))
    ok(processors.length > 0 && processors.every(({ capacity }) => Number(capacity) > 0), JSON.stringify(zones))
    // What the kubelet says at /configz, asked from the pod's own network.
    ok(
      attributes.some(({ name, value }) => name === 'topologyManagerPolicy' && value === 'none'),
      JSON.stringify(attributes),
    )
    ok(attributes.some(({ name, value }) => name === 'nodeTopologyPodsFingerprint' && value.startsWith('pfp0v001')))

    for (const role of ['features', 'topology']) {
      const said = await kubectl(cluster, '-n', agents, 'logs', 'daemonset/ballast-agent', '-c', role)
      ok(!/"level":(4|5|6)0|level=(warn|error)/.test(said), said)
    }
    const refused = cluster.plane
      .answered()
      .filter(one => one.code === 403 && one.user.startsWith('system:serviceaccount:ballast-'))
    deepStrictEqual(
      refused.map(({ verb, path }) => `${verb} ${path}`),
      [],
    )

    await kubectl(cluster, '-n', agents, 'delete', 'daemonset', 'ballast-agent', '--wait=true')
    await until(
      'what the agents published goes with them, and the labels with it',
      async () => (await labels(cluster))[system] === undefined,
      limitMs,
      500,
    )
    const count = Object.keys(found).filter(key => key.startsWith('feature.node.kubernetes.io/')).length
    return `kubelet ${cluster.plane.serverVersion}: ${count} labels of the node's own files and processor, a feature file seen while it ran, ${zones.length} zones by its pod resources; the labels went with the DaemonSet`
  } catch (cause) {
    const logs = await cluster.kubectl('-n', agents, 'logs', 'daemonset/ballast-agent', '--all-containers', '--tail=40')
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${logs.stdout}\n${await toldOf(cluster)}`, {
      cause,
    })
  }
}

const system = 'feature.node.kubernetes.io/system-os_release.ID'

async function manifests(): Promise<string> {
  const [, registry = '', repository = '', tag = ''] = /^([^/]+)\/(.+):(.+)$/.exec(reference) ?? []
  const image = Object.entries({ registry, repository, tag }).flatMap(([key, text]) => ['--set', `image.${key}=${text}`])
  const less = [
    '--disable',
    'deschedule,isolate',
    '--set',
    'controller.replicas=1',
    '--set',
    'capabilities.features.topology.enabled=true',
  ]
  return await commandOutput(process.execPath, [commandLine, 'manifests', '--enable', 'features', ...less, ...image])
}

async function kubectl(cluster: KubeletCluster, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(...args)
  strictEqual(code, 0, stderr)
  return stdout
}

async function json<T>(cluster: KubeletCluster, ...args: readonly string[]): Promise<T> {
  return JSON.parse(await kubectl(cluster, ...args, '-o', 'json'))
}

interface Topology {
  readonly zones?: readonly { readonly resources: readonly { readonly name: string; readonly capacity: string }[] }[]
  readonly attributes?: readonly { readonly name: string; readonly value: string }[]
}

async function topology(cluster: KubeletCluster): Promise<Topology | undefined> {
  const { code, stdout } = await cluster.kubectl('get', 'noderesourcetopology', 'n1', '-o', 'json')
  return code === 0 ? JSON.parse(stdout) : undefined
}

async function labels(cluster: KubeletCluster): Promise<Readonly<Record<string, string>>> {
  return (await json<Served>(cluster, 'get', 'node', 'n1')).metadata.labels ?? {}
}
