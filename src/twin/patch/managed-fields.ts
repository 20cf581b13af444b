// Who owns which fields: `metadata.managedFields`, kept on every write.
import type { KubeObject } from '#kube/objects/objects.ts'
import { fieldsIn } from '../api/answers/versions.ts'
import { type ApiServer, timestamp } from '../api/api-server.ts'
import { uncomparable } from '../api/decoding/applied-configuration.ts'
import { resetFields } from '../api/reset-fields.ts'
import { apiVersionOf, type ResourceType } from '../api/resource-type.ts'
import type { WriteOptions } from '../api/write-options.ts'
import { type Draft, fieldsAt, isFields, isSame, itemsAt, numberAt, textAt, valueAt } from '../json-value.ts'
import { zeroOfStruct } from '../schema/go-form.ts'
import { kindSchema } from '../schema/kind-schema.ts'
import type { StructSchema } from '../schema/schema.ts'
import { changedFields } from './changed-fields.ts'
import {
  difference,
  type FieldSet,
  fromFieldsV1,
  intersection,
  isEmptySet,
  leaf,
  toFieldsV1,
  union,
  withoutPaths,
} from './field-set.ts'

/** One manager's fields. */
export interface Ownership {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string | undefined
  readonly time: string | undefined
  readonly fields: FieldSet
}

/** How many entries of updates are kept apart; older ones become one. */
const mostUpdates = 10
const mergedManager = 'ancient-changes'

/** The ownerships an object records. */
export function ownershipsOf(object: Draft | KubeObject): readonly Ownership[] {
  return itemsAt(object, 'metadata', 'managedFields').map(entry => ({
    manager: textAt(entry, 'manager') ?? '',
    operation: entry['operation'] === 'Apply' ? 'Apply' : 'Update',
    apiVersion: textAt(entry, 'apiVersion') ?? '',
    subresource: textAt(entry, 'subresource'),
    time: textAt(entry, 'time'),
    fields: fromFieldsV1(entry['fieldsV1']),
  }))
}

/** Writes ownerships into a draft: Apply entries first, then by time. */
export function writeOwnerships(draft: Draft, ownerships: readonly Ownership[]): void {
  const metadata = fieldsAt(draft, 'metadata')
  if (metadata === undefined) return
  const kept = merged(ownerships.filter(ownership => !isEmptySet(ownership.fields)))
  const sorted = kept.toSorted(
    (left, right) =>
      (left.operation === right.operation ? 0 : left.operation === 'Apply' ? -1 : 1) ||
      (left.time ?? '').localeCompare(right.time ?? '') ||
      left.manager.localeCompare(right.manager) ||
      (left.subresource ?? '').localeCompare(right.subresource ?? ''),
  )
  if (sorted.length === 0) delete metadata['managedFields']
  else metadata['managedFields'] = sorted.map(entryOf)
}

function entryOf({ manager, operation, apiVersion, subresource, time, fields }: Ownership): Draft {
  return {
    manager,
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(fields),
    ...(subresource === undefined ? {} : { subresource }),
  }
}

/** Entries of one manager in one; the oldest updates beyond the limit become one entry. */
function merged(ownerships: readonly Ownership[]): readonly Ownership[] {
  const updates = ownerships.filter(ownership => ownership.operation === 'Update')
  if (updates.length <= mostUpdates) return ownerships
  const oldest = updates
    .toSorted((left, right) => (left.time ?? '').localeCompare(right.time ?? ''))
    .slice(0, updates.length - mostUpdates + 1)
  const [first] = oldest
  if (first === undefined) return ownerships
  const fields = oldest.reduce((set, ownership) => union(set, ownership.fields), first.fields)
  return [...ownerships.filter(ownership => !oldest.includes(ownership)), { ...first, manager: mergedManager, fields }]
}

