// A source of HTTP on this host that answers as a test says, and remembers what it was asked.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SourceServer extends AsyncDisposable {
  readonly url: string
  readonly asked: { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string }[]
}

export async function sourceServer(answer: RequestListener): Promise<SourceServer> {
  const asked: SourceServer['asked'] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      asked.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(pieces).toString() })
      answer(request, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Always this text. */
export const saying =
  (body: string, contentType = 'application/json', status = 200): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, { 'content-type': contentType }).end(body)
