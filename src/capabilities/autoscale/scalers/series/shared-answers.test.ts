// Equal questions are asked once, no answer is heard twice, and nobody who leaves takes the answer of another.
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { opened, signal, type Texts } from '../testdata/hostile-sources.ts'
import { openedTrigger, scalerWorld } from '../testdata/scaler-world.ts'
import { saying, sourceServer } from '../testdata/source-server.ts'
import { sharedReading } from './shared-answers.ts'

function questions() {
  const clock = new VirtualClock(0)
  const world = scalerWorld({ clock })
  const asked: { answer: (value: number) => void; fail: (error: Error) => void; signal: AbortSignal }[] = []
  const trigger = (metadata: Texts, auth: Texts = {}) =>
    sharedReading(openedTrigger('prometheus', metadata, { auth }), world, signal => {
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      asked.push({ answer: resolve, fail: reject, signal })
      return promise
    })
  return { clock, asked, trigger }
}

describe('what is asked once', () => {
  test('while it is asked, and five seconds after its answer', async () => {
    const { clock, asked, trigger } = questions()
    const [one, two, three, four] = [0, 1, 2, 3].map(threshold => trigger({ query: 'q', threshold: String(threshold) }))
    const both = Promise.all([one?.(signal), two?.(signal)])
    asked[0]?.answer(7)
    expect(await both).toEqual([7, 7])
    await clock.advance(4_999)
    expect(await three?.(signal)).toBe(7)
    await clock.advance(1)
    const late = four?.(signal)
    asked[1]?.answer(8)
    expect([await late, asked.length]).toEqual([8, 2])
  })

  test('a trigger that asks again is answered anew, and so are the others then', async () => {
    const { asked, trigger } = questions()
    const [one, two] = [trigger({ query: 'q' }), trigger({ query: 'q' })]
    const first = one(signal)
    asked[0]?.answer(1)
    await first
    const second = one(signal)
    asked[1]?.answer(2)
    expect([await first, await second, await two(signal), asked.length]).toEqual([1, 2, 2, 2])
  })

  test.each<[string, Texts, Texts]>([
    ['another query', { query: 'other' }, {}],
    ['another server', { query: 'q', serverAddress: 'http://b' }, {}],
    ['another login', { query: 'q' }, { token: 'b' }],
  ])('%s is another question', async (_name, metadata, auth) => {
    const { asked, trigger } = questions()
    void trigger({ query: 'q' })(signal)
    void trigger(metadata, auth)(signal)
    expect(asked).toHaveLength(2)
  })
})

describe('whoever leaves', () => {
  test('leaves the others their answer', async () => {
    const { asked, trigger } = questions()
    const stop = new AbortController()
    const left = trigger({ query: 'q' })(stop.signal)
    const stays = trigger({ query: 'q' })(signal)
    stop.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    expect(asked[0]?.signal.aborted).toBe(false)
    asked[0]?.answer(3)
    expect(await stays).toBe(3)
  })

  test('last, ends the question, and the next asks anew', async () => {
    const { asked, trigger } = questions()
    const stop = new AbortController()
    const left = trigger({ query: 'q' })(stop.signal)
    stop.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    expect(asked[0]?.signal.aborted).toBe(true)
    asked[0]?.fail(new Error('aborted'))
    const next = trigger({ query: 'q' })(signal)
    asked[1]?.answer(4)
    expect(await next).toBe(4)
  })
})

test('an error is told to those who wait, and kept for nobody', async () => {
  const { asked, trigger } = questions()
  const both = Promise.allSettled([trigger({ query: 'q' })(signal), trigger({ query: 'q' })(signal)])
  asked[0]?.fail(new Error('no answer'))
  expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  const next = trigger({ query: 'q' })(signal)
  asked[1]?.answer(5)
  expect(await next).toBe(5)
})

test.each<[string, Texts, string]>([
  ['prometheus', { query: 'up' }, '{"data":{"resultType":"vector","result":[{"value":[1,"7"]}]}}'],
  ['loki', { query: 'up' }, '{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"7"]}]}}'],
  ['graphite', { query: 'up', queryTime: '-5minutes' }, '[{"datapoints":[[7,1]]}]'],
])('three triggers of %s with one query', async (type, metadata, body) => {
  await using source = await sourceServer(saying(body))
  await using world = scalerWorld()
  const read = async (threshold: string) => {
    await using scaler = await opened(type, { ...metadata, serverAddress: source.url, threshold }, {}, world)
    const { values, isActive } = await scaler.read('m', signal)
    return [values[0]?.value, isActive]
  }
  expect([await read('1'), await read('2'), await read('3')]).toEqual(new Array(3).fill([7, true]))
  expect(source.asked).toHaveLength(1)
})
