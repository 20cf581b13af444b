// What the driver tells of its shares: volumes, snapshots and room, as they are on the servers. Pages hold whatever comes and goes between them.

import { mkdirSync, rmdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { KnownPlaces } from '../src/capabilities/nfs/driver/volume-place.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { quiet, Scratch } from '../src/capabilities/nfs/files/testdata/trees.ts'
import { survey } from '../src/capabilities/nfs/files/tree/survey.ts'
import { knownShares, knownVolumes } from '../src/capabilities/nfs/watched-facts.ts'
import type { CsiCall } from './csi-wire.ts'
import { InProcessSite } from './nfs-played-site.ts'
import type { PlayedDriver } from './nfs-player.ts'

const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())

interface Listed {
  readonly entries?: readonly {
    readonly volume?: { readonly volumeId: string }
    readonly snapshot?: Readonly<Record<string, unknown>>
  }[]
  readonly nextToken?: string
}

async function listed(driver: PlayedDriver, call: CsiCall, request: Readonly<Record<string, unknown>> = {}) {
  const { code, response } = await driver.client.ask(call, request)
  const { entries = [], nextToken } = (response ?? {}) as Listed
  return { code, ids: entries.map(({ volume, snapshot }) => volume?.volumeId ?? snapshot?.['snapshotId']), nextToken, entries }
}

/** All pages of at most `maxEntries`, and how many there were. */
async function pages(driver: PlayedDriver, call: CsiCall, maxEntries: number, between: () => void = () => undefined) {
  const found: unknown[] = []
  let startingToken = ''
  for (let count = 1; ; count++) {
    const { code, ids, nextToken = '' } = await listed(driver, call, { maxEntries, startingToken })
    if (code !== 'OK' || ids.length > maxEntries) throw new Error(`${code} ${ids.length}`)
    found.push(...ids)
    if (nextToken === '') return { found, count }
    startingToken = nextToken
    between()
  }
}

const started = async (site: InProcessSite, ...flags: readonly string[]) => await site.start(flags, workers)
const listing = '--list-shares=candlekeep:/kubernetes,candlekeep:/'

