// Custom resources that a webhook converts between versions: objects are asked for together, before anybody shows them, so that what
// shows them need not wait. The words of refusal are those that a real API server was recorded with.
import { fieldErrorsText } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, draftOf, fieldsAt, frozen, itemsAt, textAt, textsAt } from '../../json-value.ts'
import { kindSchema } from '../../schema/kind-schema.ts'
import { isKnownIn, rememberIn } from '../answers/versions.ts'
import type { ApiServer } from '../api-server.ts'
import { bareError } from '../bare-error.ts'
import { settleFields } from '../decoding/settled-fields.ts'
import { apiVersionOf, type ResourceType, splitApiVersion } from '../resource-type.ts'
import { validateMetadata } from '../validation/metadata-validation.ts'

/** How long a server waits for a conversion, real time. */
const conversionTimeoutMs = 30_000

/** Whether objects of `type` come from a webhook: it is not what is stored. */
export function isConverted(type: ResourceType): boolean {
  return type.custom?.converter !== undefined && type.version !== type.storageVersion
}

/**
 * Makes `objects` ready to be shown as `type` has them, by one question for all that are not.
 * `isFresh`: asked again whatever is known. @throws StatusError 500 where the webhook does not do its work
 */
export async function readyIn(
  server: ApiServer,
  type: ResourceType,
  objects: readonly KubeObject[],
  { isFresh = false }: { readonly isFresh?: boolean } = {},
): Promise<void> {
  if (type.custom?.converter === undefined) return
  const apiVersion = apiVersionOf(type)
  const asked = objects.filter(object => object.apiVersion !== apiVersion && (isFresh || !isKnownIn(type, object)))
  const [first] = asked
  if (first === undefined) return
  const source = `conversion webhook for ${first.apiVersion}, Kind=${type.kind}`
  const uid = server.uids.fresh('conversion', type.key, apiVersion)
  const review = {
    kind: 'ConversionReview',
    apiVersion: 'apiextensions.k8s.io/v1',
    request: { uid, desiredAPIVersion: apiVersion, objects: asked },
    response: { uid: '', convertedObjects: null, result: { metadata: {} } },
  }
  const outcome = await server.callWebhook(type.custom.converter, review, conversionTimeoutMs)
  if (!outcome.ok) throw bareError(`${source} failed: ${outcome.problem}`)
  const converted = convertedObjects(outcome.value, uid, source)
  if (converted.length !== asked.length)
    throw bareError(`${source} returned ${converted.length} objects, expected ${asked.length}`)
  for (const [at, object] of asked.entries()) {
    const answered = converted[at] ?? {}
    checkIdentity(source, { object, answered, at, type })
    rememberIn(type, object, shown(type, object, answered))
  }
}

/** @throws StatusError 500 where the answer is none, or says that it failed */
function convertedObjects(review: Draft, uid: string, source: string): readonly Draft[] {
  const response = fieldsAt(review, 'response')
  if (response === undefined) throw bareError(`${source} failed: no response provided`)
  const answered = textAt(response, 'uid') ?? ''
  if (answered !== uid)
    throw bareError(`${source} failed: expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(answered)}`)
  const status = textAt(response, 'result', 'status') ?? ''
  if (status !== 'Success') {
    const message = textAt(response, 'result', 'message') ?? ''
    throw bareError(`${source} failed: ${message === '' ? `response.result.status was '${status}', not 'Success'` : message}`)
  }
  return itemsAt(response, 'convertedObjects')
}

interface Answered {
  readonly object: KubeObject
  readonly answered: Draft
  readonly at: number
  readonly type: ResourceType
}

/** A webhook may change what it likes but what an object is. */
function checkIdentity(source: string, { object, answered, at, type }: Answered): void {
  const { group, version } = splitApiVersion(textAt(answered, 'apiVersion') ?? '')
  const received = group === '' ? version : `${group}/${version}`
  const differs = (what: string, wanted: string, got: string) =>
    bareError(`${source} returned invalid object at index ${at}: invalid ${what} (expected ${wanted}, received ${got})`)
  if (received !== apiVersionOf(type)) throw differs('groupVersion', apiVersionOf(type), received)
  const kind = textAt(answered, 'kind') ?? ''
  if (kind !== type.kind) throw differs('kind', type.kind, kind)
  const { name, namespace = '', uid = '' } = object.metadata
  for (const [word, field, wanted] of [
    ['name', 'name', name],
    ['namespace', 'namespace', namespace],
    ['UID', 'uid', uid],
  ] as const) {
    const got = textAt(answered, 'metadata', field) ?? ''
    if (got !== wanted) throw bareError(`${source} returned invalid object: must have the same ${word}: ${wanted} != ${got}`)
  }
  const { labels, annotations } = fieldsAt(answered, 'metadata') ?? {}
  const problems = validateMetadata(type, { metadata: { labels, annotations } })
  if (problems.length > 0) throw bareError(`${source} returned invalid metadata: ${fieldErrorsText(problems)}`)
}

/** The webhook decides only labels and annotations of the metadata; fields that the version lacks are dropped. */
function shown(type: ResourceType, object: KubeObject, answered: Draft): KubeObject {
  const { labels: _, annotations: __, ...identity } = object.metadata
  const words = Object.fromEntries(
    ['labels', 'annotations'].flatMap(name => {
      const texts = textsAt(answered, 'metadata', name)
      return Object.keys(texts).length === 0 ? [] : [[name, texts]]
    }),
  )
  const draft = draftOf({ ...answered, metadata: {} })
  settleFields(kindSchema(type), draft, { isCustom: true })
  return frozen({ ...draft, apiVersion: apiVersionOf(type), kind: type.kind, metadata: { ...identity, ...words } })
}
