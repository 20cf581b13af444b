// A share of test/nfs-adversary.deep.test.ts: hostile values wherever a driver is told something.
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { faultsAt, places } from './nfs-adversary.ts'
import { hostileValues } from './nfs-adversary-values.ts'

const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())

/** Each value comes at several places. */
const oneIn = 20

describe.skipIf(process.platform !== 'linux')('what is written by who means ill', () => {
  test('leads nobody out of the share, loses nothing, and is told', async () => {
    for (const [at, place] of places.entries()) {
      const values = hostileValues.filter((_, index) => (index + at) % oneIn === 0)
      expect([place.name, ...(await faultsAt(place, workers, values))]).toEqual([place.name])
    }
  })
})
