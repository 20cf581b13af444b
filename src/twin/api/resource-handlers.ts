// Requests on resources: which part of the server answers which verb and subresource.
import { badRequest, notFound, StatusError, statusBody } from '#kube/objects/status.ts'
import { OpenContainers } from '../containers/open-containers.ts'
import { PodHttp } from '../containers/port-forwarding.ts'
import { fieldsAt, isFields, textAt } from '../json-value.ts'
import { recordsOfSent } from '../patch/managed-fields.ts'
import { structSchema } from '../schema/schema-table.ts'
import { answerReview, type ReviewParts } from './access/reviews.ts'
import { checkTokenAsk } from './access/token-asks.ts'
import { tokenAsk } from './access/tokens.ts'
import { objectAnswer, statusAnswer } from './answers/answer.ts'
import { answerGet, answerList } from './answers/list.ts'
import { answerForm, statusEncoding } from './answers/negotiation.ts'
import { timestamp } from './api-server.ts'
import { bareError } from './bare-error.ts'
import { sentObject } from './decoding/request-body.ts'
import { ObjectWrites, type WriteParts, type WriteRequest } from './object-writes.ts'
import type { ResourceRequest, TwinResponse } from './request.ts'
import { hasSubresource } from './resource-type.ts'
import { bindPod } from './subresources/binding.ts'
import { answerEviction } from './subresources/eviction.ts'
import type { KubeletApi } from './subresources/kubelet-api.ts'
import { answerMetrics, type UsageSource } from './subresources/metrics-api.ts'
import { answerExec, type EndContainer } from './subresources/pod-exec.ts'
import { answerLog } from './subresources/pod-log.ts'
import { answerPortForward } from './subresources/pod-portforward.ts'
import { answerProxy } from './subresources/proxy.ts'
import type { ReachParts } from './subresources/running-pod.ts'
import { answerScale } from './subresources/scale.ts'
import { answerWatch } from './watches/watch.ts'
import { checkWriteOptions, fieldManager, isDryRun } from './write-options.ts'

interface HandlerParts extends WriteParts, ReviewParts {
  /** Where usage comes from; undefined while nothing is simulated. */
  usage(): UsageSource | undefined
  readonly kubelets: KubeletApi
  /** The program of a container has ended with an exit code. */
  readonly endContainer: EndContainer
}

export class ResourceHandlers {
  readonly #parts: HandlerParts
  readonly #writes: ObjectWrites
  readonly #containers: OpenContainers
  readonly #http = new PodHttp()

  constructor(parts: HandlerParts) {
    this.#parts = parts
    this.#writes = new ObjectWrites(parts)
    const { clock, store } = parts.server
    this.#containers = new OpenContainers(clock, (resource, namespace, name) => store.get(resource, namespace, name))
  }

  async answer(write: WriteRequest): Promise<TwinResponse> {
    const { type, info } = write
    if (info.name !== undefined) checkPathName(info.name)
    const isMisplaced = type.isNamespaced ? info.namespace === undefined && info.name !== undefined : info.namespace !== undefined
    if (isMisplaced) throw noSuchResource()
    if (info.subresource === undefined) return await this.#answerObject(write)
    if (!hasSubresource(type, info.subresource)) throw noSuchResource()
    return await this.#answerSubresource(write, info.subresource)
  }

