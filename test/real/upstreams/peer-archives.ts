// Sources of programs that the module proxy does not serve: archives in a folder beside the clone, which BALLAST_PEERS names. Each is
// unpacked and built once, into the cache; nothing of it enters the project.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { builtOnce, cacheDirectory, PartUnavailable } from '../cache.ts'
import { goProgram } from '../go-build.ts'
import { runCommand } from '../run-command.ts'

interface PeerArchive {
  readonly module: string
  readonly version: string
  /** The chart in it, where it has one. */
  readonly chart?: string
  /** Main package, below the module; the module itself without it. */
  readonly command?: string
}

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
  'kube-state-metrics': { module: 'k8s.io/kube-state-metrics/v2', version: '2.20.0' },
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
  return join(await builtOnce(`source of ${peer}`, () => unpackedPeer(peer)), peerArchives[peer].chart)
}

async function builtPeer(peer: Peer): Promise<string> {
  const { version, command }: PeerArchive = peerArchives[peer]
  const path = join(cacheDirectory(`${peer}-${version}`), peer)
  if (existsSync(path)) return path
  const directory = await builtOnce(`source of ${peer}`, () => unpackedPeer(peer))
  const flags = ['-mod=mod', '-p=1', '-ldflags=-s -w']
  const target = command === undefined ? '.' : `./${command}`
  return await goProgram({ what: `${peer} ${version}`, path, directory, target, flags })
}

async function unpackedPeer(peer: Peer): Promise<string> {
  const name = `${peer}-${peerArchives[peer].version}`
  const cache = cacheDirectory('peer-sources')
  const source = join(cache, name)
  if (existsSync(source)) return source
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
    renameSync(join(unfinished, name), source)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return source
}
