// Archives that somebody put on a share to write elsewhere, or to fill the disk; and archives that say what nobody can know.
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { pack as packing } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileWorkFailed } from '../file-work-failed.ts'
import { endOfArchive, paxEntry, type RawEntry, rawArchive, rawEntry } from '../testdata/archives.ts'
import { plenty, quiet, Scratch, toldTree } from '../testdata/trees.ts'
import { unpack } from './unpack.ts'
import { verify } from './verify.ts'

describe.skipIf(process.platform !== 'linux')('an archive', () => {
  let scratch: Scratch
  let root: string
  let before: readonly string[]

  beforeEach(() => {
    scratch = new Scratch()
    root = scratch.path
    mkdirSync(join(root, 'share/target'), { recursive: true })
    mkdirSync(join(root, 'outside'))
    writeFileSync(join(root, 'outside/precious'), 'kept')
    before = toldTree(join(root, 'outside'))
  })
  afterEach(() => {
    // Whatever stood in it: nothing was written outside of the target.
    expect(toldTree(join(root, 'outside'))).toEqual(before)
    expect(readdirSync(join(root, 'share')).filter(name => name !== 'archive')).toEqual(['target'])
    expect(readdirSync(root)).toEqual(['outside', 'share'])
    scratch[Symbol.dispose]()
  })

  const archive = () => ({ root: join(root, 'share'), path: 'archive' })
  const restored = async (bytes: Buffer, limits = plenty) => {
    writeFileSync(join(root, 'share/archive'), bytes)
    return await unpack({ kind: 'unpack', archive: archive(), root: join(root, 'share'), path: 'target', limits }, quiet())
  }
  const problems = async (bytes: Buffer) => {
    writeFileSync(join(root, 'share/archive'), bytes)
    return (await verify({ kind: 'verify', archive: archive() }, quiet())).problems
  }
  const inTarget = () => readdirSync(join(root, 'share/target')).toSorted()

  const link = (name: string, linkName: string): RawEntry => ({ name, type: '2', linkName })
  const hard = (name: string, linkName: string): RawEntry => ({ name, type: '1', linkName })

  // biome-ignore format: a table
  test.each<[name: string, entries: (RawEntry | Buffer)[], why: string]>([
    ['an absolute name',                     [{ name: '/etc/evil' }],                                      'has an absolute name'],
    ['a name above (case 35)',               [{ name: '../evil' }],                                        'has .. in its name'],
    ['a name above, from below',             [{ name: 'a/../../evil' }],                                   'has .. in its name'],
    ['a name that only passes above',        [{ name: 'a/../b' }],                                         'has .. in its name'],
    ['a directory above',                    [{ name: '../evil/', type: '5' }],                            'has .. in its name'],
    ['a name above in a record',             [paxEntry({ path: '../evil' }), { name: 'good' }],            'has .. in its name'],
    ['a name above in GNU\'s long name',     [{ name: 'l', type: 'L', content: '../evil\0' }, { name: 'good' }], 'has .. in its name'],
    ['no name',                              [{ name: '' }],                                               'has no name'],
    ['a file in place of the target',        [{ name: '.' }],                                              'replaces the directory'],
    ['a link in place of the target',        [link('./', '../../outside')],                                'replaces the directory'],
    ['a file below a link out (case 35)',    [link('a', '../../outside'), { name: 'a/x' }],                'lies below "a", which is no directory'],
    ['a directory below a link out',         [link('a', '../../outside'), { name: 'a/x', type: '5' }],     'lies below "a", which is no directory'],
    ['a file far below a link out',          [link('a', '../..'), { name: 'a/outside/x' }],                'lies below "a", which is no directory'],
    ['a file below a link by a link',        [link('b', '../../outside'), link('a', 'b'), { name: 'a/x' }], 'lies below "a", which is no directory'],
    ['a link below a link',                  [link('a', '../../outside'), link('a/x', '/')],               'lies below "a", which is no directory'],
    ['a file below a file',                  [{ name: 'a' }, { name: 'a/x' }],                             'lies below "a", which is no directory'],
    ['a hard link out by name',              [hard('a', '../../outside/precious')],                        'has .. in its name'],
    ['an absolute hard link',                [hard('a', '/etc/passwd')],                                   'has an absolute name'],
    ['a hard link out below a link',         [link('l', '../../outside'), hard('a', 'l/precious')],        'lies below "l", which is no directory'],
    ['a hard link to what is not there',     [hard('a', 'none')],                                          'is a hard link to "none", which is not there'],
    ['a hard link to a directory',           [{ name: 'd', type: '5' }, hard('a', 'd')],                   'is a hard link to a directory'],
    ['a hard link to the target',            [hard('a', '.')],                                             'is a hard link to a directory'],
    ['a character device',                   [{ name: 'tty', type: '3' }],                                 'is a device'],
    ['a block device',                       [{ name: 'sda', type: '4' }],                                 'is a device'],
    ['a link to nothing',                    [link('a', '')],                                              'is a link to nothing'],
    ['more levels than any tree',            [paxEntry({ path: 'a/'.repeat(501) }), { name: 'a', type: '5' }], 'lies deeper than 500 directories'],
  ])('with %s is refused', async (name, entries, why) => {
    const bytes = rawArchive({ name: 'first' }, ...entries)
    await expect(restored(bytes)).rejects.toThrow(why)
    await expect(restored(bytes)).rejects.toMatchObject({ code: 'HOSTILE_ARCHIVE' })
    // `verify` knows names and links, but not what is there when an entry comes.
    const found = (await problems(bytes)).join()
    if (/is a hard link to|^a file below a file|is a link to nothing/.test(`${name} ${why}`)) expect(found).toBe('')
    else expect(found).toContain(why.startsWith('lies below') ? 'lies below a link' : why)
  })

  test('with a file in place of a link to another file writes to the file', async () => {
    await restored(rawArchive(link('a', '../../outside/precious'), { name: 'a', content: 'evil' }))
    expect(readFileSync(join(root, 'share/target/a'), 'utf8')).toBe('evil')
  })

  test('with a hard link to a link, and a file in its place, writes to the file', async () => {
    await restored(rawArchive(link('l', '../../outside/precious'), hard('a', 'l'), { name: 'a', content: 'evil' }))
    expect(readFileSync(join(root, 'share/target/a'), 'utf8')).toBe('evil')
  })

  test('with a directory in place of a link fills the directory', async () => {
    await restored(rawArchive(link('a', '../../outside'), { name: 'a/', type: '5', mode: 0o755 }, { name: 'a/x', content: 'in' }))
    expect(readFileSync(join(root, 'share/target/a/x'), 'utf8')).toBe('in')
  })

  test('does not follow a link that lay in the target before', async () => {
    symlinkSync('../../outside', join(root, 'share/target/a'))
    await expect(restored(rawArchive({ name: 'a/x' }))).rejects.toMatchObject({ code: 'HOSTILE_ARCHIVE' })
    symlinkSync('../../outside/precious', join(root, 'share/target/file'))
    await restored(rawArchive({ name: 'file', content: 'evil' }))
  })

  test('that is a link out of the share is not read', async () => {
    symlinkSync('../outside/precious', join(root, 'share/archive'))
    const work = { archive: archive(), root: join(root, 'share'), path: 'target', limits: plenty }
    await expect(unpack({ kind: 'unpack', ...work }, quiet())).rejects.toMatchObject({ code: 'ELOOP' })
  })

  test('of more bytes than allowed is refused before they are written', async () => {
    const bomb = gzipSync(Buffer.concat([rawEntry({ name: 'a', size: 2 ** 32 }), Buffer.alloc(4_000_000)]))
    await expect(restored(bomb, { bytes: 2 ** 32 - 1, entries: 10 })).rejects.toThrow(`holds more than ${2 ** 32 - 1} bytes`)
    expect(inTarget()).toEqual([])
  })

  test('of many files that are more together than allowed is refused', async () => {
    const entries = Array.from({ length: 5 }, (_, index) => ({ name: `${index}`, content: 'x'.repeat(100) }))
    await expect(restored(rawArchive(...entries), { bytes: 399, entries: 10 })).rejects.toMatchObject({ code: 'HOSTILE_ARCHIVE' })
    expect(inTarget()).toEqual(['0', '1', '2'])
  })

  test('of more entries than allowed is refused', async () => {
    const entries = Array.from({ length: 5 }, (_, index) => ({ name: `${index}`, type: '5' }))
    await expect(restored(rawArchive(...entries), { bytes: 0, entries: 4 })).rejects.toThrow('holds more than 4 entries')
    expect(inTarget()).toEqual(['0', '1', '2', '3'])
  })

  test('with zeros without an end after its end is refused', async () => {
    const bytes = zstdCompressSync(Buffer.concat([rawArchive({ name: 'a' }), Buffer.alloc(20 * 2 ** 20)]))
    await expect(restored(bytes)).rejects.toThrow('zeros after its end')
  })

  // biome-ignore format: a table
  test.each<[name: string, bytes: Buffer, why: string]>([
    ['is no archive',                     Buffer.alloc(2_048, 'x'),                                          'checksum'],
    ['has a wrong checksum',              Buffer.concat([rawEntry({ name: 'a' }).fill('b', 0, 1), endOfArchive]), 'checksum is wrong'],
    ['has a size below 0',                rawArchive({ name: 'a', sizeField: Buffer.alloc(12, 0xff) }),      'size below 0'],
    ['has a size beyond all numbers',     rawArchive({ name: 'a', sizeField: Buffer.from('807fffffffffffffffffffff', 'hex') }), 'size is no number'],
    ['has a size that is no number',      rawArchive({ name: 'a', sizeField: Buffer.from('0000000000x\0') }), 'size is no number'],
    ['has a record that is no number',    rawArchive(paxEntry({ size: '1e3' }), { name: 'a' }),              'record size that is no whole number'],
    ['has a time that is none',           rawArchive(paxEntry({ mtime: 'now' }), { name: 'a' }),             'record mtime that is no time'],
    ['has a record without an end',       rawArchive({ name: 'p', type: 'x', content: '99 path=a\n' }, { name: 'a' }), 'extended header that cannot be read'],
    ['has a record without a length',     rawArchive({ name: 'p', type: 'x', content: 'path=a\n' }, { name: 'a' }), 'extended header that cannot be read'],
    ['has a record that lies on the next', rawArchive({ name: 'p', type: 'x', content: '5 a=b\n6 b=c\n' }, { name: 'a' }), 'extended header that cannot be read'],
    ['has a name with NUL',               rawArchive(paxEntry({ path: 'a\0b' }), { name: 'a' }),             'NUL'],
    ['has a name for all of its entries', rawArchive(paxEntry({ path: 'a' }, 'g'), { name: 'b' }),           'says path for all of its entries'],
    ['has a header beyond all names',     rawArchive({ name: 'p', type: 'x', size: 2 ** 30 }),               'more than 1048576'],
    ['has headers without an entry',      rawArchive(paxEntry({ path: 'a' })),                               'ends after an extended header'],
    ['has headers in a long row',         rawArchive(...Array.from({ length: 17 }, () => paxEntry({ uid: '1' })), { name: 'a' }), 'more than 16 extended headers'],
    ['has a link with content',           rawArchive({ name: 'a', type: '2', linkName: 'b', content: 'x' }), 'without content (symlink) that says it has 1 bytes'],
    ['has a directory with content',      rawArchive({ name: 'a', type: '5', content: 'x' }),                'without content (directory)'],
    ['has a sparse file of GNU',          rawArchive({ name: 'a', type: 'S' }),                              'sparse'],
    ['has a sparse file of pax',          rawArchive(paxEntry({ 'GNU.sparse.major': '1' }), { name: 'a' }),  'sparse'],
    ['has an entry of an unknown kind',   rawArchive({ name: 'a', type: 'Z' }),                              'kind that is not read ("Z")'],
    ['has one block of zeros',            Buffer.concat([Buffer.alloc(512), rawArchive({ name: 'a' })]),     'block of zeros in the middle'],
    ['goes on after its end',             Buffer.concat([endOfArchive, rawArchive({ name: 'a' })]),          'something after its end'],
    ['has a damaged middle',              damaged(gzipSync(rawArchive({ name: 'a', content: randomText(9_000) }))), 'cannot be decompressed'],
  ])('that %s is refused', async (_name, bytes, why) => {
    await expect(restored(bytes)).rejects.toThrow(why)
    await expect(problems(bytes)).rejects.toMatchObject({ code: 'BROKEN_ARCHIVE' })
  })

  test.each([0, 100, 512, 1_000, 1_024, 1_536])('that ends after %s bytes was not written to its end', async length => {
    const bytes = rawArchive({ name: 'a', content: 'x'.repeat(600) })
    await expect(restored(bytes.subarray(0, length))).rejects.toMatchObject({ code: 'CUT_ARCHIVE' })
  })

  test('of another library is read, and refused as another one is', async () => {
    const made = async (name: string) => {
      const packed = packing()
      packed.entry({ name: 'd', type: 'directory' })
      packed.entry({ name, mtime: new Date(5_000) }, 'text')
      packed.finalize()
      const chunks: Buffer[] = []
      for await (const chunk of packed) if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk))
      return Buffer.concat(chunks)
    }
    await restored(await made('d/ü'))
    expect(readFileSync(join(root, 'share/target/d/ü'), 'utf8')).toBe('text')
    await expect(restored(await made(`${'x/'.repeat(80)}../../evil`))).rejects.toMatchObject({ code: 'HOSTILE_ARCHIVE' })
  })

  test('with extended attributes is read, and they are counted', async () => {
    const records = { 'SCHILY.xattr.user.a': 'b', 'SCHILY.acl.access': 'user::rw-' }
    expect(await restored(rawArchive(paxEntry(records), { name: 'a' }, { name: 'b' }))).toMatchObject({
      withAttributes: 1,
      entries: 2,
    })
  })

  test('with records for all entries, and for one that takes them back', async () => {
    const global = paxEntry({ mtime: '77', comment: 'x' }, 'g')
    await restored(rawArchive(global, { name: 'a' }, paxEntry({ mtime: '' }), { name: 'b' }))
    const times = toldTree(join(root, 'share/target')).map(line => line.split(' ').slice(0, 5).join(' '))
    expect(times.filter(line => line.startsWith('a ')).join()).toContain(' 77000000')
    expect(times.filter(line => line.startsWith('b ')).join()).toMatch(/ 0$/)
  })

  test('of whatever bytes ends in words, and nothing is written outside', async () => {
    const whole = rawArchive(
      paxEntry({ path: 'a/b', mtime: '1.5' }),
      { name: 'a' },
      link('l', '..'),
      { name: 'd/', type: '5' },
      { name: 'd/x', content: 'x' },
    )
    const changed = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
    const names = fc
      .array(fc.constantFrom('a', '..', '.', '', 'l', 'd', 'outside'), { minLength: 1, maxLength: 5 })
      .map(parts => parts.join('/'))
    const raw = fc.record({ name: names, type: fc.constantFrom('0', '1', '2', '5', 'x', 'L'), linkName: names })
    const archives = fc.oneof(
      changed.map(changes => {
        const bytes = Buffer.from(whole)
        for (const [at, byte] of changes) bytes[at] = byte
        return bytes
      }),
      fc.array(raw, { maxLength: 6 }).map(entries => rawArchive(...entries)),
    )
    await fc.assert(
      fc.asyncProperty(archives, async bytes => {
        try {
          await restored(bytes)
        } catch (error) {
          if (!(error instanceof FileWorkFailed)) throw error
        }
        expect(toldTree(join(root, 'outside'))).toEqual(before)
      }),
      { numRuns: 150 },
    )
  })
})

/** Text that does not compress. */
function randomText(length: number): string {
  let state = 7
  return Array.from({ length }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return String.fromCharCode((state >> 8) & 0xff)
  }).join('')
}

function damaged(bytes: Buffer): Buffer {
  bytes.fill(0xff, 1_000, 1_100)
  return bytes
}
