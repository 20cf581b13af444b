// The agent's side of the data plane: a socket that only nginx, in the same private folder, can come to.
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'

/** Bytes of target and headers together. */
const largestHead = 32_768
/** Connections that wait to be taken: nginx gives a request up at once where one cannot. */
const backlog = 4_096

/** Listens at `path`. nginx keeps connections as long as it likes, and nothing of a client comes here unread by it. @throws where it cannot */
export async function openInnerDoor(path: string, handle: RequestListener): Promise<Server> {
  const server = createServer({
    maxHeaderSize: largestHead,
    // nginx has judged that already: clients of HTTP/1.0 need not say it.
    requireHostHeader: false,
    ...{ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 },
  })
  server.on('request', handle)
  server.on('checkContinue', handle)
  server.on('checkExpectation', handle)
  server.listen({ path, backlog })
  await once(server, 'listening')
  return server
}
