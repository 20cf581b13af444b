// Expressions of policies and webhooks: what they name must be there, and their values of the type that is wanted.
import { celProblem } from '#kube/cel/cel.ts'
import { checkCel } from '#kube/cel/cel-check.ts'
import { type CelType, dynType, isDynamic, isExactly, typeText } from '#kube/cel/cel-types.ts'
import { type FieldError, invalid } from '#kube/objects/field-error.ts'

interface Surroundings {
  /** The policy has parameters. */
  readonly hasParams?: boolean
  readonly hasAuthorizer?: boolean
  readonly hasVariables?: boolean
  /** What the value must be; undefined where it may be anything. */
  readonly wants?: CelType
}

const always = ['object', 'oldObject', 'request', 'namespaceObject']

/**
 * What is wrong with an expression at `field`. Functions are not looked at: those of policies are more than those of a definition's rules,
 * which alone are known by their types.
 */
export function expressionProblems(
  field: string,
  shown: string,
  { hasParams = false, hasAuthorizer = true, hasVariables = false, wants }: Surroundings,
): readonly FieldError[] {
  const source = shown.trim()
  const syntax = celProblem(source)
  if (syntax !== undefined) return [invalid(field, shown, `compilation failed: ERROR: <input>: Syntax error: ${syntax}`)]
  const names = [
    ...always,
    ...(hasParams ? ['params'] : []),
    ...(hasAuthorizer ? ['authorizer'] : []),
    ...(hasVariables ? ['variables'] : []),
  ]
  const outcome = checkCel(source, new Map(names.map(name => [name, dynType])))
  if (!outcome.ok) {
    const told = outcome.problem.split('\n').filter(line => line.startsWith('ERROR: '))
    const isOfNames = told.every(line => {
      const found = /^ERROR: <input>:1:\d+: undeclared reference to '(\w+)' \(in container ''\)$/.exec(line)
      return found !== null && !new RegExp(`\\b${found[1]}\\s*\\(`).test(source)
    })
    return isOfNames ? [invalid(field, shown, `compilation failed: ${outcome.problem}`)] : []
  }
  const { type } = outcome.checked
  if (wants === undefined || isDynamic(type) || isExactly(type, wants)) return []
  return [invalid(field, shown, `must evaluate to ${typeText(wants)}`)]
}
