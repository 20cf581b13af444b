// Which route a request belongs to: by host, then path, then headers, in upstream's order.
import type { HeaderRule, Route, RouteRule } from './route.ts'

/** One way to a subject: what its headers are to be. */
interface Way<Subject> {
  readonly headers: readonly HeaderRule[]
  readonly subject: Subject
}

/** Where ways stand among those of one host and path. */
interface Rank {
  readonly createdMs: number
  readonly namespace: string
  readonly name: string
}

/** Every value of a header by its name in lower case; none: it is absent. */
type HeaderLookup = (name: string) => readonly string[]

interface Host<Subject> {
  /** By path without slashes at its ends: `api/v1`; '' is every path. */
  readonly paths: Map<string, Way<Subject>[]>
  /** Segments of the longest of them. */
  deepest: number
}

/** Subjects by rules: built once, asked for every request. */
export class RuleTable<Subject> {
  readonly #hosts = new Map<string, Host<Subject>>()

  /** `rankOf` orders those that are alike: more headers come before, then those with more values, then older ones. */
  constructor(
    entries: Iterable<{ readonly rules: readonly RouteRule[]; readonly subject: Subject }>,
    rankOf: (subject: Subject) => Rank,
  ) {
    for (const { rules, subject } of entries)
      for (const rule of rules)
        for (const host of rule.hosts.length === 0 ? ['*'] : rule.hosts)
          for (const path of rule.paths.length === 0 ? [''] : rule.paths)
            this.#add(host, path, { headers: rule.headers, subject })
    for (const { paths } of this.#hosts.values())
      for (const ways of paths.values()) ways.sort((a, b) => compareWays(a, b, rankOf))
  }

  /**
   * The subject of a request: `host` in lower case and without a port, `path` decoded, without query. The most specific host that has
   * a way whose headers fit; of one host only the longest path prefix is looked at.
   */
  find(host: string, path: string, headers: HeaderLookup): Subject | undefined {
    const exact = this.#under(host, path, headers)
    if (exact !== undefined) return exact
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const found = this.#under(`*${host.slice(dot)}`, path, headers)
      if (found !== undefined) return found
    }
    return this.#under('*', path, headers)
  }

  /** Hosts, none of them a pattern, whose requests are one subject's whatever path and headers they have. */
  *plainHosts(): Iterable<readonly [host: string, subject: Subject]> {
    for (const [host, { paths }] of this.#hosts) {
      const first = paths.size === 1 ? paths.get('')?.[0] : undefined
      if (first !== undefined && first.headers.length === 0 && !host.includes('*')) yield [host, first.subject]
    }
  }

  #under(pattern: string, path: string, headers: HeaderLookup): Subject | undefined {
    const host = this.#hosts.get(pattern)
    if (host === undefined) return undefined
    const ways = waysAt(host, path)
    return ways?.find(way => fits(way.headers, headers))?.subject
  }

  #add(pattern: string, path: string, way: Way<Subject>): void {
    let host = this.#hosts.get(pattern)
    if (host === undefined) {
      host = { paths: new Map(), deepest: 0 }
      this.#hosts.set(pattern, host)
    }
    const key = trimmed(path)
    const ways = host.paths.get(key)
    if (ways === undefined) host.paths.set(key, [way])
    else ways.push(way)
    host.deepest = Math.max(host.deepest, key === '' ? 0 : key.split('/').length)
  }
}

/** Routes by what requests say. */
export function routingTable(routes: readonly Route[]): RuleTable<Route> {
  return new RuleTable(
    routes.map(route => ({ rules: route.rules, subject: route })),
    route => route,
  )
}

/** Those of the longest path prefix on a segment border. */
function waysAt<Subject>({ paths, deepest }: Host<Subject>, path: string): readonly Way<Subject>[] | undefined {
  if (deepest > 0) {
    const key = trimmed(path)
    // Only so many segments are looked at as some rule has, however many a request has.
    let end = key.length
    const ends: number[] = []
    for (let at = key.indexOf('/'); at !== -1 && ends.length < deepest; at = key.indexOf('/', at + 1)) ends.push(at)
    if (ends.length === deepest) end = ends.pop() ?? end
    while (end > 0) {
      const found = paths.get(key.slice(0, end))
      if (found !== undefined) return found
      end = ends.pop() ?? 0
    }
  }
  return paths.get('')
}

function trimmed(path: string): string {
  let start = 0
  let end = path.length
  while (start < end && path.charCodeAt(start) === 0x2f) start++
  while (end > start && path.charCodeAt(end - 1) === 0x2f) end--
  return path.slice(start, end)
}

function fits(rules: readonly HeaderRule[], headers: HeaderLookup): boolean {
  return rules.every(({ name, value }) => {
    const values = headers(name)
    return value === undefined ? values.length > 0 : values.includes(value)
  })
}

function compareWays<Subject>(a: Way<Subject>, b: Way<Subject>, rankOf: (subject: Subject) => Rank): number {
  const valued = ({ headers }: Way<Subject>) => headers.filter(({ value }) => value !== undefined).length
  const [left, right] = [rankOf(a.subject), rankOf(b.subject)]
  return (
    b.headers.length - a.headers.length ||
    valued(b) - valued(a) ||
    left.createdMs - right.createdMs ||
    compareText(right.namespace, left.namespace) ||
    compareText(right.name, left.name)
  )
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
