// Filters of a page and the address: each is a parameter with one value, shown as a chip that can be taken away.

export interface FilterDefinition {
  readonly name: string
  /** Before the value on the chip: `decision: denied`. */
  readonly label: string
  /** The values that there are; undefined where any name will do. */
  readonly values?: readonly string[]
  /** Says why a value can't be, or undefined where it can. */
  readonly problem?: (value: string) => string | undefined
}

export interface Filter {
  readonly name: string
  readonly value: string
}

interface FiltersOfAddress {
  readonly filters: readonly Filter[]
  /** What was taken out, as a sentence each: the page says so instead of showing an empty table. */
  readonly dropped: readonly string[]
}

/** Names in a query are no longer than Kubernetes' own. */
const valueCharacters = 400

/** The filters that the address asks for, in the order of their definitions. Of a parameter that comes twice the last one counts. */
export function filtersOfAddress(query: URLSearchParams, definitions: readonly FilterDefinition[]): FiltersOfAddress {
  const filters: Filter[] = []
  const dropped: string[] = []
  for (const definition of definitions) {
    const value = query.getAll(definition.name).at(-1)
    if (value === undefined) continue
    const problem = problemOf(definition, value)
    if (problem === undefined) filters.push({ name: definition.name, value })
    else dropped.push(problem)
  }
  return { filters, dropped }
}

function problemOf({ label, values, problem }: FilterDefinition, value: string): string | undefined {
  const shown = value.length > 60 ? `${value.slice(0, 60)}…` : value
  if (value === '' || value.length > valueCharacters)
    return `The filter ${label} was dropped: it is ${value === '' ? 'empty' : 'too long'}.`
  if (values !== undefined && !values.includes(value))
    return `The filter ${label} ${JSON.stringify(shown)} was dropped: it is none of ${values.join(', ')}.`
  const because = problem?.(value)
  return because === undefined ? undefined : `The filter ${label} ${JSON.stringify(shown)} was dropped: ${because}.`
}

/** The query with that filter in place of any other of its name, or with none. It begins at the first page. */
export function withFilter(query: URLSearchParams, name: string, value: string | undefined): URLSearchParams {
  const next = new URLSearchParams(query)
  next.delete(name)
  next.delete('cursor')
  if (value !== undefined) next.set(name, value)
  return next
}

/** Path and query as an address. */
export function addressOf(path: string, query: URLSearchParams): string {
  const text = query.toString()
  return text === '' ? path : `${path}?${text}`
}
