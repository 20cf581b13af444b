// One connection to a target that says what the test wants, byte by byte.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { AnswerHead } from './answer-reader.ts'
import { type Asked, type Landing, TargetConnection } from './target-connection.ts'

async function until(holds: () => boolean, what: () => unknown = () => ''): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (holds()) return
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  throw new Error(`it never came to hold: ${JSON.stringify(what())}`)
}

/** `isLent`: what the socket reads comes in memory that is used again at once. */
async function site(isLent: boolean) {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const landing: Landing = { take: () => undefined }
  const buffer = Buffer.alloc(64 * 1024)
  const callback = (bytes: number) => {
    landing.take(buffer.subarray(0, bytes))
    buffer.fill('#')
    return true
  }
  const { port } = server.address() as AddressInfo
  const socket = connect({ port, host: '127.0.0.1', ...(isLent ? { onread: { buffer, callback } } : {}) })
  await once(socket, 'connect')
  const [target] = await accepted
  target.setEncoding('latin1').on('error', () => undefined)
  const clock = new VirtualClock(0)
  const seen = {
    got: '',
    heads: [] as AnswerHead[],
    pieces: [] as Buffer[],
    get body() {
      return Buffer.concat(this.pieces).toString('latin1')
    },
    ends: [] as string[],
    idle: 0,
    closed: 0,
    continued: 0,
    takes: true,
    first: '',
  }
  target.on('data', (text: string) => {
    seen.got += text
  })
  const keeping = { clock, onIdle: () => void seen.idle++, onClosed: () => void seen.closed++ }
  const connection = new TargetConnection(socket, keeping, isLent ? landing : undefined)
  const ask = (more: Partial<Asked> = {}) =>
    connection.ask(
      {
        ...{ method: 'GET', target: '/', headers: ['Host', 'a'], body: undefined, contentLength: undefined },
        ...{ expectsContinue: false, isUpgrade: false, headMs: 0, ...more },
      },
      {
        onHead: head => void seen.heads.push(head),
        onData(bytes) {
          seen.pieces.push(bytes)
          return seen.takes
        },
        onWhole: trailers => void seen.ends.push(`whole ${trailers.join()}`),
        onUpgraded(_head, taken, first) {
          seen.first = first.toString('latin1')
          seen.ends.push('upgraded')
          taken.destroy()
        },
        onError: error => void seen.ends.push(`${error.message} ${(error as { code?: string }).code ?? ''}`.trim()),
        onSent: () => undefined,
        onContinue: () => void seen.continued++,
        trailers: () => ['X-Sum', '5'],
      },
    )
  const ended = () =>
    until(
      () => seen.ends.length > 0,
      () => seen,
    )
  return {
    ...{ clock, seen, target, connection, ask, ended },
    async [Symbol.asyncDispose]() {
      connection.destroy()
      target.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

describe.each([
  ['a stream', false],
  ['memory that is lent', true],
])('a connection to a target, read as %s', (_name, isLent) => {
  it('is asked again after a whole answer, and ends when nobody asks', async () => {
    await using one = await site(isLent)
    const { seen, clock } = one
    for (const count of [1, 2]) {
      one.ask()
      one.target.write(ok)
      await until(() => seen.ends.length === count)
    }
    expect(seen).toMatchObject({ got: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2), body: 'okok', idle: 2, closed: 0 })
    await clock.advance(3_999)
    expect(one.connection.isClosed).toBe(false)
    await clock.advance(1)
    expect(one.connection.isClosed).toBe(true)
    await until(() => seen.closed === 1)
  })

  it.each([
    ['Keep-Alive: timeout=11', 10_000],
    ['Keep-Alive: timeout=3600', 60_000],
  ])('is kept by %s for %s ms', async (header, keptMs) => {
    await using one = await site(isLent)
    one.ask()
    one.target.write(`HTTP/1.1 204 No\r\n${header}\r\n\r\n`)
    await one.ended()
    await one.clock.advance(keptMs - 1)
    expect(one.connection.isClosed).toBe(false)
    await one.clock.advance(1)
    expect(one.connection.isClosed).toBe(true)
  })

  it.each([
    ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['bytes after the answer', `${ok}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`],
  ])('is not asked again after %s', async (_name, text) => {
    await using one = await site(isLent)
    one.ask()
    one.target.write(text)
    await one.ended()
    expect(one.seen).toMatchObject({ ends: ['whole '], body: 'ok' })
    expect(one.connection.isClosed).toBe(true)
  })

  it('ends where the target speaks without being asked', async () => {
    await using one = await site(isLent)
    one.target.write(ok)
    await until(() => one.connection.isClosed)
    expect(one.seen.heads).toEqual([])
  })

  it.each([
    ['says nothing and leaves', '', /^other side closed ECONNRESET$/],
    ['leaves within the head', 'HTTP/1.1 2', /^the connection was closed within the answer$/],
    ['leaves within the body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok', /^the connection was closed within the answer$/],
    ['speaks something else', '220 mail ready\r\n', /begins with "220 mail ready/],
    ['goes to another protocol', 'HTTP/1.1 101 Yes\r\nUpgrade: x\r\n\r\n', /for which nobody had asked$/],
  ])('tells of a target that %s', async (_name, text, why) => {
    await using one = await site(isLent)
    one.ask()
    one.target.end(text)
    await one.ended()
    expect(one.seen.ends).toEqual([expect.stringMatching(why)])
    expect(one.seen.idle).toBe(0)
  })

  it('reads until the target closes where it says no length', async () => {
    await using one = await site(isLent)
    one.ask()
    one.target.end('HTTP/1.1 200 OK\r\n\r\nall of it')
    await one.ended()
    expect(one.seen).toMatchObject({ ends: ['whole '], body: 'all of it', idle: 0 })
  })

  it('waits for an answer as long as it is told, from when the request was sent', async () => {
    await using one = await site(isLent)
    const body = new PassThrough()
    one.ask({ method: 'POST', body, contentLength: 5, headMs: 1_000 })
    body.write('hel')
    await one.clock.advance(5_000)
    expect(one.seen.ends).toEqual([])
    body.end('lo')
    await until(() => one.seen.got.endsWith('hello'))
    await one.clock.advance(1_000)
    expect(one.seen.ends).toEqual(['no answer within 1000 ms ETIMEDOUT'])
  })

  it('sends a body without a length in chunks, and fields after it', async () => {
    await using one = await site(isLent)
    const body = new PassThrough()
    one.ask({ method: 'POST', body })
    body.write('hello')
    await until(() => one.seen.got.includes('hello'))
    body.end('!')
    await until(
      () => one.seen.got.endsWith('5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 5\r\n\r\n'),
      () => one.seen,
    )
  })

  it.each([
    ['long', 'hello!', /longer than its Content-Length/],
    ['short', 'hell', /ended after 4 of 5 bytes/],
  ])('fails where a body is too %s', async (_name, text, why) => {
    await using one = await site(isLent)
    const body = new PassThrough()
    one.ask({ method: 'POST', body, contentLength: 5 })
    body.end(text)
    await one.ended()
    expect(one.seen.ends).toEqual([expect.stringMatching(why)])
    expect(one.connection.isClosed).toBe(true)
  })

  it('takes an answer that comes before the body is sent, and is not asked again', async () => {
    await using one = await site(isLent)
    const body = new PassThrough()
    one.ask({ method: 'POST', body, contentLength: 5 })
    one.target.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n')
    await one.ended()
    expect(one.seen).toMatchObject({ ends: ['whole '], idle: 0 })
    expect(one.connection.isClosed).toBe(true)
    body.end('hello')
  })

  it.each(['100', 'nothing'])('sends a body that waits for leave after %s', async said => {
    await using one = await site(isLent)
    const body = new PassThrough()
    one.ask({ method: 'POST', body, contentLength: 5, expectsContinue: true })
    body.end('hello')
    await until(() => one.seen.got.endsWith('\r\n\r\n'))
    await one.clock.advance(999)
    expect(one.seen.continued).toBe(0)
    if (said === '100') one.target.write('HTTP/1.1 100 Continue\r\n\r\n')
    else await one.clock.advance(1)
    await until(() => one.seen.got.endsWith('hello'))
    expect(one.seen.continued).toBe(1)
    one.target.write(ok)
    await one.ended()
    expect(one.seen).toMatchObject({ ends: ['whole '], idle: 1 })
  })

  it('holds the target back while nobody takes', async () => {
    await using one = await site(isLent)
    one.seen.takes = false
    one.ask()
    const whole = 64 * 1024 * 1024
    one.target.write(`HTTP/1.1 200 OK\r\nContent-Length: ${whole}\r\n\r\n`)
    one.target.write(Buffer.alloc(whole))
    await until(() => one.seen.body.length > 0)
    const taken = one.seen.body.length
    for (let turn = 0; turn < 200; turn++) await new Promise<void>(resolve => setImmediate(resolve))
    expect(one.seen.body.length).toBe(taken)
    expect(one.target.writableLength).toBeGreaterThan(0)
    one.connection.resume()
    await until(() => one.seen.body.length > taken)
  })

  it('hands itself over to another protocol with what came behind the head', async () => {
    await using one = await site(isLent)
    one.ask({ isUpgrade: true })
    one.target.write('HTTP/1.1 101 Yes\r\nUpgrade: x\r\n\r\nearly')
    await one.ended()
    expect(one.seen).toMatchObject({ ends: ['upgraded'], first: 'early', closed: 1 })
  })

  it('sends no request of which two could be made', async () => {
    await using one = await site(isLent)
    expect(() => one.ask({ headers: ['Host', 'a', 'X', 'b\r\nY: c'] })).toThrow('a value of X has a line end')
  })
})
