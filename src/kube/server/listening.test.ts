import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { closed, keptConnections, listening } from './listening.ts'

/** How long Go's HTTP client, and so each API server, keeps a connection that it does not use. */
const goIdleConnectionMs = 90_000

test.each(Object.entries(keptConnections))('%s outlasts the connections that API servers keep', (_name, ms) => {
  expect(ms).toBeGreaterThan(goIdleConnectionMs)
})

test('it is these limits that end a connection that was never used', async () => {
  const server = createServer({ ...keptConnections, headersTimeout: 50, connectionsCheckingInterval: 10 })
  const socket = connect(await listening(server, { port: 0, host: '127.0.0.1' }), '127.0.0.1')
  const said: Buffer[] = []
  socket.on('data', piece => said.push(piece))
  await once(socket, 'close')
  expect(String(Buffer.concat(said))).toMatch(/^HTTP\/1\.1 408 /)
  await closed(server)
})
