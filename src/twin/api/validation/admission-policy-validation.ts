// What a ValidatingAdmissionPolicy, or what binds one, must not be. CEL is read, not typed: what a real server's compiler says of types and
// unknown names shows when the expression is used.

import { boolType, stringType } from '#kube/cel/cel-types.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1035LabelProblems, dns1123SubdomainProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt } from '../../json-value.ts'
import { matchConditionProblems, matchResourcesProblems } from './match-rule-validation.ts'
import { expressionProblems } from './policies/policy-expressions.ts'
import { labelSelectorProblems } from './selector-validation.ts'

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge']
const actions = ['Audit', 'Deny', 'Warn']
const identifier = /^[_a-zA-Z][_a-zA-Z0-9]*$/

/** What is wrong with a ValidatingAdmissionPolicy. */
export function policyProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = []
  const hasParams = fieldsAt(spec, 'paramKind') !== undefined
  problems.push(
    ...failureProblems(spec),
    ...parameterKindProblems(spec),
    ...matchResourcesProblems('spec.matchConstraints', fieldsAt(spec, 'matchConstraints') ?? {}),
    ...matchConditionProblems('spec.matchConditions', itemsAt(spec, 'matchConditions'), hasParams),
  )
  if (fieldsAt(spec, 'matchConstraints') === undefined) problems.push(required('spec.matchConstraints'))
  else if (itemsAt(spec, 'matchConstraints', 'resourceRules').length === 0)
    problems.push(required('spec.matchConstraints.resourceRules'))
  problems.push(...variableProblems(spec, hasParams))
  const [validations, annotations] = [itemsAt(spec, 'validations'), itemsAt(spec, 'auditAnnotations')]
  if (validations.length === 0 && annotations.length === 0)
    for (const name of ['validations', 'auditAnnotations'])
      problems.push(required(`spec.${name}`, 'validations or auditAnnotations must contain at least one item'))
  return [
    ...problems,
    ...validations.flatMap((validation, at) => validationProblems(`spec.validations[${at}]`, validation, hasParams)),
    ...annotations.flatMap((annotation, at) => {
      const name = textAt(draft, 'metadata', 'name') ?? ''
      return annotationProblems(`spec.auditAnnotations[${at}]`, annotation, { name, hasParams })
    }),
  ]
}

const failurePolicies = ['Fail', 'Ignore']

/** What becomes of a write where the policy itself fails. */
function failureProblems(spec: Draft): readonly FieldError[] {
  const policy = textAt(spec, 'failurePolicy')
  return policy === undefined || failurePolicies.includes(policy)
    ? []
    : [notSupported('spec.failurePolicy', policy, failurePolicies)]
}

/** The kind of a policy's parameters. */
function parameterKindProblems(spec: Draft): readonly FieldError[] {
  const reference = fieldsAt(spec, 'paramKind')
  if (reference === undefined) return []
  const [given, kind] = [textAt(reference, 'apiVersion') ?? '', textAt(reference, 'kind') ?? '']
  const at = 'spec.paramKind'
  const rules = dns1035LabelProblems(kind.toLowerCase())
  return [
    ...(given === '' ? [required(`${at}.apiVersion`)] : versionProblems(given, `${at}.apiVersion`)),
    ...(kind === ''
      ? [required(`${at}.kind`)]
      : rules.length === 0
        ? []
        : [invalid(`${at}.kind`, kind, `may have mixed case, but should otherwise match: ${rules.join(',')}`)]),
  ]
}

function versionProblems(given: string, at: string): readonly FieldError[] {
  const parts = given === '/' ? ['', ''] : given.split('/')
  if (parts.length > 2) return [invalid(at, given, `unexpected GroupVersion string: ${given}`)]
  const [group, version] = parts.length === 1 ? ['', given] : [parts[0] ?? '', parts[1] ?? '']
  const [ofGroup, ofVersion] = [group === '' ? [] : dns1123SubdomainProblems(group), dns1035LabelProblems(version)]
  return [
    ...(ofGroup.length > 0 ? [invalid(at, group, ofGroup.join(','))] : []),
    ...(version === '' ? [invalid(at, given, 'version must be specified')] : []),
    ...(version !== '' && ofVersion.length > 0 ? [invalid(at, version, ofVersion.join(','))] : []),
  ]
}

