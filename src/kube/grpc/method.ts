// A method of a gRPC service: the path and the two messages are the contract.

import type { Message } from '../protobuf-message.ts'

export interface Method<Request, Response> {
  /** `/package.Service/Name` */
  readonly path: string
  readonly request: Message<Request>
  readonly response: Message<Response>
}

export const method = <Request, Response>(
  path: string,
  request: Message<Request>,
  response: Message<Response>,
): Method<Request, Response> => ({ path, request, response })
