// Claims of devices and their templates: what kube-apiserver 1.36 refuses.

import { celProblem } from '#kube/cel/cel.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, required, tooMany } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isSame, itemsAt, listAt, numberAt, textAt, valueAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { ResourceType } from '../resource-type.ts'

/** Requests, constraints and configurations of a claim, each. */
const mostOfEach = 32
const mostConsumers = 256
const adminLabel = 'resource.kubernetes.io/admin-access'

/** Everything that is wrong with a claim or with a template of claims. */
export function deviceClaimProblems({ store }: ApiServer, { key }: ResourceType, draft: Draft): readonly FieldError[] {
  const namespace = store.get('namespaces', undefined, textAt(draft, 'metadata', 'namespace') ?? '')
  const path = key === 'resourceclaims.resource.k8s.io' ? ['spec'] : ['spec', 'spec']
  return claimSpecProblems(fieldsAt(draft, ...path) ?? {}, path.join('.'), namespace)
}

/** What is wrong with the spec of a claim at `path`. `namespace` is the one that it lies in. */
function claimSpecProblems(spec: Draft, path: string, namespace: KubeObject | undefined): readonly FieldError[] {
  const devices = fieldsAt(spec, 'devices') ?? {}
  const at = `${path}.devices`
  const requests = itemsAt(devices, 'requests')
  const names = requests.flatMap(request => [
    textAt(request, 'name') ?? '',
    ...itemsAt(request, 'firstAvailable').map(one => `${textAt(request, 'name')}/${textAt(one, 'name')}`),
  ])
  const problems: FieldError[] = []
  for (const list of ['requests', 'constraints', 'config'] as const) {
    const count = listAt(devices, list)?.length ?? 0
    if (count > mostOfEach) problems.push(tooMany(`${at}.${list}`, count, mostOfEach))
  }
  if (problems.length > 0) return problems
  for (const [index, request] of requests.entries()) {
    const place = `${at}.requests[${index}]`
    const name = textAt(request, 'name') ?? ''
    if (requests.findIndex(one => one['name'] === request['name']) < index) problems.push(duplicate(place, name))
    problems.push(...requestProblems(request, place, namespace))
  }
  for (const [index, constraint] of itemsAt(devices, 'constraints').entries())
    problems.push(...constraintProblems(constraint, `${at}.constraints[${index}]`, names))
  return problems
}

/** What an update of a claim may not change, and of its status. */
export function claimUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const spec = valueAt(draft, 'spec')
  const problems: FieldError[] = []
  if (!isSame(spec, valueAt(existing, 'spec'))) problems.push(invalid('spec', spec, 'field is immutable'))
  const before = valueAt(existing, 'status', 'allocation')
  const allocation = valueAt(draft, 'status', 'allocation')
  if (before !== undefined && allocation !== undefined && !isSame(allocation, before))
    problems.push(invalid('status.allocation', allocation, 'field is immutable'))
  const consumers = listAt(draft, 'status', 'reservedFor')?.length ?? 0
  if (consumers > mostConsumers) problems.push(tooMany('status.reservedFor', consumers, mostConsumers))
  if (consumers > 0 && allocation === undefined)
    problems.push(forbidden('status.reservedFor', 'may not be specified when `allocated` is not set'))
  return problems
}

function requestProblems(request: Draft, at: string, namespace: KubeObject | undefined): readonly FieldError[] {
  const exactly = fieldsAt(request, 'exactly')
  const alternatives = itemsAt(request, 'firstAvailable')
  const problems = nameProblems(request, at)
  if ((exactly === undefined) === (alternatives.length === 0))
    return [
      ...problems,
      exactly === undefined
        ? required(at, 'exactly one of `exactly` or `firstAvailable` is required')
        : invalid(at, null, 'exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set'),
    ]
  if (exactly !== undefined) {
    problems.push(...wishProblems(exactly, `${at}.exactly`))
    if (exactly['adminAccess'] === true && namespace?.metadata.labels?.[adminLabel] !== 'true')
      problems.push(
        forbidden(
          `${at}.adminAccess`,
          `admin access to devices requires the \`${adminLabel}: true\` label on the containing namespace`,
        ),
      )
  }
  for (const [index, one] of alternatives.entries()) {
    const place = `${at}.firstAvailable[${index}]`
    problems.push(...nameProblems(one, place), ...wishProblems(one, place))
  }
  return problems
}

function nameProblems(fields: Draft, at: string): FieldError[] {
  const name = textAt(fields, 'name') ?? ''
  if (name === '') return [required(`${at}.name`)]
  return dns1123LabelProblems(name).map(problem => invalid(`${at}.name`, name, problem))
}

function wishProblems(wish: Draft, at: string): readonly FieldError[] {
  const problems: FieldError[] = []
  if ((textAt(wish, 'deviceClassName') ?? '') === '') problems.push(required(`${at}.deviceClassName`))
  for (const [index, selector] of itemsAt(wish, 'selectors').entries()) {
    const expression = textAt(selector, 'cel', 'expression') ?? ''
    const problem = celProblem(expression)
    if (problem !== undefined)
      problems.push(invalid(`${at}.selectors[${index}].cel.expression`, expression, `compilation failed: ${problem}`))
  }
  const mode = textAt(wish, 'allocationMode')
  const count = numberAt(wish, 'count') ?? 0
  if (mode === 'All' && count !== 0)
    problems.push(invalid(`${at}.count`, count, "must not be specified when allocationMode is 'All'"))
  else if (mode === 'ExactCount' && count <= 0) problems.push(invalid(`${at}.count`, count, 'must be greater than zero'))
  else if (mode !== 'All' && mode !== 'ExactCount')
    problems.push(notSupported(`${at}.allocationMode`, mode ?? '', ['All', 'ExactCount']))
  return problems
}

function constraintProblems(constraint: Draft, at: string, names: readonly string[]): readonly FieldError[] {
  const problems: FieldError[] = []
  for (const [index, name] of (listAt(constraint, 'requests') ?? []).entries())
    if (!names.includes(String(name)))
      problems.push(
        invalid(
          `${at}.requests[${index}]`,
          name,
          "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
        ),
      )
  const kinds = ['matchAttribute', 'distinctAttribute'].filter(name => textAt(constraint, name) !== undefined)
  if (kinds.length !== 1)
    problems.push(required(at, 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'))
  return problems
}
