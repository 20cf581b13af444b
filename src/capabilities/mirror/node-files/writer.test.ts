import { chmod, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Log, silentLog } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { cleanUp } from './cleanup.ts'
import { type Listing, TestDirectory } from './directory-for-tests.ts'
import { FileFault, realFiles } from './file-operations.ts'
import type { ConfigurationOptions } from './options.ts'
import { writeConfiguration, writeConfigurationBy } from './writer.ts'

const options = (directory: TestDirectory, changed: Partial<ConfigurationOptions> = {}): ConfigurationOptions => ({
  registryConfigPath: directory.path,
  mirroredRegistries: [],
  mirrorTargets: ['http://127.0.0.1:5000'],
  resolveTags: true,
  dialTimeout: '200ms',
  basicAuth: undefined,
  existing: 'replace',
  nowMs: 0,
  log: silentLog,
  ...changed,
})

const restore = (directory: TestDirectory) =>
  cleanUp({
    registryConfigPath: directory.path,
    nowMs: 0,
    address: undefined,
    signal: new AbortController().signal,
    log: silentLog,
  })

const ours = "[host.'http://127.0.0.1:5000']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'"
const hub = "server = 'https://registry-1.docker.io'\n\n"
const theirs =
  "[host.'http://example.com:30020']\ncapabilities = ['pull', 'resolve']\nclient = ['/etc/x/client.cert', '/etc/x/client.key']"

const twoRegistries: Listing = { 'docker.io/hosts.toml': "hello = 'world'", 'ghcr.io/hosts.toml': "foo = 'bar'\n" }

test('case 19: what was there is set aside, one file is written, cleanup brings it back byte for byte', async () => {
  await using directory = await TestDirectory.with(twoRegistries)
  await writeConfiguration(options(directory))
  expect(await directory.listing()).toEqual({
    '_backup/docker.io/hosts.toml': "hello = 'world'",
    '_backup/ghcr.io/hosts.toml': "foo = 'bar'\n",
    '_default/hosts.toml': ours,
  })
  await restore(directory)
  expect(await directory.listing()).toEqual(twoRegistries)
})

describe('upstream has the same files', () => {
  test.each<[string, Listing, Partial<ConfigurationOptions>, Listing]>([
    [
      'a backup that is there wins; what lies beside it is somebody’s and stays, where upstream deletes it',
      { '_backup/docker.io/hosts.toml': 'a = 1', 'test.txt': 'test', 'foo/x': 'bar' },
      { mirroredRegistries: ['https://docker.io'] },
      { '_backup/docker.io/hosts.toml': 'a = 1', 'docker.io/hosts.toml': `${hub}${ours}`, 'test.txt': 'test', 'foo/x': 'bar' },
    ],
    ['an empty directory gets an empty backup', {}, {}, { '_backup/': '', '_default/hosts.toml': ours }],
    [
      'hosts that were there come after ours, with the files they name',
      {
        'docker.io/hosts.toml': `server = 'https://old'\n\n${theirs}`,
        'docker.io/hello.txt': 'Hello World',
        'docker.io/nested/cert.tls': 'Foo Bar',
        'quay.io/hosts.toml': theirs,
      },
      { mirroredRegistries: ['https://docker.io', 'http://foo.bar:5000'], existing: 'prepend-mirrored' },
      {
        '_backup/docker.io/hosts.toml': `server = 'https://old'\n\n${theirs}`,
        '_backup/docker.io/hello.txt': 'Hello World',
        '_backup/docker.io/nested/cert.tls': 'Foo Bar',
        '_backup/quay.io/hosts.toml': theirs,
        'docker.io/hosts.toml': `${hub}${ours}\n\n${theirs}`,
        'docker.io/hello.txt': 'Hello World',
        'docker.io/nested/cert.tls': 'Foo Bar',
        'foo.bar:5000/hosts.toml': `server = 'http://foo.bar:5000'\n\n${ours}`,
      },
    ],
    [
      'without hosts no files are kept',
      { 'docker.io/hosts.toml': "hello = 'world'", 'docker.io/ca.crt': 'x' },
      { mirroredRegistries: ['https://docker.io'], existing: 'prepend-mirrored' },
      {
        '_backup/docker.io/hosts.toml': "hello = 'world'",
        '_backup/docker.io/ca.crt': 'x',
        'docker.io/hosts.toml': `${hub}${ours}`,
      },
    ],
  ])('%s', async (_, before, changed, after) => {
    await using directory = await TestDirectory.with(before)
    await writeConfiguration(options(directory, changed))
    expect(await directory.listing()).toEqual(after)
  })
})

