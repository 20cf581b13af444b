import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { hangUp, refuseUnreadable } from './hang-up.ts'
import { listening } from './listening.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A server that answers `refused` at each piece that comes, as a parser that has failed does. */
async function refusing(clock: VirtualClock): Promise<{ readonly client: Socket; readonly accepted: Promise<Socket> }> {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>()
  const server = createServer({ allowHalfOpen: true }, socket => {
    resolve(socket)
    socket.on('error', () => socket.destroy())
    socket.on('data', () => hangUp(socket, 'refused', clock))
  })
  servers.push(server)
  const client = connect({ port: await listening(server, { port: 0 }), host: '127.0.0.1', allowHalfOpen: true })
  return { client, accepted }
}

test('the answer reaches a client that is still sending, and the connection is reset by nobody', async () => {
  const { client } = await refusing(new VirtualClock(0))
  let answer = ''
  let problem: unknown
  client.on('data', data => (answer += data.toString()))
  client.on('error', error => (problem = error))
  client.end(Buffer.alloc(20_000_000))
  await new Promise(resolve => client.once('close', resolve))
  expect({ answer, problem }).toEqual({ answer: 'refused', problem: undefined })
})

test('a client that never ends is cut off after two seconds', async () => {
  const clock = new VirtualClock(0)
  const { client, accepted } = await refusing(clock)
  client.on('error', () => client.destroy())
  client.write('a')
  const answered = new Promise(resolve => client.once('data', resolve))
  const socket = await accepted
  expect(String(await answered)).toBe('refused')
  await clock.advance(1_999)
  expect(socket.destroyed).toBe(false)
  await clock.advance(1)
  expect(socket.destroyed).toBe(true)
  client.destroy()
})

test.each([
  ['a parser', 'HPE_INVALID_METHOD', 'HTTP/1.1 400 Bad Request'],
  ['a slow request', 'ERR_HTTP_REQUEST_TIMEOUT', 'HTTP/1.1 408 Request Timeout'],
  ['a client that does not believe us', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', ''],
  ['a slow handshake', 'ERR_TLS_HANDSHAKE_TIMEOUT', ''],
  ['a connection', 'ECONNRESET', ''],
])('what fails by %s hears of it only where HTTP has begun', async (_, code, expected) => {
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    refuseUnreadable(Object.assign(new Error('x'), { code }), socket, new VirtualClock(0))
  })
  servers.push(server)
  const client = connect({ port: await listening(server, { port: 0 }), host: '127.0.0.1' })
  let answer = ''
  client.on('data', data => (answer += data.toString()))
  client.on('error', () => client.destroy())
  await new Promise(resolve => client.once('close', resolve))
  expect(answer.split('\r\n')[0]).toBe(expected)
})
