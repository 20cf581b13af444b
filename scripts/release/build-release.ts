// Everything that a release has, in one folder: what is published, and how it is signed, comes after it and is not decided here.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { shells } from '../../src/cli/completion/shell-scripts.ts'
import { chartFiles } from '../../src/deployment/packaging/chart.ts'
import { packChart } from '../../src/deployment/packaging/chart-package.ts'
import { kustomizeFiles } from '../../src/deployment/packaging/kustomize.ts'
import { enabledCapabilities } from '../../src/process/enabled-capabilities.ts'
import { buildExecutables } from '../executable/build-executable.ts'
import { billOfMaterials, chartBill } from '../image/bill-of-materials.ts'
import { buildImage, type BuildOptions as ImageOptions } from '../image/build-image.ts'
import { bundle } from '../image/bundle.ts'
import { type LayerEntry, packLayer } from '../image/layer.ts'
import { licenceFiles } from '../image/licences.ts'
import { LockFile } from '../image/lock-file.ts'
import { nodeBinary } from '../image/node-binary.ts'
import { buildPackage } from '../package/build-package.ts'
import { chartArtifact } from '../push/documents.ts'
import { layoutContent } from '../push/layout-content.ts'
import { buildSite } from '../site/build-site.ts'
import {
  type Artefact,
  type CountedArtefact,
  counted,
  createdAt,
  type ReleaseFacts,
  writeArtefact,
  writeLists,
} from './artefacts.ts'
import { withHubAnnotations } from './artifact-hub.ts'
import { krewArchiveName, krewManifest } from './krew.ts'
import { provenance } from './provenance.ts'

export interface ReleaseOptions extends Omit<ImageOptions, 'program'> {
  /** Told what is being made. */
  readonly say: (line: string) => void
}

/**
 * Makes the folder, which is not there or empty. @returns what is in it
 * @throws Error where a part cannot be had or built: the folder is then not whole, and has no lists
 */
