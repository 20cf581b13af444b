// `ballast migrate helmfile`: Ballast's chart in the place of those of upstreams, as a change of a helmfile.
import { lstatSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { messageOf } from '#kube/log.ts'
import { programVersion } from '#kube/version.ts'
import { readHelmfile } from '#migration/helmfile/helmfile-text.ts'
import { type HelmfileMigration, type HelmfileRow, migrateHelmfile } from '#migration/helmfile/migrate.ts'
import type { ReadBeside } from '#migration/helmfile/release-values.ts'
import { textBelow } from '#migration/oci/text-below.ts'
import { unifiedDiff } from '#planning/manifest-patches/unified-diff.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { oneOf, type Surroundings } from '../command-line.ts'
import { folderAt, refuseDirty, writeBelow } from '../plan/repository-files.ts'
import { harmless, paragraph } from '../terminal/paragraph.ts'

interface HelmfileCommandOptions {
  readonly write?: boolean
  readonly check?: boolean
  readonly chart: string
  readonly allowLossy?: boolean
  readonly output: 'diff' | 'table' | 'json'
}

/** Where a release's chart is pushed. */
const ownChart = 'oci://ghcr.io/ballast-dev/charts/ballast'
const largestFileBytes = 10 * 1024 * 1024

export function addHelmfile(migrate: Command, surroundings: Surroundings): void {
  migrate
    .command('helmfile [file]')
    .description("puts Ballast's chart in the place of upstreams' charts in a helmfile; shows the change, or writes it")
    .option('--write', 'change the file; without it the change is only shown')
    .option('--check', 'end with 3 where something would change')
    .option('--chart <address>', 'where our chart is taken from', ownChart)
    .option('--allow-lossy', 'swap also releases of whose values something is lost')
    .option('-o, --output <form>', 'diff, table or json', oneOf('diff', 'table', 'json'), 'diff')
    .addHelpText(
      'after',
      [
        '\nFILE is helmfile.yaml unless it is given. Several upstreams become one release, where',
        'the first of them stood; its values go to ballast-values.yaml beside the helmfile, and of',
        'a helmfile in helmfile.d to the folder values below it, since helmfile takes its other files.',
        'Exit codes: 0 done or nothing to do, 1 a release was refused, 2 bad usage or input,',
        '3 with --check: something would change.',
        'Example: ballast migrate helmfile bootstrap/helmfile.yaml',
        'Example: ballast migrate helmfile bootstrap/helmfile.d/01-apps.yaml -o table',
        'Example: ballast migrate helmfile helmfile.yaml --write',
      ].join('\n'),
    )
    .action((file: string | undefined, options: HelmfileCommandOptions) =>
      surroundings.end(migrateFile(file ?? 'helmfile.yaml', options, surroundings)),
    )
}

function migrateFile(given: string, options: HelmfileCommandOptions, { terminal, environment }: Surroundings): ExitCode {
  if (options.write === true && options.check === true)
    throw new CommandRefused('--check only looks and --write changes: give one of them')
  const { root, file, text } = helmfileAt(given)
  const read = readHelmfile(file, text)
  if ('because' in read)
    throw new CommandRefused(
      `${given}:${read.line}:${read.column}: ${read.because}; expected a helmfile whose templates stand in quotes (helmfile build renders one)`,
    )
  let migration: HelmfileMigration
  try {
    const asked = {
      chart: options.chart,
      version: programVersion,
      valuesFile: valuesFileOf(root, file),
      allowLossy: options.allowLossy === true,
    }
    migration = migrateHelmfile(read, readBeside(root), asked)
  } catch (error) {
    throw new CommandRefused(`${messageOf(error)}; nothing was written`, exitCodes.failed)
  }
  const { changes, rows } = migration
  const { isKept, prefix } = refuseDirty(
    root,
    options.write === true ? changes.filter(({ before }) => before !== undefined) : [],
    environment,
  )
  if (options.write === true && !isKept && changes.length > 0)
    throw new CommandRefused(
      `${root} is in no git repository: what --write changes could not be brought back; leave it out and use the diff`,
    )
  const diff = changes.map(change => unifiedDiff({ ...change, path: `${prefix}${change.path}` })).join('')
  if (options.output === 'json') {
    const files = changes.map(({ path, before }) => ({ file: path, what: before === undefined ? 'written' : 'changed' }))
    const document = {
      apiVersion: 'cli.ballast.dev/v1',
      kind: 'HelmfileMigration',
      releases: rows,
      notes: migration.notes,
      changes: files,
      diff,
    }
    terminal.write(JSON.stringify(document, undefined, 2))
  } else {
    if (options.output === 'diff' && diff !== '') terminal.write(diff.trimEnd())
    const tell = (line: string) => (options.output === 'table' ? terminal.write(line) : terminal.say(line))
    for (const line of reportLines(migration)) tell(line)
  }
  if (options.write === true) for (const line of writeBelow(root, changes)) terminal.say(line)
  if (options.check === true && changes.length > 0) return exitCodes.notSo
  return rows.some(({ outcome }) => outcome === 'refused') ? exitCodes.failed : exitCodes.done
}

/** One for each helmfile of a folder. Of `helmfile.d` helmfile takes each file for a helmfile, but not what is in folders below. */
function valuesFileOf(root: string, file: string): string {
  const stem = file.replace(/(\.ya?ml)?(\.gotmpl)?$/, '')
  const name = stem === 'helmfile' ? 'ballast-values.yaml' : `ballast-values-${stem}.yaml`
  return basename(root) === 'helmfile.d' ? `values/${name}` : name
}

function helmfileAt(given: string): { readonly root: string; readonly file: string; readonly text: string } {
  const found = lstatSync(given, { throwIfNoEntry: false })
  if (found === undefined || (!found.isFile() && !found.isSymbolicLink()))
    throw new CommandRefused(`${given}: ${found === undefined ? 'there is no such file' : 'it is no file'}, expected a helmfile`)
  const path = realpathSync(given)
  if (lstatSync(path).size > largestFileBytes)
    throw new CommandRefused(`${given}: ${lstatSync(path).size} bytes, expected a helmfile of at most ${largestFileBytes}`)
  const root = folderAt(dirname(path), 'FILE')
  const text = textBelow(root, basename(path))
  if (text === undefined) throw new CommandRefused(`${given}: it is no UTF-8 text, expected a helmfile`)
  return { root, file: basename(path), text }
}

/** Files that the helmfile names, wherever they lie on this machine. They are only read. */
function readBeside(root: string): ReadBeside {
  return path => {
    const file = resolve(root, path)
    try {
      const { size } = lstatSync(file)
      if (size > largestFileBytes) return { because: `it has ${size} bytes, more than ${largestFileBytes}` }
      return { text: readFileSync(file, 'utf8') }
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      return { because: code === 'ENOENT' ? 'there is no such file' : messageOf(error) }
    }
  }
}

const isLoss = (kind: string): boolean => kind === 'lost' || kind === 'unknown' || kind === 'changed'

function reportLines({ rows, notes, changes }: HelmfileMigration): readonly string[] {
  const count = (outcome: HelmfileRow['outcome']) => rows.filter(one => one.outcome === outcome).length
  return [
    ...rows.flatMap(row => [
      ...paragraph(
        row.because === undefined
          ? `${row.report.filter(({ to }) => to !== undefined).length} keys carried`
          : `${row.because} [${row.reason ?? ''}]`,
        `${row.outcome} ${harmless(row.release)} (${harmless(row.where)}), ${row.upstream}: `,
        '  ',
      ),
      ...row.report
        .filter(({ kind }) => isLoss(kind))
        .flatMap(({ where, from, kind, why, to }) =>
          paragraph(
            harmless(`${from}${to === undefined ? '' : ` -> ${to}`}${why === undefined ? '' : `: ${why}`}`),
            `  ${kind} ${harmless(where)}: `,
            '    ',
          ),
        ),
      ...row.unread.flatMap(({ where, what, because }) =>
        paragraph(harmless(`${what}: ${because}`), `  not read ${harmless(where)}: `, '    '),
      ),
      ...(row.fix === undefined ? [] : paragraph(`fix: ${row.fix}`, '  ', '  ')),
    ]),
    ...notes.flatMap(note => paragraph(harmless(note), 'note: ', '  ')),
    ...(rows.length === 0 ? ['no release has a chart that Ballast replaces'] : []),
    changes.length === 0
      ? 'nothing to do'
      : `${count('swapped')} swapped, ${count('joined')} joined to it, ${count('refused')} refused, ${count('left')} left`,
  ]
}
