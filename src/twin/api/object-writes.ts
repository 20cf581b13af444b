// POST, PUT, PATCH and DELETE of objects over the wire.

import { applyJsonPatch, operationsLimit, readJsonPatch } from '#kube/json-patch.ts'
import { applyMergePatch } from '#kube/merge-patch.ts'
import type { KubeObject } from '#kube/objects.ts'
import { badRequest, internalError, notFound, StatusError, statusBody } from '#kube/status.ts'
import { type Draft, draftOf, fieldsAt, isFields, listAt, numberAt, setAt, textAt, valueAt } from '../json-value.ts'
import { applied } from '../patch/server-side-apply.ts'
import { strategicMerge } from '../patch/strategic-merge.ts'
import { kindSchema } from '../schema/kind-schema.ts'
import { statusAnswer, textAnswer } from './answer.ts'
import type { ApiServer, User } from './api-server.ts'
import { afterDefinitionWrite } from './custom-resources.ts'
import { decodeBody } from './decode.ts'
import type { Deletion, DeletionChoice } from './deletion.ts'
import { objectText } from './list.ts'
import { listOptions } from './list-options.ts'
import { type AnswerForm, answerForm } from './negotiation.ts'
import { isTrue, type ResourceRequest, type TwinRequest, type TwinResponse } from './request.ts'
import { agreeOnName, checked, fieldManager, isDryRun, objectOf } from './request-body.ts'
import type { ResourceType } from './resource-type.ts'
import { selectionOf } from './selection.ts'
import { inVersion, toStorage } from './versions.ts'
import { warningHeaders } from './warnings.ts'
import type { Webhooks } from './webhooks.ts'
import { modified, subjectOf, type WriteOptions, type WritePipeline } from './write-pipeline.ts'

