// Builds the programs that Ballast is held against from their Go modules, once per version, into the cache.
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtOnce, cacheDirectory, PartUnavailable } from '../cache.ts'
import { commandOutput, runCommand } from '../run-command.ts'

interface Module {
  readonly path: string
  readonly version: string
  /** Main package, below the module; the module itself without it. */
  readonly command?: string
}

/** Programs that are built here. Reloader's module cannot be had from the module proxy: its program is taken where somebody put it. */
const verticalAutoscaler = { path: 'k8s.io/autoscaler/vertical-pod-autoscaler', version: 'v1.8.1' }
const modules = {
  descheduler: { path: 'sigs.k8s.io/descheduler', version: 'v0.36.0', command: 'cmd/descheduler' },
  updater: { ...verticalAutoscaler, command: 'pkg/updater' },
  recommender: { ...verticalAutoscaler, command: 'pkg/recommender' },
  helm: { path: 'helm.sh/helm/v3', version: 'v3.22.0', command: 'cmd/helm' },
  'metrics-server': { path: 'sigs.k8s.io/metrics-server', version: 'v0.9.0', command: 'cmd/metrics-server' },
  kwok: { path: 'sigs.k8s.io/kwok', version: 'v0.8.0', command: 'cmd/kwok' },
  keda: { path: 'github.com/kedacore/keda/v2', version: 'v2.21.0', command: 'cmd/operator' },
  'kube-state-metrics': { path: 'k8s.io/kube-state-metrics/v2', version: 'v2.17.0' },
} as const satisfies Readonly<Record<string, Module>>

/** Those that disrupt pods by themselves. */
export const upstreams = ['descheduler', 'updater', 'reloader'] as const
export type DisruptiveUpstream = (typeof upstreams)[number]
export type Upstream = keyof typeof modules | 'reloader'

/** Reloader listens there and nowhere else. */
export const reloaderPort = 9090

const reloaderModule = { path: 'github.com/stakater/Reloader', version: 'v1.4.21' }

/** Module and version, as recordings name what they were made with. */
export function upstreamVersion(upstream: Upstream): string {
  const { path, version } = upstream === 'reloader' ? reloaderModule : modules[upstream]
  return `${path} ${version}`
}

/**
 * Path of a program, built where the cache does not have it yet (minutes).
 * Throws {@link PartUnavailable} where there is no Go, no way to its modules, or, for Reloader, no program in the cache.
 */
export function upstreamPath(upstream: Upstream): Promise<string> {
  return builtOnce(upstream, () => builtUpstream(upstream))
}

async function builtUpstream(upstream: Upstream): Promise<string> {
  if (upstream === 'reloader') {
    const path = join(cacheDirectory('reloader-1.4.21'), 'reloader')
    if (existsSync(path)) return path
    throw new PartUnavailable(
      `${upstreamVersion('reloader')}: the module proxy does not serve it, and there is no program at ${path}`,
    )
  }
  const module: Module = modules[upstream]
  const path = join(cacheDirectory(`${upstream}-${module.version.slice(1)}`), upstream)
  if (existsSync(path)) return path
  const wrapper = await wrapperModule(upstream, module)
  console.error(`building ${upstream} ${module.version} (minutes, once)`)
  const unfinished = `${path}.${process.pid}`
  const flags = ['-mod=mod', '-trimpath', '-p=1', '-ldflags=-s -w', `-o=${unfinished}`]
  const build = await runCommand('go', ['build', ...flags, join(module.path, module.command ?? '')], {
    cwd: wrapper,
    env: goEnvironment,
  })
  if (build.code !== 0) {
    const said = build.stderr.trim().split('\n').slice(-12).join('\n')
    if (unreachable.test(build.stderr)) throw new PartUnavailable(`modules of ${upstream} ${module.version}: ${said}`)
    throw new Error(`building ${upstream} ${module.version} failed: ${said}`)
  }
  renameSync(unfinished, path)
  return path
}

/** The chart that installs Reloader, where somebody put it: its registry is not asked. Throws {@link PartUnavailable}. */
export function reloaderChart(): string {
  const path = join(cacheDirectory('reloader-chart-2.2.16'), 'reloader')
  if (existsSync(join(path, 'Chart.yaml'))) return path
  throw new PartUnavailable(`Reloader's chart 2.2.16: it is fetched from nowhere, and there is none at ${path}`)
}

/** The chart that installs Spegel 0.7.4, where somebody put it: its registry is not asked. Throws {@link PartUnavailable}. */
export function spegelChart(): string {
  const path = join(cacheDirectory('spegel-chart-0.7.4'), 'spegel')
  if (existsSync(join(path, 'Chart.yaml'))) return path
  throw new PartUnavailable(`Spegel's chart 0.7.4: it is fetched from nowhere, and there is none at ${path}`)
}

/** Where Go keeps the source of a program's module: its definitions and samples are there. Throws {@link PartUnavailable}. */
export async function upstreamSource(upstream: keyof typeof modules): Promise<string> {
  const { path, version } = modules[upstream]
  return (await downloaded(path, version)).Dir
}

async function downloaded(path: string, version: string): Promise<{ readonly GoMod: string; readonly Dir: string }> {
  const download = await runCommand('go', ['mod', 'download', '-json', `${path}@${version}`], { env: goEnvironment })
  if (download.code === 0) return JSON.parse(download.stdout)
  const said = `${download.stdout.trim()}${download.stderr.trim()}`
  throw new PartUnavailable(`the Go module ${path} ${version} cannot be fetched: ${said}`)
}

/** What Go says when a module cannot be had here. */
export const unreachable =
  /dial tcp|no such host|i\/o timeout|connection refused|module lookup disabled|TLS handshake|403 Forbidden/
export const goEnvironment = { CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '', GOWORK: 'off' }

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
  mkdirSync(directory, { recursive: true })
  const lines = [
    'module upstream',
    `go ${module.Go}`,
    `require ${path} ${version}`,
    ...module.Require.map(one => `require ${words(one)}`),
    ...(module.Replace ?? []).map(({ Old, New }) => `replace ${words(Old)} => ${words(New)}`),
    ...(module.Exclude ?? []).map(one => `exclude ${words(one)}`),
    '',
  ]
  const unfinished = join(directory, `go.mod.${process.pid}`)
  writeFileSync(unfinished, lines.join('\n'))
  renameSync(unfinished, join(directory, 'go.mod'))
  return directory
}

if (import.meta.main) {
  const wanted = process.argv.slice(2)
  for (const upstream of [...Object.keys(modules), 'reloader'] as Upstream[]) {
    if (wanted.length === 0 || wanted.includes(upstream)) console.log(await upstreamPath(upstream))
  }
}
