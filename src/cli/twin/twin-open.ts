// What a cluster that came to rest is still waiting for: pods that no quota, name or node lets be, and pods that do not run; each with the
// words of who refused it. And what pods run without that a kubelet would wait for.

import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { fieldsAt, itemsAt, textAt } from '#twin/json-value.ts'

/** So many are told one by one. */
const mostLines = 20

interface Condition {
  readonly type: string
  readonly status: string
  readonly message?: string
}

/** One line for each workload or pod, in order of namespace and name; of very many the first. */
export function openLines(objects: readonly KubeObject[]): readonly string[] {
  const there = namesOf(objects)
  const lines = objects
    .flatMap(object => {
      const because = object.kind === 'Pod' ? podTrouble(object as Pod, there) : creationTrouble(object)
      return because === undefined
        ? []
        : [`${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}: ${because}`]
    })
    .sort()
  const more = lines.length - mostLines
  return more > 0 ? [...lines.slice(0, mostLines), `and ${more} more`] : lines
}

/** Kind and name of each object. */
function namesOf(objects: readonly KubeObject[]): ReadonlySet<string> {
  return new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`))
}

function conditionsOf({ status }: KubeObject): readonly Condition[] {
  const { conditions = [] } = (status ?? {}) as { readonly conditions?: readonly Condition[] }
  return conditions
}

/** Why a controller cannot make its pods. */
function creationTrouble(object: KubeObject): string | undefined {
  if (object.kind === 'Deployment') return undefined // its ReplicaSet says the same
  const failure = conditionsOf(object).find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')
  return failure && `pods are not made: ${failure.message ?? 'no reason is given'}`
}

interface ContainerState {
  readonly name: string
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } }
}

/** Why a pod does not run; `undefined`: it does, or has ended. */
function podTrouble(pod: Pod, there: ReadonlySet<string>): string | undefined {
  const {
    phase,
    containerStatuses = [],
    initContainerStatuses = [],
  } = (pod.status ?? {}) as {
    readonly phase?: string
    readonly containerStatuses?: readonly ContainerState[]
    readonly initContainerStatuses?: readonly ContainerState[]
  }
  if (phase === 'Succeeded') return undefined
  if (phase === 'Failed') return 'failed'
  for (const { name, state } of [...initContainerStatuses, ...containerStatuses]) {
    const { reason, message } = state?.waiting ?? {}
    if (reason !== undefined && reason !== 'PodInitializing' && reason !== 'ContainerCreating')
      return `container ${name} waits: ${reason}${message === undefined ? '' : `: ${message}`}`
  }
  const unscheduled = conditionsOf(pod).find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  if (unscheduled !== undefined) return `Pending: ${unscheduled.message ?? 'no node is chosen'}`
  if (phase !== 'Pending') return undefined
  const claim = absentClaim(pod, there)
  return `Pending: ${claim === undefined ? 'it has not started' : `${claim} is not there`}`
}

/** The first claim of devices that the pod waits for, or the template from which it is to be made: the scheduler does not even look at the pod. */
function absentClaim(pod: Pod, there: ReadonlySet<string>): string | undefined {
  return itemsAt(pod, 'spec', 'resourceClaims')
    .flatMap(({ resourceClaimTemplateName: template, resourceClaimName: claim }) => [
      ...(typeof template === 'string' ? [`ResourceClaimTemplate ${pod.metadata.namespace}/${template}`] : []),
      ...(typeof claim === 'string' ? [`ResourceClaim ${pod.metadata.namespace}/${claim}`] : []),
    ])
    .find(name => !there.has(name))
}

/** Made in each namespace by the cluster itself; a twin that listens nowhere has no authority to publish. */
const rootCertificate = 'kube-root-ca.crt'

/** So many absent objects are named. */
const mostAbsent = 10

/**
 * Secrets and ConfigMaps that pods need to start and that are not there, in a sentence: a kubelet holds such pods, and a dump, or a
 * cluster whose operators are not run, often lacks what they need. `undefined`: none is missing.
 */
export function absentSentence(objects: readonly KubeObject[]): string | undefined {
  const there = namesOf(objects)
  const pods = new Map<string, number>()
  for (const pod of objects) {
    if (pod.kind !== 'Pod' || ['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase') ?? '')) continue
    for (const needed of new Set(neededBy(pod))) if (!there.has(needed)) pods.set(needed, (pods.get(needed) ?? 0) + 1)
  }
  if (pods.size === 0) return undefined
  const names = [...pods].sort().map(([name, count]) => `${name} (${count} ${count === 1 ? 'pod' : 'pods'})`)
  const more = names.length - mostAbsent
  const listed = [...names.slice(0, mostAbsent), ...(more > 0 ? [`and ${more} more`] : [])].join(', ')
  return `not there, so that a kubelet would hold the pods that run here: ${listed}`
}

type Fields = NonNullable<ReturnType<typeof fieldsAt>>

/** Kind and name of each Secret and ConfigMap without which the pod's volumes are not mounted or its containers not created. */
function neededBy(pod: KubeObject): readonly string[] {
  const { namespace = '' } = pod.metadata
  const named = (kind: string, source: Fields | undefined, field = 'name') => {
    const name = textAt(source, field)
    return name === undefined || name === rootCertificate || source?.['optional'] === true ? [] : [`${kind} ${namespace}/${name}`]
  }
  const ofSource = (source: Fields) => [
    ...named('Secret', fieldsAt(source, 'secret'), textAt(source, 'secret', 'secretName') === undefined ? 'name' : 'secretName'),
    ...named('ConfigMap', fieldsAt(source, 'configMap')),
  ]
  const containers = [...itemsAt(pod, 'spec', 'initContainers'), ...itemsAt(pod, 'spec', 'containers')]
  return [
    ...itemsAt(pod, 'spec', 'volumes').flatMap(volume => [
      ...ofSource(volume),
      ...itemsAt(volume, 'projected', 'sources').flatMap(ofSource),
    ]),
    ...containers.flatMap(container => [
      ...itemsAt(container, 'envFrom').flatMap(from => [
        ...named('Secret', fieldsAt(from, 'secretRef')),
        ...named('ConfigMap', fieldsAt(from, 'configMapRef')),
      ]),
      ...itemsAt(container, 'env').flatMap(variable => [
        ...named('Secret', fieldsAt(variable, 'valueFrom', 'secretKeyRef')),
        ...named('ConfigMap', fieldsAt(variable, 'valueFrom', 'configMapKeyRef')),
      ]),
    ]),
  ]
}
