// What `ballast migrate plan reloader` names before a start is what that start rolls out: many seeded clusters, of which `npm test` has two.
import { expect, test } from 'vitest'
import { playedStarts } from './first-rollouts.ts'

test('what is named is what rolls, at first starts and at later ones', async () => {
  let rolled = 0
  let spared = 0
  for (let seed = 3; seed <= 42; seed++)
    for (const start of await playedStarts(seed)) {
      expect(start.named, `seed ${seed}`).toEqual(start.rolled)
      rolled += start.rolled.length
      spared += 10 - start.rolled.length
    }
  expect(Math.min(rolled, spared)).toBeGreaterThan(50)
})
