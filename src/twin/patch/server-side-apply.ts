// Server-side apply: an applied configuration merged into the live object, by who owns what.

import type { KubeObject } from '#kube/objects/objects.ts'
import { badRequest, StatusError, statusBody } from '#kube/objects/status.ts'
import { type ApiServer, timestamp } from '../api/api-server.ts'
import { resetFields } from '../api/reset-fields.ts'
import { apiVersionOf, type ResourceType } from '../api/resource-type.ts'
import type { WriteOptions } from '../api/write-options.ts'
import { copyOf, type Draft, draftOf, fieldsAt, isFields, isSame, setField, valueAt } from '../json-value.ts'
import { kindSchema } from '../schema/kind-schema.ts'
import { memberSchema, type Schema } from '../schema/schema.ts'
import { changedFields } from './changed-fields.ts'
import {
  difference,
  elementOf,
  emptySet,
  type FieldSet,
  fieldsOfObject,
  intersection,
  paths,
  pathText,
  withoutPaths,
} from './field-set.ts'
import { keepLastApplied, lastAppliedFields } from './last-applied.ts'
import { isSameManager, type Ownership, ownershipBefore, ownershipsOf, writeOwnerships } from './managed-fields.ts'

interface ApplyOptions extends WriteOptions {
  /** Take what others own. */
  readonly isForced: boolean
}

/** The live object with `applied` merged in, ownership included. @throws StatusError 409 on conflicts, 400 for managedFields in the body. */
export function applied(
  server: ApiServer,
  type: ResourceType,
  existing: KubeObject | undefined,
  configuration: Draft,
  options: ApplyOptions,
): Draft {
  if (valueAt(configuration, 'metadata', 'managedFields') !== undefined && !isEmptyList(configuration))
    throw badRequest('metadata.managedFields must be nil')
  const schema = kindSchema(type)
  const reset = resetFields(type, options.subresource)
  const wanted = withoutPaths(fieldsOfObject(schema, configuration), reset)
  const own: Ownership = {
    manager: options.manager,
    operation: 'Apply',
    apiVersion: apiVersionOf(type),
    subresource: options.subresource,
    time: timestamp(server.clock.now()),
    fields: wanted,
  }
  if (existing === undefined) {
    const draft = draftOf(configuration)
    writeOwnerships(draft, [own])
    return draft
  }
  const known = knownOwnerships(server, type, existing)
  const before = known.find(ownership => isSameManager(ownership, own))
  const others = known.filter(ownership => !isSameManager(ownership, own))
  const live: Draft = { ...existing }
  const merged = mergeApplied(schema, draftOf(existing), configuration)
  const dropped = difference(before?.fields ?? emptySet, withContainers(wanted))
  const orphaned = others.reduce((set, owner) => difference(set, withContainers(owner.fields)), dropped)
  removeFields(schema, merged, orphaned)
  const compared = changedFields(schema, live, merged)
  const [changed, removed] = [withoutPaths(compared.changed, reset), withoutPaths(compared.removed, reset)]
  // Who has the replicas of a scale has them of the Scale, as upstream tells it.
  const told = (owner: Ownership) => (options.subresource === 'scale' ? { ...owner, apiVersion: 'autoscaling/v1' } : owner)
  const conflicts = others.flatMap(owner =>
    paths(intersection(owner.fields, changed)).map(path => ({ owner: told(owner), path })),
  )
  const allowed = lastAppliedFields(type, live, options.manager)
  const isMove = allowed !== undefined && conflicts.every(({ path }) => hasPath(allowed, path))
  if (conflicts.length > 0 && !options.isForced && !isMove) throw conflictError(conflicts)
  const left = others.map(owner => ({ ...owner, fields: difference(difference(owner.fields, changed), removed) }))
  // Who changes nothing but ownership leaves no time, nor does who scales.
  const isUndated = own.subresource === 'scale' || isUnchanged(live, merged)
  writeOwnerships(merged, [...left, { ...own, time: isUndated ? before?.time : own.time }])
  keepLastApplied(merged, live, configuration, options.manager)
  return merged
}

/** The set with every field that something of it is below: who has a label has the labels. */
function withContainers(set: FieldSet): FieldSet {
  return { isMember: true, children: new Map([...set.children].map(([name, below]) => [name, withContainers(below)])) }
}

function isEmptyList(configuration: Draft): boolean {
  const managed = valueAt(configuration, 'metadata', 'managedFields')
  return managed === null || (Array.isArray(managed) && managed.length === 0)
}

function isUnchanged(live: Draft, merged: Draft): boolean {
  const bare = (object: Draft) => ({ ...object, metadata: { ...fieldsAt(object, 'metadata'), managedFields: undefined } })
  return isSame(bare(live), bare(merged))
}

