// What the front and nginx say to each other of a request, and which processes are ended for a slow peer.
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { CarriedBody, FoundElsewhere, PeerBodyPlace } from '../contract.ts'
import type { ContentHead } from '../front/answers.ts'
import { digestOf } from '../testdata/memory-store.ts'
import { namedPeer } from '../testdata/named-peer.ts'
import { BodyOrders, lost } from './body-orders.ts'
import { NginxCarrier } from './carrier.ts'

const digest = digestOf('body')
const whole = { sent: 1_000, status: 200, seconds: 1, isComplete: true }
function requestWith(headers: Readonly<Record<string, string>>): IncomingMessage {
  return Object.assign(new IncomingMessage(new Socket()), { headers })
}

const asked = (headers: Readonly<Record<string, string>> = {}) =>
  requestWith({ 'x-ballast-worker': '7', 'x-ballast-remote': '10.0.0.9', ...headers })

/** Less than 100 bytes a second is too slow, after 3 s. */
class Body implements CarriedBody {
  readonly lines: string[] = []
  isTooSlow({ elapsedMs, bytes }: { readonly elapsedMs: number; readonly bytes: number }): boolean {
    return elapsedMs >= 3_000 && bytes * 1_000 < 100 * elapsedMs
  }
  left(): void {
    this.lines.push('left')
  }
  ended({ sent, isComplete }: { readonly sent: number; readonly isComplete: boolean }): void {
    this.lines.push(`ended ${sent} ${isComplete}`)
  }
}

function site(nowMs = 0) {
  const clock = new VirtualClock(nowMs)
  const orders = new BodyOrders(clock)
  const written = new Map<number, number | 'gone'>([
    [7, 0],
    [8, 0],
  ])
  const ended: number[] = []
  const looks: number[] = []
  const heard: (() => void)[] = []
  const warned: string[] = []
  const carrier = new NginxCarrier({
    orders,
    clock,
    log: { ...silentLog, warn: (_fields: object, message: string) => void warned.push(message) },
    hear: () => {
      for (const say of heard.splice(0)) say()
    },
    endWorker: worker => ended.push(worker),
    written: worker => {
      looks.push(worker)
      return written.get(worker)
    },
  })
  onTestFinished(() => carrier[Symbol.dispose]())
  const begin = (over: Partial<PeerBodyPlace> = {}, request = asked(), length: number | 'unknown' = 1_000) => {
    const body = new Body()
    const place: PeerBodyPlace = {
      peer: namedPeer('P1'),
      way: 'http',
      host: '10.0.0.2',
      port: 29_999,
      target: `/v2/a/blobs/${digest}?ns=x.io`,
      range: undefined,
      authorization: undefined,
      begin: () => body,
      ...over,
    }
    const found: Omit<FoundElsewhere, 'outcome'> = {
      place,
      digest,
      mediaType: 'application/x',
      length: length === 'unknown' ? undefined : length,
      attempts: 1,
    }
    const answer = carrier.peer(found, request)
    return { body, answer, number: [...orders.open].at(-1)?.number ?? 0 }
  }
  const file = (over: Partial<ContentHead> = {}, request = asked()) => {
    const headers = {
      'content-type': 'application/x',
      'content-length': 1_000,
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
    }
    return carrier.file('/c/blobs/sha256/ab', { status: 200, length: 1_000, headers, ...over }, request)
  }
  return { warned, looks, clock, orders, written, ended, heard, carrier, begin, file }
}

describe('headers of an answer', () => {
  test('whose body is a file: as the front has it, without a body', () => {
    const { file } = site()
    expect(file().headers).toEqual({
      'content-type': 'application/x',
      'content-length': 0,
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
      'x-accel-redirect': '/-/file/1/c/blobs/sha256/ab',
    })
  })

  test('whose body is a part of a file: nginx obeys the range of the request', () => {
    const { headers } = site().file({ status: 206, length: 10 })
    expect(headers).toMatchObject({ 'content-length': 0, 'x-accel-redirect': '/-/part/1/c/blobs/sha256/ab' })
  })

  test('whose body a peer has', () => {
    expect(site().begin().answer.headers).toEqual({
      'content-type': 'application/x',
      'docker-content-digest': digest,
      'content-length': 0,
      'x-ballast-length': 1_000,
      'x-accel-redirect': `/-/http/1/10.0.0.2:29999/v2/a/blobs/${digest}?ns=x.io`,
    })
  })

  test('of which a peer has a part, and is told more', () => {
    const { headers } = site().begin({ way: 'mtls', host: '[fd00::2]', range: 'bytes=5-', authorization: 'Basic eA==' }).answer
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-ballast-range': 'bytes=5-',
      'x-ballast-authorization': 'Basic eA==',
      'x-accel-redirect': `/-/mtls/1/[fd00::2]:29999/v2/a/blobs/${digest}?ns=x.io`,
    })
  })
})