function variableProblems(spec: Draft, hasParams: boolean): readonly FieldError[] {
  return itemsAt(spec, 'variables').flatMap((variable, index): readonly FieldError[] => {
    const at = `spec.variables[${index}]`
    const name = textAt(variable, 'name') ?? ''
    return [
      ...(name.trim() === ''
        ? [required(`${at}.name`, 'name is not specified')]
        : identifier.test(name)
          ? []
          : [invalid(`${at}.name`, name, 'must be a valid CEL identifier')]),
      ...celProblems(`${at}.expression`, variable['expression'], { hasParams, hasVariables: true }),
    ]
  })
}

function validationProblems(
  at: string,
  { expression, message, messageExpression, reason }: Draft,
  hasParams: boolean,
): readonly FieldError[] {
  const problems = [...celProblems(`${at}.expression`, expression, { hasParams, hasVariables: true, wants: boolType })]
  if (typeof messageExpression === 'string' && messageExpression.trim() !== '')
    problems.push(
      ...expressionProblems(`${at}.messageExpression`, messageExpression, {
        hasParams,
        hasVariables: true,
        hasAuthorizer: false,
        wants: stringType,
      }),
    )
  else if (typeof messageExpression === 'string' && messageExpression !== '')
    problems.push(required(`${at}.messageExpression`, 'must be non-empty if specified'))
  if (typeof message === 'string' && message.trim().includes('\n'))
    problems.push(invalid(`${at}.message`, message, 'must not contain line breaks'))
  if (typeof reason === 'string' && !reasons.includes(reason)) problems.push(notSupported(`${at}.reason`, reason, reasons))
  return problems
}

const longestAnnotation = 5 * 1024

/** What is written into the audit log under a key of the policy's. */
function annotationProblems(
  at: string,
  annotation: Draft,
  { name, hasParams }: { readonly name: string; readonly hasParams: boolean },
): readonly FieldError[] {
  const [key, value] = [textAt(annotation, 'key') ?? '', textAt(annotation, 'valueExpression') ?? '']
  const whole = `${name}/${key}`
  const place = `${at}.valueExpression`
  return [
    ...(name === ''
      ? [invalid(`${at}.key`, key, 'requires metadata.name be non-empty')]
      : qualifiedNameProblems(whole).map(rule => invalid(`${at}.key`, whole, rule))),
    ...(value.trim() === ''
      ? [required(place, 'valueExpression is not specified')]
      : Buffer.byteLength(value.trim()) > longestAnnotation
        ? [required(place, `must not exceed ${longestAnnotation} bytes in length`)]
        : expressionProblems(place, value, { hasParams, hasVariables: true })),
  ]
}

function celProblems(
  field: string,
  expression: unknown,
  around: Parameters<typeof expressionProblems>[2],
): readonly FieldError[] {
  if (typeof expression !== 'string' || expression.trim() === '') return [required(field, 'expression is not specified')]
  return expressionProblems(field, expression, around)
}

