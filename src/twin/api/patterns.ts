// Patterns of schemas and CEL, each compiled once.
import { type Pattern, parsePattern } from '#kube/values/regex.ts'

const compiled = new Map<string, Pattern | undefined>()
const mostCompiled = 10_000

interface CompiledPattern {
  /** True where the pattern is found; a pattern that does not parse matches everything. */
  test(text: string): boolean
}

export function compilePattern(source: string): CompiledPattern {
  let pattern = compiled.get(source)
  if (pattern === undefined && !compiled.has(source)) {
    const parsed = parsePattern(source)
    pattern = parsed.ok ? parsed.value : undefined
    if (compiled.size >= mostCompiled) compiled.clear()
    compiled.set(source, pattern)
  }
  const found = pattern
  return { test: text => found === undefined || found.isFoundIn(text) }
}
