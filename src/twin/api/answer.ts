// Objects turned into answers: object, metadata or table; JSON or YAML.

import { stringify } from 'yaml'
import type { KubeObject } from '#kube/objects.ts'
import { type Status, StatusError, statusBody } from '#kube/status.ts'
import type { Draft } from '../json-value.ts'
import type { AnswerForm } from './negotiation.ts'
import type { TwinRequest, TwinResponse } from './request.ts'

const texts = new WeakMap<object, string>()

/** The JSON of a stored (frozen) object, made once. */
export function jsonOf(object: object): string {
  if (!Object.isFrozen(object)) return JSON.stringify(object)
  let text = texts.get(object)
  if (text === undefined) {
    text = JSON.stringify(object)
    texts.set(object, text)
  }
  return text
}

const itemTexts = new WeakMap<object, string>()

/** The JSON of an object as an item of a list of its kind: built-in kinds are not repeated in it. */
export function itemJsonOf(object: KubeObject): string {
  let text = itemTexts.get(object)
  if (text === undefined) {
    text = JSON.stringify({ ...object, apiVersion: undefined, kind: undefined })
    itemTexts.set(object, text)
  }
  return text
}

/** An object with its metadata alone. */
export function metadataOnly(object: KubeObject, version: string): Draft {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata }
}

/** A JSON (or YAML) answer. `text` is JSON. */
export function textAnswer(
  request: TwinRequest,
  status: number,
  text: string,
  form: Pick<AnswerForm, 'encoding'>,
  headers: Readonly<Record<string, string>> = {},
): TwinResponse {
  if (form.encoding === 'yaml') {
    return {
      kind: 'whole',
      status,
      headers: { ...headers, 'content-type': 'application/yaml' },
      body: stringify(JSON.parse(text)),
    }
  }
  const body = isForPeople(request) ? `${JSON.stringify(JSON.parse(text), null, 2)}\n` : `${text}\n`
  return { kind: 'whole', status, headers: { 'content-type': 'application/json', ...headers }, body }
}

function isForPeople(request: TwinRequest): boolean {
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
  return textAnswer(request, code, JSON.stringify(status), { encoding: 'json' }, headers)
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

export function plainText(status: number, body: string, headers: Readonly<Record<string, string>> = {}): TwinResponse {
  return {
    kind: 'whole',
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff', ...headers },
    body,
  }
}
