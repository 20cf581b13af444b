// What a cluster's DNS and kube-proxy do for one Service: an address of its own, whose port leads to where its pods listen.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Loopback has 16 million addresses: those of one process are its own. */
export function ownAddress(): string {
  return `127.83.${(process.pid >> 8) & 255}.${process.pid & 255}`
}

/** Connections to `port` of the address go to `target` of loopback, byte by byte. */
export async function startServiceAddress(stack: AsyncDisposableStack, port: number, target: number): Promise<string> {
  const address = ownAddress()
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, client => {
    const there = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    for (const [one, other] of [
      [client, there],
      [there, client],
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  }).listen(port, address)
  await once(server, 'listening')
  stack.defer(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return address
}
