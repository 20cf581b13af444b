// Directories of volumes: made, removed, archived, listed, counted, swept. What is expected is the state of the tree afterwards.
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { Progress } from '../progress.ts'
import { partialName } from '../tar/archive-names.ts'
import { isRoot, makeTree, quiet, Scratch, toldTree } from '../testdata/trees.ts'
import { archiveTree } from './archive-tree.ts'
import { copyTree } from './copy-tree.ts'
import { list, stat, statfs } from './look.ts'
import { makeDirectory } from './make-directory.ts'
import { removeTree } from './remove-tree.ts'
import { sweep } from './sweep.ts'
import { usage } from './usage.ts'

describe.skipIf(process.platform !== 'linux')('on a share', () => {
  let scratch: Scratch
  let root: string
  let outside: string

  beforeEach(() => {
    scratch = new Scratch()
    root = scratch.directory('share')
    outside = scratch.directory('outside')
    writeFileSync(join(outside, 'precious'), 'kept')
  })
  afterEach(() => scratch[Symbol.dispose]())

  const names = (path = '') => readdirSync(join(root, path)).toSorted()
  const file = (path: string, content = '') => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  const make = (path: string, mode?: number) =>
    makeDirectory({ kind: 'makeDirectory', root, path, ...(mode === undefined ? {} : { mode }) })
  const remove = (path: string) => removeTree({ kind: 'removeTree', root, path }, quiet())
  const archive = (path: string, replaces: 'refuse' | 'remove' | 'number' = 'refuse') =>
    archiveTree({ kind: 'archiveTree', root, path, replaces }, quiet())
  const isKept = () => expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('kept')

  describe('a directory is made', () => {
    test('with those above it, and again without a change (case 2)', () => {
      expect(make('media/plex')).toEqual({ made: true })
      expect(make('media/plex')).toEqual({ made: false })
      expect(lstatSync(join(root, 'media/plex')).mode & 0o7777).toBe(0o777 & ~process.umask())
    })

    test('with all twelve bits, and no other directory gets them (case 10)', () => {
      const before = lstatSync(root).mode
      expect(make('a/b', 0o2770)).toEqual({ made: true })
      expect(lstatSync(join(root, 'a/b')).mode & 0o7777).toBe(0o2770)
      expect(lstatSync(join(root, 'a')).mode & 0o7777).toBe(0o777 & ~process.umask())
      expect(lstatSync(root).mode).toBe(before)
    })

    test('on a link within the share', () => {
      mkdirSync(join(root, 'real'))
      symlinkSync('real', join(root, 'alias'))
      make('alias/a')
      expect(names('real')).toEqual(['a'])
    })

    // biome-ignore format: a table
    test.each([
      ['an absolute link',         () => outside],
      ['a relative link',          () => '../outside'],
    ])('not by %s that leads out of the share', (_name, target) => {
      symlinkSync(target(), join(root, 'a'))
      expect(() => make('a/b')).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }))
      expect(() => make('a')).toThrow('is a link that leads out of')
      expect(readdirSync(outside)).toEqual(['precious'])
    })

    test('not in a file', () => {
      file('a')
      expect(() => make('a/b')).toThrow(expect.objectContaining({ code: 'ENOTDIR', path: join(root, 'a') }))
    })

    test.each([-1, 0o10000, 1.5])('not with the mode %s', mode => {
      expect(() => make('a', mode)).toThrow('expected a whole number from 0 to 07777')
      expect(names()).toEqual([])
    })

    test('not below a root that is no absolute path', () => {
      expect(() => makeDirectory({ kind: 'makeDirectory', root: 'share', path: 'a' })).toThrow('expected an absolute path')
    })
  })

  describe('a tree is removed', () => {
    test('with directories above it that are empty then, and the root stays (case 18)', async () => {
      file('a/b/c/d/file')
      expect(await remove('a/b/c')).toEqual({ entries: 3, parents: 2 })
      expect(names()).toEqual([])
    })

    test('and what has something else in it stays (case 19)', async () => {
      file('a/b/c/file')
      file('a/other')
      expect(await remove('a/b/c')).toMatchObject({ parents: 1 })
      expect(names('a')).toEqual(['other'])
    })

    test('twice, and the second time completes what a killed one has left (case 22)', async () => {
      make('a/b')
      expect(await remove('a/b/c')).toEqual({ entries: 0, parents: 2 })
      expect(await remove('a/b/c')).toEqual({ entries: 0, parents: 0 })
      expect(names()).toEqual([])
    })

    test('without what its links lead to', async () => {
      file('a/file')
      symlinkSync(outside, join(root, 'a/out'))
      symlinkSync('../b', join(root, 'a/in'))
      file('b/file')
      await remove('a')
      isKept()
      expect(names()).toEqual(['b'])
      expect(names('b')).toEqual(['file'])
    })

    test('as the link itself where it is one', async () => {
      symlinkSync(outside, join(root, 'a'))
      await remove('a')
      expect(names()).toEqual([])
      isKept()
    })

    test('not by a link that leads out', async () => {
      mkdirSync(join(outside, 'b'))
      symlinkSync(outside, join(root, 'a'))
      await expect(remove('a/b')).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
      expect(readdirSync(outside)).toEqual(['b', 'precious'])
    })

    test.each(['', '.', '/', '..', 'a/..'])('never for the root, said as %j', async path => {
      file('a/file')
      await expect(remove(path)).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
      expect(names('a')).toEqual(['file'])
    })

    test('with at most ten directories above it', async () => {
      const deep = Array.from({ length: 12 }, (_, index) => `d${index}`).join('/')
      make(deep)
      await expect(remove(deep)).rejects.toMatchObject({ code: 'LIMIT' })
      expect(names()).toEqual(['d0'])
      const lower = Array.from({ length: 11 }, (_, index) => `e${index}`).join('/')
      make(lower)
      expect(await remove(lower)).toMatchObject({ parents: 10 })
      expect(names()).toEqual(['d0'])
    })

    test('with thousands of names in one directory', async () => {
      make('a')
      for (let index = 0; index < 2_500; index++) file(`a/${index}`)
      expect(await remove('a')).toEqual({ entries: 2_501, parents: 0 })
    })

    test('with names that are no UTF-8', async () => {
      makeTree(root, [
        { path: 'a', kind: 'directory' },
        { path: 'a/\xff\xfe', kind: 'directory' },
        { path: 'a/\xff\xfe/\x80', kind: 'file' },
      ])
      await remove('a')
      expect(names()).toEqual([])
    })
  })

  describe('a tree is archived', () => {
    test('under another name, twice (case 20)', async () => {
      file('ns/app/file')
      expect(await archive('ns/app')).toEqual({ moved: true, archive: 'archived-ns/app' })
      expect(await archive('ns/app')).toEqual({ moved: false, archive: 'archived-ns/app' })
      expect(names('archived-ns/app')).toEqual(['file'])
    })

    test('and was never there', async () => expect(await archive('a')).toEqual({ moved: false, archive: undefined }))

    test('not over another archive (case 21)', async () => {
      file('a/new')
      file('archived-a/old')
      await expect(archive('a')).rejects.toMatchObject({ code: 'EEXIST', path: 'archived-a' })
      expect([names('a'), names('archived-a')]).toEqual([['new'], ['old']])
    })

    test('in place of another one', async () => {
      file('a/new')
      file('archived-a/old')
      expect(await archive('a', 'remove')).toEqual({ moved: true, archive: 'archived-a' })
      expect(names('archived-a')).toEqual(['new'])
    })

    test('beside others, with a number', async () => {
      for (const [index, expected] of ['archived-a', 'archived-a-2', 'archived-a-3'].entries()) {
        file(`a/${index}`)
        expect(await archive('a', 'number')).toEqual({ moved: true, archive: expected })
      }
      expect(names()).toEqual(['archived-a', 'archived-a-2', 'archived-a-3'])
    })

    test('not into another place', async () => {
      file('a/b/file')
      symlinkSync(outside, join(root, 'archived-a'))
      await expect(archive('a/b')).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
      expect(names('a/b')).toEqual(['file'])
      expect(readdirSync(outside)).toEqual(['precious'])
    })
  })

  describe('a tree is copied', () => {
    const copy = (from: string, to: string) => copyTree({ kind: 'copyTree', from: { root, path: from }, root, path: to }, quiet())
    const source = () => {
      makeTree(root, [
        { path: 'a', kind: 'directory', mode: 0o2775, mtime: 1_000_000_000.25 },
        { path: 'a/file', kind: 'file', content: 'text', mode: 0o640, mtime: 1_100_000_000.5, owner: [1_000_680_000, 7] },
        { path: 'a/link', kind: 'symlink', content: '/etc/passwd', mtime: 1_200_000_000 },
        { path: 'a/same', kind: 'hard-link', content: 'a/file' },
        { path: 'a/.hidden', kind: 'directory' },
      ])
      make('b')
    }

    test('with all that it has, twice', async () => {
      source()
      expect(await copy('a', 'b')).toEqual({ copied: true })
      expect(toldTree(join(root, 'b'))).toEqual(toldTree(join(root, 'a')))
      expect(lstatSync(join(root, 'b/same')).nlink).toBe(2)
      await copy('a', 'b')
      expect(toldTree(join(root, 'b'))).toEqual(toldTree(join(root, 'a')))
    })

    test('and a link that lies at the place of a file is not written through', async () => {
      source()
      symlinkSync(join(outside, 'precious'), join(root, 'b/file'))
      await copy('a', 'b')
      isKept()
      expect(readFileSync(join(root, 'b/file'), 'utf8')).toBe('text')
    })

    test('to its end, wherever a killed copy has stopped', async () => {
      source()
      const parts = ['.hidden', 'file', 'link', 'same']
      for (let count = 0; count <= parts.length; count++) {
        const to = `part-${count}`
        make(to)
        for (const part of parts.slice(0, count)) execFileSync('cp', ['-a', join(root, 'a', part), join(root, to, part)])
        // The last one is half of it.
        if (count === 2) writeFileSync(join(root, to, 'file'), 'te')
        await copy('a', to)
        expect(toldTree(join(root, to))).toEqual(toldTree(join(root, 'a')))
      }
    })

    test('not into itself', async () => {
      source()
      await expect(copy('a', 'a/.hidden')).rejects.toMatchObject({ code: 'EINVAL' })
      await expect(copy('', 'a')).rejects.toMatchObject({ code: 'EINVAL' })
    })

    test('and what cannot be made is told with its code', async () => {
      source()
      // A directory in the place of a file, with something in it.
      file('b/file/inner')
      await expect(copy('a', 'b')).rejects.toThrow(/^cp .*cannot overwrite directory/)
    })
  })

  describe('what is there', () => {
    test('is listed in order, as far as asked', () => {
      file('b', 'text')
      mkdirSync(join(root, 'a'))
      symlinkSync('b', join(root, 'c'))
      const all = list({ kind: 'list', root, path: '', limit: 3 })
      expect(all.entries.map(({ name, type, size }) => [name, type, type === 'file' ? size : 0])).toEqual([
        ['a', 'directory', 0],
        ['b', 'file', 4],
        ['c', 'symlink', 0],
      ])
      expect(all.isWhole).toBe(true)
      expect(list({ kind: 'list', root, path: '', limit: 2 })).toMatchObject({ isWhole: false, entries: { length: 2 } })
      expect(() => list({ kind: 'list', root, path: 'none', limit: 2 })).toThrow(expect.objectContaining({ code: 'ENOENT' }))
      expect(() => list({ kind: 'list', root, path: '', limit: 0 })).toThrow('expected 1 to 100000')
    })

    test('is counted once a file, whatever names it has', async () => {
      file('a/one', 'x'.repeat(10_000))
      makeTree(root, [{ path: 'a/two', kind: 'hard-link', content: 'a/one' }])
      const counted = await usage({ kind: 'usage', root, path: 'a', limits: { entries: 10, entriesPerSecond: 1e6 } }, quiet())
      const directory = lstatSync(join(root, 'a'))
      const blocks = directory.blocks + lstatSync(join(root, 'a/one')).blocks
      expect(counted).toEqual({
        apparentBytes: String(10_000 + directory.size),
        allocatedBytes: String(blocks * 512),
        entries: 2,
        isWhole: true,
        unreadable: 0,
      })
    })

    test('is counted as the program du does', async () => {
      for (let index = 0; index < 200; index++) file(`a/${index % 7}/${index}`, 'x'.repeat(index * 50))
      const counted = await usage({ kind: 'usage', root, path: 'a', limits: { entries: 1_000, entriesPerSecond: 1e6 } }, quiet())
      const du = (...flags: string[]) =>
        execFileSync('du', [...flags, '-s', '--block-size=1', join(root, 'a')], { encoding: 'utf8' }).split('\t')[0]
      expect(counted.allocatedBytes).toBe(du())
      expect(counted.apparentBytes).toBe(du('--apparent-size'))
    })

    test('is counted in part where there is more than is counted', async () => {
      for (let index = 0; index < 20; index++) file(`a/${index}`)
      const counted = await usage({ kind: 'usage', root, path: 'a', limits: { entries: 5, entriesPerSecond: 1e6 } }, quiet())
      expect(counted).toMatchObject({ entries: 5, isWhole: false })
    })

    test('is counted at the pace that was asked for', async () => {
      for (let index = 0; index < 20; index++) file(`a/${index}`)
      const startMs = systemClock.elapsed()
      await usage(
        { kind: 'usage', root, path: 'a', limits: { entries: 100, entriesPerSecond: 200 } },
        new Progress(systemClock, () => undefined),
      )
      expect(systemClock.elapsed() - startMs).toBeGreaterThan(75)
    })

    test('is told as the system tells it', () => {
      file('a', 'text')
      const { size, type } = stat({ kind: 'stat', path: join(root, 'a') })
      expect([size, type]).toEqual(['4', 'file'])
      const { blocks, availableBlocks, freeInodes } = statfs({ kind: 'statfs', path: root })
      expect(BigInt(blocks)).toBeGreaterThanOrEqual(BigInt(availableBlocks))
      expect(freeInodes).toMatch(/^\d+$/)
      expect(() => stat({ kind: 'stat', path: join(root, 'none') })).toThrow(
        `look at ${join(root, 'none')}: no such file or directory (ENOENT)`,
      )
      expect(() => statfs({ kind: 'statfs', path: 'a' })).toThrow('expected an absolute path')
    })
  })

  describe('parts of archives', () => {
    const part = (directory: string, ageMs: number) => {
      const path = `${directory}/${partialName()}`
      file(path)
      const seconds = (systemClock.now() - ageMs) / 1_000
      utimesSync(join(root, path), seconds, seconds)
      return path
    }
    const swept = () => sweep({ kind: 'sweep', root, olderThanMs: 60_000 }, quiet())

    test('are removed where they are old and lie in the directory of a snapshot', async () => {
      file('snapshot-1/pvc-1.tar.gz')
      const old = part('snapshot-1', 120_000)
      const young = part('snapshot-1', 1_000)
      const alone = part('snapshot-2', 120_000)
      expect([...(await swept()).removed].toSorted()).toEqual([old, alone].toSorted())
      expect(existsSync(join(root, young))).toBe(true)
      expect(existsSync(join(root, 'snapshot-1/pvc-1.tar.gz'))).toBe(true)
    })

    test('stay where a volume has a file of such a name', async () => {
      const inVolume = part('pvc-1', 120_000)
      file('pvc-1/data')
      symlinkSync(outside, join(root, 'snapshot-3'))
      expect(await swept()).toEqual({ removed: [], isWhole: true })
      expect(existsSync(join(root, inVolume))).toBe(true)
    })
  })

  test.skipIf(!isRoot)('where a server lets nobody write, the code is that of the system', () => {
    // Root of this machine may write everywhere; another user may not.
    makeTree(root, [{ path: 'closed', kind: 'directory', mode: 0o755, owner: [1, 1] }])
    process.seteuid?.(65_534)
    try {
      expect(() => make('closed/a')).toThrow(expect.objectContaining({ code: 'EACCES' }))
      const mode = make('closed', 0o700)
      expect(mode.warning).toMatch(/^set mode of .*closed: operation not permitted \(EPERM\)$/)
    } finally {
      process.seteuid?.(0)
    }
  })
})
