// `x-kubernetes-validations` of definitions: each rule is typed against its schema and must not cost more than upstream allows.
import { type CheckedCel, checkCel } from '#kube/cel/cel-check.ts'
import { estimatedCost } from '#kube/cel/cel-cost.ts'
import { capped } from '#kube/cel/cel-ranges.ts'
import { type CelType, optionalType } from '#kube/cel/cel-types.ts'
import { type FieldError, forbidden, internalError, invalid } from '#kube/objects/field-error.ts'
import { type Draft, fieldsAt, isFields, itemsAt, numberAt, textAt } from '../../json-value.ts'
import { type DeclaredType, declaredType, largestRequest, sizeAt } from './definition-types.ts'

/** Steps that one expression may take by the estimate. */
const mostExpressionSteps = 10_000_000
/** Steps that all rules of a schema may take together by the estimate. */
const mostSchemaSteps = 100_000_000

interface RuleOptions {
  /** The schema did not change: what its rules cost was let pass before. */
  readonly isUnchanged: boolean
  /** Whether something else is wrong at a place or below it: rules there are not looked at. */
  readonly isFaulty: (place: string) => boolean
}

/** Everything that is wrong with the rules of a schema that is structural. */
export function definitionRuleProblems(schema: Draft, place: string, options: RuleOptions): readonly FieldError[] {
  const rules = new Rules(options)
  rules.node(schema, place, { count: 1, isRoot: true, uncorrelated: undefined })
  return [...rules.problems, ...rules.totalProblems(place)]
}

interface Within {
  /** How many of these there may be in an object; undefined: as many as fit. */
  readonly count: number | undefined
  readonly isRoot: boolean
  /** The place above in which nobody knows what an old value became. */
  readonly uncorrelated: string | undefined
}

class Rules {
  readonly problems: FieldError[] = []
  readonly #options: RuleOptions
  readonly #expensive: { readonly place: string; readonly cost: number }[] = []
  #total = 0

  constructor(options: RuleOptions) {
    this.#options = options
  }

  node(schema: Draft, place: string, within: Within): void {
    const count = within.count === undefined ? undefined : partsOf(schema)
    const inner: Within = {
      count: count === undefined ? undefined : capped((within.count ?? 0) * count),
      isRoot: false,
      uncorrelated: within.uncorrelated,
    }
    const additional = schema['additionalProperties']
    if (isFields(additional)) this.node(additional, `${place}.additionalProperties`, inner)
    for (const [name, property] of Object.entries(fieldsAt(schema, 'properties') ?? {}))
      if (isFields(property)) this.node(property, `${place}.properties[${name}]`, inner)
    const isKeyed = textAt(schema, 'x-kubernetes-list-type') === 'map'
    const ofItem = isKeyed ? inner : { ...inner, uncorrelated: within.uncorrelated ?? place }
    if (isFields(schema['items'])) this.node(schema['items'], `${place}.items`, ofItem)
    this.#rules(schema, place, within)
  }

  #rules(schema: Draft, place: string, within: Within): void {
    const rules = itemsAt(schema, 'x-kubernetes-validations')
    if (rules.length === 0 || this.#options.isFaulty(place)) return
    const at = `${place}.x-kubernetes-validations`
    const declared = declaredType(schema, 'selfType0', within.isRoot || schema['x-kubernetes-embedded-resource'] === true)
    if (declared === undefined) {
      const why = 'unable to convert structural schema to CEL declarations'
      const what = 'failed to construct type information for x-kubernetes-validations rules'
      this.problems.push(internalError(at, `internal error: ${what}: ${why}`))
      return
    }
    const count = within.count ?? Math.floor(largestRequest / (declared.least + 1))
    for (const [index, rule] of rules.entries()) this.#rule(rule, `${at}[${index}]`, declared, { ...within, count })
  }

