// The stored form of objects: without the fields nobody reads, and with equal parts kept once. Thousands of pods of one
// ReplicaSet share their labels, tolerations and resources; the table counts who uses a part and drops it with the last.

import { FieldPaths } from '../objects/field-paths.ts'
import type { KubeObject, ManagedFieldsEntry, ObjectMeta } from '../objects/objects.ts'
import type { KnownSpecs } from './known-specs.ts'

export interface Projection<T extends KubeObject> {
  /**
   * The stored form of an object from the wire, frozen. Each is given back by one `release`. `like` is the stored form of an earlier state of
   * the object, not given back yet: what did not change need not be made anew.
   */
  project(object: T, like?: T): T
  release(object: T): void
}

/** As it is, frozen at its top: for kinds of few objects. */
export function wholeProjection<T extends KubeObject>(): Projection<T> {
  return { project: trimmed, release: () => undefined }
}

/** Shorter words are kept once by the parser. */
const shortestWord = 8
const longestWord = 128
const wordLimit = 8192

interface SharedPart {
  readonly part: object
  readonly text: string
  uses: number
}

/** Parts that many objects have in common, by their content. */
export class SharedParts {
  readonly #byText = new Map<string, SharedPart>()
  readonly #byPart = new Map<object, SharedPart>()
  readonly #words = new Map<string, string>()
  #textLength = 0

  get size(): number {
    return this.#byText.size
  }

