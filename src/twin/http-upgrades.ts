// Requests that go on as WebSockets: answered by the one handler, then spoken to until the session has ended.
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { internalError } from '#kube/objects/status.ts'
import type { Handler, TwinRequest, TwinResponse, UpgradedSession } from './api/request.ts'
import { acceptKey, ServerSocket } from './containers/web-socket.ts'
import type { TellTrouble } from './trouble.ts'

/** Sessions of one twin that are open at once. */
const mostSessions = 256
/** A client that does not hang up after the end is cut off. */
const closeLimitMs = 10_000

interface UpgradeParts {
  readonly clock: Clock
  readonly handler: Handler
  readonly onTrouble: TellTrouble
}

/** Whether a request may go on as something else. Others that offer it (`Upgrade: h2c` of Java's clients) are answered as they are. */
export function isForUpgrades({ method, url, headers }: IncomingMessage): boolean {
  const isSession = /^\/api\/v1\/namespaces\/[^/]+\/pods\/[^/]+\/(exec|attach|portforward)(\?|$)/.test(url ?? '')
  return method === 'GET' && isSession && headers.upgrade?.toLowerCase() === 'websocket'
}

/** Answers upgrades, and bounds how many are open. */
export class HttpUpgrades {
  readonly #parts: UpgradeParts
  #open = 0

  constructor(parts: UpgradeParts) {
    this.#parts = parts
  }

  /** Resolves when the connection is done with. `request` is the upgrade's, without its offer. */
  async serve(request: Omit<TwinRequest, 'signal' | 'body'>, wire: Duplex, head: Uint8Array): Promise<void> {
    const gone = new AbortController()
    wire.on('error', () => wire.destroy())
    wire.once('close', () => gone.abort())
    const key = request.headers['sec-websocket-key']
    const isWebSocket = request.headers['upgrade']?.toLowerCase() === 'websocket' && key !== undefined
    let accepted: { readonly protocol: string; readonly session: UpgradedSession } | undefined
    const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map(text => text.trim())
    const upgrade = {
      protocols,
      accept: (protocol: string, session: UpgradedSession) => {
        accepted = { protocol, session }
      },
    }
    try {
      if (this.#open >= mostSessions) return await refuse(wire, tooMany)
      this.#open++
      try {
        const asked = { ...request, body: new Uint8Array(), signal: gone.signal, ...(isWebSocket ? { upgrade } : {}) }
        const answer = await this.#parts.handler(asked)
        if (answer.status !== 101 || accepted === undefined || key === undefined) return await refuse(wire, answer)
        const lines = [
          'HTTP/1.1 101 Switching Protocols',
          'Upgrade: websocket',
          'Connection: Upgrade',
          `Sec-WebSocket-Accept: ${acceptKey(key)}`,
          `Sec-WebSocket-Protocol: ${accepted.protocol}`,
        ]
        wire.write(`${lines.join('\r\n')}\r\n\r\n`)
        const socket = new ServerSocket(wire)
        await accepted.session({ messages: socket.messages(head), send: message => socket.send(message) }, gone.signal)
        await socket.close(1000)
        wire.once(
          'close',
          this.#parts.clock.schedule(closeLimitMs, () => wire.destroy()),
        )
      } finally {
        this.#open--
      }
    } catch (error) {
      if (gone.signal.aborted) return
      this.#parts.onTrouble({ kind: 'stream', where: `${request.method} ${request.path}`, error, count: 1 })
      if (accepted === undefined) await refuse(wire, statusOf(500, internalError(messageOf(error)).status))
      else wire.destroy()
    }
  }
}

const tooMany = statusOf(429, {
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: `more than ${mostSessions} sessions with containers are open`,
  reason: 'TooManyRequests',
  code: 429,
})

function statusOf(status: number, body: object): TwinResponse {
  return { kind: 'whole', status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

async function refuse(wire: Duplex, answer: TwinResponse): Promise<void> {
  const pieces: Uint8Array[] = []
  if (answer.kind === 'whole') pieces.push(Buffer.from(answer.body))
  else for await (const chunk of answer.chunks) pieces.push(Buffer.from(chunk))
  const body = Buffer.concat(pieces)
  const headers = { ...answer.headers, 'content-length': String(body.length), connection: 'close' }
  const lines = [
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  wire.end(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]))
}
