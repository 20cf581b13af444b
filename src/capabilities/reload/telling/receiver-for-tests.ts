// A receiver of alerts and webhooks on loopback, for tests: it remembers what came and answers what it is told to.
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { closed, listening } from '#kube/server/listening.ts'

interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Receiver extends AsyncDisposable {
  readonly url: string
  readonly received: readonly Received[]
}

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export async function startReceiver(answer: Answer = { status: 200 }): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      received.push({ method, path, headers, body: Buffer.concat(pieces).toString() })
      response.writeHead(answer.status, answer.headers)
      response.end(answer.body)
    })
  })
  // As a proxy it is asked for a tunnel, and refuses that.
  server.on('connect', ({ method = '', url: path = '', headers }, socket) => {
    received.push({ method, path, headers, body: '' })
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  })
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  return { url: `http://127.0.0.1:${port}`, received, [Symbol.asyncDispose]: () => closed(server) }
}
