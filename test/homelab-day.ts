// The homelab isolated, and then a day of it: secrets rotate, KEDA wakes and puts to sleep, sizes are wished, and people do things too.
// Everything is drawn with a seed, so that the same day can be lived again.
import { deschedule } from '#capabilities/deschedule'
import { isolate } from '#capabilities/isolate'
import { reload } from '#capabilities/reload'
import type { DisruptionPermit } from '#coordination/api.ts'
import { type ArbitrationMode, defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { type Random, seededRandom } from '#kube/random.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import type { Disruption } from './disruption-witness.ts'
import { openChecker } from './independent-checker.ts'
import { isolatedHomelab, isVerified } from './isolation-scenarios.ts'
import { resizeLabel, resizeRequester } from './requesters/resize.ts'
import { scaleRequester } from './requesters/scale.ts'
import { isQuiet, rotate, wishReplicas } from './requesters/wishes.ts'

/** Who reads which Secret: `namespace/secret` → workloads. None whose rollout takes more pods at once than its budget has. */
const readers: Readonly<Record<string, readonly string[]>> = {
  'monitoring/mimir-keys': ['mimir-ingester', 'mimir-querier', 'mimir-distributor', 'mimir-store-gateway'],
  'monitoring/view-keys': ['grafana', 'alloy'],
  'authentik/authentik-keys': ['authentik'],
  'catalyst/catalyst-keys': ['catalyst-api', 'postgresql'],
  'media/media-keys': ['kometa', 'sonarr', 'radarr'],
}
const scaled = ['sonarr', 'radarr', 'prowlarr']
/** Deployments for which sizes are wished, with what they have. */
const sized = [
  { namespace: 'media', workload: 'kometa', millicores: 200 },
  { namespace: 'monitoring', workload: 'grafana', millicores: 100 },
  { namespace: 'monitoring', workload: 'alloy', millicores: 200 },
] as const
/** What people try their hands at. */
const byHand = { namespace: 'scratch', workload: 'dev-small' } as const
const restartedByOthers = [
  { namespace: 'monitoring', workload: 'grafana' },
  { namespace: 'infra-control', workload: 'dashboards' },
] as const

/** The homelab with its isolation, Secrets and who reads them, ScaledObjects for what KEDA owns. */
export function dayObjects(): readonly KubeObject[] {
  const reads = new Map<string, string>()
  for (const [secret, workloads] of Object.entries(readers)) {
    const [namespace = '', name = ''] = secret.split('/')
    for (const workload of workloads) reads.set(`${namespace}/${workload}`, name)
  }
  const objects = isolatedHomelab({ keda: 'evict', taintMode: 'kubernetes' }).map(object => {
    const source = reads.get(`${object.metadata.namespace}/${object.metadata.name}`)
    if (source === undefined || !['Deployment', 'StatefulSet'].includes(object.kind)) return object
    return {
      ...object,
      metadata: {
        ...object.metadata,
        annotations: { ...object.metadata.annotations, 'secret.reloader.stakater.com/reload': source },
      },
    }
  })
  const secrets = Object.keys(readers).map((key): KubeObject => {
    const [namespace = '', name = ''] = key.split('/')
    return { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name, uid: `secret-${name}` }, data: {} }
  })
  const scalers = scaled.map(
    (name): KubeObject => ({
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name, namespace: 'media', uid: `scaled-${name}` },
      spec: { scaleTargetRef: { name }, minReplicaCount: 0, triggers: [] },
    }),
  )
  const present = new Set(objects.filter(({ kind }) => kind === 'ScaledObject').map(({ metadata }) => metadata.name))
  return [...objects, ...secrets, ...scalers.filter(({ metadata }) => !present.has(metadata.name))]
}

/** What somebody else did, to tell by whom a pod went. */
interface ForeignAct {
  readonly atMs: number
  readonly workload: string
  readonly who: string
}

export interface Day {
  /** Who took how many pods, and by how many disruptions: `reload restart`, `others: flux`. */
  readonly figures: ReadonlyMap<string, { readonly disruptions: number; readonly pods: number }>
  /** Two disruptions of one workload of which the later, of class 4 or 5, came within its cool-down. */
  readonly withinCoolDown: readonly string[]
  /** Moments at which a budget was broken. */
  readonly violations: readonly string[]
  /** Pods that nobody is known to have taken. */
  readonly unexplained: readonly string[]
  readonly errors: readonly string[]
  readonly left: readonly string[]
  /** What was done to the homelab, by kind. */
  readonly acts: ReadonlyMap<string, number>
  /** The ledger as the API server has it. */
  readonly ledger: string
}