describe.skipIf(process.platform !== 'linux')('a driver that lists', () => {
  test('tells volumes and snapshots by their folders, and what is neither not', async () => {
    using site = new InProcessSite()
    const share = site.addShare('candlekeep', 'kubernetes')
    await using driver = await started(site, '--list-shares=candlekeep:/kubernetes')
    for (const folder of ['pvc-b', 'pvc-a', 'archived-pvc-c', '.hidden', 'lost+found', 'has#hash', 'has\nnewline', 'snapshot-2'])
      mkdirSync(join(share, folder))
    writeFileSync(join(share, 'a-file'), '')
    symlinkSync('/etc', join(share, 'a-link'))
    mkdirSync(join(share, 'snapshot-1'))
    writeFileSync(join(share, 'snapshot-1/pvc-a.tar.gz'), 'archive')
    utimesSync(join(share, 'snapshot-1/pvc-a.tar.gz'), 1_000, 1_000)
    expect((await listed(driver, 'ListVolumes')).ids).toEqual([
      'candlekeep#kubernetes#pvc-a##',
      'candlekeep#kubernetes#pvc-b##',
      'candlekeep#kubernetes#snapshot-2##',
    ])
    const snapshot = {
      snapshotId: 'candlekeep#kubernetes#snapshot-1#snapshot-1#pvc-a',
      sourceVolumeId: 'candlekeep#kubernetes#pvc-a##',
      sizeBytes: 7,
      creationTime: { seconds: 1_000 },
      readyToUse: true,
    }
    expect((await listed(driver, 'ListSnapshots')).entries).toEqual([{ snapshot }])
    const { snapshotId } = snapshot
    expect((await driver.client.ask('GetSnapshot', { snapshotId })).response).toEqual({ snapshot })
    const of = async (request: object) => (await listed(driver, 'ListSnapshots', { ...request })).ids
    expect(await of({ snapshotId })).toEqual([snapshotId])
    // What becomes of the volume may stand in its identifier.
    expect(await of({ sourceVolumeId: 'candlekeep#kubernetes#pvc-a##retain' })).toEqual([snapshotId])
    expect(await of({ sourceVolumeId: 'candlekeep#kubernetes#pvc-b##' })).toEqual([])
    expect(await of({ snapshotId, sourceVolumeId: 'candlekeep#kubernetes#pvc-b##' })).toEqual([])
  })

  // biome-ignore format: a table
  test.each<[string, CsiCall, object, string]>([
    ['a token that is none',           'ListVolumes',   { startingToken: 'invalid-token' },                       'ABORTED'],
    ['a token of another shape',       'ListSnapshots', { startingToken: Buffer.from('[1]').toString('base64') }, 'ABORTED'],
    ['fewer than no entries',          'ListVolumes',   { maxEntries: -1 },                                       'INVALID_ARGUMENT'],
    ['a snapshot that is not there',   'GetSnapshot',   { snapshotId: 'candlekeep#kubernetes#s#s#v' },            'NOT_FOUND'],
    ['a snapshot that can be none',    'GetSnapshot',   { snapshotId: 'x' },                                      'NOT_FOUND'],
    ['a snapshot out of the share',    'GetSnapshot',   { snapshotId: 'candlekeep#kubernetes#../s#../s#v' },      'NOT_FOUND'],
    ['no snapshot',                    'GetSnapshot',   {},                                                       'INVALID_ARGUMENT'],
    ['room of an option for a server', 'GetCapacity',   { parameters: { server: '-o x' } },                       'INVALID_ARGUMENT'],
    ['room out of the share',          'GetCapacity',   { parameters: { server: 'candlekeep', share: '/../etc' } }, 'INVALID_ARGUMENT'],
    ['room of a share that is not there', 'GetCapacity', { parameters: { Server: 'candlekeep', Share: '/nowhere' } }, 'INTERNAL'],
  ])('refuses %s', async (_name, call, request, code) => {
    using site = new InProcessSite()
    site.addShare('candlekeep', 'kubernetes')
    await using driver = await started(site, listing)
    expect((await driver.client.ask(call, { ...request })).code).toBe(code)
  })

  test('tells the room of a share, and of blocks that there is none', async () => {
    using site = new InProcessSite()
    site.addShare('candlekeep', 'kubernetes')
    await using driver = await started(site, listing)
    const room = async (request: object) => {
      const { code, response } = await driver.client.ask('GetCapacity', { ...request })
      return [code, Number(response?.['availableCapacity'] ?? 0) > 0]
    }
    const capability = (of: object) => [{ ...of, accessMode: { mode: 'SINGLE_NODE_WRITER' } }]
    expect(await room({ parameters: { server: 'candlekeep', share: '/kubernetes' } })).toEqual(['OK', true])
    expect(await room({})).toEqual(['OK', true])
    expect(await room({ volumeCapabilities: capability({ block: {} }) })).toEqual(['OK', false])
  })

  test('does none of it where it is not told to', async () => {
    using site = new InProcessSite()
    site.addShare('candlekeep', 'kubernetes')
    await using driver = await started(site)
    for (const call of ['ListVolumes', 'ListSnapshots', 'GetSnapshot', 'GetCapacity'] as const)
      expect((await driver.client.ask(call, {})).code).toBe('UNIMPLEMENTED')
  })

  test('refuses to start with what is no share', async () => {
    using site = new InProcessSite()
    await expect(started(site, '--list-shares=candlekeep')).rejects.toThrow('--list-shares: found "candlekeep", expected')
    await expect(started(site, '--list-shares=candlekeep:/a/../b')).rejects.toThrow('--list-shares')
  })

  test('pages over several shares, and what goes meanwhile moves nothing else', async () => {
    using site = new InProcessSite()
    const one = site.addShare('candlekeep', 'a')
    const two = site.addShare('candlekeep', 'b')
    const names = Array.from({ length: 7 }, (_, at) => `v${at}`)
    for (const share of [one, two]) for (const name of names) mkdirSync(join(share, name))
    await using driver = await started(site, '--list-shares=candlekeep:/b,candlekeep:/a')
    const all = [...names.map(name => `candlekeep#a#${name}##`), ...names.map(name => `candlekeep#b#${name}##`)]
    for (const size of [1, 3, 7, 14, 20])
      expect(await pages(driver, 'ListVolumes', size)).toEqual({ found: all, count: Math.ceil(14 / size) })
    // The last one of the first page goes, and one is made that would have come before it.
    const between = () => {
      rmSync(join(one, 'v2'), { recursive: true, force: true })
      mkdirSync(join(one, 'v00'), { recursive: true })
    }
    expect((await pages(driver, 'ListVolumes', 3, between)).found).toEqual(all)
  })
})

