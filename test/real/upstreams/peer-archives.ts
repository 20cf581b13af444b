// Sources of programs that the module proxy does not serve: archives in a folder beside the clone, which BALLAST_PEERS names. Each is
// unpacked and built once, into the cache; nothing of it enters the project.
import { existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { builtOnce, cacheDirectory, PartUnavailable } from '../cache.ts'
import { programPath } from '../control-plane/debian.ts'
import { unpackedPackages } from '../control-plane/debian-packages.ts'
import { goProgram } from '../go-build.ts'
import { runCommand } from '../run-command.ts'

interface PeerArchive {
  readonly module: string
  readonly version: string
  /** The archive's name without version, where it is not the program's. */
  readonly archive?: string
  /** Main package, below the module; the module itself without it. */
  readonly command?: string
  /** A module of its own in the archive that the program is built in. */
  readonly below?: string
  /** The chart in it, where it has one. */
  readonly chart?: string
  /** Debian's packages with the headers and libraries of its parts in C. */
  readonly libraries?: readonly string[]
  /** A header that has to be newer than the machine's Debian: its package in trixie, and the file. */
  readonly newHeader?: readonly [packageName: string, file: string]
}

const amdPlugins = {
  module: 'github.com/ROCm/k8s-device-plugin',
  version: '1.31.0.10',
  archive: 'rocm-k8s-device-plugin',
  libraries: ['libhwloc-dev', 'libdrm-dev'],
  // It names families of GPUs that bookworm's does not know. They are numbers: the library need not know them.
  newHeader: ['libdrm-dev', 'usr/include/libdrm/amdgpu_drm.h'],
} as const

/** The module proxy serves neither the modules of its programs nor one that they need, which the archive has in `third_party`. */
const certManager = {
  module: 'github.com/cert-manager/cert-manager',
  version: '1.21.1',
  archive: 'cert-manager',
} as const

export const peerArchives = {
  reloader: {
    module: 'github.com/stakater/Reloader',
    version: '1.4.21',
    chart: 'deployments/kubernetes/chart/reloader',
  },
  spegel: { module: 'github.com/spegel-org/spegel', version: '0.7.4', chart: 'charts/spegel' },
  'csi-driver-nfs': {
    module: 'github.com/kubernetes-csi/csi-driver-nfs',
    version: '4.13.4',
    chart: 'charts/v4.13.4/csi-driver-nfs',
    command: 'cmd/nfsplugin',
  },
  'node-driver-registrar': {
    module: 'github.com/kubernetes-csi/node-driver-registrar',
    version: '2.17.0',
    command: 'cmd/csi-node-driver-registrar',
  },
  livenessprobe: { module: 'github.com/kubernetes-csi/livenessprobe', version: '2.19.0', command: 'cmd/livenessprobe' },
  'kube-state-metrics': { module: 'k8s.io/kube-state-metrics/v2', version: '2.20.0' },
  'amd-gpu-plugin': { ...amdPlugins, command: 'cmd/k8s-device-plugin' },
  'amd-node-labeller': { ...amdPlugins, command: 'cmd/k8s-node-labeller' },
  'cert-manager-controller': { ...certManager, below: 'cmd/controller' },
  'cert-manager-cainjector': { ...certManager, below: 'cmd/cainjector' },
  'cert-manager-webhook': { ...certManager, below: 'cmd/webhook' },
} as const satisfies Readonly<Record<string, PeerArchive>>
export type Peer = keyof typeof peerArchives

/**
 * Path of a peer's program, built where the cache does not have it yet (minutes). One that somebody put into the cache is taken as it is.
 * @throws PartUnavailable where there is no archive to build it from, or no Go, or no way to its modules
 */
export function peerProgram(peer: Peer): Promise<string> {
  return builtOnce(peer, () => builtPeer(peer))
}

/** Folder of a peer's chart. @throws PartUnavailable where there is no archive with it */
export async function peerChart(peer: 'reloader' | 'spegel' | 'csi-driver-nfs'): Promise<string> {
  return join(await source(peer), peerArchives[peer].chart)
}

/** Parts of every Debian that the machine has itself: a second C library beside its own would break both. */
const never =
  /^(libc6|libc-bin|gcc-\d+-base|debconf|debconf-.*|perl.*|libperl.*|dpkg|libc6-dev|linux-libc-dev|libc-dev-bin|rpcsvc-proto)$/

/** Go's environment for a program with parts in C, which finds its libraries where they were unpacked. */
async function withLibraries({ libraries = [], newHeader }: PeerArchive): Promise<Readonly<Record<string, string>>> {
  if (libraries.length === 0) return {}
  const name = `${libraries.join('-and-')}-unpacked`
  const directory = await builtOnce(name, () => unpackedPackages({ name, packages: libraries, never }))
  const root = join(directory, 'root')
  const headers = newHeader === undefined ? [] : [dirname(await programPath('trixie', ...newHeader))]
  const includes = [...headers, join(root, 'usr/include'), ...globSync(join(root, 'usr/include/*-linux-gnu'))]
  const places = globSync('{usr/,}lib/*-linux-gnu', { cwd: root }).map(place => join(root, place))
  return {
    CGO_ENABLED: '1',
    CGO_CPPFLAGS: includes.map(place => `-I${place}`).join(' '),
    // Libraries of libraries are found by this kind of path alone.
    CGO_LDFLAGS: ['-Wl,--disable-new-dtags', ...places.flatMap(place => [`-L${place}`, `-Wl,-rpath,${place}`])].join(' '),
    PKG_CONFIG_SYSROOT_DIR: root,
    PKG_CONFIG_LIBDIR: [...places, join(root, 'usr/share')].map(place => join(place, 'pkgconfig')).join(':'),
  }
}

async function builtPeer(peer: Peer): Promise<string> {
  const archive: PeerArchive = peerArchives[peer]
  const { version, command, below = '' } = archive
  const path = join(cacheDirectory(`${peer}-${version}`), peer)
  if (existsSync(path)) return path
  const directory = join(await source(peer), below)
  const flags = ['-mod=mod', '-p=1', '-ldflags=-s -w']
  const env = await withLibraries(archive)
  const target = command === undefined ? '.' : `./${command}`
  return await goProgram({ what: `${peer} ${version}`, path, directory, target, flags, env })
}

/** Folder of a peer's source; two programs of one archive share it. */
function source(peer: Peer): Promise<string> {
  const { archive = peer, version }: PeerArchive = peerArchives[peer]
  return unpackedArchive(`${archive}-${version}`)
}

/** Folder of what is in an archive of this name and version, unpacked once. @throws PartUnavailable where there is none */
export function unpackedArchive(name: string): Promise<string> {
  return builtOnce(`source of ${name}`, () => unpacked(name))
}

async function unpacked(name: string): Promise<string> {
  const cache = cacheDirectory('peer-sources')
  const place = join(cache, name)
  if (existsSync(place)) return place
  const folder = process.env['BALLAST_PEERS']
  if (folder === undefined)
    throw new PartUnavailable(
      `${name}: the module proxy does not serve it, and BALLAST_PEERS names no folder with ${name}.tar.gz`,
    )
  const archive = resolve(folder, `${name}.tar.gz`)
  if (!existsSync(archive)) throw new PartUnavailable(`${name}: BALLAST_PEERS leads to no ${archive}`)
  const unfinished = join(cache, `${name}.${process.pid}`)
  mkdirSync(unfinished, { recursive: true })
  try {
    const { code, stderr } = await runCommand('tar', ['-xzf', archive, '-C', unfinished])
    if (code !== 0) throw new Error(`${archive} cannot be unpacked: ${stderr.trim()}`)
    renameSync(join(unfinished, name), place)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return place
}
