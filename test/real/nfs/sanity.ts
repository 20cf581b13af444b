// csi-sanity, the conformance suite of CSI, against a driver in a site. By hand: `node test/real/nfs/sanity.ts [program arguments …]`, which takes upstream's
// flags; upstream's driver without one.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../mirror/laboratory/program.ts'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'
import { type DriverCommand, startDriver, upstreamDriver } from './driver-process.ts'
import { NfsSite } from './site.ts'

export interface SanityCounts {
  readonly passed: readonly string[]
  /** Name and what was wrong, in a line. */
  readonly failed: readonly { readonly name: string; readonly because: string }[]
  /** Name and why, mostly a capability that the driver does not say it has. */
  readonly skipped: readonly { readonly name: string; readonly because: string }[]
  /** Where something was still mounted when a spec was over: one that fails may leave its mounts. */
  readonly leftMounts: readonly string[]
}

interface Report {
  readonly SpecReports: readonly {
    readonly ContainerHierarchyTexts: readonly string[] | null
    readonly LeafNodeText: string
    readonly LeafNodeType: string
    readonly State: string
    readonly Failure?: { readonly Message: string }
  }[]
}

const suiteLimitMs = 300_000

/** The suite makes one folder for all specs, and a mount that a spec left there would fail all that follow. `$0` is the script, `$1` the folder. */
const makePath = '#!/bin/sh\nset -e\nmkdir -p "$1"\necho "$1"\n'
const checkPath =
  '#!/bin/sh\nif [ -d "$1" ]; then echo directory; elif [ -f "$1" ]; then echo file; elif [ -e "$1" ]; then echo other; else echo not_found; fi\n'
const removePath = `#!/bin/sh
set -e
while read -r _ _ _ _ target _; do
  case $target in "$1"|"$1"/*)
    echo "$target" >> "$(dirname "$0")/left"
    umount -l "$target";;
  esac
done < /proc/self/mountinfo
rm -rf --one-file-system "$1"
`

export interface SanityOptions {
  /** Further ones that the driver gets. */
  readonly flags?: readonly string[]
  /** Parameters of volumes beside server and share. */
  readonly parameters?: Readonly<Record<string, string>>
  /** What volumes are changed to, as a class of attributes says it. */
  readonly mutableParameters?: Readonly<Record<string, string>>
  /** Whether as many volumes are attached to the node as it says that it may have, and one more. */
  readonly fillsNode?: boolean
}

/** Runs all specs, none left out, and yields how each ended. @throws PartUnavailable where the suite cannot be built */
export async function conformance(
  command: DriverCommand,
  { flags = [], parameters = {}, mutableParameters = {}, fillsNode = false }: SanityOptions = {},
): Promise<SanityCounts> {
  const suite = await upstreamPath('csi-sanity')
  await using site = await NfsSite.start()
  site.addShare('candlekeep', 'kubernetes')
  await using driver = await startDriver(site, command, flags)
  const given = join(site.root, 'parameters.yaml')
  // JSON is YAML.
  writeFileSync(given, JSON.stringify({ server: 'candlekeep', share: '/kubernetes', ...parameters }))
  const changed = join(site.root, 'mutable-parameters.yaml')
  writeFileSync(changed, JSON.stringify(mutableParameters))
  for (const [name, text] of [
    ['make', makePath],
    ['remove', removePath],
    ['check', checkPath],
  ] as const)
    writeFileSync(join(site.root, name), text, { mode: 0o755 })
  const left = join(site.root, 'left')
  const report = join(site.root, 'report.json')
  const running = site.startProgram([
    suite,
    `-csi.endpoint=unix://${driver.socket}`,
    `-csi.mountdir=${join(site.root, 'targets', 'mount')}`,
    `-csi.stagingdir=${join(site.root, 'targets', 'staging')}`,
    `-csi.checkpathcmd=${join(site.root, 'check')}`,
    ...['mount', 'staging'].flatMap(path => [
      `-csi.create${path}pathcmd=${join(site.root, 'make')}`,
      `-csi.remove${path}pathcmd=${join(site.root, 'remove')}`,
    ]),
    `-csi.testnodevolumeattachlimit=${fillsNode}`,
    `-csi.testvolumeparameters=${given}`,
    `-csi.testvolumemutableparameters=${changed}`,
    `--ginkgo.json-report=${report}`,
    '--ginkgo.no-color',
    '--ginkgo.seed=1',
  ])
  await until('csi-sanity has ended', () => running.hasEnded(), suiteLimitMs)
  const [{ SpecReports: specs } = { SpecReports: [] }]: readonly Report[] = JSON.parse(readFileSync(report, 'utf8'))
  const its = specs.filter(({ LeafNodeType: kind }) => kind === 'It')
  if (its.length === 0) throw new Error(`csi-sanity ran nothing: ${running.log()}`)
  const named = its.map(({ ContainerHierarchyTexts: above, LeafNodeText: leaf, State: state, Failure: failure }) => ({
    name: [...(above ?? []), leaf].join(' '),
    state,
    because: (failure?.Message ?? '').replaceAll(/\s+/g, ' ').trim(),
  }))
  const told = (state: (word: string) => boolean) =>
    named.filter(one => state(one.state)).map(({ name, because }) => ({ name, because }))
  return {
    passed: named.filter(({ state }) => state === 'passed').map(({ name }) => name),
    failed: told(state => !['passed', 'skipped', 'pending'].includes(state)),
    skipped: told(state => ['skipped', 'pending'].includes(state)),
    leftMounts: existsSync(left) ? readFileSync(left, 'utf8').trimEnd().split('\n') : [],
  }
}

export const toldCounts = ({ passed, failed, skipped }: SanityCounts): string =>
  `${passed.length + failed.length + skipped.length} specs of ${upstreamVersion('csi-sanity')}: ${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`

if (import.meta.main) {
  const [program, ...args] = process.argv.slice(2)
  const counts = await conformance(program === undefined ? await upstreamDriver() : [program, ...args])
  for (const { name, because } of counts.failed) console.log(`failed   ${name}: ${because}`)
  for (const { name, because } of counts.skipped) console.log(`skipped  ${name}: ${because}`)
  for (const mount of counts.leftMounts) console.log(`left     ${mount}`)
  console.log(toldCounts(counts))
}
