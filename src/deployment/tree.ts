// Objects with holes: one tree is filled in with values (`ballast manifests`) and printed as a template (the Helm chart). There are a
// value, a condition, a repetition and a name, and nothing else: what both make of a tree cannot come apart.

/** A test on the values, on the release, or on what the cluster serves. */
export type Condition =
  /** Neither false, 0, empty nor absent. */
  | { readonly on: string }
  /** Given, whatever its value. */
  | { readonly present: string }
  /** A list has this member. */
  | { readonly has: string; readonly value: string }
  /** A value is this text. */
  | { readonly is: string; readonly value: string }
  /** The value, as JSON, has this text somewhere. */
  | { readonly says: string; readonly value: string }
  /** The namespace of the release has this name. */
  | { readonly namespace: string }
  /** Two names that are worked out are equal. */
  | { readonly same: readonly [Named, Named] }
  /** The cluster serves this group and version: `monitoring.coreos.com/v1`. */
  | { readonly served: string }
  | { readonly not: Condition }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }

/** Names that are worked out from values: each is a function in `names.ts` and a definition in the chart's `_helpers.tpl`. */
export type Named =
  | 'name'
  | 'fullname'
  | 'namespace'
  | 'agentNamespace'
  | 'image'
  /** The ServiceAccount of a process: `serviceAccount` is the controller's, the others begin with their block of the values. */
  | `${string}Account`
  | 'release'
  | 'service'

/** A piece of a text: itself, a name, a value, or (in a repetition) the member, whole or one field of it. */
export type Part =
  | string
  | { readonly named: Named }
  | { readonly value: string }
  /** The directory that the path of a value lies in. */
  | { readonly directory: string }
  /** The members of a list, by comma. */
  | { readonly joined: string }
  | { readonly item: string }

/** A line of a text of several lines; with `value` that value follows as JSON. */
export interface Line {
  readonly text: string
  readonly value?: string
  readonly when?: Condition
}

type HoleKind =
  | { readonly kind: 'value'; readonly path: string }
  /** As a field: left out while empty. Among items of a list, or under a key `...`: its own members. */
  | { readonly kind: 'block'; readonly path: string; readonly templated: boolean }
  | { readonly kind: 'text'; readonly parts: readonly Part[]; readonly templated?: boolean }
  | { readonly kind: 'lines'; readonly lines: readonly Line[] }
  | { readonly kind: 'checksum'; readonly path: string }
  /** As a field: a text of several lines that is a map of the values as JSON, templates in it filled in. */
  | { readonly kind: 'document'; readonly path: string }
  /** As a field: one tree. In a list: any number of items. */
  | { readonly kind: 'when'; readonly condition: Condition; readonly trees: readonly Tree[] }
  /** In a list: these for each member of the value. */
  | { readonly kind: 'each'; readonly path: string; readonly trees: readonly Tree[] }
  /** Under a key `...`: the labels that all objects have. */
  | { readonly kind: 'labels'; readonly component: string }
  /** In a list: items that several objects have; the chart defines them once. */
  | { readonly kind: 'shared'; readonly name: string; readonly items: readonly Tree[] }

export class Hole {
  readonly of: HoleKind
  constructor(of: HoleKind) {
    this.of = of
  }
}

export interface Fields {
  readonly [key: string]: Tree
}
export type Tree = string | number | boolean | Hole | Fields | readonly Tree[]

/** A scalar of the values. */
export const value = (path: string): Hole => new Hole({ kind: 'value', path })
/** A map or list of the values. `templated`: texts of it may say `{{ .Release.Namespace }}` and the like. */
export const block = (path: string, templated = false): Hole => new Hole({ kind: 'block', path, templated })
export const text = (...parts: readonly Part[]): Hole => new Hole({ kind: 'text', parts })
/** A scalar of the values that may say `{{ .Release.Namespace }}`. */
export const templatedText = (path: string): Hole => new Hole({ kind: 'text', parts: [{ value: path }], templated: true })
export const lines = (list: readonly Line[]): Hole => new Hole({ kind: 'lines', lines: list })
export const checksum = (path: string): Hole => new Hole({ kind: 'checksum', path })
export const document = (path: string): Hole => new Hole({ kind: 'document', path })
export const when = (condition: Condition, ...trees: readonly Tree[]): Hole => new Hole({ kind: 'when', condition, trees })
export const each = (path: string, ...trees: readonly Tree[]): Hole => new Hole({ kind: 'each', path, trees })
export const shared = (name: string, items: readonly Tree[]): Hole => new Hole({ kind: 'shared', name, items })

export const labels = (component: string): Hole => new Hole({ kind: 'labels', component })

export const named = (name: Named): Part => ({ named: name })
export const item: Part = { item: '' }

export const all = (...conditions: readonly Condition[]): Condition =>
  conditions.length === 1 && conditions[0] !== undefined ? conditions[0] : { all: conditions }
export const any = (...conditions: readonly Condition[]): Condition =>
  conditions.length === 1 && conditions[0] !== undefined ? conditions[0] : { any: conditions }
export const not = (condition: Condition): Condition => ({ not: condition })

/** One object, or one for each member of a list, and the file of the chart that it stands in. */
export interface ObjectTree {
  /** Below `templates/`. */
  readonly file: string
  readonly when?: Condition
  /** One object for each member of this value. */
  readonly each?: string
  readonly tree: Fields
}

export function isFields(tree: Tree): tree is Fields {
  return typeof tree === 'object' && !Array.isArray(tree) && !(tree instanceof Hole)
}
