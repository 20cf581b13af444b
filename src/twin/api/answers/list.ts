// GET of one object and of lists: consistent pages, selectors, and the forms in which they are answered.
import { breather } from '#kube/controllers/breather.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { badRequest, expired, notFound, StatusError, statusBody } from '#kube/objects/status.ts'
import { type Draft, numberAt, textAt } from '../../json-value.ts'
import type { ObjectsSnapshot } from '../../ordered-objects.ts'
import { objectKey } from '../../store.ts'
import type { ApiServer } from '../api-server.ts'
import { isConverted, readyIn } from '../custom/conversions.ts'
import { quotedByte, readJson } from '../decoding/json-text.ts'
import { type ListOptions, listOptions, revisionOf } from '../list-options.ts'
import type { ResourceRequest, TwinRequest, TwinResponse } from '../request.ts'
import type { ResourceType } from '../resource-type.ts'
import { type Selection, selectionOf } from '../selection.ts'
import { ContinueExpired, metadataOnly, objectAnswer, textAnswer } from './answer.ts'
import { listMessage } from './list-message.ts'
import { listJson, listPieces, listShape } from './list-text.ts'
import { type AnswerForm, textForm } from './negotiation.ts'
import { type TableOptions, tableOf } from './table.ts'
import { inVersion } from './versions.ts'

/** How long a client that asks for a revision that is not there yet is kept waiting, real time. */
const futureWaitMs = 3000
/** Lists of more objects are written piece by piece. */
const mostAtOnce = 256
const breathAfterObjects = 256

export async function answerGet(
  server: ApiServer,
  type: ResourceType,
  info: ResourceRequest,
  request: TwinRequest,
  form: AnswerForm,
): Promise<TwinResponse> {
  await atLeastRevision(server, request.query.get('resourceVersion') ?? '', request.signal, 'get')
  const name = info.name ?? ''
  const found = server.store.get(type.key, info.namespace, name)
  if (found === undefined) throw notFound({ group: type.group, resource: type.plural }, name)
  await readyIn(server, type, [found], { isFresh: true })
  return objectAnswer(request, 200, shownObject(server, type, inVersion(type, found), form, request), form)
}

