// Requests on resources: which part of the server answers which verb and subresource.
import { methodNotSupported } from '#kube/status.ts'
import { plainText } from './answer.ts'
import type { ApiServer, User } from './api-server.ts'
import { answerGet, answerList } from './list.ts'
import { answerForm } from './negotiation.ts'
import type { ResourceRequest, TwinRequest, TwinResponse } from './request.ts'
import { hasSubresource, type ResourceType } from './resource-type.ts'
import { answerWatch } from './watch.ts'
import { subjectOf, type WritePipeline } from './write-pipeline.ts'

export class ResourceHandlers {
  readonly #server: ApiServer

  constructor(server: ApiServer, _writes: WritePipeline) {
    this.#server = server
  }

  async answer(type: ResourceType, info: ResourceRequest, request: TwinRequest, _user: User): Promise<TwinResponse> {
    if (info.subresource !== undefined && !hasSubresource(type, info.subresource)) return plainText(404, '404 page not found\n')
    const form = answerForm(request.headers['accept'])
    switch (info.verb) {
      case 'get':
        return await answerGet(this.#server, type, info, request, form)
      case 'list':
        return await answerList(this.#server, type, info, request, form)
      case 'watch':
        return await answerWatch(this.#server, type, info, request, form)
      default:
        throw methodNotSupported(subjectOf(type), info.verb)
    }
  }
}