describe('a request', () => {
  test('comes from whom nginx says', () => {
    const { carrier } = site()
    expect(carrier.remote(asked())).toBe('10.0.0.9')
    expect(carrier.remote(requestWith({}))).toBeUndefined()
  })

  test.each([
    ['came a while ago', '998.500', 1_500],
    ['came just now', '1000.000', 0],
    ['came, as it seems, later than now: a clock was set', '1005.000', 0],
    ['does not say when it came', '', 0],
    ['says it in no number', 'soon', 0],
  ])('that %s waited for so long', (_what, since, expected) => {
    const { carrier } = site(1_000_000)
    expect(carrier.waitedMs(asked({ 'x-ballast-since': since }))).toBe(expected)
  })

  test('that is the first names nobody; one that came again those that failed; after three there is no more', () => {
    const { carrier, begin } = site()
    const next = (number: number, id: string) => begin({ peer: namedPeer(id) }, asked({ 'x-ballast-again': `${number}` })).number
    expect(carrier.failed(asked())).toEqual([])
    const first = begin().number
    expect(carrier.failed(asked({ 'x-ballast-again': `${first}` }))).toEqual(['P1'])
    const second = next(first, 'P2')
    expect(carrier.failed(asked({ 'x-ballast-again': `${second}` }))).toEqual(['P1', 'P2'])
    const third = next(second, 'P3')
    expect(carrier.failed(asked({ 'x-ballast-again': `${third}` }))).toBeUndefined()
  })

  test.each(['', '0', '-1', '1e3', '99999999999', '1 '])('of the order %j names nobody', again => {
    expect(site().carrier.failed(asked({ 'x-ballast-again': again }))).toEqual([])
  })

  test('is answered by what nginx has just said', () => {
    const { carrier, heard, begin, orders } = site()
    const { number } = begin()
    heard.push(() => orders.end(number, whole))
    carrier.failed(asked())
    expect(orders.isIdle).toBe(true)
  })
})