/** An object that nobody recorded is owned by whoever came before. */
function knownOwnerships(server: ApiServer, type: ResourceType, existing: KubeObject): readonly Ownership[] {
  const known = ownershipsOf(existing)
  if (known.length > 0) return known
  return [ownershipBefore(type, existing, timestamp(server.clock.now()))]
}

interface Conflict {
  readonly owner: Ownership
  readonly path: readonly string[]
}

function hasPath(set: FieldSet, path: readonly string[]): boolean {
  let current: FieldSet | undefined = set
  for (const element of path) current = current?.children.get(element)
  return current !== undefined
}

function ownerText(owner: Ownership): string {
  const subresource = owner.subresource === undefined ? '' : ` with subresource ${JSON.stringify(owner.subresource)}`
  return `${JSON.stringify(owner.manager)}${subresource}${owner.operation === 'Update' ? ` using ${owner.apiVersion}` : ''}`
}

function conflictError(conflicts: readonly Conflict[]): StatusError {
  const byOwner = new Map<string, string[]>()
  for (const { owner, path } of conflicts.toSorted((left, right) => (ownerText(left.owner) < ownerText(right.owner) ? -1 : 1))) {
    const text = ownerText(owner)
    byOwner.set(text, [...(byOwner.get(text) ?? []), pathText(path)])
  }
  const [only] = conflicts
  const lines = [...byOwner].map(([owner, fields]) => `conflicts with ${owner}:\n${fields.map(field => `- ${field}`).join('\n')}`)
  const message =
    conflicts.length === 1 && only !== undefined
      ? `Apply failed with 1 conflict: conflict with ${ownerText(only.owner)}: ${pathText(only.path)}`
      : `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`
  const causes = conflicts.map(({ owner, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${ownerText(owner)}`,
    field: pathText(path),
  }))
  return new StatusError(statusBody(409, message, 'Conflict', { causes }))
}

/** `live` with the configuration's values; lists merge by their keys. `live` is changed. */
function mergeApplied(schema: Schema, live: Draft, configuration: Draft): Draft {
  for (const [name, value] of Object.entries(configuration)) {
    if (value === undefined) continue
    const member = memberSchema(schema, name)
    setField(live, name, mergeValue(member, Object.hasOwn(live, name) ? live[name] : undefined, value))
  }
  return live
}

/** Nothing and an empty list or object over one that has something leave it as it is; what is atomic or a scalar is replaced. */
function mergeValue(schema: Schema, live: unknown, value: unknown): unknown {
  if (isAtomic(schema, value)) return copyOf(value)
  if (isFields(live) && (isFields(value) || value === null))
    return isHollow(live) ? copyOf(value) : mergeApplied(schema, live, value ?? {})
  if (!Array.isArray(live) || !(Array.isArray(value) || value === null) || schema.kind !== 'list') return copyOf(value)
  if (live.length === 0) return copyOf(value)
  const merged: unknown[] = [...live]
  for (const item of value ?? []) {
    const element = elementOf(schema, item)
    const at = merged.findIndex(candidate => elementOf(schema, candidate) === element)
    if (at < 0) merged.push(copyOf(item))
    else merged[at] = mergeValue(schema.item, merged[at], item)
  }
  return appliedOrder(schema, merged, value ?? [])
}

function isAtomic(schema: Schema, value: unknown): boolean {
  switch (schema.kind) {
    case 'scalar':
      return true
    case 'list':
      return schema.semantics.list.kind === 'atomic'
    case 'any':
      return schema.isAtomic === true || Array.isArray(value)
    default:
      return schema.isAtomic
  }
}

function isHollow(fields: Draft): boolean {
  return Object.values(fields).every(value => value === undefined)
}

/** Applied items in the order of the configuration, at the places where items of it stood. */
function appliedOrder(
  schema: Extract<Schema, { kind: 'list' }>,
  merged: readonly unknown[],
  value: readonly unknown[],
): unknown[] {
  const wanted = value.map(item => elementOf(schema, item))
  const queue = wanted.map(element => merged.find(candidate => elementOf(schema, candidate) === element))
  return merged.map(item => (wanted.includes(elementOf(schema, item)) ? queue.shift() : item))
}

/** Takes fields out of an object; items and structs that are named themselves go whole. */
function removeFields(schema: Schema, value: unknown, set: FieldSet): void {
  for (const [element, below] of set.children) {
    if (element.startsWith('f:')) {
      const name = element.slice(2)
      if (!isFields(value) || !Object.hasOwn(value, name)) continue
      removeFields(memberSchema(schema, name), value[name], below)
      const rest = value[name]
      const isContainer = isFields(rest) || Array.isArray(rest)
      if (!isContainer || Object.keys(rest).length === 0 || (below.isMember && below.children.size === 0)) delete value[name]
    } else if (Array.isArray(value) && schema.kind === 'list') {
      const at = value.findIndex(item => elementOf(schema, item) === element)
      if (at < 0) continue
      if (below.isMember) value.splice(at, 1)
      else removeFields(schema.item, value[at], below)
    }
  }
}
