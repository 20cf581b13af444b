// One group and version that we serve behind an API server: its resources, and how to read them. What is written here is all that a
// server of ours needs to know; identity, rights, discovery, tables and selectors are the library's.
import type { KubeObject } from '../objects/objects.ts'
import type { Selector } from '../objects/selector.ts'
import type { Caller } from './caller.ts'

/** What is asked of a resource. The library applies the selectors itself; a resource may use them to do less. */
interface ResourceCall {
  readonly caller: Caller
  /** Undefined for cluster-scoped resources, and for a list over all namespaces. */
  readonly namespace: string | undefined
  /** As it stands in the path: of use where one entry serves many names. */
  readonly resource: string
  readonly subresource: string | undefined
  readonly labelSelector: Selector
  readonly query: URLSearchParams
  /** Aborted at the deadline, or when the client went away. */
  readonly signal: AbortSignal
}

interface NamedCall extends ResourceCall {
  readonly name: string
}

export interface TableColumn {
  readonly name: string
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format?: string
  readonly description?: string
  /** 1: only with `-o wide`. */
  readonly priority?: 0 | 1
  cell(object: KubeObject): string | number | boolean | null
}

/** An object of a list that is made only for those who read it: in protobuf a list of all pods needs none of them. */
export interface LateObject {
  /** What selectors look at: names and labels. */
  readonly metadata: KubeObject['metadata']
  readonly make: () => KubeObject
  /** As {@link AggregatedResource.protobuf} of what `make` gives. */
  readonly protobuf: () => Uint8Array
}

type Awaitable<T> = T | Promise<T>

export interface AggregatedResource {
  /** The plural. */
  readonly name: string
  /** Empty unless given: not every kind has a word of its own. */
  readonly singularName?: string
  readonly kind: string
  readonly namespaced: boolean
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  /**
   * Answered with 405 where it is absent, as all that is not `get` or `list`. Undefined in it is no object: the event loop may have a turn
   * there. What is listed is read piece by piece, as fast as its reader takes it.
   */
  list?(call: ResourceCall): Awaitable<Iterable<KubeObject | LateObject | undefined>>
  /** Undefined: 404. */
  get?(call: NamedCall): Awaitable<KubeObject | undefined>
  /** Name and creation time unless given; a function where they follow from the first that is listed, of which it is given none or one. */
  readonly columns?: readonly TableColumn[] | ((items: readonly KubeObject[]) => readonly TableColumn[])
  /** The bytes of an object as protobuf, good until it is called again; without it that form is not served. */
  readonly protobuf?: (object: KubeObject) => Uint8Array
  /** What a field selector that names another field than name and namespace is told. */
  readonly unknownField?: (field: string) => string
  /** How long a list that was written is good for whoever asks the same: a flood costs one. Only where every caller who may list sees the same. */
  readonly sharedMs?: number
  /** OpenAPI of one object, as `structuralSchemaOf` makes it of zod; its `metadata` is added. */
  readonly schema: Readonly<Record<string, unknown>>
}

export interface AggregatedApi {
  readonly group: string
  readonly version: string
  readonly resources: readonly AggregatedResource[]
  /** Serves every other name, and is listed in discovery under its own: names that nobody can list, such as those of metrics. */
  readonly anyOther?: AggregatedResource
  /** Kind of the list of a kind; `<kind>List` unless given. */
  listKind?(kind: string): string
}

const plainName = /^[a-z][a-z0-9-]*$/

/** The same, checked: two resources of one name or a name that is no plural are slips of ours. @throws Error */
export function aggregatedApi(api: AggregatedApi): AggregatedApi {
  const where = `${api.group}/${api.version}`
  if (api.group === '' || !/^v\d+((alpha|beta)\d+)?$/.test(api.version)) throw new Error(`API ${where}: expected GROUP and vN`)
  const names = new Set<string>()
  for (const { name, kind, list, get } of allResources(api)) {
    if (!plainName.test(name)) throw new Error(`API ${where}: found resource ${JSON.stringify(name)}, expected a plural`)
    if (names.has(name)) throw new Error(`API ${where}: found resource ${name} twice`)
    if (list === undefined && get === undefined) throw new Error(`API ${where}: ${kind} can neither be listed nor got`)
    names.add(name)
  }
  return api
}

export function allResources(api: AggregatedApi): readonly AggregatedResource[] {
  return api.anyOther === undefined ? api.resources : [...api.resources, api.anyOther]
}

export function resourceVerbs({ list, get }: AggregatedResource): readonly string[] {
  return [...(get === undefined ? [] : ['get']), ...(list === undefined ? [] : ['list'])]
}
