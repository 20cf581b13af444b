// What others write into containerd's directory of hosts files after our first write is theirs: it is never gone, whatever is wished,
// whoever is killed.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLog } from '#kube/log.ts'
import { restoreBy } from './cleanup.ts'
import { type Listing, TestDirectory } from './directory-for-tests.ts'
import { isInOurHand } from './fate.ts'
import { realFiles } from './file-operations.ts'
import { lookAtEdits } from './hosts-edits.ts'
import { recordName } from './hosts-record.ts'
import type { ConfigurationOptions } from './options.ts'
import { histories } from './user-history-for-tests.ts'
import { writeConfiguration } from './writer.ts'

const at = '2026-11-22T08-33-24Z'
const nowMs = Date.parse('2026-11-22T08:33:24Z')
const ours = "[host.'http://10.0.0.7:30020']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'"

const write = (directory: TestDirectory, changed: Partial<ConfigurationOptions> = {}) =>
  writeConfiguration({
    registryConfigPath: directory.path,
    mirroredRegistries: [],
    mirrorTargets: ['http://10.0.0.7:30020'],
    resolveTags: true,
    dialTimeout: '200ms',
    basicAuth: undefined,
    existing: 'prepend',
    nowMs,
    log: silentLog,
    ...changed,
  })
const restore = (directory: TestDirectory) => restoreBy(realFiles, { registryConfigPath: directory.path, nowMs, log: silentLog })

async function edit(directory: TestDirectory, listing: Listing): Promise<void> {
  for (const [path, content] of Object.entries(listing)) {
    await mkdir(dirname(join(directory.path, path)), { recursive: true })
    await writeFile(join(directory.path, path), content)
  }
}

const added: Listing = {
  'registry.corp:5000/hosts.toml':
    "server = 'https://registry.corp:5000'\n[host.'https://cache.corp']\nclient = ['a.cert', 'a.key']\n",
  'registry.corp:5000/a.cert': 'certificate',
  'registry.corp:5000/a.key': 'key',
}

test.each(['replace', 'prepend', 'prepend-mirrored'] as const)(
  'a registry that is added after the first write stays at each start, and after the way back (%s)',
  async existing => {
    await using directory = await TestDirectory.with({ 'docker.io/ca.crt': 'x' })
    await write(directory, { existing })
    await edit(directory, added)
    const told = await write(directory, { existing })
    expect(told).toMatchObject({ removed: [], kept: [], left: [] })
    await write(directory, { existing, mirroredRegistries: ['https://ghcr.io'] })
    expect(await directory.listing()).toMatchObject(added)
    await restore(directory)
    expect(await directory.listing()).toEqual({ 'docker.io/ca.crt': 'x', ...added })
  },
)

test('an edit of ours is kept aside, once, with its mode, and ours stands again; the way back leaves it where it is found', async () => {
  await using directory = await TestDirectory.with({ '_default/hosts.toml': 'mine = 1\n' })
  await write(directory, { existing: 'replace' })
  const edited = `${ours}\nskip_verify = true\n`
  await edit(directory, { '_default/hosts.toml': edited })
  const told = await write(directory, { existing: 'replace' })
  expect(told).toMatchObject({ written: ['_default/hosts.toml'], kept: [`${at}/_default/hosts.toml`] })
  expect(await directory.listing()).toEqual({
    '_backup/_default/hosts.toml': 'mine = 1\n',
    [`_backup/_kept/${at}/_default/hosts.toml`]: edited,
    '_default/hosts.toml': ours,
  })
  // A program that writes the same again with each start has it kept once.
  await edit(directory, { '_default/hosts.toml': edited })
  expect((await write(directory, { existing: 'replace', nowMs: nowMs + 60_000 })).kept).toEqual([`${at}/_default/hosts.toml`])
  await restore(directory)
  expect(await directory.listing()).toEqual({ '_default/hosts.toml': 'mine = 1\n', [`_kept/${at}/_default/hosts.toml`]: edited })
})

test('a key that its owner renewed stays, at the next start and after the way back; the old one is kept aside', async () => {
  await using directory = await TestDirectory.with({
    'quay.io/hosts.toml': "server = 'https://quay.io'\n",
    'quay.io/client.key': 'old',
  })
  await write(directory, { mirroredRegistries: ['https://docker.io'] })
  await edit(directory, { 'quay.io/client.key': 'new' })
  expect(await write(directory, { mirroredRegistries: ['https://docker.io'] })).toMatchObject({
    left: ['quay.io/client.key'],
    kept: [],
  })
  expect((await directory.listing())['quay.io/client.key']).toBe('new')
  await restore(directory)
  expect(await directory.listing()).toEqual({
    'quay.io/hosts.toml': "server = 'https://quay.io'\n",
    'quay.io/client.key': 'new',
    [`_kept/${at}/quay.io/client.key`]: 'old',
  })
})

