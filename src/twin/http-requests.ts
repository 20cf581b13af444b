// What comes in over HTTP before it is a request: bodies within their limit and their time, and texts that are no request at all.
import type { Http2ServerRequest } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Clock } from '#kube/clock.ts'
import { hangUp } from '#kube/server/hang-up.ts'

/** What a request body may weigh; upstream's limit. */
const bodyLimitBytes = 3 * 1024 * 1024
/** So much of a body that is too long is read on and dropped, so that its sender hears why; then the connection is cut. */
const mostDroppedBytes = 16 * 1024 * 1024
/** Who takes longer to send a body is cut off. */
const bodyTimeoutMs = 60_000

type ReceivedBody =
  | { readonly kind: 'body'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-long' }
  | { readonly kind: 'cut' }

const nothing: ReceivedBody = { kind: 'body', bytes: new Uint8Array() }

/** A request's body, unless it is too long or does not come in time. */
export function receiveBody(incoming: Http2ServerRequest, clock: Clock): ReceivedBody | Promise<ReceivedBody> {
  const length = incoming.headers['content-length']
  if (length === '0' || (length === undefined && hasNoBody(incoming))) return nothing
  if (length !== undefined && Number(length) > bodyLimitBytes) {
    drop(incoming, mostDroppedBytes)
    return { kind: 'too-long' }
  }
  const { promise, resolve } = Promise.withResolvers<ReceivedBody>()
  const chunks: Uint8Array[] = []
  let bytes = 0
  const finish = (received: ReceivedBody) => {
    cancel()
    incoming.off('data', take)
    incoming.off('end', end)
    incoming.off('close', cut)
    resolve(received)
  }
  const take = (chunk: Uint8Array) => {
    bytes += chunk.byteLength
    chunks.push(chunk)
    if (bytes <= bodyLimitBytes) return
    finish({ kind: 'too-long' })
    drop(incoming, mostDroppedBytes - bytes)
  }
  const end = () =>
    finish({ kind: 'body', bytes: chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks) })
  const cut = () => finish({ kind: 'cut' })
  const cancel = clock.schedule(bodyTimeoutMs, () => {
    finish({ kind: 'cut' })
    incoming.destroy()
  })
  incoming.on('data', take)
  incoming.once('end', end)
  incoming.once('close', cut)
  return promise
}

/** Only HTTP/1.1 says beforehand that nothing follows. */
function hasNoBody(incoming: Http2ServerRequest): boolean {
  return incoming.httpVersionMajor === 1 && incoming.headers['transfer-encoding'] === undefined
}

function drop(incoming: Http2ServerRequest, mostBytes: number): void {
  let left = mostBytes
  incoming.on('data', (chunk: Uint8Array) => {
    left -= chunk.byteLength
    if (left < 0) incoming.destroy()
  })
}

/** Why a request that parses is none yet: HTTP/1.1 wants one Host. */
export function requestFault(incoming: Http2ServerRequest): string | undefined {
  if (incoming.httpVersionMajor !== 1 || incoming.httpVersionMinor !== 1) return undefined
  let hosts = 0
  for (let index = 0; index < incoming.rawHeaders.length; index += 2)
    if (incoming.rawHeaders[index]?.toLowerCase() === 'host') hosts++
  return hosts === 0 ? '400 Bad Request: missing required Host header' : hosts > 1 ? '400 Bad Request' : undefined
}

const endings: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_INVALID_VERSION: '505 HTTP Version Not Supported',
}

/** Answers what is no HTTP and hangs up. */
export function refuseBytes(error: unknown, socket: Duplex, clock: Clock): void {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const status = (Object.hasOwn(endings, code) ? endings[code] : undefined) ?? '400 Bad Request'
  const text = status.startsWith('505') ? `${status}: unsupported protocol version` : status
  hangUp(socket, `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${text}`, clock)
}
