// A server of TCP on this host, for protocols that tests speak themselves.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

export interface SocketServer extends AsyncDisposable {
  readonly port: number
  readonly address: string
}

/** `listen` is told each connection. At the end all are cut. */
export async function sockets(listen: (socket: Socket) => void): Promise<SocketServer> {
  const open = new Set<Socket>()
  const server = createServer(socket => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
    listen(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    port,
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
