// A server of TCP on this host that answers lines, or bytes, as a test says.
import type { Socket } from 'node:net'
import { type SocketServer, sockets } from './sockets.ts'

interface LineServer extends SocketServer {
  /** All that came. */
  readonly asked: () => string
}

/** `answer` is told all that one connection sent since it last answered; undefined: wait for more. */
export async function lineServer(answer: (asked: string, socket: Socket) => string | Buffer | undefined): Promise<LineServer> {
  let all = ''
  const server = await sockets(socket => {
    let waiting = ''
    socket.on('data', (data: Buffer) => {
      all += data.toString()
      waiting += data.toString()
      const said = answer(waiting, socket)
      if (said === undefined) return
      waiting = ''
      socket.write(said)
    })
  })
  return { ...server, asked: () => all }
}
