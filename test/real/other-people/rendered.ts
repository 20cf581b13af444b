// A package as its users have it: one file of manifests, and its chart where it is one. Made once, in the cache.
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parse, stringify } from 'yaml'
import { builtOnce, cacheDirectory } from '../cache.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { commandOutput } from '../run-command.ts'
import { moduleSource, upstreamPath } from '../upstreams/build.ts'
import { unpackedArchive } from '../upstreams/peer-archives.ts'
import type { FluxController, Form, Origin, Package } from './packages.ts'

/** Raised when the same package is made otherwise. */
const revision = 1
/** Helm renders for servers of this version, and asks none. */
const kubeVersion = '1.36.4'

export interface RenderedPackage {
  /** All objects, in the order in which their people wrote them. */
  readonly manifests: string
  readonly chart?: {
    readonly directory: string
    /** What `helm install` and `helm template` are told beside names. */
    readonly settings: readonly string[]
  }
}

/** @throws PartUnavailable where the package or a program that renders it cannot be had */
export function rendered(one: Package): Promise<RenderedPackage> {
  const name = `other-people-${one.name}-${one.origin.version.replace(/^v/, '')}-${revision}`
  return builtOnce(name, async () => {
    const directory = cacheDirectory(name)
    const manifests = join(directory, 'manifests.yaml')
    if (!existsSync(manifests)) {
      const unfinished = `${manifests}.${process.pid}`
      writeFileSync(unfinished, await manifestsOf(one, directory))
      renameSync(unfinished, manifests)
    }
    return manifests
  }).then(manifests => ({ manifests, ...('chart' in one.form ? { chart: chartOf(one.form, dirname(manifests)) } : {}) }))
}

/** Folder of what an origin has. @throws PartUnavailable */
function folderOf(origin: Origin): Promise<string> {
  if ('module' in origin) return moduleSource({ path: origin.module, version: origin.version })
  return unpackedArchive(`${origin.archive}-${origin.version}`)
}

async function manifestsOf({ form, origin, namespace = 'default' }: Package, directory: string): Promise<string> {
  const folder = await folderOf(origin)
  if ('files' in form) return form.files.map(file => readFileSync(join(folder, file), 'utf8')).join('\n---\n')
  if ('kustomization' in form) return await kustomized(join(folder, form.kustomization))
  if ('flux' in form) return await fluxManifests(folder, form.flux, join(directory, 'flux'))
  cpSync(join(folder, form.chart), join(directory, 'chart'), { recursive: true })
  dropAbsentCharts(join(directory, 'chart'))
  writeFileSync(join(directory, 'values.yaml'), stringify(form.values ?? {}))
  const { directory: chart, settings } = chartOf(form, directory)
  const helm = await upstreamPath('helm')
  const flags = ['--include-crds', '--no-hooks', '--kube-version', kubeVersion, '-n', namespace]
  const made = await commandOutput(helm, ['template', releaseName, chart, ...flags, ...settings], { env: { HOME: directory } })
  return form.definitions === undefined ? made : `${readFileSync(join(folder, form.definitions), 'utf8')}\n---\n${made}`
}

/** What a release of each chart is called. */
export const releaseName = 'theirs'

function chartOf(
  { flags = [] }: Extract<Form, { readonly chart: string }>,
  directory: string,
): NonNullable<RenderedPackage['chart']> {
  const settings = [...flags, '-f', join(directory, 'values.yaml')]
  return { directory: join(directory, 'chart'), settings }
}

/** A chart in its repository lacks the charts that it depends on; those that are switched off by default are not asked for. */
function dropAbsentCharts(directory: string): void {
  const file = join(directory, 'Chart.yaml')
  const chart = parse(readFileSync(file, 'utf8')) as { dependencies?: readonly { readonly name: string }[] }
  rmSync(join(directory, 'Chart.lock'), { force: true })
  const there = (chart.dependencies ?? []).filter(({ name }) => existsSync(join(directory, 'charts', name)))
  writeFileSync(file, stringify({ ...chart, dependencies: there }))
}

async function kustomized(folder: string): Promise<string> {
  return await commandOutput(await kubectlPath('newest'), ['kustomize', folder])
}

/** As `flux install` builds them: its own bases over what each controller's release has, which their folders `config` are built to. */
async function fluxManifests(folder: string, controllers: readonly FluxController[], place: string): Promise<string> {
  rmSync(place, { recursive: true, force: true })
  cpSync(join(folder, 'manifests'), place, { recursive: true })
  await commandOutput('chmod', ['-R', 'u+w', place])
  const names = controllers.map(({ name }) => name)
  for (const { name, origin } of controllers) {
    const config = join(await folderOf(origin), 'config')
    const base = join(place, 'bases', name)
    writeFileSync(join(base, 'crds.yaml'), await kustomized(join(config, 'crd')))
    writeFileSync(join(base, 'deployment.yaml'), await kustomized(join(config, 'manager')))
    editKustomization(base, resource =>
      resource.startsWith('https:') ? (/\.(\w+\.yaml)$/.exec(resource)?.[1] ?? resource) : resource,
    )
  }
  const install = join(place, 'install')
  editKustomization(install, resource => {
    const name = /^\.\.\/bases\/(.*)$/.exec(resource)?.[1]
    return name === undefined || names.includes(name) ? resource : undefined
  })
  mkdirSync(install, { recursive: true })
  return await kustomized(install)
}

function editKustomization(folder: string, edit: (resource: string) => string | undefined): void {
  const file = join(folder, 'kustomization.yaml')
  const content = parse(readFileSync(file, 'utf8')) as { readonly resources: readonly string[] }
  const resources = content.resources.map(edit).filter(resource => resource !== undefined)
  writeFileSync(file, stringify({ ...content, resources }))
}

if (import.meta.main) {
  const { packages } = await import('./packages.ts')
  for (const one of packages) {
    const { manifests } = await rendered(one)
    console.log(`${one.name}: ${readFileSync(manifests, 'utf8').split(/^---$/m).length} documents, ${manifests}`)
  }
}
