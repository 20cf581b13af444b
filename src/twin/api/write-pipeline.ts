// How objects are created and changed, whoever asks: clients over HTTP (with webhooks in between) and the simulated components.
// The order of steps is upstream's and observable: names, defaults, admission, system fields, validation, ownership, commit.

import { generatedName } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import {
  alreadyExists,
  badRequest,
  conflict,
  internalError,
  notFound,
  StatusError,
  type Subject,
  statusBody,
} from '#kube/objects/status.ts'
import { copyOf, type Draft, draftOf, fieldsAt, frozen, isSame, listAt, raised, setField, textAt } from '../json-value.ts'
import { trackCreate, trackUpdate } from '../patch/managed-fields.ts'
import { inGoForm, loseEmptyLists } from '../schema/go-form.ts'
import { kindSchema } from '../schema/kind-schema.ts'
import { objectKey } from '../store.ts'
import { admitCreate, admitUpdate } from './admission/admission.ts'
import { admitToQuotas } from './admission/resource-quotas.ts'
import { type ApiServer, timestamp } from './api-server.ts'
import { bareError } from './bare-error.ts'
import { setDefaults, setStatusDefaults } from './defaults.ts'
import {
  countTemplates,
  generationRises,
  hasGeneration,
  keepUnwritable,
  resetStatus,
  uncountTemplates,
} from './object-strategy.ts'
import { prepareChanged, prepareNew } from './prepared-object.ts'
import { resetFields } from './reset-fields.ts'
import { apiVersionOf, qualifiedResource, type ResourceType } from './resource-type.ts'
import { identityProblems, refused, validateCreate, validateUpdate } from './validation/validation.ts'
import type { WriteOptions } from './write-options.ts'

export function subjectOf(type: ResourceType): Subject {
  return { group: type.group, resource: type.plural }
}

/** An object as it is stored. The pipeline has set its kind, name and metadata, whatever the draft had. */
export function asStored(draft: Draft): KubeObject {
  const metadata = fieldsAt(draft, 'metadata')
  const { apiVersion, kind } = draft
  if (
    typeof apiVersion !== 'string' ||
    typeof kind !== 'string' ||
    metadata === undefined ||
    typeof metadata['name'] !== 'string'
  ) {
    throw internalError('an object without apiVersion, kind or metadata.name reached the store')
  }
  return frozen({ ...draft, apiVersion, kind, metadata: { ...metadata, name: metadata['name'] } })
}

/** Kinds with lists that are always written, and may be empty. */
const losesEmptyLists: ReadonlySet<string> = new Set([
  ...['clusterroles.rbac.authorization.k8s.io', 'roles.rbac.authorization.k8s.io', 'csinodes.storage.k8s.io'],
  ...['endpointslices.discovery.k8s.io', 'limitranges'],
])

export class WritePipeline {
  readonly #server: ApiServer

  constructor(server: ApiServer) {
    this.#server = server
  }

