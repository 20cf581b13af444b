// Templates of rules: each line of what they write is `key=value`.

import { LRUCache } from 'lru-cache'
import type { Matched } from '../matching/matcher.ts'
import { RuleFailure } from '../matching/rule-failure.ts'
import { builtIns } from './built-ins.ts'
import { evaluateTemplate } from './evaluator.ts'
import type { GoFunction } from './functions.ts'
import { parseTemplate } from './parser.ts'
import { sprig } from './sprig.ts'
import type { Template } from './syntax.ts'
import { GoMap, type GoValue } from './values.ts'

/** Bytes of a template's source; node-feature-discovery refuses more too. */
const longestTemplate = 65_536

/** Rules are few and run for each node; what is not asked for any more goes. */
const mostTemplatesKept = 500

const functions: ReadonlyMap<string, GoFunction> = new Map([...builtIns, ...sprig])

const parsed = new LRUCache<string, Template>({ max: mostTemplatesKept })

/**
 * Expands `source` over what a rule's terms matched, and sets the pairs in `into`.
 *
 * @throws RuleFailure where the template cannot be read or evaluated, or a line has no `=`.
 */
export function expandTemplate(source: string | undefined, matched: Matched, into: Map<string, string>): void {
  if (source === undefined || source === '') return
  const written = evaluateTemplate(templateOf(source), dataOf(matched), functions)
  for (const line of written.split('\n')) {
    const pair = line.trim()
    if (pair === '') continue
    const split = pair.indexOf('=')
    if (split === -1) throw new RuleFailure(`a line of the template is ${JSON.stringify(pair)}; it must be <key>=<value>`)
    into.set(pair.slice(0, split), pair.slice(split + 1))
  }
}

function templateOf(source: string): Template {
  const kept = parsed.get(source)
  if (kept !== undefined) return kept
  const size = Buffer.byteLength(source)
  if (size > longestTemplate) throw new RuleFailure(`a template of ${size} bytes; at most ${longestTemplate} are read`)
  const template = parseTemplate(source, name => functions.has(name))
  parsed.set(source, template)
  return template
}

/** `.domain.feature` is a list of maps. */
function dataOf(matched: Matched): GoValue {
  const domains = [...matched].map(([domain, features]) => {
    const lists = [...features].map(([feature, elements]) => [feature, elements.map(element => new GoMap(element, ''))] as const)
    return [domain, new GoMap(lists, [])] as const
  })
  return new GoMap(domains, new GoMap([], []))
}
