// Opening and closing the sockets of a server, the same for each that we run.
import type { Server } from 'node:net'

interface Address {
  /** 0 takes any free one. */
  readonly port: number
  /** All addresses unless given. */
  readonly host?: string
  /** Others may listen on the same, who say so too. */
  readonly reusePort?: boolean
}

const keptConnectionMs = 100_000
/** From a connection to the end of its TLS handshake, for every listener of ours. Node's own limit is two minutes. */
export const handshakeMs = 10_000

/**
 * For servers that API servers call. Those keep a connection for 90 s of quiet, also one that was opened and never used. Node counts a
 * connection without a request against all three limits and says 408 into it, which the next call on it then gets.
 */
export const keptConnections = {
  headersTimeout: keptConnectionMs,
  requestTimeout: keptConnectionMs,
  keepAliveTimeout: keptConnectionMs,
}

/** Listens, and yields the port that it came to. @throws when the address is taken or not ours */
export async function listening(server: Server, { port, host, reusePort = false }: Address): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ port, ...(host === undefined ? {} : { host }), ...(reusePort ? { reusePort } : {}) }, () => {
    server.off('error', reject)
    resolve()
  })
  await promise
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

/** Refuses new connections, closes idle ones, and resolves when the calls under way are answered. */
export function closed(server: Server & { closeIdleConnections(): void }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.close(error => (error === undefined ? resolve() : reject(error)))
  server.closeIdleConnections()
  return promise
}
