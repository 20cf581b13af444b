// Receivers that mean no good: what becomes of their events, and that nobody else waits.
import type { RequestListener } from 'node:http'
import { expect, test, vi } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { Outgoing } from '../scalers/outgoing.ts'
import { scalerWorld } from '../scalers/testdata/scaler-world.ts'
import { saying, sourceServer } from '../scalers/testdata/source-server.ts'
import type { Notice } from './cloud-event.ts'
import { Sink } from './sink.ts'

const notice = (name: string): Notice => ({
  ...{ type: 'keda.scaledobject.ready.v1', namespace: 'media', kind: 'ScaledObject', name, id: name },
  ...{ reason: 'ScaledObjectReady', message: 'ready', atMs: 0 },
})

interface Tried extends AsyncDisposable {
  readonly sink: Sink
  readonly states: string[]
  /** Lets the back-offs pass until so many attempts were made. */
  attempts(count: number): Promise<void>
}

function tried(uri: string, outgoing: Outgoing): Tried {
  const clock = new VirtualClock(0)
  const states: string[] = []
  const place = { cluster: 'homelab', namespace: 'keda' }
  const http = outgoing.http({})
  const sink = new Sink({
    ...{ uri, place, http, clock },
    onSent: (_one, state) => states.push(state),
    onChange: () => undefined,
  })
  return {
    sink,
    states,
    attempts: count =>
      vi.waitFor(async () => {
        await clock.advance(60_000)
        expect(states.length).toBeGreaterThanOrEqual(count)
      }),
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  }
}

test('an event is sent once, and answers of 2xx are enough', async () => {
  await using source = await sourceServer(saying('<html>thanks</html>', 'text/html'))
  await using world = scalerWorld()
  await using one = tried(`${source.url}/hook?token=x`, world.outgoing)
  one.sink.offer(notice('web'))
  await one.attempts(1)
  expect(source.asked.map(({ path, headers, body }) => [path, headers['ce-subject'], headers['content-type'], body])).toEqual([
    ['/hook?token=x', '/homelab/media/scaledobject/web', 'application/json', '{"reason":"ScaledObjectReady","message":"ready"}'],
  ])
  expect([one.sink.failure, one.sink.dropped, one.states]).toEqual([undefined, 0, ['emitted']])
})

// biome-ignore format: a table
const hostile: readonly [string, RequestListener, RegExp][] = [
  ['an error', saying('no', 'text/plain', 500), /status 500/],
  ['a refusal', saying('no', 'text/html', 404), /status 404/],
  ['an end', (_request, response) => void response.destroy(), /other side|ECONNRESET|closed/],
  ['silence', () => undefined, /no answer in 0.05 s/],
  ['a redirect to a page', (_request, response) => void response.writeHead(302, { location: '/login' }).end(), /redirects with status 302/],
  ['a redirect to data of a cloud', (_request, response) => void response.writeHead(307, { location: 'http://169.254.169.254/' }).end(), /another server/],
  ['a redirect for ever', (_request, response) => void response.writeHead(308, { location: '/again' }).end(), /redirects with status 308/],
]

test.each(hostile)(
  '%s is tried six times, then dropped and said; the next event is tried all the same',
  async (_name, answer, why) => {
    const now = { answer }
    await using source = await sourceServer((request, response) => now.answer(request, response))
    await using world = scalerWorld({ timeoutMs: 50 })
    await using one = tried(source.url, world.outgoing)
    one.sink.offer(notice('web'))
    await one.attempts(6)
    await vi.waitFor(() => expect(one.sink.dropped).toBe(1))
    expect(one.states).toEqual(Array.from({ length: 6 }, () => 'failed'))
    expect(one.sink.failure).toMatch(why)
    now.answer = saying('')
    one.sink.offer(notice('api'))
    await one.attempts(7)
    expect([one.sink.failure, one.sink.dropped, one.states.at(-1)]).toEqual([undefined, 1, 'emitted'])
  },
  20_000,
)

test('a redirect that keeps the event is followed on its server', async () => {
  await using source = await sourceServer((request, response) =>
    request.url === '/' ? void response.writeHead(308, { location: '/hook' }).end() : void response.writeHead(202).end(),
  )
  await using world = scalerWorld()
  await using one = tried(source.url, world.outgoing)
  one.sink.offer(notice('web'))
  await one.attempts(1)
  expect(source.asked.map(({ path, body }) => [path, body.length > 0])).toEqual([
    ['/', true],
    ['/hook', true],
  ])
  expect(one.states).toEqual(['emitted'])
})

test('a flood for an answer is cut', async () => {
  await using source = await sourceServer((_request, response) => {
    response.writeHead(200)
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    }
    response.on('drain', more)
    more()
  })
  await using world = scalerWorld()
  await using one = tried(source.url, world.outgoing)
  one.sink.offer(notice('web'))
  await one.attempts(1)
  expect(one.states).toEqual(['emitted'])
})

test('what is beyond the queue is dropped, and the others wait for nobody', async () => {
  await using silent = await sourceServer(() => undefined)
  await using well = await sourceServer(saying(''))
  await using world = scalerWorld({ timeoutMs: 60_000 })
  await using full = tried(silent.url, world.outgoing)
  await using other = tried(well.url, world.outgoing)
  for (let index = 0; index < 1_100; index++) full.sink.offer(notice(`n${index}`))
  other.sink.offer(notice('web'))
  await other.attempts(1)
  // Two are under way, and 1,024 wait.
  expect([full.sink.queued, full.sink.dropped]).toEqual([1_024, 74])
  expect(full.sink.failure).toMatch(/more than 1024 events wait/)
  expect(other.states).toEqual(['emitted'])
})

test('an address that no trigger reaches is reached by no event either', async () => {
  await using source = await sourceServer(saying(''))
  await using world = scalerWorld({ allowed: [] })
  await using one = tried(source.url, world.outgoing)
  one.sink.offer(notice('web'))
  await one.attempts(6)
  expect(source.asked).toEqual([])
  expect(one.sink.failure).toMatch(/127\.0\.0\.1/)
})
