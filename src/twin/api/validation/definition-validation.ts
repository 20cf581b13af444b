// CustomResourceDefinitions that no server should take: names, versions, schemas, columns; each fault where and as upstream names it.
import { duplicate, type FieldError, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1035LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isSame, itemsAt, listAt, textAt, valueAt } from '../../json-value.ts'
import { structuralProblems } from './definition-schema-validation.ts'
import { selectableFieldProblems } from './definitions/selectable-fields.ts'

/** Everything that is wrong with a definition. `existing`: what it was before, whose rules may cost what they cost. */
export function definitionProblems(draft: Draft, existing?: KubeObject): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const versions = itemsAt(spec, 'versions')
  return [
    ...(existing === undefined ? nameProblems(draft, spec) : []),
    ...groupProblems(textAt(spec, 'group') ?? ''),
    ...approvalProblems(draft, textAt(spec, 'group') ?? ''),
    ...(spec['preserveUnknownFields'] === true
      ? [
          invalid(
            'spec.preserveUnknownFields',
            true,
            'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
          ),
        ]
      : []),
    ...scopeProblems(spec),
    ...versionProblems(versions),
    ...givenNameProblems(fieldsAt(spec, 'names') ?? {}),
    ...partProblems(versions, itemsAt(existing, 'spec', 'versions')),
    ...conversionProblems(spec),
    ...(existing === undefined
      ? storedVersionProblems(versions)
      : [...fixedProblems(spec, existing), ...missingVersionProblems(draft, versions)]),
  ]
}

function nameProblems(draft: Draft, spec: Draft): readonly FieldError[] {
  const name = textAt(draft, 'metadata', 'name') ?? ''
  const group = textAt(spec, 'group') ?? ''
  const wanted = `${textAt(spec, 'names', 'plural') ?? ''}.${group}`
  return name === wanted ? [] : [invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group')]
}

function groupProblems(group: string): readonly FieldError[] {
  if (group === '') return [required('spec.group')]
  const rules = dns1123SubdomainProblems(group)
  if (rules.length > 0) return [invalid('spec.group', group, rules.join(','))]
  return group.includes('.') ? [] : [invalid('spec.group', group, 'should be a domain with at least one dot')]
}

/** What a definition's objects are stored by stays. */
function fixedProblems(spec: Draft, existing: KubeObject): readonly FieldError[] {
  const isEstablished = itemsAt(existing, 'status', 'conditions').some(
    ({ type, status }) => type === 'Established' && status === 'True',
  )
  const paths = [...(isEstablished ? [['scope'], ['names', 'kind']] : []), ['group'], ['names', 'plural']]
  return paths.flatMap(path => {
    const value = textAt(spec, ...path) ?? ''
    const before = textAt(existing, 'spec', ...path) ?? ''
    return value === before ? [] : [invalid(`spec.${path.join('.')}`, value, 'field is immutable')]
  })
}

const approval = 'api-approved.kubernetes.io'

function approvalProblems(draft: Draft, group: string): readonly FieldError[] {
  const isProtected = /(^|\.)(k8s|kubernetes)\.io$/.test(group)
  if (!isProtected || (valueAt(draft, 'metadata', 'annotations', approval) ?? '') !== '') return []
  const why = `protected groups must have approval annotation "${approval}", see https://github.com/kubernetes/enhancements/pull/1111`
  return [required(`metadata.annotations[${approval}]`, why)]
}

function scopeProblems(spec: Draft): readonly FieldError[] {
  const scope = textAt(spec, 'scope') ?? ''
  if (scope === '') return [required('spec.scope')]
  return scope === 'Cluster' || scope === 'Namespaced' ? [] : [notSupported('spec.scope', scope, ['Cluster', 'Namespaced'])]
}

/** Versions as Go's struct prints them, with what is equal in all of them left out. */
function printedVersions(versions: readonly Draft[]): readonly unknown[] {
  return versions.map(version => ({
    Name: version['name'] ?? '',
    Served: version['served'] ?? false,
    Storage: version['storage'] ?? false,
    Deprecated: version['deprecated'] ?? false,
    DeprecationWarning: version['deprecationWarning'] ?? null,
    Schema: null,
    Subresources: null,
    AdditionalPrinterColumns: null,
    SelectableFields: null,
  }))
}

function versionProblems(versions: readonly Draft[]): readonly FieldError[] {
  const problems: FieldError[] = []
  const names = versions.map(version => textAt(version, 'name') ?? '')
  for (const [index, name] of names.entries())
    problems.push(...dns1035LabelProblems(name).map(rule => invalid(`spec.versions[${index}].name`, name, rule)))
  const [first = ''] = names
  if (first !== '') problems.push(...dns1035LabelProblems(first).map(rule => invalid('spec.version', first, rule)))
  if (new Set(names).size < names.length)
    problems.push(invalid('spec.versions', printedVersions(versions), 'must contain unique version names'))
  if (versions.filter(version => version['storage'] === true).length !== 1)
    problems.push(invalid('spec.versions', printedVersions(versions), 'must have exactly one version marked as storage version'))
  return problems
}

function storedVersionProblems(versions: readonly Draft[]): readonly FieldError[] {
  const stored = versions.filter(version => version['storage'] === true).map(version => textAt(version, 'name') ?? '')
  if (stored.length === 0) return [invalid('status.storedVersions', null, 'must have at least one stored version')]
  const last = stored.at(-1) ?? ''
  return stored.length === 1
    ? []
    : [invalid('status.storedVersions', stored.slice(0, 1), `must have the storage version ${last}`)]
}

/** A version that objects may be stored in stays in a definition until its status says otherwise. */
function missingVersionProblems(draft: Draft, versions: readonly Draft[]): readonly FieldError[] {
  const names = new Set(versions.map(version => version['name']))
  return listAt(draft, 'status', 'storedVersions').flatMap((stored, index) => {
    if (names.has(stored)) return []
    const name = String(stored)
    const why = `${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`
    return [invalid(`status.storedVersions[${index}]`, name, `missing from spec.versions; ${why}`)]
  })
}

function givenNameProblems(names: Draft): readonly FieldError[] {
  const problems: FieldError[] = []
  const kind = textAt(names, 'kind') ?? ''
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const) {
    const fallback = field === 'singular' ? kind.toLowerCase() : field === 'listKind' && kind !== '' ? `${kind}List` : ''
    const name = textAt(names, field) || fallback
    if (name === '') {
      problems.push(required(`spec.names.${field}`))
      continue
    }
    const isMixed = field === 'kind' || field === 'listKind'
    for (const rule of dns1035LabelProblems(isMixed ? name.toLowerCase() : name))
      problems.push(
        invalid(`spec.names.${field}`, name, isMixed ? `may have mixed case, but should otherwise match: ${rule}` : rule),
      )
  }
  if (kind !== '' && kind === textAt(names, 'listKind'))
    problems.push(invalid('spec.names.listKind', kind, 'kind and listKind may not be the same'))
  for (const [index, name] of listAt(names, 'shortNames').entries())
    if (listAt(names, 'shortNames').indexOf(name) < index) problems.push(duplicate(`spec.names.shortNames[${index}]`, name))
  return problems
}

