// The operator ended before and after each of its writes in the life of a ScaledObject and of a ScaledJob.
import { describe, expect, test } from 'vitest'
import { jobLife, type Life, objectLife } from './autoscale-lives.ts'
import type { EndAt } from './autoscale-site.ts'

/** More than a life has: which of them come to pass is said by the life itself. */
const lives: readonly (readonly [string, (end?: EndAt) => Promise<Life>, least: number])[] = [
  ['a ScaledObject', objectLife, 15],
  ['a ScaledJob', jobLife, 12],
]

for (const [name, live, least] of lives)
  describe(name, async () => {
    const { writes, seen } = await live()
    test('has as many writes as it takes', () => expect(writes.length).toBeGreaterThan(least))
    // Looks that only tell the time of the last activity come again and again.
    const told = writes.flatMap((write, index) => (writes.indexOf(write) >= index - 4 ? [{ write, index }] : []))
    for (const { write, index } of told)
      for (const moment of ['before', 'after'] as const)
        test(`${moment} write ${index + 1}, ${write}`, async () => {
          expect((await live({ write: index + 1, moment })).seen).toEqual(seen)
        })
  })
