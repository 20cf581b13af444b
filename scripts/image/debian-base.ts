// Layers out of Debian packages named by hash. The lowest has the libraries that Node is linked with, HAProxy and nginx with theirs, certificates and time
// zones; one of its own has what mounts NFS, which few nodes need anew when the rest is renewed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { PartUnavailable } from '../../test/real/cache.ts'
import { aptOptions, type Suite } from '../../test/real/control-plane/debian.ts'
import { readIfThere, writeWhole } from './kept-file.ts'
import type { LayerEntry } from './layer.ts'
import { type Platform, platforms } from './platforms.ts'
import { tarEntries } from './tar-file.ts'

const lockedDebian = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9+.-]*$/),
  version: z.string().regex(/^[\w.+~:-]+$/),
  architecture: z.enum(['amd64', 'arm64', 'all']),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})
const baseLock = z.strictObject({
  suite: z.enum(['trixie']),
  /** Seconds since 1970: how old the files of the base and of Node are said to be, so that those layers stay the same over releases. */
  date: z.int().min(0),
  packages: z.array(lockedDebian).min(1),
})

export type BaseLock = z.infer<typeof baseLock>
export type DebianPackage = z.infer<typeof lockedDebian>

/** What a base is made of, of the packages that `deploy/image/base.lock` names. */
const ofBase = [
  ...['libc6', 'libgcc-s1', 'libstdc++6', 'gcc-14-base', 'ca-certificates', 'tzdata', 'base-files'],
  // The gateway's data plane, and what it is linked with.
  ...['haproxy', 'libcrypt1', 'libjemalloc2', 'liblua5.4-0', 'libopentracing-c-wrapper0t64', 'libopentracing1'],
  ...['libpcre2-8-0', 'libssl3t64', 'libzstd1', 'zlib1g'],
  // The mirror's, which is linked with a part of these.
  'nginx',
]

/** What mounts NFS and copies volumes, and what that is linked with beside the base. */
const ofMounts = [
  ...['mount', 'nfs-common', 'libmount1', 'libblkid1', 'libselinux1', 'libtirpc3t64', 'libtirpc-common', 'netbase'],
  ...['libgssapi-krb5-2', 'libkrb5-3', 'libk5crypto3', 'libkrb5support0', 'libcom-err2', 'libkeyutils1'],
  ...['coreutils', 'tar', 'libacl1', 'libattr1'],
]

/** @throws Error naming what is wrong in the file */
export function readBaseLock(file: string): BaseLock {
  return baseLock.parse(JSON.parse(readFileSync(file, 'utf8')))
}

/** The packages of a platform. */
export function packagesFor({ architecture }: Platform, lock: BaseLock): readonly DebianPackage[] {
  return lock.packages.filter(one => one.architecture === 'all' || one.architecture === architecture)
}

/** What the mirror has today, for a new lock file. */
export async function newestBase(cache: string, date: number): Promise<BaseLock> {
  const suite = 'trixie'
  const packages = new Map<string, DebianPackage>()
  for (const { architecture } of platforms) {
    const state = stateDirectory(cache, suite, architecture)
    rmSync(state, { recursive: true, force: true })
    const options = await aptOptions(suite, state, architecture)
    for (const name of [...ofBase, ...ofMounts]) {
      const shown = run('apt-cache', [...options, 'show', '--no-all-versions', name]).toString('utf8')
      const field = (key: string) => new RegExp(`^${key}: (.+)$`, 'm').exec(shown)?.[1]
      const found = lockedDebian.parse({
        name,
        version: field('Version'),
        architecture: field('Architecture'),
        sha256: field('SHA256'),
      })
      packages.set(`${found.name} ${found.architecture}`, found)
    }
  }
  return { suite, date, packages: [...packages].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one) }
}

function stateDirectory(cache: string, suite: Suite, architecture: string): string {
  const directory = join(cache, `debian-${suite}-${architecture}`)
  mkdirSync(directory, { recursive: true })
  return directory
}

/**
 * The files of the base. Packages come out of `cache`, else from the mirror that this machine's apt knows.
 * @throws Error where a package is not to be had (any more), or is not the one that the lock names
 */
export async function baseEntries(platform: Platform, lock: BaseLock, cache: string): Promise<ReadonlyMap<string, LayerEntry>> {
  const entries = new Map<string, LayerEntry>(skeleton(platform))
  const certificates = new Map<string, Uint8Array>()
  for (const [path, entry] of await unpacked({ platform, lock, cache }, ofBase)) {
    if (entry.type === 'file' && /^usr\/share\/ca-certificates\/.+\.crt$/.test(path)) certificates.set(path, entry.content)
    else if (isWanted(path, platform)) entries.set(path, entry)
  }
  const bundle = [...certificates].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, content]) => content)
  if (bundle.length === 0) throw new Error('the package ca-certificates has no certificates')
  entries.set('etc/ssl/certs/ca-certificates.crt', { type: 'file', content: Buffer.concat(bundle) })
  return entries
}

