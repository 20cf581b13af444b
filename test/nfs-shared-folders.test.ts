// Volumes of a cluster whose folders are one, or lie in one another: what is deleted, and what is filled, is never another's.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { ControllerService, type ControllerSettings } from '../src/capabilities/nfs/driver/controller-service.ts'
import { unlimited } from '../src/capabilities/nfs/driver/expansion.ts'
import { ShareFiles } from '../src/capabilities/nfs/driver/share-files.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { Mounter } from '../src/capabilities/nfs/mounts/mounter.ts'
import { SharedMounts } from '../src/capabilities/nfs/mounts/shared-mounts.ts'
import { FakeMachine } from '../src/capabilities/nfs/testdata/fake-machine.ts'
import { WatchedFacts } from '../src/capabilities/nfs/watched-facts.ts'
import { alone, jobsSite, volumes } from './nfs-jobs-site.ts'

const driver = 'nfs.csi.k8s.io'
const idOf = (folder: string, uuid: string, onDelete = '') => `nas#export#${folder}#${uuid}#${onDelete}`
const settings: ControllerSettings = {
  mountPermissions: 0,
  defaultOnDelete: '',
  existingArchive: 'refuse',
  useTarProgram: false,
  compression: 'none',
  lists: false,
  modifies: false,
  nodeExpands: false,
  groups: false,
  expansion: unlimited,
}

function pv(name: string, source: object): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteMany'],
      persistentVolumeReclaimPolicy: 'Delete',
      ...source,
    },
  }
}
const ofDriver = (name: string, volumeHandle: string) => pv(name, { csi: { driver, volumeHandle } })

/** The service beside a twin that has these volumes, of which the first is released. */
async function siteOf(objects: readonly KubeObject[]) {
  const stack = new AsyncDisposableStack()
  const site = stack.use(await jobsSite({ config: alone, objects }))
  const stop = new AbortController()
  const api = openApi(site.adminTransport(), { clock: site.clock, userAgent: 'facts' })
  const informers = new Informers(api, { clock: site.clock, random: seededRandom(1), log: silentLog, signal: stop.signal })
  stack.defer(async () => {
    stop.abort()
    await informers[Symbol.asyncDispose]()
  })
  const facts = new WatchedFacts(api, informers, driver, stop.signal)
  const [first] = objects
  if (first !== undefined)
    await site.change(volumes, first.metadata.name, { status: { phase: 'Released' } }, { subresource: 'status' })
  await site.until(() => facts.volumesAt('nas', 'export').length === objects.length)
  const { driver: fake } = site
  const root = join(fake.folder, 'servers')
  const machine = new FakeMachine({ root, below: join(fake.folder, 'below'), clock: systemClock })
  const directory = join(fake.folder, 'work')
  mkdirSync(directory)
  const mounter = new Mounter({ run: machine.run, table: machine.table, clock: systemClock })
  const shares = stack.use(new SharedMounts({ mounter, directory, clock: systemClock, log: silentLog, spoils: () => false }))
  const workers = stack.use(new FileWorkers({ clock: systemClock }))
  const service = new ControllerService({ settings, shares, files: new ShareFiles(workers, systemClock), log: silentLog, facts })
  const share = machine.share('nas', 'export')
  for (const folder of ['all/inner', 'source']) mkdirSync(join(share, folder), { recursive: true })
  writeFileSync(join(share, 'all', 'inner', 'data'), 'kept')
  writeFileSync(join(share, 'source', 'data'), 'of the source')
  const remove = async (volumeId: string) => {
    try {
      await service.deleteVolume({ volumeId, secrets: new Map() })
    } catch (error) {
      return String(Object(error).message)
    }
    return existsSync(join(share, 'all')) ? 'kept' : 'gone'
  }
  return { service, share, remove, site, facts, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const first = idOf('all', 'a')

// biome-ignore format: a table
test.each<[name: string, other: KubeObject | undefined, outcome: RegExp]>([
  ['alone',                                undefined,                                              /^gone$/],
  ['that is another one’s, too',           ofDriver('b', idOf('all', 'b')),                        /^kept$/],
  ['that has another object, too',         ofDriver('b', first),                                   /^kept$/],
  ['in which another one lies',            ofDriver('b', idOf('all/inner', 'b')),                  /^volume .* has volume nas#export#all\/inner#b# in its folder: nothing is deleted/],
  ['in which one of another share lies',   ofDriver('b', 'nas#export/all#inner#b#'),               /has volume nas#export\/all#inner#b# in its folder/],
  ['that is mounted without a driver',     pv('b', { nfs: { server: 'nas', path: '/export/all' } }), /^kept$/],
  ['beside another one',                   ofDriver('b', idOf('all-else', 'b')),                   /^gone$/],
])('a released volume %s', async (_, other, outcome) => {
  await using place = await siteOf([ofDriver('a', first), ...(other === undefined ? [] : [other])])
  expect(await place.remove(first)).toMatch(outcome)
})

test('the last of them takes the folder along', async () => {
  const second = idOf('all', 'b')
  await using place = await siteOf([ofDriver('a', first), ofDriver('b', second)])
  expect(await place.remove(first)).toBe('kept')
  await place.site.delete(volumes, 'a')
  await place.site.change(volumes, 'b', { status: { phase: 'Released' } }, { subresource: 'status' })
  await place.site.until(() => place.facts.volumesAt('nas', 'export').every(({ isReleased }) => isReleased))
  expect(await place.remove(second)).toBe('gone')
})

test('nothing is put into a folder that another volume has, nor again into one that the cluster has', async () => {
  await using place = await siteOf([
    ofDriver('a', idOf('other', 'a')),
    ofDriver('b', idOf('all', 'b')),
    ofDriver('c', idOf('own', 'c')),
  ])
  const create = (name: string, subDir: string) =>
    place.service.createVolume({
      name,
      capacityRange: undefined,
      volumeCapabilities: [
        { block: undefined, mount: { fsType: '', mountFlags: [], volumeMountGroup: '' }, accessMode: { mode: 5 } },
      ],
      parameters: new Map(Object.entries({ server: 'nas', share: '/export', subDir })),
      secrets: new Map(),
      contentSource: { snapshot: undefined, volume: { volumeId: 'nas#export#source##' } },
      mutableParameters: new Map(),
    })
  await expect(create('n', 'all')).rejects.toThrow(
    'the folder all is that of volume nas#export#all#b#, or has it in it: nothing is put into it',
  )
  expect(existsSync(join(place.share, 'all', 'data'))).toBe(false)
  // A process before this one made it, and somebody may have written to it.
  await create('c', 'own')
  expect(existsSync(join(place.share, 'own', 'data'))).toBe(false)
  await create('d', 'new')
  expect(existsSync(join(place.share, 'new', 'data'))).toBe(true)
})
