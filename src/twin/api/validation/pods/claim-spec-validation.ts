// What a PersistentVolumeClaim asks for, by itself or in the template of a pod's volume or of a StatefulSet; in upstream's order and words.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, isSame, listAt, textAt, valueAt } from '../../../json-value.ts'
import { labelSelectorProblems } from '../selector-validation.ts'

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
const volumeModes = ['Block', 'Filesystem']

/** Everything that is wrong with the claim's spec at `at`. */
export function claimSpecProblems(spec: Draft, at: string): readonly FieldError[] {
  const modes = listAt(spec, 'accessModes')
  const known = modes.filter(mode => accessModes.some(name => name === mode))
  const isMixed = known.includes('ReadWriteOncePod') && known.some(mode => mode !== 'ReadWriteOncePod')
  const mode = textAt(spec, 'volumeMode')
  return [
    ...(modes.length === 0 ? [required(`${at}.accessModes`, 'at least 1 access mode is required')] : []),
    ...labelSelectorProblems(`${at}.selector`, fieldsAt(spec, 'selector')),
    ...modes.filter(one => !known.includes(one)).map(one => notSupported(`${at}.accessModes`, one, accessModes)),
    ...(isMixed ? [forbidden(`${at}.accessModes`, 'may not use ReadWriteOncePod with other access modes')] : []),
    ...sizeProblems(spec, `${at}.resources[storage]`),
    ...classProblems(spec, 'storageClassName', at),
    ...(mode === undefined || volumeModes.includes(mode) ? [] : [notSupported(`${at}.volumeMode`, mode, volumeModes)]),
    ...sourceProblems(fieldsAt(spec, 'dataSource'), `${at}.dataSource`),
    ...sourceProblems(fieldsAt(spec, 'dataSourceRef'), `${at}.dataSourceRef`),
    ...rivalProblems(spec, at),
    ...classProblems(spec, 'volumeAttributesClassName', at),
  ]
}

function sizeProblems(spec: Draft, at: string): readonly FieldError[] {
  const size = valueAt(spec, 'resources', 'requests', 'storage')
  if (size === undefined) return [required(at)]
  const parsed = parseQuantity(String(size))
  return parsed.ok && parsed.value.nanos <= 0n ? [invalid(at, String(size), 'must be greater than zero')] : []
}

function classProblems(spec: Draft, field: string, at: string): readonly FieldError[] {
  const name = textAt(spec, field) ?? ''
  return name === '' ? [] : dns1123SubdomainProblems(name).map(rule => invalid(`${at}.${field}`, name, rule))
}

function sourceProblems(source: Draft | undefined, at: string): readonly FieldError[] {
  if (source === undefined) return []
  const [group, kind, namespace] = ['apiGroup', 'kind', 'namespace'].map(name => textAt(source, name) ?? '')
  const isOther = group === '' && kind !== 'PersistentVolumeClaim'
  return [
    ...['name', 'kind'].filter(name => (textAt(source, name) ?? '') === '').map(name => required(`${at}.${name}`)),
    ...(isOther ? [invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")] : []),
    ...(group === '' ? [] : dns1123SubdomainProblems(group ?? '').map(rule => invalid(`${at}.apiGroup`, group, rule))),
    ...(namespace === '' ? [] : dns1123LabelProblems(namespace ?? '').map(rule => invalid(`${at}.namespace`, namespace, rule))),
  ]
}

/** Both sources name the same, and only one of them can name another namespace. */
function rivalProblems(spec: Draft, at: string): readonly FieldError[] {
  const [source, reference] = [fieldsAt(spec, 'dataSource'), fieldsAt(spec, 'dataSourceRef')]
  if (source === undefined || reference === undefined) return []
  if ((textAt(reference, 'namespace') ?? '') !== '')
    return [invalid(at, {}, 'may not be specified when dataSourceRef.namespace is specified')]
  const named = (from: Draft) => ['apiGroup', 'kind', 'name'].map(name => textAt(from, name) ?? '')
  return isSame(named(source), named(reference)) ? [] : [invalid(at, {}, 'must match dataSourceRef')]
}
