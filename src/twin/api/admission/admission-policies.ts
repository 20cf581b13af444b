// ValidatingAdmissionPolicies and what binds them: rules in CEL that a write is held to. The words are those that a real API server was
// recorded with.

import { evaluateCel } from '#kube/cel/cel.ts'
import { CelError } from '#kube/cel/cel-syntax.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { StatusError } from '#kube/objects/status.ts'
import { type Draft, draftOf, fieldsAt, itemsAt, listAt, textAt, textsAt } from '../../json-value.ts'
import { byteOrder } from '../../ordered-objects.ts'
import { inVersion } from '../answers/versions.ts'
import type { ApiServer } from '../api-server.ts'
import { apiVersionOf, type ResourceType } from '../resource-type.ts'
import { type MatchedWrite, matchedType } from './webhook-match.ts'

const policiesKey = 'validatingadmissionpolicies.admissionregistration.k8s.io'
const bindingsKey = 'validatingadmissionpolicybindings.admissionregistration.k8s.io'

const reasonCodes: Readonly<Record<string, number>> = { Unauthorized: 401, Forbidden: 403, RequestEntityTooLarge: 413 }

interface PolicyWrite extends MatchedWrite {
  /** `request` of a review that shows the object as `type` has it. */
  request(type: ResourceType): Draft
  readonly warnings?: string[]
}

/** What one policy says against a write, and what is to be done about it. */
interface Finding {
  readonly message: string
  readonly reason: string
}

/** Holds a write to every policy that is bound to it. @throws StatusError what the first policy that denies says; warnings are told before */
export function checkPolicies(server: ApiServer, write: PolicyWrite): void {
  if (!server.store.has(policiesKey) || !server.store.has(bindingsKey)) return
  const denials: StatusError[] = []
  const byName = (left: KubeObject, right: KubeObject) => byteOrder(left.metadata.name, right.metadata.name)
  const bindings = server.store.list(bindingsKey).toSorted(byName)
  for (const policy of server.store.list(policiesKey).toSorted(byName)) {
    const bound = bindings.filter(binding => textAt(binding, 'spec', 'policyName') === policy.metadata.name)
    const type = bound.length === 0 ? undefined : constrainedType(server, fieldsAt(policy, 'spec', 'matchConstraints'), write)
    if (type === undefined) continue
    for (const binding of bound) {
      const place = fieldsAt(binding, 'spec', 'matchResources')
      if (place !== undefined && constrainedType(server, place, write) === undefined) continue
      const { findings, isOfPolicy } = findingsOf(server, { policy, binding, type, write })
      const actions = listAt(binding, 'spec', 'validationActions')
      const source = `ValidatingAdmissionPolicy '${policy.metadata.name}'${isOfPolicy ? '' : ` with binding '${binding.metadata.name}'`}`
      for (const finding of findings) {
        if (actions.includes('Warn')) write.warnings?.push(`Validation failed for ${source}: ${finding.message}`)
        if (actions.includes('Deny'))
          denials.push(denial(write, { ...finding, message: `${source} denied request: ${finding.message}` }))
      }
    }
  }
  if (denials[0] !== undefined) throw denials[0]
}

/** The type in whose version a constraint wants the write; undefined where it is not about it. */
function constrainedType(server: ApiServer, constraint: Draft | undefined, write: PolicyWrite): ResourceType | undefined {
  const excluded = itemsAt(constraint, 'excludeResourceRules')
  const { matchPolicy, namespaceSelector, objectSelector } = constraint ?? {}
  if (excluded.length > 0 && matchedType(server, { rules: excluded, matchPolicy }, write) !== undefined) return undefined
  const rules = itemsAt(constraint, 'resourceRules')
  const anything = [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }]
  return matchedType(
    server,
    { rules: rules.length === 0 ? anything : rules, matchPolicy, namespaceSelector, objectSelector },
    write,
  )
}

interface Bound {
  readonly policy: KubeObject
  readonly binding: KubeObject
  readonly type: ResourceType
  readonly write: PolicyWrite
}

function findingsOf(server: ApiServer, bound: Bound): { readonly findings: readonly Finding[]; readonly isOfPolicy?: true } {
  const { policy, binding, type, write } = bound
  const isStrict = textAt(policy, 'spec', 'failurePolicy') !== 'Ignore'
  const params = paramsOf(server, bound)
  if (typeof params === 'string') {
    const findings = isStrict ? [{ message: params, reason: 'Invalid' }] : []
    return params.startsWith(policyFault) ? { findings, isOfPolicy: true } : { findings }
  }
  const request = write.request(type)
  const namespace = textAt(request, 'namespace') ?? ''
  const scope = {
    object: request['object'] ?? null,
    oldObject: request['oldObject'] ?? null,
    request,
    namespaceObject: server.store.get('namespaces', undefined, namespace) ?? null,
  }
  const hasParams = fieldsAt(policy, 'spec', 'paramKind') !== undefined
  const each = params.map(param => ({ ...scope, ...(hasParams ? { params: param } : {}) }))
  return {
    findings: each.flatMap(given => judged(policy, withVariables(policy, given), isStrict)),
    ...(binding === policy ? {} : {}),
  }
}

