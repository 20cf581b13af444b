// Field selectors (`status.phase!=Running,spec.nodeName=a`): their text, and matching against an object's supported fields.

import type { Parsed } from '../problem.ts'
import type { KubeObject } from './objects.ts'

export interface FieldTerm {
  readonly field: string
  readonly operator: '=' | '!='
  readonly value: string
}

interface FieldSelector {
  readonly terms: readonly FieldTerm[]
  /** `fieldOf` says what the object has in a field; a field that is absent has the empty text. */
  matches(fieldOf: (field: string) => string | undefined): boolean
  toString(): string
}

const longestText = 65_536

/** The selector that `text` says; the problem's `message` is Kubernetes' own. The empty text selects everything. */
export function parseFieldSelector(text: string, where = 'field selector'): Parsed<FieldSelector> {
  const refused = (message: string): Parsed<FieldSelector> => ({
    ok: false,
    problem: { code: 'field-selector-syntax', where, found: text, expected: `a field selector (${message})`, message },
  })
  if (text.length > longestText) return refused(`at most ${longestText} characters`)
  const terms: FieldTerm[] = []
  for (const part of splitAtCommas(text).sort()) {
    if (part === '') continue
    const operator = /!=|==|=/.exec(part)
    if (operator === null) return refused(`invalid selector: '${text}'; can't understand '${part}'`)
    const value = unescaped(part.slice(operator.index + operator[0].length))
    if (!value.ok) return refused(value.message)
    // `=` alone says nothing.
    if (operator.index === 0 && value.text === '') continue
    terms.push({ field: part.slice(0, operator.index), operator: operator[0] === '!=' ? '!=' : '=', value: value.text })
  }
  return { ok: true, value: fieldSelectorOf(terms) }
}

/** A selector that holds where all of `terms` do. */
function fieldSelectorOf(terms: readonly FieldTerm[]): FieldSelector {
  return {
    terms,
    matches: fieldOf => terms.every(({ field, operator, value }) => ((fieldOf(field) ?? '') === value) === (operator === '=')),
    toString: () => terms.map(({ field, operator, value }) => `${field}${operator}${value.replace(/[\\,=]/g, '\\$&')}`).join(','),
  }
}

/** The terms of `text`: commas behind a backslash do not part them. */
function splitAtCommas(text: string): string[] {
  const parts: string[] = []
  let start = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === ',') {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

type Unescaped = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly message: string }

function unescaped(value: string): Unescaped {
  let text = ''
  for (let at = 0; at < value.length; at++) {
    const character = value.charAt(at)
    if (character === ',' || character === '=') {
      return { ok: false, message: `invalid field selector: unescaped character in value: ${character.charCodeAt(0)}` }
    }
    if (character !== '\\') {
      text += character
      continue
    }
    const escaped = value.charAt(at + 1)
    if (!['\\', ',', '='].includes(escaped))
      return { ok: false, message: `invalid field selector: invalid escape sequence: \\${escaped}` }
    text += escaped
    at++
  }
  return { ok: true, text }
}

/** What `object` has in `field`, as text: absent booleans are `false`, absent numbers `0`, all else the empty text. */
export function selectableFieldOf(object: KubeObject, field: string): string {
  let value: unknown = object
  for (const step of fieldSteps(object, field)) {
    value = typeof value === 'object' && value !== null && Object.hasOwn(value, step) ? Reflect.get(value, step) : undefined
  }
  if (typeof value === 'string') return value
  if (typeof value === 'boolean' || typeof value === 'number') return String(value)
  if (field === 'spec.unschedulable' || field === 'spec.hostNetwork') return 'false'
  return field === 'status.replicas' || field === 'status.successful' ? '0' : ''
}

/** Events of `events.k8s.io` keep in `regarding` what those of `v1` have in `involvedObject`. */
function fieldSteps(object: KubeObject, field: string): readonly string[] {
  const steps = field === 'status.successful' ? ['status', 'succeeded'] : field.split('.')
  if (object.kind !== 'Event') return steps
  if (steps[0] === 'involvedObject' && object['regarding'] !== undefined) return ['regarding', ...steps.slice(1)]
  if (field === 'source') return ['source', 'component']
  return steps
}
