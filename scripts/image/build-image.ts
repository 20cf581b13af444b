// From the repository to an image: bundle, layers, bill of materials, layout.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { cpuidHelper, helperName } from '../../src/capabilities/features/discovery/cpu/cpuid-helper.ts'
import { capabilityCommands } from '../../src/cli/generated/capability-commands.ts'
import { billMediaType, billOfMaterials } from './bill-of-materials.ts'
import { buildFacts } from './build-facts.ts'
import type { Bundle } from './bundle.ts'
import { baseEntries, mountEntries, packagesFor, readBaseLock } from './debian-base.ts'
import { type Layer, type LayerEntry, packLayer } from './layer.ts'
import { licenceFiles } from './licences.ts'
import { LockFile } from './lock-file.ts'
import { nodeBinary } from './node-binary.ts'
import { OciLayout } from './oci-layout.ts'
import type { Platform } from './platforms.ts'
import type { Commit } from './revision.ts'

export interface BuildOptions {
  readonly root: string
  /** Where packages of others are kept between builds. */
  readonly cache: string
  readonly lockPath: string
  readonly commit: Commit
  readonly program: Bundle
  readonly platforms: readonly Platform[]
  readonly directory: string
  /** What `docker load` calls it. */
  readonly reference?: string
}

export interface BuiltImage {
  readonly version: string
  readonly images: readonly { readonly architecture: string; readonly digest: string; readonly diffIds: readonly string[] }[]
  /** Sizes as pulled (10^6 bytes), with the most that each may have. */
  readonly rows: readonly { readonly name: string; readonly megabytes: number; readonly budget?: number }[]
}

const budgets = { app: 12, node: 42, mounts: 3, image: 70 } as const
const source = 'https://github.com/ballast-dev/ballast'

/** Upstreams' own names. */
const dropIns = Object.entries(capabilityCommands).flatMap(([name, { programs }]) => (programs.includes(name) ? [name] : []))
/** The names under which the program is started; it looks at its own name. */
const names = ['ballast', 'kubectl-ballast', ...dropIns]

/**
 * Node and the C library as a controller wants them: a heap that leaves room in the container, a young generation of one MiB and one
 * arena whose free memory goes back. `bench/memory.ts` measures what each of them does.
 */
export const environment = {
  // HAProxy, and what mounts and copies, lie where Debian has them.
  PATH: '/bin:/usr/bin:/usr/sbin',
  NODE_OPTIONS: '--max-old-space-size-percentage=75 --max-semi-space-size=1',
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '131072',
} as const

/** Builds everything below `directory`. @throws Error where a part cannot be had or is not the one that its lock names */
export async function buildImage(options: BuildOptions): Promise<BuiltImage> {
  const { root, cache, commit, program, directory } = options
  const lock = new LockFile(root)
  const base = readBaseLock(options.lockPath)
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  const app = await packLayer(
    new Map<string, LayerEntry>([
      ...[...program.files].map(([name, content]): [string, LayerEntry] => [
        `app/${name}`,
        { type: 'file', content, isProgram: name === 'ballast.mjs' },
      ]),
      // A pod with a root that is read-only cannot write it anew.
      [`app/${helperName}`, { type: 'file', content: cpuidHelper(), isProgram: true }],
      ...[
        ['LICENSE', readFileSync(join(root, 'LICENSE'))] as const,
        buildFacts('image', commit),
        ...licenceFiles(root, program.packages, lock),
      ].map(([name, content]): [string, LayerEntry] => [`app/${name}`, { type: 'file', content }]),
    ]),
    commit.seconds,
  )
  const launchers = await packLayer(
    new Map<string, LayerEntry>([
      ...names.map((name): [string, LayerEntry] => [`bin/${name}`, { type: 'link', target: '../app/ballast.mjs' }]),
      // Charts name the program by its path where upstreams have it: `/keda`.
      ...dropIns.map((name): [string, LayerEntry] => [name, { type: 'link', target: 'app/ballast.mjs' }]),
    ]),
    base.date,
  )
  const created = new Date(commit.seconds * 1000).toISOString().replace('.000', '')
  const labels = {
    'org.opencontainers.image.created': created,
    'org.opencontainers.image.licenses': 'Apache-2.0',
    'org.opencontainers.image.revision': commit.revision,
    'org.opencontainers.image.source': source,
    'org.opencontainers.image.title': 'ballast',
    'org.opencontainers.image.version': version,
  }
  const layout = new OciLayout()
  const rows: { name: string; megabytes: number; budget?: number }[] = [
    { name: 'app', megabytes: size(app), budget: budgets.app },
    { name: 'launchers', megabytes: size(launchers) },
  ]
  const built = []
  for (const platform of options.platforms) {
    const { architecture } = platform
    const libraries = await packLayer(await baseEntries(platform, base, cache), base.date)
    const mounts = await packLayer(await mountEntries(platform, base, cache), base.date)
    const node = await nodeBinary(platform, lock, cache)
    const nodeLayer = await packLayer(
      new Map<string, LayerEntry>([
        ['bin/node', { type: 'file', content: node.program, isProgram: true }],
        ['usr/share/doc/node/LICENSE', { type: 'file', content: node.licence }],
      ]),
      base.date,
    )
    const layers: [string, Layer][] = [
      [`Debian ${base.suite}: C and C++ libraries, certificates, time zones`, libraries],
      [`Node ${node.version}`, nodeLayer],
      [`Debian ${base.suite}: mount, mount.nfs, tar, cp`, mounts],
      [`ballast ${version}`, app],
      ['names of the program', launchers],
    ]
    const image = layout.addImage(
      {
        architecture,
        entrypoint: ['/bin/node', '/app/ballast.mjs'],
        environment: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
        user: '65532:65532',
        ports: ['8080/tcp', '8081/tcp', '9443/tcp'],
        labels,
        created,
      },
      layers,
    )
    built.push({ image, architecture, diffIds: layers.map(([, { diffId }]) => diffId) })
    rows.push(
      { name: `node ${architecture}`, megabytes: size(nodeLayer), budget: budgets.node },
      { name: `base ${architecture}`, megabytes: size(libraries) },
      { name: `mounts ${architecture}`, megabytes: size(mounts), budget: budgets.mounts },
      {
        name: `image ${architecture}`,
        megabytes: layers.reduce((sum, [, layer]) => sum + size(layer), 0),
        budget: budgets.image,
      },
    )
  }
  const index = layout.addIndex(
    built.map(({ image }) => image),
    version,
    labels,
  )
  const bill = billOfMaterials({
    version,
    revision: commit.revision,
    date: commit.seconds,
    bundled: program.packages,
    nodePackages: options.platforms.map(({ nodePackage }) => nodePackage),
    debian: [...new Set(options.platforms.flatMap(platform => packagesFor(platform, base)))],
    lock,
  })
  layout.attach(index, billMediaType, Buffer.from(bill), created)

  mkdirSync(directory, { recursive: true })
  layout.write(join(directory, 'layout'))
  writeFileSync(join(directory, `ballast-${version}.cdx.json`), bill)
  const reference = options.reference ?? `ghcr.io/ballast-dev/ballast:${version}`
  for (const { image, architecture } of built)
    writeFileSync(
      join(directory, `ballast-${version}-linux-${architecture}.tar`),
      await layout.dockerArchive(image, reference, commit.seconds),
    )
  const images = built.map(({ image, architecture, diffIds }) => ({ architecture, digest: image.descriptor.digest, diffIds }))
  return { version, images, rows }
}

function size({ gzip }: Layer): number {
  return gzip.length / 1e6
}
