// A port before a server that is as far away as a data centre is wide: what it answers arrives later.
import { connect, createServer, type Socket } from 'node:net'
import { systemClock } from '#kube/clock.ts'

export interface DelayingFront extends AsyncDisposable {
  readonly port: number
}

/** Passes connections on to `port` of loopback; answers arrive `delayMs` later. */
export async function openDelayingFront(port: number, delayMs: number): Promise<DelayingFront> {
  const open = new Set<Socket>()
  const server = createServer(client => {
    open.add(client)
    const upstream = connect(port, '127.0.0.1')
    upstream.setNoDelay(true)
    client.setNoDelay(true)
    let underway = 0
    upstream.on('data', (chunk: Buffer) => {
      underway += chunk.length
      if (underway > mostUnderway) upstream.pause()
      systemClock.schedule(delayMs, () => {
        underway -= chunk.length
        if (!client.destroyed) client.write(chunk)
        if (underway <= mostUnderway) upstream.resume()
      })
    })
    upstream.once('end', () => void systemClock.schedule(delayMs, () => client.end()))
    // Whatever breaks one end ends the other: they tell their own programs.
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    client.once('close', () => {
      open.delete(client)
      upstream.destroy()
    })
    client.pipe(upstream)
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the delaying front has no port')
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** Bytes that one connection may have underway; more has to wait. */
const mostUnderway = 4 * 1024 * 1024
