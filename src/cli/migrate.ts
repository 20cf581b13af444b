// `ballast migrate`: from an upstream to Ballast and back. `values` converts a chart's values, `plan` and `apply` swap the component itself.

import { existsSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { text as textOfStream } from 'node:stream/consumers'
import type { Command } from 'commander'
import { messageOf } from '#kube/log.ts'
import { notYet } from '#migration/not-yet.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { type ConvertedValues, isOlder, type ReportLine } from '#upstreams/convert-values.ts'
import type { Replaced } from '#upstreams/upstream.ts'
import { replaceable, replaceableNames } from '#upstreams/upstreams.ts'
import { readValuesInput, type ValuesInput, valuesText } from '#upstreams/values-input.ts'
import { about } from './about.ts'
import { assertUsed, type DefineCommand, oneOf, type Surroundings } from './command-line.ts'
import { addHelmfile } from './migrate/helmfile-command.ts'
import { addOci } from './migrate/oci-command.ts'
import { addPlanAndApply } from './migrate/swap-command.ts'
import { paragraph } from './terminal/paragraph.ts'

interface ValuesOptions {
  readonly from: string
  readonly out?: string
  readonly namespace?: string
  readonly force?: boolean
  readonly allowLossy?: boolean
  readonly format: 'yaml' | 'json'
}

export const defineMigrate: DefineCommand = (program, surroundings) => {
  const migrate = program
    .command('migrate')
    .description(about.migrate)
    .addHelpText(
      'after',
      [
        `\nplan and apply swap ${replaceableNames('and')}; values converts the values of their charts.`,
        'oci changes a repository of Flux: charts of HelmRepositories become OCI artefacts.',
        "helmfile puts our chart in the place of upstreams' in a helmfile.",
        'Example: ballast migrate plan reloader --kubeconfig ~/.kube/config',
        'Example: ballast migrate apply descheduler --all',
      ].join('\n'),
    )
  defineValues(migrate, surroundings)
  addPlanAndApply(migrate, surroundings)
  addOci(migrate, surroundings)
  addHelmfile(migrate, surroundings)
}

function defineValues(migrate: Command, surroundings: Surroundings): void {
  migrate
    .command('values <file>')
    .description("converts an upstream chart's values into Ballast's; standard error says what became of each key")
    .requiredOption('--from <chart[@version]>', `the upstream: ${replaceableNames('or')}, as in reloader@2.2.7`)
    .option('-o, --out <file>', 'write the values there instead of standard output')
    .option('--force', 'replace FILE where it is there and differs')
    .option('-n, --namespace <name>', 'namespace of the release, if the file does not name it')
    .option('--allow-lossy', 'end with 0 even where something is lost or behaves differently')
    .option('--format <format>', 'yaml, or json with the report', oneOf('yaml', 'json'), 'yaml')
    .addHelpText(
      'after',
      [
        '\nFILE: values, a Flux HelmRelease, an Argo CD Application, a Deployment of',
        'upstream (of the descheduler also a CronJob, with the ConfigMap of its',
        "policy behind ---; of Intel's plugins objects of their operator and",
        'DaemonSets), or - for standard input.',
        'Exit codes: 0 everything carried, 1 something is lost or behaves otherwise,',
        '2 bad usage or input.',
        'Example: ballast migrate values --from reloader@2.2.7 release.yaml -o values.yaml',
        'Example: helm get values spegel -o yaml | ballast migrate values --from spegel@0.7.4 -',
        'Example: helm get values descheduler -n kube-system -o yaml | ballast migrate values --from descheduler@0.36.0 -n kube-system -',
        'Example: helm get values reloader -o yaml | ballast migrate values --from reloader -',
      ].join('\n'),
    )
    .action(async (file: string, options: ValuesOptions) => surroundings.end(await convertFile(file, options, surroundings)))
}

async function convertFile(file: string, options: ValuesOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal } = surroundings
  const { replaced, version, chart: named } = upstreamOf(options.from)
  const chart = replaced.chart ?? replaced.id
  const where = file === '-' ? 'standard input' : file
  const input = readValuesInput(where, await textOf(file), chart, replaced.plainKinds, replaced)
  const converted = convertInput(input, { replaced, version, chart: named ?? input.chart, namespace: options.namespace })
  const written = valuesText(
    converted.values,
    converted.report.flatMap(({ from, to }) => (to === undefined ? [] : [{ from, to }])),
    input.comments,
  )
  assertUsed({ '--force': options.force }, options.out !== undefined, '--out')
  if (options.out !== undefined) await writeTo(options.out, written, options.force === true)
  if (options.format === 'json')
    terminal.write(JSON.stringify(valuesDocument(converted, input, { chart: named ?? chart, version }), undefined, 2))
  else if (options.out === undefined) terminal.write(written.trimEnd())
  for (const line of reportLines(converted.report)) terminal.say(line)
  return converted.isLossy && options.allowLossy !== true ? exitCodes.failed : exitCodes.done
}