describe('ours: what was configured stays', () => {
  test('other registries keep their directories and certificates', async () => {
    const before = { 'quay.io/hosts.toml': theirs, 'registry.test:5000/ca.crt': 'x', 'docker.io/ca.crt': 'y' }
    await using directory = await TestDirectory.with(before)
    await writeConfiguration(options(directory, { mirroredRegistries: ['https://docker.io'], existing: 'prepend' }))
    const { 'docker.io/hosts.toml': written, ...rest } = withoutBackup(await directory.listing())
    expect(written).toBe(`server = 'https://registry-1.docker.io'\nca = ['ca.crt']\n\n${ours}`)
    expect(rest).toEqual(before)
  })

  test('while all registries are mirrored, ours go before the hosts of each; its last resort and certificates stay', async () => {
    const certificates = { 'registry.test:5000/ca.crt': 'x', 'registry.test:5000/a.cert': 'y', 'registry.test:5000/a.key': 'z' }
    const before = { 'quay.io/hosts.toml': `server = 'https://cache'\n\n${theirs}`, ...certificates }
    await using directory = await TestDirectory.with(before)
    await writeConfiguration(options(directory, { existing: 'prepend' }))
    expect(withoutBackup(await directory.listing())).toEqual({
      '_default/hosts.toml': ours,
      'quay.io/hosts.toml': `server = 'https://cache'\n\n${ours}\n\n${theirs}`,
      'registry.test:5000/hosts.toml': `ca = ['ca.crt']\nclient = [['a.cert', 'a.key']]\n\n${ours}`,
      ...certificates,
    })
  })

  test('a host that is ours already does not stand twice: containerd would take the file for none', async () => {
    await using directory = await TestDirectory.with({ '_default/hosts.toml': `${ours}\n\n${theirs}\n` })
    await writeConfiguration(options(directory, { existing: 'prepend' }))
    expect((await directory.listing())['_default/hosts.toml']).toBe(`${ours}\n\n${theirs}`)
  })

  test('a file that is no TOML is taken for none, told, and stays in the backup', async () => {
    await using directory = await TestDirectory.with({ 'docker.io/hosts.toml': 'hello' })
    const warnings: string[] = []
    const log: Log = { ...silentLog, warn: (_, message) => warnings.push(message) }
    await writeConfiguration(options(directory, { mirroredRegistries: ['https://docker.io'], existing: 'prepend', log }))
    expect(await directory.listing()).toEqual({
      '_backup/docker.io/hosts.toml': 'hello',
      'docker.io/hosts.toml': `${hub}${ours}`,
    })
    expect(warnings.join()).toMatch(/^docker\.io\/hosts\.toml cannot be read .*stays in the backup/)
  })

  test('a key stays as private as it was', async () => {
    await using directory = await TestDirectory.with({ 'docker.io/hosts.toml': theirs, 'docker.io/client.key': 'k' })
    await chmod(join(directory.path, 'docker.io/client.key'), 0o600)
    await writeConfiguration(options(directory, { mirroredRegistries: ['https://docker.io'], existing: 'prepend' }))
    expect(await modeOf(directory, 'docker.io/client.key')).toBe(0o600)
    expect(await modeOf(directory, 'docker.io/hosts.toml')).toBe(0o644)
    expect(await modeOf(directory, 'docker.io')).toBe(0o755)
  })
})

