// A cluster made from a seed: its nodes, images, volumes, services and owners, before any pod is placed.
import type { ApiObject } from '../control-plane/api-client.ts'
import { type ResizedRequests, resizedRequests } from './resized-status.ts'
import { namespaceNames } from './seeded-affinity.ts'
import { seededNodes } from './seeded-nodes.ts'
import { type Application, seededApplications, standingPod } from './seeded-pods.ts'
import { SeededRandom } from './seeded-random.ts'
import { type ClaimPool, seededVolumes } from './seeded-volumes.ts'

export interface SeededCluster {
  readonly seed: number
  readonly nodes: readonly ApiObject[]
  /** Everything else that stands before the first pod, in an order in which it can be created. */
  readonly objects: readonly ApiObject[]
  /** Pods that stand on nodes already. */
  readonly standing: readonly StandingPod[]
  readonly applications: readonly Application[]
  readonly claims: ClaimPool
  /** Draws for the pods continue here. */
  readonly random: SeededRandom
}

export interface StandingPod {
  readonly pod: ApiObject
  /** Ended pods hold nothing; terminating ones still hold their resources; a resized one runs with other requests. */
  /** What a resized pod runs with, instead of its requests. */
  readonly resized: ResizedRequests
  readonly state: 'running' | 'succeeded' | 'failed' | 'terminating' | 'resized' | 'resize-infeasible'
}

/** Nodes of the clusters of seeds 1, 2, 3, …; further seeds start again. */
const nodeCounts = [4, 5, 6, 8, 12, 20, 7, 30, 10, 16, 4, 9, 25, 40, 14, 18, 10, 60, 11, 22, 100, 15, 150, 6, 16]
/** In these all nodes are alike, so that many of them tie. */
const uniformSeeds = new Set([11, 24, 25])

/** The cluster of a seed; `nodeCount` overrides the size that the seed has. */
export function seededCluster(seed: number, nodeCount?: number): SeededCluster {
  const random = new SeededRandom(seed)
  const count = nodeCount ?? nodeCounts[(seed - 1) % nodeCounts.length] ?? 4
  const isUniform = uniformSeeds.has(seed)
  const nodes = seededNodes(random, { count, isUniform })
  const volumes = seededVolumes(random, nodes)
  const applications = seededApplications(random, { nodes, plainShare: isUniform ? 0.6 : 0.25 })
  const standing = Array.from({ length: isUniform ? 3 : Math.min(count, 30) }, (_, index): StandingPod => {
    const pod = standingPod(random, { applications, claims: volumes.claims, nodes }, `standing-${index}`)
    const resized = resizedRequests(random)
    if (random.chance(0.7)) return { pod, resized, state: 'running' }
    return {
      pod,
      resized,
      state: random.pick(['succeeded', 'failed', 'terminating', 'terminating', 'resized', 'resize-infeasible']),
    }
  })
  return {
    seed,
    standing,
    nodes,
    objects: [...namespaces(), ...priorityClasses(), ...runtimeClasses(), ...volumes.objects, ...owners(applications)],
    applications,
    claims: volumes.claims,
    random,
  }
}

function namespaces(): ApiObject[] {
  const labels: Record<string, Record<string, string>> = {
    shop: { team: 'web', stage: 'live' },
    data: { team: 'store', stage: 'live' },
    infra: { team: 'store' },
  }
  return namespaceNames.map(name => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: labels[name] ?? {} },
  }))
}

// None of them preempts: a placement that evicts others would not be the work of filters and scores alone.
function priorityClasses(): ApiObject[] {
  return [10, 1000].map(value => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: `priority-${value}` },
    value,
    preemptionPolicy: 'Never',
  }))
}

function runtimeClasses(): ApiObject[] {
  return [
    {
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: 'isolated' },
      handler: 'isolated',
      overhead: { podFixed: { cpu: '250m', memory: '120Mi' } },
    },
  ]
}

function owners(applications: readonly Application[]): ApiObject[] {
  return applications.flatMap((application): ApiObject[] => {
    const { owner, hasService, name, namespace, serviceSelector } = application
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace } }
    return [
      ...(hasService ? [{ ...service, spec: { selector: serviceSelector, ports: [{ port: 80 }] } }] : []),
      ...(owner === 'none' ? [] : [ownerOf(application, owner)]),
    ]
  })
}

function ownerOf({ name, namespace, labels }: Application, kind: Exclude<Application['owner'], 'none'>): ApiObject {
  const metadata = { name, namespace }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'r.example/web:v1' }] } }
  const selector = { app: name }
  switch (kind) {
    case 'ReplicaSet':
      return { apiVersion: 'apps/v1', kind, metadata, spec: { selector: { matchLabels: selector }, template } }
    case 'StatefulSet':
      return {
        apiVersion: 'apps/v1',
        kind,
        metadata,
        spec: { selector: { matchLabels: selector }, template, serviceName: 'none' },
      }
    case 'ReplicationController':
      return { apiVersion: 'v1', kind, metadata, spec: { selector, template } }
  }
}
