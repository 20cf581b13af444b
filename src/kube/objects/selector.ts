// Label selectors: as objects have them (`matchLabels`, `matchExpressions`), as people type them (`app in (a,b),!old`), and matching.

import type { Parsed } from '../problem.ts'
import { type FieldError, fieldErrorsText, goQuote, invalid } from './field-error.ts'
import { labelValueProblems, qualifiedNameProblems } from './names.ts'
import type { LabelSelector } from './objects.ts'
import type { SelectorOperator, SelectorRequirement } from './selector-requirement.ts'
import { parseRequirements } from './selector-syntax.ts'

export type Labels = Readonly<Record<string, string>>

export interface Selector {
  /** In order of their keys. All must hold. Empty: everything matches, unless `isNothing`. */
  readonly requirements: readonly SelectorRequirement[]
  readonly isNothing: boolean
  matches(labels: Labels | undefined): boolean
  /** The canonical text: requirements by key, values by alphabet. Nothing prints as the empty string, as everything does. */
  toString(): string
}

const longestText = 65_536

/** The selector that matches all labels, and the one that matches none. */
export const everything: Selector = selectorOf([])
export const nothing: Selector = { requirements: [], isNothing: true, matches: () => false, toString: () => '' }

/** The selector that `text` says; the problem's `message` is Kubernetes' own. The empty text selects everything. */
export function parseLabelSelector(text: string, where = 'label selector'): Parsed<Selector> {
  const refused = (message: string): Parsed<Selector> => refusal({ where, found: text, message })
  if (text.length > longestText) return refused(`at most ${longestText} characters`)
  const read = parseRequirements(text, requirementError)
  if (typeof read === 'string') return refused(read)
  return { ok: true, value: selectorOf(read) }
}

const operatorsOfObjects: Readonly<Record<string, SelectorOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
}

/** The selector of an object's field: absent selects nothing, `{}` everything. */
export function labelSelectorOf(selector: LabelSelector | null | undefined, where = 'selector'): Parsed<Selector> {
  if (selector === undefined || selector === null) return { ok: true, value: nothing }
  const refused = (message: string): Parsed<Selector> => refusal({ where, found: JSON.stringify(selector), message })
  if (typeof selector !== 'object' || Array.isArray(selector)) return refused('an object with matchLabels or matchExpressions')
  const requirements: SelectorRequirement[] = []
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (typeof value !== 'string') return refused(`a text as the value of matchLabels[${key}]`)
    requirements.push({ key, operator: '=', values: [value] })
  }
  if (!Array.isArray(selector.matchExpressions ?? [])) return refused('a list of matchExpressions')
  for (const expression of selector.matchExpressions ?? []) {
    const operator = Object.hasOwn(operatorsOfObjects, expression.operator) ? operatorsOfObjects[expression.operator] : undefined
    if (operator === undefined) return refused(`${goQuote(String(expression.operator))} is not a valid label selector operator`)
    if (typeof expression.key !== 'string') return refused('a text as the key of each expression')
    const values = expression.values ?? []
    if (!Array.isArray(values) || values.some(value => typeof value !== 'string'))
      return refused('a list of texts as values of each expression')
    requirements.push({ key: expression.key, operator, values })
  }
  for (const requirement of requirements) {
    const error = requirementError(requirement)
    if (error !== undefined) return refused(error)
  }
  return { ok: true, value: selectorOf(requirements) }
}

function refusal(what: { readonly where: string; readonly found: string; readonly message: string }): Parsed<Selector> {
  return { ok: false, problem: { code: 'selector-syntax', expected: `a label selector (${what.message})`, ...what } }
}

/** The selector of `matchLabels` alone, as Services and ReplicationControllers have it. Not checked: any text may be a value. */
export function exactSelector(labels: Labels): Selector {
  return selectorOf(Object.entries(labels).map(([key, value]) => ({ key, operator: '=', values: [value] })))
}

/** A selector that holds where all of `requirements` do; they are taken as valid. */
export function selectorOf(requirements: readonly SelectorRequirement[]): Selector {
  const ordered = requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  return {
    requirements: ordered,
    isNothing: false,
    matches: labels => ordered.every(requirement => holds(requirement, labels ?? {})),
    toString: () => ordered.map(requirementText).join(','),
  }
}

function holds({ key, operator, values }: SelectorRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'exists':
      return value !== undefined
    case '!':
      return value === undefined
    case '=':
    case '==':
    case 'in':
      return value !== undefined && values.includes(value)
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'gt':
    case 'lt':
      return value !== undefined && comparesAs(operator, value, values[0] ?? '')
  }
}

function comparesAs(operator: 'gt' | 'lt', value: string, bound: string): boolean {
  if (!isInteger(value) || !isInteger(bound)) return false
  return operator === 'gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound)
}

/** An int64 in decimal digits. */
function isInteger(text: string): boolean {
  return /^-?[0-9]{1,63}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)
}

function requirementText({ key, operator, values }: SelectorRequirement): string {
  switch (operator) {
    case 'exists':
      return key
    case '!':
      return `!${key}`
    case 'in':
    case 'notin':
      return `${key} ${operator} (${values.toSorted().join(',')})`
    case 'gt':
      return `${key}>${values[0] ?? ''}`
    case 'lt':
      return `${key}<${values[0] ?? ''}`
    case '=':
    case '==':
    case '!=':
      return `${key}${operator}${values[0] ?? ''}`
  }
}

/** What is wrong with a requirement, in Kubernetes' words; `undefined`: nothing. */
function requirementError({ key, operator, values }: SelectorRequirement): string | undefined {
  const errors: FieldError[] = []
  const keyProblems = qualifiedNameProblems(key)
  if (keyProblems.length > 0) errors.push(invalid('key', key, keyProblems.join('; ')))
  const shown = values.length === 0 ? null : values
  switch (operator) {
    case 'in':
    case 'notin':
      if (values.length === 0) errors.push(invalid('values', shown, "for 'in', 'notin' operators, values set can't be empty"))
      break
    case 'exists':
    case '!':
      if (values.length > 0) errors.push(invalid('values', shown, 'values set must be empty for exists and does not exist'))
      break
    case 'gt':
    case 'lt':
      if (values.length !== 1) errors.push(invalid('values', shown, "for 'Gt', 'Lt' operators, exactly one value is required"))
      for (const [index, value] of values.entries()) {
        if (!isInteger(value))
          errors.push(invalid(`values[${index}]`, value, "for 'Gt', 'Lt' operators, the value must be an integer"))
      }
      break
    case '=':
    case '==':
    case '!=':
      if (values.length !== 1) errors.push(invalid('values', shown, 'exact-match compatibility requires one single value'))
      break
    default:
      operator satisfies never
  }
  for (const [index, value] of values.entries()) {
    const problems = labelValueProblems(value)
    if (problems.length > 0) errors.push(invalid(`values[${index}][${key}]`, value, problems.join('; ')))
  }
  return errors.length === 0 ? undefined : fieldErrorsText(errors)
}