/** What is wrong with what binds a policy. */
function bindingProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = [...matchResourcesProblems('spec.matchResources', fieldsAt(spec, 'matchResources') ?? {})]
  const policy = textAt(spec, 'policyName') ?? ''
  if (policy === '') problems.push(required('spec.policyName'))
  else problems.push(...dns1123SubdomainProblems(policy).map(rule => invalid('spec.policyName', policy, rule)))
  const reference = fieldsAt(spec, 'paramRef')
  if (reference === undefined) return problems
  const isNamed = (textAt(reference, 'name') ?? '') !== ''
  const selector = fieldsAt(reference, 'selector')
  if (isNamed && selector !== undefined)
    for (const field of ['name', 'selector'])
      problems.push(forbidden(`spec.paramRef.${field}`, 'name and selector are mutually exclusive'))
  if (!isNamed && selector === undefined) problems.push(required('spec.paramRef', 'one of name or selector must be specified'))
  problems.push(...labelSelectorProblems('spec.paramRef.selector', selector))
  const action = textAt(reference, 'parameterNotFoundAction') ?? ''
  if (action === '') problems.push(required('spec.paramRef.parameterNotFoundAction'))
  else if (!['Deny', 'Allow'].includes(action))
    problems.push(notSupported('spec.paramRef.parameterNotFoundAction', action, ['Deny', 'Allow']))
  return problems
}

const patchTypes = ['ApplyConfiguration', 'JSONPatch']

const mutated = ['*', 'CONNECT', 'CREATE', 'UPDATE']

/** What is changed is something that comes. */
function operationProblems(match: Draft, at: string): readonly FieldError[] {
  return itemsAt(match, 'resourceRules').flatMap(rule =>
    listAt(rule, 'operations')
      .map(String)
      .filter(operation => !mutated.includes(operation))
      .map(operation => notSupported(`${at}.resourceRules.operations`, operation, mutated)),
  )
}

/** What is wrong with a MutatingAdmissionPolicyBinding. */
export function mutatingBindingProblems(draft: Draft): readonly FieldError[] {
  const match = fieldsAt(draft, 'spec', 'matchResources') ?? {}
  return [...bindingProblems(draft), ...operationProblems(match, 'spec.matchResources')]
}

/** What is wrong with a MutatingAdmissionPolicy. */
export function mutatingPolicyProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const constraints = fieldsAt(spec, 'matchConstraints')
  const hasParams = fieldsAt(spec, 'paramKind') !== undefined
  const problems: FieldError[] = [...failureProblems(spec), ...parameterKindProblems(spec)]
  if (constraints === undefined) problems.push(required('spec.matchConstraints'))
  else {
    problems.push(...matchResourcesProblems('spec.matchConstraints', constraints))
    if (itemsAt(constraints, 'resourceRules').length === 0) problems.push(required('spec.matchConstraints.resourceRules'))
    problems.push(...operationProblems(constraints, 'spec.matchConstraints'))
  }
  problems.push(...matchConditionProblems('spec.matchConditions', itemsAt(spec, 'matchConditions'), hasParams))
  problems.push(...variableProblems(spec, hasParams))
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
  const [field, other] = type === 'ApplyConfiguration' ? ['applyConfiguration', 'jsonPatch'] : ['jsonPatch', 'applyConfiguration']
  const part = fieldsAt(mutation, field)
  // Objects that are built in an expression (`JSONPatch{…}`) are no part of the CEL that is read here.
  const isSilent = part !== undefined && (textAt(part, 'expression') ?? '').trim() === ''
  return [
    ...(part === undefined ? [required(`${at}.${field}`, `must be specified when patchType is ${type}`)] : []),
    ...(isSilent ? [required(`${at}.${field}.expression`)] : []),
    ...(fieldsAt(mutation, other) === undefined
      ? []
      : [invalid(`${at}.${other}`, `{${other}}`, `must not be specified when patchType is ${type}`)]),
  ]
}

/** What is wrong with what a server says of the types in a policy's expressions. */
export function typeCheckingProblems(draft: Draft): readonly FieldError[] {
  return itemsAt(draft, 'status', 'typeChecking', 'expressionWarnings').flatMap((warning, index) =>
    ['warning', 'fieldRef'].flatMap(field =>
      (textAt(warning, field) ?? '').trim() === '' ? [required(`status.typeChecking.expressionWarnings[${index}].${field}`)] : [],
    ),
  )
}

/** What is wrong with a ValidatingAdmissionPolicyBinding. */
export function policyBindingProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = [...bindingProblems(draft)]
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