  async #answerObject(write: WriteRequest): Promise<TwinResponse> {
    const { type, info, request } = write
    const { server } = this.#parts
    if (type.group === 'metrics.k8s.io' && type.custom === undefined && (info.verb === 'get' || info.verb === 'list'))
      return answerMetrics(server, this.#parts.usage(), write)
    const hasNoPlace = info.verb === 'create' && type.isNamespaced && info.namespace === undefined
    if (hasNoPlace || request.method === 'HEAD' || !type.verbs.includes(info.verb) || !isAtItsPlace(info)) throw notAllowed()
    switch (info.verb) {
      case 'get':
        return await answerGet(server, type, info, request, answerForm(request.headers['accept'], type))
      case 'list':
        return await answerList(server, type, info, request, answerForm(request.headers['accept'], type))
      case 'watch':
        return await answerWatch(server, type, info, request)
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
    const verbs = type.subresources.find(({ name }) => name === subresource)?.verbs ?? []
    if (subresource !== 'proxy' && !verbs.includes(info.verb)) throw notAllowed()
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
        return answerLog(this.#parts.server, write, node => this.#parts.kubelets.isSilent(node))
      case 'proxy':
        if (type.key === 'nodes' && info.verb === 'get') return this.#parts.kubelets.answer(write)
        if (type.key === 'pods' || type.key === 'services') return answerProxy(this.#parts.server, write)
        throw runsNothing()
      case 'attach':
      case 'exec':
        return answerExec({ ...this.#reach(write), containers: this.#containers, endContainer: this.#parts.endContainer }, write)
      case 'portforward':
        return answerPortForward({ ...this.#reach(write), http: this.#http }, write)
      default:
    }
    switch (info.verb) {
      case 'get':
        return await answerGet(this.#parts.server, type, info, request, answerForm(request.headers['accept'], type))
      case 'update':
        return await this.#writes.update(write)
      case 'patch':
        return await this.#writes.patch(write)
      default:
        throw notAllowed()
    }
  }

  #reach(write: WriteRequest): ReachParts {
    const { server, authorizer, kubelets } = this.#parts
    const mayCreate = () => authorizer.allows(write.user, { ...write.info, verb: 'create' })
    return { server, isSilent: node => kubelets.isSilent(node), mayCreate }
  }

  #bind({ info, request, user }: WriteRequest): TwinResponse {
    const { server, writes } = this.#parts
    checkWriteOptions(request)
    const binding = sentObject(request, { kind: 'Binding', group: '', version: 'v1', definition: 'V1Binding' })
    const named = textAt(binding, 'metadata', 'name') ?? ''
    if (info.name !== undefined && named !== info.name) throw badRequest('name in URL does not match name in Binding object')
    const pod = info.name ?? named
    const node = textAt(binding, 'target', 'name') ?? ''
    const fault = targetFault(textAt(binding, 'target', 'kind') ?? '', node)
    if (fault !== undefined) throw bareError(fault)
    if (pod === '') throw badRequest('Name parameter required.')
    if (!isDryRun(request.query))
      bindPod(server, writes, { namespace: info.namespace ?? '', pod, node, binding }, { user, manager: '' })
    return statusAnswer(request, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201)
  }

  async #issueToken({ info, request }: WriteRequest): Promise<TwinResponse> {
    const value = sentObject(request, { kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1' })
    const name = info.name
    if (name === undefined) throw notFound({ group: '', resource: 'serviceaccounts' }, '')
    const { server, tokens } = this.#parts
    checkTokenAsk(server, value, { namespace: info.namespace ?? '', name })
    const ask = tokenAsk(info.namespace ?? '', name, value)
    const issued = await tokens.issue(ask)
    const asked = { ...value, spec: { expirationSeconds: ask.seconds ?? 3600, ...fieldsAt(value, 'spec') } }
    const by = { manager: fieldManager(request), apiVersion: 'authentication.k8s.io/v1', subresource: 'token' }
    const answer = {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: {
        name,
        namespace: info.namespace,
        uid: server.store.get('serviceaccounts', info.namespace, name)?.metadata.uid,
        creationTimestamp: timestamp(server.clock.now()),
        ...recordsOfSent(server, structSchema('AuthenticationV1TokenRequest'), asked, by),
      },
      spec: {
        audiences: issued.audiences,
        expirationSeconds: ask.seconds ?? 3600,
        boundObjectRef: isFields(value['spec']) ? (value['spec']['boundObjectRef'] ?? null) : null,
      },
      status: { token: issued.token, expirationTimestamp: issued.expires },
    }
    return objectAnswer(request, 201, answer, { encoding: statusEncoding(request.headers['accept']) })
  }
}

function runsNothing(): StatusError {
  return new StatusError(statusBody(501, 'kubelets of the twin answer GET alone', 'NotImplemented'))
}

/** Collections take what makes objects, objects what changes them. */
function isAtItsPlace({ verb, name }: ResourceRequest): boolean {
  return verb === 'create' ? name === undefined : (verb !== 'update' && verb !== 'patch') || name !== undefined
}

/** @throws StatusError 400 for names that no path can have. */
function checkPathName(name: string): void {
  const fault = name === '.' || name === '..' ? `may not be '${name}'` : name.includes('%') ? "may not contain '%'" : undefined
  if (fault !== undefined) throw badRequest(`Name parameter invalid: ${JSON.stringify(name)}: ${fault}`)
  if (name.includes('/')) throw noSuchResource()
}

function noSuchResource(): StatusError {
  return new StatusError(statusBody(404, 'the server could not find the requested resource', 'NotFound', {}))
}

function notAllowed(): StatusError {
  return new StatusError(
    statusBody(405, 'the server does not allow this method on the requested resource', 'MethodNotAllowed', {}),
  )
}

/** Why a binding's target is none. */
function targetFault(kind: string, name: string): string | undefined {
  const faults = [
    ...(kind === '' || kind === 'Node'
      ? []
      : [`target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`]),
    ...(name === '' ? ['target.name: Required value'] : []),
  ]
  return faults.length > 1 ? `[${faults.join(', ')}]` : faults[0]
}