/** Isolates the homelab, then lives `hours` of it; `sizing` is the mode in which sizes are asked for, default `enforce`. */
export async function liveDay({
  hours,
  seed,
  sizing = 'enforce',
}: {
  readonly hours: number
  readonly seed: number
  readonly sizing?: ArbitrationMode
}): Promise<Day> {
  await using cluster = await controlledCluster({
    objects: dayObjects(),
    seed,
    capabilities: [deschedule, isolate, reload, resizeRequester(), scaleRequester()],
    configurations: {
      reload: { arbitration: 'coordinate' },
      rightsize: { arbitration: sizing },
      autoscale: { arbitration: 'coordinate' },
    },
  })
  const checker = await openChecker(cluster.twin.transport({ admin: true }))
  cluster.startController()
  await cluster.until(() => isVerified(cluster), 4 * 3_600_000)
  const day = new Acts(cluster, seededRandom(seed))
  const endMs = cluster.clock.now() + hours * 3_600_000
  while (cluster.clock.now() < endMs) await day.next()
  await cluster.pass(30 * 60_000)
  await cluster.until(() => isQuiet(cluster))
  const judgement = await checker.judge()
  return {
    ...accountOf(cluster, day.foreign),
    acts: day.counts,
    violations: judgement.violations,
    errors: cluster.errors.map(({ facts, message }) => `${message} ${JSON.stringify(facts)}`),
    left: [...cluster.forbidden, ...judgement.pending],
    ledger: JSON.stringify(cluster.permits()),
  }
}

class Acts {
  readonly foreign: ForeignAct[] = []
  readonly counts = new Map<string, number>()
  readonly #cluster: ControlledCluster
  readonly #random: Random
  #number = 0

  constructor(cluster: ControlledCluster, random: Random) {
    this.#cluster = cluster
    this.#random = random
  }

  /** Some minutes pass, then something happens. */
  async next(): Promise<void> {
    await this.#cluster.pass(60_000 * (4 + Math.floor(this.#random() * 18)))
    const dice = this.#random()
    this.#number++
    if (dice < 0.3) await this.#rotate()
    else if (dice < 0.7) await this.#scale()
    else if (dice < 0.84) await this.#resize()
    else if (dice < 0.92) await this.#restartByOthers()
    else if (dice < 0.96) await this.#scaleByHand()
    else await this.#deleteByHand()
  }

  async #rotate(): Promise<void> {
    const [namespace = '', name = ''] = this.#pick(Object.keys(readers)).split('/')
    this.#count('secrets rotated')
    await rotate(this.#cluster, name, `content ${this.#number}`, namespace)
  }

  async #scale(): Promise<void> {
    const name = this.#pick(scaled)
    const target = this.#cluster.twin.access.get('deployments.apps', 'media', name)?.['spec'] as
      | { readonly replicas?: number }
      | undefined
    const replicas = target?.replicas === 0 ? 1 : 0
    this.#count(replicas === 0 ? 'put to sleep by KEDA' : 'woken by KEDA')
    await wishReplicas(this.#cluster, name, replicas, 'media')
  }

