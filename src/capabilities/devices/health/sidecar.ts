// A program on the same node that knows how devices are, asked at its socket by gRPC. Each question has its time, and no answer is waited for longer.

import { Client, credentials } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import type { Message } from '#kube/protobuf-message.ts'

const callLimitMs = 2_000
/** Bytes of one answer: of a thousand devices with a page each it is less. */
const largestSidecarMessage = 4 * 1024 * 1024

/** The caller closes it. */
export function sidecarClient(socket: string): Client {
  return new Client(`unix://${socket}`, credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.enable_retries': 0,
    'grpc.max_receive_message_length': largestSidecarMessage,
    'grpc.service_config_disable_resolution': 1,
    'grpc.use_local_subchannel_pool': 1,
  })
}

interface Question<Asked, Answer> {
  readonly path: string
  readonly request: Message<Asked>
  readonly answer: Message<Answer>
}

/** @throws Error of gRPC where nobody answers within two seconds, or `signal` ends the wait */
export async function askSidecar<Asked, Answer>(
  client: Client,
  { path, request, answer }: Question<Asked, Answer>,
  asked: Partial<Asked>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Answer> {
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const call = client.makeUnaryRequest(
    path,
    (value: Partial<Asked>) => request.encode(value),
    bytes => answer.decode(bytes),
    asked,
    (error, response) => (error === null && response !== undefined ? resolve(response) : reject(error)),
  )
  const cancelTimer = clock.schedule(callLimitMs, () => call.cancel())
  const onAbort = () => call.cancel()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await promise
  } finally {
    cancelTimer()
    signal.removeEventListener('abort', onAbort)
  }
}