/** Records the creator as the owner of everything. */
export function trackCreate(server: ApiServer, type: ResourceType, draft: Draft, options: WriteOptions): void {
  if (uncomparable(type, draft) !== undefined) return
  const requested = options.requested ?? type
  const fields = changedFields(kindSchema(requested), zeroObject(requested), fieldsIn(requested, draft)).changed
  writeOwnerships(draft, [ownershipBy(server, requested, options, withoutPaths(fields, resetFields(type, undefined)))])
}

/** What is recorded of an object that was sent and is not stored: a review. Its status is the answer. */
export function recordsOfSent(
  server: Pick<ApiServer, 'clock'>,
  schema: StructSchema,
  sent: Draft,
  by: { readonly manager: string; readonly apiVersion: string; readonly subresource: string | undefined },
): { readonly managedFields?: readonly Draft[] } {
  const fields = withoutPaths(changedFields(schema, zeroOfStruct(schema), sent).changed, [['status']])
  if (fields.children.size === 0) return {}
  return { managedFields: [entryOf({ ...by, operation: 'Update', time: timestamp(server.clock.now()), fields })] }
}

/** Moves what an update changed to the one who made it. */
export function trackUpdate(
  server: ApiServer,
  type: ResourceType,
  draft: Draft,
  existing: KubeObject,
  options: WriteOptions,
): void {
  const metadata = fieldsAt(draft, 'metadata')
  const sent = valueAt(draft, 'metadata', 'managedFields')
  const uid = textAt(existing, 'metadata', 'uid') ?? ''
  if (isReset(sent) || uncomparable(type, draft) !== undefined) {
    server.unsigned.delete(uid)
    if (metadata !== undefined) delete metadata['managedFields']
    return
  }
  // What the body says of ownership counts: kubectl rewrites it so when it moves an object to server-side apply.
  const isRewritten = Array.isArray(sent) && sent.length > 0 && !isSame(sent, valueAt(existing, 'metadata', 'managedFields'))
  const known = ownershipsOf(isRewritten ? draft : existing)
  // Objects without records stay without until somebody applies, but for those that had some where they were dumped.
  if (known.length > 0) writeOwnerships(draft, afterUpdate(server, type, { draft, existing, known, options }))
  else {
    if (metadata !== undefined) delete metadata['managedFields']
    if (server.unsigned.has(uid) && options.subresource !== 'status') beginRecords(server, type, { draft, existing, options })
  }
}

/** The first write to a loaded object: what it does not change is of whoever came before. */
function beginRecords(server: ApiServer, type: ResourceType, input: Omit<UpdateInput, 'known'>): void {
  const before = ownershipBefore(type, input.existing, textAt(input.existing, 'metadata', 'creationTimestamp'))
  const known = [{ ...before, fields: withoutPaths(before.fields, [['status']]) }]
  const after = afterUpdate(server, type, { ...input, known })
  if (after.length > 1) writeOwnerships(input.draft, after)
}

/** Ownership of an object without records: its earlier writers own it all. */
export function ownershipBefore(type: ResourceType, existing: KubeObject, time: string | undefined): Ownership {
  const all = changedFields(kindSchema(type), zeroObject(type), { ...existing }).changed
  const fields = withoutPaths(all, resetFields(type, undefined))
  return {
    manager: 'before-first-apply',
    operation: 'Update',
    apiVersion: apiVersionOf(type),
    subresource: undefined,
    time,
    fields,
  }
}

interface UpdateInput {
  readonly draft: Draft
  readonly existing: KubeObject
  readonly known: readonly Ownership[]
  readonly options: WriteOptions
}