interface Source {
  readonly platform: Platform
  readonly lock: BaseLock
  readonly cache: string
}

/** Everything of the packages of these names, with what scanners look for where there is no package manager. */
async function unpacked(
  { platform, lock, cache }: Source,
  names: readonly string[],
): Promise<readonly (readonly [string, LayerEntry])[]> {
  const packages = packagesFor(platform, lock).filter(({ name }) => names.includes(name))
  const lacking = names.filter(name => !packages.some(one => one.name === name))
  if (lacking.length > 0)
    throw new Error(
      `deploy/image/base.lock has no ${lacking.join(', ')} for ${platform.architecture}: npm run image -- --renew-base names what the mirror has`,
    )
  const found: (readonly [string, LayerEntry])[] = []
  for (const one of packages) {
    const archive = await fetchDebian(platform, one, lock.suite, cache)
    found.push(...(await contentsOf(archive)))
    const control = withArchive(archive, path => run('dpkg-deb', ['--field', path]))
    found.push([`var/lib/dpkg/status.d/${one.name}`, { type: 'file', content: control }])
  }
  return found
}

/**
 * The files by which NFS is mounted, on top of a base. They have no more rights than who starts them: only root mounts.
 * @throws Error as `baseEntries`
 */
export async function mountEntries(platform: Platform, lock: BaseLock, cache: string): Promise<ReadonlyMap<string, LayerEntry>> {
  // By this path mount(8) looks for what mounts a type.
  const entries = new Map<string, LayerEntry>([['sbin', { type: 'link', target: 'usr/sbin' }]])
  for (const [path, entry] of await unpacked({ platform, lock, cache }, ofMounts))
    if (isForMounts(path, platform)) entries.set(path, entry)
  return entries
}

const mountLibraries = /^lib(mount|blkid|selinux|tirpc|gssapi_krb5|krb5|k5crypto|krb5support|com_err|keyutils|acl|attr)\.so\.\d/

/** What the driver of NFS starts, by its name or by way of mount(8). */
export const mountPrograms: readonly string[] = [
  ...['chmod', 'cp', 'mkfifo', 'mount', 'stat', 'tar', 'umount'].map(name => `usr/bin/${name}`),
  ...['mount.nfs', 'mount.nfs4', 'umount.nfs', 'umount.nfs4'].map(name => `usr/sbin/${name}`),
]

/** Programs that our agents start, their libraries, and the tables by which RPC knows protocols. */
function isForMounts(path: string, { triplet }: Platform): boolean {
  return (
    mountPrograms.includes(path) ||
    /^etc\/(netconfig|protocols|rpc|services)$/.test(path) ||
    (path.startsWith(`usr/lib/${triplet}/`) && mountLibraries.test(path.split('/').at(-1) ?? '')) ||
    isPaper(path)
  )
}

/** Licences, and what says which package was unpacked. */
const isPaper = (path: string): boolean =>
  path.startsWith('var/lib/dpkg/status.d/') || /^usr\/share\/doc\/[^/]+(\/copyright)?$/.test(path)

const user = { name: 'nonroot', id: 65532 } as const

function skeleton({ linker: [asked, real] }: Platform): ReadonlyMap<string, LayerEntry> {
  const text = (content: string): LayerEntry => ({ type: 'file', content: Buffer.from(content) })
  return new Map<string, LayerEntry>([
    ['lib', { type: 'link', target: 'usr/lib' }],
    [asked, { type: 'link', target: real }],
    ['tmp', { type: 'directory', isShared: true }],
    ['etc/passwd', text(`root:x:0:0:root:/root:/sbin/nologin\n${user.name}:x:${user.id}:${user.id}::/tmp:/sbin/nologin\n`)],
    ['etc/group', text(`root:x:0:\n${user.name}:x:${user.id}:\n`)],
    ['etc/nsswitch.conf', text('hosts: files dns\n')],
    ['etc/os-release', { type: 'link', target: '../usr/lib/os-release' }],
  ])
}

const ofNode = 'c|m|dl|pthread|rt|resolv|nss_dns|nss_files|gcc_s|stdc\\+\\+'
const ofHaproxy = 'crypt|crypto|ssl|jemalloc|lua5\\.4|opentracing|opentracing-c-wrapper|pcre2-8|z|zstd'
const libraries = new RegExp(`^(ld-linux-.+|lib(${ofNode}|${ofHaproxy}))\\.so(\\.\\d+)*$`)

