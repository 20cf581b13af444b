// Label selectors of namespaces and of ConfigMaps and Secrets as upstream's flags take them: standard selectors, and the old forms
// `key:value`, `key:*` and `key=*`.

import { parseLabelSelector, type Selector } from '#kube/objects/selector.ts'
import type { Parsed } from '#kube/problem.ts'

/**
 * The selector of `text`. The elements of a flag that is given several times are joined with `,`, as upstream does it; each part between
 * commas that are not in parentheses may have an old form. The empty text selects everything.
 */
export function parseScopeSelector(text: string, where = 'selector'): Parsed<Selector> {
  return parseLabelSelector(partsOf(text).map(standardForm).join(','), where)
}

/** Split at the commas outside of parentheses. */
function partsOf(text: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') depth++
    else if (text[at] === ')') depth--
    else if (text[at] === ',' && depth === 0) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, text.slice(start)]
}

/** As upstream does it: what comes after a second `:` is cut off. */
function standardForm(part: string): string {
  const [label = '', wanted] = part.split('=')
  if (wanted?.trim() === '*') return label
  const [key = '', value] = part.split(':')
  if (value === undefined) return part
  return value === '*' ? key : `${key}=${value}`
}
