// What makes an object unacceptable although it decodes: names, labels, required fields, immutable fields.
import { type FieldError, fieldErrorsText, invalid as invalidField, required } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { invalid, type StatusError } from '#kube/objects/status.ts'
import { type Draft, fieldsAt, listAt, textAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import { validateCustom } from '../custom/custom-schema.ts'
import { qualityOfService } from '../object-strategy.ts'
import type { ResourceType } from '../resource-type.ts'
import { ephemeralProblems } from '../subresources/ephemeral-containers.ts'
import { resizeProblems } from '../subresources/resize.ts'
import type { WriteOptions } from '../write-options.ts'
import { validateBuiltIn, validateBuiltInUpdate } from './built-in-validation.ts'
import { statusProblems, verdictProblems } from './changes/condition-validation.ts'
import { eventProblems } from './events/event-validation.ts'
import { validateMetadata } from './metadata-validation.ts'
import { newPodProblems, podSpecProblems } from './pod-spec-validation.ts'

/** Kinds whose metadata is looked at only where the rest is sound. */
const metadataLast: ReadonlySet<string> = new Set(['poddisruptionbudgets.policy'])

/** Kinds of which what an update may not change is told before what is wrong with the whole. */
const changesFirst: ReadonlySet<string> = new Set([
  ...['ingressclasses.networking.k8s.io', 'resourceclaimtemplates.resource.k8s.io', 'volumeattributesclasses.storage.k8s.io'],
])

/** `requested` is the type in whose version it was sent. @throws StatusError 422 that names every problem found. */
export function validateCreate(server: ApiServer, type: ResourceType, draft: Draft, requested: ResourceType = type): void {
  const name = textAt(draft, 'metadata', 'name') ?? ''
  if (type.key === 'events') {
    validateEvent(type, draft, { requested, before: undefined })
    return
  }
  const metadata = [
    ...(name === '' ? [required('metadata.name', 'name or generateName is required')] : []),
    ...validateMetadata(type, draft),
  ]
  const own = [
    ...(type.key === 'pods' ? newPodProblems(draft) : []),
    ...(type.custom === undefined ? validateBuiltIn(server, type, draft) : validateCustom(type.custom.schema, draft, undefined)),
  ]
  const problems = metadataLast.has(type.key) && own.length > 0 ? own : [...metadata, ...own]
  if (problems.length > 0) throw refused(type, name, inWordsOf(server.minor, problems))
}

/** Versions before counted what is too long in characters. */
function inWordsOf(minor: number, problems: readonly FieldError[]): readonly FieldError[] {
  if (minor >= 35) return problems
  return problems.map(problem => ({
    ...problem,
    body: problem.body.replace(/(?<=must be no more than \d+ )bytes$/, 'characters'),
  }))
}

/** @throws StatusError 422 that names every problem found. */
export function validateUpdate(
  server: ApiServer,
  type: ResourceType,
  draft: Draft,
  existing: KubeObject,
  { subresource, requested = type }: Pick<WriteOptions, 'subresource' | 'requested'>,
): void {
  const { name } = existing.metadata
  const problems: FieldError[] = [
    ...validateMetadata(type, draft, { isUpdate: true, isStrict: requested.group === 'events.k8s.io' }),
    ...newFinalizers(draft, existing),
  ]
  const givenName = textAt(draft, 'metadata', 'name')
  if (givenName !== name) problems.push(invalidField('metadata.name', givenName, 'field is immutable'))
  if (type.key === 'events' && problems.length === 0) {
    validateEvent(type, draft, { requested, before: existing })
    return
  }
  if (type.custom !== undefined) problems.push(...validateCustom(type.custom.schema, draft, existing))
  else if (subresource === undefined) {
    const own = () => validateBuiltIn(server, type, draft, existing)
    const changed = () => validateBuiltInUpdate(type, draft, existing)
    problems.push(...(changesFirst.has(type.key) ? [changed, own] : [own, changed]).flatMap(rule => rule()))
  } else if (subresource === 'status') problems.push(...statusProblems(type.key, draft, existing))
  else if (subresource === 'resize')
    problems.push(...resourceProblems(draft), ...resizeProblems(draft, existing, qualityOfService))
  else if (subresource === 'approval') problems.push(...verdictProblems(draft, existing))
  else if (subresource === 'ephemeralcontainers') problems.push(...ephemeralProblems(draft, existing))
  if (problems.length > 0) throw refused(type, name, inWordsOf(server.minor, problems))
}

/** Core Events are looked at by their place alone, and where nothing is wrong with that by what all objects must have. */
function validateEvent(
  type: ResourceType,
  draft: Draft,
  { requested, before }: { readonly requested: ResourceType; readonly before: KubeObject | undefined },
): void {
  const isStrict = requested.group === 'events.k8s.io'
  const own = eventProblems(draft, { isStrict, before })
  const name = textAt(draft, 'metadata', 'name') ?? ''
  const unnamed = name === '' ? [required('metadata.name', 'name or generateName is required')] : []
  const metadata = [...unnamed, ...validateMetadata(type, draft, { isStrict })]
  const problems = isStrict || before !== undefined ? [...own, ...metadata] : own.length > 0 ? own : metadata
  if (problems.length > 0) throw refused(type, name, problems)
}

export function refused(
  type: { readonly kind: string; readonly group: string },
  name: string,
  problems: readonly FieldError[],
): StatusError {
  const causes = problems.map(problem => ({ reason: problem.type, message: problem.body, field: problem.field }))
  return invalid(type.kind, type.group, name, fieldErrorsText(problems), causes)
}

/** What the server alone sets and `metadata` has otherwise. */
export function identityProblems(metadata: Draft, existing: KubeObject): readonly FieldError[] {
  return (['uid', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const).flatMap(name => {
    const given = metadata[name]
    const isGiven = given !== undefined && given !== null && given !== ''
    return isGiven && given !== existing.metadata[name] ? [invalidField(`metadata.${name}`, given, 'field is immutable')] : []
  })
}

/** What is wrong with what containers ask for. */
function resourceProblems(draft: Draft): readonly FieldError[] {
  return podSpecProblems(fieldsAt(draft, 'spec') ?? {}, 'spec').filter(({ field }) => field.includes('.resources.'))
}

function newFinalizers(draft: Draft, existing: KubeObject): readonly FieldError[] {
  if (existing.metadata.deletionTimestamp === undefined) return []
  const before = new Set<unknown>(existing.metadata.finalizers ?? [])
  const added = listAt(fieldsAt(draft, 'metadata'), 'finalizers').filter(finalizer => !before.has(finalizer))
  if (added.length === 0) return []
  const detail = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map(finalizer => JSON.stringify(finalizer)).join(', ')}}`
  return [{ type: 'FieldValueForbidden', field: 'metadata.finalizers', body: `Forbidden: ${detail}` }]
}

/** A 422 for one field. */
export function invalidOf(
  type: { readonly kind: string; readonly group: string },
  name: string,
  field: string,
  body: string,
): StatusError {
  return refused(type, name, [{ type: 'FieldValueInvalid', field, body }])
}
