// POST, PUT, PATCH and DELETE of objects over the wire.

import type { KubeObject } from '#kube/objects/objects.ts'
import { alreadyExists, badRequest, conflict, internalError, notFound } from '#kube/objects/status.ts'
import { isTrue, refusedTo } from '#kube/server/request-info.ts'
import { type Draft, draftOf, fieldsAt, jsonText, setAt, textAt } from '../json-value.ts'
import { applied } from '../patch/server-side-apply.ts'
import { inGoForm } from '../schema/go-form.ts'
import { kindSchema } from '../schema/kind-schema.ts'
import type { Authorizer } from './access/authorization.ts'
import { assertMayGrant } from './access/escalation.ts'
import type { Webhooks } from './admission/webhooks.ts'
import { objectAnswer, statusAnswer } from './answers/answer.ts'
import { shownObject } from './answers/list.ts'
import { type AnswerForm, answerForm } from './answers/negotiation.ts'
import { inVersion, toStorage } from './answers/versions.ts'
import { dedupOwners, finalizerWarnings, keptPodsWarning, noteWarnings, warningHeaders } from './answers/warnings.ts'
import type { ApiServer, User } from './api-server.ts'
import { bareError } from './bare-error.ts'
import { isConverted, readyIn } from './custom/conversions.ts'
import { commitConverted } from './custom/converted-commit.ts'
import { afterDefinitionWrite } from './custom/custom-resources.ts'
import { formatWarnings } from './custom/unrecognized-formats.ts'
import { appliedConfiguration, uncomparable, unconverted, unmanaged } from './decoding/applied-configuration.ts'
import { decodePatch } from './decoding/decode.ts'
import type { DecodedBody } from './decoding/decoded-body.ts'
import { invalidPatch, patchedObject, patchType, unknownFormat } from './decoding/patched-object.ts'
import { agreeOnName, objectOf, patchedDraft, strictWords } from './decoding/request-body.ts'
import type { Deletion, DeletionChoice } from './deletion.ts'
import { deletionChoice } from './deletion-options.ts'
import { listOptions } from './list-options.ts'
import type { ResourceRequest, TwinRequest, TwinResponse } from './request.ts'
import { apiVersionOf, type ResourceType } from './resource-type.ts'
import { selectionOf } from './selection.ts'
import { oddities } from './validation/oddities.ts'
import { checkWriteOptions, fieldManager, fieldValidation, isDryRun, type WriteOptions } from './write-options.ts'
import { givenResourceVersion, modified, subjectOf, type WritePipeline } from './write-pipeline.ts'

export interface WriteParts {
  readonly server: ApiServer
  readonly writes: WritePipeline
  readonly deletion: Deletion
  readonly webhooks: Webhooks
  readonly authorizer: Authorizer
}

/** One request as the functions here take it. */
export interface WriteRequest {
  readonly type: ResourceType
  readonly info: ResourceRequest
  readonly request: TwinRequest
  readonly user: User
}

/** How often the server repeats a patch that lost against another write. */
const patchTries = 5

/** Kinds that a PUT creates when they are not there. */
const createdByUpdate = new Set([
  'endpoints',
  'events',
  'leases.coordination.k8s.io',
  'limitranges',
  'runtimeclasses.node.k8s.io',
  'services',
  'roles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
  'clusterroles.rbac.authorization.k8s.io',
  'clusterrolebindings.rbac.authorization.k8s.io',
])

export class ObjectWrites {
  readonly #parts: WriteParts

  constructor(parts: WriteParts) {
    this.#parts = parts
  }

  async create(write: WriteRequest): Promise<TwinResponse> {
    const form = answerForm(write.request.headers['accept'], write.type)
    checkWriteOptions(write.request)
    const { draft, warnings: told } = objectOf(write.type, write.request)
    const repeated = dedupOwners(draft)
    noteWarnings(write.request, repeated)
    const { object, warnings: more } = await this.#created(write, draft)
    return this.#answer(write, form, { object, status: 201, warnings: [...told, ...repeated, ...more] })
  }

