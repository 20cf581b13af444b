import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { loadRequest, WarmModels } from './warm-model.ts'

interface Endpoint {
  readonly authority: string
}

const a = { authority: '10.0.0.1:11434' }
const b = { authority: '10.0.0.2:11434' }
const route = 'llm/ollama'

function models() {
  const clock = new VirtualClock(0)
  const asked: { endpoint: Endpoint; body: string; signal: AbortSignal; answer: PromiseWithResolvers<number> }[] = []
  const warmed: string[] = []
  const told: string[] = []
  const models = new WarmModels<Endpoint>({
    clock,
    log: { ...silentLog, info: (_facts, message) => told.push(message), warn: ({ why }) => told.push(String(why)) },
    onWarm: one => warmed.push(one),
    ask: (endpoint, { body }, signal) => {
      const answer = Promise.withResolvers<number>()
      signal.addEventListener('abort', () => answer.reject(signal.reason))
      asked.push({ endpoint, body, signal, answer })
      return answer.promise
    },
  })
  return { clock, models, asked, warmed, told }
}

test('the request loads the model and keeps it, and says nothing', () => {
  expect(loadRequest('gpt-oss:20b "ü"')).toEqual({
    method: 'POST',
    path: '/api/generate',
    headers: ['Content-Type', 'application/json', 'Content-Length', '46'],
    body: '{"model":"gpt-oss:20b \\"ü\\"","keep_alive":-1}',
  })
})

test('each endpoint is asked once, and gets requests when it has answered', async () => {
  const { clock, models: warm, asked, warmed, told } = models()
  expect(warm.warm(route, 'm', [a])).toEqual([])
  expect(warm.warm(route, 'm', [a, b])).toEqual([])
  expect(warm.warm(route, 'm', [a, b])).toEqual([])
  expect(asked.map(({ endpoint }) => endpoint)).toEqual([a, b])
  expect(warm.loading(route)).toBe(2)
  asked[1]?.answer.resolve(200)
  await clock.quiet()
  expect(warm.warm(route, 'm', [a, b])).toEqual([b])
  expect(warmed).toEqual([route])
  expect(told).toEqual(['a model is loaded'])
  asked[0]?.answer.resolve(404)
  await clock.quiet()
  expect(warm.warm(route, 'm', [a, b])).toEqual([a, b])
  expect(told).toEqual(['a model is loaded', 'the answer was 404'])
  expect(clock.pending).toBe(0)
})

test('after 120 s it gets requests, loaded or not', async () => {
  const { clock, models: warm, asked, warmed, told } = models()
  warm.warm(route, 'm', [a])
  await clock.advance(119_999)
  expect(warm.warm(route, 'm', [a])).toEqual([])
  await clock.advance(1)
  expect(warm.warm(route, 'm', [a])).toEqual([a])
  expect(warmed).toEqual([route])
  expect(asked[0]?.signal.aborted).toBe(true)
  expect(told).toEqual(['no answer within 120 s'])
})

test('one that could not be reached is asked again, within the same time', async () => {
  const { clock, models: warm, asked } = models()
  warm.warm(route, 'm', [a])
  for (let at = 0; at < 3; at++) {
    asked[at]?.answer.reject(new Error('connect ECONNREFUSED'))
    await clock.advance(1_000)
    expect(asked).toHaveLength(at + 2)
  }
  await clock.advance(117_000)
  expect(warm.warm(route, 'm', [a])).toEqual([a])
  expect(asked).toHaveLength(4)
  expect(clock.pending).toBe(0)
})

test('one that went and came back has an empty memory, and so has one that is to have another model', async () => {
  const { clock, models: warm, asked, warmed } = models()
  warm.warm(route, 'm', [a])
  asked[0]?.answer.resolve(200)
  await clock.quiet()
  expect(warm.warm(route, 'm', [])).toEqual([])
  expect(warm.warm(route, 'm', [a])).toEqual([])
  expect(asked).toHaveLength(2)
  expect(warm.warm(route, 'n', [a])).toEqual([])
  expect(asked[1]?.signal.aborted).toBe(true)
  expect(asked[2]?.body).toBe('{"model":"n","keep_alive":-1}')
  warm.forget(route)
  await clock.quiet()
  expect(asked[2]?.signal.aborted).toBe(true)
  expect(warmed).toEqual([route])
  expect(clock.pending).toBe(0)
})
