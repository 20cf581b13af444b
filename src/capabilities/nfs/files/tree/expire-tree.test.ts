// Archived folders that are old enough go, and nothing else does. What is expected is what is left.
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { quiet, Scratch } from '../testdata/trees.ts'
import { archiveTree } from './archive-tree.ts'
import { expireTree } from './expire-tree.ts'
import { survey } from './survey.ts'

const hour = 3_600_000

describe.skipIf(process.platform !== 'linux')('an archived folder', () => {
  let scratch: Scratch
  let root: string
  beforeEach(() => {
    scratch = new Scratch()
    root = scratch.directory('share')
  })
  afterEach(() => scratch[Symbol.dispose]())

  const names = () => readdirSync(root).toSorted()
  const make = (path: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), 'content')
  }
  const expire = (name: string, beforeMs: number) => expireTree({ kind: 'expireTree', root, name, beforeMs }, quiet())
  /** All of this was made now: from an hour ahead it is old, from an hour ago young. */
  const [ahead, ago] = [() => systemClock.now() + hour, () => systemClock.now() - hour]

  test('goes where nothing in it was changed since', async () => {
    make('archived-a/b/c')
    make('archived-b/c')
    expect(await expire('archived-a', ahead())).toMatchObject({ kind: 'removed' })
    expect(names()).toEqual(['archived-b'])
  })

  test('stays where something deep in it was, and says when', async () => {
    make('archived-a/b/c/d')
    const { kind, changedMs } = (await expire('archived-a', ago())) as { kind: string; changedMs: number }
    expect(kind).toBe('kept')
    expect(changedMs).toBeGreaterThan(ago())
    expect(existsSync(join(root, 'archived-a/b/c/d'))).toBe(true)
  })

  test('is as young as its own rename, however old what is in it may be', async () => {
    make('a/b')
    await systemClock.after(20)
    const betweenMs = systemClock.now()
    await systemClock.after(20)
    await archiveTree({ kind: 'archiveTree', root, path: 'a', replaces: 'refuse' }, quiet())
    expect(await expire('archived-a', betweenMs)).toMatchObject({ kind: 'kept' })
    expect(await expire('archived-a', ahead())).toMatchObject({ kind: 'removed' })
  })

  test.each(['a', 'xarchived-a', '.ballast', '', '.', '..', '/', 'archived-a/b', '../archived-a', 'archived-a\n'])(
    'is never what is called %j',
    async name => {
      make('a/b')
      make('archived-a/b')
      const end = await expire(name, ahead()).catch((error: unknown) => error)
      expect(end).toSatisfy((one: unknown) => Object(one).code === 'UNSAFE_PATH' || Object(one).kind === 'missing')
      expect(names()).toEqual(['a', 'archived-a'])
    },
  )

  test('is no link and no file of that name, and links in it lead nowhere', async () => {
    const outside = scratch.directory('outside')
    writeFileSync(join(outside, 'precious'), 'kept')
    symlinkSync(outside, join(root, 'archived-link'))
    writeFileSync(join(root, 'archived-file'), '')
    await expect(expire('archived-link', ahead())).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(expire('archived-file', ahead())).rejects.toMatchObject({ code: 'ENOTDIR' })
    mkdirSync(join(root, 'archived-a'))
    symlinkSync(outside, join(root, 'archived-a/out'))
    symlinkSync('.', join(root, 'archived-a/loop'))
    symlinkSync('../archived-a', join(root, 'archived-a/again'))
    expect(await expire('archived-a', ahead())).toMatchObject({ kind: 'removed' })
    expect(readdirSync(outside)).toEqual(['precious'])
  })

  test('whose removal was begun is removed to its end, and one that was still looked at comes back', async () => {
    make('.ballast-removed-archived-a/rest')
    make('.ballast-leaving-archived-b/all')
    make('.ballast-leaving-archived-c/all')
    make('archived-c/another')
    const { entries } = await survey({ kind: 'survey', root, limit: 10 }, quiet())
    const begun = entries.filter(({ kind }) => kind === 'removed').map(({ name }) => name)
    expect(begun).toHaveLength(3)
    // Whatever its age: what was half removed is no archive any more, and what comes back is not judged yet.
    const ends = []
    for (const name of begun) ends.push(await expire(name, 0))
    expect(ends.map(({ kind }) => kind)).toEqual(['restored', 'restored', 'removed'])
    expect(names()).toEqual(['archived-b', 'archived-c', 'archived-c-2'])
  })

  test('may have the longest name that there is', async () => {
    const longest = `archived-${'x'.repeat(246)}`
    make(`${longest}/a`)
    expect(await expire(longest, ahead())).toMatchObject({ kind: 'removed' })
    expect(names()).toEqual([])
  })

  test('of which a part may not be read is young', async () => {
    if (process.geteuid?.() === 0) return
    make('archived-a/b/c')
    chmodSync(join(root, 'archived-a/b'), 0)
    expect(await expire('archived-a', ahead())).toMatchObject({ kind: 'kept' })
    chmodSync(join(root, 'archived-a/b'), 0o700)
  })

  test('that is not there is missing', async () => {
    make('a/b')
    renameSync(join(root, 'a'), join(root, 'b'))
    expect(await expire('archived-a', ahead())).toEqual({ kind: 'missing' })
  })
})
