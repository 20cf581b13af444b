// What a ValidatingAdmissionPolicy, or what binds one, must not be. CEL is read, not typed: what a real server's compiler says of types and
// unknown names shows when the expression is used.

import { celProblem } from '#kube/cel/cel.ts'
import { duplicate, type FieldError, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt } from '../../json-value.ts'
import { matchConditionProblems, matchResourcesProblems } from './match-rule-validation.ts'
import { labelSelectorProblems } from './selector-validation.ts'

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge']
const actions = ['Audit', 'Deny', 'Warn']
const identifier = /^[_a-zA-Z][_a-zA-Z0-9]*$/

export function policyProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = []
  const kind = fieldsAt(spec, 'paramKind')
  if (kind !== undefined)
    for (const name of ['apiVersion', 'kind'])
      if ((textAt(kind, name) ?? '') === '') problems.push(required(`spec.paramKind.${name}`))
  problems.push(
    ...matchResourcesProblems('spec.matchConstraints', fieldsAt(spec, 'matchConstraints') ?? {}),
    ...matchConditionProblems('spec.matchConditions', itemsAt(spec, 'matchConditions')),
  )
  if (fieldsAt(spec, 'matchConstraints') === undefined) problems.push(required('spec.matchConstraints'))
  else if (itemsAt(spec, 'matchConstraints', 'resourceRules').length === 0)
    problems.push(required('spec.matchConstraints.resourceRules'))
  for (const [at, { name, expression }] of itemsAt(spec, 'variables').entries()) {
    if (!identifier.test(String(name)))
      problems.push(invalid(`spec.variables[${at}].name`, name, 'must be a valid CEL identifier'))
    problems.push(...celProblems(`spec.variables[${at}].expression`, expression))
  }
  const validations = itemsAt(spec, 'validations')
  if (validations.length === 0 && itemsAt(spec, 'auditAnnotations').length === 0)
    for (const name of ['validations', 'auditAnnotations'])
      problems.push(required(`spec.${name}`, 'validations or auditAnnotations must contain at least one item'))
  return [...problems, ...validations.flatMap((validation, at) => validationProblems(`spec.validations[${at}]`, validation))]
}

function validationProblems(at: string, { expression, message, messageExpression, reason }: Draft): readonly FieldError[] {
  const problems = [...celProblems(`${at}.expression`, expression)]
  if (typeof messageExpression === 'string') problems.push(...celProblems(`${at}.messageExpression`, messageExpression))
  if (typeof message === 'string' && message.trim().includes('\n'))
    problems.push(invalid(`${at}.message`, message, 'must not contain line breaks'))
  if (typeof reason === 'string' && !reasons.includes(reason)) problems.push(notSupported(`${at}.reason`, reason, reasons))
  return problems
}

function celProblems(field: string, expression: unknown): readonly FieldError[] {
  if (typeof expression !== 'string' || expression.trim() === '') return [required(field, 'expression is not specified')]
  const problem = celProblem(expression)
  return problem === undefined ? [] : [invalid(field, expression, `compilation failed: ERROR: <input>: Syntax error: ${problem}`)]
}

/** What is wrong with a MutatingAdmissionPolicyBinding, and with what a validating one shares with it. */
export function mutatingBindingProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = [...matchResourcesProblems('spec.matchResources', fieldsAt(spec, 'matchResources') ?? {})]
  if ((textAt(spec, 'policyName') ?? '') === '') problems.push(required('spec.policyName'))
  const reference = fieldsAt(spec, 'paramRef')
  if (reference === undefined) return problems
  const isNamed = (textAt(reference, 'name') ?? '') !== ''
  const selector = fieldsAt(reference, 'selector')
  if (!isNamed && selector === undefined) problems.push(required('spec.paramRef', 'one of name or selector must be specified'))
  problems.push(...labelSelectorProblems('spec.paramRef.selector', selector))
  const action = textAt(reference, 'parameterNotFoundAction') ?? ''
  if (action === '') problems.push(required('spec.paramRef.parameterNotFoundAction'))
  else if (!['Deny', 'Allow'].includes(action))
    problems.push(notSupported('spec.paramRef.parameterNotFoundAction', action, ['Deny', 'Allow']))
  return problems
}

const patchTypes = ['ApplyConfiguration', 'JSONPatch']

/** What is wrong with a MutatingAdmissionPolicy. */
export function mutatingPolicyProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const constraints = fieldsAt(spec, 'matchConstraints')
  const problems: FieldError[] = []
  if (constraints === undefined) problems.push(required('spec.matchConstraints'))
  else {
    problems.push(...matchResourcesProblems('spec.matchConstraints', constraints))
    if (itemsAt(constraints, 'resourceRules').length === 0) problems.push(required('spec.matchConstraints.resourceRules'))
  }
  problems.push(...matchConditionProblems('spec.matchConditions', itemsAt(spec, 'matchConditions')))
  const mutations = itemsAt(spec, 'mutations')
  if (mutations.length === 0) problems.push(required('spec.mutations', 'mutations must contain at least one item'))
  for (const [index, mutation] of mutations.entries()) problems.push(...mutationProblems(`spec.mutations[${index}]`, mutation))
  const again = textAt(spec, 'reinvocationPolicy') ?? ''
  if (again === '') problems.push(required('spec.reinvocationPolicy'))
  else if (!['IfNeeded', 'Never'].includes(again))
    problems.push(notSupported('spec.reinvocationPolicy', again, ['IfNeeded', 'Never']))
  return problems
}

function mutationProblems(at: string, mutation: Draft): readonly FieldError[] {
  const type = textAt(mutation, 'patchType') ?? ''
  if (type === '') return [required(`${at}.patchType`)]
  if (!patchTypes.includes(type)) return [notSupported(`${at}.patchType`, type, patchTypes)]
  const field = type === 'ApplyConfiguration' ? 'applyConfiguration' : 'jsonPatch'
  const part = fieldsAt(mutation, field)
  if (part === undefined) return [required(`${at}.${field}`, `must be specified when patchType is ${type}`)]
  // Objects that are built in an expression (`JSONPatch{…}`) are no part of the CEL that is read here.
  return (textAt(part, 'expression') ?? '').trim() === ''
    ? [required(`${at}.${field}.expression`, 'expression is not specified')]
    : []
}

/** What is wrong with a ValidatingAdmissionPolicyBinding. */
export function policyBindingProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = [...mutatingBindingProblems(draft)]
  const given = listAt(spec, 'validationActions')
  if (given.length === 0) problems.push(required('spec.validationActions', 'at least one validation action is required'))
  for (const [at, action] of given.entries()) {
    const field = `spec.validationActions[${at}]`
    if (!actions.includes(String(action))) problems.push(notSupported(field, action, actions))
    else if (given.indexOf(action) < at) problems.push(duplicate(field, action))
  }
  if (given.includes('Deny') && given.includes('Warn'))
    problems.push(
      invalid(
        'spec.validationActions',
        given,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ),
    )
  return problems
}
