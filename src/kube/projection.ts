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
  status: { containerStatuses: { '*': { resources: 'share', allocatedResources: 'share', volumeMounts: 'share' } } },
}

/** Drops `managedFields` and the last-applied annotation, and shares equal parts through `parts`. */
export function sharingProjection<T extends KubeObject>(parts: SharedParts): Projection<T> {
  return {
    // The copy has the shape of the original: parts are replaced by equal ones.
    project: object => Object.freeze(copied(trimmed(object), plan, parts)) as T,
    release: object => {
      for (const part of sharedIn(object, plan)) parts.release(part)
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

/** The parts of a projected object that are in the table. */
function* sharedIn(value: unknown, way: Plan): Iterable<object> {
  if (typeof value !== 'object' || value === null) return
  if (way === 'share') yield value
  else if (Array.isArray(value)) {
    const inner = way['*']
    if (inner !== undefined) for (const item of value) yield* sharedIn(item, inner)
  } else {
    for (const [key, part] of Object.entries(value)) {
      const inner = way[key] ?? way['*']
      if (inner !== undefined) yield* sharedIn(part, inner)
    }
  }
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part)
  return Object.freeze(value)
}
