// Growing that is held to something, by the service itself: the room is that of this machine's file system.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { FileWorkers } from '../files/file-workers.ts'
import { Scratch } from '../files/testdata/trees.ts'
import { Mounter } from '../mounts/mounter.ts'
import { SharedMounts } from '../mounts/shared-mounts.ts'
import { FakeMachine } from '../testdata/fake-machine.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import { ControllerService } from './controller-service.ts'
import { type ExpansionLimits, unlimited } from './expansion.ts'
import { ShareFiles } from './share-files.ts'

const GiB = 2n ** 30n

describe.skipIf(process.platform !== 'linux')('a volume that grows', () => {
  const scratch = new Scratch()
  const workers = new FileWorkers({ clock: systemClock })
  const machine = new FakeMachine({ root: join(scratch.path, 'servers'), below: join(scratch.path, 'below'), clock: systemClock })
  const directory = join(scratch.path, 'work')
  const mounter = new Mounter({ run: machine.run, table: machine.table, clock: systemClock })
  const shares = new SharedMounts({ mounter, directory, clock: systemClock, log: silentLog, spoils: () => false })
  beforeAll(() => {
    machine.share('nas', 'export')
    mkdirSync(directory)
  })
  afterAll(async () => {
    await shares[Symbol.asyncDispose]()
    await workers[Symbol.asyncDispose]()
    scratch[Symbol.dispose]()
  })

  const ids = ['nas#export#a##', 'nas#export#b##']
  const facts: ClusterFacts = {
    claim: async () => undefined,
    mountOptions: () => undefined,
    attributes: () => undefined,
    volumesAt: () => [],
    capacity: id => (ids.includes(id) ? GiB : undefined),
    neighbours: id => ({ namespace: 'media', others: ids.filter(one => one !== id).map(one => ({ id: one, bytes: GiB })) }),
  }
  function grower(expansion: ExpansionLimits) {
    const settings = {
      mountPermissions: 0,
      defaultOnDelete: '',
      existingArchive: 'refuse',
      useTarProgram: false,
      compression: 'gzip',
      lists: false,
      modifies: false,
      nodeExpands: false,
      groups: false,
    } as const
    const service = new ControllerService({
      settings: { ...settings, expansion },
      shares,
      files: new ShareFiles(workers, systemClock),
      log: silentLog,
      facts,
    })
    return async (volumeId: string, requiredBytes: bigint) => {
      try {
        const { capacityBytes } = await service.expandVolume({
          volumeId,
          capacityRange: { requiredBytes, limitBytes: 0n },
          secrets: new Map(),
          volumeCapability: undefined,
        })
        return capacityBytes
      } catch (error) {
        return `${Object(error).code}: ${Object(error).message}`
      }
    }
  }

  test('has what it asks for where nothing is set, and nothing is mounted for it', async () => {
    expect(await grower(unlimited)('nas#export#a##', 2n ** 62n)).toBe(2n ** 62n)
    expect(machine.commands).toEqual([])
  })

  test('is refused what its share has no room for', async () => {
    const grow = grower({ needsRoom: true, mostPerNamespace: undefined })
    expect(await grow('nas#export#a##', 2n ** 62n)).toMatch(
      /^11: volume nas#export#a## cannot grow: \d+ bytes are added, and its share has \d+ left/,
    )
    expect(await grow('nas#export#a##', GiB + 4_096n)).toBe(GiB + 4_096n)
    // What it has already is not asked of the share again.
    expect(await grow('nas#export#a##', GiB)).toBe(GiB)
    expect(await grow('nothing', GiB)).toMatch(/^5: /)
  })

  test('is refused what its namespace may not have, also where two grow at once', async () => {
    const grow = grower({ needsRoom: true, mostPerNamespace: 2n * GiB + 8_192n })
    const both = await Promise.all(ids.map(id => grow(id, GiB + 8_192n)))
    expect(both.filter(one => one === GiB + 8_192n)).toHaveLength(1)
    expect(both.filter(one => String(one).includes('the volumes of namespace media would have'))).toHaveLength(1)
  })
})