  /** The same text, kept once while it is among the words last seen: names of nodes, images, phases, times. */
  word(text: string): string {
    if (text.length < shortestWord || text.length > longestWord) return text
    const known = this.#words.get(text)
    if (known !== undefined) return known
    if (this.#words.size >= wordLimit) this.#words.clear()
    this.#words.set(text, text)
    return text
  }

  /** The one object that stands for all of this content, frozen through. */
  share<T extends object>(part: T): T {
    const text = JSON.stringify(part)
    let shared = this.#byText.get(text)
    if (shared === undefined) {
      shared = { part: deepFreeze(part), text, uses: 0 }
      this.#byText.set(text, shared)
      this.#byPart.set(part, shared)
      this.#textLength += text.length
    }
    shared.uses++
    // The same text was written by the same shape: what JSON.stringify prints alike, reads alike.
    return shared.part as T
  }

  /** Every shared part in `object`, itself included, is used once more: what `releaseIn` takes back. */
  shareAgain<T extends object>(object: T): T {
    const shared = this.#byPart.get(object)
    if (shared !== undefined) shared.uses++
    else
      for (const name in object) {
        const part = object[name]
        if (typeof part === 'object' && part !== null) this.shareAgain(part)
      }
    return object
  }

  /** Gives back every shared part in `object`, whichever projection put it there. */
  releaseIn(object: object): void {
    const shared = this.#byPart.get(object)
    if (shared === undefined) {
      for (const name in object) {
        const part: unknown = Reflect.get(object, name)
        if (typeof part === 'object' && part !== null) this.releaseIn(part)
      }
      return
    }
    shared.uses--
    if (shared.uses > 0) return
    this.#byText.delete(shared.text)
    this.#byPart.delete(object)
    this.#textLength -= shared.text.length
  }

  /** Characters of the text of all parts. */
  get textLength(): number {
    return this.#textLength
  }

  /** Characters of the text of what is an object's own. */
  ownLength(object: object): number {
    return JSON.stringify(object, (_, part: unknown) => (isOneOf(this.#byPart, part) ? undefined : part)).length
  }
}

function isOneOf(parts: ReadonlyMap<object, unknown>, part: unknown): boolean {
  return typeof part === 'object' && part !== null && parts.has(part)
}

const sampleSize = 20
/** A character of JSON becomes about two bytes of objects; a shared part is kept with its text; an object has four places in maps and indexes. */
const bytesACharacter = 2
const bytesASharedCharacter = 3
const bytesOfPlaces = 300

/** Bytes that stored objects and their shared parts take, judged by the first of them. */
export function estimatedBytes(objects: { readonly size: number; list(): Iterable<object> }, parts: SharedParts): number {
  let length = 0
  let count = 0
  for (const object of objects.list()) {
    if (count++ === sampleSize) break
    length += parts.ownLength(object)
  }
  const own = count === 0 ? 0 : (length / Math.min(count, sampleSize)) * bytesACharacter + bytesOfPlaces
  return Math.round(objects.size * own + parts.textLength * bytesASharedCharacter)
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** What becomes of a part: shared as a whole, or looked into by key (`*`: any item of a list, any other key). */
type Plan = 'share' | { readonly [key: string]: Plan }

/** What is the same in all pods of a workload. Mounts and volumes carry a random name each: only their insides are. */
const container: Plan = {
  resources: 'share',
  ports: 'share',
  env: 'share',
  envFrom: 'share',
  securityContext: 'share',
  livenessProbe: 'share',
  readinessProbe: 'share',
  startupProbe: 'share',
  lifecycle: 'share',
  command: 'share',
  args: 'share',
}
const plan: Plan = {
  metadata: { labels: 'share', annotations: 'share', ownerReferences: 'share' },
  spec: {
    tolerations: 'share',
    affinity: 'share',
    topologySpreadConstraints: 'share',
    nodeSelector: 'share',
    overhead: 'share',
    resources: 'share',
    securityContext: 'share',
    imagePullSecrets: 'share',
    selector: 'share',
    template: 'share',
    volumes: { '*': { '*': 'share' } },
    containers: { '*': container },
    initContainers: { '*': container },
  },
  status: { containerStatuses: { '*': { resources: 'share', allocatedResources: 'share' } } },
}

/** Kinds of which it is kept who wrote the fields below: there are few of them, and people ask who changed them. */
const signedKinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicationController', 'Node'])
const signedFields = ['f:template', 'f:replicas', 'f:unschedulable', 'f:taints'] as const

/**
 * Drops `managedFields` (but for who wrote templates, replicas, cordons and taints), the last-applied annotation and the identities of
 * containers in the status of pods, and shares equal parts through `parts`.
 */
export function sharingProjection<T extends KubeObject>(parts: SharedParts): Projection<T> {
  return {
    // The copy has the shape of the original: parts are replaced by equal ones.
    project: object => Object.freeze(copied(trimmed(object), plan, parts)) as T,
    release: object => parts.releaseIn(object),
  }
}

/** What every reader of objects is entitled to, whatever the fields it named. */
const alwaysKept = [
  'apiVersion',
  'kind',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'metadata.resourceVersion',
  'metadata.generation',
  'metadata.creationTimestamp',
  'metadata.deletionTimestamp',
  'metadata.deletionGracePeriodSeconds',
  'metadata.labels',
  'metadata.ownerReferences',
]

/**
 * Only the fields of `paths` (as FieldPaths has them) beside names, times, labels and owners; what stands right under `metadata`, `spec` and
 * `status` is shared through `parts`. `knownSpecs` is told how specs are kept. @throws RangeError for a path that is none
 */
export function fieldProjection<T extends KubeObject>(
  paths: Iterable<string>,
  parts: SharedParts,
  knownSpecs?: KnownSpecs,
): Projection<T> {
  const fields = new FieldPaths([...alwaysKept, ...paths])
  const sharing = {
    keep: (part: object) => parts.share(part),
    again: <T extends object>(part: T) => parts.shareAgain(part),
    word: (text: string) => parts.word(text),
  }
  return {
    project: (object, like) => {
      const picked = fields.pickParts(object, sharing, like)
      for (const part of Object.values(picked)) if (typeof part === 'object') Object.freeze(part)
      knownSpecs?.isKept(object['spec'], Reflect.get(picked, 'spec'))
      // The fields that are left are those of the original; readers of others have not named them.
      return Object.freeze(picked) as T
    },
    release: object => parts.releaseIn(object),
  }
}

function trimmed<T extends KubeObject>(object: T): T {
  const { managedFields, annotations, ...rest } = object.metadata
  let kept = annotations
  if (annotations !== undefined && lastApplied in annotations) {
    const { [lastApplied]: _, ...others } = annotations
    kept = others
  }
  const signed = signedKinds.has(object.kind) || isSizedSet(object) ? signatures(managedFields) : []
  const metadata: ObjectMeta = {
    ...rest,
    ...(kept === undefined ? {} : { annotations: kept }),
    ...(signed.length === 0 ? {} : { managedFields: signed }),
  }
  const plain = { ...object, metadata: Object.freeze(metadata) }
  return Object.freeze(object.kind === 'Pod' ? withoutIdentities(plain) : plain)
}

/** A ReplicaSet that has pods: when it was sized tells when its Deployment was scaled. Past revisions are many, and tell nothing. */
function isSizedSet({ kind, spec }: KubeObject): boolean {
  return kind === 'ReplicaSet' && typeof spec === 'object' && spec !== null && 'replicas' in spec && spec.replicas !== 0
}

/** A pod without what only tells its containers from all others and nobody reads; a write of a pod never takes its status along. */
function withoutIdentities<T extends KubeObject>(pod: T): T {
  const status = pod['status']
  if (typeof status !== 'object' || status === null || Array.isArray(status)) return pod
  const trimmedStatus: Record<string, unknown> = { ...status }
  for (const field of ['containerStatuses', 'initContainerStatuses'] as const) {
    const statuses = trimmedStatus[field]
    if (Array.isArray(statuses)) trimmedStatus[field] = statuses.map(withoutIdentity)
  }
  return { ...pod, status: trimmedStatus }
}

/** IDs of container and image, and the status of mounts, one of which has a random name: 1 KB a container. */
function withoutIdentity(status: unknown): unknown {
  if (typeof status !== 'object' || status === null || Array.isArray(status)) return status
  const { containerID, imageID, volumeMounts, ...rest }: Readonly<Record<string, unknown>> = { ...status }
  return rest
}

/** The entries that own a signed field, each with no other fields than those. */
function signatures(entries: readonly ManagedFieldsEntry[] | undefined): readonly ManagedFieldsEntry[] {
  if (!Array.isArray(entries)) return []
  return entries.flatMap(entry => {
    const spec = entry.fieldsV1?.['f:spec']
    if (typeof spec !== 'object' || spec === null) return []
    const owned = signedFields.filter(field => Object.hasOwn(spec, field))
    if (owned.length === 0) return []
    return [{ ...entry, fieldsV1: { 'f:spec': Object.fromEntries(owned.map(field => [field, {}])) } }]
  })
}

/** A copy of `value` whose parts named by `way` are the shared ones, and whose strings are kept once where many have them. */
function copied(value: unknown, way: Plan | undefined, parts: SharedParts): unknown {
  if (typeof value === 'string') return parts.word(value)
  if (typeof value !== 'object' || value === null) return value
  if (way === 'share') return parts.share(value)
  if (Array.isArray(value)) return value.map(item => copied(item, way?.['*'], parts))
  // A spread keeps the compact form of what the parser made; an object grown key by key has not.
  const copy: Record<string, unknown> = { ...value }
  for (const [key, part] of Object.entries(value)) {
    const next = copied(part, way?.[key] ?? way?.['*'], parts)
    // Assigning to this key would change the prototype; what is under it stays as it came.
    if (next !== part && key !== '__proto__') copy[key] = next
  }
  return copy
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part)
  return Object.freeze(value)
}
