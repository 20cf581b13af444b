// A server of TCP on this host that answers lines, or bytes, as a test says.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

interface LineServer extends AsyncDisposable {
  readonly port: number
  readonly address: string
  /** All that came. */
  readonly asked: () => string
}

/** `answer` is told all that one connection sent since it last answered; undefined: wait for more. */
export async function lineServer(answer: (asked: string, socket: Socket) => string | Buffer | undefined): Promise<LineServer> {
  const open = new Set<Socket>()
  let all = ''
  const server = createServer(socket => {
    open.add(socket)
    let waiting = ''
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
    socket.on('data', (data: Buffer) => {
      all += data.toString()
      waiting += data.toString()
      const said = answer(waiting, socket)
      if (said === undefined) return
      waiting = ''
      socket.write(said)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    port,
    address: `127.0.0.1:${port}`,
    asked: () => all,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