describe('places of volumes', () => {
  const pv = (handle: string, of: object = {}) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `of ${handle}` },
    spec: { csi: { driver: 'nfs.csi.k8s.io', volumeHandle: handle, ...of } },
  })
  const storageClass = (provisioner: string, parameters: Readonly<Record<string, string>>) => ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'x' },
    provisioner,
    parameters,
  })

  test('shares are those of classes and volumes of the driver', () => {
    const found = knownShares(
      [
        storageClass('nfs.csi.k8s.io', { Server: 'nas', Share: '/a/' }),
        storageClass('nfs.csi.k8s.io', { server: 'nas' }),
        storageClass('nfs.csi.k8s.io', { server: '-o bad', share: '/x' }),
        storageClass('nfs.csi.k8s.io', { server: 'nas', share: '/a/../b' }),
        storageClass('other', { server: 'nas', share: '/other' }),
      ],
      [pv('nas#a#pvc-1##'), pv('nas#b#pvc-2##'), pv('whatever', { volumeAttributes: { server: 'two', share: '/c' } }), pv('odd')],
      'nfs.csi.k8s.io',
    )
    expect(found.map(({ server, share }) => `${server}:${share}`)).toEqual(['nas:a', 'nas:', 'nas:b', 'two:c'])
  })

  test('a path is a volume, lies above one, in one, or is unknown', () => {
    const inTree = { ...pv('x'), spec: { nfs: { server: 'nas', path: '/old/claim' } } }
    const volumes = [...knownVolumes([pv('nas#a#team/data#pvc-1#'), pv('nas#a#pvc-2##'), inTree], 'nfs.csi.k8s.io')]
    const places = new KnownPlaces(volumes, [{ server: 'nas', share: 'a/inner', options: [] }])
    const at = (path: string) => places.at('nas', path).kind
    expect(['a/pvc-2', 'a/team/data', 'old/claim'].map(at)).toEqual(['volume', 'volume', 'volume'])
    expect(['', 'a', 'a/team', 'a/inner', 'old'].map(at)).toEqual(['above', 'above', 'above', 'above', 'above'])
    expect(['a/pvc-2/x', 'a/team/data/x/y'].map(at)).toEqual(['within', 'within'])
    expect(['a/pvc-3', 'a/inner/x', 'b'].map(at)).toEqual(['unknown', 'unknown', 'unknown'])
    expect(places.at('other', 'a/pvc-2').kind).toBe('unknown')
    expect(places.ofSource('nas', 'pvc-1')?.id).toBe('nas#a#team/data#pvc-1#')
  })
})

describe.skipIf(process.platform !== 'linux')('a share in pieces', () => {
  test('gives each name once, in order, whatever the pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9.~é-]{1,8}$/), { maxLength: 20 }),
        fc.integer({ min: 1, max: 25 }),
        async (names, limit) => {
          using scratch = new Scratch()
          const root = scratch.directory('share')
          for (const name of names.filter(one => !/^\.{1,2}$/.test(one))) mkdirSync(join(root, name))
          const found: string[] = []
          let after: string | undefined
          do {
            const piece = await survey({ kind: 'survey', root, limit, ...(after === undefined ? {} : { after }) }, quiet())
            expect(piece.entries.length).toBeLessThanOrEqual(limit)
            found.push(...piece.entries.map(({ name }) => name))
            after = piece.next
          } while (after !== undefined)
          const bytes = (name: string) => Buffer.from(name).toString('latin1')
          const expected = names.filter(name => !name.startsWith('.')).toSorted((a, b) => (bytes(a) < bytes(b) ? -1 : 1))
          expect(found).toEqual(expected)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('tells archives, what was archived, and what is being removed; names that are no text are counted', async () => {
    using scratch = new Scratch()
    const root = scratch.directory('share')
    const folder = (name: string, ...files: readonly string[]) => {
      mkdirSync(join(root, name))
      for (const file of files) writeFileSync(join(root, name, file), 'x')
    }
    folder('both', 'v.tar', 'v.tar.gz')
    folder('other', 'v.tar', 'w.tar')
    folder('mixed', 'v.tar', 'readme')
    folder('partial', `.ballast-${'0'.repeat(32)}.partial`, 'v.tar.zst')
    folder('only-partial', `.ballast-${'0'.repeat(32)}.partial`)
    folder('archived-v')
    folder('.ballast-removed-archived-v')
    mkdirSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]))
    mkdirSync(join(root, 'folder-archive'))
    mkdirSync(join(root, 'folder-archive/x.tar'))
    symlinkSync('loop', join(root, 'loop'))
    const { entries, unnamed, next } = await survey({ kind: 'survey', root, limit: 100 }, quiet())
    expect(entries.map(({ name, kind, archive }) => [name, kind, archive?.source])).toEqual([
      ['.ballast-removed-archived-v', 'removed', undefined],
      ['archived-v', 'archived', undefined],
      ['both', 'snapshot', 'v'],
      ['folder-archive', 'folder', undefined],
      ['mixed', 'folder', undefined],
      ['only-partial', 'folder', undefined],
      ['other', 'folder', undefined],
      ['partial', 'snapshot', 'v'],
    ])
    expect([unnamed, next]).toEqual([1, undefined])
  })

  test.each([0, 10_001, 1.5, Number.NaN])('refuses to look at %d names', async limit => {
    using scratch = new Scratch()
    await expect(survey({ kind: 'survey', root: scratch.path, limit }, quiet())).rejects.toMatchObject({ code: 'LIMIT' })
  })

  test('goes on after a name that is gone', async () => {
    using scratch = new Scratch()
    const root = scratch.directory('share')
    for (const name of ['a', 'b', 'c']) mkdirSync(join(root, name))
    const first = await survey({ kind: 'survey', root, limit: 2 }, quiet())
    rmdirSync(join(root, 'b'))
    const { entries } = await survey({ kind: 'survey', root, limit: 2, after: first.next ?? '' }, quiet())
    expect(entries.map(({ name }) => name)).toEqual(['c'])
  })
})
