// What gives the parts of each capability work, for the runs under trouble. A capability without a row fails the test.
import { autoscale } from '#capabilities/autoscale'
import { deschedule } from '#capabilities/deschedule'
import { devices } from '#capabilities/devices'
import { features } from '#capabilities/features'
import { isolate } from '#capabilities/isolate'
import { mirror } from '#capabilities/mirror'
import { readiness } from '#capabilities/readiness'
import { reload } from '#capabilities/reload'
import { rebalancePolicies } from '#coordination/api.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { featuresCluster, featuresOf, givenTo, graphicsRule, nodeFeatures } from './features-cluster.ts'
import { isVerified, smallIsolation } from './isolation-scenarios.ts'
import { createPlugin, gpuImage, gpuPlugin, operatorCluster, pluginIn } from './operator-cluster.ts'
import type { TroubleRow } from './part-troubles.ts'
import { changeConfigMap, configMap, rolloutsOf, surroundings, workload } from './reload-cluster.ts'
import { node, smallCluster, smallPolicy } from './small-cluster.ts'

const { signal } = new AbortController()
const everything = 'everything'

const isRunning = (cluster: ControlledCluster, capability: string) =>
  cluster.health.ready().some(({ group, state }) => group === capability && state === 'running')

const numbers = [0, 1, 2, 3]
const reloaded = numbers.flatMap(n => [configMap(`c${n}`, { key: 'one' }), workload({ name: `w${n}`, configmaps: [`c${n}`] })])

/** Events of the past, and kinds of programs that may not be there. A plan is held while these are not known. */
const isDispensable = (key: string) => /^(LIST|WATCH) (events\.events\.k8s\.io|\w+\.keda\.sh)$/.test(key)

const reloadRow: TroubleRow = {
  cluster: { objects: [...surroundings(reloaded), ...reloaded], capabilities: [reload], configurations: { reload: {} } },
  isDispensable,
  limitMs: 60_000,
  isReady: cluster =>
    isRunning(cluster, 'reload') &&
    cluster
      .list<KubeObject & { readonly data?: object }>('configmaps')
      .filter(({ metadata }) => metadata.name.startsWith('ballast-reload-baseline-'))
      .reduce((sum, { data = {} }) => sum + Object.keys(data).length, 0) >= numbers.length,
  async work(cluster) {
    for (const n of numbers) await changeConfigMap(cluster, `c${n}`, { key: 'two' })
  },
  units: cluster => new Map(numbers.map(n => [`w${n}`, rolloutsOf(cluster, `w${n}`) > 0])),
  unitOf: path => {
    const [, n] = /\/(?:deployments|configmaps)\/[wc](\d)$/.exec(path) ?? []
    return n === undefined ? undefined : `w${n}`
  },
  faults: cluster =>
    numbers.flatMap(n =>
      rolloutsOf(cluster, `w${n}`) === 1 ? [] : [`w${n} was rolled out ${rolloutsOf(cluster, `w${n}`)} times`],
    ),
}

const descheduleRow: TroubleRow = {
  cluster: { objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })], capabilities: [deschedule] },
  limitMs: 300_000,
  isReady: cluster => isRunning(cluster, 'deschedule'),
  work: cluster => cluster.ask('small'),
  units: cluster => new Map([[everything, cluster.plans().at(-1)?.status?.phase === 'Succeeded']]),
  unitOf: () => undefined,
  faults: () => [],
}

const isolateRow: TroubleRow = {
  cluster: {
    ...smallIsolation.cluster,
    objects: smallIsolation.cluster.objects.map(object =>
      object.kind === 'RebalancePolicy'
        ? { ...object, spec: { trigger: 'manual', mode: 'Auto', goals: [], isolation: { enabled: false } } }
        : object,
    ),
  },
  limitMs: 600_000,
  isReady: cluster => isRunning(cluster, 'isolate') && isRunning(cluster, 'deschedule'),
  work: cluster =>
    cluster.change(
      rebalancePolicies,
      { name: 'small' },
      { spec: { isolation: { enabled: true, taintMode: 'kubernetes', tolerations: 'apply' } } },
    ),
  units: cluster => new Map([[everything, isVerified(cluster)]]),
  unitOf: () => undefined,
  faults: cluster => smallIsolation.faults?.(cluster) ?? [],
}

const mirrorNode = (n: number): KubeObject => {
  const { uid: _, ...metadata } = node(`m${n}`).metadata
  const status = node(`m${n}`)['status']
  return {
    ...node(`m${n}`),
    metadata: { ...metadata, labels: { ...metadata.labels, 'kubernetes.io/os': 'linux' } },
    status: { ...(typeof status === 'object' ? status : {}), addresses: [{ type: 'InternalIP', address: `10.0.0.${n}` }] },
  }
}
const dataIn = (cluster: ControlledCluster, kind: string, name: string) =>
  cluster
    .list<KubeObject & { readonly data?: Readonly<Record<string, string>> }>(kind)
    .find(({ metadata }) => metadata.name === name)?.data
const peers = (cluster: ControlledCluster) => dataIn(cluster, 'configmaps', 'ballast-mirror-peers')?.['peers'] ?? ''

