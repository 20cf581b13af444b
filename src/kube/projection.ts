// The stored form of objects: without the fields nobody reads, and with equal parts kept once. Thousands of pods of one
// ReplicaSet share their labels, tolerations and resources; the table counts who uses a part and drops it with the last.
import type { KubeObject, ObjectMeta } from './objects.ts'

export interface Projection<T extends KubeObject> {
  /** The stored form of an object from the wire, frozen. Each is given back by one `release`. */
  project(object: T): T
  release(object: T): void
}

/** As it is, frozen at its top: for kinds of few objects. */
export function wholeProjection<T extends KubeObject>(): Projection<T> {
  return { project: trimmed, release: () => undefined }
}

interface SharedPart {
  readonly part: object
  readonly text: string
  uses: number
}

/** Parts that many objects have in common, by their content. */
export class SharedParts {
  readonly #byText = new Map<string, SharedPart>()
  readonly #byPart = new Map<object, SharedPart>()

  get size(): number {
    return this.#byText.size
  }

  /** The one object that stands for all of this content, frozen through. */
  share<T extends object>(part: T): T {
    const text = JSON.stringify(part)
    let shared = this.#byText.get(text)
    if (shared === undefined) {
      shared = { part: deepFreeze(part), text, uses: 0 }
      this.#byText.set(text, shared)
      this.#byPart.set(part, shared)
    }
    shared.uses++
    // The same text was written by the same shape: what JSON.stringify prints alike, reads alike.
    return shared.part as T
  }

  release(part: object): void {
    const shared = this.#byPart.get(part)
    if (shared === undefined) return
    shared.uses--
    if (shared.uses > 0) return
    this.#byText.delete(shared.text)
    this.#byPart.delete(part)
  }
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** Where parts worth sharing are in `spec`: the same in all pods of a workload. */
const sharedInSpec = [
  'tolerations',
  'affinity',
  'topologySpreadConstraints',
  'nodeSelector',
  'overhead',
  'resources',
  'securityContext',
  'selector',
  'template',
]
/** The same, in each container. */
const sharedInContainer = [
  'resources',
  'ports',
  'env',
  'envFrom',
  'volumeMounts',
  'securityContext',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'command',
  'args',
]
const containerLists = ['containers', 'initContainers']

/** Drops `managedFields` and the last-applied annotation, and shares equal parts through `parts`. */
export function sharingProjection<T extends KubeObject>(parts: SharedParts): Projection<T> {
  return {
    project: object => {
      const { metadata, ...rest } = trimmed(object)
      const shared: Record<string, unknown> = { ...rest, metadata: sharedMetadata(metadata, parts) }
      if (isRecord(shared['spec'])) shared['spec'] = sharedSpec(shared['spec'], parts)
      return Object.freeze(shared) as T
    },
    release: object => {
      for (const part of partsOf(object)) parts.release(part)
    },
  }
}

function trimmed<T extends KubeObject>(object: T): T {
  const { managedFields, annotations, ...rest } = object.metadata
  let kept = annotations
  if (annotations !== undefined && lastApplied in annotations) {
    const { [lastApplied]: _, ...others } = annotations
    kept = others
  }
  const metadata: ObjectMeta = kept === undefined ? rest : { ...rest, annotations: kept }
  return Object.freeze({ ...object, metadata: Object.freeze(metadata) })
}

function sharedMetadata(metadata: ObjectMeta, parts: SharedParts): ObjectMeta {
  return Object.freeze({
    ...metadata,
    ...(metadata.labels === undefined ? {} : { labels: parts.share(metadata.labels) }),
    ...(metadata.annotations === undefined ? {} : { annotations: parts.share(metadata.annotations) }),
    ...(metadata.ownerReferences === undefined ? {} : { ownerReferences: parts.share(metadata.ownerReferences) }),
  })
}

function sharedSpec(spec: Record<string, unknown>, parts: SharedParts): Record<string, unknown> {
  const result = shareFields(spec, sharedInSpec, parts)
  for (const list of containerLists) {
    const containers = result[list]
    if (Array.isArray(containers)) {
      result[list] = containers.map((container: unknown) =>
        isRecord(container) ? shareFields(container, sharedInContainer, parts) : container,
      )
    }
  }
  return result
}

function shareFields(record: Record<string, unknown>, fields: readonly string[], parts: SharedParts): Record<string, unknown> {
  const result = { ...record }
  for (const field of fields) {
    const part = result[field]
    if (typeof part === 'object' && part !== null) result[field] = parts.share(part)
  }
  return result
}

/** Everything of a projected object that may be shared, in any order. */
function* partsOf(object: KubeObject): Iterable<object> {
  const { labels, annotations, ownerReferences } = object.metadata
  for (const part of [labels, annotations, ownerReferences]) if (part !== undefined) yield part
  const spec = object['spec']
  if (!isRecord(spec)) return
  yield* objectsIn(spec, sharedInSpec)
  for (const list of containerLists) {
    const containers = spec[list]
    if (!Array.isArray(containers)) continue
    for (const container of containers) if (isRecord(container)) yield* objectsIn(container, sharedInContainer)
  }
}

function* objectsIn(record: Record<string, unknown>, fields: readonly string[]): Iterable<object> {
  for (const field of fields) {
    const part = record[field]
    if (typeof part === 'object' && part !== null) yield part
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part)
  return Object.freeze(value)
}