  /** Steps before webhooks: names, defaults, admission. The result is not yet stored. */
  prepareCreate(type: ResourceType, object: Draft | KubeObject, namespace: string | undefined, options: WriteOptions): Draft {
    const draft = draftOf(object)
    draft['apiVersion'] = apiVersionOf(type)
    draft['kind'] = type.kind
    const metadata = { ...fieldsAt(draft, 'metadata') }
    draft['metadata'] = metadata
    agreeOnNamespace(type, metadata, namespace)
    for (const name of ['selfLink', 'deletionTimestamp', 'deletionGracePeriodSeconds']) delete metadata[name]
    metadata['uid'] = this.#server.uids.fresh(type.key, namespace, textAt(metadata, 'name') ?? textAt(metadata, 'generateName'))
    metadata['creationTimestamp'] = timestamp(this.#server.clock.now())
    if (metadata['generateName'] === '') delete metadata['generateName']
    setDefaults(type, draft, this.#server)
    if (options.requested !== undefined) inGoForm(kindSchema(type), draft)
    // Before the server gives it a name, and before admission: what they add is nobody's.
    if (options.keepManagedFields !== true) trackCreate(this.#server, type, draft, options)
    if (textAt(metadata, 'name') === undefined || metadata['name'] === '') {
      this.#generateName(type, metadata)
      setDefaults(type, draft, this.#server)
    }
    admitCreate(this.#server, type, draft, options.user)
    return draft
  }

  /** Steps after webhooks: status and generation, validation, ownership, commit. */
  finishCreate(type: ResourceType, draft: Draft, options: WriteOptions): KubeObject {
    const metadata = fieldsAt(draft, 'metadata') ?? {}
    prepareNew(type, draft, { user: options.user, minor: this.#server.minor })
    resetStatus(type, draft)
    if (hasGeneration(type, this.#server.minor)) metadata['generation'] = 1
    else if (metadata['generation'] === 0) delete metadata['generation']
    validateCreate(this.#server, type, draft, options.requested)
    // Storage refuses it, and a dry run does not come so far: the version that was sent comes back.
    if (options.isDryRun !== true) {
      if (/^0*[1-9]\d*$/.test(textAt(metadata, 'resourceVersion') ?? ''))
        throw bareError('resourceVersion should not be set on objects to be created')
      delete metadata['resourceVersion']
    }
    admitToQuotas(this.#server, type, draft)
    if (losesEmptyLists.has(type.key)) loseEmptyLists(kindSchema(type), draft)
    const object = asStored(draft)
    const { namespace, name } = object.metadata
    if (this.#server.store.get(type.key, namespace, name) !== undefined) throw alreadyExists(subjectOf(type), name)
    return options.isDryRun === true ? object : this.#server.store.put(type.key, object)
  }

  create(type: ResourceType, object: Draft | KubeObject, namespace: string | undefined, options: WriteOptions): KubeObject {
    return this.finishCreate(type, this.prepareCreate(type, object, namespace, options), options)
  }

  /** Steps before webhooks of an update: who may write what, defaults, admission. */
  prepareUpdate(type: ResourceType, object: Draft | KubeObject, existing: KubeObject, options: WriteOptions): Draft {
    const draft = draftOf(object, replacedFields(type, options.subresource))
    draft['apiVersion'] = apiVersionOf(type)
    draft['kind'] = type.kind
    const metadata = metadataDraft(object, existing)
    draft['metadata'] = metadata
    const { name, uid, resourceVersion } = existing.metadata
    agreeOnNamespace(type, metadata, existing.metadata.namespace)
    const givenVersion = givenResourceVersion(metadata)
    if (givenVersion !== '' && givenVersion !== resourceVersion) throw modified(type, name)
    if (givenVersion === '' && needsResourceVersion(type)) throw missingResourceVersion(type, name)
    const givenUid = textAt(metadata, 'uid') ?? ''
    if (givenUid !== '' && givenUid !== uid && options.isPatch !== true) {
      const key = `/registry/${type.plural}/${objectKey(existing.metadata.namespace, name)}`
      const why = `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${givenUid}, UID in object meta: ${uid ?? ''}`
      throw conflict(subjectOf(type), name, why)
    }
    const changed = identityProblems(metadata, existing)
    if (changed.length > 0) throw refused(type, name, changed)
    keepUnwritable(type, draft, existing, options.subresource)
    // Before defaults, which count one.
    if (options.subresource === undefined || options.subresource === 'status') uncountTemplates(type, draft)
    // A write to a subresource takes the rest from what is stored, which has its defaults and is frozen.
    if (options.subresource === undefined || options.subresource === 'ephemeralcontainers') setDefaults(type, draft, this.#server)
    else if (options.subresource === 'status') setStatusDefaults(type, draft, existing)
    if (options.requested !== undefined) inGoForm(kindSchema(type), draft)
    if (options.keepManagedFields !== true) trackUpdate(this.#server, type, draft, existing, options)
    if (options.subresource === undefined || options.subresource === 'status') countTemplates(type, draft, existing)
    if (options.subresource === undefined) admitUpdate(this.#server, type, draft, existing)
    return draft
  }

  /** Steps after webhooks of an update. An update that changes nothing writes nothing. */
  finishUpdate(type: ResourceType, draft: Draft, existing: KubeObject, options: WriteOptions): KubeObject {
    prepareChanged(type, draft, existing, { ...options, minor: this.#server.minor, now: timestamp(this.#server.clock.now()) })
    const metadata = fieldsAt(draft, 'metadata') ?? {}
    if (hasGeneration(type, this.#server.minor) || countsLater.has(type.key)) {
      const generation = existing.metadata.generation ?? (countsLater.has(type.key) ? 0 : 1)
      metadata['generation'] =
        options.subresource !== 'status' && generationRises(type, draft, existing) ? raised(generation) : generation
      if (metadata['generation'] === 0) delete metadata['generation']
    }
    validateUpdate(this.#server, type, draft, existing, options)
    metadata['resourceVersion'] = existing.metadata.resourceVersion
    if (losesEmptyLists.has(type.key)) loseEmptyLists(kindSchema(type), draft)
    if (isUnchanged(draft, existing)) return existing
    const object = asStored(draft)
    return options.isDryRun === true ? object : this.commit(type, object)
  }

  /** Writes what went through all steps; what nothing holds any more goes. */
  commit(type: ResourceType, object: KubeObject): KubeObject {
    const { namespace, name } = object.metadata
    if (isGone(object)) {
      this.#server.store.remove(type.key, namespace, name)
      return object
    }
    return this.#server.store.put(type.key, object)
  }

  update(type: ResourceType, object: Draft | KubeObject, options: WriteOptions): KubeObject {
    const namespace = type.isNamespaced ? textAt(object, 'metadata', 'namespace') : undefined
    const existing = this.existing(type, namespace, textAt(object, 'metadata', 'name') ?? '')
    return this.finishUpdate(type, this.prepareUpdate(type, object, existing, options), existing, options)
  }

  existing(type: ResourceType, namespace: string | undefined, name: string): KubeObject {
    const found = this.#server.store.get(type.key, namespace, name)
    if (found === undefined) throw notFound(subjectOf(type), name)
    return found
  }

  #generateName(type: ResourceType, metadata: Draft): void {
    const base = textAt(metadata, 'generateName') ?? ''
    // A LimitRange that nobody named is called by an identity of its own.
    if (base === '' && type.key === 'limitranges')
      metadata['name'] = this.#server.uids.fresh(`${type.key}/name`, textAt(metadata, 'namespace'), undefined)
    if (base === '') return
    for (let attempt = 0; attempt < 8; attempt++) {
      const name = generatedName(base, this.#server.random)
      metadata['name'] = name
      const namespace = type.isNamespaced ? textAt(metadata, 'namespace') : undefined
      if (this.#server.store.get(type.key, namespace, name) === undefined) return
    }
  }
}

/** Empty for none and for 0. @throws StatusError 500, as upstream, for what is no number. */
export function givenResourceVersion(metadata: Draft): string {
  const given = textAt(metadata, 'resourceVersion') ?? ''
  if (given === '' || /^0+$/.test(given)) return ''
  if (!/^\d+$/.test(given)) throw bareError(`strconv.ParseUint: parsing ${JSON.stringify(given)}: invalid syntax`)
  // Only a long one may be too big; the check costs nothing for the others.
  if (given.length > 19 && BigInt(given) >= 2n ** 64n)
    throw bareError(`strconv.ParseUint: parsing ${JSON.stringify(given)}: value out of range`)
  return given
}

/** Fields that a write has no say in: {@link keepUnwritable} puts them back, so that nobody need copy them. */
function replacedFields(type: ResourceType, subresource: string | undefined): ReadonlySet<string> {
  return new Set([
    'metadata',
    ...resetFields(type, subresource).flatMap(([name = '', field]) => (field === undefined ? [name] : [])),
  ])
}

/** Metadata that may be changed, but for stored parts that are only ever replaced as a whole. */
function metadataDraft(object: Draft | KubeObject, existing: KubeObject): Draft {
  const metadata: Draft = {}
  for (const [name, value] of Object.entries(fieldsAt(object, 'metadata') ?? {}))
    setField(metadata, name, name === 'managedFields' && value === existing.metadata[name] ? value : copyOf(value))
  return metadata
}

function agreeOnNamespace(type: ResourceType, metadata: Draft, namespace: string | undefined): void {
  if (!type.isNamespaced) {
    delete metadata['namespace']
    return
  }
  const given = textAt(metadata, 'namespace') ?? ''
  const wanted = namespace ?? given
  if (given !== '' && given !== wanted) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  metadata['namespace'] = wanted
}

export function modified(type: ResourceType, name: string): StatusError {
  return conflict(
    subjectOf(type),
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  )
}

function needsResourceVersion(type: ResourceType): boolean {
  return type.custom !== undefined || type.group === 'admissionregistration.k8s.io' || conditional.has(type.key)
}

/** Kinds that have no generation before their first change. */
const countsLater: ReadonlySet<string> = new Set(['csidrivers.storage.k8s.io'])

/** Kinds that are not updated without the version that the update is of. */
const conditional: ReadonlySet<string> = new Set([
  'apiservices.apiregistration.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io',
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'csistoragecapacities.storage.k8s.io',
  'leases.coordination.k8s.io',
  'poddisruptionbudgets.policy',
  'runtimeclasses.node.k8s.io',
  'volumeattachments.storage.k8s.io',
])

function missingResourceVersion(type: ResourceType, name: string): StatusError {
  const why = 'metadata.resourceVersion: Invalid value: 0: must be specified for an update'
  const qualified = qualifiedResource(type)
  const cause = {
    reason: 'FieldValueInvalid',
    message: 'Invalid value: 0: must be specified for an update',
    field: 'metadata.resourceVersion',
  }
  const details = { name, ...(type.group === '' ? {} : { group: type.group }), kind: type.plural, causes: [cause] }
  return new StatusError(statusBody(422, `${qualified} "${name}" is invalid: ${why}`, 'Invalid', details))
}

/** An object whose deletion was asked for and that nothing holds any more. */
function isGone(object: KubeObject): boolean {
  const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata
  if (deletionTimestamp === undefined || (finalizers?.length ?? 0) > 0) return false
  return (deletionGracePeriodSeconds ?? 0) === 0 && listAt(object, 'spec', 'finalizers').length === 0
}

function isUnchanged(draft: Draft, existing: KubeObject): boolean {
  return isSame(withoutTimes(draft), withoutTimes(existing))
}

/** The object with the times in managedFields left out: they alone are no change. */
function withoutTimes(object: Draft | KubeObject): Draft {
  const metadata = fieldsAt(object, 'metadata') ?? {}
  const entries = listAt(metadata, 'managedFields').map(entry => ({ ...fieldsAt({ entry }, 'entry'), time: undefined }))
  return { ...object, metadata: { ...metadata, managedFields: entries.length === 0 ? undefined : entries } }
}
