// Snapshots of several volumes at one point in time: over the wire, before folders, and written to at each moment.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { quiet } from '../src/capabilities/nfs/files/testdata/trees.ts'
import { fingerprint } from '../src/capabilities/nfs/files/tree/fingerprint.ts'
import { beside, groupSnapshotId, ids, isGroup, serviceOf, snapshotsOf, volumes, type Workers } from './nfs-groups-site.ts'
import { InProcessSite } from './nfs-played-site.ts'

const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())

const flags = ['--group-snapshots', '--list-shares=nas:/export']

describe.skipIf(process.platform !== 'linux')('a group of snapshots', () => {
  test('is of ordinary snapshots, told alike by who asks again, and goes as a whole', async () => {
    using site = new InProcessSite()
    const share = volumes(site)
    await using service = serviceOf(site, workers)
    const made = await service.create()
    expect(made).toMatchObject({
      groupSnapshotId,
      isReadyToUse: true,
      snapshots: ids.map(sourceVolumeId => ({ sourceVolumeId, groupSnapshotId, isReadyToUse: true })),
    })
    expect(service.machine.commands.filter(command => / -o rw,actimeo=0$/.test(command))).toHaveLength(1)
    expect(beside(share)).toEqual(['.ballast-groups', expect.stringMatching(isGroup), expect.stringMatching(isGroup)])
    appendFileSync(join(share, 'pvc-1', 'data', 'file'), ' later')
    expect(await service.create([...ids].reverse())).toEqual(made)
    expect(await service.get()).toEqual(made)
    await using driver = await site.start(flags, workers)
    const { client } = driver
    const { response } = await client.ask('GetVolumeGroupSnapshot', { groupSnapshotId })
    const snapshotIds = snapshotsOf(made) as readonly string[]
    expect(response).toMatchObject({ groupSnapshot: { groupSnapshotId, readyToUse: true } })
    const listed = await client.ask('ListSnapshots', {})
    expect(JSON.stringify(listed.response).split(groupSnapshotId)).toHaveLength(3)
    const [snapshotId = ''] = snapshotIds
    expect((await client.ask('GetSnapshot', { snapshotId })).response).toMatchObject({ snapshot: { groupSnapshotId } })
    expect(await client.ask('DeleteSnapshot', { snapshotId })).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`part of the group ${groupSnapshotId}`),
    })
    const restored = {
      name: 'pvc-3',
      volumeCapabilities: [{ mount: {}, accessMode: { mode: 'MULTI_NODE_MULTI_WRITER' } }],
      parameters: { server: 'nas', share: '/export' },
      volumeContentSource: { snapshot: { snapshotId } },
    }
    expect(await client.ask('CreateVolume', restored)).toMatchObject({ code: 'OK' })
    expect(readFileSync(join(share, 'pvc-3', 'data', 'file'), 'utf8')).toBe('of pvc-1')
    expect(await client.ask('DeleteVolumeGroupSnapshot', { groupSnapshotId, snapshotIds: [snapshotId] })).toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    for (let time = 0; time < 2; time++)
      expect(await client.ask('DeleteVolumeGroupSnapshot', { groupSnapshotId, snapshotIds })).toMatchObject({ code: 'OK' })
    expect(beside(share)).toEqual([])
    expect(await client.ask('GetVolumeGroupSnapshot', { groupSnapshotId })).toMatchObject({ code: 'NOT_FOUND' })
  })

  // biome-ignore format: a table
  test.each<[name: string, sources: readonly string[], group: string, parameters: Readonly<Record<string, string>>, answer: RegExp]>([
    ['no name',                        ids,                             '',          {},                 /^INVALID_ARGUMENT .*name must be provided/],
    ['a name that is a path',          ids,                             'a/b',       {},                 /^INVALID_ARGUMENT invalid name "a\/b"/],
    ['a name that divides identifiers', ids,                            'a#b',       {},                 /^INVALID_ARGUMENT invalid name/],
    ['a name that is too long',        ids,                             'x'.repeat(129), {},             /^INVALID_ARGUMENT .* found 129/],
    ['no volumes',                     [],                              'g-1',       {},                 /^INVALID_ARGUMENT .*volume IDs/],
    ['a volume twice',                 ['nas#export#pvc-1##', 'nas#export#pvc-1##'], 'g-1', {},          /^INVALID_ARGUMENT a volume is named twice/],
    ['too many volumes',               Array.from({ length: 101 }, (_, n) => `nas#export#v${n}##`), 'g-1', {}, /^INVALID_ARGUMENT .* at most 100 volumes, found 101/],
    ['what is no identifier',          ['nothing'],                     'g-1',       {},                 /^NOT_FOUND source volume nothing/],
    ['a folder that is not there',     ['nas#export#pvc-9##'],          'g-1',       {},                 /^NOT_FOUND .* has no folder pvc-9/],
    ['a whole share',                  ['nas#export##pvc-1#'],          'g-1',       {},                 /^FAILED_PRECONDITION .* whole share/],
    ['volumes on two shares',          ['nas#export#pvc-1##', 'nas#other#pvc-1##'], 'g-1', {},            /^FAILED_PRECONDITION .* lie on two shares/],
    ['a parameter that nobody knows',  ids,                             'g-1',       { size: '1' },      /^NOT_FOUND .*"size"/],
  ])('is refused for %s, and nothing is left', async (_, sources, name, parameters, answer) => {
    using site = new InProcessSite()
    const share = volumes(site)
    await using service = serviceOf(site, workers)
    expect(await service.create(sources, name, parameters)).toMatch(answer)
    expect(beside(share)).toEqual([])
  })

  test('may have its archives on a share that the class names, of volumes anywhere', async () => {
    using site = new InProcessSite()
    volumes(site)
    mkdirSync(join(site.addShare('nas', 'other'), 'pvc-1'))
    const archives = site.addShare('vault', 'archives')
    await using service = serviceOf(site, workers)
    const made = await service.create(['nas#export#pvc-1##', 'nas#other#pvc-1##'], 'g-1', { server: 'vault', share: '/archives' })
    expect(made).toMatchObject({ groupSnapshotId: 'vault#archives#g-1#group' })
    expect(beside(archives)).toHaveLength(3)
  })

  test('of the same name and other volumes is refused; a broken record is told', async () => {
    using site = new InProcessSite()
    const share = volumes(site)
    await using service = serviceOf(site, workers)
    expect(await service.create(ids.slice(0, 1))).toMatchObject({ groupSnapshotId })
    expect(await service.create()).toMatch(/^ALREADY_EXISTS group g-1 exists of other volumes: nas#export#pvc-1##/)
    expect(await service.get(groupSnapshotId, ['nas#export#x#x#y'])).toMatch(/^INVALID_ARGUMENT/)
    expect(await service.get('')).toMatch(/^INVALID_ARGUMENT/)
    expect(await service.get('nas#export#g-2#group')).toMatch(/^NOT_FOUND/)
    expect(await service.get('nas#export#g-1')).toMatch(/^NOT_FOUND .* none of this driver/)
    expect(await service.remove('')).toMatch(/^INVALID_ARGUMENT/)
    expect(await service.remove('nothing')).toBeUndefined()
    rmSync(join(share, beside(share)[1] ?? ''), { recursive: true })
    expect(await service.get()).toMatch(/^NOT_FOUND snapshot .* is not there any more/)
    writeFileSync(join(share, '.ballast-groups', 'g-1.group'), '{"members":[]}')
    expect(await service.get()).toMatch(/^INTERNAL .*g-1.group on server nas is no record of a group/)
  })

  // biome-ignore format: a table
  test.each<[name: string, write: (share: string) => void]>([
    ['content of the same length', share => writeFileSync(join(share, 'pvc-2/data/file'), 'ZZ pvc-2')],
    ['content, with its time set back', share => { appendFileSync(join(share, 'pvc-2/data/file'), 'x'); utimesSync(join(share, 'pvc-2/data/file'), 1, 1) }],
    ['a new file',                 share => writeFileSync(join(share, 'pvc-2/data/new'), '')],
    ['a file that is gone',        share => rmSync(join(share, 'pvc-2/data/file'))],
  ])('is not made where %s came while it was packed: nothing is kept, and the next try makes it', async (_, write) => {
    using site = new InProcessSite()
    const share = volumes(site)
    let left = 1
    const writing: Workers = {
      run: async (work, options) => {
        const result = await workers.run(work, options)
        // After the first look, and before the second.
        if (work.kind === 'pack' && left-- > 0) write(share)
        return result
      },
    }
    await using service = serviceOf(site, writing)
    // What is written from now on has another time, by the coarsest clock of a kernel.
    await systemClock.after(20)
    expect(await service.create()).toMatch(/^ABORTED volume nas#export#pvc-2## was written to while its group was packed/)
    expect(beside(share)).toEqual([])
    expect(await service.create()).toMatchObject({ groupSnapshotId })
  })

  test('is not made of what was written within a tick of a clock', async () => {
    using site = new InProcessSite()
    const share = volumes(site)
    await using driver = await site.start(flags, workers)
    expect(await driver.client.ask('CreateVolumeGroupSnapshot', { name: 'g-1', sourceVolumeIds: ids })).toMatchObject({
      code: 'ABORTED',
      message: expect.stringContaining('was written to within the last 2000 ms'),
    })
    expect(beside(share)).toEqual([])
  })

  test('takes away what another call left a day ago, and nothing younger', async () => {
    using site = new InProcessSite()
    const share = volumes(site)
    for (const name of ['old', 'young', 'made'])
      mkdirSync(join(share, '.ballast-groups', `${name}.packing`, 'x'), { recursive: true })
    writeFileSync(join(share, '.ballast-groups', 'made.group'), 'whatever')
    const yesterday = (systemClock.now() - 25 * 3_600_000) / 1_000
    for (const name of ['old', 'made']) utimesSync(join(share, '.ballast-groups', `${name}.packing`), yesterday, yesterday)
    await using service = serviceOf(site, workers)
    expect(await service.create()).toMatchObject({ groupSnapshotId })
    expect(readdirSync(join(share, '.ballast-groups')).sort()).toEqual([
      'g-1.group',
      'made.group',
      'made.packing',
      'young.packing',
    ])
  })

  test('is told of one only where the driver is to know groups', async () => {
    using site = new InProcessSite()
    volumes(site)
    await using driver = await site.start([], workers)
    expect((await driver.client.ask('GroupControllerGetCapabilities', {})).code).toBe('UNIMPLEMENTED')
    expect(JSON.stringify((await driver.client.ask('GetPluginCapabilities', {})).response)).not.toContain('GROUP')
    await using knowing = await site.start(flags, workers)
    expect((await knowing.client.ask('GroupControllerGetCapabilities', {})).response).toEqual({
      capabilities: [{ rpc: { type: 'CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT' } }],
    })
    expect(JSON.stringify((await knowing.client.ask('GetPluginCapabilities', {})).response)).toContain('GROUP_CONTROLLER_SERVICE')
  })
})

describe.skipIf(process.platform !== 'linux')('two looks at a tree', () => {
  test('say the same where nothing was written, whatever was read, and know when something was', async () => {
    using site = new InProcessSite()
    const root = volumes(site)
    const look = () => fingerprint({ kind: 'fingerprint', root, path: 'pvc-1' }, quiet())
    const first = await look()
    readFileSync(join(root, 'pvc-1/data/file'))
    readdirSync(join(root, 'pvc-1'))
    const second = await look()
    expect(second.digest).toBe(first.digest)
    expect(second.serverMs).toBeGreaterThanOrEqual(first.serverMs)
    expect(first.changedMs).toBeLessThanOrEqual(first.serverMs)
    expect(beside(root)).toEqual([])
  })
})
