import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { SearchPlaces } from './search-places.ts'

function site() {
  const clock = new VirtualClock(0)
  const places = new SearchPlaces({ clock, most: 2, waitMs: 1_000 })
  const lines: string[] = []
  const held = new Map<string, Disposable>()
  const ask = async (name: string) => {
    const place = await places.take()
    lines.push(`${name} ${place === undefined ? 'is turned away' : 'searches'}`)
    if (place !== undefined) held.set(name, place)
  }
  const give = async (name: string) => {
    held.get(name)?.[Symbol.dispose]()
    await clock.advance(0)
  }
  return { clock, lines, ask, give }
}

test('as many as there are places search at once; the next ones follow as they came', async () => {
  const { clock, lines, ask, give } = site()
  for (const name of ['a', 'b', 'c', 'd']) void ask(name)
  await clock.advance(999)
  expect(lines).toEqual(['a searches', 'b searches'])
  await give('b')
  await give('b')
  expect(lines.slice(2)).toEqual(['c searches'])
  await give('a')
  expect(lines.slice(3)).toEqual(['d searches'])
})

test('who waits too long is turned away, and later ones later', async () => {
  const { clock, lines, ask, give } = site()
  for (const name of ['a', 'b', 'c']) void ask(name)
  await clock.advance(600)
  void ask('d')
  await clock.advance(400)
  expect(lines.slice(2)).toEqual(['c is turned away'])
  await clock.advance(599)
  await give('a')
  expect(lines.slice(3)).toEqual(['d searches'])
  void ask('e')
  await clock.advance(1_000)
  expect(lines.slice(4)).toEqual(['e is turned away'])
})

test('a place that becomes free late is for one that still waits in time', async () => {
  // Time jumps, as it does for a process that gets no processor: its timer has not run yet.
  const scheduled: (() => void)[] = []
  let nowMs = 0
  const clock = {
    elapsed: () => nowMs,
    schedule: (_ms: number, act: () => void) => {
      scheduled.push(act)
      return () => undefined
    },
  }
  const places = new SearchPlaces({ clock, most: 1, waitMs: 1_000 })
  const first = await places.take()
  const late = places.take()
  nowMs = 800
  const inTime = places.take()
  nowMs = 1_500
  first?.[Symbol.dispose]()
  expect(await late).toBeUndefined()
  expect(await inTime).toBeDefined()
  expect(scheduled).toHaveLength(1)
})
