// What a ScaledObject scales: the resource of its kind, the replicas it has, and the pods that it makes.
import type { Scale } from '#coordination/effects/scale-own.ts'
import { readScale, type ScaledTarget } from '#coordination/effects/scale-own.ts'
import type { Api } from '#kube/client/api.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject, LabelSelector, Pod } from '#kube/objects/objects.ts'
import { apiVersionOf, builtIn, parseApiVersion } from '#kube/objects/resource.ts'
import { labelSelectorOf, parseLabelSelector } from '#kube/objects/selector.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { MemberPod } from '../decisions/one-awake.ts'
import type { ScaledObject, ScaledObjectStatus } from '../kinds/scaled-object.ts'

export type TargetKind = NonNullable<ScaledObjectStatus['scaleTargetGVKR']>

const builtInKinds: Readonly<Record<string, TargetKind>> = {
  Deployment: { kind: 'Deployment', ...builtIn.deployments },
  StatefulSet: { kind: 'StatefulSet', ...builtIn.statefulsets },
  ReplicaSet: { kind: 'ReplicaSet', ...builtIn.replicasets },
}

/** `apps/v1.Deployment` */
export function kindText({ group, version, kind }: TargetKind): string {
  return `${apiVersionOf({ group, version, resource: '' })}.${kind}`
}

/** The target of `object`, of a known kind. */
export function targetOf(object: ScaledObject, { group, version, resource }: TargetKind): ScaledTarget {
  return {
    resource: { group, version, resource },
    namespace: object.metadata.namespace ?? '',
    name: object.spec.scaleTargetRef.name,
  }
}

/** How the API server calls what `object` targets. @throws Error where it serves no such kind; StatusError */
export async function targetKindOf(object: ScaledObject, api: Api, signal: AbortSignal): Promise<TargetKind> {
  const { apiVersion = 'apps/v1', kind = 'Deployment' } = object.spec.scaleTargetRef
  const meant = { apiVersion: apiVersion === '' ? 'apps/v1' : apiVersion, kind: kind === '' ? 'Deployment' : kind }
  const known = builtInKinds[meant.kind]
  if (known !== undefined && meant.apiVersion === 'apps/v1') return known
  const { group, version } = parseApiVersion(meant.apiVersion)
  const { resources } = await api.discover(signal)
  const found = resources.find(one => one.group === group && one.version === version && one.kind === meant.kind)
  if (found === undefined)
    throw new Error(`no matches for kind ${JSON.stringify(meant.kind)} in version ${JSON.stringify(meant.apiVersion)}`)
  return { group, version, kind: meant.kind, resource: found.resource }
}

/** Whether there is such an object, with a scale or without. @throws StatusError */
export async function isThere({ resource, namespace, name }: ScaledTarget, api: Api, signal: AbortSignal): Promise<boolean> {
  try {
    await api.resource<KubeObject>(resource).get(name, { namespace, signal })
    return true
  } catch (error) {
    if (!isNotFound(error)) throw error
    return false
  }
}

/** Watches that answer without a question to the server. */
export interface TargetWatches {
  readonly deployments: Informer<KubeObject>
  readonly statefulSets: Informer<KubeObject>
  readonly pods: Informer<Pod>
}

function watched({ deployments, statefulSets }: TargetWatches, { resource }: ScaledTarget): Informer<KubeObject> | undefined {
  const informer = { deployments, statefulsets: statefulSets }[resource.resource]
  return resource.group === 'apps' && informer?.isSynced ? informer : undefined
}

/** The target itself, as watches know it; undefined: they do not. */
export function knownObject(target: ScaledTarget, watches: TargetWatches): KubeObject | undefined {
  return watched(watches, target)?.store.get(target.namespace, target.name)
}

/** Its pods, as watches know them, those that are ending among them: none of a kind that is not watched. */
export function podsOf(target: ScaledTarget, watches: TargetWatches): readonly MemberPod[] {
  const object = knownObject(target, watches)
  if (object === undefined) return []
  const selector = labelSelectorOf(at(object, 'spec', 'selector') as LabelSelector | undefined)
  // An API server stores no other.
  if (!selector.ok) return []
  return [...watches.pods.store.list(target.namespace)].flatMap(({ metadata, status }) => {
    const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed'
    if (isOver || !selector.value.matches(metadata.labels)) return []
    const [createdMs, endsMs] = [metadata.creationTimestamp, metadata.deletionTimestamp].map(time => Date.parse(time ?? ''))
    return [{ createdMs: createdMs || 0, endsMs: Number.isNaN(endsMs) ? undefined : endsMs }]
  })
}

/** Replicas that it is to have, as watches know; undefined: they do not. */
export function knownReplicas(target: ScaledTarget, watches: TargetWatches): number | undefined {
  const object = knownObject(target, watches)
  const replicas = at(object, 'spec', 'replicas')
  return object === undefined ? undefined : typeof replicas === 'number' ? replicas : 1
}

/** Replicas that it is to have; undefined: it is not there. @throws StatusError; `signal.reason` */
export async function replicasOf(
  target: ScaledTarget,
  watches: TargetWatches,
  around: { readonly api: Api; readonly signal: AbortSignal },
): Promise<number | undefined> {
  if (watched(watches, target) !== undefined) return knownReplicas(target, watches)
  return (await readScale(around, target, around.signal)).spec?.replicas ?? 0
}

/** Since when each of its pods that run is ready; milliseconds since 1970, 0 where its time cannot be read. @throws StatusError; `signal.reason` */
export async function readySince(
  target: ScaledTarget,
  watches: TargetWatches,
  around: { readonly api: Api; readonly signal: AbortSignal },
): Promise<readonly number[]> {
  const scale: Scale = await readScale(around, target, around.signal)
  const selector = parseLabelSelector(scale.status?.selector ?? '')
  if (!selector.ok) throw new Error(`the selector of its scale cannot be read: ${selector.problem.expected}`)
  const since: number[] = []
  for (const pod of watches.pods.store.list(target.namespace)) {
    if (pod.status?.phase !== 'Running' || !selector.value.matches(pod.metadata.labels ?? {})) continue
    const ready = pod.status.conditions?.find(({ type, status }) => type === 'Ready' && status === 'True')
    if (ready !== undefined) since.push(Date.parse(ready.lastTransitionTime ?? '') || 0)
  }
  return since
}

/** The target itself, of whatever kind. @throws StatusError; `signal.reason` */
export async function targetObject(
  target: ScaledTarget,
  watches: TargetWatches,
  { api, signal }: { readonly api: Api; readonly signal: AbortSignal },
): Promise<KubeObject> {
  return (
    watched(watches, target)?.store.get(target.namespace, target.name) ??
    (await api.resource<KubeObject>(target.resource).get(target.name, { namespace: target.namespace, signal }))
  )
}

/** The template of its pods, where it has one at the usual place. @throws StatusError; `signal.reason` */
export async function templateOf(
  target: ScaledTarget,
  watches: TargetWatches,
  around: { readonly api: Api; readonly signal: AbortSignal },
): Promise<unknown> {
  return at(await targetObject(target, watches, around), 'spec', 'template')
}
