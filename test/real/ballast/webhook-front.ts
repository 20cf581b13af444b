// Stands for the Service in front of the replicas' webhooks: one address on loopback, behind it whichever replica listens.
import { connect, createServer, type Socket } from 'node:net'

export interface WebhookFront extends AsyncDisposable {
  readonly port: number
  /** How many connections each replica was given, by its port. */
  readonly served: ReadonlyMap<number, number>
}

/** Passes each connection on to the first of `ports` that takes it; where none does it is closed. */
export async function openWebhookFront(ports: readonly number[]): Promise<WebhookFront> {
  const served = new Map<number, number>()
  const open = new Set<Socket>()
  const keep = (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    // What breaks here breaks for both ends: they say so themselves.
    socket.on('error', () => socket.destroy())
  }
  const server = createServer(client => {
    keep(client)
    const tryFrom = (at: number) => {
      const port = ports[at]
      if (port === undefined) {
        client.destroy()
        return
      }
      const replica = connect(port, '127.0.0.1')
      const onRefused = () => tryFrom(at + 1)
      replica.once('error', onRefused)
      replica.once('connect', () => {
        replica.off('error', onRefused)
        keep(replica)
        served.set(port, (served.get(port) ?? 0) + 1)
        replica.once('close', () => client.destroy())
        client.once('close', () => replica.destroy())
        client.pipe(replica).pipe(client)
      })
    }
    tryFrom(0)
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the webhook front has no port')
  return {
    port: address.port,
    served,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
