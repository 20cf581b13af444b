// Applications from a seed and the pods they are made of: together they ask for everything the default filters and scores judge.
import type { ApiObject } from '../control-plane/api-client.ts'
import { images } from './seeded-nodes.ts'
import type { SeededRandom } from './seeded-random.ts'
import { type ClaimPool, claimNamespace } from './seeded-volumes.ts'

/** Pods of one application share labels, owner and most of their template. */
export interface Application {
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly owner: 'ReplicaSet' | 'StatefulSet' | 'ReplicationController' | 'none'
  readonly hasService: boolean
  readonly serviceSelector: Readonly<Record<string, string>>
  readonly template: PodTemplate
}

export const namespaceNames = ['shop', 'data', 'infra'] as const

type Json = Record<string, unknown>
type PodTemplate = Json

const hostname = 'kubernetes.io/hostname'
const zone = 'topology.kubernetes.io/zone'
const region = 'topology.kubernetes.io/region'
const disk = 'example.com/disk'
const rank = 'example.com/rank'

/** Six to twelve applications in all namespaces. Pods of the plain ones ask for resources alone and often see nodes tie. */
export function seededApplications(
  random: SeededRandom,
  { nodes, plainShare }: { readonly nodes: readonly ApiObject[]; readonly plainShare: number },
): Application[] {
  const names = Array.from({ length: random.between(6, 12) }, (_, index) => `app-${index}`)
  return names.map((name): Application => {
    const labels = {
      app: name,
      tier: random.pick(['front', 'back', 'batch']),
      revision: random.pick(['1', '2']),
      shard: random.pick(['x', 'y']),
    }
    return {
      name,
      namespace: random.pick(namespaceNames),
      labels,
      owner: random.pick(['ReplicaSet', 'ReplicaSet', 'StatefulSet', 'ReplicationController', 'none']),
      hasService: random.chance(0.45),
      serviceSelector: random.chance(0.7) ? { app: name } : { tier: labels.tier },
      template: random.chance(plainShare)
        ? { containers: [container(random, 'c0')], terminationGracePeriodSeconds: 0 }
        : podSpec(random, { nodes, names, labels }),
    }
  })
}

/** The next pod to place: of one of the applications, at times with a demand of its own. */
export function seededPod(random: SeededRandom, { applications, claims }: PodSources, name: string): ApiObject {
  const application = random.pick(applications)
  const spec: Json = structuredClone(application.template)
  let namespace = application.namespace
  if (random.chance(0.14)) {
    namespace = claimNamespace
    spec.volumes = podVolumes(random, claims)
  }
  if (random.chance(0.02)) spec.schedulingGates = [{ name: 'example.com/wait' }]
  return podOf({ ...application, namespace }, name, spec)
}

/** A pod that stands on one of the nodes already, put there without a look at any rule. */
export function standingPod(random: SeededRandom, cluster: PodSources, name: string): ApiObject {
  const application = random.pick(cluster.applications)
  const nodeName = random.pick(cluster.nodes).metadata.name
  const spec: Json = { ...structuredClone(application.template), nodeName }
  if (!random.chance(0.12)) return podOf(application, name, spec)
  const claimName = random.pick(cluster.claims.bound)
  spec.volumes = [{ name: claimName, persistentVolumeClaim: { claimName } }]
  return podOf({ ...application, namespace: claimNamespace }, name, spec)
}

/** What pods are drawn from. */
export interface PodSources {
  readonly applications: readonly Application[]
  readonly claims: ClaimPool
  readonly nodes: readonly ApiObject[]
}

function podOf(application: Application, name: string, spec: Json): ApiObject {
  const apiVersion = application.owner === 'ReplicationController' ? 'v1' : 'apps/v1'
  const owner = { apiVersion, kind: application.owner, name: application.name, uid: application.name, controller: true }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: application.namespace,
      labels: application.labels,
      ...(application.owner === 'none' ? {} : { ownerReferences: [owner] }),
    },
    spec,
  }
}

