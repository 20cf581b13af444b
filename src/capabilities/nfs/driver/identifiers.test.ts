import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readSnapshotId, sourceOf, writeSnapshotId } from './snapshot-id.ts'
import { policyOf, readVolumeId, type VolumeId, writeVolumeId } from './volume-id.ts'

const volume = (over: Partial<VolumeId>): VolumeId => ({
  server: 'nas',
  share: 'export',
  subDir: 'pvc-1',
  uuid: '',
  onDelete: '',
  ...over,
})

describe('an identifier of a volume', () => {
  // biome-ignore format: a table
  test.each([
    [volume({ server: '//nas.local', share: 'share', subDir: 'subdir', uuid: 'pv-name' }), 'nas.local#share#subdir#pv-name#'],
    [volume({}), 'nas#export#pvc-1##'],
    [volume({ share: '/' }), 'nas##pvc-1##'],
    [volume({ share: '/export/', subDir: '/team/data/', uuid: 'pvc-1', onDelete: 'retain' }), 'nas#export#team/data#pvc-1#retain'],
    [volume({ onDelete: 'Retain' }), 'nas#export#pvc-1##Retain'],
    [volume({ onDelete: 'ARCHIVE' }), 'nas#export#pvc-1##ARCHIVE'],
    [volume({ onDelete: 'delete' }), 'nas#export#pvc-1##'],
  ])('is written byte for byte: %j', (of, written) => {
    expect(writeVolumeId(of)).toBe(written)
  })

  // biome-ignore format: a table
  test.each([
    ['nas#export#pvc-1##', volume({})],
    ['nas#export#pvc-1', volume({})],
    ['s#b#v#u#retain#extra', { server: 's', share: 'b', subDir: 'v', uuid: 'u', onDelete: 'retain' }],
    ['test-server/test-base-dir/foo..bar/passwd', { server: 'test-server', share: 'test-base-dir/foo..bar', subDir: 'passwd', uuid: '', onDelete: '' }],
    ['nas/export/pvc-1', volume({})],
  ])('is read: %s', (id, read) => {
    expect(readVolumeId(id)).toEqual(read)
  })

  // biome-ignore format: a table
  test.each([
    ['', /could not split/], ['s', /could not split/], ['s#b', /could not split/], ['s/b', /could not split/],
    ['s#b#../x#u#', /invalid subDir/], ['s#../b#v#u#', /invalid share/], ['s#b#v#../x#', /invalid uuid/], ['s#b#a\\..\\b##', /invalid subDir/], ['s/../x', /invalid share/],
    ['s#b#a\nb##', /control character/], ['s#b#a\0b##', /control character/],
  ])('that says nothing is told: %j', (id, problem) => {
    expect(readVolumeId(id)).toEqual({ problem: expect.stringMatching(problem) })
  })

  test('comes back as it was written', () => {
    const segment = fc.stringMatching(/^[a-z0-9.-]{1,8}$/).filter(text => text !== '..')
    const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map(parts => parts.join('/'))
    fc.assert(
      fc.property(
        segment.map(text => `s${text}`),
        path,
        path,
        segment,
        fc.constantFrom('', 'retain', 'archive', 'Retain'),
        (server, share, subDir, uuid, onDelete) => {
          const of = { server, share, subDir, uuid, onDelete }
          expect(readVolumeId(writeVolumeId(of))).toEqual(of)
        },
      ),
    )
  })
})

test('what is done with the folder: the identifier says, else the driver', () => {
  const outcomes = ['', 'delete', 'Retain', 'ARCHIVE', 'keep'].map(word => policyOf(word, 'archive'))
  expect(outcomes).toEqual(['archive', 'delete', 'retain', 'archive', undefined])
})

describe('an identifier of a snapshot', () => {
  test('names the folder twice, and what is in the archive', () => {
    const id = writeSnapshotId({ server: 'nas', share: '/export', name: 'snapshot-1', source: 'pvc-1' })
    expect(id).toBe('nas#export#snapshot-1#snapshot-1#pvc-1')
    expect(readSnapshotId(id)).toEqual({ server: 'nas', share: 'export', name: 'snapshot-1', source: 'pvc-1' })
  })

  test.each([['a#b#c#d'], ['a#b#c#d#e#f'], ['a#..#c#c#e'], ['a#b#../c#c#e'], ['a#b#c#c#../e'], ['']])('says nothing: %s', id => {
    expect(readSnapshotId(id)).toEqual({ problem: expect.any(String) })
  })

  test('is called after the volume, else after its folder', () => {
    expect([sourceOf(volume({ uuid: 'pv' })), sourceOf(volume({}))]).toEqual(['pv', 'pvc-1'])
  })
})
