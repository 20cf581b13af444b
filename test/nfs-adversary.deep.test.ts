// Hostile values wherever a driver is told a server, a path, an identifier or an option: each at each place. Nothing is mounted, made or deleted beside what is asked for,
// no option comes that nobody asked for, and who is refused is told which word is wrong.
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { faultsAt, places } from './nfs-adversary.ts'

const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())

describe.skipIf(process.platform !== 'linux')('what is written by who means ill', () => {
  test.each(places.map(place => [place.name, place] as const))('%s', async (_name, place) => {
    expect(await faultsAt(place, workers)).toEqual([])
  })
})