test('case 35 of packaging: after theirs and ours the first configuration comes back, and nothing else', async () => {
  const user = { 'docker.io/hosts.toml': theirs, 'docker.io/client.key': 'secret' }
  await using directory = await TestDirectory.with(user)
  await chmod(join(directory.path, 'docker.io/client.key'), 0o600)
  await writeConfiguration(options(directory, { mirrorTargets: ['http://10.0.0.7:30021'] }))
  await writeConfiguration(options(directory, { existing: 'prepend', mirroredRegistries: ['https://ghcr.io'] }))
  await restore(directory)
  expect(await directory.listing()).toEqual(user)
  expect(await modeOf(directory, 'docker.io/client.key')).toBe(0o600)
  await restore(directory)
  expect(await directory.listing()).toEqual(user)
})

test('links and empty directories come back as they were', async () => {
  const before = { 'docker.io/': '', 'a/hosts.toml': '-> ../real.toml', 'real.toml': theirs }
  await using directory = await TestDirectory.with(before)
  await writeConfiguration(options(directory))
  await restore(directory)
  expect(await directory.listing()).toEqual(before)
})

test('the same again writes nothing', async () => {
  await using directory = await TestDirectory.with(twoRegistries)
  const wish = options(directory, { existing: 'prepend', mirroredRegistries: ['https://docker.io', 'https://quay.io'] })
  const first = await writeConfiguration(wish)
  const before = await stat(join(directory.path, 'docker.io/hosts.toml'))
  const second = await writeConfiguration(wish)
  const after = await stat(join(directory.path, 'docker.io/hosts.toml'))
  expect(second).toMatchObject({ written: [], removed: [], digest: first.digest })
  expect(after.ino).toBe(before.ino)
})

test('a wrong argument is told before a file is touched', async () => {
  await using directory = await TestDirectory.with(twoRegistries)
  await expect(writeConfiguration(options(directory, { mirroredRegistries: ['https://ghcr.io/x'] }))).rejects.toThrow(InputError)
  await expect(writeConfiguration({ ...options(directory), registryConfigPath: 'certs.d' })).rejects.toThrow(InputError)
  expect(await directory.listing()).toEqual(twoRegistries)
})

test('a full disk: the old file is intact, no draft is left, the path is named', async () => {
  await using directory = await TestDirectory.with()
  await writeConfiguration(options(directory))
  const full = {
    ...realFiles,
    write: async (path: string) => {
      throw new FileFault('write:', path, new Error('no space is left on the device'))
    },
  }
  const failed = writeConfigurationBy(full, options(directory, { mirrorTargets: ['http://10.0.0.7:1'] }))
  await expect(failed).rejects.toThrow('_ballast-record.json')
  expect(await directory.listing()).toEqual({ '_backup/': '', '_default/hosts.toml': ours })
})

test('a path that cannot be made is named', async () => {
  await using directory = await TestDirectory.with({ file: 'x' })
  const path = join(directory.path, 'file/certs.d')
  await expect(writeConfiguration({ ...options(directory), registryConfigPath: path })).rejects.toThrow(`make directory: ${path}`)
})

test('a directory that is not there is made', async () => {
  await using directory = await TestDirectory.with()
  await mkdir(join(directory.path, 'etc'))
  const registryConfigPath = join(directory.path, 'etc/containerd/certs.d')
  await writeConfiguration({ ...options(directory), registryConfigPath })
  expect(await directory.listing()).toEqual({
    'etc/containerd/certs.d/_backup/': '',
    'etc/containerd/certs.d/_default/hosts.toml': ours,
  })
})

function withoutBackup(listing: Listing): Listing {
  return Object.fromEntries(Object.entries(listing).filter(([path]) => !path.startsWith('_backup/')))
}

async function modeOf(directory: TestDirectory, path: string): Promise<number> {
  return (await stat(join(directory.path, path))).mode & 0o777
}
