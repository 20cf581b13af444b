// Methods of gRPC as servers of ours answer them on sockets of the machine.

import { type Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { messageOf } from '../log.ts'
import { OutsideError } from '../outside-error.ts'
import type { Method } from './method.ts'

/** What a server is made with: messages of the kubelet are small, and one kubelet calls. */
export const serverLimits = {
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.max_send_message_length': 16 * 1024 * 1024,
  'grpc.max_concurrent_streams': 1_000,
} as const

/** A call that gets no answer but a code of gRPC, with its reason in words. */
export class CallRefused extends OutsideError {
  override readonly name: string = 'CallRefused'
  readonly code: status

  constructor(code: status, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A call with one answer. A CallRefused is told with its code; anything else counts as our own fault. */
export function answering<Request, Response>(
  _method: Method<Request, Response>,
  answer: (request: Request) => Response | Promise<Response>,
) {
  return (call: ServerUnaryCall<Request, Response>, done: sendUnaryData<Response>): void => {
    const answered = async () => await answer(call.request)
    answered().then(
      response => done(null, response),
      (error: unknown) => {
        // A refusal is worded for its caller; its causes are for our own log.
        if (error instanceof CallRefused) done({ code: error.code, details: error.message })
        else done({ code: status.INTERNAL, details: messageOf(error) })
      },
    )
  }
}

/** A method as gRPC's library takes it. */
export function definition<Request, Response>({ path, request, response }: Method<Request, Response>, isStream = false) {
  return {
    path,
    requestStream: false,
    responseStream: isStream,
    requestSerialize: (value: Partial<Request>) => request.encode(value),
    requestDeserialize: (bytes: Buffer) => request.decode(bytes),
    responseSerialize: (value: Partial<Response>) => response.encode(value),
    responseDeserialize: (bytes: Buffer) => response.decode(bytes),
  }
}

/** Listens at a path. @throws OutsideError where nobody can: the folder is gone, full or read-only */
export function listenAt(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.bindAsync(`unix://${path}`, ServerCredentials.createInsecure(), error => {
    if (error === null) resolve()
    else reject(new OutsideError(`nobody can listen at ${path}: ${error.message}`, { cause: error }))
  })
  return promise
}
