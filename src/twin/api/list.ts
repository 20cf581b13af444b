// GET of one object and of lists: consistent pages, selectors, and the forms in which they are answered.
import type { KubeObject } from '#kube/objects.ts'
import { badRequest, expired, notFound, StatusError, statusBody } from '#kube/status.ts'
import { numberAt, textAt } from '../json-value.ts'
import { objectKey } from '../store.ts'
import { ContinueExpired, itemJsonOf, jsonOf, metadataOnly, textAnswer } from './answer.ts'
import type { ApiServer } from './api-server.ts'
import { type ListOptions, listOptions, revisionOf } from './list-options.ts'
import type { AnswerForm } from './negotiation.ts'
import type { ResourceRequest, TwinRequest, TwinResponse } from './request.ts'
import { apiVersionOf, type ResourceType } from './resource-type.ts'
import { type Selection, selectionOf } from './selection.ts'
import { type TableOptions, tableOf } from './table.ts'
import { inVersion } from './versions.ts'

/** How long a client that asks for a revision that is not there yet is kept waiting, real time. */
const futureWaitMs = 3000

export async function answerGet(
  server: ApiServer,
  type: ResourceType,
  info: ResourceRequest,
  request: TwinRequest,
  form: AnswerForm,
): Promise<TwinResponse> {
  await atLeastRevision(server, request.query.get('resourceVersion') ?? '', request.signal)
  const name = info.name ?? ''
  const found = server.store.get(type.key, info.namespace, name)
  if (found === undefined) throw notFound({ group: type.group, resource: type.plural }, name)
  return textAnswer(request, 200, objectText(server, type, inVersion(type, found), form, request), form)
}

/** The JSON of one object in the form asked for. */
export function objectText(
  server: ApiServer,
  type: ResourceType,
  object: KubeObject,
  form: AnswerForm,
  request: TwinRequest,
): string {
  switch (form.shape) {
    case 'object':
      return jsonOf(object)
    case 'metadata':
      return JSON.stringify(metadataOnly(object, form.version))
    case 'table':
      return JSON.stringify(tableOf(server, type, [object], tableOptions(form, request)))
  }
}

export function tableOptions(form: AnswerForm, request: TwinRequest): TableOptions {
  const includes = request.query.get('includeObject')
  return {
    version: form.version,
    includes: includes === 'None' || includes === 'Object' ? includes : 'Metadata',
    hasColumns: true,
  }
}

export async function answerList(
  server: ApiServer,
  type: ResourceType,
  info: ResourceRequest,
  request: TwinRequest,
  form: AnswerForm,
): Promise<TwinResponse> {
  const options = listOptions(request.query, 'list')
  await atLeastRevision(server, options.continueToken === '' ? options.resourceVersion : '', request.signal)
  const fields = info.name === undefined ? options.fieldSelector : `metadata.name=${info.name}`
  const page = pageOf(server, type, info.namespace, options, selectionOf(type, options.labelSelector, fields))
  const items = page.items.map(object => inVersion(type, object))
  const metadata = {
    resourceVersion: String(page.revision),
    ...(page.continueToken === undefined ? {} : { continue: page.continueToken }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  }
  if (form.shape === 'table') {
    const table = tableOf(server, type, items, tableOptions(form, request))
    return textAnswer(request, 200, JSON.stringify({ ...table, metadata }), form)
  }
  const head =
    form.shape === 'metadata'
      ? { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.version}`, metadata }
      : { kind: `${type.kind}List`, apiVersion: apiVersionOf(type), metadata }
  const itemText = type.custom === undefined ? itemJsonOf : jsonOf
  const texts = items.map(object =>
    form.shape === 'metadata' ? JSON.stringify(metadataOnly(object, form.version)) : itemText(object),
  )
  return textAnswer(request, 200, `${JSON.stringify(head).slice(0, -1)},"items":[${texts.join(',')}]}`, form)
}

/** Waits for a revision that a client has seen elsewhere. @throws StatusError 504 when it does not come. */
export async function atLeastRevision(server: ApiServer, resourceVersion: string, signal: AbortSignal): Promise<void> {
  if (resourceVersion === '' || resourceVersion === '0') return
  const wanted = revisionOf(resourceVersion)
  const untilMs = server.wire.elapsed() + futureWaitMs
  while (server.store.revision < wanted) {
    if (server.wire.elapsed() >= untilMs) throw tooLarge(wanted, server.store.revision)
    await server.wire.after(50, signal)
  }
}

function tooLarge(wanted: number, current: number): StatusError {
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }]
  return new StatusError(
    statusBody(504, `Timeout: Too large resource version: ${wanted}, current: ${current}`, 'Timeout', {
      causes,
      retryAfterSeconds: 1,
    }),
  )
}

interface Page {
  readonly items: readonly KubeObject[]
  readonly revision: number
  readonly continueToken: string | undefined
  readonly remaining: number | undefined
}

interface Position {
  readonly revision: number
  /** Keys up to and including this one were given already. */
  readonly after: string | undefined
}

function pageOf(
  server: ApiServer,
  type: ResourceType,
  namespace: string | undefined,
  options: ListOptions,
  selection: Selection,
): Page {
  const position = positionOf(server, options)
  const objects = server.store.listAt(type.key, namespace, position.revision)
  if (objects === undefined) throw tooOld(options)
  const left = objects.filter(object => isAfter(object, namespace, position.after) && selection.matches(object))
  if (options.limit <= 0 || left.length <= options.limit)
    return { items: left, revision: position.revision, continueToken: undefined, remaining: undefined }
  const items = left.slice(0, options.limit)
  const last = items.at(-1)
  const start = `${last === undefined ? '' : relativeKey(last, namespace)}\u0000`
  return {
    items,
    revision: position.revision,
    continueToken: continueToken(position.revision, start),
    remaining: selection.isAll ? left.length - items.length : undefined,
  }
}

function continueToken(revision: number, start: string): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url')
}

function relativeKey(object: KubeObject, namespace: string | undefined): string {
  return objectKey(namespace === undefined ? object.metadata.namespace : undefined, object.metadata.name)
}

function isAfter(object: KubeObject, namespace: string | undefined, after: string | undefined): boolean {
  return after === undefined || relativeKey(object, namespace) > after
}

function positionOf(server: ApiServer, options: ListOptions): Position {
  if (options.continueToken !== '') {
    if (options.resourceVersion !== '' && options.resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue')
    }
    const position = readToken(options.continueToken)
    return position.revision < 0 ? { ...position, revision: server.store.revision } : position
  }
  if (options.resourceVersionMatch === 'Exact') return { revision: revisionOf(options.resourceVersion), after: undefined }
  return { revision: server.store.revision, after: undefined }
}

function readToken(token: string): Position {
  const refusal = badRequest('invalid continue token: continue key is not valid: it was not made by this server')
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString())
  } catch (cause) {
    if (cause instanceof SyntaxError) throw refusal
    throw cause
  }
  const revision = numberAt(value, 'rv')
  const start = textAt(value, 'start')
  if (revision === undefined || start === undefined || textAt(value, 'v') !== 'meta.k8s.io/v1') throw refusal
  return { revision, after: start.endsWith('\u0000') ? start.slice(0, -1) : start }
}

function tooOld(options: ListOptions): StatusError {
  if (options.continueToken === '') return expired('The resourceVersion for the provided list is too old.')
  const { after } = readToken(options.continueToken)
  const token = continueToken(-1, `${after ?? ''}\u0000`)
  const message =
    'The provided continue parameter is too old to display a consistent list result. The token in this answer goes on from the newest state.'
  return new ContinueExpired(message, token)
}
