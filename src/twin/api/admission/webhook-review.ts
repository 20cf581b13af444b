// What a webhook is asked, and whether its answer can be used: the words of refusal are those that a real API server was recorded with.
import { applyJsonPatch, readJsonPatch } from '#kube/objects/json-patch.ts'
import { internalError, StatusError } from '#kube/objects/status.ts'
import { type Draft, draftOf, fieldsAt, isFields, jsonTree, numberAt, textAt } from '../../json-value.ts'
import type { User } from '../api-server.ts'
import { apiVersionOf, type ResourceType } from '../resource-type.ts'

type Operation = 'CREATE' | 'UPDATE' | 'DELETE'

export interface ReviewedKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

interface Reviewed {
  /** That of `type` unless the object is of another. */
  readonly kind?: ReviewedKind | undefined
  readonly uid: string
  readonly operation: Operation
  /** In whose version the webhook is asked, and in which the client did. */
  readonly type: ResourceType
  readonly requested: ResourceType
  readonly subresource: string | undefined
  readonly name: string
  readonly namespace: string | undefined
  readonly user: User
  readonly object: Draft | null
  readonly oldObject: Draft | null
  readonly isDryRun: boolean
  readonly query: URLSearchParams | undefined
}

const optionsKinds: Readonly<Record<Operation, string>> = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
}

/** `request` of an AdmissionReview. */
export function reviewRequest(asked: Reviewed): Draft {
  const { type, requested, subresource, user } = asked
  const names = ({ group, version, kind, plural }: ResourceType) => ({
    kind: asked.kind ?? { group, version, kind },
    resource: { group, version, resource: plural },
  })
  const own = names(type)
  const typed = {
    apiVersion: asked.kind === undefined ? apiVersionOf(type) : `${asked.kind.group}/${asked.kind.version}`,
    kind: own.kind.kind,
  }
  const first = names(requested)
  return {
    uid: asked.uid,
    ...own,
    ...(subresource === undefined ? {} : { subResource: subresource }),
    requestKind: first.kind,
    requestResource: first.resource,
    ...(subresource === undefined ? {} : { requestSubResource: subresource }),
    name: asked.name,
    ...(asked.namespace === undefined ? {} : { namespace: asked.namespace }),
    operation: asked.operation,
    userInfo: {
      username: user.name,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(user.extra === undefined ? {} : { extra: user.extra }),
    },
    object: asked.object === null ? null : { ...asked.object, ...typed },
    oldObject: asked.oldObject === null ? null : { ...asked.oldObject, ...typed },
    dryRun: asked.isDryRun,
    options: optionsOf(asked),
  }
}

function optionsOf({ operation, query, isDryRun }: Reviewed): Draft {
  const given = (name: string) => {
    const value = query?.get(name) ?? ''
    return value === '' ? {} : { [name]: value }
  }
  return {
    kind: optionsKinds[operation],
    apiVersion: 'meta.k8s.io/v1',
    ...(isDryRun ? { dryRun: ['All'] } : {}),
    ...(operation === 'DELETE' ? given('propagationPolicy') : { ...given('fieldManager'), ...given('fieldValidation') }),
  }
}

type Checked = { readonly ok: true; readonly response: Draft } | { readonly ok: false; readonly problem: string }

/** The `response` of a review that answers `uid`, or why it is none. */
export function checkedResponse(review: unknown, uid: string, kind: 'mutating' | 'validating'): Checked {
  const invalid = (problem: string): Checked => ({ ok: false, problem: `received invalid webhook response: ${problem}` })
  const [group = '', version = ''] = (textAt(review, 'apiVersion') ?? '').split('/')
  if (group !== 'admission.k8s.io' || version !== 'v1') {
    const problem = `failed to call webhook: converting (${version}.AdmissionReview) to (v1.AdmissionReview): unknown conversion`
    return { ok: false, problem }
  }
  const response = fieldsAt(review, 'response')
  if (response === undefined) return invalid('webhook response was absent')
  const answered = textAt(response, 'uid') ?? ''
  if (answered !== uid) return invalid(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(answered)}`)
  const patch = textAt(response, 'patch') ?? ''
  const patchType = textAt(response, 'patchType') ?? ''
  if (kind === 'validating') {
    if (patch !== '') return invalid('validating webhook may not return response.patch')
    if (patchType !== '') return invalid('validating webhook may not return response.patchType')
    return { ok: true, response }
  }
  if (patch !== '' && patchType === '') return invalid('webhook returned response.patch but not response.patchType')
  if (patch === '' && patchType !== '') return invalid('webhook returned response.patchType but not response.patch')
  if (patchType !== '' && patchType !== 'JSONPatch')
    return { ok: false, problem: `unsupported patch type ${JSON.stringify(patchType)}` }
  return { ok: true, response }
}

/** The object as the response's patch leaves it; undefined without one. @throws StatusError where it does not apply */
export function patched(object: Draft, response: Draft): Draft | undefined {
  const encoded = textAt(response, 'patch') ?? ''
  if (encoded === '') return undefined
  const operations = readJsonPatch(parsedPatch(Buffer.from(encoded, 'base64').toString()))
  if (!operations.ok) throw undecodable(operations.problem.expected)
  const result = applyJsonPatch(object, operations.value)
  if (!result.ok) {
    const at = Number(/\[(\d+)\]$/.exec(result.problem.where)?.[1] ?? 0)
    const failed = operations.value[at]
    const why = `doc is missing path: ${JSON.stringify(failed?.path ?? '')}: missing value`
    throw internalError(`${failed?.op ?? 'an'} operation does not apply: ${why}`)
  }
  return isFields(result.value) ? draftOf(result.value) : undefined
}

/** A patch that cannot be read: the webhook failed, and its failure policy decides. */
export class UndecodablePatch extends Error {
  override readonly name = 'UndecodablePatch'
}

function undecodable(why: string): UndecodablePatch {
  return new UndecodablePatch(`received undecodable patch in webhook response: ${why}`)
}

function parsedPatch(text: string): unknown {
  try {
    return jsonTree(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw undecodable(`invalid character '${text.trim().charAt(0)}' looking for beginning of value`)
  }
}

/** What the client is told where a webhook said no. */
export function denial(name: string, response: Draft): StatusError {
  const status = fieldsAt(response, 'status')
  const reason = textAt(status, 'reason') ?? ''
  const message = textAt(status, 'message') || reason
  const why = message === '' ? ' without explanation' : `: ${message}`
  const details = fieldsAt(status, 'details')
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `admission webhook ${JSON.stringify(name)} denied the request${why}`,
    ...(reason === '' ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    // What is no failure by its code is a bad request.
    code: Math.max(400, numberAt(status, 'code') ?? 400),
  })
}
