// What an update of these kinds may not change.
import { type FieldError, forbidden, invalid } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, isFields, isSame, textAt, valueAt } from '../../../json-value.ts'
import { printedStruct } from '../../../schema/printed-struct.ts'

type Object = Draft | KubeObject

const fixed = 'field is immutable'

/** Whether two values are the same to a server, which has no list where one is empty. */
export function isUnchanged(one: unknown, other: unknown): boolean {
  return isSame(one, other) || isSame(withoutEmptyLists(one), withoutEmptyLists(other))
}

function withoutEmptyLists(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmptyLists)
  if (!isFields(value)) return value
  const kept = Object.entries(value).filter(([, item]) => !Array.isArray(item) || item.length > 0)
  return Object.fromEntries(kept.map(([name, item]) => [name, withoutEmptyLists(item)]))
}

/** A field that is another than before; `shown` is the value as Go prints it. */
function fixedProblems(draft: Object, existing: Object, path: string, shown = (value: unknown) => value): readonly FieldError[] {
  const value = valueAt(draft, ...path.split('.'))
  return isUnchanged(value ?? null, valueAt(existing, ...path.split('.')) ?? null)
    ? []
    : [invalid(path, shown(value ?? null), fixed)]
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
    ...nodeAffinityProblems(draft, existing),
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
    ...shrinkProblems(draft, existing),
    ...modeProblems(draft, existing),
  ]
}

/** A claim may become smaller than it was asked to be, and not than it is. */
function shrinkProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const [now, before] = [draft, existing].map(object => amountAt(object, 'spec', 'resources', 'requests', 'storage'))
  const size = amountAt(existing, 'status', 'capacity', 'storage')
  const isSmaller = now !== undefined && before !== undefined && now < before && now <= size
  return isSmaller ? [forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity')] : []
}

/** An amount in billionths; none where nothing is said. */
function amountAt(object: Object, ...path: readonly string[]): bigint {
  const parsed = parseQuantity(String(valueAt(object, ...path) ?? '0'))
  return parsed.ok ? parsed.value.nanos : 0n
}

/** An address stays with what it is of. */
export function addressUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  return fixedProblems(draft, existing, 'spec.parentRef', value => {
    if (value === null) return null
    const text = (name: string) => textAt({ value }, 'value', name) ?? ''
    return { Group: text('group'), Resource: text('resource'), Namespace: text('namespace'), Name: text('name') }
  })
}

/** Fields of a Job that stay, and the structs that some of them are. */
const jobFields: readonly (readonly [path: string, struct?: string])[] = [
  ['spec.selector'],
  ['spec.template', 'PodTemplateSpec'],
  ['spec.completionMode'],
  ['spec.podFailurePolicy', 'PodFailurePolicy'],
  ['spec.backoffLimitPerIndex'],
  ['spec.managedBy'],
  ['spec.successPolicy', 'SuccessPolicy'],
]

/** A Job's pods stay what they are: of one that is suspended, where they run may still be chosen. */
export function jobUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const isSuspended = valueAt(existing, 'spec', 'suspend') === true
  return [
    ...completionProblems(draft, existing),
    ...jobFields
      .filter(([path]) => !(isSuspended && path === 'spec.template'))
      .flatMap(([path, struct]) =>
        fixedProblems(draft, existing, path, value => (struct === undefined ? value : printedStruct(struct, value))),
      ),
  ]
}

/** An indexed Job may become larger or smaller with the pods that it has at once. */
function completionProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const place = 'spec.completions'
  if (valueAt(draft, 'spec', 'completionMode') !== 'Indexed') return fixedProblems(draft, existing, place)
  const [now, parallelism] = ['completions', 'parallelism'].map(name => valueAt(draft, 'spec', name))
  const isSound = now === undefined || now === parallelism || isSame(now, valueAt(existing, 'spec', 'completions'))
  return isSound ? [] : [invalid(place, now, 'can only be modified in tandem with spec.parallelism')]
}

const laterLabels: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
}

/** Where a volume can be used stays; labels that have a new name may get it. */
function nodeAffinityProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const before = fieldsAt(existing, 'spec', 'nodeAffinity')
  const now = valueAt(draft, 'spec', 'nodeAffinity')
  const renamed = (affinity: unknown) =>
    JSON.parse(JSON.stringify(affinity ?? null), (name, value: unknown) =>
      name === 'key' && typeof value === 'string' ? (laterLabels[value] ?? value) : value,
    ) as unknown
  if (before === undefined || isSame(renamed(now), renamed(before))) return []
  const rule = 'field is immutable, except for updating from beta label to GA'
  return [invalid('nodeAffinity', printedStruct('VolumeNodeAffinity', now), rule)]
}

/** An attachment stays what it is. */
export function attachmentUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  return fixedProblems(draft, existing, 'spec', value => printedStruct('VolumeAttachmentSpec', value))
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
