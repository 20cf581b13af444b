import { expect, test } from 'vitest'
import { folderUse, type PlacedVolume } from './folder-use.ts'

const idOf = (folder: string, uuid: string, onDelete = '') => `nas#export#${folder}#${uuid}#${onDelete}`
const at = (folder: string, uuid: string, over: Partial<PlacedVolume> & { readonly onDelete?: string } = {}): PlacedVolume => ({
  id: idOf(folder, uuid, over.onDelete),
  path: `export/${folder}`,
  isReleased: over.isReleased ?? false,
})
const released = { isReleased: true }
const own = at('all', 'a', released)

// biome-ignore format: a table
test.each<[name: string, found: readonly PlacedVolume[], use: object]>([
  ['nobody knows it',                                 [],                                                                  { kind: 'own' }],
  ['it is alone',                                     [own],                                                               { kind: 'own' }],
  ['it is alone, and not said to be released yet',    [at('all', 'a')],                                                    { kind: 'own' }],
  ['a claim has another one there',                   [own, at('all', 'b')],                                               { kind: 'shared', by: idOf('all', 'b') }],
  ['another one there goes as well',                  [own, at('all', 'b', released)],                                     { kind: 'own' }],
  ['another one there goes, and its folder is kept',  [own, at('all', 'b', { ...released, onDelete: 'retain' })],          { kind: 'shared', by: idOf('all', 'b', 'retain') }],
  ['another object has its handle',                   [own, at('all', 'a')],                                               { kind: 'shared', by: idOf('all', 'a') }],
  ['another one lies in it',                          [own, at('all/b', 'b')],                                             { kind: 'holds', by: idOf('all/b', 'b') }],
  ['what lies in it goes',                            [own, at('all/b', 'b', released)],                                   { kind: 'own' }],
  ['one is it, one lies in it',                       [own, at('all/b', 'b'), at('all', 'c')],                             { kind: 'shared', by: idOf('all', 'c') }],
  ['a volume without a driver is it',                 [own, { id: 'pv-nfs', path: 'export/all', isReleased: true }],       { kind: 'shared', by: 'pv-nfs' }],
])('%s', (_, found, use) => {
  expect(folderUse(own.id, 'export/all', found, '')).toEqual(use)
})

test('a released one whose folder the driver keeps by default stays', () => {
  const found = [own, at('all', 'b', released)]
  expect(folderUse(own.id, 'export/all', found, 'archive')).toEqual({ kind: 'shared', by: idOf('all', 'b') })
})