/** The file's own version wins over none, the option's over the file's. */
function convertInput(
  input: ValuesInput,
  given: {
    readonly replaced: Replaced
    readonly version: string | undefined
    /** One of several, where it is named. */
    readonly chart: string | undefined
    readonly namespace: string | undefined
  },
): ConvertedValues {
  const namespace = given.namespace ?? input.namespace
  const named = given.version ?? input.version
  const version = named === undefined || !/^v?\d+\.\d+\.\d+$/.test(named) ? undefined : named
  const { workload, beside = [], values } = input
  const converted =
    workload === undefined
      ? given.replaced.convert({ values, version, namespace, chart: given.chart })
      : given.replaced.convertWorkload(workload, { beside, namespace })
  const unread = input.unread.map(
    (from): ReportLine => ({
      from,
      kind: 'lost',
      why: 'it is not in this file and was not read: convert it, too',
    }),
  )
  return { ...converted, report: [...converted.report, ...unread], isLossy: converted.isLossy || unread.length > 0 }
}

interface NamedUpstream {
  readonly replaced: Replaced
  readonly version: string | undefined
  readonly chart: string | undefined
}

/** By the upstream's name, or by that of one of its charts where it has several. */
function upstreamOf(text: string): NamedUpstream {
  const [name = '', version] = text.split('@', 2)
  const chartsOf = ({ chart, furtherCharts = [] }: Replaced) =>
    chart === undefined || furtherCharts.length === 0 ? [] : [chart, ...furtherCharts]
  const { replaced } =
    replaceable().find(one => one.replaced.id === name) ?? replaceable().find(one => chartsOf(one.replaced).includes(name)) ?? {}
  if (replaced === undefined) throw new CommandRefused(`--from: ${notYet(name)}`)
  const [oldest = '', newest = ''] = [replaced.versions[0], replaced.versions.at(-1)]
  if (version !== undefined && (!/^v?\d+\.\d+\.\d+$/.test(version) || isOlder(version, oldest) || isOlder(newest, version)))
    throw new CommandRefused(`--from: found version ${JSON.stringify(version)}, expected one from ${oldest} to ${newest}`)
  const chart = chartsOf(replaced).find(one => one === name)
  return { replaced, version: version?.replace(/^v/, ''), chart }
}

async function textOf(file: string): Promise<string> {
  if (file === '-') return await textOfStream(process.stdin)
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new CommandRefused(`read ${file}: ${fileProblem(error)}`)
  }
}

/** @throws CommandRefused where it cannot be written, or is there and differs: somebody may have gone on from an earlier one */
async function writeTo(file: string, text: string, isForced: boolean): Promise<void> {
  const before = isForced || !existsSync(file) || !statSync(file).isFile() ? undefined : await textOf(file)
  if (before !== undefined && before !== '' && before !== text)
    throw new CommandRefused(`${file}: there already, and different; nothing was written (--force replaces it)`)
  try {
    await writeFile(file, text)
  } catch (error) {
    const why =
      error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'there is no such folder' : fileProblem(error)
    throw new CommandRefused(`write ${file}: ${why}`, exitCodes.failed)
  }
}

const fileWords: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'access is denied',
}

function fileProblem(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return fileWords[code] ?? messageOf(error)
}

function valuesDocument(
  converted: ConvertedValues,
  input: ValuesInput,
  { chart, version }: { readonly chart: string; readonly version: string | undefined },
) {
  return {
    apiVersion: 'cli.ballast.dev/v1',
    kind: 'ConvertedValues',
    from: { chart: input.chart ?? chart, version: version ?? input.version ?? null, read: input.from },
    isLossy: converted.isLossy,
    values: converted.values,
    report: converted.report,
  }
}

const shownKinds: Readonly<Record<ReportLine['kind'], string>> = {
  carried: 'carried',
  changed: 'CHANGED',
  dropped: 'dropped',
  lost: 'LOST',
  unknown: 'UNKNOWN',
}

/** What became of each key, with the reason below it, and a line that sums it up; at most 80 columns, as far as keys are shorter. */
function reportLines(report: readonly ReportLine[]): readonly string[] {
  if (report.length === 0) return ['nothing was said: our defaults stand']
  const count = (...kinds: readonly ReportLine['kind'][]) => report.filter(({ kind }) => kinds.includes(kind)).length
  const below = ' '.repeat(9)
  return [
    ...report.flatMap(({ from, kind, to, why }) => [
      ...paragraph(to === undefined ? from : `${from} -> ${to}`, shownKinds[kind].padEnd(9), below),
      ...(why === undefined ? [] : paragraph(why, below, below)),
    ]),
    `${count('carried')} carried, ${count('dropped')} dropped without loss, ${count('lost', 'unknown', 'changed')} lost or otherwise`,
  ]
}
