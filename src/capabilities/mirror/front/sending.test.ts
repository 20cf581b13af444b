// Bodies that lie in memory which is used again, sent to real clients.
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { LentBody, type Piece } from '../lent-body.ts'
import { Sending } from './sending.ts'

/** So many pieces of `size`, all in the same memory, each only when the one before was given back. */
class OneMemory extends LentBody {
  readonly memory: Buffer
  isOut = false
  given = 0
  readonly #count: number

  constructor(count: number, size: number) {
    super()
    this.#count = count
    this.memory = Buffer.alloc(size)
  }

  override async next(): Promise<Piece | undefined> {
    if (this.destroyed) throw new Error('destroyed')
    if (this.isOut) throw new Error('the piece before is still out')
    if (this.given === this.#count) return undefined
    this.memory.fill(this.given++ % 251)
    this.isOut = true
    return {
      bytes: this.memory,
      [Symbol.dispose]: () => {
        this.isOut = false
      },
    }
  }
}

interface Sent {
  readonly sending: Sending
  readonly fault: unknown
}

async function site(body: LentBody, length: number) {
  const { promise: sent, resolve } = Promise.withResolvers<Sent>()
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': length })
    const sending = new Sending(response, length)
    sending.send(body, undefined).then(
      () => resolve({ sending, fault: undefined }),
      (fault: unknown) => {
        response.destroy()
        resolve({ sending, fault })
      },
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo
  const { promise: answer, resolve: answered, reject } = Promise.withResolvers<IncomingMessage>()
  const request = get({ host: '127.0.0.1', port, agent: false }, answered).on('error', reject)
  return { answer, sent, request }
}

test('all bytes come in order though each piece has the memory of the one before', async () => {
  const body = new OneMemory(40, 100_000)
  const { answer, sent } = await site(body, 4_000_000)
  let at = 0
  for await (const piece of await answer) {
    for (const byte of piece) if (byte !== Math.floor(at++ / 100_000) % 251) throw new Error(`another byte at ${at - 1}`)
  }
  const { sending, fault } = await sent
  expect([at, sending.sent, fault, body.isOut]).toEqual([4_000_000, 4_000_000, undefined, false])
})

test.each([
  ['fewer', 3, '30 of 35 bytes came'],
  ['more', 4, 'more than 35 bytes came'],
])('%s bytes than promised break the connection', async (_name, count, message) => {
  const { answer, sent } = await site(new OneMemory(count, 10), 35)
  // A head may not even have left.
  const got = answer.then(async response => {
    for await (const _piece of response);
  })
  await expect(got).rejects.toThrow()
  const { sending, fault } = await sent
  expect(sending.sent).toBe(30)
  expect(fault).toMatchObject({ message })
})

test('a client that goes away in the middle ends it: its memory is free', async () => {
  const body = new OneMemory(100_000, 100_000)
  const { answer, sent, request } = await site(body, 10_000_000_000)
  await once(await answer, 'readable')
  request.on('error', () => undefined).destroy()
  const { fault } = await sent
  expect(fault).toBeInstanceOf(Error)
  expect(body.isOut).toBe(false)
})