const mirrorRow: TroubleRow = {
  cluster: {
    objects: [mirrorNode(1), mirrorNode(2)],
    capabilities: [mirror],
    configurations: { mirror: mirror.config.parse({}) },
  },
  isDispensable,
  limitMs: 120_000,
  isReady: cluster =>
    peers(cluster).includes('10.0.0.2') && dataIn(cluster, 'secrets', 'ballast-agent-tls')?.['tls.crt'] !== undefined,
  async work(cluster) {
    for (const n of [3, 4]) {
      const { status, ...made } = mirrorNode(n)
      await cluster.admin.resource<KubeObject>(builtIn.nodes).create(made, { signal })
      await cluster.admin
        .resource(builtIn.nodes)
        .patch(`m${n}`, { type: 'merge', body: { status } }, { signal, subresource: 'status' })
    }
  },
  units: cluster => new Map([3, 4].map(n => [`m${n}`, peers(cluster).includes(`10.0.0.${n}\n`)])),
  unitOf: () => undefined,
  faults: cluster => [1, 2, 3, 4].flatMap(n => (peers(cluster).includes(`10.0.0.${n}\n`) ? [] : [`10.0.0.${n} is not listed`])),
}

const ownTaint = 'ballast.dev/agent-not-ready'
const joining = ['n2', 'n3', 'n4']
const nodeIn = (cluster: ControlledCluster, name: string) =>
  cluster.list<Node>('nodes').find(({ metadata }) => metadata.name === name)

const readinessRow: TroubleRow = {
  cluster: {
    objects: [node('n1')],
    capabilities: [readiness],
    configurations: {
      readiness: readiness.config.parse({
        admission: false,
        rules: [{ name: 'mirror', require: [{ condition: 'ballast.dev/MirrorReady=True' }] }],
      }),
    },
  },
  isDispensable,
  limitMs: 120_000,
  isReady: cluster => isRunning(cluster, 'readiness'),
  async work(cluster) {
    for (const name of joining) {
      const { uid: _, ...metadata } = node(name).metadata
      await cluster.admin.resource<KubeObject>(builtIn.nodes).create({ ...node(name), metadata }, { signal })
    }
    const say = async (name: string) => {
      const at = new Date(cluster.clock.now()).toISOString()
      const body = {
        status: {
          conditions: [{ type: 'ballast.dev/MirrorReady', status: 'True', lastTransitionTime: at, lastHeartbeatTime: at }],
        },
      }
      await cluster.admin
        .resource<Node>(builtIn.nodes)
        .patch(name, { type: 'strategic', body }, { signal, subresource: 'status' })
    }
    cluster.clock.schedule(40_000, () => void Promise.all(joining.map(say)))
  },
  units: cluster =>
    new Map(
      joining.map(name => {
        const { status, spec } = nodeIn(cluster, name) ?? {}
        const isServing = status?.conditions?.some(({ type }) => type === 'ballast.dev/MirrorReady') === true
        return [name, isServing && !(spec?.taints ?? []).some(({ key }) => key === ownTaint)]
      }),
    ),
  unitOf: path => /\/nodes\/(n[234])(?:\/|$)/.exec(path)?.[1],
  faults: () => [],
}

const judged = (cluster: ControlledCluster) =>
  cluster
    .list('validatingwebhookconfigurations.admissionregistration.k8s.io')
    .some(({ metadata }) => metadata.name === 'ballast-autoscale')

/** Its controller keeps a configuration, so that objects are judged; what scales runs in another process. */
const autoscaleRow: TroubleRow = {
  cluster: { objects: [node('n1')], capabilities: [autoscale], hold: true },
  isDispensable,
  limitMs: 15 * 60_000,
  isReady: judged,
  async work(cluster) {
    const configurations = cluster.admin.resource(builtIn.validatingwebhookconfigurations)
    await configurations.delete('ballast-autoscale', { signal })
  },
  units: cluster => new Map([[everything, judged(cluster)]]),
  unitOf: () => undefined,
  faults: () => [],
}

const machines = ['n2', 'n3', 'n4']

const featuresRow: TroubleRow = {
  cluster: featuresCluster([...machines.slice(1).map(node), graphicsRule]),
  isDispensable,
  limitMs: 120_000,
  isReady: cluster => isRunning(cluster, 'features'),
  async work(cluster) {
    for (const name of machines)
      await cluster.admin.resource<KubeObject>(nodeFeatures).create(featuresOf(name, '7d51'), { namespace: 'nfd', signal })
  },
  units: cluster =>
    new Map(
      machines.map(name => {
        const { labels, taints } = givenTo(cluster, name)
        return [name, Object.keys(labels).length === 2 && taints.length === 1]
      }),
    ),
  unitOf: path => /\/(?:nodes|nodefeatures)\/(n[234])(?:\/|$)/.exec(path)?.[1],
  faults: () => [],
}

const plugins = ['p2', 'p3', 'p4']

const devicesRow: TroubleRow = {
  cluster: operatorCluster([gpuPlugin('p1')]),
  isDispensable,
  limitMs: 120_000,
  isReady: cluster => isRunning(cluster, 'devices') && pluginIn(cluster, 'p1')?.status?.numberReady === 2,
  async work(cluster) {
    for (const name of plugins) await createPlugin(cluster, gpuPlugin(name, { image: gpuImage }))
  },
  units: cluster => new Map(plugins.map(name => [name, pluginIn(cluster, name)?.status?.numberReady === 2])),
  unitOf: path => /\/(?:gpudeviceplugins\/|daemonsets\/intel-gpu-plugin-)(p[234])(?:\/|$)/.exec(path)?.[1],
  faults: () => [],
}

/** By name of capability. */
export const troubleRows: Readonly<Record<string, TroubleRow>> = {
  [autoscale.name]: autoscaleRow,
  [reload.name]: reloadRow,
  [deschedule.name]: descheduleRow,
  [devices.name]: devicesRow,
  [features.name]: featuresRow,
  [isolate.name]: isolateRow,
  [mirror.name]: mirrorRow,
  [readiness.name]: readinessRow,
}