  async #created(
    write: WriteRequest,
    draft: Draft,
    options: WriteOptions = this.#options(write),
  ): Promise<{ readonly object: KubeObject; readonly warnings: readonly string[] }> {
    const { server, writes, authorizer } = this.#parts
    const storage = this.#writtenType(write.type)
    assertMayGrant(authorizer, write, draft, undefined)
    const prepared = writes.prepareCreate(
      storage,
      toStorage(write.type, draft),
      write.type.isNamespaced ? (write.info.namespace ?? '') : undefined,
      options,
    )
    const warnings: string[] = []
    const admitted = await this.#admitted(write, storage, {
      operation: 'CREATE',
      object: prepared,
      existing: undefined,
      options,
      requested: write.type,
      query: write.request.query,
      warnings,
    })
    checkSize(write, admitted)
    warnings.push(...oddities(storage, admitted))
    if (storage.custom !== undefined) warnings.push(...finalizerWarnings(admitted, undefined))
    if (storage.key === 'customresourcedefinitions.apiextensions.k8s.io')
      warnings.push(...formatWarnings(admitted, undefined, server.minor))
    const object = isConverted(storage)
      ? await this.#committed(write, writes.finishCreate(storage, admitted, { ...options, isDryRun: true }), undefined, options)
      : writes.finishCreate(storage, admitted, options)
    if (object === undefined) throw alreadyExists(subjectOf(write.type), textAt(draft, 'metadata', 'name') ?? '')
    if (options.isDryRun !== true) afterDefinitionWrite(server, object)
    return { object, warnings }
  }

  async update(write: WriteRequest): Promise<TwinResponse> {
    const form = answerForm(write.request.headers['accept'], write.type)
    checkWriteOptions(write.request)
    const { draft, warnings: told } = objectOf(write.type, write.request)
    const repeated = dedupOwners(draft)
    noteWarnings(write.request, repeated)
    const warnings = [...told, ...repeated]
    agreeOnName(draft, write.info)
    const existing = this.#find(write)
    if (existing === undefined) {
      if (!createdByUpdate.has(write.type.key) || write.info.subresource !== undefined)
        throw notFound(subjectOf(write.type), write.info.name ?? '')
      this.#authorizeCreate(write)
      // A POST may bring what is no version.
      givenResourceVersion(fieldsAt(draft, 'metadata') ?? {})
      // What is made by an update has no version yet, whatever it says.
      setAt(draft, ['metadata', 'resourceVersion'], undefined)
      const { object, warnings: more } = await this.#created(write, draft)
      return this.#answer(write, form, { object, status: 201, warnings: [...warnings, ...more] })
    }
    const result = await this.#updated(write, draft, existing, this.#options(write))
    if (result === undefined) throw modified(write.type, existing.metadata.name)
    return this.#answer(write, form, { object: result.object, status: 200, warnings: [...warnings, ...result.warnings] })
  }

  /** Undefined when somebody else wrote the object meanwhile. */
  async #updated(write: WriteRequest, draft: Draft, existing: KubeObject, options: WriteOptions) {
    const { server, writes, authorizer } = this.#parts
    const storage = this.#writtenType(write.type)
    assertMayGrant(authorizer, write, draft, existing)
    await readyIn(server, storage, [existing])
    const body = toStorage(write.type, draft)
    if (write.type.isNamespaced)
      setAt(body, ['metadata', 'namespace'], textAt(body, 'metadata', 'namespace') ?? write.info.namespace)
    // What a component wrote lacks what Go writes: that is no change of this client's.
    const before = inGoForm(kindSchema(storage), inVersion(storage, existing))
    const prepared = writes.prepareUpdate(storage, body, before, options)
    const warnings: string[] = []
    const admitted = await this.#admitted(write, storage, {
      operation: 'UPDATE',
      object: prepared,
      existing: before,
      options,
      requested: write.type,
      query: write.request.query,
      warnings,
    })
    if (this.#find(write) !== existing) return undefined
    checkSize(write, admitted)
    if (storage.custom !== undefined) warnings.push(...finalizerWarnings(admitted, existing))
    if (storage.key === 'customresourcedefinitions.apiextensions.k8s.io')
      warnings.push(...formatWarnings(admitted, existing, server.minor))
    const object = isConverted(storage)
      ? await this.#converted(write, storage, { admitted, before, existing }, options)
      : this.#migrated(storage, writes.finishUpdate(storage, admitted, before, options), { before, existing }, options)
    if (object === undefined) return undefined
    if (options.subresource === undefined) warnings.push(...oddities(storage, object, before))
    if (options.isDryRun !== true) afterDefinitionWrite(server, object)
    return { object, warnings }
  }

  async patch(write: WriteRequest): Promise<TwinResponse> {
    const form = answerForm(write.request.headers['accept'], write.type)
    const mediaType = patchType(write.request.headers['content-type'])
    if (mediaType === 'application/strategic-merge-patch+json' && write.type.custom !== undefined) throw unknownFormat()
    checkWriteOptions(write.request, mediaType === 'application/apply-patch+yaml')
    const { server } = this.#parts
    const body = decodePatch(mediaType, write.request.body)
    const patch = body.value
    for (let attempt = 0; attempt < patchTries; attempt++) {
      const existing = this.#find(write)
      if (existing !== undefined) await readyIn(server, write.type, [existing])
      if (mediaType === 'application/apply-patch+yaml') {
        const answer = await this.#apply(write, form, body, existing)
        if (answer !== undefined) return answer
        continue
      }
      if (existing === undefined) throw notFound(subjectOf(write.type), write.info.name ?? '')
      const patched = patchedObject(write.type, draftOf(inVersion(write.type, existing)), mediaType, patch)
      const refused = (why: string, restoring = why) =>
        invalidPatch(mediaType, patch, patched, mediaType === 'application/strategic-merge-patch+json' ? restoring : why)
      // Upstream patches a struct with a strategic merge, which has no kind of its own; other patches may leave it out.
      for (const [name, value] of Object.entries({ kind: write.type.kind, apiVersion: apiVersionOf(write.type) })) {
        if (mediaType === 'application/strategic-merge-patch+json') patched[name] = value
        patched[name] ??= value
        if (patched[name] !== value) throw refused(unregistered(patched))
      }
      const { draft, warnings: told } = patchedDraft(write.type, patched, write.request, {
        body,
        refused,
        restores: mediaType === 'application/strategic-merge-patch+json',
      })
      agreeOnName(draft, write.info)
      const repeated = dedupOwners(draft, 'after mutating admission happens')
      noteWarnings(write.request, repeated)
      const warnings = [...told, ...repeated]
      const isConditional = sentResourceVersion(patch) !== undefined
      const result = await this.#updated(write, draft, existing, { ...this.#options(write), isPatch: true })
      if (result !== undefined)
        return this.#answer(write, form, { object: result.object, status: 200, warnings: [...warnings, ...result.warnings] })
      if (isConditional) break
    }
    throw modified(write.type, write.info.name ?? '')
  }

  /** What creates an object by PUT or apply needs the right to create it as well: unlike that of a POST it may be bound to the name. */
  #authorizeCreate({ info, user }: WriteRequest): void {
    const asked = { ...info, verb: 'create' } as const
    if (!this.#parts.authorizer.allows(user, asked)) throw refusedTo(user.name, asked)
  }

  /** Undefined when somebody else wrote the object meanwhile. */
  async #apply(
    write: WriteRequest,
    form: AnswerForm,
    body: DecodedBody,
    existing: KubeObject | undefined,
  ): Promise<TwinResponse | undefined> {
    const { server } = this.#parts
    if (fieldValidation(write.request.query) === 'Strict' && body.textProblems.length > 0)
      throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${strictWords(body.textProblems)}`)
    const fault = existing === undefined ? undefined : uncomparable(write.type, existing)
    if (fault !== undefined) throw unmanaged(write.type, write.info, fault)
    const configuration = appliedConfiguration(write.type, write.info, body)
    if (write.type.isNamespaced)
      setAt(configuration, ['metadata', 'namespace'], textAt(configuration, 'metadata', 'namespace') ?? write.info.namespace)
    const options = {
      ...this.#options(write),
      keepManagedFields: true,
      isForced: isTrue(write.request.query.get('force') ?? 'false'),
    }
    const refused = (why: string) => unconverted(write.info, write.type, why)
    if (existing === undefined) {
      if (write.info.subresource !== undefined) throw notFound(subjectOf(write.type), write.info.name ?? '')
      const uid = textAt(configuration, 'metadata', 'uid') ?? ''
      if (uid !== '')
        throw conflict(
          subjectOf(write.type),
          write.info.name ?? '',
          `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
        )
      const whole = applied(server, write.type, undefined, configuration, options)
      const { draft, warnings } = patchedDraft(write.type, whole, write.request, { body, refused, restores: true })
      agreeOnName(draft, write.info)
      setAt(draft, ['metadata', 'resourceVersion'], undefined)
      this.#authorizeCreate(write)
      const { object, warnings: more } = await this.#created(write, draft, options)
      return this.#answer(write, form, { object, status: 201, warnings: [...warnings, ...more] })
    }
    const given = textAt(configuration, 'metadata', 'resourceVersion') ?? ''
    const merged = applied(server, write.type, inVersion(write.type, existing), configuration, options)
    const { draft, warnings } = patchedDraft(write.type, merged, write.request, { body, refused, restores: true })
    if (!/^0*$/.test(given) && given !== existing.metadata.resourceVersion) throw modified(write.type, existing.metadata.name)
    agreeOnName(draft, write.info)
    // Upstream applies as it patches: another uid is refused as a field that was changed.
    const result = await this.#updated(write, draft, existing, { ...options, isPatch: true })
    return result === undefined
      ? undefined
      : this.#answer(write, form, { object: result.object, status: 200, warnings: [...warnings, ...result.warnings] })
  }

  async remove(write: WriteRequest): Promise<TwinResponse> {
    const form = answerForm(write.request.headers['accept'], write.type)
    const choice = deletionChoice(write.request)
    const existing = this.#find(write)
    if (existing === undefined) throw notFound(subjectOf(write.type), write.info.name ?? '')
    // What cannot be read cannot be deleted either.
    await readyIn(this.#parts.server, write.type, [existing], { isFresh: true })
    const warnings: string[] = [...deletionWarnings(write.type, choice)]
    noteWarnings(write.request, warnings)
    await this.#admitDeletion(write, existing, warnings)
    const { object, isGone } = this.#parts.deletion.remove(
      this.#storageType(write.type),
      write.info.namespace,
      write.info.name ?? '',
      choice,
    )
    if (!isGone || returnsObject.has(write.type.key) || returnsAll(write.type))
      return this.#answer(write, form, { object, status: 200, warnings })
    const details = {
      name: object.metadata.name,
      ...(write.type.group === '' ? {} : { group: write.type.group }),
      kind: write.type.plural,
      uid: object.metadata.uid,
    }
    return statusAnswer(
      write.request,
      { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details },
      200,
      warningHeaders(warnings),
    )
  }

  async #admitDeletion(write: WriteRequest, existing: KubeObject, warnings: string[]): Promise<void> {
    await this.#parts.webhooks.admit(this.#storageType(write.type), {
      operation: 'DELETE',
      object: { ...existing },
      existing,
      options: this.#options(write),
      requested: write.type,
      query: write.request.query,
      warnings,
    })
  }

  async removeCollection(write: WriteRequest): Promise<TwinResponse> {
    const { server, deletion } = this.#parts
    const form = answerForm(write.request.headers['accept'], write.type)
    const options = listOptions(write.request.query, 'list')
    const selection = selectionOf(write.type, options.labelSelector, options.fieldSelector)
    const choice = deletionChoice(write.request)
    const storage = this.#storageType(write.type)
    const found = server.store.list(storage.key, write.info.namespace).filter(object => selection.matches(object))
    await readyIn(server, write.type, found, { isFresh: true })
    // The answer is the list as it was found.
    const revision = server.store.revision
    for (const object of found) {
      await this.#admitDeletion(write, object, [])
      const { namespace, name } = object.metadata
      if (server.store.get(storage.key, namespace, name) !== undefined) deletion.remove(storage, namespace, name, choice)
    }
    const items = found
      .map(object => inVersion(write.type, object))
      .map(object => (write.type.custom === undefined ? { ...object, apiVersion: undefined, kind: undefined } : object))
    const list = {
      kind: `${write.type.kind}List`,
      apiVersion: `${write.type.group === '' ? '' : `${write.type.group}/`}${write.type.version}`,
      metadata: { ...(write.type.custom === undefined ? {} : { continue: '' }), resourceVersion: String(revision) },
      items,
    }
    const warnings = found.length === 0 ? [] : deletionWarnings(write.type, choice)
    return objectAnswer(write.request, 200, list, form, warningHeaders(warnings))
  }

  #find(write: WriteRequest): KubeObject | undefined {
    return this.#parts.server.store.get(
      write.type.key,
      write.type.isNamespaced ? write.info.namespace : undefined,
      write.info.name ?? '',
    )
  }

  /** What is warned of is told with a refusal, too. */
  async #admitted(write: WriteRequest, type: ResourceType, input: Parameters<Webhooks['admit']>[1]): Promise<Draft> {
    try {
      return await this.#parts.webhooks.admit(type, input)
    } catch (error) {
      noteWarnings(write.request, input.warnings ?? [])
      throw error
    }
  }

  /** In whose version a write is checked: that of storage, but for kinds that a webhook converts afterwards. */
  #writtenType(type: ResourceType): ResourceType {
    return isConverted(type) ? type : this.#storageType(type)
  }

  async #converted(
    write: WriteRequest,
    type: ResourceType,
    { admitted, before, existing }: { readonly admitted: Draft; readonly before: KubeObject; readonly existing: KubeObject },
    options: WriteOptions,
  ): Promise<KubeObject | undefined> {
    const updated = this.#parts.writes.finishUpdate(type, admitted, before, { ...options, isDryRun: true })
    const isStoredSo = existing.apiVersion === apiVersionOf(this.#storageType(write.type))
    return updated === before && isStoredSo ? existing : await this.#committed(write, updated, existing, options)
  }

  /** What is stored in another version is written anew, though nothing changed: so operators migrate. */
  #migrated(
    storage: ResourceType,
    updated: KubeObject,
    { before, existing }: { readonly before: KubeObject; readonly existing: KubeObject },
    { isDryRun }: WriteOptions,
  ): KubeObject {
    if (updated !== before || isDryRun === true) return updated
    return before.apiVersion === existing.apiVersion ? existing : this.#parts.writes.commit(storage, before)
  }

  #committed(
    write: WriteRequest,
    object: KubeObject,
    existing: KubeObject | undefined,
    options: WriteOptions,
  ): Promise<KubeObject | undefined> {
    return commitConverted(object, { ...this.#parts, storage: this.#storageType(write.type), existing, options })
  }

  #storageType(type: ResourceType): ResourceType {
    const storage = this.#parts.server.resources.ofKey(type.key)
    if (storage === undefined) throw internalError(`${type.key} is not served`)
    return storage
  }

  #options(write: WriteRequest): WriteOptions {
    const { subresource } = write.info
    return {
      user: write.user,
      manager: fieldManager(write.request),
      isDryRun: isDryRun(write.request.query),
      requested: write.type,
      ...(subresource === undefined ? {} : { subresource }),
    }
  }

  async #answer(
    write: WriteRequest,
    form: AnswerForm,
    result: { readonly object: KubeObject; readonly status: number; readonly warnings: readonly string[] },
  ): Promise<TwinResponse> {
    await readyIn(this.#parts.server, write.type, [result.object])
    const shown = inVersion(write.type, result.object)
    return objectAnswer(
      write.request,
      result.status,
      shownObject(this.#parts.server, write.type, shown, form, write.request),
      form,
      warningHeaders(result.warnings),
    )
  }
}

/** A Job that goes leaves its pods, unless its user says what becomes of them. */
function deletionWarnings({ key }: ResourceType, choice: DeletionChoice): readonly string[] {
  return key === 'jobs.batch' && choice.propagationPolicy === undefined ? [keptPodsWarning] : []
}

/** Whether deletions of a group's kinds answer with the object. */
function returnsAll({ group, key }: ResourceType): boolean {
  return group === 'resource.k8s.io' || (group === 'storage.k8s.io' && key !== 'csistoragecapacities.storage.k8s.io')
}

/** Kinds whose deletion answers with the object. */
const returnsObject = new Set([
  'pods',
  'services',
  'serviceaccounts',
  'persistentvolumeclaims',
  'persistentvolumes',
  'resourcequotas',
  'podtemplates',
])

function unregistered(patched: Draft): string {
  const [kind, version] = [textAt(patched, 'kind') ?? '', textAt(patched, 'apiVersion') ?? '']
  return `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(version)} in scheme "pkg/runtime/scheme.go:111"`
}

/** What etcd stores at most of one object. */
const largestObjectBytes = 1536 * 1024

/** @throws StatusError 500, as upstream, for an object that is too large to store; only big requests can make one. */
function checkSize({ request }: WriteRequest, object: Draft): void {
  if (request.body.byteLength * 2 > largestObjectBytes && Buffer.byteLength(jsonText(object)) > largestObjectBytes)
    throw bareError('etcdserver: request is too large')
}

function sentResourceVersion(patch: unknown): string | undefined {
  return textAt(patch, 'metadata', 'resourceVersion')
}
