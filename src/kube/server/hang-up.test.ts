import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { hangUp } from './hang-up.ts'
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