export interface WriteParts {
  readonly server: ApiServer
  readonly writes: WritePipeline
  readonly deletion: Deletion
  readonly webhooks: Webhooks
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
    const form = answerForm(write.request.headers['accept'])
    const { draft, warnings } = objectOf(write.type, write.request)
    const { object, warnings: more } = await this.#created(write, draft)
    return this.#answer(write, form, { object, status: 201, warnings: [...warnings, ...more] })
  }

  async #created(
    write: WriteRequest,
    draft: Draft,
    options: WriteOptions = this.#options(write),
  ): Promise<{ readonly object: KubeObject; readonly warnings: readonly string[] }> {
    const { server, writes, webhooks } = this.#parts
    const storage = this.#storageType(write.type)
    const prepared = writes.prepareCreate(
      storage,
      toStorage(write.type, draft),
      write.type.isNamespaced ? (write.info.namespace ?? '') : undefined,
      options,
    )
    const warnings: string[] = []
    const admitted = await webhooks.admit(storage, {
      operation: 'CREATE',
      object: prepared,
      existing: undefined,
      options,
      warnings,
    })
    const object = writes.finishCreate(storage, admitted, options)
    if (options.isDryRun !== true) afterDefinitionWrite(server, object)
    return { object, warnings }
  }

  async update(write: WriteRequest): Promise<TwinResponse> {
    const form = answerForm(write.request.headers['accept'])
    const { draft, warnings } = objectOf(write.type, write.request)
    agreeOnName(draft, write.info)
    const existing = this.#find(write)
    if (existing === undefined) {
      if (!createdByUpdate.has(write.type.key) || write.info.subresource !== undefined)
        throw notFound(subjectOf(write.type), write.info.name ?? '')
      const { object, warnings: more } = await this.#created(write, draft)
      return this.#answer(write, form, { object, status: 201, warnings: [...warnings, ...more] })
    }
    const result = await this.#updated(write, draft, existing, this.#options(write))
    if (result === undefined) throw modified(write.type, existing.metadata.name)
    return this.#answer(write, form, { object: result.object, status: 200, warnings: [...warnings, ...result.warnings] })
  }

  /** Undefined when somebody else wrote the object meanwhile. */
  async #updated(write: WriteRequest, draft: Draft, existing: KubeObject, options: WriteOptions) {
    const { server, writes, webhooks } = this.#parts
    const storage = this.#storageType(write.type)
    const body = toStorage(write.type, draft)
    if (write.type.isNamespaced)
      setAt(body, ['metadata', 'namespace'], textAt(body, 'metadata', 'namespace') ?? write.info.namespace)
    const prepared = writes.prepareUpdate(storage, body, existing, options)
    const warnings: string[] = []
    const admitted =
      options.subresource === undefined
        ? await webhooks.admit(storage, { operation: 'UPDATE', object: prepared, existing, options, warnings })
        : prepared
    if (this.#find(write) !== existing) return undefined
    const object = writes.finishUpdate(storage, admitted, existing, options)
    if (options.isDryRun !== true) afterDefinitionWrite(server, object)
    return { object, warnings }
  }

  async patch(write: WriteRequest): Promise<TwinResponse> {
    const form = answerForm(write.request.headers['accept'])
    const mediaType = (write.request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? ''
    if (!patchTypes.has(mediaType)) throw unsupportedPatch()
    const { value, duplicates } = decodeBody(mediaType, write.request.body)
    for (let attempt = 0; attempt < patchTries; attempt++) {
      const existing = this.#find(write)
      if (mediaType === 'application/apply-patch+yaml') {
        const answer = await this.#apply(write, form, value, existing, duplicates)
        if (answer !== undefined) return answer
        continue
      }
      if (existing === undefined) throw notFound(subjectOf(write.type), write.info.name ?? '')
      const patched = patchedObject(write.type, draftOf(inVersion(write.type, existing)), mediaType, value)
      const { draft, warnings } = checked(write.type, patched, write.request, duplicates)
      agreeOnName(draft, write.info)
      const isConditional = sentResourceVersion(value) !== undefined
      const result = await this.#updated(write, draft, existing, this.#options(write))
      if (result !== undefined)
        return this.#answer(write, form, { object: result.object, status: 200, warnings: [...warnings, ...result.warnings] })
      if (isConditional) break
    }
    throw modified(write.type, write.info.name ?? '')
  }

  /** Undefined when somebody else wrote the object meanwhile. */
  async #apply(
    write: WriteRequest,
    form: AnswerForm,
    value: unknown,
    existing: KubeObject | undefined,
    duplicates: readonly string[],
  ): Promise<TwinResponse | undefined> {
    const { server } = this.#parts
    if (!isFields(value)) throw badRequest('the applied configuration must be an object')
    if (write.request.query.get('fieldManager') === null) throw missingManager()
    const { draft, warnings } = checked(write.type, draftOf(value), write.request, duplicates)
    agreeOnName(draft, write.info)
    if (write.type.isNamespaced)
      setAt(draft, ['metadata', 'namespace'], textAt(draft, 'metadata', 'namespace') ?? write.info.namespace)
    const options = {
      ...this.#options(write),
      keepManagedFields: true,
      isForced: isTrue(write.request.query.get('force') ?? 'false'),
    }
    if (existing === undefined) {
      if (write.info.subresource !== undefined) throw notFound(subjectOf(write.type), write.info.name ?? '')
      const whole = applied(server, write.type, undefined, draft, options)
      const { object, warnings: more } = await this.#created(write, whole, options)
      return this.#answer(write, form, { object, status: 201, warnings: [...warnings, ...more] })
    }
    const given = textAt(draft, 'metadata', 'resourceVersion')
    if (given !== undefined && given !== existing.metadata.resourceVersion) throw modified(write.type, existing.metadata.name)
    const merged = applied(server, write.type, inVersion(write.type, existing), draft, options)
    const result = await this.#updated(write, merged, existing, options)
    return result === undefined
      ? undefined
      : this.#answer(write, form, { object: result.object, status: 200, warnings: [...warnings, ...result.warnings] })
  }

  remove(write: WriteRequest): TwinResponse {
    const form = answerForm(write.request.headers['accept'])
    const choice = deletionChoice(write.request)
    const { object, isGone } = this.#parts.deletion.remove(
      this.#storageType(write.type),
      write.info.namespace,
      write.info.name ?? '',
      choice,
    )
    if (!isGone || returnsObject.has(write.type.key) || write.type.group === 'storage.k8s.io')
      return this.#answer(write, form, { object, status: 200, warnings: [] })
    const details = {
      name: object.metadata.name,
      ...(write.type.group === '' ? {} : { group: write.type.group }),
      kind: write.type.plural,
      uid: object.metadata.uid,
    }
    return statusAnswer(write.request, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }, 200)
  }

  removeCollection(write: WriteRequest): TwinResponse {
    const { server, deletion } = this.#parts
    const options = listOptions(write.request.query, 'list')
    const selection = selectionOf(write.type, options.labelSelector, options.fieldSelector)
    const choice = deletionChoice(write.request)
    const storage = this.#storageType(write.type)
    const found = server.store.list(storage.key, write.info.namespace).filter(object => selection.matches(object))
    const items = found.map(object => {
      const { object: removed } = deletion.remove(storage, object.metadata.namespace, object.metadata.name, choice)
      return write.type.custom === undefined ? { ...removed, apiVersion: undefined, kind: undefined } : removed
    })
    const list = {
      kind: `${write.type.kind}List`,
      apiVersion: `${write.type.group === '' ? '' : `${write.type.group}/`}${write.type.version}`,
      metadata: { resourceVersion: String(server.store.revision) },
      items,
    }
    return textAnswer(write.request, 200, JSON.stringify(list), { encoding: 'json' })
  }

  #find(write: WriteRequest): KubeObject | undefined {
    return this.#parts.server.store.get(
      write.type.key,
      write.type.isNamespaced ? write.info.namespace : undefined,
      write.info.name ?? '',
    )
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
      ...(subresource === undefined ? {} : { subresource }),
    }
  }

  #answer(
    write: WriteRequest,
    form: AnswerForm,
    result: { readonly object: KubeObject; readonly status: number; readonly warnings: readonly string[] },
  ): TwinResponse {
    const shown = inVersion(write.type, result.object)
    return textAnswer(
      write.request,
      result.status,
      objectText(this.#parts.server, write.type, shown, form, write.request),
      form,
      warningHeaders(result.warnings),
    )
  }
}

