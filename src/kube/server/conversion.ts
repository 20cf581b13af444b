// Conversion reviews (apiextensions.k8s.io/v1): objects of our own kinds in the version that an API server asks for. No sockets:
// `webhook.ts` serves this over HTTPS.
import { type Log, messageOf } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import { isRecord, plainReply, requestIn, type WebhookCall, type WebhookReply } from './admission.ts'

/** Answers at `/convert/<name>`. */
export interface Converter {
  readonly name: string
  /** `object` as `apiVersion` has it. Name, namespace and UID stay as they are, whatever comes back. @throws Error with what the user is told */
  convert(
    object: KubeObject,
    apiVersion: string,
  ): Omit<KubeObject, 'metadata' | 'apiVersion'> & Partial<Pick<KubeObject, 'metadata'>>
}

interface ConversionRequest {
  readonly uid: string
  readonly desiredAPIVersion: string
  readonly objects: readonly KubeObject[]
}

const reviewVersion = 'apiextensions.k8s.io/v1'

/** The path a converter is served at: `clientConfig.service.path` of a definition. */
export function converterPath({ name }: Converter): string {
  return `/convert/${name}`
}

/** Answers one call: 200 with a review, all of its objects or a failure that says why; 4xx where the call itself is wrong. */
export function answerConversion(converter: Converter, call: WebhookCall, log: Log): WebhookReply {
  if (call.method !== 'POST') return plainReply(405, 'conversion reviews are sent by POST')
  const request = readReview(call.body)
  if (typeof request === 'string') return plainReply(400, request)
  const review = { apiVersion: reviewVersion, kind: 'ConversionReview', response: responseTo(converter, request, log) }
  return { status: 200, contentType: 'application/json', body: JSON.stringify(review) }
}

function responseTo(converter: Converter, { uid, desiredAPIVersion, objects }: ConversionRequest, log: Log): object {
  try {
    const convertedObjects = objects.map(object => {
      const { labels, annotations, ...identity } = object.metadata
      const changed = converter.convert(object, desiredAPIVersion)
      // API servers refuse a review that changes anything of the metadata but these two.
      const words = changed.metadata === undefined ? { labels, annotations } : changed.metadata
      const metadata = { ...identity, labels: words.labels, annotations: words.annotations }
      return { ...changed, apiVersion: desiredAPIVersion, metadata }
    })
    return { uid, result: { status: 'Success' }, convertedObjects }
  } catch (error) {
    const message = messageOf(error)
    log.error({ converter: converter.name, to: desiredAPIVersion, err: message }, 'objects could not be converted')
    return { uid, result: { status: 'Failure', message }, convertedObjects: [] }
  }
}

function readReview(body: Uint8Array): ConversionRequest | string {
  const review = requestIn(body, 'ConversionReview', reviewVersion)
  if (typeof review === 'string') return review
  return isRequest(review.request) ? review.request : 'expected a request with uid, desiredAPIVersion and objects'
}

function isRequest(value: unknown): value is ConversionRequest {
  if (!isRecord(value) || typeof value['uid'] !== 'string' || typeof value['desiredAPIVersion'] !== 'string') return false
  const { objects } = value
  return Array.isArray(objects) && objects.every(object => isRecord(object) && isRecord(object['metadata']))
}