  #rule(rule: Draft, at: string, declared: DeclaredType, { count = 1, uncorrelated }: Within): void {
    const optional = rule['optionalOldSelf']
    const variables = new Map([
      ['self', declared.type],
      ['oldSelf', optional === true ? optionalType(declared.type) : declared.type],
    ])
    const compiled = compiledRule(rule, variables)
    const cost = compiled.checked === undefined ? 0 : capped(costOf(compiled.checked, declared) * count)
    this.#observe('estimated rule cost', `${at}.rule`, cost)
    if (compiled.problem !== undefined) this.problems.push(invalid(`${at}.rule`, printedRule(rule), compiled.problem))
    if (compiled.messageProblem !== undefined)
      this.problems.push(invalid(`${at}.messageExpression`, printedRule(rule), compiled.messageProblem))
    else if (compiled.message !== undefined)
      this.#observe('estimated messageExpression cost', `${at}.messageExpression`, costOf(compiled.message, declared))
    if (compiled.checked?.names.has('oldSelf') === true) {
      const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelated}`
      if (uncorrelated !== undefined) this.problems.push(invalid(`${at}.rule`, rule['rule'], why))
    } else if (optional !== undefined && optional !== null)
      this.problems.push(invalid(`${at}.optionalOldSelf`, optional, 'may not be set if oldSelf is not used in rule'))
  }

  #observe(what: string, place: string, cost: number): void {
    if (!this.#options.isUnchanged && cost > mostExpressionSteps)
      this.problems.push(forbidden(place, tooCostly(what, cost, mostExpressionSteps)))
    this.#total = capped(this.#total + cost)
    if (cost >= mostSchemaSteps / 100) this.#expensive.push({ place, cost })
  }

  totalProblems(place: string): readonly FieldError[] {
    if (this.#total <= mostSchemaSteps) return []
    const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema'
    const why = 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema'
    return [
      ...this.#expensive
        .toSorted((left, right) => right.cost - left.cost)
        .slice(0, 4)
        .map(({ place: rule }) => forbidden(rule, why)),
      forbidden(place, tooCostly(what, this.#total, mostSchemaSteps)),
    ]
  }
}

/** How many of its parts a schema's value may have; undefined: as many as fit. */
function partsOf(schema: Draft): number | undefined {
  const limit = (name: string) => {
    const most = numberAt(schema, name)
    return most === undefined ? undefined : Math.max(0, most)
  }
  switch (textAt(schema, 'type')) {
    case 'object':
      return schema['additionalProperties'] === undefined ? 1 : limit('maxProperties')
    case 'array':
      return limit('maxItems')
    default:
      return 1
  }
}

interface CompiledRule {
  /** Undefined where the rule does not compile. */
  readonly checked?: CheckedCel
  readonly problem?: string
  readonly message?: CheckedCel
  readonly messageProblem?: string
}

function compiledRule(rule: Draft, variables: ReadonlyMap<string, CelType>): CompiledRule {
  const outcome = checkCel(textAt(rule, 'rule') ?? '', variables)
  if (!outcome.ok) return { problem: `compilation failed: ${outcome.problem}` }
  const { checked } = outcome
  if (checked.type.kind !== 'bool') return { problem: 'cel expression must evaluate to a bool' }
  const source = textAt(rule, 'messageExpression') ?? ''
  if (source === '') return { checked }
  const message = checkCel(source, variables)
  if (!message.ok) return { checked, messageProblem: `messageExpression compilation failed: ${message.problem}` }
  if (message.checked.type.kind !== 'string') return { checked, messageProblem: 'messageExpression must evaluate to a string' }
  return { checked, message: message.checked }
}

function costOf(checked: CheckedCel, declared: DeclaredType): number {
  return estimatedCost(checked, path => sizeAt(declared, path))
}

function tooCostly(what: string, cost: number, most: number): string {
  const factor = cost / most
  const times = factor > 100 ? 'more than 100x' : `${factor.toFixed(factor < 1.5 ? 6 : 1)}x`
  const hint =
    '(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)'
  return `${what} exceeds budget by factor of ${times} ${hint}`
}

/** A rule as Go's struct prints it. */
function printedRule(rule: Draft): unknown {
  return {
    Rule: rule['rule'] ?? '',
    Message: rule['message'] ?? '',
    MessageExpression: rule['messageExpression'] ?? '',
    Reason: rule['reason'] ?? null,
    FieldPath: rule['fieldPath'] ?? '',
    OptionalOldSelf: rule['optionalOldSelf'] ?? null,
  }
}