interface TemplateContext {
  readonly nodes: readonly ApiObject[]
  /** Names of all applications: what affinities look for. */
  readonly names: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

function podSpec(random: SeededRandom, context: TemplateContext): PodTemplate {
  const spec: Json = {
    containers: Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, (_, index) => container(random, `c${index}`)),
    terminationGracePeriodSeconds: 0,
  }
  if (random.chance(0.25)) spec.initContainers = initContainers(random)
  if (random.chance(0.1)) spec.runtimeClassName = 'isolated'
  if (random.chance(0.1)) {
    spec.containers = [{ ...container(random, 'c0'), resources: { requests: { cpu: '200m', memory: '100Mi' } } }]
    spec.resources = { requests: { ...(random.chance(0.7) ? { cpu: '700m' } : {}), memory: '600Mi' } }
    spec.initContainers = []
  }
  if (random.chance(0.15))
    spec.nodeSelector = random.pick([{ [disk]: 'ssd' }, { 'kubernetes.io/arch': 'amd64' }, { [zone]: 'a' }])
  if (random.chance(0.35)) spec.tolerations = random.some(tolerations, 0.4)
  if (random.chance(0.2)) spec.priorityClassName = random.pick(['priority-10', 'priority-1000'])
  if (random.chance(0.4)) spec.topologySpreadConstraints = spreadConstraints(random, context)
  const affinity = {
    ...(random.chance(0.45) ? { nodeAffinity: nodeAffinity(random, context) } : {}),
    ...(random.chance(0.3) ? { podAffinity: podTerms(random, context, { requiredShare: 0.35, isAnti: false }) } : {}),
    ...(random.chance(0.35) ? { podAntiAffinity: podTerms(random, context, { requiredShare: 0.4, isAnti: true }) } : {}),
  }
  if (Object.keys(affinity).length > 0) spec.affinity = affinity
  return spec
}

function container(random: SeededRandom, name: string): Json {
  const requests: Record<string, string> = {}
  const limits: Record<string, string> = {}
  if (random.chance(0.8)) requests.cpu = random.pick(['0', '25m', '100m', '250m', '333m', '500m', '1'])
  if (random.chance(0.8)) requests.memory = random.pick(['0', '64Mi', '128Mi', '200M', '512Mi', '700000Ki', '1Gi'])
  if (random.chance(0.06)) requests['ephemeral-storage'] = random.pick(['1Gi', '15Gi'])
  if (random.chance(0.05)) requests['example.com/gpu'] = limits['example.com/gpu'] = random.pick(['1', '2'])
  if (random.chance(0.03)) {
    requests['hugepages-2Mi'] = limits['hugepages-2Mi'] = '64Mi'
    requests.cpu ??= '100m'
  }
  // A limit without a request becomes the request.
  if (requests.cpu === undefined && random.chance(0.2)) limits.cpu = '200m'
  return {
    name,
    image: random.pick(images).container,
    resources: { requests, limits },
    ...(random.chance(0.06) ? { ports: [hostPort(random)] } : {}),
  }
}

function hostPort(random: SeededRandom): Json {
  return {
    containerPort: 8080,
    hostPort: random.pick([8080, 9100]),
    protocol: random.pick(['TCP', 'TCP', 'UDP']),
    ...(random.chance(0.3) ? { hostIP: random.pick(['10.1.1.1', '10.1.1.2', '0.0.0.0']) } : {}),
  }
}

function initContainers(random: SeededRandom): Json[] {
  return Array.from({ length: random.between(1, 3) }, (_, index) => ({
    ...container(random, `i${index}`),
    ...(random.chance(0.4) ? { restartPolicy: 'Always' } : {}),
  }))
}

const tolerations: readonly Json[] = [
  { key: 'example.com/dedicated', operator: 'Equal', value: 'database', effect: 'NoSchedule' },
  { key: 'example.com/spot', operator: 'Exists', effect: 'PreferNoSchedule' },
  { key: 'example.com/slow', operator: 'Exists' },
  { key: 'example.com/slow', value: '2' },
  { key: 'example.com/repair', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
]

function nodeExpression(random: SeededRandom): Json {
  return random.pick<Json>([
    { key: disk, operator: 'In', values: ['ssd', 'nvme'] },
    { key: disk, operator: 'NotIn', values: ['hdd'] },
    { key: disk, operator: 'Exists' },
    { key: disk, operator: 'DoesNotExist' },
    { key: rank, operator: 'Gt', values: ['2'] },
    { key: rank, operator: 'Lt', values: ['8'] },
    { key: zone, operator: 'In', values: ['a', 'b'] },
    { key: zone, operator: 'NotIn', values: ['b'] },
    { key: 'example.com/dedicated', operator: 'DoesNotExist' },
  ])
}

function nodeAffinity(random: SeededRandom, { nodes }: TemplateContext): Json {
  const fields = (operator: string) => ({
    matchFields: [{ key: 'metadata.name', operator, values: [random.pick(nodes).metadata.name] }],
  })
  const term = (): Json => ({
    matchExpressions: Array.from({ length: random.pick([1, 1, 2]) }, () => nodeExpression(random)),
    ...(random.chance(0.1) ? fields('NotIn') : {}),
  })
  const required = Array.from({ length: random.pick([1, 2]) }, () => (random.chance(0.06) ? fields('In') : term()))
  const preferred = Array.from({ length: random.between(1, 3) }, () => ({
    weight: random.between(1, 100),
    preference: random.chance(0.1) ? fields('In') : term(),
  }))
  return {
    ...(random.chance(0.3) ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: required } } : {}),
    ...(random.chance(0.75) ? { preferredDuringSchedulingIgnoredDuringExecution: preferred } : {}),
  }
}

