import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { silentLog } from '#kube/log.ts'
import { restoreBy } from './cleanup.ts'
import { isKilled, type Listing, mortalFiles, TestDirectory } from './directory-for-tests.ts'
import { type FileOperations, realFiles } from './file-operations.ts'
import type { ConfigurationOptions } from './options.ts'
import { histories } from './user-history-for-tests.ts'
import { writeConfigurationBy } from './writer.ts'

const wish = (directory: TestDirectory, existing: ConfigurationOptions['existing']): ConfigurationOptions => ({
  registryConfigPath: directory.path,
  mirroredRegistries: ['https://docker.io', 'https://quay.io'],
  mirrorTargets: ['http://10.0.0.7:30020'],
  resolveTags: true,
  dialTimeout: '200ms',
  basicAuth: undefined,
  existing,
  nowMs: 0,
  log: silentLog,
})

const host = "[host.'http://cache:1']\nskip_verify = true\n"
const before: Listing = {
  'docker.io/hosts.toml': host,
  'docker.io/certs/ca.crt': 'ca',
  'ghcr.io/hosts.toml': host,
  'ghcr.io/client.cert': '-> ../ghcr.io/hosts.toml',
  'empty/': '',
}

type Act = (files: FileOperations, directory: TestDirectory) => Promise<unknown>

const write =
  (existing: ConfigurationOptions['existing']): Act =>
  (files, directory) =>
    writeConfigurationBy(files, wish(directory, existing))
const restore: Act = (files, directory) => restoreBy(files, { registryConfigPath: directory.path, nowMs: 0, log: silentLog })

/** Files as containerd sees them: neither the backup nor what was begun. */
const seen = (listing: Listing): Listing =>
  Object.fromEntries(Object.entries(listing).filter(([path]) => !path.startsWith('_backup') && !path.endsWith('.ballast-new')))

/** Kills before and after every change; returns how many changes there are. */
async function everyKill(prepare: Act, act: Act): Promise<number> {
  await using whole = await TestDirectory.with(before)
  await prepare(realFiles, whole)
  const old = seen(await whole.listing())
  const counted = mortalFiles(Number.POSITIVE_INFINITY)
  await act(counted.files, whole)
  const end = await whole.listing()
  const changes = counted.changes()
  for (let life = 0; life < changes; life++)
    for (const at of ['before', 'after'] as const) {
      await using directory = await TestDirectory.with(before)
      await prepare(realFiles, directory)
      await expect(act(mortalFiles(life, at).files, directory)).rejects.toSatisfy(isKilled)
      expectSuperset(seen(await directory.listing()), old, seen(end))
      await act(realFiles, directory)
      expect(await directory.listing(), `killed ${at} change ${life}`).toEqual(end)
    }
  return changes
}

/** Nothing is missing that was there, but what goes after all that comes; nothing is half. */
function expectSuperset(found: Listing, old: Listing, end: Listing): void {
  const isAllNew = Object.entries(end).every(([path, content]) => path.endsWith('/') || found[path] === content)
  for (const [path, content] of Object.entries(found)) {
    if (path.endsWith('/')) continue
    expect([old[path], end[path]], path).toContain(content)
  }
  for (const path of Object.keys(old)) if (!path.endsWith('/') && !isAllNew) expect(Object.keys(found)).toContain(path)
}

describe('whoever is killed leaves more than there was, never less, and the next run ends the same', () => {
  const none: Act = async () => undefined
  test.each<[string, Act, Act]>([
    ['the first writing', none, write('replace')],
    ['the first writing, keeping what was there', none, write('prepend')],
    ['another writing', write('prepend'), write('replace')],
    ['restoring', write('replace'), restore],
    ['restoring what was kept', write('prepend'), restore],
  ])('%s', async (_, prepare, act) => {
    expect(await everyKill(prepare, act)).toBeGreaterThan(5)
  })
})

test('a backup that was on its way out is nothing that was there before us', async () => {
  const files = { 'docker.io/hosts.toml': host }
  await using directory = await TestDirectory.with(files)
  await write('prepend')(realFiles, directory)
  // Killed when the backup has its other name and is not yet removed.
  await mkdir(join(directory.path, '_backup.ballast-old/docker.io'), { recursive: true })
  await restore(realFiles, directory)
  await mkdir(join(directory.path, '_backup.ballast-old/docker.io'), { recursive: true })
  await write('prepend')(realFiles, directory)
  await restore(realFiles, directory)
  expect(await directory.listing()).toEqual(files)
})

test('whatever was there comes back, whoever is killed whenever on the way', async () => {
  const name = fc.constantFrom('docker.io', 'quay.io', '_default', 'registry.test:5000')
  const file = fc.constantFrom('hosts.toml', 'ca.crt', 'a/b.key')
  const content = fc.constantFrom(host, 'hello', '', "server = 'https://x'\n")
  const listing = fc.array(fc.tuple(name, file, content), { maxLength: 6 })
  const kills = fc.array(fc.tuple(fc.constantFrom<Act>(write('replace'), write('prepend'), restore), fc.nat(40)), {
    maxLength: 5,
  })
  await fc.assert(
    fc.asyncProperty(listing, kills, async (entries, runs) => {
      const files = Object.fromEntries(entries.map(([directory, path, text]) => [`${directory}/${path}`, text]))
      await using directory = await TestDirectory.with(files)
      for (const [act, life] of runs) {
        try {
          await act(mortalFiles(life).files, directory)
        } catch (error) {
          if (!isKilled(error)) throw error
        }
      }
      await write('prepend')(realFiles, directory)
      await restore(realFiles, directory)
      expect(await directory.listing()).toEqual(files)
    }),
    { numRuns: 25 },
  )
})

test('nothing that others wrote is ever gone, whoever is killed whenever', async () => {
  await histories({ seed: 2, runs: 1_500 })
})
