// The last answer on a connection: it reaches a client that is still sending.
import type { Duplex } from 'node:stream'
import type { Clock } from '../clock.ts'

/** What a client still sends after its last answer is taken in for so long, and dropped. */
const lingerMs = 2_000

const hungUp = new WeakSet<Duplex>()

/**
 * Sends `answer` and ends the connection. What the client is still sending is read on and dropped for 2 s: a connection that is closed
 * with bytes unread is reset, and the reset overtakes the answer. Each further call for the same connection does nothing: a parser
 * that has failed says so once more for each piece that comes.
 */
export function hangUp(socket: Duplex, answer: string, clock: Clock): void {
  if (hungUp.has(socket)) return
  hungUp.add(socket)
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const cancel = clock.schedule(lingerMs, () => socket.destroy())
  socket.once('close', cancel)
  socket.end(answer)
  socket.resume()
}

const endings: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/**
 * For `clientError` of a server: tells who cannot be read as HTTP, or not in time, so that they hear it even while they send. What failed below
 * HTTP, a handshake of TLS or the connection itself, has no way for an answer.
 */
export function refuseUnreadable(error: unknown, socket: Duplex, clock: Clock): void {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (!/^(HPE_|ERR_HTTP_)/.test(code)) socket.destroy()
  else hangUp(socket, `HTTP/1.1 ${endings[code] ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`, clock)
}