function afterUpdate(
  server: ApiServer,
  type: ResourceType,
  { draft, existing, known, options }: UpdateInput,
): readonly Ownership[] {
  const requested = options.requested ?? type
  const changesAs = (shown: ResourceType) =>
    changedFields(kindSchema(shown), fieldsIn(shown, existing), shown === type ? draft : fieldsIn(shown, draft))
  const compared = changesAs(requested)
  const reset = resetFields(type, options.subresource)
  const [changed, removed] = [withoutPaths(compared.changed, reset), withoutPaths(compared.removed, reset)]
  if (options.subresource === 'scale')
    return afterScale(requested, { draft, known, own: ownershipBy(server, requested, options, changed) })
  if (isEmptySet(changed) && isEmptySet(removed)) return known
  const own = ownershipBy(server, requested, options, changed)
  const others = known.map(ownership => {
    if (isSameManager(ownership, own))
      return { ...ownership, time: own.time, fields: difference(union(ownership.fields, changed), removed) }
    // Fields are recorded by the names that they have in the version of the entry.
    const theirs = ownership.apiVersion === own.apiVersion ? undefined : server.resources.ofKind(ownership.apiVersion, type.kind)
    const changes = theirs === undefined || theirs.custom !== undefined ? { changed, removed } : changesAs(theirs)
    return { ...ownership, fields: difference(difference(ownership.fields, changes.changed), changes.removed) }
  })
  return known.some(ownership => isSameManager(ownership, own)) || isEmptySet(changed) ? others : [...others, own]
}

interface ScaleInput {
  readonly draft: Draft
  readonly known: readonly Ownership[]
  /** Who wrote, with what it changed. */
  readonly own: Ownership
}

/**
 * A scale has its owners as a small object of its own, which has no replicas where they are 0. Whoever has them then has them in an entry for
 * itself, without a time.
 */
function afterScale(type: ResourceType, { draft, known, own }: ScaleInput): readonly Ownership[] {
  const path = (type.custom?.scale?.specReplicasPath ?? '.spec.replicas').split('.').filter(step => step !== '')
  const replicas = path.reduceRight<FieldSet>((set, step) => ({ isMember: false, children: new Map([[`f:${step}`, set]]) }), leaf)
  const isChanged = !isEmptySet(own.fields)
  const before = known.filter(({ fields }) => !isEmptySet(intersection(fields, replicas)))
  const isNone = (numberAt(draft, ...path) ?? 0) === 0
  // Where nobody has them, nobody is noted any more: an object without owners is not tracked.
  const changedBy = isNone || before.length === 0 ? [] : [own]
  const holders = isChanged ? changedBy : before
  return [
    ...known.map(ownership => ({ ...ownership, fields: difference(ownership.fields, replicas) })),
    ...holders.map(holder => ({ ...holder, apiVersion: apiVersionOf(type), time: undefined, fields: replicas })),
  ]
}

/** `[]` and `[{}]` say that the records are to be forgotten. */
function isReset(sent: unknown): boolean {
  return (
    Array.isArray(sent) && (sent.length === 0 || (sent.length === 1 && isFields(sent[0]) && Object.keys(sent[0]).length === 0))
  )
}

/** An applier has one entry, in the version that it applied last. */
export function isSameManager(left: Ownership, right: Ownership): boolean {
  return (
    left.manager === right.manager &&
    left.operation === right.operation &&
    (left.operation === 'Apply' || left.apiVersion === right.apiVersion) &&
    left.subresource === right.subresource
  )
}

function ownershipBy(server: ApiServer, type: ResourceType, options: WriteOptions, fields: FieldSet): Ownership {
  return {
    manager: options.manager,
    operation: 'Update',
    apiVersion: apiVersionOf(type),
    subresource: options.subresource,
    // The server takes the times of a scale from the object as it was, which has none for a new entry.
    time: options.subresource === 'scale' ? undefined : timestamp(server.clock.now()),
    fields,
  }
}

/** The empty object of a kind; custom kinds have none of their fields. */
function zeroObject(type: ResourceType): Draft {
  if (type.custom !== undefined) return { metadata: {} }
  return { metadata: {}, spec: {}, status: {}, ...zeroOfStruct(kindSchema(type)) }
}
