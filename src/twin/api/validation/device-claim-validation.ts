// Claims of devices and their templates: what kube-apiserver 1.36 refuses.

import { duplicate, type FieldError, forbidden, invalid, notSupported, required, tooMany } from '#kube/objects/field-error.ts'
import { dns1123SubdomainProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt, valueAt } from '../../json-value.ts'
import { printedStruct } from '../../schema/printed-struct.ts'
import type { ApiServer } from '../api-server.ts'
import type { ResourceType } from '../resource-type.ts'
import { isUnchanged } from './changes/fixed-fields.ts'
import {
  configurationProblems,
  deviceTolerationProblems,
  labelProblems,
  qualifiedAttributeProblems,
  requestNames,
  requestReferenceProblems,
  selectorProblems,
} from './devices/device-parts.ts'
import { templateMetadataProblems } from './metadata-validation.ts'

/** Requests, constraints and configurations of a claim, each. */
const mostOfEach = 32
const adminLabel = 'resource.kubernetes.io/admin-access'

/** Everything that is wrong with a claim or with a template of claims. */
export function deviceClaimProblems(
  { store }: ApiServer,
  { key }: ResourceType,
  draft: Draft,
  isNew: boolean,
): readonly FieldError[] {
  const namespace = store.get('namespaces', undefined, textAt(draft, 'metadata', 'namespace') ?? '')
  const isTemplate = key !== 'resourceclaims.resource.k8s.io'
  // A claim that changed is refused for that alone.
  if (!isTemplate && !isNew) return []
  const path = isTemplate ? ['spec', 'spec'] : ['spec']
  return [
    ...(isTemplate ? templateMetadataProblems(fieldsAt(draft, 'spec', 'metadata') ?? {}, 'spec.metadata') : []),
    ...claimSpecProblems(fieldsAt(draft, ...path) ?? {}, path.join('.'), isNew ? namespace : undefined, isNew),
  ]
}

/** What is wrong with the spec of a claim at `path`. `namespace` is the one that it lies in. */
function claimSpecProblems(spec: Draft, path: string, namespace: KubeObject | undefined, isNew: boolean): readonly FieldError[] {
  const devices = fieldsAt(spec, 'devices') ?? {}
  const at = `${path}.devices`
  const requests = itemsAt(devices, 'requests')
  const names = requestNames(devices)
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
    problems.push(...requestProblems(request, place, isNew ? { namespace } : undefined))
  }
  for (const [index, constraint] of itemsAt(devices, 'constraints').entries())
    problems.push(...constraintProblems(constraint, `${at}.constraints[${index}]`, names))
  for (const [index, config] of itemsAt(devices, 'config').entries()) {
    const place = `${at}.config[${index}]`
    const references = listAt(config, 'requests').map(String)
    problems.push(...requestReferenceProblems(`${place}.requests`, references, names), ...configurationProblems(place, config))
  }
  return problems
}

/** What an update of a claim or a template may not change. */
export function claimUpdateProblems({ key }: ResourceType, draft: Draft, existing: KubeObject): readonly FieldError[] {
  const spec = valueAt(draft, 'spec')
  if (isUnchanged(spec, valueAt(existing, 'spec'))) return []
  const shown = printedStruct(key === 'resourceclaims.resource.k8s.io' ? 'ResourceClaimSpec' : 'ResourceClaimTemplateSpec', spec)
  return [invalid('spec', shown, 'field is immutable')]
}

/** `lies`: the namespace of a new claim, whose label lets it ask for the rights of an administrator. */
function requestProblems(
  request: Draft,
  at: string,
  lies: { readonly namespace: KubeObject | undefined } | undefined,
): readonly FieldError[] {
  const exactly = fieldsAt(request, 'exactly')
  const alternatives = itemsAt(request, 'firstAvailable')
  const problems = [...labelProblems(`${at}.name`, textAt(request, 'name') ?? '')]
  if ((exactly === undefined) === (alternatives.length === 0))
    return [
      ...problems,
      exactly === undefined
        ? required(at, 'exactly one of `exactly` or `firstAvailable` is required')
        : invalid(at, null, 'exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set'),
    ]
  if (exactly !== undefined) {
    problems.push(...wishProblems(exactly, `${at}.exactly`))
    if (lies !== undefined && exactly['adminAccess'] === true && lies.namespace?.metadata.labels?.[adminLabel] !== 'true')
      problems.push(
        forbidden(
          // Upstream names the place of a claim, of a template's too.
          `${at.replace(/^spec\.spec\./, 'spec.')}.adminAccess`,
          `admin access to devices requires the \`${adminLabel}: true\` label on the containing namespace`,
        ),
      )
  }
  for (const [index, one] of alternatives.entries()) {
    const place = `${at}.firstAvailable[${index}]`
    problems.push(...labelProblems(`${place}.name`, textAt(one, 'name') ?? ''), ...wishProblems(one, place))
  }
  return problems
}

function wishProblems(wish: Draft, at: string): readonly FieldError[] {
  const className = textAt(wish, 'deviceClassName') ?? ''
  const problems: FieldError[] =
    className === ''
      ? [required(`${at}.deviceClassName`)]
      : dns1123SubdomainProblems(className).map(rule => invalid(`${at}.deviceClassName`, className, rule))
  problems.push(...selectorProblems(`${at}.selectors`, itemsAt(wish, 'selectors')))
  const mode = textAt(wish, 'allocationMode')
  const count = numberAt(wish, 'count') ?? 0
  if (mode === 'All' && count !== 0)
    problems.push(invalid(`${at}.count`, count, "must not be specified when allocationMode is 'All'"))
  else if (mode === 'ExactCount' && count <= 0) problems.push(invalid(`${at}.count`, count, 'must be greater than zero'))
  else if (mode !== 'All' && mode !== 'ExactCount')
    problems.push(notSupported(`${at}.allocationMode`, mode ?? '', ['All', 'ExactCount']))
  return [...problems, ...deviceTolerationProblems(`${at}.tolerations`, itemsAt(wish, 'tolerations'))]
}

function constraintProblems(constraint: Draft, at: string, names: ReadonlySet<string>): readonly FieldError[] {
  const [match, distinct] = ['matchAttribute', 'distinctAttribute'].map(name => textAt(constraint, name))
  const problems = requestReferenceProblems(`${at}.requests`, listAt(constraint, 'requests').map(String), names)
  if (match !== undefined) return [...problems, ...qualifiedAttributeProblems(`${at}.matchAttribute`, match)]
  if (distinct !== undefined) return [...problems, ...qualifiedAttributeProblems(`${at}.distinctAttribute`, distinct)]
  const why = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
  return [...problems, required(at, why)]
}