  async #resize(): Promise<void> {
    const { namespace, workload, millicores } = this.#pick(sized)
    const cpu = `${Math.round(millicores * (0.5 + this.#random()))}m`
    this.#count('sizes wished')
    const data = { workload: `Deployment/${workload}`, container: workload, cpu }
    const { signal } = new AbortController()
    await this.#cluster.admin.resource(builtIn.configmaps).apply(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `size-${workload}`, namespace, labels: { [resizeLabel]: '' } },
        data,
      },
      { namespace, fieldManager: 'recommender', force: true, signal },
    )
  }

  async #restartByOthers(): Promise<void> {
    const { namespace, workload } = this.#pick(restartedByOthers)
    this.#count('rolled out by GitOps')
    this.foreign.push({ atMs: this.#cluster.clock.now(), workload: `${namespace}/Deployment/${workload}`, who: 'GitOps' })
    const annotations = { 'example.com/revision': String(this.#number) }
    await this.#change(builtIn.deployments, namespace, workload, { spec: { template: { metadata: { annotations } } } })
  }

  /** Somebody wants one more, or one less. */
  async #scaleByHand(): Promise<void> {
    const { namespace, workload } = byHand
    const target = this.#cluster.twin.access.get('deployments.apps', namespace, workload)?.['spec'] as {
      readonly replicas: number
    }
    this.#count('scaled by hand')
    this.foreign.push({ atMs: this.#cluster.clock.now(), workload: `${namespace}/Deployment/${workload}`, who: 'kubectl scale' })
    await this.#change(builtIn.deployments, namespace, workload, { spec: { replicas: target.replicas > 2 ? 2 : 3 } })
  }

  async #deleteByHand(): Promise<void> {
    const { namespace, workload } = byHand
    const pods = this.#cluster
      .list('pods')
      .filter(({ metadata }) => metadata.name.startsWith(`${workload}-`) && metadata.namespace === namespace)
    this.#count('deleted by hand')
    this.foreign.push({ atMs: this.#cluster.clock.now(), workload: `${namespace}/Deployment/${workload}`, who: 'kubectl delete' })
    const { signal } = new AbortController()
    await this.#cluster.admin.resource(builtIn.pods).delete(this.#pick(pods).metadata.name, { namespace, signal })
  }

  #change(resource: GroupVersionResource, namespace: string, name: string, body: object): Promise<void> {
    return this.#cluster.change(resource, { namespace, name }, body)
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  #pick<T>(from: readonly T[]): T {
    const found = from[Math.floor(this.#random() * from.length)]
    if (found === undefined) throw new Error('nothing to choose from')
    return found
  }
}

const toleranceMs = 2_000

function accountOf(
  cluster: ControlledCluster,
  foreign: readonly ForeignAct[],
): Pick<Day, 'figures' | 'withinCoolDown' | 'unexplained'> {
  const permits = cluster.permits().filter(({ spec }) => spec.grant !== undefined)
  const explained = cluster.witness.disruptions.map(disruption => ({ disruption, ...causeOf(disruption, permits, foreign) }))
  const figures = new Map<string, { disruptions: number; pods: number }>()
  const counted = new Set<string>()
  for (const { who, deed } of explained) {
    const entry = figures.get(who) ?? { disruptions: 0, pods: 0 }
    entry.pods++
    if (!counted.has(deed)) entry.disruptions++
    counted.add(deed)
    figures.set(who, entry)
  }
  return {
    figures,
    unexplained: explained
      .filter(({ who }) => who === 'nobody')
      .map(({ disruption }) => `${disruption.pod} at ${new Date(disruption.atMs).toISOString()} (${disruption.cause})`),
    withinCoolDown: permits.flatMap(permit => coolDownBroken(permit, explained)),
  }
}

type Explained = Disruption & { readonly who: string; readonly deed: string }

function causeOf(
  disruption: Disruption,
  permits: readonly DisruptionPermit[],
  foreign: readonly ForeignAct[],
): Pick<Explained, 'who' | 'deed'> {
  const { workload, uid, atMs } = disruption
  const covers = ({ spec, status }: DisruptionPermit) => {
    const fromMs = Date.parse(spec.grant?.at ?? '') - toleranceMs
    const untilMs = (status?.releasedAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(status.releasedAt)) + toleranceMs
    return atMs >= fromMs && atMs <= untilMs
  }
  const permit =
    permits.find(one => one.spec.targets.some(target => target.uid === uid) && covers(one)) ??
    permits.find(one => one.spec.workload === workload && one.spec.verb !== 'evict' && covers(one))
  if (permit !== undefined) return { who: `${permit.spec.requester} ${permit.spec.verb}`, deed: deedOf(permit) }
  const act = foreign.findLast(one => one.workload === workload && one.atMs <= atMs && atMs - one.atMs < 15 * 60_000)
  return act === undefined ? { who: 'nobody', deed: uid } : { who: `others: ${act.who}`, deed: `${act.workload} ${act.atMs}` }
}

/** Workloads that share a permit are rolled out each by itself. */
const deedOf = ({ metadata, spec }: DisruptionPermit) => `${metadata.name} ${spec.workload}`

function coolDownBroken(
  permit: DisruptionPermit,
  explained: readonly { readonly disruption: Disruption; readonly deed: string }[],
): readonly string[] {
  const { metadata, spec } = permit
  // Its owner's own scaling is not held.
  if ((spec.class !== 'cost' && spec.class !== 'balance') || spec.verb === 'scale' || spec.workload === undefined) return []
  const atMs = Date.parse(spec.grant?.at ?? '')
  const fromMs = atMs - defaultPolicy.coolDownMs[spec.class]
  return explained
    .filter(
      ({ disruption, deed }) =>
        disruption.workload === spec.workload &&
        // The API server tells of what others did in whole seconds.
        Math.floor(disruption.atMs / 1000) * 1000 > fromMs &&
        disruption.atMs < atMs &&
        deed !== deedOf(permit) &&
        disruption.cause !== 'scale-down',
    )
    .map(
      ({ disruption, deed }) =>
        `${metadata.name} (${spec.class}) at ${new Date(atMs).toISOString()}, ${deed} at ${new Date(disruption.atMs).toISOString()}`,
    )
}

/** The figures as a table. */
export function dayTable({ figures, acts }: Day): string {
  const rows = [...figures].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return [
    ...[...acts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([what, count]) => `${String(count).padStart(5)} ${what}`),
    '',
    'disruptions  pods  by',
    ...rows.map(([who, { disruptions, pods }]) => `${String(disruptions).padStart(11)} ${String(pods).padStart(5)}  ${who}`),
  ].join('\n')
}
