// What stands in the way of requests: here it only answers that it is there. The worked example of docs/writing-a-capability.md.
import { createServer } from 'node:http'
import type { Running } from '#coordination/capability.ts'
import { closed, listening } from '#kube/server/listening.ts'

export const doorPort = 9100

export async function startDoor(config: { readonly doorPort: number }): Promise<Running<{ readonly doorPort: number }>> {
  const server = createServer((_request, response) => response.end('the door is open\n'))
  const port = await listening(server, { port: config.doorPort })
  return {
    health: () => [{ name: 'door', ok: server.listening, message: `port ${port}` }],
    reconfigure: async changed => (changed.doorPort === config.doorPort ? 'applied' : 'restart-part'),
    [Symbol.asyncDispose]: () => closed(server),
  }
}
