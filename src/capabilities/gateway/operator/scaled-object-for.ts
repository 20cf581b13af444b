// What becomes of an HTTPScaledObject: the ScaledObject beside it, its status, its finalizer. Upstream's rules, decided from objects alone.
import { isDeepStrictEqual } from 'node:util'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type HttpScaledObject, httpScaledObjectSpec } from '../kinds/http-scaled-object.ts'
import { httpScaledObjects, upstreamAnnotations } from '../names.ts'
import type { Route } from '../routing/route.ts'

export const httpFinalizer = 'httpscaledobject.http.keda.sh'
export const scaledObjects = { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' } as const

/** Upstream's. */
const pollingIntervalSeconds = 15
/** What `kubectl apply` keeps of another object has no place in this one. */
const notCopied = new Set(['kubectl.kubernetes.io/last-applied-configuration'])

/** What is done about the ScaledObject. */
type Beside =
  | { readonly kind: 'apply'; readonly object: KubeObject }
  | { readonly kind: 'delete'; readonly object: KubeObject }
  /** It stays, and is nobody's any more. */
  | { readonly kind: 'orphan'; readonly object: KubeObject }
  | { readonly kind: 'nothing' }
  /** Another one has the name. */
  | { readonly kind: 'refused'; readonly why: string }

interface Outcome {
  readonly finalizer: 'add' | 'remove' | 'leave'
  readonly beside: Beside
  /** What the condition Ready says; undefined: nothing, since the object goes. */
  readonly ready: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string } | undefined
  readonly targetWorkload: string
  readonly targetService: string
}

interface Seen {
  readonly object: KubeObject
  /** The one of the same name, as it is. */
  readonly scaledObject: KubeObject | undefined
  /** What it is as a route, or why it is none. */
  readonly route: Route | readonly string[]
  readonly scalerAddress: string
}

/** @returns all that is to be done, whatever was done before */
export function outcomeOf({ object, scaledObject, route, scalerAddress }: Seen): Outcome {
  const target = at(object, 'spec', 'scaleTargetRef')
  const text = (field: string) => textAt(target, field) ?? ''
  const port = at(target, 'port')
  const said = {
    targetWorkload: `${text('apiVersion')}/${text('kind')}/${text('name')}`,
    targetService: `${text('service')}:${typeof port === 'number' ? port : 0}`,
  }
  if (object.metadata.deletionTimestamp !== undefined)
    return { ...said, finalizer: 'remove', beside: { kind: 'nothing' }, ready: undefined }
  const beside = besideOf({ object, scaledObject, route, scalerAddress })
  return { ...said, finalizer: 'add', beside, ready: readyOf(route, beside) }
}

function readyOf(route: Seen['route'], beside: Beside): Outcome['ready'] {
  const failed = (message: string) => ({ status: 'False' as const, reason: 'CreateError', message })
  if (isProblems(route)) return failed(route.join('; '))
  if (beside.kind === 'refused') return failed(beside.why)
  return { status: 'True', reason: 'Reconciled', message: 'ScaledObject created and configured' }
}

function besideOf({ object, scaledObject, route, scalerAddress }: Seen): Beside {
  const says = (key: string) => object.metadata.annotations?.[key] === 'true'
  const isOurs = scaledObject !== undefined && isMadeFor(scaledObject, object)
  if (says(upstreamAnnotations.orphan))
    return isOurs && isOwned(scaledObject, object) ? { kind: 'orphan', object: scaledObject } : { kind: 'nothing' }
  if (says(upstreamAnnotations.skipCreation))
    return isOurs && isOwned(scaledObject, object) ? { kind: 'delete', object: scaledObject } : { kind: 'nothing' }
  if (isProblems(route)) return { kind: 'nothing' }
  const { namespace, name } = object.metadata
  if (scaledObject !== undefined && !isOurs)
    return { kind: 'refused', why: `ScaledObject ${namespace}/${name} is there, and was not made for this HTTPScaledObject` }
  const wanted = scaledObjectFor(object, scalerAddress)
  return scaledObject !== undefined && has(scaledObject, wanted) ? { kind: 'nothing' } : { kind: 'apply', object: wanted }
}

/** The ScaledObject as upstream's operator writes it. */
function scaledObjectFor(object: KubeObject, scalerAddress: string): KubeObject {
  const { namespace, name, uid, labels = {}, annotations = {} } = object.metadata
  const { scaleTargetRef, replicas, scaledownPeriod, initialCooldownPeriod } = httpScaledObjectSpec.parse(
    (object as HttpScaledObject).spec,
  )
  const copied = Object.entries(annotations).filter(([key]) => !notCopied.has(key))
  const { apiVersion, kind } = scaleTargetRef
  return {
    apiVersion: `${scaledObjects.group}/${scaledObjects.version}`,
    kind: 'ScaledObject',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(copied.length === 0 ? {} : { annotations: Object.fromEntries(copied) }),
      ownerReferences: [
        {
          apiVersion: `${httpScaledObjects.group}/${httpScaledObjects.version}`,
          kind: 'HTTPScaledObject',
          name,
          uid: uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      scaleTargetRef: {
        ...(apiVersion === undefined ? {} : { apiVersion }),
        ...(kind === undefined ? {} : { kind }),
        name: scaleTargetRef.name ?? '',
      },
      pollingInterval: pollingIntervalSeconds,
      ...(scaledownPeriod === undefined ? {} : { cooldownPeriod: scaledownPeriod }),
      ...(initialCooldownPeriod === undefined ? {} : { initialCooldownPeriod }),
      ...(replicas?.min === undefined ? {} : { minReplicaCount: replicas.min }),
      ...(replicas?.max === undefined ? {} : { maxReplicaCount: replicas.max }),
      advanced: { restoreToOriginalReplicaCount: true },
      triggers: [{ type: 'external-push', metadata: { scalerAddress, httpScaledObject: name } }],
    },
  } as KubeObject
}

/** By its owner, or because its trigger names the object: upstream's operator made it, or we did. */
function isMadeFor(scaledObject: KubeObject, object: KubeObject): boolean {
  if (isOwned(scaledObject, object)) return true
  return listAt(scaledObject, 'spec', 'triggers').some(
    trigger =>
      textAt(trigger, 'metadata', 'httpScaledObject') === object.metadata.name &&
      listAt(scaledObject, 'spec', 'triggers').length === 1,
  )
}

function isOwned(scaledObject: KubeObject, { metadata }: KubeObject): boolean {
  return (scaledObject.metadata.ownerReferences ?? []).some(
    ({ kind, name }) => kind.toLowerCase() === 'httpscaledobject' && name === metadata.name,
  )
}

function isProblems(route: Seen['route']): route is readonly string[] {
  return Array.isArray(route)
}

/** Whether all that `wanted` says is there; what others added does no harm. */
function has(found: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(found) && found.length === wanted.length && wanted.every((one, index) => has(found[index], one))
  if (typeof wanted !== 'object' || wanted === null) return isDeepStrictEqual(found, wanted)
  if (typeof found !== 'object' || found === null) return false
  return Object.entries(wanted).every(([key, value]) => has((found as Readonly<Record<string, unknown>>)[key], value))
}
