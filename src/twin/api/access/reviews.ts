// Kinds that are asked, not stored: who am I, may I, is this token good.
import { badRequest } from '#kube/objects/status.ts'
import { type Draft, fieldsAt, listAt, textAt } from '../../json-value.ts'
import { recordsOfSent } from '../../patch/managed-fields.ts'
import { inGoForm } from '../../schema/go-form.ts'
import { kindSchema } from '../../schema/kind-schema.ts'
import { objectAnswer } from '../answers/answer.ts'
import { answerForm } from '../answers/negotiation.ts'
import { warningHeaders } from '../answers/warnings.ts'
import { type ApiServer, timestamp, type User } from '../api-server.ts'
import { objectOf } from '../decoding/request-body.ts'
import type { WriteRequest } from '../object-writes.ts'
import type { TwinResponse } from '../request.ts'
import { apiVersionOf, type ResourceType } from '../resource-type.ts'
import { refused } from '../validation/validation.ts'
import { fieldManager } from '../write-options.ts'
import type { Attributes, Authorizer } from './authorization.ts'
import { accessReviewProblems, evaluationError } from './review-questions.ts'
import type { Tokens } from './tokens.ts'

export interface ReviewParts {
  readonly server: ApiServer
  readonly authorizer: Authorizer
  readonly tokens: Tokens
}

/** The answer to a review; undefined for kinds that are stored. */
export async function answerReview(parts: ReviewParts, write: WriteRequest): Promise<TwinResponse | undefined> {
  const status = reviewers[write.type.kind]
  if (status === undefined || !write.type.group.startsWith('auth')) return undefined
  const { draft, warnings } = objectOf(write.type, write.request)
  const value = inGoForm(kindSchema(write.type), draft)
  assertAsked(write, value)
  const answer = {
    kind: write.type.kind,
    apiVersion: apiVersionOf(write.type),
    metadata: metadataOf(parts.server, write, value),
    ...specOf(write.type, value),
    status: await status(parts, value, write),
  }
  return objectAnswer(
    write.request,
    201,
    answer,
    answerForm(write.request.headers['accept'], write.type),
    warningHeaders(warnings),
  )
}

/** @throws StatusError 400 or 422 where the question lacks what it is about */
function assertAsked({ type, info }: WriteRequest, value: Draft): void {
  const { kind, group } = type
  if (kind === 'SelfSubjectRulesReview' && (textAt(value, 'spec', 'namespace') ?? '') === '')
    throw badRequest('no namespace on request')
  if (kind === 'TokenReview' && (textAt(value, 'spec', 'token') ?? '') === '')
    throw badRequest('token is required for TokenReview in authentication')
  if (!kind.endsWith('AccessReview')) return
  const problems = accessReviewProblems(kind, value, info.namespace)
  // Upstream does not name the kind of a question.
  if (problems.length > 0) throw refused({ kind: '', group }, '', problems)
}

/** A question about oneself is recorded only by its time. */
function metadataOf(server: ApiServer, { type, info, request }: WriteRequest, value: Draft): Draft {
  if (type.kind === 'SelfSubjectReview') return { creationTimestamp: timestamp(server.clock.now()) }
  if (type.kind === 'SelfSubjectRulesReview') return {}
  const by = { manager: fieldManager(request), apiVersion: apiVersionOf(type), subresource: undefined }
  const place = type.isNamespaced && info.namespace !== undefined ? { namespace: info.namespace } : {}
  return { ...fieldsAt(value, 'metadata'), ...place, ...recordsOfSent(server, kindSchema(type), value, by) }
}

/** Rules are told without what was asked. */
function specOf(type: ResourceType, value: Draft): Draft {
  if (type.kind === 'SelfSubjectRulesReview') return { spec: {} }
  return value['spec'] === undefined ? {} : { spec: value['spec'] }
}

type Reviewer = (parts: ReviewParts, body: Draft, write: WriteRequest) => Draft | Promise<Draft>

const reviewers: Readonly<Record<string, Reviewer>> = {
  SelfSubjectReview: (_parts, _body, { user }) => ({ userInfo: userInfo(user) }),
  SelfSubjectAccessReview: ({ authorizer }, body, { user }) => accessStatus(authorizer, user, body),
  SubjectAccessReview: ({ authorizer }, body) => accessStatus(authorizer, subjectOf(body), body),
  LocalSubjectAccessReview: ({ authorizer }, body) => accessStatus(authorizer, subjectOf(body), body),
  SelfSubjectRulesReview: ({ authorizer }, body, { user }) =>
    rulesStatus(authorizer, user, textAt(body, 'spec', 'namespace') ?? ''),
  TokenReview: ({ tokens }, body) => tokenStatus(tokens, body),
}

function userInfo(user: User): Draft {
  return {
    username: user.name,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    groups: user.groups,
    ...(user.extra === undefined ? {} : { extra: user.extra }),
  }
}

function subjectOf(body: Draft): User {
  return { name: textAt(body, 'spec', 'user') ?? '', groups: listAt(body, 'spec', 'groups').map(String) }
}

function accessStatus(authorizer: Authorizer, user: User, body: Draft): Draft {
  const { isAllowed, reason } = authorizer.decide(user, attributesOf(body))
  const error = evaluationError(body)
  return { allowed: isAllowed, ...(reason === '' ? {} : { reason }), ...(error === '' ? {} : { evaluationError: error }) }
}

function attributesOf(body: Draft): Attributes {
  const path = fieldsAt(body, 'spec', 'nonResourceAttributes')
  if (path !== undefined) return { kind: 'path', verb: textAt(path, 'verb') ?? '', path: textAt(path, 'path') ?? '' }
  const resource = fieldsAt(body, 'spec', 'resourceAttributes')
  const optional = (name: string) => {
    const text = textAt(resource, name)
    return text === '' ? undefined : text
  }
  return {
    kind: 'resource',
    verb: textAt(resource, 'verb') ?? '',
    group: textAt(resource, 'group') ?? '',
    version: textAt(resource, 'version') ?? '',
    resource: textAt(resource, 'resource') ?? '',
    namespace: optional('namespace'),
    name: optional('name'),
    subresource: optional('subresource'),
  }
}

function rulesStatus(authorizer: Authorizer, user: User, namespace: string): Draft {
  const everything = [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ]
  const bound = [...authorizer.rulesOf(user, namespace)].map(({ rule }) => rule)
  const all = user.groups.includes('system:masters') ? [...bound, ...everything] : bound
  const rules = [...new Map(all.map(rule => [JSON.stringify(rule), rule])).values()]
  return {
    resourceRules: rules.filter(rule => !('nonResourceURLs' in rule)),
    nonResourceRules: rules.filter(rule => 'nonResourceURLs' in rule),
    incomplete: false,
  }
}

async function tokenStatus(tokens: Tokens, body: Draft): Promise<Draft> {
  const wanted = listAt(body, 'spec', 'audiences').map(String)
  const token = textAt(body, 'spec', 'token') ?? ''
  const verdict = wanted.length === 0 ? await tokens.verify(token) : await tokens.verify(token, wanted)
  if (!verdict.ok) return { user: {}, error: verdict.problem }
  const groups = [...new Set([...verdict.user.groups, 'system:authenticated'])]
  return { authenticated: true, user: userInfo({ ...verdict.user, groups }), audiences: verdict.audiences }
}
