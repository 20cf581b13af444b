// What stands while a leader begins that does not know everything yet: a row for each capability brings something to stand, another process
// starts, and one kind that it lists is refused, or has no answer, for five minutes. Nothing that stands may be gone at any moment of that.
import { deschedule } from '#capabilities/deschedule'
import { mirror } from '#capabilities/mirror'
import { readiness } from '#capabilities/readiness'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { isVerified, smallIsolationByWebhook } from './isolation-scenarios.ts'
import { node, smallCluster, smallPolicy } from './small-cluster.ts'
import { TroubledWire, type TroubleKind, WireScene } from './troubled-wire.ts'

interface FirstListsRow {
  readonly cluster: Omit<ControlledOptions, 'between'>
  /** What somebody does once the first leader runs. */
  work?(cluster: ControlledCluster): Promise<void>
  /** Everything that is to stand does. */
  isReady(cluster: ControlledCluster): boolean
  /** What stands: a line each. */
  standing(cluster: ControlledCluster): readonly string[]
}

const { signal } = new AbortController()

const taintsOf = (cluster: ControlledCluster) =>
  cluster
    .list<Node>('nodes')
    .flatMap(({ metadata, spec }) =>
      (spec?.taints ?? []).map(({ key, effect }) => `${metadata.name} is tainted ${key}:${effect}`),
    )
const configurationsOf = (cluster: ControlledCluster) =>
  ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'].flatMap(resource =>
    cluster.list(`${resource}.admissionregistration.k8s.io`).map(({ kind, metadata }) => `${kind} ${metadata.name}`),
  )
const podsOf = (cluster: ControlledCluster) => cluster.list<Pod>('pods').map(({ metadata }) => `pod ${metadata.name}`)

const mirrorNode = (n: number): KubeObject => {
  const { uid: _, ...metadata } = node(`m${n}`).metadata
  const status = Object(node(`m${n}`)['status'])
  return { ...node(`m${n}`), metadata, status: { ...status, addresses: [{ type: 'InternalIP', address: `10.0.0.${n}` }] } }
}
const peersOf = (cluster: ControlledCluster) =>
  cluster
    .list<KubeObject & { readonly data?: Readonly<Record<string, string>> }>('configmaps')
    .filter(({ metadata }) => metadata.name === 'ballast-mirror-peers')
    .flatMap(({ data }) => (data?.['peers'] ?? '').split('\n').filter(Boolean))
const secretsOf = (cluster: ControlledCluster) =>
  cluster
    .list<KubeObject & { readonly data?: Readonly<Record<string, string>> }>('secrets')
    .filter(({ metadata }) => metadata.name === 'ballast-agent-tls')
    .map(({ data }) => `agents know the authority ${data?.['ca.crt']}`)

const rule: KubeObject = {
  apiVersion: 'readiness.node.x-k8s.io/v1alpha1',
  kind: 'NodeReadinessRule',
  metadata: { name: 'network' },
  spec: {
    conditions: [{ type: 'example.org/NetworkReady', requiredStatus: 'True' }],
    taint: { key: 'readiness.k8s.io/network', effect: 'NoSchedule' },
    enforcementMode: 'continuous',
    nodeSelector: {},
  },
}

export const firstListsRows: Readonly<Record<string, FirstListsRow>> = {
  mirror: {
    cluster: {
      objects: [mirrorNode(1), mirrorNode(2), mirrorNode(3)],
      capabilities: [mirror],
      configurations: { mirror: mirror.config.parse({}) },
    },
    isReady: cluster => peersOf(cluster).length === 3 && secretsOf(cluster).length === 1,
    standing: cluster => [...peersOf(cluster), ...secretsOf(cluster)],
  },
  readiness: {
    cluster: {
      objects: [node('n1'), node('n2')],
      capabilities: [readiness],
      sharesCertificate: true,
      configurations: {
        readiness: readiness.config.parse({
          admission: true,
          // Held for ever: a node that the time-out releases would be gone without any trouble.
          rules: [{ name: 'mirror', require: [{ condition: 'ballast.dev/MirrorReady=True' }], onTimeout: 'hold' }],
        }),
      },
    },
    async work(cluster) {
      const rules = { group: 'readiness.node.x-k8s.io', version: 'v1alpha1', resource: 'nodereadinessrules' }
      await cluster.admin.resource<KubeObject>(rules).create(rule, { signal })
      const { uid: _, ...metadata } = node('n3').metadata
      const taint = { key: 'ballast.dev/agent-not-ready', effect: 'NoSchedule' }
      await cluster.admin
        .resource<KubeObject>(builtIn.nodes)
        .create({ ...node('n3'), metadata, spec: { taints: [taint] } }, { signal })
    },
    isReady: cluster => configurationsOf(cluster).length === 2 && taintsOf(cluster).some(line => line.includes('n3')),
    standing: cluster => [...taintsOf(cluster), ...configurationsOf(cluster)],
  },
  isolate: {
    cluster: smallIsolationByWebhook.cluster,
    isReady: isVerified,
    standing: cluster => [...taintsOf(cluster), ...configurationsOf(cluster)],
  },
  deschedule: {
    cluster: { objects: [...smallCluster(), smallPolicy({ mode: 'Report' })], capabilities: [deschedule] },
    isReady: cluster => cluster.health.ready().some(({ group, state }) => group === 'deschedule' && state === 'running'),
    standing: podsOf,
  },
}

/** The lists of a start, by path. @throws Error where the row itself is wrong */
export async function listsOf(row: FirstListsRow): Promise<readonly string[]> {
  const { gone, lists } = await playFirstLists(row, undefined)
  if (gone.length > 0) throw new Error(`the row is wrong without trouble: ${gone.join('; ')}`)
  return lists
}

/** What was gone at some moment of a start at which all reads of `path` met `kind`, and what the start lists. */
export async function playFirstLists(
  row: FirstListsRow,
  trouble: { readonly path: string; readonly kind: TroubleKind } | undefined,
  { forMs, afterMs } = { forMs: 300_000, afterMs: 660_000 },
): Promise<{ readonly gone: readonly string[]; readonly lists: readonly string[] }> {
  const scene = new WireScene()
  await using cluster = await controlledCluster({
    ...row.cluster,
    between: (inner, clock) => new TroubledWire(inner, clock, scene),
  })
  cluster.startController()
  await cluster.pass(30_000)
  await row.work?.(cluster)
  await cluster.until(() => row.isReady(cluster))
  await cluster.pass(30_000)
  const before = row.standing(cluster)
  await cluster.stopController()
  if (trouble !== undefined) scene.begin({ kind: trouble.kind, key: `GET ${trouble.path}` })
  const readsBefore = cluster.reads.length
  const gone = new Set<string>()
  const look = () => {
    const now = new Set(row.standing(cluster))
    for (const line of before) if (!now.has(line)) gone.add(line)
    return false
  }
  cluster.startController()
  for (let passedMs = 0; passedMs < forMs; passedMs += 5_000) {
    await cluster.pass(5_000)
    look()
  }
  scene.end()
  await cluster.pass(afterMs)
  look()
  const lists = new Set(
    cluster.reads.slice(readsBefore).flatMap(read => (read.startsWith('watch ') ? [read.slice('watch '.length)] : [])),
  )
  return { gone: [...gone], lists: [...lists] }
}
