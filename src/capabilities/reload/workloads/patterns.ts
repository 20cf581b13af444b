// The comma lists of names in the annotations `…/reload`: RE2 patterns as upstream compiles them, plain names, and `namespace/name`.
import type { Parsed } from '#kube/problem.ts'
import { parsePattern } from '#kube/values/regex.ts'
import type { AnnotationProblem } from '../annotations.ts'

/** One entry of such a list. */
export interface NamePattern {
  readonly text: string
  isFoundIn(name: string): boolean
}

export interface NamedSources {
  /** Names in which no character means anything but itself; they are found by a look-up. */
  readonly names: ReadonlySet<string>
  readonly patterns: readonly NamePattern[]
  /** Objects of other namespaces, which must consent. */
  readonly elsewhere: readonly { readonly namespace: string; readonly name: string }[]
  readonly problems: readonly AnnotationProblem[]
}

const mostEntries = 1_000
const mostCompiled = 1_000
const dottedName = /^[A-Za-z0-9_.-]+$/
const plainName = /^[A-Za-z0-9_-]+$/
const elsewhereName = /^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\/([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)$/

const nobody: NamedSources = { names: new Set(), patterns: [], elsewhere: [], problems: [] }

/** What the annotation `key` with this text names. An entry that does not compile is told, and the others count. */
export function namedSources(key: string, text: string | undefined, compiled: CompiledPatterns): NamedSources {
  if (text === undefined || text === '') return nobody
  const names = new Set<string>()
  const patterns: NamePattern[] = []
  const elsewhere: { readonly namespace: string; readonly name: string }[] = []
  const problems: AnnotationProblem[] = []
  const entries = text.split(',', mostEntries + 1)
  if (entries.length > mostEntries) {
    problems.push({ key, value: text, why: `expected at most ${mostEntries} entries; the others are not looked at` })
  }
  for (const entry of entries.slice(0, mostEntries)) {
    const value = entry.trim()
    const [, namespace, name] = elsewhereName.exec(value) ?? []
    if (plainName.test(value)) names.add(value)
    else if (dottedName.test(value)) patterns.push(new DottedName(value))
    else if (namespace !== undefined && name !== undefined) elsewhere.push({ namespace, name })
    else if (value !== '') {
      // Names have no slash: nobody means this as a pattern.
      if (value.includes('/')) problems.push({ key, value, why: 'expected namespace/name without a pattern' })
      const parsed = compiled.pattern(value)
      if (parsed.ok) patterns.push(parsed.value)
      else problems.push({ key, value, why: `expected ${parsed.problem.expected}` })
    }
  }
  return { names, patterns, elsewhere, problems }
}

/** A name with dots, the pattern that is met most: a dot stands for any character. Costs nothing to keep, unlike a compiled one. */
class DottedName implements NamePattern {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  isFoundIn(name: string): boolean {
    const characters = Array.from(name)
    if (characters.length !== this.text.length) return false
    return characters.every((character, at) => character === this.text[at] || (this.text[at] === '.' && character !== '\n'))
  }
}

/** Patterns by their text: workloads often have the same, and a compiled one takes some kilobytes. */
export class CompiledPatterns {
  readonly #byText = new Map<string, Parsed<NamePattern>>()

  /** Upstream puts no group around it: `foo|bar` takes names that begin with `foo` or end with `bar`. */
  pattern(text: string): Parsed<NamePattern> {
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    const parsed = parsePattern(`^${text}$`)
    const pattern: Parsed<NamePattern> = parsed.ok
      ? { ok: true, value: { text, isFoundIn: name => parsed.value.isFoundIn(name) } }
      : parsed
    const [oldest] = this.#byText.keys()
    if (this.#byText.size >= mostCompiled && oldest !== undefined) this.#byText.delete(oldest)
    this.#byText.set(text, pattern)
    return pattern
  }
}

/** The entry that takes an object of the workload's own namespace; `undefined`: none. */
export function entryFor({ names, patterns }: NamedSources, name: string): string | undefined {
  return names.has(name) ? name : patterns.find(pattern => pattern.isFoundIn(name))?.text
}
