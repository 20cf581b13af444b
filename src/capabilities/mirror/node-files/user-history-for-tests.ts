// Random histories of a directory of hosts files: what its owner writes, adds and deletes, our writes with changing wishes, kills, and the
// way back. After each step everything that the owner wrote last at a path is there: in its place, in the backup, or kept aside.
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect } from 'vitest'
import { silentLog } from '#kube/log.ts'
import { restoreBy } from './cleanup.ts'
import { isKilled, type Listing, mortalFiles, TestDirectory } from './directory-for-tests.ts'
import { type FileOperations, realFiles } from './file-operations.ts'
import type { ConfigurationOptions } from './options.ts'
import { writeConfigurationBy } from './writer.ts'

const names = ['docker.io', 'quay.io', '_default', 'registry.test:5000'] as const
const inside = ['hosts.toml', 'ca.crt', 'client.key', 'a/b.key'] as const
const contents = [
  "[host.'http://cache:1']\nskip_verify = true\n",
  'hello',
  '',
  "server = 'https://x'\n",
  'edited 1',
  'edited 2',
] as const

const path = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...inside)).map(parts => parts.join('/'))
const wish = fc.record({
  existing: fc.constantFrom<ConfigurationOptions['existing']>('replace', 'prepend', 'prepend-mirrored'),
  mirroredRegistries: fc.constantFrom<readonly string[]>(
    [],
    ['https://docker.io'],
    ['https://quay.io', 'http://registry.test:5000'],
  ),
  port: fc.constantFrom(30020, 30021),
})
type Wish = typeof wish extends fc.Arbitrary<infer Value> ? Value : never

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('edit' as const), path, content: fc.constantFrom(...contents) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), path }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('write' as const), wish, life: fc.option(fc.nat(30), { nil: undefined }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore' as const), life: fc.option(fc.nat(30), { nil: undefined }) }) },
)

/** Plays `runs` histories of `seed`. */
export async function histories({ seed, runs }: { readonly seed: number; readonly runs: number }): Promise<void> {
  const files = fc.array(fc.tuple(path, fc.constantFrom(...contents)), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(files, fc.array(step, { minLength: 2, maxLength: 12 }), async (first, steps) => {
      await using directory = await TestDirectory.with(Object.fromEntries(first))
      // What the owner wrote last at each path and did not delete.
      const owned = new Map<string, string>(first)
      let nowMs = 0
      for (const one of steps) {
        nowMs += 60_000
        if (one.kind === 'edit') {
          await mkdir(dirname(join(directory.path, one.path)), { recursive: true })
          await writeFile(join(directory.path, one.path), one.content)
          owned.set(one.path, one.content)
        } else if (one.kind === 'delete') {
          await rm(join(directory.path, one.path), { force: true })
          owned.delete(one.path)
        } else
          await survived(one.life, realFiles, files =>
            one.kind === 'write' ? write(files, directory, one.wish, nowMs) : restore(files, directory, nowMs),
          )
        expectAllThere(await directory.listing(), owned, JSON.stringify(one))
      }
      await restore(realFiles, directory, nowMs + 60_000)
      const end = await directory.listing()
      expectAllThere(end, owned, 'the way back')
      expect(Object.keys(end).filter(name => /^_backup|ballast/.test(name))).toEqual([])
    }),
    { seed, numRuns: runs },
  )
}

async function survived(
  life: number | undefined,
  files: FileOperations,
  act: (files: FileOperations) => Promise<unknown>,
): Promise<void> {
  try {
    await act(life === undefined ? files : mortalFiles(life).files)
  } catch (error) {
    if (!isKilled(error)) throw error
  }
}

function write(files: FileOperations, directory: TestDirectory, { existing, mirroredRegistries, port }: Wish, nowMs: number) {
  return writeConfigurationBy(files, {
    registryConfigPath: directory.path,
    mirroredRegistries,
    mirrorTargets: [`http://10.0.0.7:${port}`],
    resolveTags: true,
    dialTimeout: '200ms',
    basicAuth: undefined,
    existing,
    nowMs,
    log: silentLog,
  })
}

function restore(files: FileOperations, directory: TestDirectory, nowMs: number) {
  return restoreBy(files, { registryConfigPath: directory.path, nowMs, log: silentLog })
}

function expectAllThere(listing: Listing, owned: ReadonlyMap<string, string>, after: string): void {
  for (const [name, content] of owned) {
    const kept = Object.keys(listing).filter(
      path => /^(_backup(\.ballast-old)?\/)?(_kept\/[^/]+\/)?/.exec(path) !== null && path.endsWith(`/${name}`),
    )
    const places = [name, ...kept].map(path => listing[path])
    expect(places, `${name} after ${after}`).toContain(content)
  }
}
