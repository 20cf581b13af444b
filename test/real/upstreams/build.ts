// Builds the programs that Ballast is held against from their Go modules, once per version, into the cache.
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtOnce, cacheDirectory, PartUnavailable } from '../cache.ts'
import { goEnvironment, goProgram } from '../go-build.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import { type Peer, peerArchives, peerProgram } from './peer-archives.ts'

interface Module {
  readonly path: string
  readonly version: string
  /** Main package, below the module; the module itself without it. */
  readonly command?: string
}

/** Programs whose modules the module proxy serves; those of the others lie as archives beside the clone. */
const verticalAutoscaler = { path: 'k8s.io/autoscaler/vertical-pod-autoscaler', version: 'v1.8.1' }
const keda = { path: 'github.com/kedacore/keda/v2', version: 'v2.21.0' }
const httpAddOn = { path: 'github.com/kedacore/http-add-on', version: 'v0.15.0' }
const nodeFeatures = { path: 'sigs.k8s.io/node-feature-discovery', version: 'v0.19.0' }
const snapshotter = { path: 'github.com/kubernetes-csi/external-snapshotter/v8', version: 'v8.6.0' }
const intelPlugins = { path: 'github.com/intel/intel-device-plugins-for-kubernetes', version: 'v0.36.0' }
const modules = {
  descheduler: { path: 'sigs.k8s.io/descheduler', version: 'v0.36.0', command: 'cmd/descheduler' },
  updater: { ...verticalAutoscaler, command: 'pkg/updater' },
  recommender: { ...verticalAutoscaler, command: 'pkg/recommender' },
  helm: { path: 'helm.sh/helm/v3', version: 'v3.22.0', command: 'cmd/helm' },
  'metrics-server': { path: 'sigs.k8s.io/metrics-server', version: 'v0.9.0', command: 'cmd/metrics-server' },
  actionlint: { path: 'github.com/rhysd/actionlint', version: 'v1.7.12', command: 'cmd/actionlint' },
  kwok: { path: 'sigs.k8s.io/kwok', version: 'v0.8.0', command: 'cmd/kwok' },
  keda: { ...keda, command: 'cmd/operator' },
  'keda-adapter': { ...keda, command: 'cmd/adapter' },
  'keda-webhooks': { ...keda, command: 'cmd/webhooks' },
  'http-add-on-interceptor': { ...httpAddOn, command: 'interceptor' },
  'http-add-on-scaler': { ...httpAddOn, command: 'scaler' },
  'http-add-on-operator': { ...httpAddOn, command: 'operator' },
  'nfd-worker': { ...nodeFeatures, command: 'cmd/nfd-worker' },
  'nfd-master': { ...nodeFeatures, command: 'cmd/nfd-master' },
  'intel-gpu-plugin': { ...intelPlugins, command: 'cmd/gpu_plugin' },
  'intel-npu-plugin': { ...intelPlugins, command: 'cmd/npu_plugin' },
  'intel-operator': { ...intelPlugins, command: 'cmd/operator' },
  'nfd-topology-updater': { ...nodeFeatures, command: 'cmd/nfd-topology-updater' },
  'csi-sanity': { path: 'github.com/kubernetes-csi/csi-test/v5', version: 'v5.5.0', command: 'cmd/csi-sanity' },
  'csi-provisioner': {
    path: 'github.com/kubernetes-csi/external-provisioner/v6',
    version: 'v6.3.0',
    command: 'cmd/csi-provisioner',
  },
  'csi-resizer': { path: 'github.com/kubernetes-csi/external-resizer/v2', version: 'v2.2.0', command: 'cmd/csi-resizer' },
  'csi-snapshotter': { ...snapshotter, command: 'cmd/csi-snapshotter' },
  'snapshot-controller': { ...snapshotter, command: 'cmd/snapshot-controller' },
  // Its newest that needs no module beside it: from 3.3 on, gitops-engine lies in the same repository and is not served.
  'argo-cd': { path: 'github.com/argoproj/argo-cd/v3', version: 'v3.2.11', command: 'cmd' },
  // Modules of 3.7 lack files in its archive, and others of it are not served.
  traefik: { path: 'github.com/traefik/traefik/v3', version: 'v3.6.12', command: 'cmd/traefik' },
} as const satisfies Readonly<Record<string, Module>>

/** Those that disrupt pods by themselves. */
export const upstreams = ['descheduler', 'updater', 'reloader'] as const
export type DisruptiveUpstream = (typeof upstreams)[number]
const peers = [
  'reloader',
  'kube-state-metrics',
  'csi-driver-nfs',
  'node-driver-registrar',
  'livenessprobe',
  'amd-gpu-plugin',
  'amd-node-labeller',
] as const satisfies readonly Peer[]
type PeerUpstream = (typeof peers)[number]
export type Upstream = keyof typeof modules | PeerUpstream

/** What is built together when it is asked for by the group's name, and by name or where a check needs it otherwise: minutes each. */
const groups: Readonly<Record<string, readonly Upstream[]>> = {
  nfs: [
    'csi-driver-nfs',
    'node-driver-registrar',
    'livenessprobe',
    'csi-sanity',
    'csi-provisioner',
    'csi-resizer',
    'csi-snapshotter',
    'snapshot-controller',
  ],
  independent: ['argo-cd'],
}

