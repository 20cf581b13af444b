// Regular expressions from users and from schemas: RE2's syntax and its linear time, so that no pattern can hang a process.

import { RE2JS, RE2JSException } from 're2js'
import type { Parsed } from '../problem.ts'

export interface Pattern {
  readonly source: string
  /** Whether the pattern is found anywhere in `text`. */
  isFoundIn(text: string): boolean
  /** Whether the pattern is all of `text`. */
  matchesWhole(text: string): boolean
  /** The groups of the first place found, the whole first; a group that took no part is `undefined`. None: `undefined`. */
  groupsIn(text: string): readonly (string | undefined)[] | undefined
  /** The texts of all places found, `most` at most. */
  wholesIn(text: string, most: number): readonly string[]
  /** `text` with each place found replaced; `$1` and `${name}` stand for groups. */
  replaceAll(text: string, replacement: string): string
}

const longestPattern = 4_096

/** The pattern that `source` says, in RE2 syntax: no look-around and no back-references. */
export function parsePattern(source: string, where = 'pattern'): Parsed<Pattern> {
  const refused = (expected: string): Parsed<Pattern> => ({
    ok: false,
    problem: { code: 'pattern-syntax', where, found: source, expected },
  })
  if (source.length > longestPattern) return refused(`a pattern of at most ${longestPattern} characters`)
  try {
    return { ok: true, value: patternOf(source, RE2JS.compile(source)) }
  } catch (error) {
    if (error instanceof RE2JSException) return refused(`a regular expression in RE2 syntax (${error.message})`)
    throw error
  }
}

function patternOf(source: string, compiled: RE2JS): Pattern {
  return {
    source,
    isFoundIn: text => compiled.matcher(text).find(),
    matchesWhole: text => compiled.matches(text),
    groupsIn(text) {
      const matcher = compiled.matcher(text)
      if (!matcher.find()) return undefined
      return Array.from({ length: matcher.groupCount() + 1 }, (_, index) => matcher.group(index) ?? undefined)
    },
    wholesIn(text, most) {
      const matcher = compiled.matcher(text)
      const found: string[] = []
      while (found.length < most && matcher.find()) found.push(matcher.group() ?? '')
      return found
    },
    replaceAll: (text, replacement) => compiled.matcher(text).replaceAll(replacement),
  }
}
