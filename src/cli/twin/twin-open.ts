// What a cluster that came to rest is still waiting for: pods that no quota, name or node lets be, and pods that do not run; each with the
// words of who refused it.

import type { KubeObject, Pod } from '#kube/objects/objects.ts'

/** So many are told one by one. */
const mostLines = 20

interface Condition {
  readonly type: string
  readonly status: string
  readonly message?: string
}

/** One line for each workload or pod, in order of namespace and name; of very many the first. */
export function openLines(objects: readonly KubeObject[]): readonly string[] {
  const lines = objects
    .flatMap(object => {
      const because = object.kind === 'Pod' ? podTrouble(object as Pod) : creationTrouble(object)
      return because === undefined
        ? []
        : [`${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}: ${because}`]
    })
    .sort()
  const more = lines.length - mostLines
  return more > 0 ? [...lines.slice(0, mostLines), `and ${more} more`] : lines
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
function podTrouble(pod: Pod): string | undefined {
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
  return phase === 'Pending' ? 'Pending: it has not started' : undefined
}