/** Shared objects of C, C++ and the compiler, HAProxy, nginx and what they are linked with, zones, licences: no other programs, no character set tables. */
function isWanted(path: string, { triplet }: Platform): boolean {
  return (
    path === 'usr/lib/os-release' ||
    path === 'usr/sbin/haproxy' ||
    path === 'usr/sbin/nginx' ||
    path.startsWith('usr/share/zoneinfo/') ||
    isPaper(path) ||
    /^usr\/lib(64)?\/ld-linux-[^/]+\.so\.\d+$/.test(path) ||
    (path.startsWith(`usr/lib/${triplet}/`) && libraries.test(path.split('/').at(-1) ?? ''))
  )
}

async function contentsOf(archive: Buffer): Promise<ReadonlyMap<string, LayerEntry>> {
  const tar = withArchive(archive, path => run('dpkg-deb', ['--fsys-tarfile', path]))
  const found = new Map<string, LayerEntry>()
  for await (const { header, content } of tarEntries(tar)) {
    const path = header.name.replace(/^\.\//, '').replace(/\/$/, '')
    const { type, linkname, mode = 0 } = header
    if (type === 'symlink' && typeof linkname === 'string') found.set(path, { type: 'link', target: linkname })
    else if (type === 'link' && typeof linkname === 'string') found.set(path, sameAs(found, linkname.replace(/^\.\//, '')))
    else if (type === 'file') found.set(path, { type: 'file', content, isProgram: (mode & 0o100) !== 0 })
  }
  return found
}

/** A second name of a file becomes a file of its own. */
function sameAs(found: ReadonlyMap<string, LayerEntry>, name: string): LayerEntry {
  const entry = found.get(name)
  if (entry === undefined) throw new Error(`a Debian package has a second name for ${name}, which is not in it`)
  return entry
}

async function fetchDebian(platform: Platform, one: DebianPackage, suite: Suite, cache: string): Promise<Buffer> {
  const kept = join(stateDirectory(cache, suite, platform.architecture), `${one.sha256}.deb`)
  const known = readIfThere(kept)
  if (known !== undefined && sha256(known) === one.sha256) return known
  const archive = await downloadDebian(platform, one, suite, cache)
  if (sha256(archive) !== one.sha256)
    throw new Error(`Debian package ${one.name} ${one.version}: its SHA-256 is ${sha256(archive)}, base.lock says ${one.sha256}`)
  writeWhole(kept, archive)
  return archive
}

/** Options of apt, or why it has no lists. */
async function optionsOrWhy(suite: Suite, state: string, architecture: string): Promise<readonly string[] | string> {
  try {
    return await aptOptions(suite, state, architecture)
  } catch (error) {
    if (error instanceof PartUnavailable) return error.message
    throw error
  }
}

async function downloadDebian(platform: Platform, one: DebianPackage, suite: Suite, cache: string): Promise<Buffer> {
  const state = stateDirectory(cache, suite, platform.architecture)
  const directory = mkdtempSync(join(tmpdir(), 'ballast-debian-'))
  try {
    let said = ''
    // The lists may be older than what the mirror has now.
    for (const isFresh of [false, true]) {
      if (isFresh) rmSync(join(state, 'apt', 'updated'), { force: true })
      const options = await optionsOrWhy(suite, state, platform.architecture)
      if (typeof options === 'string') {
        said = options
        continue
      }
      const { status, stderr, error } = spawnSync('apt-get', [...options, 'download', `${one.name}=${one.version}`], {
        cwd: directory,
        encoding: 'utf8',
      })
      said = error?.message ?? stderr.trim()
      const [file] = status === 0 ? globSync('*.deb', { cwd: directory }) : []
      if (file !== undefined) return readFileSync(join(directory, file))
    }
    throw new Error(
      `Debian package ${one.name} ${one.version} (${one.architecture}) of ${suite} cannot be had: ${said}. Offline? Then fill ${cache} on a machine that is not. Gone from the mirror? Then renew deploy/image/base.lock: npm run image -- --renew-base`,
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** dpkg-deb reads files only. */
function withArchive<T>(archive: Buffer, use: (path: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-deb-'))
  try {
    const path = join(directory, 'package.deb')
    writeFileSync(path, archive)
    return use(path)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const mostOutput = 256 * 2 ** 20

function run(program: string, args: readonly string[]): Buffer {
  const { status, stdout, stderr, error } = spawnSync(program, args, { maxBuffer: mostOutput })
  if (error !== undefined) throw new Error(`${program}: ${error.message}; the base of the image is made of Debian packages`)
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr.toString('utf8').trim()}`)
  return stdout
}