test('what has the bytes of ours goes when it is wanted no more, with its directory; what lies beside it stays', async () => {
  await using directory = await TestDirectory.with()
  await write(directory, { mirroredRegistries: ['https://ghcr.io', 'https://quay.io'] })
  await edit(directory, { 'quay.io/notes.txt': 'mine' })
  await write(directory)
  expect(await directory.listing()).toEqual({ '_backup/': '', '_default/hosts.toml': ours, 'quay.io/notes.txt': 'mine' })
})

test('a directory of the version before, without a record: what it wrote is ours, what it did not is not', async () => {
  const server = "server = 'https://ghcr.io'\n\n"
  const stale = ours.replace('30020', '30021')
  const files = {
    '_backup/': '',
    '_default/hosts.toml': ours,
    'ghcr.io/hosts.toml': `${server}${stale}`,
    'quay.io/hosts.toml': 'mine = 1',
  }
  await using directory = await TestDirectory.with({ ...files, ...added })
  expect(await write(directory)).toMatchObject({ written: [], removed: ['ghcr.io/hosts.toml'] })
  expect(await directory.listing()).toEqual({
    '_backup/_kept/2026-11-22T08-33-24Z/ghcr.io/hosts.toml': `${server}${stale}`,
    '_default/hosts.toml': ours,
    'quay.io/hosts.toml': 'mine = 1',
    ...added,
  })
})

test.each([
  [ours, '_default/hosts.toml', true],
  [`server = 'https://ghcr.io'\n\n${ours}`, 'ghcr.io/hosts.toml', true],
  [`server = 'https://registry-1.docker.io'\n\n${ours}`, 'docker.io/hosts.toml', true],
  [`${ours}\n\n${ours.replace('30020', '30021')}`, '_default/hosts.toml', true],
  [`${ours}\n[host.'http://10.0.0.7:30020'.header]\nAuthorization = 'Basic eA=='`, '_default/hosts.toml', true],
  [`${ours}\n`, '_default/hosts.toml', false],
  [`# mine\n${ours}`, '_default/hosts.toml', false],
  [ours.replace("'pull', 'resolve'", "'resolve', 'pull'"), '_default/hosts.toml', true],
  [`${ours}\nskip_verify = true`, '_default/hosts.toml', false],
  [ours, 'ghcr.io/other.toml', false],
  ['', '_default/hosts.toml', false],
])('%j at %s is in our hand: %s', (content, path, expected) => {
  expect(isInOurHand(path, content)).toBe(expected)
})

test.each(['', 'nonsense', '{"version":2}', '[]', '{"version":1,"files":{"docker.io/hosts.toml":{"digests":"x"}}}'])(
  'a record that says %j calls nothing ours',
  async text => {
    await using directory = await TestDirectory.with()
    await write(directory)
    await writeFile(join(directory.path, recordName), text)
    await edit(directory, { ...added, '_default/hosts.toml': 'mine = 1' })
    expect((await write(directory)).kept).toEqual([`${at}/_default/hosts.toml`])
    expect(await directory.listing()).toMatchObject(added)
    expect(await readFile(join(directory.path, recordName), 'utf8')).toContain('"isComplete": true')
    await rm(join(directory.path, recordName))
  },
)

test('what others have where ours would be a directory, or a file, stays as it is', async () => {
  await using directory = await TestDirectory.with()
  await write(directory, { mirroredRegistries: ['https://docker.io'] })
  await edit(directory, { 'ghcr.io': 'a file', 'quay.io/hosts.toml/x': 'a directory' })
  const told = await write(directory, { mirroredRegistries: ['https://ghcr.io', 'https://quay.io'] })
  expect(told.left).toEqual(['ghcr.io', 'quay.io/hosts.toml'])
  expect(await directory.listing()).toMatchObject({ 'ghcr.io': 'a file', 'quay.io/hosts.toml/x': 'a directory' })
})

test('the mirror sees what others changed and what is kept, by name alone', async () => {
  await using directory = await TestDirectory.with({ 'quay.io/client.key': 'old' })
  const edits = () => lookAtEdits(realFiles, directory.path, silentLog)
  expect(await edits()).toBeUndefined()
  await write(directory)
  expect(await edits()).toEqual({ edited: [], kept: [] })
  await edit(directory, { ...added, '_default/hosts.toml': 'mine = 1', 'quay.io/client.key': 'new' })
  expect(await edits()).toEqual({ edited: ['_default/hosts.toml'], kept: [] })
  await write(directory)
  expect(await edits()).toEqual({ edited: [], kept: [`${at}/_default/hosts.toml`] })
})

test('nothing that others wrote is ever gone: a share of the histories of the long test', async () => {
  await histories({ seed: 1, runs: 40 })
})
