// Snapshots and restores: what goes in comes out, and what others wrote is read.
import { execFileSync } from 'node:child_process'
import { createCipheriv } from 'node:crypto'
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createGunzip, gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { extract } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import type { Compression, FileWorkOf } from '../file-work.ts'
import { Progress } from '../progress.ts'
import { isRoot, type MadeEntry, makeTree, plenty, quiet, Scratch, toldTree } from '../testdata/trees.ts'
import { pack } from './pack.ts'
import { unpack } from './unpack.ts'
import { verify } from './verify.ts'

describe.skipIf(process.platform !== 'linux')('a snapshot', () => {
  let scratch: Scratch
  let root: string

  beforeEach(() => {
    scratch = new Scratch()
    root = scratch.directory('share')
    mkdirSync(join(root, 'pvc-1'))
  })
  afterEach(() => scratch[Symbol.dispose]())

  const packed = (more: Partial<FileWorkOf<'pack'>> = {}) =>
    pack(
      { kind: 'pack', root, path: 'pvc-1', into: { root, directory: 'snap-1', name: 'pvc-1' }, compression: 'gzip', ...more },
      quiet(),
    )
  const restored = (path: string, into = 'pvc-2', more: Partial<FileWorkOf<'unpack'>> = {}) => {
    mkdirSync(join(root, into), { recursive: true })
    return unpack({ kind: 'unpack', archive: { root, path }, root, path: into, limits: plenty, ...more }, quiet())
  }
  const verified = (path: string) => verify({ kind: 'verify', archive: { root, path } }, quiet())
  const told = (path: string) => toldTree(join(root, path))

  /** Symlink, special bits, an empty file, old times, an owner beyond 21 bits, names of all kinds (case 34). */
  const tree: readonly MadeEntry[] = [
    { path: 'pvc-1', kind: 'directory', mode: 0o2775, mtime: 1_000_000_001.5 },
    { path: 'pvc-1/empty', kind: 'file', mode: 0o600, mtime: 3 },
    { path: 'pvc-1/before', kind: 'file', mtime: -1.5 },
    { path: 'pvc-1/after', kind: 'file', mtime: 2 ** 33 },
    {
      path: 'pvc-1/text',
      kind: 'file',
      content: 'text',
      mode: 0o4755,
      mtime: 1_100_000_000.123456,
      owner: [1_000_680_000, 3_000_000],
    },
    { path: 'pvc-1/link', kind: 'symlink', content: '../../etc/passwd', mtime: 1_200_000_000 },
    { path: 'pvc-1/far', kind: 'symlink', content: `/${'long/'.repeat(40)}`, mtime: 1_200_000_000 },
    { path: 'pvc-1/same', kind: 'hard-link', content: 'pvc-1/text' },
    { path: 'pvc-1/d', kind: 'directory', mode: 0o1777, mtime: 1_300_000_000 },
    { path: 'pvc-1/d/closed', kind: 'directory', mode: 0o500, mtime: 1_300_000_001 },
    { path: `pvc-1/d/${'n'.repeat(200)}`, kind: 'directory', mtime: 1_300_000_002 },
    { path: `pvc-1/d/${'n'.repeat(200)}/${'m'.repeat(120)}`, kind: 'file', content: 'far', mtime: 1_300_000_003 },
    { path: 'pvc-1/latin \xe4\xff', kind: 'file', content: '1', mtime: 1_300_000_004 },
    { path: `pvc-1/latin ${'\xe4'.repeat(150)}`, kind: 'file', content: '2', mtime: 1_300_000_005 },
    { path: 'pvc-1/new\nline = \\ "', kind: 'file', content: '3', mtime: 1_300_000_006 },
    { path: `pvc-1/${Buffer.from('größe 日本').toString('latin1')}`, kind: 'symlink', content: '\xff', mtime: 1 },
  ]

  test.each<Compression>(['gzip', 'none', 'zstd'])('comes back as it was (%s)', async compression => {
    makeTree(root, tree)
    const made = await packed({ compression })
    const ending = { gzip: '.tar.gz', none: '.tar', zstd: '.tar.zst' }[compression]
    expect(made).toMatchObject({ kind: 'made', name: `pvc-1${ending}`, entries: tree.length, skipped: 0, changed: 0 })
    expect(readdirSync(join(root, 'snap-1'))).toEqual([`pvc-1${ending}`])
    const { bytes, mtimeMs } = made
    const stat = statSync(join(root, `snap-1/pvc-1${ending}`))
    expect([bytes, Math.floor(mtimeMs)]).toEqual([stat.size, Math.floor(stat.mtimeMs)])
    const back = await restored(`snap-1/pvc-1${ending}`)
    expect(told('pvc-2')).toEqual(told('pvc-1'))
    const sha256 = made.kind === 'made' ? made.sha256 : ''
    expect(back).toEqual({
      contentBytes: 14,
      entries: tree.length,
      sha256,
      seal: 'right',
      skipped: 0,
      ownersNotSet: isRoot ? 0 : tree.length,
      withAttributes: 0,
    })
    expect(await verified(`snap-1/pvc-1${ending}`)).toEqual({
      contentBytes: 14,
      entries: tree.length,
      sha256,
      seal: 'right',
      bytes,
      compression,
      problems: [],
    })
  })

  test('of what cannot be made smaller comes back between what can, and does not grow by it', async () => {
    const half = 1_000_000
    const noise = createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16)).update(Buffer.alloc(half))
    const content = Buffer.concat([Buffer.alloc(half, 'text and '), noise, Buffer.alloc(half, 'and text'), noise])
    makeTree(root, [{ path: 'pvc-1/disk.img', kind: 'file', mtime: 1 }])
    writeFileSync(join(root, 'pvc-1/disk.img'), content)
    const { bytes } = await packed({ compression: 'gzip' })
    expect(bytes / (2 * half)).toBeGreaterThan(1)
    expect(bytes / (2 * half)).toBeLessThan(1.02)
    await restored('snap-1/pvc-1.tar.gz')
    expect(readFileSync(join(root, 'pvc-2/disk.img')).equals(content)).toBe(true)
    // Any program reads it: gzip's own length and checksum are right.
    execFileSync('gzip', ['--test', join(root, 'snap-1/pvc-1.tar.gz')])
    expect(gunzipSync(readFileSync(join(root, 'snap-1/pvc-1.tar.gz'))).includes(noise)).toBe(true)
  })

  test('of any tree comes back, whole and twice', async () => {
    const name = fc.oneof(
      fc.string({ minLength: 1, maxLength: 12, unit: fc.integer({ min: 1, max: 255 }).map(code => String.fromCharCode(code)) }),
      fc.integer({ min: 90, max: 250 }).map(length => 'x'.repeat(length)),
    )
    const path = fc
      .array(
        name.filter(one => !one.includes('/') && one !== '.' && one !== '..'),
        { minLength: 1, maxLength: 4 },
      )
      .map(parts => parts.join('/'))
    const entry = fc.record({
      path,
      kind: fc.constantFrom('file' as const, 'directory' as const, 'symlink' as const),
      mode: fc.integer({ min: 0, max: 0o7777 }).map(bits => bits | 0o700),
      mtime: fc.integer({ min: -1e9, max: 8e9 }).map(seconds => seconds + 0.25),
      content: fc.string({
        minLength: 1,
        maxLength: 600,
        unit: fc.integer({ min: 1, max: 255 }).map(code => String.fromCharCode(code)),
      }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 12 }),
        fc.constantFrom<Compression>('gzip', 'none'),
        async (entries, compression) => {
          using place = new Scratch()
          const [from, into] = [place.directory('from'), place.directory('into')]
          makeTree(from, withParents(entries))
          const work = { root: place.path, path: 'from', into: { root: place.path, directory: 'snap', name: 'x' }, compression }
          const made = await pack({ kind: 'pack', ...work }, quiet())
          const archive = { root: place.path, path: `snap/${made.name}` }
          for (let time = 0; time < 2; time++) {
            await unpack({ kind: 'unpack', archive, root: into, path: '', limits: plenty }, quiet())
            expect(toldTree(into)).toEqual(toldTree(from))
          }
          execFileSync('tar', ['--extract', `--file=${archive.root}/${archive.path}`, `--directory=${place.directory('gnu')}`], {
            stdio: 'pipe',
          })
          expect(toldTree(place.directory('gnu'))).toEqual(toldTree(from))
        },
      ),
      { numRuns: 25 },
    )
  })

  test('is read by another library', async () => {
    makeTree(root, [
      { path: 'pvc-1/d', kind: 'directory' },
      {
        path: `pvc-1/d/${Buffer.from('é'.repeat(80)).toString('latin1')}`,
        kind: 'file',
        content: 'x'.repeat(70_000),
        mtime: 1.5,
      },
    ])
    await packed()
    const seen: [name: string, size: number][] = []
    const reading = extract()
    reading.on('entry', ({ name, size }, stream, next) => {
      seen.push([name, size ?? -1])
      stream.resume()
      stream.on('end', next)
    })
    createGunzip()
      .end(readFileSync(join(root, 'snap-1/pvc-1.tar.gz')))
      .pipe(reading)
    await new Promise<void>((resolve, reject) => reading.on('finish', () => resolve()).on('error', reject))
    // The root stands at both ends, with the notes that others pass over.
    expect(seen).toEqual([
      ['.', 0],
      ['d', 0],
      [`d/${'é'.repeat(80)}`, 70_000],
      ['.', 0],
    ])
  })

  test('that is there is not made again, and a cut one of upstream is', async () => {
    makeTree(root, tree)
    const first = await packed()
    writeFileSync(join(root, 'pvc-1/later'), '')
    expect(await packed()).toEqual({ kind: 'existing', name: first.name, bytes: first.bytes, mtimeMs: first.mtimeMs })
    expect(await packed({ compression: 'none' })).toMatchObject({ kind: 'existing', name: 'pvc-1.tar.gz' })

    // As upstream's driver leaves it when it is killed: under its name, with its beginning.
    const archive = join(root, 'snap-1/pvc-1.tar.gz')
    execFileSync('tar', ['-C', join(root, 'pvc-1'), '-czf', archive, '.'])
    expect(await packed()).toMatchObject({ kind: 'existing', bytes: statSync(archive).size })
    truncateSync(archive, statSync(archive).size - 20)
    expect(await packed({ compression: 'none' })).toMatchObject({ kind: 'made', name: 'pvc-1.tar' })
    expect(readdirSync(join(root, 'snap-1'))).toEqual(['pvc-1.tar'])
  })

  test('that cannot be read for another reason than its end is never replaced', async () => {
    mkdirSync(join(root, 'snap-1'))
    writeFileSync(join(root, 'snap-1/pvc-1.tar'), Buffer.alloc(4_096, 'x'))
    await expect(packed()).rejects.toMatchObject({ code: 'BROKEN_ARCHIVE' })
    expect(readdirSync(join(root, 'snap-1'))).toEqual(['pvc-1.tar'])
  })

  test('finds the directory of another one (case 36)', async () => {
    mkdirSync(join(root, 'snap-1'))
    writeFileSync(join(root, 'snap-1/pvc-9.tar.gz'), '')
    await expect(packed()).rejects.toMatchObject({ code: 'CLASH', path: join(root, 'snap-1/pvc-9.tar.gz') })
    expect(readdirSync(join(root, 'snap-1'))).toEqual(['pvc-9.tar.gz'])
  })

  test('takes away what a killed worker has left beside it', async () => {
    mkdirSync(join(root, 'snap-1'))
    writeFileSync(join(root, `snap-1/.ballast-${'0'.repeat(32)}.partial`), 'part')
    await packed()
    expect(readdirSync(join(root, 'snap-1'))).toEqual(['pvc-1.tar.gz'])
  })

  test('does not lie in what it packs', async () => {
    await expect(packed({ into: { root, directory: 'pvc-1/snap', name: 'pvc-1' } })).rejects.toMatchObject({ code: 'EINVAL' })
    await expect(packed({ path: '', into: { root, directory: 'snap', name: 'x' } })).rejects.toThrow(
      'the archive would lie within it',
    )
  })

  test('leaves sockets out and counts them, and keeps pipes', async () => {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(join(root, 'pvc-1/socket'), resolve))
    execFileSync('mkfifo', ['-m', '640', join(root, 'pvc-1/pipe')])
    utimesSync(join(root, 'pvc-1/pipe'), 1_000, 1_000)
    const made = await packed()
    await new Promise(resolve => server.close(resolve))
    utimesSync(join(root, 'pvc-1'), 5, 5)
    expect(made).toMatchObject({ skipped: 1, entries: 2 })
    await restored('snap-1/pvc-1.tar.gz')
    expect(told('pvc-2').slice(1)).toEqual(told('pvc-1').slice(1))
    expect(lstatSync(join(root, 'pvc-2/pipe')).isFIFO()).toBe(true)
  })

  test.skipIf(!isRoot)('keeps devices, which a restore refuses or leaves out', async () => {
    execFileSync('mknod', [join(root, 'pvc-1/null'), 'c', '1', '300'])
    expect(await packed()).toMatchObject({ entries: 2, skipped: 0 })
    expect(execFileSync('tar', ['-tvzf', join(root, 'snap-1/pvc-1.tar.gz')], { encoding: 'utf8' })).toContain('1,300')
    await expect(restored('snap-1/pvc-1.tar.gz')).rejects.toMatchObject({ code: 'HOSTILE_ARCHIVE', path: 'null' })
    expect(await restored('snap-1/pvc-1.tar.gz', 'pvc-3', { devices: 'skip' })).toMatchObject({ skipped: 1 })
    expect(readdirSync(join(root, 'pvc-3'))).toEqual([])
    expect((await verified('snap-1/pvc-1.tar.gz')).problems).toEqual([
      'entry "null" of the archive is a device: the archive is refused',
    ])
  })

  // biome-ignore format: a table
  test.each([
    ['grows',   (path: string) => appendFileSync(path, 'more')],
    ['shrinks', (path: string) => truncateSync(path, 400_000)],
  ])('of a file that %s while it is read is an archive all the same', async (_name, change) => {
    const big = join(root, 'pvc-1/big')
    writeFileSync(big, Buffer.alloc(2_000_000, 'x'))
    writeFileSync(join(root, 'pvc-1/z'), 'after it')
    let isChanged = false
    class Changing extends Progress {
      override isDue(): boolean {
        if (this.bytes > 0 && !isChanged) {
          isChanged = true
          change(big)
        }
        return super.isDue()
      }
    }
    const work = { root, path: 'pvc-1', into: { root, directory: 'snap-1', name: 'pvc-1' }, compression: 'none' } as const
    const made = await pack({ kind: 'pack', ...work }, new Changing(systemClock, () => undefined))
    expect(made).toMatchObject({ kind: 'made', changed: 1, entries: 3 })
    await restored('snap-1/pvc-1.tar')
    expect(statSync(join(root, 'pvc-2/big')).size).toBe(2_000_000)
    expect(readFileSync(join(root, 'pvc-2/z'), 'utf8')).toBe('after it')
    expect(await verified('snap-1/pvc-1.tar')).toMatchObject({ seal: 'right' })
  })

  test('of a file with holes has them again', async () => {
    writeFileSync(join(root, 'pvc-1/sparse'), 'head')
    truncateSync(join(root, 'pvc-1/sparse'), 40_000_000)
    await packed()
    await restored('snap-1/pvc-1.tar.gz')
    const back = statSync(join(root, 'pvc-2/sparse'))
    expect(back.size).toBe(40_000_000)
    expect(back.blocks * 512).toBeLessThan(1_000_000)
    expect(told('pvc-2').at(-1)).toBe(told('pvc-1').at(-1))
  })

  test.each(['gzip', 'none'] as const)('of a file with holes between what it holds has both again (%s)', async compression => {
    const file = openSync(join(root, 'pvc-1/disk'), 'w')
    const page = Buffer.alloc(100_000, 'a page ')
    for (const at of [0, 2_000_001, 2_300_000, 9_000_000]) writeSync(file, page, 0, page.length, at)
    ftruncateSync(file, 12_000_000)
    closeSync(file)
    const made = await packed({ compression })
    await restored(`snap-1/${made.name}`)
    const back = join(root, 'pvc-2/disk')
    expect(readFileSync(back).equals(readFileSync(join(root, 'pvc-1/disk')))).toBe(true)
    expect(statSync(back).blocks * 512).toBeLessThan(2_000_000)
  })

  test('of the program tar comes back too, hard links as such', async () => {
    makeTree(root, tree)
    const made = await packed({ useTarProgram: true })
    expect(made).toMatchObject({ kind: 'made', entries: tree.length, skipped: 0 })
    const back = await restored('snap-1/pvc-1.tar.gz')
    expect(back).toMatchObject({ seal: 'none', sha256: made.kind === 'made' ? made.sha256 : '' })
    // The program keeps whole seconds.
    const seconds = (lines: readonly string[]) => lines.map(line => line.replace(/ (-?\d+)\d{6} /, ' $1 '))
    const expected = seconds(told('pvc-1')).filter(line => !line.startsWith('before '))
    expect(seconds(told('pvc-2')).filter(line => !line.startsWith('before '))).toEqual(expected)
    expect(statSync(join(root, 'pvc-2/same')).nlink).toBe(2)
  })

  test("of upstream's driver comes back", async () => {
    // Made by the packing of csi-driver-nfs 4.13.4 of this tree; the same code restored an archive of ours of it, but for owners and special bits.
    copyFileSync(join(import.meta.dirname, '..', 'testdata', 'upstream-4.13.4.tar.gz'), join(root, 'upstream.tar.gz'))
    makeTree(root, [
      { path: 'pvc-1', kind: 'directory', mode: 0o2775, mtime: 1_300_000_000 },
      { path: 'pvc-1/empty', kind: 'file', mode: 0o600, mtime: 3 },
      {
        path: 'pvc-1/text',
        kind: 'file',
        content: 'text\n',
        mode: 0o640,
        mtime: 1_100_000_000,
        owner: [1_000_680_000, 3_000_000],
      },
      { path: 'pvc-1/same', kind: 'hard-link', content: 'pvc-1/text' },
      { path: 'pvc-1/link', kind: 'symlink', content: '../../etc/passwd', mtime: 1_200_000_000 },
      { path: 'pvc-1/d', kind: 'directory', mode: 0o755, mtime: 1_200_000_001 },
      { path: `pvc-1/d/${'n'.repeat(150)}`, kind: 'file', content: 'far', mtime: 1_200_000_002, mode: 0o644 },
      { path: 'pvc-1/d/latin \xe4\xff', kind: 'file', content: '1', mtime: 1_200_000_003, mode: 0o644 },
      {
        path: `pvc-1/d/${Buffer.from('größe 日本').toString('latin1')}`,
        kind: 'file',
        content: '2',
        mtime: 1_200_000_004,
        mode: 0o644,
      },
    ])
    expect(await restored('upstream.tar.gz')).toMatchObject({ seal: 'none', entries: 9 })
    expect(told('pvc-2')).toEqual(told('pvc-1'))
  })

  test('of GNU tar is read in each of its formats', async () => {
    makeTree(
      root,
      tree.filter(({ mtime = 0 }) => mtime >= 0 && mtime < 2 ** 32),
    )
    for (const format of ['gnu', 'oldgnu', 'pax', 'posix']) {
      execFileSync('tar', ['-C', join(root, 'pvc-1'), `--format=${format}`, '-cf', join(root, `${format}.tar`), '.'])
      await restored(`${format}.tar`, format)
      const seconds = (lines: readonly string[]) => lines.map(line => line.replace(/ (-?\d+)\d{6} /, ' $1 '))
      expect(seconds(told(format))).toEqual(seconds(told('pvc-1')))
    }
  })

  test('is read by what its bytes are, not by its name (case 38)', async () => {
    makeTree(root, tree)
    await packed({ compression: 'none' })
    writeFileSync(join(root, 'odd.tar'), gzipSync(readFileSync(join(root, 'snap-1/pvc-1.tar'))))
    expect(await restored('odd.tar')).toMatchObject({ seal: 'right' })
    expect(told('pvc-2')).toEqual(told('pvc-1'))
  })

  test('goes on where a killed restore has stopped', async () => {
    makeTree(root, tree)
    await packed()
    await restored('snap-1/pvc-1.tar.gz', 'whole')
    // A part of it, and things of other kinds in its places.
    makeTree(root, [
      { path: 'pvc-2', kind: 'directory' },
      { path: 'pvc-2/text', kind: 'symlink', content: '/etc/hostname' },
      { path: 'pvc-2/link', kind: 'file', content: 'half' },
      { path: 'pvc-2/empty', kind: 'directory' },
      { path: 'pvc-2/d', kind: 'symlink', content: '/tmp' },
      { path: 'pvc-2/same', kind: 'file' },
    ])
    const before = readFileSync('/etc/hostname')
    await restored('snap-1/pvc-1.tar.gz')
    expect(told('pvc-2')).toEqual(told('whole'))
    expect(readFileSync('/etc/hostname')).toEqual(before)
  })

  describe('that was damaged', () => {
    const archive = () => join(root, 'snap-1/pvc-1.tar')
    const change = (at: number) => {
      const bytes = readFileSync(archive())
      bytes[at] = (bytes[at] ?? 0) ^ 1
      writeFileSync(archive(), bytes)
    }

    test('is found by its checksum', async () => {
      makeTree(root, [{ path: 'pvc-1/a', kind: 'file', content: 'precious' }])
      await packed({ compression: 'none' })
      change(readFileSync(archive()).indexOf('precious'))
      expect(await verified('snap-1/pvc-1.tar')).toMatchObject({ seal: 'wrong' })
      await expect(restored('snap-1/pvc-1.tar')).rejects.toThrow('is not what was packed')
    })

    test('at any one bit is found', async () => {
      makeTree(root, [{ path: 'pvc-1/a', kind: 'file', content: 'precious', mtime: 1.5 }])
      await packed({ compression: 'none' })
      const whole = readFileSync(archive())
      for (let at = 0; at < whole.length; at += 37) {
        writeFileSync(archive(), whole)
        change(at)
        const found = await verified('snap-1/pvc-1.tar').then(
          ({ seal }) => seal,
          error => error.code,
        )
        if (found !== 'right') continue
        // The header of the checksum itself has bits that stand for nothing that a restore uses.
        await restored('snap-1/pvc-1.tar', `byte-${at}`)
        expect(told(`byte-${at}`), `byte ${at}`).toEqual(told('pvc-1'))
      }
    })

    test.each<Compression>(['gzip', 'none', 'zstd'])('by its end is found, wherever that is (%s)', async compression => {
      makeTree(root, tree)
      const { name, bytes } = await packed({ compression })
      const whole = readFileSync(join(root, 'snap-1', name))
      for (let length = bytes - 1; length > 8; length -= Math.ceil(bytes / 40)) {
        writeFileSync(join(root, 'cut'), whole.subarray(0, length))
        await expect(verified('cut'), `${length} of ${bytes} bytes`).rejects.toMatchObject({ code: 'CUT_ARCHIVE' })
      }
    })
  })

  test('tells how far it has come', async () => {
    makeTree(root, tree)
    const progress = quiet()
    const work = { root, path: 'pvc-1', into: { root, directory: 'snap-1', name: 'pvc-1' }, compression: 'gzip' } as const
    await pack({ kind: 'pack', ...work }, progress)
    expect([progress.entries, progress.bytes]).toEqual([tree.length, 14])
  })

  test('has nothing beside it and nothing that another reader sees', async () => {
    makeTree(root, tree)
    await packed()
    const plain = gunzipSync(readFileSync(join(root, 'snap-1/pvc-1.tar.gz')))
    expect(plain.length % 512).toBe(0)
    const listing = execFileSync('tar', ['-tf', join(root, 'snap-1/pvc-1.tar.gz')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    expect(listing.trimEnd().split('\n').at(0)).toBe('.')
    expect(existsSync(join(root, 'snap-1/pvc-1.tar.gz.sha256'))).toBe(false)
  })
})

/** Entries whose directories are made before, each path once, and nothing below what is no directory. */
function withParents(entries: readonly MadeEntry[]): readonly MadeEntry[] {
  const made = new Map<string, MadeEntry>()
  for (const entry of entries) {
    const parts = entry.path.split('/')
    const parents = parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'))
    if (made.has(entry.path) || parents.some(path => (made.get(path)?.kind ?? 'directory') !== 'directory')) continue
    for (const path of parents) if (!made.has(path)) made.set(path, { path, kind: 'directory', mode: 0o755, mtime: 7 })
    made.set(entry.path, entry)
  }
  return [...made.values()]
}
