// Works on files whose worker is killed before and after each call that changes something, and done again: the tree is as if nothing had happened, and at no
// moment is there half of an archive under the name of a whole one.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import type { AnyFileWork } from '../src/capabilities/nfs/files/file-work.ts'
import { pack } from '../src/capabilities/nfs/files/tar/pack.ts'
import { verify } from '../src/capabilities/nfs/files/tar/verify.ts'
import { makeTree, plenty, quiet, Scratch, toldTree } from '../src/capabilities/nfs/files/testdata/trees.ts'
import { survey } from '../src/capabilities/nfs/files/tree/survey.ts'
import { shareOf } from './crash-harness.ts'

const program = join(import.meta.dirname, 'nfs-files-killed-process.ts')

interface Ended {
  readonly isKilled: boolean
  /** Calls that change something, where it was not killed. */
  readonly calls: number
}

/** Does a work in a process that ends at a call; without one it is done to its end. */
async function done(work: AnyFileWork, kill?: { readonly nth: number; readonly when: string }): Promise<Ended> {
  const words = kill === undefined ? [] : [String(kill.nth), kill.when]
  const child = fork(program, words, { env: {}, stdio: ['ignore', 'pipe', 'inherit', 'ipc'], detached: true })
  const { stdout } = child
  if (stdout === null) throw new TypeError('a pipe was asked for')
  // A child that its parent has disconnected from tells no `close`.
  const closed = Promise.all([once(child, 'exit'), once(stdout, 'end')])
  let told = ''
  stdout.on('data', chunk => {
    told += chunk
  })
  child.send(work)
  const answers: unknown[] = []
  child.on('message', (answer: { readonly kind: string }) => {
    // On a busy machine a work takes a second, and says how far it is.
    if (answer.kind === 'progress') return
    answers.push(answer)
    child.disconnect()
  })
  await closed
  if (answers.length > 0) expect(answers).toEqual([expect.objectContaining({ kind: 'result' })])
  return { isKilled: answers.length === 0, calls: Number(told) }
}

const tree = [
  { path: 'pvc-1', kind: 'directory', mode: 0o2775, mtime: 1_000_000_000 },
  { path: 'pvc-1/a', kind: 'file', content: 'text', mode: 0o640, mtime: 1_000_000_001 },
  { path: 'pvc-1/d', kind: 'directory', mode: 0o1777, mtime: 1_000_000_002 },
  { path: 'pvc-1/d/link', kind: 'symlink', content: '../a', mtime: 1_000_000_003 },
  { path: 'pvc-1/d/e', kind: 'directory', mode: 0o700, mtime: 1_000_000_004 },
  { path: 'pvc-1/d/e/f', kind: 'file', content: 'x'.repeat(300_000), mtime: 1_000_000_005 },
] as const

