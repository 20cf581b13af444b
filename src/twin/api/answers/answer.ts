// Objects turned into answers: object, metadata or table; JSON, YAML or protobuf.

import { stringify } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Status, StatusError, statusBody } from '#kube/objects/status.ts'
import { contentTypes } from '#kube/server/answer-bodies.ts'
import { type Draft, jsonText, jsonTree } from '../../json-value.ts'
import type { TwinRequest, TwinResponse } from '../request.ts'
import { type AnswerForm, statusEncoding } from './negotiation.ts'
import { framedObject } from './protobuf-object.ts'

/** An object as an item of a list of its kind: built-in kinds are not repeated in it. */
export function itemOf({ apiVersion: _version, kind: _kind, ...object }: KubeObject): object {
  return object
}

/** An object with its metadata alone. */
export function metadataOnly(object: KubeObject, version: string): Draft {
  const metadata = object.kind === 'DaemonSet' ? uncounted(object.metadata) : object.metadata
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata }
}

/** Upstream keeps the count of a DaemonSet's templates in a field of its own, and shows it in an annotation with the whole object only. */
function uncounted({ annotations, ...metadata }: KubeObject['metadata']): KubeObject['metadata'] {
  const { 'deprecated.daemonset.template.generation': _count, ...others } = { ...annotations }
  return Object.keys(others).length === 0 ? metadata : { ...metadata, annotations: others }
}

/** An object in the encoding that was asked for. */
export function objectAnswer(
  request: Pick<TwinRequest, 'query' | 'headers'>,
  status: number,
  object: Draft,
  form: Pick<AnswerForm, 'encoding'>,
  headers: Readonly<Record<string, string>> = {},
): Extract<TwinResponse, { kind: 'whole' }> {
  if (form.encoding !== 'protobuf') return textAnswer(request, status, jsonText(object), { encoding: form.encoding }, headers)
  return { kind: 'whole', status, headers: { ...headers, 'content-type': contentTypes.protobuf }, body: framedObject(object) }
}

/** A JSON (or YAML) answer. `text` is JSON. */
export function textAnswer(
  request: Pick<TwinRequest, 'query' | 'headers'>,
  status: number,
  text: string,
  form: { readonly encoding: 'json' | 'yaml' },
  headers: Readonly<Record<string, string>> = {},
): Extract<TwinResponse, { kind: 'whole' }> {
  if (form.encoding === 'yaml') {
    return {
      kind: 'whole',
      status,
      headers: { ...headers, 'content-type': 'application/yaml' },
      body: stringify(jsonTree(text)),
    }
  }
  const body = isForPeople(request) ? `${jsonText(jsonTree(text), 2)}\n` : `${text}\n`
  return { kind: 'whole', status, headers: { 'content-type': 'application/json', ...headers }, body }
}

/** Whether the answer is to be indented. */
export function isForPeople(request: Pick<TwinRequest, 'query' | 'headers'>): boolean {
  const pretty = request.query.get('pretty')
  if (pretty !== null) return pretty !== 'false' && pretty !== '0'
  return /^(curl|Wget|Mozilla\/5\.0)/.test(request.headers['user-agent'] ?? '')
}

export function statusAnswer(
  request: TwinRequest,
  status: Status | Draft,
  code: number,
  headers: Readonly<Record<string, string>> = {},
): TwinResponse {
  return objectAnswer(request, code, { ...status }, { encoding: statusEncoding(request.headers['accept']) }, headers)
}

/** A list's next page is too old; `token` goes on without consistency. */
export class ContinueExpired extends StatusError {
  readonly token: string
  constructor(message: string, token: string) {
    super(statusBody(410, message, 'Expired'))
    this.token = token
  }
}

/** The answer to what a part of the server refused. */
export function refusal(request: TwinRequest, error: StatusError): TwinResponse {
  const retryAfter = error.retryAfterSeconds ?? 0
  const status = error instanceof ContinueExpired ? { ...error.status, metadata: { continue: error.token } } : error.status
  return statusAnswer(request, status, error.code, retryAfter > 0 ? { 'retry-after': String(retryAfter) } : {})
}

export function plainText(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Extract<TwinResponse, { kind: 'whole' }> {
  return {
    kind: 'whole',
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff', ...headers },
    body,
  }
}