describe('a body of a peer', () => {
  test('ends as nginx says', async () => {
    const { orders, begin } = site()
    const { body, answer, number } = begin()
    orders.end(number, whole)
    expect(await answer.ended).toEqual(whole)
    expect(body.lines).toEqual(['ended 1000 true'])
  })

  test('that comes fast enough is left to come', async () => {
    const { clock, written, ended, begin } = site()
    const { body } = begin()
    for (let second = 1; second <= 6; second++) {
      written.set(7, second * 110)
      await clock.advance(1_000)
    }
    expect([ended, body.lines]).toEqual([[], []])
  })

  test('that is too slow ends its process, once, and no other', async () => {
    const { clock, written, ended, begin, file } = site()
    const slow = begin()
    const beside = file()
    const other = begin({}, asked({ 'x-ballast-worker': '8' }))
    for (let second = 1; second <= 8; second++) {
      written.set(8, second * 500)
      // The process takes its time to end.
      await clock.advance(1_000)
    }
    expect(ended).toEqual([7])
    expect([slow.body.lines, other.body.lines]).toEqual([['left', 'ended 0 false'], []])
    expect(await beside.ended).toEqual(lost)
  })

  test('is not too slow for what its process writes for others, since that is not told apart', async () => {
    const { clock, written, ended, begin } = site()
    begin()
    for (let second = 1; second <= 6; second++) {
      written.set(7, second * 10_000)
      await clock.advance(1_000)
    }
    expect(ended).toEqual([])
  })

  test('that may be whole beside what its process writes for others is not judged, and after a minute nobody waits for word of it', async () => {
    const { clock, written, ended, begin, orders } = site()
    const { body } = begin()
    written.set(7, 5_000)
    await clock.advance(60_000)
    expect([ended, body.lines]).toEqual([[], []])
    await clock.advance(1_000)
    expect([ended, body.lines, orders.isIdle]).toEqual([[], ['ended 0 false'], true])
  })

  test('whose length is not known is judged by its latest seconds, not by what was written for others before', async () => {
    const { clock, written, ended, begin } = site()
    const { body } = begin({}, asked(), 'unknown')
    written.set(7, 1_000_000)
    await clock.advance(12_000)
    expect([ended, body.lines]).toEqual([[], []])
    await clock.advance(3_000)
    expect([ended, body.lines]).toEqual([[7], ['left', 'ended 0 false']])
  })

  test('costs no look at its process where another began a moment ago', async () => {
    const { clock, begin, looks } = site()
    for (let body = 0; body < 20; body++) begin()
    expect(looks).toEqual([7])
    await clock.advance(3_000)
    expect(looks).toEqual([7, 7, 7, 7])
  })

  test('two that are slow in one process end it once', async () => {
    const { clock, ended, begin } = site()
    const both = [begin(), begin()]
    await clock.advance(5_000)
    expect(ended).toEqual([7])
    expect(both.map(({ body }) => body.lines[0])).toEqual(['left', 'left'])
  })

  test('of a process that is not known is not judged', async () => {
    const { clock, ended, begin } = site()
    begin({}, asked({ 'x-ballast-worker': '' }))
    await clock.advance(20_000)
    expect(ended).toEqual([])
  })

  test('of a process of which the kernel says nothing is judged by its size', async () => {
    const { clock, ended, begin, written } = site()
    written.delete(7)
    begin()
    await clock.advance(10_000)
    expect(ended).toEqual([])
    await clock.advance(1_000)
    expect(ended).toEqual([7])
  })

  test('that was heard to be over is not judged', async () => {
    const { clock, heard, ended, begin, orders } = site()
    const { body, number } = begin()
    await clock.advance(2_500)
    heard.push(() => orders.end(number, whole))
    await clock.advance(2_000)
    expect([ended, body.lines]).toEqual([[], ['ended 1000 true']])
  })
})

test('a file is never judged: who takes it slowly is the client', async () => {
  const { clock, ended, file, orders } = site()
  file()
  await clock.advance(600_000)
  expect([ended, orders.isIdle]).toEqual([[], false])
})

test('a process that vanished ends all that it carried, and nothing of another', async () => {
  const { clock, written, ended: killed, orders, begin, file } = site()
  const answers = [begin().answer, file()]
  begin({}, asked({ 'x-ballast-worker': '8' }), 1e9)
  written.set(8, 1e9)
  written.set(7, 'gone')
  await clock.advance(1_000)
  // Its last words may come still.
  expect([...orders.open]).toHaveLength(3)
  await clock.advance(1_000)
  expect(await Promise.all(answers.map(({ ended }) => ended))).toEqual([lost, lost])
  expect([...orders.open].map(({ worker }) => worker)).toEqual([8])
  // Its number may be that of another process by now.
  expect(killed).toEqual([])
})

test('nothing is looked at while nothing is carried, and again when something is', async () => {
  const { clock, ended, orders, begin } = site()
  const first = begin()
  orders.end(first.number, whole)
  await clock.advance(60_000)
  begin()
  await clock.advance(5_000)
  expect(ended).toEqual([7])
})

test('a process that cannot be seen has not vanished', async () => {
  const { clock, written, orders, file } = site()
  written.delete(7)
  file()
  await clock.advance(600_000)
  expect([...orders.open]).toHaveLength(1)
})

test.each([
  [403, 1],
  [404, 1],
  [416, 0],
  [200, 0],
])('a file that nginx answers with %i is told of %i times in a minute', async (status, times) => {
  const { clock, orders, file, warned } = site()
  for (let turn = 0; turn < 3; turn++) {
    file()
    for (const { number } of [...orders.open]) orders.end(number, { ...whole, status, isComplete: status === 200 })
    await Promise.resolve()
  }
  expect(warned).toHaveLength(times)
  await clock.advance(60_000)
  file()
  for (const { number } of [...orders.open]) orders.end(number, { ...whole, status, isComplete: status === 200 })
  await Promise.resolve()
  expect(warned).toHaveLength(2 * times)
})