/** One object in the shape asked for. */
export function shownObject(
  server: ApiServer,
  type: ResourceType,
  object: KubeObject,
  form: AnswerForm,
  request: TwinRequest,
): Draft {
  switch (form.shape) {
    case 'object':
      return { ...object }
    case 'metadata':
      return metadataOnly(object, form.version)
    case 'table':
      return { ...tableOf(server, type, [object], tableOptions(form, request)) }
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
  asked: AnswerForm,
): Promise<TwinResponse> {
  const options = listOptions(request.query, 'list')
  await atLeastRevision(server, options.continueToken === '' ? options.resourceVersion : '', request.signal)
  const fields = info.name === undefined ? options.fieldSelector : `metadata.name=${info.name}`
  const page = await pageOf(server, type, info.namespace, options, selectionOf(type, options.labelSelector, fields))
  const items = isConverted(type) ? [...page.items] : page.items
  if (Array.isArray(items)) await readyIn(server, type, items)
  const form = page.count > mostAtOnce ? textForm(request.headers['accept'], type) : asked
  const metadata = {
    resourceVersion: String(page.revision),
    ...continueField(type, form, page.continueToken),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  }
  const shape = listShape(server, type, metadata, form, tableOptions(form, request))
  if (form.encoding === 'protobuf') return await listMessage(server, shape, items)
  if (page.count <= mostAtOnce) return textAnswer(request, 200, listJson(shape, items), { encoding: form.encoding })
  return {
    kind: 'stream',
    status: 200,
    headers: { 'content-type': form.encoding === 'yaml' ? 'application/yaml' : 'application/json' },
    chunks: listPieces(server, shape, items, { encoding: form.encoding }, request),
    isList: true,
  }
}

/** Lists of custom resources say that nothing is left; others leave it out. */
function continueField(type: ResourceType, form: AnswerForm, token: string | undefined): { readonly continue?: string } {
  if (token === undefined && (type.custom === undefined || form.shape !== 'object')) return {}
  return { continue: token ?? '' }
}

/** Waits for a revision that a client has seen elsewhere. @throws StatusError 504 when it does not come. */
export async function atLeastRevision(
  server: ApiServer,
  resourceVersion: string,
  signal: AbortSignal,
  verb: 'get' | 'list' = 'list',
): Promise<void> {
  if (resourceVersion === '' || resourceVersion === '0') return
  const wanted = revisionOf(resourceVersion, verb)
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
  readonly items: Iterable<KubeObject>
  readonly count: number
  readonly revision: number
  readonly continueToken: string | undefined
  readonly remaining: number | undefined
}

interface Position {
  readonly revision: number
  /** Keys up to and including this one were given already; without the namespace in lists of one. */
  readonly after: string | undefined
}

async function pageOf(
  server: ApiServer,
  type: ResourceType,
  namespace: string | undefined,
  options: ListOptions,
  selection: Selection,
): Promise<Page> {
  const position = positionOf(server, options)
  const isPaged = options.limit > 0 || position.after !== undefined
  const snapshot = server.store.snapshotAt(type.key, position.revision, isPaged)
  if (snapshot === undefined) throw tooOld(options)
  const prefix = namespace === undefined ? '' : `${namespace}/`
  const after = position.after === undefined ? undefined : prefix + position.after
  const whole = { revision: position.revision, continueToken: undefined, remaining: undefined }
  if (selection.isAll) {
    const count = snapshot.count(prefix, after)
    const objects = snapshot.objects(prefix, after)
    if (options.limit <= 0 || count <= options.limit) return { ...whole, items: objects, count }
    const items = objects.take(options.limit).toArray()
    return { ...whole, ...cutOff(items, namespace, position.revision), remaining: count - items.length }
  }
  const { items, hasMore } = await selected(server, selection, candidates(snapshot, selection, namespace, prefix, after), options)
  return { ...whole, ...(hasMore ? cutOff(items, namespace, position.revision) : { items, count: items.length }) }
}

/** What may match: of a name in a known place there is one at most. */
function candidates(
  snapshot: ObjectsSnapshot,
  { pinned }: Selection,
  namespace: string | undefined,
  prefix: string,
  after: string | undefined,
): Iterable<KubeObject> {
  if (pinned?.field !== 'metadata.name') return snapshot.objects(prefix, after)
  const found = snapshot.get(prefix + pinned.value)
  // Without a namespace it is one of the cluster, or there may be one in each.
  if (found === undefined && namespace === undefined) return snapshot.objects(prefix, after)
  return found === undefined || (after !== undefined && prefix + pinned.value <= after) ? [] : [found]
}

/** The first objects that match, in slices: others have their turn meanwhile. */
async function selected(
  server: ApiServer,
  selection: Selection,
  objects: Iterable<KubeObject>,
  { limit }: ListOptions,
): Promise<{ readonly items: readonly KubeObject[]; readonly hasMore: boolean }> {
  const breathe = breather(server.wire)
  const items: KubeObject[] = []
  let looked = 0
  for (const object of objects) {
    // A page that is full ends there: whether what follows matches is seen with the next one.
    if (limit > 0 && items.length === limit) return { items, hasMore: true }
    if (++looked % breathAfterObjects === 0) await breathe()
    if (selection.matches(object)) items.push(object)
  }
  return { items, hasMore: false }
}

function cutOff(items: readonly KubeObject[], namespace: string | undefined, revision: number) {
  const last = items.at(-1)
  const start = `${last === undefined ? '' : relativeKey(last, namespace)}\u0000`
  return { items, count: items.length, continueToken: continueToken(revision, start) }
}

function continueToken(revision: number, start: string): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url')
}

function relativeKey(object: KubeObject, namespace: string | undefined): string {
  return objectKey(namespace === undefined ? object.metadata.namespace : undefined, object.metadata.name)
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
  const refused = (why: string) => badRequest(`invalid continue token: continue key is not valid: ${why}`)
  const odd = /[^\w-]/.exec(token)
  if (odd !== null) throw refused(`illegal base64 data at input byte ${odd.index}`)
  const text = Buffer.from(token, 'base64url')
  const [byte = 0] = text
  if (byte >= 0x80) throw refused(`invalid character ${quotedByte(byte)} looking for beginning of value`)
  const reading = readJson(text.toString())
  if (!reading.ok) throw refused(reading.why)
  const { value } = reading.read
  const revision = numberAt(value, 'rv')
  const start = textAt(value, 'start')
  const version = textAt(value, 'v') ?? ''
  if (version !== 'meta.k8s.io/v1') throw refused(`server does not recognize this encoded version ${version}`)
  if (revision === undefined || revision === 0) throw refused('incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (start === undefined || start === '') throw refused('encoded start key empty (version meta.k8s.io/v1)')
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
