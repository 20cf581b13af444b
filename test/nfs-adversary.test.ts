// A share of test/nfs-adversary.deep.test.ts: hostile values wherever a driver is told something.
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { faultsAt, places } from './nfs-adversary.ts'
import { hostileValues } from './nfs-adversary-values.ts'
import { InProcessSite } from './nfs-played-site.ts'

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

  test('finds nothing of a Secret in errors and logs', async () => {
    using site = new InProcessSite()
    site.addShare('nas', 'export')
    const told: string[] = []
    const note = (facts: object, message: string) => void told.push(`${message} ${JSON.stringify(facts)}`)
    await using driver = await site.start(['--group-snapshots', '--modify-volumes', '--attach-volumes=n1'], workers, {
      ...{ debug: note, info: note, warn: note, error: note },
    })
    const volumeId = 'nas#export#pvc-1##'
    // Alone by \`mount\`, in an order of its own by \`mount.nfs\`, and refused before either.
    for (const mountOptions of ['hunter2=a', 'ro,clientaddr=hunter2,rw', 'hunter2\n'])
      for (const [call, request] of [
        ['DeleteVolume', { volumeId }],
        ['CreateSnapshot', { name: 's', sourceVolumeId: volumeId }],
        ['DeleteSnapshot', { snapshotId: 'nas#export#s#s#pvc-1' }],
        ['ControllerModifyVolume', { volumeId, mutableParameters: { mountPermissions: '0770' } }],
        ['ControllerUnpublishVolume', { volumeId, nodeId: 'n1' }],
        ['CreateVolumeGroupSnapshot', { name: 'g', sourceVolumeIds: [volumeId] }],
      ] as const) {
        const { code, message } = await driver.client.ask(call, { ...request, secrets: { mountOptions } })
        expect([code === 'OK', message]).toEqual([false, expect.stringContaining('***stripped***')])
        told.push(message)
      }
    expect(told.filter(line => line.includes('hunter2'))).toEqual([])
  })
})
