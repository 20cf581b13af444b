import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { Uids } from './uids.ts'

const pods = [
  ['pods', 'media', 'sonarr-a'],
  ['pods', 'media', 'sonarr-b'],
  ['reviews', undefined, 'sonarr-a'],
] as const
const made = (seed: number, subjects: readonly (readonly (string | undefined)[])[]) => {
  const uids = new Uids({ seed, clock: new VirtualClock(0) })
  return new Map(subjects.map(subject => [subject.join('/'), uids.fresh(...subject)]))
}

test('who comes first in an instant does not change the UIDs; another seed does', () => {
  const forward = made(7, pods)
  expect(made(7, pods.toReversed())).toEqual(forward)
  for (const uid of forward.values()) expect(uid).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  expect(new Set([...forward.values(), ...made(8, pods).values()]).size).toBe(6)
})

test('made anew at the same instant, or by a twin of the same seed whose dump was loaded, it has another', async () => {
  const clock = new VirtualClock(0)
  const uids = new Uids({ seed: 7, clock })
  const first = uids.fresh('pods', 'media', 'sonarr')
  const loaded = new Uids({ seed: 7, clock })
  loaded.loaded.add(first)
  const second = uids.fresh('pods', 'media', 'sonarr')
  expect(second).not.toBe(first)
  expect(loaded.fresh('pods', 'media', 'sonarr')).toBe(second)
  await clock.advance(1)
  expect(new Set([first, second, uids.fresh('pods', 'media', 'sonarr')]).size).toBe(3)
})
