import { describe, expect, test } from 'vitest'
import { shown } from './byte-text.ts'
import { nameOf, partsOf, partsOrRoot } from './relative-path.ts'

describe('a path below a root', () => {
  // biome-ignore format: a table
  test.each([
    ['a name',                    'pvc-1',          ['pvc-1']],
    ['a path',                    'media/plex',     ['media', 'plex']],
    ['dots in a name',            'foo..bar/...',   ['foo..bar', '...']],
    ['a name that is no ASCII',   'größe/日本',      ['größe', '日本']],
    ['backslashes',               'a\\b',           ['a\\b']],
  ])('%s is taken', (_name, path, parts) => expect(partsOf(path).map(shown)).toEqual(parts))

  // biome-ignore format: a table
  test.each([
    ['nothing',                   '',               'it is empty'],
    ['an absolute path',          '/etc',           'a part of it is empty'],
    ['an end with a slash',       'a/',             'a part of it is empty'],
    ['two slashes',               'a//b',           'a part of it is empty'],
    ['a dot',                     'a/./b',          'a part of it is .,'],
    ['the root as a dot',         '.',              'a part of it is .,'],
    ['a way up',                  '../etc',         'a part of it is ..'],
    ['a way up in the middle',    'a/../../etc',    'a part of it is ..'],
    ['a way up by backslashes',   'a\\..\\..\\etc', 'a part of it is ..'],
    ['NUL',                       'a\0b',           'NUL or a line break'],
    ['a line break',              'a\nb',           'NUL or a line break'],
    ['a carriage return',         'a\rb',           'NUL or a line break'],
    ['a long name',               'é'.repeat(128),  'longer than 255 bytes'],
    ['many parts',                Array(65).fill('a').join('/'), 'more than 64 parts'],
  ])('%s is refused', (_name, path, why) => {
    const refused = () => partsOf(path)
    expect(refused).toThrow(why)
    expect(refused).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH', path }))
  })

  test('an empty one is the root where a work says so', () => expect(partsOrRoot('')).toEqual([]))

  test('a name is no path', () => expect(() => nameOf('a/b')).toThrow('more than one part'))
})
