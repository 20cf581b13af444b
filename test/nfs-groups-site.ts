// Volumes that are snapshotted in a group, and the service that does it, before folders.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { GroupService } from '../src/capabilities/nfs/driver/groups/group-service.ts'
import { ShareFiles } from '../src/capabilities/nfs/driver/share-files.ts'
import type { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { Mounter } from '../src/capabilities/nfs/mounts/mounter.ts'
import { SharedMounts } from '../src/capabilities/nfs/mounts/shared-mounts.ts'
import { FakeMachine } from '../src/capabilities/nfs/testdata/fake-machine.ts'
import type { InProcessSite } from './nfs-played-site.ts'

export type Workers = Pick<FileWorkers, 'run'>
export const ids = ['nas#export#pvc-1##', 'nas#export#pvc-2##']
export const groupSnapshotId = 'nas#export#g-1#group'

export function volumes(site: InProcessSite) {
  const share = site.addShare('nas', 'export')
  for (const name of ['pvc-1', 'pvc-2']) {
    mkdirSync(join(share, name, 'data'), { recursive: true })
    writeFileSync(join(share, name, 'data', 'file'), `of ${name}`)
  }
  return share
}

/** The service itself, where what was written a moment ago is no matter: file systems here count in less. */
export function serviceOf(site: InProcessSite, from: Workers) {
  const directory = join(site.root, 'service')
  mkdirSync(directory, { recursive: true })
  const machine = new FakeMachine({ root: site.exports, below: join(site.root, 'below-service'), clock: systemClock })
  const mounter = new Mounter({ run: machine.run, table: machine.table, clock: systemClock })
  const shares = new SharedMounts({ mounter, directory, clock: systemClock, log: silentLog, spoils: () => false })
  const settings = { compression: 'none', useTarProgram: false } as const
  const options = { settings, shares, files: new ShareFiles(from, systemClock), clock: systemClock, log: silentLog, tickMs: 0 }
  const service = new GroupService(options)
  const create = async (
    sourceVolumeIds: readonly string[] = ids,
    name = 'g-1',
    parameters: Readonly<Record<string, string>> = {},
  ) =>
    await told(() =>
      service.create({ name, sourceVolumeIds, secrets: new Map(), parameters: new Map(Object.entries(parameters)) }),
    )
  const get = (id = groupSnapshotId, snapshotIds: readonly string[] = []) =>
    told(() => service.get({ groupSnapshotId: id, snapshotIds, secrets: new Map() }))
  const remove = (id = groupSnapshotId, snapshotIds: readonly string[] = []) =>
    told(async () => service.delete({ groupSnapshotId: id, snapshotIds, secrets: new Map() }))
  return { create, get, remove, machine, [Symbol.asyncDispose]: () => shares[Symbol.asyncDispose]() }
}

/** What came, or the code and the words of the refusal. */
async function told<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work()
  } catch (error) {
    return `${status[Object(error).code] ?? error} ${Object(error).message}`
  }
}

export const snapshotsOf = (answer: unknown) =>
  typeof answer === 'string' || answer === undefined
    ? answer
    : (answer as { readonly snapshots: readonly { readonly snapshotId: string }[] }).snapshots.map(({ snapshotId }) => snapshotId)

/** What a share has beside the volumes, those of a driver's own folders too. */
export const beside = (share: string): readonly string[] =>
  readdirSync(share)
    .filter(name => !/^pvc-\d$/.test(name))
    .sort()

export const isGroup = /^g-1-[0-9a-f]{12}$/
