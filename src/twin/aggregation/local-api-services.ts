// The APIs that the twin serves itself, registered as upstream does; their places among all groups.
import { createHash } from 'node:crypto'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtInResources } from '../api/built-in-resources.ts'

/** Recorded: group priority by group, and a version's own where it is not 15. */
// biome-ignore format: a table
const groupPriorities: Readonly<Record<string, number>> = {
  '': 18000, 'apiregistration.k8s.io': 17900, apps: 17800, 'events.k8s.io': 17750, 'authentication.k8s.io': 17700,
  'authorization.k8s.io': 17600, autoscaling: 17500, batch: 17400, 'certificates.k8s.io': 17300, 'networking.k8s.io': 17200,
  policy: 17100, 'rbac.authorization.k8s.io': 17000, 'storage.k8s.io': 16800, 'admissionregistration.k8s.io': 16700,
  'apiextensions.k8s.io': 16700, 'scheduling.k8s.io': 16600, 'coordination.k8s.io': 16500, 'node.k8s.io': 16300,
  'discovery.k8s.io': 16200, 'resource.k8s.io': 16200, 'flowcontrol.apiserver.k8s.io': 16100,
}
const versionPriorities: Readonly<Record<string, number>> = {
  v1: 1,
  'v2.autoscaling': 30,
  'v1.resource.k8s.io': 21,
  'v1.flowcontrol.apiserver.k8s.io': 21,
}
const usualVersionPriority = 15

/** Priority of groups that a CustomResourceDefinition brings. */
const customGroupPriority = 1_000

/** What stands behind `metrics.k8s.io` by itself: the twin plays a metrics-server, whoever registered it. */
export const playedApi = { group: 'metrics.k8s.io', version: 'v1beta1', groupPriorityMinimum: 100, versionPriority: 100 } as const

export function groupPriority(group: string): number {
  return Object.hasOwn(groupPriorities, group) ? (groupPriorities[group] ?? 0) : customGroupPriority
}

export function apiServiceName(group: string, version: string): string {
  return `${version}.${group}`
}

const localCondition = {
  type: 'Available',
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
} as const

/** An APIService for each group and version that is built in. `time` is when they came about. */
export function localApiServices(time: string): readonly KubeObject[] {
  const pairs = new Map(builtInResources.map(({ group, version }) => [apiServiceName(group, version), { group, version }]))
  return [...pairs].flatMap(([name, { group, version }]) => {
    // Upstream does not register the API of the registrations itself, and metrics are somebody else's.
    if (group === 'apiregistration.k8s.io' || group === playedApi.group) return []
    const versionPriority = versionPriorities[name] ?? versionPriorities[name.replace(/\.$/, '')] ?? usualVersionPriority
    return [
      {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: {
          name,
          // Not of chance: what is drawn there must not depend on how many APIs there are.
          uid: uidOf(name),
          creationTimestamp: time,
          labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' },
        },
        spec: {
          ...(group === '' ? {} : { group }),
          version,
          groupPriorityMinimum: groupPriority(group),
          versionPriority,
        },
        status: { conditions: [{ ...localCondition, lastTransitionTime: time }] },
      },
    ]
  })
}

function uidOf(name: string): string {
  const hex = createHash('sha256').update(`apiservice ${name}`).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-')
}
