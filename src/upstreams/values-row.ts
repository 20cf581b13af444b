// A row of a migration's table: what becomes of one key of an upstream chart's values. Rows are data and pure functions.

/** What a row makes of a value. `to` is a path of our chart's values. */
export type Step =
  | {
      readonly kind: 'carried'
      readonly to: string
      readonly value: unknown
      /** The value is added to the list that stands there. */
      readonly isItem?: boolean
      readonly why?: string
    }
  /** Carried, or left out, so that the cluster behaves otherwise than before: whoever migrates has to agree. */
  | { readonly kind: 'changed'; readonly to: string; readonly value: unknown; readonly why: string }
  /** Left out without anything being lost. */
  | { readonly kind: 'dropped'; readonly why: string }
  /** Left out, and something is lost by it. */
  | { readonly kind: 'lost'; readonly why: string }

/** What a row may ask about the rest of the input. */
export interface RowContext {
  /** The value at another path of the input, or upstream's default. */
  read(path: string): unknown
  /** Where the release lies, as far as known. */
  readonly namespace: string | undefined
}

export interface ValuesRow {
  /** Path in upstream's values, dotted. The row has everything below it, too. */
  readonly path: string
  /** The first of the supported charts that knows it. */
  readonly since?: string
  /** What upstream's chart takes where the input says nothing; only where a row asks for it. */
  readonly upstreamDefault?: unknown
  readonly carry: (value: unknown, context: RowContext) => readonly Step[]
}

type RowOptions = Pick<ValuesRow, 'since' | 'upstreamDefault'>

/** Carried as it stands. */
export function same(path: string, to: string, options: RowOptions = {}): ValuesRow {
  return { path, ...options, carry: value => [{ kind: 'carried', to, value }] }
}

/** Carried under another form. */
export function converted(
  path: string,
  carry: (value: unknown, context: RowContext) => readonly Step[],
  options: RowOptions = {},
): ValuesRow {
  return { path, ...options, carry }
}

/** Never carried, and nothing is lost. */
export function dropped(path: string, why: string, options: RowOptions = {}): ValuesRow {
  return { path, ...options, carry: () => [{ kind: 'dropped', why }] }
}

/** Not carried; lost when it says more than upstream's default, which says nothing. */
export function lostUnlessEmpty(path: string, why: string, options: RowOptions & { readonly empty?: unknown } = {}): ValuesRow {
  const { empty, ...rest } = options
  return {
    path,
    ...rest,
    carry: value =>
      isEmpty(value) || value === empty
        ? [{ kind: 'dropped', why: "it is upstream's default and says nothing" }]
        : [{ kind: 'lost', why }],
  }
}

/** `null`, `''`, `false`, `[]`, `{}`. */
export function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === false) return true
  if (Array.isArray(value)) return value.length === 0
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** A comma list or a list of texts, trimmed, without empty ones. */
export function textList(value: unknown): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : []
  return items.map(item => String(item).trim()).filter(item => item !== '')
}