/** Upstream keeps what all versions have alike at the top, and names it there. */
function placeOf(versions: readonly Draft[], field: string, top: string, index: number): string | undefined {
  const isAlike = versions.every(version => isSame(version[field], versions[0]?.[field]))
  if (!isAlike) return `spec.versions[${index}].${field}`
  return index === 0 ? `spec.${top}` : undefined
}

function partProblems(versions: readonly Draft[], before: readonly Draft[]): readonly FieldError[] {
  const problems: FieldError[] = []
  const isKept = (version: Draft) =>
    before.some(one => one['name'] === version['name'] && isSame(one['schema'], version['schema']))
  for (const [index, version] of versions.entries()) {
    const schema = fieldsAt(version, 'schema', 'openAPIV3Schema')
    const schemaPlace = placeOf(versions, 'schema', 'validation', index)
    if (schema === undefined) problems.push(required(`spec.versions[${index}].schema.openAPIV3Schema`))
    else if (schemaPlace !== undefined)
      problems.push(...structuralProblems(schema, `${schemaPlace}.openAPIV3Schema`, isKept(version)))
    const scale = fieldsAt(version, 'subresources', 'scale')
    const subresources = placeOf(versions, 'subresources', 'subresources', index)
    if (scale !== undefined && subresources !== undefined)
      for (const path of ['specReplicasPath', 'statusReplicasPath'] as const) {
        const text = textAt(scale, path) ?? ''
        if (text === '') problems.push(required(`${subresources}.scale.${path}`))
      }
    const columns = placeOf(versions, 'additionalPrinterColumns', 'additionalPrinterColumns', index)
    if (columns !== undefined) problems.push(...columnProblems(itemsAt(version, 'additionalPrinterColumns'), columns))
    const selectable = placeOf(versions, 'selectableFields', 'selectableFields', index)
    const isApart = selectable === 'spec.selectableFields' && schemaPlace !== 'spec.validation'
    if (selectable !== undefined)
      problems.push(...selectableFieldProblems(itemsAt(version, 'selectableFields'), isApart ? undefined : schema, selectable))
  }
  return problems
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']

function columnProblems(columns: readonly Draft[], place: string): readonly FieldError[] {
  return columns.flatMap((column, index): FieldError[] => {
    const at = `${place}[${index}]`
    const [name, type, path] = ['name', 'type', 'jsonPath'].map(field => textAt(column, field) ?? '')
    const problems: FieldError[] = []
    if (name === '') problems.push(required(`${at}.name`))
    if (type === '' || type === undefined) problems.push(required(`${at}.type`, `must be one of ${columnTypes.join(',')}`))
    else if (!columnTypes.includes(type)) problems.push(invalid(`${at}.type`, type, `must be one of ${columnTypes.join(',')}`))
    if (path === '' || path === undefined) problems.push(required(`${at}.JSONPath`))
    else if (!path.startsWith('.')) problems.push(invalid(`${at}.JSONPath`, path, 'must be a simple json path starting with .'))
    return problems
  })
}

function conversionProblems(spec: Draft): readonly FieldError[] {
  const conversion = fieldsAt(spec, 'conversion')
  const strategy = textAt(conversion, 'strategy') ?? 'None'
  if (strategy === 'None') return []
  if (strategy !== 'Webhook') return [notSupported('spec.conversion.strategy', strategy, ['None', 'Webhook'])]
  const problems: FieldError[] = []
  if (fieldsAt(conversion, 'webhook', 'clientConfig') === undefined)
    problems.push(required('spec.conversion.webhookClientConfig', 'required when strategy is set to Webhook'))
  if (listAt(conversion, 'webhook', 'conversionReviewVersions').length === 0)
    problems.push(required('spec.conversion.conversionReviewVersions'))
  return problems
}
