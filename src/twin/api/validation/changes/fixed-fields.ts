// What an update of these kinds may not change.
import { type FieldError, forbidden, invalid } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isSame, textAt, valueAt } from '../../../json-value.ts'

type Object = Draft | KubeObject

const fixed = 'field is immutable'

/** A field that is another than before; `shown` is the value as Go prints it. */
function fixedProblems(draft: Object, existing: Object, path: string, shown = (value: unknown) => value): readonly FieldError[] {
  const value = valueAt(draft, ...path.split('.'))
  return isSame(value ?? null, valueAt(existing, ...path.split('.')) ?? null) ? [] : [invalid(path, shown(value ?? null), fixed)]
}

/** Fields of a PersistentVolume that do not say where it is. */
const aboutVolumes: ReadonlySet<string> = new Set([
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
])

/** The names of what differs, a line each, as a hunk of a diff: a real server prints its structs there. */
export function differing(after: Draft, before: Draft): string {
  const names = new Set([...Object.keys(after), ...Object.keys(before)])
  const lines = [...names].filter(name => !isSame(after[name], before[name])).map(name => `- spec.${name}`)
  return ['@@ spec @@', ...lines].join('\n')
}

/** A volume stays where it is. */
export function volumeUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const place = (object: Object) =>
    Object.fromEntries(Object.entries(fieldsAt(object, 'spec') ?? {}).filter(([name]) => !aboutVolumes.has(name)))
  return [
    ...(isSame(place(draft), place(existing))
      ? []
      : [
          forbidden(
            'spec.persistentvolumesource',
            `spec.persistentvolumesource is immutable after creation\n${differing(place(draft), place(existing))}`,
          ),
        ]),
    ...modeProblems(draft, existing),
  ]
}

function modeProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  return fixedProblems(draft, existing, 'spec.volumeMode').map(problem => ({ ...problem, field: 'volumeMode' }))
}

/** A claim is changed in its size and its class of attributes once it is bound, and gets its volume once. */
export function claimChangeProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const isBound = textAt(draft, 'status', 'phase') === 'Bound'
  const specOf = (object: Object) => {
    const { volumeName, volumeAttributesClassName, resources, ...rest } = {
      volumeName: undefined,
      volumeAttributesClassName: undefined,
      resources: undefined,
      ...fieldsAt(object, 'spec'),
    }
    // What was loaded may have its source in one of its two fields, as before both were there.
    const source = { dataSource: undefined, dataSourceRef: undefined, ...rest }
    const storage = isBound ? { requests: { ...fieldsAt({ resources }, 'resources', 'requests'), storage: undefined } } : {}
    return {
      ...rest,
      dataSource: source.dataSource ?? source.dataSourceRef,
      dataSourceRef: source.dataSourceRef ?? source.dataSource,
      resources: { ...fieldsAt({ resources }, 'resources'), ...storage },
      volumeName: (textAt(existing, 'spec', 'volumeName') ?? '') === '' ? undefined : volumeName,
      volumeAttributesClassName: isBound ? undefined : volumeAttributesClassName,
    }
  }
  const rule = 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'
  const before = { ...specOf(existing) }
  const after = { ...specOf(draft) }
  // A class may be given to a claim that waits for one.
  if (valueAt(existing, 'spec', 'storageClassName') === undefined && valueAt(draft, 'spec', 'storageClassName') !== undefined)
    Reflect.deleteProperty(after, 'storageClassName')
  return [
    ...(isSame(after, before) ? [] : [forbidden('spec', `${rule}\n${differing(after, before)}`)]),
    ...modeProblems(draft, existing),
  ]
}

/** An address stays with what it is of. */
export function addressUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  return fixedProblems(draft, existing, 'spec.parentRef', value => {
    if (value === null) return null
    const text = (name: string) => textAt({ value }, 'value', name) ?? ''
    return { Group: text('group'), Resource: text('resource'), Namespace: text('namespace'), Name: text('name') }
  })
}

const jobFields = ['spec.selector', 'spec.template', 'spec.completionMode', 'spec.podFailurePolicy'] as const
const laterJobFields = ['spec.backoffLimitPerIndex', 'spec.managedBy', 'spec.successPolicy'] as const

/** A Job's pods stay what they are: of one that is suspended, where they run may still be chosen. */
export function jobUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const isSuspended = valueAt(existing, 'spec', 'suspend') === true
  return [...jobFields, ...laterJobFields]
    .filter(path => !(isSuspended && path === 'spec.template'))
    .flatMap(path => fixedProblems(draft, existing, path))
}

/** What an immutable ConfigMap or Secret holds stays, and so does a Secret's type. */
export function immutableDataProblems(key: string, draft: Draft, existing: KubeObject): readonly FieldError[] {
  const problems: FieldError[] = []
  if (existing['immutable'] === true) {
    if (draft['immutable'] !== true) problems.push(forbidden('immutable', 'field is immutable when `immutable` is set'))
    for (const name of ['data', 'binaryData']) {
      if (!isSame(draft[name] ?? {}, existing[name] ?? {}))
        problems.push(forbidden(name, 'field is immutable when `immutable` is set'))
    }
  }
  if (key === 'secrets' && draft['type'] !== existing['type']) problems.push(invalid('type', draft['type'], 'field is immutable'))
  return problems
}
