import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { digestOf, type LayerEntry, packLayer } from './layer.ts'
import { tarEntries } from './tar-file.ts'

const seconds = 1_790_000_000
const text = (content: string): LayerEntry => ({ type: 'file', content: Buffer.from(content) })

const entries: readonly (readonly [string, LayerEntry])[] = [
  ['bin/ballast', { type: 'link', target: '../app/ballast.mjs' }],
  ['app/ballast.mjs', { type: 'file', content: Buffer.from('1'), isProgram: true }],
  ['tmp', { type: 'directory', isShared: true }],
  ['etc/passwd', text('root')],
]

test('a layer holds its entries in the order of their paths, all of root, with the directories above them', async () => {
  const { gzip } = await packLayer(new Map(entries), seconds)
  const seen = []
  for await (const { header, content } of tarEntries(gunzipSync(gzip))) {
    expect([header.uid, header.gid, header.uname, header.gname, header.mtime?.getTime()]).toEqual([0, 0, '', '', seconds * 1000])
    seen.push([header.name, header.type, header.mode?.toString(8), header.linkname ?? content.toString('utf8')])
  }
  expect(seen).toEqual([
    ['app/', 'directory', '755', ''],
    ['app/ballast.mjs', 'file', '755', '1'],
    ['bin/', 'directory', '755', ''],
    ['bin/ballast', 'symlink', '777', '../app/ballast.mjs'],
    ['etc/', 'directory', '755', ''],
    ['etc/passwd', 'file', '644', 'root'],
    ['tmp/', 'directory', '1777', ''],
  ])
})

test('the order of the entries, and when they are packed, change nothing', async () => {
  const one = await packLayer(new Map(entries), seconds)
  const other = await packLayer(new Map(entries.toReversed()), seconds)
  expect(other).toEqual(one)
  expect(one.digest).toBe(digestOf(one.gzip))
  expect(one.diffId).toBe(digestOf(gunzipSync(one.gzip)))
})

test('another age or another byte is another layer', async () => {
  const one = await packLayer(new Map(entries), seconds)
  expect((await packLayer(new Map(entries), seconds + 1)).diffId).not.toBe(one.diffId)
  expect((await packLayer(new Map([...entries, ['etc/passwd', text('Root')]]), seconds)).diffId).not.toBe(one.diffId)
})

test('the gzip file names neither time nor system', async () => {
  const { gzip } = await packLayer(new Map(entries), seconds)
  expect([...gzip.subarray(3, 8), gzip[9]]).toEqual([0, 0, 0, 0, 0, 255])
})