export async function buildRelease(options: ReleaseOptions): Promise<readonly CountedArtefact[]> {
  const { root, commit, directory, say } = options
  const { version }: { readonly version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const facts: ReleaseFacts = { version, ...commit }
  say('the program and its page')
  const program = await bundle(root)
  const made = { ...options, program, facts }
  const artefacts: Artefact[] = []
  for (const [name, make] of [
    ['the npm package', npmPackage],
    ['chart, manifests and completions, by the program that was packed', files],
    ['executables', executables],
    ['the image', image],
    ['the site of its documents', site],
  ] as const) {
    say(name)
    artefacts.push(...(await make(made)))
  }
  say('what is known about them')
  const whole = await described(made, artefacts)
  writeLists(directory, facts, whole)
  return whole
}

/** Adds the chart's bill of materials and the provenance of everything to what was made. */
async function described(
  { root, directory, facts, platforms }: Making,
  artefacts: readonly Artefact[],
): Promise<readonly CountedArtefact[]> {
  const { version, revision, seconds } = facts
  const { index, platforms: images } = layoutContent(join(directory, 'image', 'layout'))
  const name = `ballast-${version}.tgz`
  const archive = readFileSync(join(directory, name))
  const chart = await chartArtifact(archive, createdAt(facts))
  const bill = writeArtefact(
    directory,
    { name: `ballast-${version}-chart.cdx.json`, kind: 'bill-of-materials', about: 'chart' },
    chartBill({ version, date: seconds, chart: archive, imageDigest: index.digest }),
  )
  const known = counted(directory, [...artefacts, bill])
  const inRegistry: readonly (readonly [string, string])[] = [
    ['image', index.digest],
    ...images.map(({ platform, digest }) => [`image for ${platform}`, digest] as const),
    ['chart in a registry', chart.digest],
  ]
  const statement = provenance({
    ...{ root, revision, platforms: platforms.map(({ architecture }) => `linux/${architecture}`) },
    subjects: [
      ...known.flatMap(one => (one.sha256 === undefined ? [] : [[one.name, one.sha256] as const])),
      ...inRegistry.map(([about, digest]) => [about, digest.slice('sha256:'.length)] as const),
    ],
    environment: process.env,
  })
  const told = writeArtefact(directory, { name: `ballast-${version}.provenance.json`, kind: 'provenance' }, statement)
  return [...known, ...counted(directory, [told])]
}

interface Making extends Required<Omit<ImageOptions, 'reference'>>, Pick<ImageOptions, 'reference'> {
  readonly facts: ReleaseFacts
}

/** What is inside a form, besides that of the image. */
function bill({ root, facts, program }: Making, about: string, nodePackages: readonly string[]): readonly [Artefact, string] {
  const { version, revision, seconds } = facts
  const text = billOfMaterials({
    ...{ version, revision, date: seconds, nodePackages },
    ...{ bundled: program.packages, debian: [], lock: new LockFile(root) },
  })
  return [{ name: `ballast-${version}-${about}.cdx.json`, kind: 'bill-of-materials', about }, text]
}

async function npmPackage(making: Making): Promise<readonly Artefact[]> {
  const { root, commit, program, directory, facts } = making
  buildPackage({ root, commit, program })
  const words = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory]
  const { status, stdout, stderr } = spawnSync('npm', words, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (status !== 0) throw new Error(`npm pack: ${stderr.trim()}`)
  const name = `ballast-${facts.version}.tgz`
  // npm's own name for it is what Helm calls a chart, which lies beside it.
  const own = `ballast-${facts.version}-npm.tgz`
  renameSync(join(directory, name), join(directory, own))
  if (!stdout.includes(name)) throw new Error(`npm pack has made something else than ${name}: ${stdout.slice(0, 1_000)}`)
  return [{ name: own, kind: 'npm-package' }, writeArtefact(directory, ...bill(making, 'npm', []))]
}

async function files({ root, directory, facts }: Making): Promise<readonly Artefact[]> {
  const { version, seconds } = facts
  const names = enabledCapabilities.map(({ name }) => name).join(',')
  const definitions = packed(root, 'manifests', '--only', 'crds', '--enable', names)
  const kustomize = new Map<string, LayerEntry>(
    [...kustomizeFiles(enabledCapabilities)].map(([path, text]) => [
      `kustomize/${path}`,
      { type: 'file', content: Buffer.from(text) },
    ]),
  )
  const chart = await packChart('ballast', withHubAnnotations(chartFiles(enabledCapabilities), root, version), seconds)
  return [
    writeArtefact(directory, { name: `ballast-${version}.tgz`, kind: 'chart' }, chart),
    writeArtefact(directory, { name: `ballast-${version}-install.yaml`, kind: 'manifests' }, packed(root, 'manifests')),
    writeArtefact(directory, { name: `ballast-${version}-crds.yaml`, kind: 'definitions' }, definitions),
    writeArtefact(
      directory,
      { name: `ballast-${version}-kustomize.tar.gz`, kind: 'kustomize' },
      (await packLayer(kustomize, seconds)).gzip,
    ),
    ...shells.map(shell =>
      writeArtefact(
        directory,
        { name: `completions/${completionNames[shell] ?? shell}`, kind: 'completion' },
        packed(root, 'completion', shell),
      ),
    ),
  ]
}

/** As the shells look for them. */
const completionNames: Readonly<Record<string, string>> = {
  bash: 'ballast',
  zsh: '_ballast',
  fish: 'ballast.fish',
  kubectl: 'kubectl_complete-ballast',
}

/** What the program of the npm package prints: it is tried by being used. */
function packed(root: string, ...words: readonly string[]): string {
  const program = join(root, 'dist', 'program', 'ballast.mjs')
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (status !== 0) throw new Error(`the packed program: ballast ${words.join(' ')}: ${stderr.trim()}`)
  return stdout
}

async function executables(making: Making): Promise<readonly Artefact[]> {
  const { root, commit, cache, platforms, program, directory, facts } = making
  const work = mkdtempSync(join(tmpdir(), 'ballast-release-'))
  try {
    const paths = await buildExecutables({ ...{ root, commit, cache, platforms, program }, directory: work })
    const lock = new LockFile(root)
    const licences = [...licenceFiles(root, program.packages, lock)].map(([name, content]): [string, LayerEntry] => [
      name,
      { type: 'file', content },
    ])
    const archives = []
    for (const [index, platform] of platforms.entries()) {
      const content = readFileSync(paths[index] ?? '')
      const plain = new Map<string, LayerEntry>([
        ['ballast', { type: 'file', content, isProgram: true }],
        ['LICENSE', { type: 'file', content: readFileSync(join(root, 'LICENSE')) }],
        ['licences/node/LICENSE', { type: 'file', content: (await nodeBinary(platform, lock, cache)).licence }],
        ...licences,
      ])
      const linked = new Map<string, LayerEntry>([
        ...plain,
        ['kubectl-ballast', { type: 'link', target: 'ballast' }],
        ['kubectl_complete-ballast', { type: 'link', target: 'ballast' }],
      ])
      const { architecture } = platform
      for (const [name, kind, entries] of [
        [`ballast-${facts.version}-linux-${architecture}.tar.gz`, 'executable', linked],
        [krewArchiveName(facts, architecture), 'krew-archive', plain],
      ] as const) {
        const { gzip } = await packLayer(entries, facts.seconds)
        archives.push(writeArtefact(directory, { name, kind, platform: `linux/${architecture}` }, gzip))
      }
    }
    const forKrew = counted(directory, archives).filter(({ kind }) => kind === 'krew-archive')
    const { homepage }: { readonly homepage: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const manifest = krewManifest(facts, homepage.replace(/#.*$/, ''), forKrew)
    archives.push(writeArtefact(directory, { name: 'ballast.yaml', kind: 'krew-manifest' }, manifest))
    const nodes = platforms.map(({ nodePackage }) => nodePackage)
    return [...archives, writeArtefact(directory, ...bill(making, 'executable', nodes))]
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function image(making: Making): Promise<readonly Artefact[]> {
  const { directory, facts, platforms } = making
  const folder = join(directory, 'image')
  await buildImage({ ...making, directory: folder })
  const name = `ballast-${facts.version}-image.cdx.json`
  renameSync(join(folder, `ballast-${facts.version}.cdx.json`), join(directory, name))
  return [
    { name: 'image/layout', kind: 'image-layout' },
    { name, kind: 'bill-of-materials', about: 'image' },
    ...platforms.map(({ architecture }): Artefact => {
      const archive = `image/ballast-${facts.version}-linux-${architecture}.tar`
      return { name: archive, kind: 'image-archive', platform: `linux/${architecture}` }
    }),
  ]
}

async function site({ root, directory, facts }: Making): Promise<readonly Artefact[]> {
  const work = mkdtempSync(join(tmpdir(), 'ballast-site-'))
  try {
    const built = await buildSite({ root, directory: work, base: '/' })
    const entries = built.map(({ path, file }): [string, LayerEntry] => [path, { type: 'file', content: readFileSync(file) }])
    const { gzip } = await packLayer(new Map(entries), facts.seconds)
    return [writeArtefact(directory, { name: `ballast-${facts.version}-site.tar.gz`, kind: 'site' }, gzip)]
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