describe.skipIf(process.platform !== 'linux')('a worker that is killed', () => {
  let scratch: Scratch
  beforeAll(async () => {
    scratch = new Scratch()
    const root = scratch.directory('start')
    makeTree(root, tree)
    mkdirSync(join(root, 'pvc-2'))
    const into = { root, directory: 'snap', name: 'pvc-1' }
    await pack({ kind: 'pack', root, path: 'pvc-1', into, compression: 'none' }, quiet())
    makeTree(root, [{ path: 'ns/team', kind: 'directory' }, ...tree.map(entry => ({ ...entry, path: `ns/team/${entry.path}` }))])
  })
  afterAll(() => scratch[Symbol.dispose]())

  // biome-ignore format: a table
  test.each<[name: string, work: (root: string) => AnyFileWork]>([
    ['makes a directory',       root => ({ kind: 'makeDirectory', root, path: 'x/y/z', mode: 0o2770 })],
    ['removes a tree',          root => ({ kind: 'removeTree', root, path: 'ns/team/pvc-1' })],
    ['archives a tree',         root => ({ kind: 'archiveTree', root, path: 'ns/team/pvc-1', replaces: 'remove' })],
    ['packs a tree',            root => ({ kind: 'pack', root, path: 'pvc-1', into: { root, directory: 'new/snap', name: 'pvc-1' }, compression: 'gzip' })],
    ['packs a tree, plain',     root => ({ kind: 'pack', root, path: 'pvc-1', into: { root, directory: 'new/snap', name: 'pvc-1' }, compression: 'none' })],
    ['writes a record',         root => ({ kind: 'writeRecord', root, path: 'records/of/a', text: 'words' })],
    ['renames a directory',     root => ({ kind: 'rename', root, from: 'ns/team/pvc-1', to: 'pvc-9' })],
    ['restores an archive',     root => ({ kind: 'unpack', archive: { root, path: 'snap/pvc-1.tar' }, root, path: 'pvc-2', limits: plenty })],
  ])('when it %s is of no consequence once it is done again', async (_name, workIn) => {
    using places = new Scratch()
    const place = (name: string) => {
      const root = join(places.path, name)
      cpSync(join(scratch.path, 'start'), root, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
      return root
    }
    const whole = place('whole')
    const { calls } = await done(workIn(whole))
    const expected = await stateOf(whole)
    expect(expected).not.toEqual(await stateOf(join(scratch.path, 'start')))
    expect(calls).toBeGreaterThan(2)
    const kills = Array.from({ length: calls }, (_, index) => ['before', 'after'].map(when => ({ nth: index + 1, when }))).flat()
    for (const kill of shareOf(kills)) {
      const root = place(`killed-${kill.nth}-${kill.when}`)
      expect((await done(workIn(root), kill)).isKilled, `${kill.when} call ${kill.nth} of ${calls}`).toBe(true)
      await checkArchives(root)
      await done(workIn(root))
      expect(await stateOf(root), `${kill.when} call ${kill.nth} of ${calls}`).toEqual(expected)
    }
  })
})

describe.skipIf(process.platform !== 'linux')('a worker that is killed while it removes an old archive', () => {
  test('leaves what the next look ends or takes back, and touches no other', async () => {
    using places = new Scratch()
    const young = { path: 'archived-young', kind: 'directory' } as const
    const place = (name: string) => {
      const root = places.directory(name)
      const old = tree.map(entry => ({ ...entry, path: entry.path.replace('pvc-1', 'archived-old') }))
      makeTree(root, [...old, young, { path: 'archived-young/kept', kind: 'file', content: 'kept' }])
      return root
    }
    // Everything was made a moment ago: it is old to whoever looks from tomorrow.
    const beforeMs = systemClock.now() + 86_400_000
    const expire = (root: string, name: string): AnyFileWork => ({ kind: 'expireTree', root, name, beforeMs })
    const whole = place('whole')
    const { calls } = await done(expire(whole, 'archived-old'))
    const expected = await stateOf(whole)
    expect(readdirSync(whole)).toEqual(['archived-young'])
    const kills = Array.from({ length: calls }, (_, index) => ['before', 'after'].map(when => ({ nth: index + 1, when }))).flat()
    for (const kill of kills) {
      const root = place(`killed-${kill.nth}-${kill.when}`)
      expect((await done(expire(root, 'archived-old'), kill)).isKilled).toBe(true)
      // As the controller does: what was begun is ended or taken back, then archives are judged.
      for (let round = 0; round < 2; round++) {
        const { entries } = await survey({ kind: 'survey', root, limit: 100 }, quiet())
        for (const { name } of entries.filter(one => one.kind === 'removed')) await done(expire(root, name))
        if (existsSync(join(root, 'archived-old'))) await done(expire(root, 'archived-old'))
      }
      expect(await stateOf(root), `${kill.when} call ${kill.nth} of ${calls}`).toEqual(expected)
    }
  })
})

/** The tree, but for times that are those of the run, and what an archive holds in place of its bytes. */
async function stateOf(root: string): Promise<readonly string[]> {
  const lines = toldTree(root).map(line => {
    const [path = '', kind, bits, owner, time = '', content] = line.split(' ')
    // Old times are restored ones.
    const isRestored = Number(time) < 1_100_000_000e6
    return [path, kind, bits, owner, isRestored ? time : 'new', path.includes('.tar') ? 'archive' : content].join(' ')
  })
  return [...lines, ...(await checkArchives(root))]
}

/** What is under the name of an archive is whole. */
async function checkArchives(root: string): Promise<readonly string[]> {
  const directories = ['snap', 'new/snap'].filter(path => existsSync(join(root, path)))
  const archives = directories.flatMap(path => readdirSync(join(root, path)).map(name => `${path}/${name}`))
  const told: string[] = []
  for (const path of archives.filter(name => !name.endsWith('.partial'))) {
    const { seal, entries, problems } = await verify({ kind: 'verify', archive: { root, path } }, quiet())
    expect([path, seal, problems]).toEqual([path, 'right', []])
    told.push(`${path}: ${entries} entries`)
  }
  return told
}
