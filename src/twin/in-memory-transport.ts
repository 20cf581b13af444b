// A Transport that reaches the twin without sockets: the same handler, the same bytes.
import type { Transport, TransportRequest, TransportResponse, TransportStream } from '#kube/client/transport.ts'
import type { Credentials, Handler, TwinRequest, TwinResponse } from './api/request.ts'

/** As whom the transport speaks: the administrator, the holder of a bearer token, or a user by name. */
export type TransportCredentials =
  | { readonly admin: true }
  | { readonly token: string }
  | { readonly user: string; readonly groups: readonly string[] }

/** A transport into `handler`. */
export function inMemoryTransport(handler: Handler, credentials: TransportCredentials): Transport {
  const closed = new AbortController()
  const send = async (request: TransportRequest): Promise<TwinResponse> => {
    const signal = AbortSignal.any([request.signal, closed.signal])
    signal.throwIfAborted()
    request.guard?.()
    const answer = await handler(twinRequest(request, credentials, signal))
    signal.throwIfAborted()
    return answer
  }
  return {
    async request(request): Promise<TransportResponse> {
      const answer = await send(request)
      return {
        status: answer.status,
        headers: answer.headers,
        body: answer.kind === 'whole' ? bytesOf(answer.body) : await collected(answer.chunks),
      }
    },
    async stream(request): Promise<TransportStream> {
      const answer = await send(request)
      return {
        status: answer.status,
        headers: answer.headers,
        chunks: answer.kind === 'whole' ? once(bytesOf(answer.body)) : encoded(answer.chunks, request.signal),
      }
    },
    close(): Promise<void> {
      closed.abort(new Error('the transport is closed'))
      return Promise.resolve()
    },
  }
}

const administrator: Credentials = { kind: 'certificate', name: 'ballast-admin', groups: ['system:masters'] }

function twinRequest(request: TransportRequest, credentials: TransportCredentials, signal: AbortSignal): TwinRequest {
  const headers = { ...request.headers }
  if ('token' in credentials) headers['authorization'] = `Bearer ${credentials.token}`
  return {
    method: request.verb,
    path: request.path,
    query: new URLSearchParams({ ...request.query }),
    headers,
    body: request.body === undefined ? new Uint8Array() : typeof request.body === 'string' ? bytesOf(request.body) : request.body,
    credentials: credentialsOf(credentials),
    signal,
  }
}

function credentialsOf(credentials: TransportCredentials): Credentials {
  if ('token' in credentials) return { kind: 'none' }
  return 'user' in credentials ? { kind: 'certificate', name: credentials.user, groups: credentials.groups } : administrator
}

function bytesOf(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? new TextEncoder().encode(body) : body
}

async function collected(chunks: AsyncIterable<string | Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const chunk of chunks) pieces.push(bytesOf(chunk))
  return Buffer.concat(pieces)
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body
}

async function* encoded(chunks: AsyncIterable<string | Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield bytesOf(chunk)
  signal.throwIfAborted()
}