/** Reloader listens there and nowhere else. */
export const reloaderPort = 9090

const isPeer = (upstream: Upstream): upstream is PeerUpstream => peers.some(peer => peer === upstream)

/** Module and version, as recordings name what they were made with. */
export function upstreamVersion(upstream: Upstream): string {
  if (isPeer(upstream)) return `${peerArchives[upstream].module} v${peerArchives[upstream].version}`
  return `${modules[upstream].path} ${modules[upstream].version}`
}

/**
 * Path of a program, built where the cache does not have it yet (minutes).
 * Throws {@link PartUnavailable} where there is no Go, no way to its modules, or no archive with its source.
 */
export function upstreamPath(upstream: Upstream): Promise<string> {
  return isPeer(upstream) ? peerProgram(upstream) : builtOnce(upstream, () => builtUpstream(upstream))
}

async function builtUpstream(upstream: keyof typeof modules): Promise<string> {
  const module: Module = modules[upstream]
  const path = join(cacheDirectory(`${upstream}-${module.version.slice(1)}`), upstream)
  if (existsSync(path)) return path
  return await goProgram({
    what: `${upstream} ${module.version}`,
    path,
    directory: await wrapperModule(upstream, module),
    target: join(module.path, module.command ?? ''),
    flags: ['-mod=mod', '-p=1', '-ldflags=-s -w'],
  })
}

/** Where Go keeps the source of a program's module: its definitions and samples are there. Throws {@link PartUnavailable}. */
export function upstreamSource(upstream: keyof typeof modules): Promise<string> {
  return moduleSource(modules[upstream])
}

/** The same of a module that no program here is built from. */
export async function moduleSource({ path, version }: Pick<Module, 'path' | 'version'>): Promise<string> {
  return (await downloaded(path, version)).Dir
}

async function downloaded(path: string, version: string): Promise<{ readonly GoMod: string; readonly Dir: string }> {
  const download = await runCommand('go', ['mod', 'download', '-json', `${path}@${version}`], { env: goEnvironment })
  if (download.code === 0) return JSON.parse(download.stdout)
  const said = `${download.stdout.trim()}${download.stderr.trim()}`
  throw new PartUnavailable(`the Go module ${path} ${version} cannot be fetched: ${said}`)
}

interface VersionOf {
  readonly Path: string
  readonly Version?: string
}

interface GoModule {
  readonly Go: string
  readonly Require: readonly { readonly Path: string; readonly Version: string }[]
  readonly Replace: readonly { readonly Old: VersionOf; readonly New: VersionOf }[] | null
  readonly Exclude: readonly { readonly Path: string; readonly Version: string }[] | null
}

/** A module of our own that requires what the program's module does: its replacements and exclusions do not count otherwise. */
async function wrapperModule(upstream: Upstream, { path, version }: Module): Promise<string> {
  const directory = join(cacheDirectory(`${upstream}-module-${version.slice(1)}`), 'wrapper')
  if (existsSync(join(directory, 'go.mod'))) return directory
  const { GoMod: file } = await downloaded(path, version)
  const module: GoModule = JSON.parse(await commandOutput('go', ['mod', 'edit', '-json', file], { env: goEnvironment }))
  const words = ({ Path, Version }: VersionOf) => (Version === undefined ? Path : `${Path} ${Version}`)
  // A module beside it in its repository is served by itself, under the same version.
  const elsewhere = (Old: VersionOf, New: VersionOf) => (New.Path.startsWith('.') ? { Path: Old.Path, Version: version } : New)
  mkdirSync(directory, { recursive: true })
  const lines = [
    'module upstream',
    `go ${module.Go}`,
    `require ${path} ${version}`,
    ...module.Require.map(one => `require ${words(one)}`),
    ...(module.Replace ?? []).map(({ Old, New }) => `replace ${words(Old)} => ${words(elsewhere(Old, New))}`),
    ...(module.Exclude ?? []).map(one => `exclude ${words(one)}`),
    '',
  ]
  const unfinished = join(directory, `go.mod.${process.pid}`)
  writeFileSync(unfinished, lines.join('\n'))
  renameSync(unfinished, join(directory, 'go.mod'))
  return directory
}

/** The programs of these names and groups; without any, those of no group. @throws Error naming what nothing is called */
function namedUpstreams(names: readonly string[]): readonly Upstream[] {
  const all = [...(Object.keys(modules) as (keyof typeof modules)[]), ...peers]
  if (names.length === 0) return all.filter(one => !Object.values(groups).flat().includes(one))
  return names.flatMap(name => {
    const found = groups[name] ?? all.filter(one => one === name)
    if (found.length === 0) throw new Error(`no program or group is called ${JSON.stringify(name)}`)
    return found
  })
}

if (import.meta.main) for (const upstream of namedUpstreams(process.argv.slice(2))) console.log(await upstreamPath(upstream))
