// Applications from a seed and the pods they are made of: together they ask for everything the default filters and scores judge.
import type { ApiObject } from '../control-plane/api-client.ts'
import {
  diskLabel,
  type Json,
  namespaceNames,
  nodeAffinity,
  podTerms,
  spreadConstraints,
  type TemplateContext,
  zoneLabel,
} from './seeded-affinity.ts'
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

type PodTemplate = Json

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
  } else if (random.chance(0.06)) spec.volumes = [sharedDisk(random)]
  if (random.chance(0.02)) spec.schedulingGates = [{ name: 'example.com/wait' }]
  return podOf({ ...application, namespace }, name, spec)
}

/** A pod that stands on one of the nodes already, put there without a look at any rule. */
export function standingPod(random: SeededRandom, cluster: PodSources, name: string): ApiObject {
  const application = random.pick(cluster.applications)
  const nodeName = random.pick(cluster.nodes).metadata.name
  const spec: Json = { ...structuredClone(application.template), nodeName }
  if (random.chance(0.1)) spec.volumes = [sharedDisk(random)]
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
    spec.nodeSelector = random.pick([{ [diskLabel]: 'ssd' }, { 'kubernetes.io/arch': 'amd64' }, { [zoneLabel]: 'a' }])
  if (random.chance(0.35)) spec.tolerations = random.some(tolerations, 0.4)
  if (random.chance(0.03)) spec.tolerations = [{ operator: 'Exists' }]
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

function podVolumes(random: SeededRandom, claims: ClaimPool): Json[] {
  const pool = random.pick([claims.bound, claims.bound, claims.single, claims.local, claims.provisioned])
  const rare = random.chance(0.05) ? [...claims.stuck, 'missing'] : pool
  const chosen = new Set(Array.from({ length: random.pick([1, 1, 2]) }, () => random.pick(rare)))
  return Array.from(chosen, claimName => ({ name: claimName, persistentVolumeClaim: { claimName } }))
}

/** Disks that pods name themselves: where one writes, no other may be on the same node. */
function sharedDisk(random: SeededRandom): Json {
  const readOnly = random.chance(0.5)
  const source = random.pick<Json>([
    { iscsi: { targetPortal: '10.1.1.9', iqn: 'iqn.2020-01.example:disk', lun: 0, readOnly } },
    { rbd: { monitors: random.pick([['10.1.1.7'], ['10.1.1.8', '10.1.1.7']]), image: 'disk', readOnly } },
    { gcePersistentDisk: { pdName: 'disk', readOnly } },
    { awsElasticBlockStore: { volumeID: 'disk', readOnly } },
  ])
  return { name: 'shared', ...source }
}
