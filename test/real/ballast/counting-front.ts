// A port of its own for each client of an API server: connections and bytes are counted where they pass, still encrypted.
import { connect, createServer, type Socket } from 'node:net'

export interface Passed {
  /** Opened so far, and open now. */
  readonly connections: number
  readonly open: number
  /** Bytes to the server, and from it. */
  readonly sent: number
  readonly received: number
}

export interface CountingFront extends AsyncDisposable {
  readonly port: number
  passed(): Passed
}

/** Passes connections on to `port` of loopback. */
export async function openCountingFront(port: number): Promise<CountingFront> {
  let connections = 0
  let sent = 0
  let received = 0
  const open = new Set<Socket>()
  const server = createServer(client => {
    connections++
    open.add(client)
    const upstream = connect(port, '127.0.0.1')
    client.on('data', (chunk: Buffer) => {
      sent += chunk.length
    })
    upstream.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    // Whatever breaks one end ends the other: they tell their own programs.
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    client.once('close', () => {
      open.delete(client)
      upstream.destroy()
    })
    upstream.once('close', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the counting front has no port')
  return {
    port: address.port,
    passed: () => ({ connections, open: open.size, sent, received }),
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