type Scope = Readonly<Record<string, unknown>>

/** Variables are worked out where they are used, and fail there. */
function withVariables(policy: KubeObject, scope: Scope): Scope {
  const variables: Record<string, unknown> = {}
  const whole = { ...scope, variables }
  for (const { name, expression } of itemsAt(policy, 'spec', 'variables')) {
    const get = () => {
      const outcome = evaluateCel(String(expression), whole)
      if (!outcome.ok) throw new CelError(`composited variable ${JSON.stringify(name)} fails to evaluate: ${outcome.problem}`)
      return outcome.value
    }
    Object.defineProperty(variables, String(name), { get, enumerable: true })
  }
  return whole
}

function judged(policy: KubeObject, scope: Scope, isStrict: boolean): readonly Finding[] {
  const failed = (expression: string, problem: string) =>
    isStrict ? [{ message: `expression '${expression}' resulted in error: ${problem}`, reason: 'Invalid' }] : []
  let unclear: readonly Finding[] | undefined
  for (const condition of itemsAt(policy, 'spec', 'matchConditions')) {
    const expression = textAt(condition, 'expression') ?? ''
    const outcome = evaluateCel(expression, scope)
    if (outcome.ok && outcome.value === false) return []
    if (!outcome.ok) unclear ??= failed(expression, outcome.problem)
  }
  if (unclear !== undefined) return unclear
  return itemsAt(policy, 'spec', 'validations').flatMap(validation => {
    const expression = textAt(validation, 'expression') ?? ''
    const outcome = evaluateCel(expression, scope)
    if (!outcome.ok) return failed(expression, outcome.problem)
    if (outcome.value === true) return []
    return [{ message: messageOf(validation, expression, scope), reason: textAt(validation, 'reason') ?? 'Invalid' }]
  })
}

/** The text of its expression where that makes one line, else the text that was given, else the expression itself. */
function messageOf(validation: Draft, expression: string, scope: Scope): string {
  const words = textAt(validation, 'messageExpression') ?? ''
  const outcome = words === '' ? undefined : evaluateCel(words, scope)
  if (outcome?.ok === true && typeof outcome.value === 'string') {
    const text = outcome.value.trim()
    if (text !== '' && !text.includes('\n')) return text
  }
  const message = (textAt(validation, 'message') ?? '').trim()
  return message === '' ? `failed expression: ${expression.trim()}` : message
}

const policyFault = 'failed to configure policy: '

/** What the expressions find under `params`, one after the other: null where the policy takes none. A text: why there is nothing. */
function paramsOf(server: ApiServer, { policy, binding, write }: Bound): readonly (KubeObject | null)[] | string {
  const kind = fieldsAt(policy, 'spec', 'paramKind')
  const reference = fieldsAt(binding, 'spec', 'paramRef')
  if (kind === undefined) return [null]
  const type = server.resources
    .all()
    .find(candidate => apiVersionOf(candidate) === kind['apiVersion'] && candidate.kind === kind['kind'])
  if (type === undefined)
    return `${policyFault}failed to find resource referenced by paramKind: '${textAt(kind, 'apiVersion') ?? ''}, Kind=${textAt(kind, 'kind') ?? ''}'`
  if (reference === undefined) return [null]
  const namespace = type.isNamespaced
    ? textAt(reference, 'namespace') || textAt(write.object, 'metadata', 'namespace')
    : undefined
  const name = textAt(reference, 'name') ?? ''
  const found = name === '' ? selected(server, type, namespace, reference) : [server.store.get(type.key, namespace, name)]
  const params = found.filter(object => object !== undefined).map(object => inVersion(type, object))
  if (params.length > 0 || reference['parameterNotFoundAction'] === 'Allow') return params
  return 'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction'
}

function selected(server: ApiServer, type: ResourceType, namespace: string | undefined, reference: Draft): readonly KubeObject[] {
  const selector = labelSelectorOf(fieldsAt(reference, 'selector') ?? {})
  if (!selector.ok) return []
  return server.store.list(type.key, namespace).filter(object => selector.value.matches(textsAt(object, 'metadata', 'labels')))
}

function denial({ requested, object }: PolicyWrite, { message, reason }: Finding): StatusError {
  const name = textAt(object, 'metadata', 'name') ?? ''
  const { group, plural } = requested
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `${group === '' ? plural : `${plural}.${group}`} ${JSON.stringify(name)} is forbidden: ${message}`,
    reason,
    details: { name, ...(group === '' ? {} : { group }), kind: plural, causes: [{ message }] },
    code: reasonCodes[reason] ?? 422,
  })
}

/** What a policy or a binding that leaves things out is read as. */
export function policyDefaults(draft: Draft, field: 'matchConstraints' | 'matchResources'): void {
  const spec = fieldsAt(draft, 'spec')
  if (spec === undefined) return
  const constraint = fieldsAt(spec, field)
  if (field === 'matchConstraints') spec['failurePolicy'] ??= 'Fail'
  if (constraint === undefined) return
  spec[field] = { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {}, ...draftOf(constraint) }
  for (const list of ['resourceRules', 'excludeResourceRules'])
    for (const rule of itemsAt(spec, field, list)) rule['scope'] ??= '*'
}
