// Builds the programs of a Kubernetes control plane from their Go modules, once per version, into the cache.
//
// k8s.io/kubernetes cannot be installed by name: its go.mod replaces the staging modules by directories, and
// replacements of a dependency do not count. So a wrapper module repeats its requirements with the published
// staging modules (1.N.P is published as 0.N.P).
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtOnce, cacheDirectory, PartUnavailable } from '../cache.ts'
import { goEnvironment, goProgram } from '../go-build.ts'
import { commandOutput, runCommand } from '../run-command.ts'

export const components = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet'] as const
export type Component = (typeof components)[number]

/** The versions that recordings and checks are made with, by minor version. */
export const kubernetesVersions = { '1.34': '1.34.4', '1.36': '1.36.4' } as const
export type MinorVersion = keyof typeof kubernetesVersions

/**
 * Path of a control plane program, built where the cache does not have it yet (minutes, about 4 GB of memory).
 * Throws {@link PartUnavailable} where there is no Go, an older Go than the version asks for, or no way to its modules.
 */
export function componentPath(component: Component, minor: MinorVersion): Promise<string> {
  const version = kubernetesVersions[minor]
  return builtOnce(`${component} ${version}`, () => builtComponent(component, version))
}

async function builtComponent(component: Component, version: string): Promise<string> {
  const path = join(cacheDirectory(`${component}-${version}`), component)
  if (existsSync(path)) return path
  return await goProgram({
    what: `${component} ${version}`,
    path,
    directory: await wrapperModule(version),
    target: `k8s.io/kubernetes/cmd/${component}`,
    flags: ['-mod=mod', '-p=2', `-ldflags=${linkerFlags(version)}`],
  })
}

interface GoModule {
  readonly Go: string
  readonly Godebug?: readonly { readonly Key: string; readonly Value: string }[]
  readonly Require: readonly { readonly Path: string; readonly Version: string }[]
  readonly Replace: readonly { readonly Old: { readonly Path: string }; readonly New: { readonly Path: string } }[]
}

async function wrapperModule(version: string): Promise<string> {
  const directory = join(cacheDirectory(`kubernetes-module-${version}`), 'wrapper')
  if (existsSync(join(directory, 'go.mod'))) return directory
  const go = await runCommand('go', ['env', 'GOVERSION'], { env: goEnvironment })
  if (go.code !== 0) throw new PartUnavailable(`Kubernetes ${version} is built from source and Go is not installed`)
  const download = await runCommand('go', ['mod', 'download', '-json', `k8s.io/kubernetes@v${version}`], {
    env: goEnvironment,
  })
  if (download.code !== 0) {
    throw new PartUnavailable(`the Go module k8s.io/kubernetes v${version} cannot be fetched: ${download.stdout.trim()}`)
  }
  const { GoMod: file }: { GoMod: string } = JSON.parse(download.stdout)
  const module: GoModule = JSON.parse(await commandOutput('go', ['mod', 'edit', '-json', file], { env: goEnvironment }))
  if (isOlder(go.stdout.trim().replace(/^go/, ''), module.Go)) {
    throw new PartUnavailable(`Kubernetes ${version} needs Go ${module.Go}, this machine has ${go.stdout.trim()}`)
  }
  mkdirSync(directory, { recursive: true })
  const unfinished = join(directory, `go.mod.${process.pid}`)
  writeFileSync(unfinished, wrapperText(version, module))
  renameSync(unfinished, join(directory, 'go.mod'))
  return directory
}

function wrapperText(version: string, module: GoModule): string {
  const staging = new Set(
    module.Replace.filter(replace => replace.New.Path.startsWith('./staging/')).map(replace => replace.Old.Path),
  )
  const published = version.replace(/^1\./, 'v0.')
  return [
    'module control-plane',
    `go ${module.Go}`,
    ...(module.Godebug ?? []).map(({ Key, Value }) => `godebug ${Key}=${Value}`),
    `require k8s.io/kubernetes v${version}`,
    ...module.Require.map(({ Path, Version }) => `require ${Path} ${staging.has(Path) ? published : Version}`),
    ...Array.from(staging, path => `replace ${path} => ${path} ${published}`),
    '',
  ].join('\n')
}

/** Without these `/version` answers a template that kubectl and Helm cannot parse. */
function linkerFlags(version: string): string {
  const [major, minor] = version.split('.')
  return [
    '-s -w',
    `-X k8s.io/component-base/version.gitVersion=v${version}`,
    `-X k8s.io/component-base/version.gitMajor=${major}`,
    `-X k8s.io/component-base/version.gitMinor=${minor}`,
    `-X k8s.io/client-go/pkg/version.gitVersion=v${version}`,
  ].join(' ')
}

function isOlder(version: string, wanted: string): boolean {
  const [have, need] = [version, wanted].map(text => text.split('.').map(Number))
  for (let index = 0; index < 3; index++) {
    const difference = (have?.[index] ?? 0) - (need?.[index] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

if (import.meta.main) {
  const [minor, ...names] = process.argv.slice(2)
  const version = (Object.keys(kubernetesVersions) as MinorVersion[]).find(known => known === minor)
  if (version === undefined) throw new Error(`usage: build.ts ${Object.keys(kubernetesVersions).join('|')} [component...]`)
  for (const component of components) {
    if (names.length === 0 || names.includes(component)) console.log(await componentPath(component, version))
  }
}