const patchTypes = new Set([
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
])

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

function sentResourceVersion(patch: unknown): string | undefined {
  return textAt(patch, 'metadata', 'resourceVersion')
}

/** The object a patch makes of another. @throws StatusError */
export function patchedObject(type: ResourceType, object: Draft, mediaType: string, patch: unknown): Draft {
  const result = patchedValue(type, object, mediaType, patch)
  if (!isFields(result)) throw badRequest('the patched object is no object')
  return result
}

function patchedValue(type: ResourceType, object: Draft, mediaType: string, patch: unknown): unknown {
  switch (mediaType) {
    case 'application/json-patch+json': {
      if (Array.isArray(patch) && patch.length > operationsLimit) {
        throw new StatusError(
          statusBody(
            413,
            `The allowed maximum operations in a JSON patch is ${operationsLimit}, got ${patch.length}`,
            'RequestEntityTooLarge',
          ),
        )
      }
      const operations = readJsonPatch(patch)
      if (!operations.ok) throw badRequest(`error decoding patch: expected ${operations.problem.expected}`)
      const result = applyJsonPatch(object, operations.value)
      if (!result.ok)
        throw new StatusError(statusBody(422, 'the server rejected our request due to an error in our request', 'Invalid', {}))
      return draftOf(isFields(result.value) ? result.value : {})
    }
    case 'application/merge-patch+json':
      return draftOf(fieldsAt({ value: applyMergePatch(object, patch) }, 'value') ?? {})
    case 'application/strategic-merge-patch+json':
      if (type.custom !== undefined) throw unknownFormat()
      if (!isFields(patch)) throw badRequest('a strategic merge patch must be an object')
      return draftOf(strategicMerge(kindSchema(type), object, patch))
    default:
      throw unsupportedPatch()
  }
}

function unsupportedPatch(): StatusError {
  return new StatusError(statusBody(415, '415: Unsupported Media Type', 'UnsupportedMediaType', {}))
}

/** Custom kinds have no strategic merge. */
function unknownFormat(): StatusError {
  const accepted = 'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml'
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted}`
  return new StatusError(statusBody(415, message, 'UnsupportedMediaType'))
}

function missingManager(): StatusError {
  const body = 'Required value: is required for apply patch'
  const causes = [{ reason: 'FieldValueRequired', message: body, field: 'fieldManager' }]
  return new StatusError(
    statusBody(422, `PatchOptions.meta.k8s.io "" is invalid: fieldManager: ${body}`, 'Invalid', {
      group: 'meta.k8s.io',
      kind: 'PatchOptions',
      causes,
    }),
  )
}

/** DeleteOptions of the body, or of the query. */
function deletionChoice(request: TwinRequest): DeletionChoice {
  const body = request.body.byteLength === 0 ? {} : decodeBody(request.headers['content-type'], request.body).value
  const { query } = request
  const text = (name: string) => textAt(body, name) ?? query.get(name) ?? undefined
  const seconds =
    numberAt(body, 'gracePeriodSeconds') ??
    (query.get('gracePeriodSeconds') === null ? undefined : Number(query.get('gracePeriodSeconds')))
  const policy = text('propagationPolicy')
  const orphan =
    valueAt(body, 'orphanDependents') ??
    (query.get('orphanDependents') === null ? undefined : query.get('orphanDependents') === 'true')
  const preconditions = fieldsAt(body, 'preconditions')
  const isDry = listAt(body, 'dryRun').includes('All') || isDryRun(query)
  const chosen =
    policy === 'Background' || policy === 'Foreground' || policy === 'Orphan'
      ? policy
      : orphan === true
        ? 'Orphan'
        : orphan === false
          ? 'Background'
          : undefined
  const uid = textAt(preconditions, 'uid')
  const resourceVersion = textAt(preconditions, 'resourceVersion')
  return {
    ...(seconds === undefined ? {} : { gracePeriodSeconds: seconds }),
    ...(chosen === undefined ? {} : { propagationPolicy: chosen }),
    ...(preconditions === undefined
      ? {}
      : {
          preconditions: { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) },
        }),
    isDryRun: isDry,
  }
}
