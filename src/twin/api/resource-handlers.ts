// Requests on resources: which part of the server answers which verb and subresource.
import { badRequest, methodNotSupported, notFound, StatusError, statusBody } from '#kube/status.ts'
import { isFields, textAt } from '../json-value.ts'
import { plainText, statusAnswer, textAnswer } from './answer.ts'
import { bindPod } from './binding.ts'
import { decodeBody } from './decode.ts'
import { answerEviction } from './eviction.ts'
import { answerGet, answerList } from './list.ts'
import { answerMetrics, type UsageSource } from './metrics-api.ts'
import { answerForm } from './negotiation.ts'
import { ObjectWrites, type WriteParts, type WriteRequest } from './object-writes.ts'
import { answerLog } from './pod-log.ts'
import type { TwinResponse } from './request.ts'
import { isDryRun } from './request-body.ts'
import { hasSubresource } from './resource-type.ts'
import { answerReview, type ReviewParts } from './reviews.ts'
import { answerScale } from './scale.ts'
import { tokenAsk } from './tokens.ts'
import { answerWatch } from './watch.ts'
import { subjectOf } from './write-pipeline.ts'

interface HandlerParts extends WriteParts, ReviewParts {
  /** Where usage comes from; undefined while nothing is simulated. */
  usage(): UsageSource | undefined
}

export class ResourceHandlers {
  readonly #parts: HandlerParts
  readonly #writes: ObjectWrites

  constructor(parts: HandlerParts) {
    this.#parts = parts
    this.#writes = new ObjectWrites(parts)
  }

  async answer(write: WriteRequest): Promise<TwinResponse> {
    const { type, info } = write
    if (type.isNamespaced && info.namespace === undefined && info.name !== undefined)
      return plainText(404, '404 page not found\n')
    if (info.subresource === undefined) return await this.#answerObject(write)
    if (!hasSubresource(type, info.subresource)) return plainText(404, '404 page not found\n')
    return await this.#answerSubresource(write, info.subresource)
  }

  async #answerObject(write: WriteRequest): Promise<TwinResponse> {
    const { type, info, request } = write
    const { server } = this.#parts
    if (type.group === 'metrics.k8s.io' && type.custom === undefined && (info.verb === 'get' || info.verb === 'list'))
      return answerMetrics(server, this.#parts.usage(), write)
    if (!type.verbs.includes(info.verb)) throw methodNotSupported(subjectOf(type), info.verb)
    switch (info.verb) {
      case 'get':
        return await answerGet(server, type, info, request, answerForm(request.headers['accept']))
      case 'list':
        return await answerList(server, type, info, request, answerForm(request.headers['accept']))
      case 'watch':
        return await answerWatch(server, type, info, request, answerForm(request.headers['accept']))
      case 'create':
        return (
          (await answerReview(this.#parts, write)) ??
          (type.key === 'bindings' ? this.#bind(write) : await this.#writes.create(write))
        )
      case 'update':
        return await this.#writes.update(write)
      case 'patch':
        return await this.#writes.patch(write)
      case 'delete':
        return this.#writes.remove(write)
      case 'deletecollection':
        return this.#writes.removeCollection(write)
    }
  }

  async #answerSubresource(write: WriteRequest, subresource: string): Promise<TwinResponse> {
    const { type, info, request } = write
    switch (subresource) {
      case 'scale':
        return answerScale(this.#parts, write)
      case 'eviction':
        return answerEviction(this.#parts, write)
      case 'binding':
        return this.#bind(write)
      case 'token':
        return await this.#issueToken(write)
      case 'log':
        return answerLog(this.#parts.server, write)
      case 'attach':
      case 'exec':
      case 'portforward':
      case 'proxy':
        throw new StatusError(statusBody(501, 'the twin runs no containers', 'NotImplemented'))
      default:
    }
    switch (info.verb) {
      case 'get':
        return await answerGet(this.#parts.server, type, info, request, answerForm(request.headers['accept']))
      case 'update':
        return await this.#writes.update(write)
      case 'patch':
        return await this.#writes.patch(write)
      default:
        throw methodNotSupported(subjectOf(type), info.verb)
    }
  }

  #bind({ info, request, user }: WriteRequest): TwinResponse {
    const { server, writes } = this.#parts
    const { value } = decodeBody(request.headers['content-type'], request.body)
    const node = textAt(value, 'target', 'name') ?? ''
    const pod = info.name ?? textAt(value, 'metadata', 'name') ?? ''
    if (node === '') throw badRequest('target.name: Required value')
    if (!isDryRun(request.query)) bindPod(server, writes, { namespace: info.namespace ?? '', pod, node }, { user, manager: '' })
    return statusAnswer(request, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201)
  }

  async #issueToken({ info, request }: WriteRequest): Promise<TwinResponse> {
    const { value } = decodeBody(request.headers['content-type'], request.body)
    if (!isFields(value)) throw badRequest('the object provided is unrecognized (must be of type TokenRequest)')
    const name = info.name
    if (name === undefined) throw notFound({ group: '', resource: 'serviceaccounts' }, '')
    const ask = tokenAsk(info.namespace ?? '', name, value)
    const issued = await this.#parts.tokens.issue(ask)
    const answer = {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace: info.namespace, creationTimestamp: null },
      spec: {
        audiences: issued.audiences,
        expirationSeconds: ask.seconds ?? 3600,
        boundObjectRef: isFields(value['spec']) ? (value['spec']['boundObjectRef'] ?? null) : null,
      },
      status: { token: issued.token, expirationTimestamp: issued.expires },
    }
    return textAnswer(request, 201, JSON.stringify(answer), { encoding: 'json' })
  }
}
