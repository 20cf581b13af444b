// Objects in the version a client asks for. Only three kinds differ between the versions that are served: events, autoscalers
// and custom resources.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, draftOf, frozen } from '../../json-value.ts'
import { kindSchema } from '../../schema/kind-schema.ts'
import { settleFields } from '../decoding/settled-fields.ts'
import { apiVersionOf, type ResourceType } from '../resource-type.ts'
import { autoscalerFromV1, autoscalerToV1 } from './autoscaler-versions.ts'

const converted = new WeakMap<KubeObject, Map<string, KubeObject>>()

/** Whether `object` can be shown as `type` has it without asking its webhook. */
export function isKnownIn(type: ResourceType, object: KubeObject): boolean {
  return converted.get(object)?.has(keyOf(type)) === true
}

/** What a webhook made of `object`. */
export function rememberIn(type: ResourceType, object: KubeObject, shown: KubeObject): void {
  const versions = converted.get(object) ?? new Map<string, KubeObject>()
  converted.set(object, versions.set(keyOf(type), shown))
}

/** A definition may go without its webhook later: what that made is forgotten then. */
function keyOf(type: ResourceType): string {
  return type.custom?.converter === undefined ? apiVersionOf(type) : `${apiVersionOf(type)} by its webhook`
}

/** A stored object as `type` serves it; one that a webhook converts was made ready before. The result is frozen. */
export function inVersion(type: ResourceType, object: KubeObject): KubeObject {
  const apiVersion = apiVersionOf(type)
  if (object.apiVersion === apiVersion) return object
  let versions = converted.get(object)
  if (versions === undefined) {
    versions = new Map()
    converted.set(object, versions)
  }
  const key = keyOf(type)
  let found = versions.get(key)
  if (found === undefined) {
    found =
      type.custom === undefined
        ? frozen({ metadata: object.metadata, ...converter(type).fromStorage(object), apiVersion, kind: type.kind })
        : renamedVersion(type, object)
    versions.set(key, found)
  }
  return found
}

/** A custom object that nobody converts: its version has another name, and fields that it lacks are dropped. */
function renamedVersion(type: ResourceType, object: KubeObject): KubeObject {
  const draft = draftOf({ ...object, metadata: {} })
  settleFields(kindSchema(type), draft, { isCustom: true })
  return frozen({ ...draft, apiVersion: apiVersionOf(type), kind: type.kind, metadata: object.metadata })
}

/** A tree in the version of storage as `type` shows it, without a copy of its own; of kinds that no webhook converts. */
export function fieldsIn(type: ResourceType, object: Draft | KubeObject): Draft {
  return object['apiVersion'] === apiVersionOf(type) ? { ...object } : converter(type).fromStorage(object)
}

/** An object as a client wrote it in the version of `type`, in the version in which it is stored. */
export function toStorage(type: ResourceType, draft: Draft): Draft {
  return converter(type).toStorage(draft)
}

interface Converter {
  fromStorage(object: Draft | KubeObject): Draft
  toStorage(draft: Draft): Draft
}

const unchanged: Converter = { fromStorage: object => ({ ...object }), toStorage: draft => draft }

function converter(type: ResourceType): Converter {
  if (type.group === 'events.k8s.io') return events
  if (type.key === 'horizontalpodautoscalers.autoscaling' && type.version === 'v1') return autoscalersV1
  return unchanged
}

/** `[name in events.k8s.io, name in core]` */
const eventFields = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reportingController', 'reportingComponent'],
] as const

function renamed(object: Draft | KubeObject, from: 0 | 1, to: 0 | 1): Draft {
  const names = new Map<string, string>(eventFields.map(pair => [pair[from], pair[to]]))
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [names.get(name) ?? name, value]))
}

const events: Converter = {
  fromStorage: object => renamed(object, 1, 0),
  toStorage: draft => renamed(draft, 0, 1),
}

/** autoscaling/v1 knows one number, the target of cpu. */
const autoscalersV1: Converter = { fromStorage: autoscalerToV1, toStorage: autoscalerFromV1 }