function spreadConstraints(random: SeededRandom, { labels }: TemplateContext): Json[] {
  return random.some([hostname, zone, disk, region], 0.4).map(topologyKey => {
    const isHard = random.chance(0.4)
    return {
      topologyKey,
      maxSkew: random.between(1, 3),
      whenUnsatisfiable: isHard ? 'DoNotSchedule' : 'ScheduleAnyway',
      labelSelector: random.chance(0.6)
        ? { matchLabels: { app: labels.app } }
        : { matchExpressions: [{ key: 'tier', operator: 'In', values: [labels.tier, 'back'] }] },
      ...(isHard && random.chance(0.3) ? { minDomains: random.between(2, 5) } : {}),
      ...(random.chance(0.3) ? { nodeAffinityPolicy: random.pick(['Honor', 'Ignore']) } : {}),
      ...(random.chance(0.3) ? { nodeTaintsPolicy: random.pick(['Honor', 'Ignore']) } : {}),
      ...(random.chance(0.25) ? { matchLabelKeys: ['revision'] } : {}),
    }
  })
}

interface PodTermsOptions {
  readonly requiredShare: number
  readonly isAnti: boolean
}

function podTerms(random: SeededRandom, context: TemplateContext, { requiredShare, isAnti }: PodTermsOptions): Json {
  const isRequired = random.chance(requiredShare)
  const preferred = Array.from({ length: random.between(1, 2) }, () => ({
    weight: random.between(1, 100),
    podAffinityTerm: podTerm(random, context, isAnti),
  }))
  return {
    ...(isRequired ? { requiredDuringSchedulingIgnoredDuringExecution: [podTerm(random, context, isAnti)] } : {}),
    ...(!isRequired || random.chance(0.4) ? { preferredDuringSchedulingIgnoredDuringExecution: preferred } : {}),
  }
}

function podTerm(random: SeededRandom, { names, labels }: TemplateContext, isAnti: boolean): Json {
  return {
    topologyKey: random.pick(isAnti ? [hostname, hostname, disk] : [hostname, zone, zone, disk]),
    labelSelector: random.pick<Json>([
      ...Array.from({ length: isAnti ? 4 : 1 }, () => ({ matchLabels: { app: labels.app } })),
      { matchLabels: { app: random.pick(names) } },
      { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['batch', 'front'] }] },
      {
        matchExpressions: [
          { key: 'app', operator: 'Exists' },
          { key: 'tier', operator: 'In', values: ['batch'] },
        ],
      },
    ]),
    ...(random.chance(0.2) ? { namespaces: random.some(namespaceNames, 0.6) } : {}),
    ...(random.chance(0.2) ? { namespaceSelector: random.pick([{}, { matchLabels: { team: 'store' } }]) } : {}),
    ...(random.chance(0.12) ? { matchLabelKeys: ['revision'] } : {}),
    ...(random.chance(0.08) ? { mismatchLabelKeys: ['shard'] } : {}),
  }
}

function podVolumes(random: SeededRandom, claims: ClaimPool): Json[] {
  const pool = random.pick([claims.bound, claims.bound, claims.single, claims.local, claims.provisioned])
  const rare = random.chance(0.05) ? [...claims.stuck, 'missing'] : pool
  const chosen = new Set(Array.from({ length: random.pick([1, 1, 2]) }, () => random.pick(rare)))
  return Array.from(chosen, claimName => ({ name: claimName, persistentVolumeClaim: { claimName } }))
}
