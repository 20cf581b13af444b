// A package installed, changed and removed on a real control plane and on a twin, by kubectl in both its ways and by Helm.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { systemClock } from '#kube/clock.ts'
import type { SeenStep } from '../../other-people.ts'
import type { CommandResult } from '../run-command.ts'
import { isAccepted } from './accepted.ts'
import type { Package, Way } from './packages.ts'
import { type RenderedPackage, releaseName, rendered } from './rendered.ts'
import type { Client, Site, Sites } from './sites.ts'
import { drawnCertificate, objectsOf, type StoredDifference, type StoredObject, storedDifferences } from './stored.ts'

/** A step that came to something else on the twin. */
export interface OpenStep {
  readonly command: string
  readonly real: string
  readonly twin: string
}

export interface Installed {
  readonly steps: readonly SeenStep[]
  /** Objects that both servers had when all was applied. */
  readonly objects: number
  readonly open: readonly OpenStep[]
  readonly differences: readonly StoredDifference[]
}

/** @throws PartUnavailable where the package cannot be had */
export async function installed(one: Package, way: Way, sites: Sites): Promise<Installed> {
  const package_ = await rendered(one)
  const directory = mkdtempSync(join(tmpdir(), 'ballast-changed-'))
  try {
    const run = new InstallRun(sites, directory)
    if (one.namespace !== undefined && one.namespace !== 'kube-system')
      await run.both('kubectl', ['create', 'namespace', one.namespace])
    if (way === 'helm') await byHelm(one, package_, run)
    else await byKubectl(one, package_, way, run)
    if (one.namespace !== undefined && one.namespace !== 'kube-system')
      await run.both('kubectl', ['delete', 'namespace', one.namespace])
    return run
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function byKubectl({ namespace, form }: Package, { manifests }: RenderedPackage, way: Way, run: InstallRun): Promise<void> {
  const place = namespace !== undefined && 'files' in form ? ['-n', namespace] : []
  const apply = [...way.split(' '), ...place]
  const show = ['get', ...place, '-f', manifests, '-o', 'json', '--show-managed-fields', '--ignore-not-found']
  await run.both('kubectl', [...apply, '-f', manifests])
  await run.compare(show)
  await run.both('kubectl', [...apply, '-f', manifests])
  const changed = run.write('changed.yaml', changedManifests(readFileSync(manifests, 'utf8')))
  await run.both('kubectl', [...apply, '-f', changed])
  await run.compare(show)
  await run.both('kubectl', ['delete', ...place, '-f', manifests, '--ignore-not-found'], withoutHurry)
  await run.compare(show)
}

async function byHelm({ namespace = 'default' }: Package, { chart }: RenderedPackage, run: InstallRun): Promise<void> {
  if (chart === undefined) throw new Error('no chart')
  const { directory, settings } = chart
  const place = ['-n', namespace]
  const show = async () => {
    const manifest = await run.both('helm', ['get', 'manifest', releaseName, ...place], inAnyOrder)
    const file = run.write('release.yaml', manifest)
    return ['get', '-f', file, '-o', 'json', '--show-managed-fields', '--ignore-not-found']
  }
  await run.both('helm', ['install', releaseName, directory, ...place, ...settings, '--no-hooks'])
  const applied = await show()
  await run.compare(applied)
  await run.both('helm', [
    'upgrade',
    releaseName,
    directory,
    ...place,
    ...settings,
    '--no-hooks',
    '--set=fullnameOverride=renamed',
  ])
  await run.compare(await show())
  await run.both('helm', ['rollback', releaseName, '1', ...place, '--no-hooks'])
  await run.compare(applied)
  await run.both('helm', ['list', ...place], inAnyWidth)
  await run.both('helm', ['uninstall', releaseName, ...place, '--no-hooks'])
  await run.compare(applied)
}

/** The same manifests with an annotation more on each object and on the pods of each workload. YAML is read as Go's clients read it. */
function changedManifests(text: string): string {
  const objects = parseAllDocuments(text, { version: '1.1', merge: true }).map(
    document => document.toJS({ maxAliasCount: -1 }) as unknown,
  )
  const isThere = (object: unknown): object is Annotated => typeof object === 'object' && object !== null
  return objects
    .filter(isThere)
    .map(object => JSON.stringify(annotated(object)))
    .join('\n---\n')
}

interface Annotated {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> }
  readonly spec?: { readonly template?: Annotated }
}

function annotated(object: Annotated): Annotated {
  const metadata = { ...object.metadata, annotations: { ...object.metadata?.annotations, 'example.test/changed': 'yes' } }
  const template = object.spec?.template
  if (template?.spec === undefined) return { ...object, metadata }
  return { ...object, metadata, spec: { ...object.spec, template: annotated(template) } }
}

/** How long the controllers of both have until their objects are the same. */
const longestUnlikeMs = 60_000
const lookPauseMs = 500

/** Charts with maps are rendered in another order each time. */
const inAnyOrder = (text: string) => text.split('\n').toSorted().join('\n')

/** A time with fewer digits makes a narrower column. */
const inAnyWidth = (text: string) => text.replaceAll(/[ \t]+/g, ' ')

/** What is in a namespace goes with it after five seconds, whether its own deletion came in time or not. */
const withoutHurry = (text: string) =>
  /^namespace "/m.test(text) ? text.replaceAll(/^.* deleted from \S+ namespace\n/gm, '') : text

class InstallRun implements Installed {
  readonly steps: SeenStep[] = []
  readonly open: OpenStep[] = []
  readonly differences: StoredDifference[] = []
  objects = 0
  readonly #sites: Sites
  readonly #directory: string

  constructor(sites: Sites, directory: string) {
    this.#sites = sites
    this.#directory = directory
  }

  write(name: string, text: string): string {
    const file = join(this.#directory, name)
    writeFileSync(file, text)
    return file
  }

  /** Runs a command on both. @returns what it wrote of the real one on standard output */
  async both(client: Client, args: readonly string[], compared: (text: string) => string = text => text): Promise<string> {
    const ask = (site: Site) => site.run(client, args)
    const [real, twin] = await Promise.all([ask(this.#sites.real), ask(this.#sites.twin)])
    const command = this.#shown(`${client} ${args.join(' ')}`)
    const [before, after] = [this.#told(real), this.#told(twin)]
    if (compared(before) !== compared(after)) this.open.push({ command, real: before, twin: after })
    this.steps.push({ command, code: real.code, said: summary(compared(before)) })
    return real.stdout
  }

  /** Compares what both have, until it is the same or the time is over. */
  async compare(args: readonly string[]): Promise<void> {
    const started = systemClock.elapsed()
    for (;;) {
      const [real, twin] = await Promise.all([this.#kept(this.#sites.real, args), this.#kept(this.#sites.twin, args)])
      const found = storedDifferences(real, twin).filter(one => !isAccepted(one))
      this.objects = Math.max(this.objects, real.length)
      if (found.length === 0) return
      if (systemClock.elapsed() - started > longestUnlikeMs) {
        this.differences.push(...found)
        return
      }
      await systemClock.after(lookPauseMs)
    }
  }

  async #kept(site: Site, args: readonly string[]): Promise<readonly StoredObject[]> {
    const { code, stdout, stderr } = await site.run('kubectl', args)
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr}`)
    return objectsOf(stdout)
  }

  #told({ code, stdout, stderr }: CommandResult): string {
    return this.#shown(`${code}\n${stdout}${stderr}`)
  }

  /** Without what no two runs share: times and places. */
  #shown(text: string): string {
    return (
      text
        .replaceAll(this.#directory, '.')
        .replaceAll(/\S*\/real\/other-people-[^/ ]*/g, '.')
        .replaceAll(drawnCertificate, 'DRAWN')
        .replaceAll(/^LAST DEPLOYED: .*$/gm, 'LAST DEPLOYED: TIME')
        .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000 UTC/g, 'TIME')
        .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
        // Go clients begin what they log with the day, the time and their process.
        .replaceAll(/^([EIW])\d{4} [\d:.]+ +\d+ /gm, '$1 ')
    )
  }
}

const outcome = /^\S+ ("\S+" )?(created|configured|unchanged|serverside-applied|deleted|force deleted)( from \S+ namespace)?$/

/** What is told in the server's or the client's own words. */
const ownWords = /^(error|warning|status:|revision:|release |rollback )/i

/** Lines that tell of one object each are counted by their last word; notes and manifests of the package are its own, and counted only. */
function summary(told: string): readonly string[] {
  const counted = new Map<string, number>()
  for (const line of told.split('\n').slice(1)) {
    if (line === '') continue
    const word = outcome.exec(line)?.[2] ?? (ownWords.test(line) ? line : 'further lines')
    counted.set(word, (counted.get(word) ?? 0) + 1)
  }
  return [...counted].map(([word, times]) => (ownWords.test(word) && times === 1 ? word : `${times} × ${word}`))
}
