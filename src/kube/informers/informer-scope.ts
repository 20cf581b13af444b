// Which objects of a resource an informer is about: what the server is asked for, and what can be told of it here.
import { parseFieldSelector, selectableFieldOf } from '../objects/field-selector.ts'
import type { KubeObject } from '../objects/objects.ts'
import { type GroupVersionResource, resourceKey } from '../objects/resource.ts'
import { parseLabelSelector } from '../objects/selector.ts'

export interface InformerScope {
  readonly namespace?: string
  /** These, watched one by one, as if they were one watch. */
  readonly namespaces?: readonly string[]
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Only the metadata is needed: where nobody needs more, only that is asked for. */
  readonly metadataOnly?: boolean
  /** With `metadataOnly`: of the annotations only these, as `ParseOptions.annotations`. Such an informer shares its watch with its like only. */
  readonly annotations?: readonly string[]
  /** Only these fields are needed, as FieldPaths has them, beside names, times, labels and owners. */
  readonly fields?: readonly string[]
  /** Its absence or denial (404, 403) does not hold up `allSynced`. */
  readonly optional?: boolean
  /** Nor does it that its list fails for a minute: whoever asks does with what comes later as with any change. */
  readonly dispensable?: boolean
}

/** The same for informers that can be one watch. */
export function watchKey(resource: GroupVersionResource, scope: InformerScope): string {
  const { namespace, labelSelector, fieldSelector, annotations } = scope
  return JSON.stringify([resourceKey(resource), resource.version, namespace, labelSelector, fieldSelector, annotations])
}

/** Whether an object of the resource belongs to the scope, as far as its own fields say. A selector that does not parse takes nothing. */
export function inScope(scope: InformerScope): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(scope.labelSelector ?? '')
  const fields = parseFieldSelector(scope.fieldSelector ?? '')
  if (!labels.ok || !fields.ok) return () => false
  return object =>
    (scope.namespace === undefined || object.metadata.namespace === scope.namespace) &&
    labels.value.matches(object.metadata.labels ?? {}) &&
    fields.value.matches(field => selectableFieldOf(object, field))
}
