import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { systemClock, VirtualClock } from '../../clock.ts'
import { type Log, silentLog } from '../../log.ts'
import { Front } from './front.ts'
import type { FrontSpec } from './front-messages.ts'
import { countTurnedAway } from './front-metrics.ts'
import { loopFront } from './loop-front.ts'

const spec: FrontSpec = {
  name: 'a',
  port: 0,
  host: '127.0.0.1',
  connections: 10,
  quietMs: 100_000,
  headMs: 10_000,
  probes: { '/livez': 'live', '/readyz': 'ready' },
}

async function get(port: number, path = '/'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })
  return `${response.status} ${await response.text()}`
}

test('a thread that ends is started again on the same port, and that is logged', async () => {
  const said: string[] = []
  const log: Log = { ...silentLog, error: (_facts, message) => said.push(message) }
  const started: Worker[] = []
  const onWorker = (worker: Worker) => started.push(worker)
  process.on('worker', onWorker)
  try {
    await using front = new Front({ clock: systemClock, log })
    await using listener = await front.listen(spec, () => ({ status: 200, headers: {}, body: 'here' }))
    expect(await get(listener.port)).toBe('200 here')
    await started[0]?.terminate()
    await expect.poll(() => get(listener.port).catch(String)).toBe('200 here')
    expect(started).toHaveLength(2)
    expect(said).toEqual(['the thread of public listeners ended, and is started again'])
  } finally {
    process.off('worker', onWorker)
  }
})

test('its end waits for the thread, and a listener that is closed answers what is asked', async () => {
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  const front = new Front({ clock: systemClock, log: silentLog })
  const listener = await front.listen(spec, async () => {
    asked.resolve()
    await answer.promise
    return { status: 200, headers: {}, body: 'late' }
  })
  const quiet = connect(listener.port, '127.0.0.1')
  await once(quiet, 'connect')
  const got = get(listener.port)
  await asked.promise
  const closed = listener[Symbol.asyncDispose]()
  answer.resolve()
  expect(await got).toBe('200 late')
  await closed
  // Nobody keeps it open by doing nothing.
  quiet.destroy()
  expect(await get(listener.port).catch(() => 'nobody')).toBe('nobody')
  await front[Symbol.asyncDispose]()
})

test.each(['thread', 'loop'] as const)(
  '%s: requests that wait are answered together, never with those that show something else',
  async kind => {
    const thread = new Front({ clock: systemClock, log: silentLog })
    await using stack = new AsyncDisposableStack()
    stack.use(thread)
    const front = kind === 'thread' ? thread : loopFront({ clock: systemClock, log: silentLog })
    const asked: string[] = []
    const listener = stack.use(
      await front.listen({ ...spec, isGuarded: true }, ({ authorization = 'nothing' }) => {
        asked.push(authorization)
        // It costs so much that the next ones wait, and may join each other.
        const untilMs = systemClock.elapsed() + 30
        while (asked.length === 1 && systemClock.elapsed() < untilMs);
        return { status: 200, headers: {}, body: authorization }
      }),
    )
    const saying = async (authorization?: string) =>
      (
        await fetch(`http://127.0.0.1:${listener.port}/`, { headers: authorization === undefined ? {} : { authorization } })
      ).text()
    expect(await saying('first')).toBe('first')
    expect(await Promise.all([saying('one'), saying('two'), saying(), saying('one'), saying('one')])).toEqual([
      'one',
      'two',
      'nothing',
      'one',
      'one',
    ])
    // Who shows the same is still answered together.
    expect(asked.length).toBeLessThan(6)
  },
)

test('a listener that is not guarded hands no credentials on', async () => {
  await using front = new Front({ clock: systemClock, log: silentLog })
  await using listener = await front.listen(spec, call => ({ status: 200, headers: {}, body: String('authorization' in call) }))
  const response = await fetch(`http://127.0.0.1:${listener.port}/`, { headers: { authorization: 'Bearer a' } })
  expect(await response.text()).toBe('false')
})

