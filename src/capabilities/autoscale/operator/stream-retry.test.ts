import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { followStream } from './stream-retry.ts'

/** One stream: what it brings, and whether it breaks after that. */
type Story = readonly [brings: readonly number[], end: 'breaks' | 'ends']

/** Plays the streams one after the other, the last ever again. @returns seconds at which each was opened, and what was handed on */
async function play(stories: readonly Story[], untilMs = 400_000) {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  const opened: number[] = []
  const taken: number[] = []
  async function* stream([brings, end]: Story): AsyncGenerator<number> {
    yield* brings
    if (end === 'breaks') throw new Error('it broke')
  }
  const open = () => {
    const story = stories[Math.min(opened.length, stories.length - 1)]
    opened.push(clock.elapsed() / 1_000)
    return story === undefined ? undefined : stream(story)
  }
  const around = { clock, log: silentLog, key: 'default/web', index: 0, signal: stop.signal }
  const followed = followStream(open, around, value => taken.push(value))
  await clock.advance(untilMs)
  stop.abort()
  await followed
  return { opened, taken }
}

test('a stream that breaks before it brings anything is opened ever more seldom, a minute apart at most', async () => {
  expect((await play([[[], 'breaks']])).opened).toEqual([0, 2, 6, 14, 30, 62, 122, 182, 242, 302, 362])
})

test('one that brought something before it broke is opened after two seconds, however long others took', async () => {
  const silent: Story = [[], 'breaks']
  const { opened, taken } = await play([silent, silent, silent, [[7], 'breaks'], silent], 60_000)
  expect(opened).toEqual([0, 2, 6, 14, 16, 20, 28, 44])
  expect(taken).toEqual([7])
})

test('one that ends after it brought something is opened again', async () => {
  expect(await play([[[1, 2], 'ends']], 5_000)).toEqual({ opened: [0, 2, 4], taken: [1, 2, 1, 2, 1, 2] })
})

test('where there is no such stream nobody asks again', async () => {
  expect((await play([[[], 'ends']])).opened).toEqual([0])
  expect((await play([])).opened).toEqual([0])
})