test('an address that is taken is refused with its code, and a certificate that is none as well', async () => {
  await using front = new Front({ clock: systemClock, log: silentLog })
  await using listener = await front.listen(spec, () => ({ status: 200, headers: {}, body: '' }))
  const { port } = listener
  await expect(front.listen({ ...spec, port }, () => ({ status: 200, headers: {}, body: '' }))).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
  await expect(
    front.listen({ ...spec, tls: { certificate: 'a', key: 'b' } }, () => ({ status: 200, headers: {}, body: '' })),
  ).rejects.toThrow()
})

test.each(['in a thread', 'on the loop'])('%s a handler that fails is 500 for who asked, and logged', async where => {
  const said: unknown[] = []
  const log: Log = { ...silentLog, error: facts => said.push(facts['err']) }
  await using apart = new Front({ clock: systemClock, log })
  const front = where === 'in a thread' ? apart : loopFront({ clock: systemClock, log })
  await using listener = await front.listen(spec, ({ url }) => {
    if (url === '/sync') throw new Error('sync')
    return Promise.reject(new Error('async'))
  })
  expect([await get(listener.port, '/sync'), await get(listener.port)]).toEqual(['500 internal error\n', '500 internal error\n'])
  expect(said).toEqual(['sync', 'async'])
})

test.each(['in a thread', 'on the loop'])('%s what is turned away is counted by listener and reason', async where => {
  const metrics = new Registry()
  const around = { clock: systemClock, log: silentLog, onTurnedAway: countTurnedAway(metrics) }
  await using apart = new Front(around)
  const front = where === 'in a thread' ? apart : loopFront(around)
  const body = { mostBytes: 8, json: { deepest: 4, mostValues: 100 } }
  await using listener = await front.listen({ ...spec, body }, () => ({ status: 200, headers: {}, body: '' }))
  for (let n = 0; n < 3; n++) await fetch(`http://127.0.0.1:${listener.port}/`, { method: 'POST', body: '{"long": "text"}' })
  // A thread tells it every ten seconds.
  await expect
    .poll(() => metrics.metrics(), { timeout: 60_000 })
    .toContain('ballast_listener_turned_away_total{listener="a",why="body"} 3')
})

/** Asks from another thread, while this one does nothing until all is answered: `GET` of each path, after so many milliseconds. */
async function askedWhileStill(port: number, asks: readonly (readonly [path: string, afterMs: number])[]): Promise<unknown> {
  const done = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(join(import.meta.dirname, 'testdata', 'asks-process.ts'), {
    workerData: { port, asks, done },
    execArgv: [],
  })
  await once(worker, 'message')
  const answers = once(worker, 'message')
  Atomics.wait(done, 0, 0, longestMs)
  const [answered]: readonly unknown[] = await answers
  return answered
}

/** Against hanging only. */
const longestMs = 120_000

test('while the main loop does nothing, probes are answered: live as long as it may turn again, ready by what was last said', async () => {
  await using front = new Front({ clock: systemClock, log: silentLog })
  await using listener = await front.listen(spec, ({ url }) => ({ status: 200, headers: {}, body: `main ${url}` }))
  expect(await get(listener.port, '/readyz')).toBe('200 main /readyz')
  const answers = await askedWhileStill(listener.port, [
    ['/livez', 0],
    ['/readyz', 0],
    ['/livez', 12_500],
    ['/readyz', 12_500],
  ])
  expect(answers).toEqual([
    '200 ok\n',
    '200 main /readyz',
    expect.stringMatching(/^500 \[-\]event-loop failed: no turn for 1\d s\n$/),
    expect.stringMatching(/^500 \[-\]event-loop failed: no turn for 1\d s\n$/),
  ])
  expect(await get(listener.port, '/livez')).toBe('200 main /livez')
})

test('a thread that hangs is ended, and closing ends', async () => {
  const clock = new VirtualClock(0)
  const hung = Promise.withResolvers<void>()
  const log: Log = { ...silentLog, warn: () => hung.resolve() }
  const front = new Front({ clock, log, program: join(import.meta.dirname, 'testdata', 'hangs-process.ts') })
  const listener = await front.listen(spec, () => ({ status: 200, headers: {}, body: '' }))
  const closed = listener[Symbol.asyncDispose]()
  await hung.promise
  await clock.advance(15_000)
  await closed
  await front[Symbol.asyncDispose]()
})
