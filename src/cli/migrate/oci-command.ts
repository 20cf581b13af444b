// `ballast migrate oci`: releases of a Flux repository from charts of HelmRepositories to OCI artefacts, as a change of its files.
import { type Command, InvalidArgumentError } from 'commander'
import type { Finding } from '#doctor/finding.ts'
import { readRepository } from '#doctor/repository.ts'
import { messageOf } from '#kube/log.ts'
import { readChartSources } from '#migration/oci/chart-sources.ts'
import { migrateToOci, type OciMigration, type OciOptions, type ReleaseRow } from '#migration/oci/migrate.ts'
import { lookForTags } from '#migration/oci/registry-look.ts'
import { textBelow } from '#migration/oci/text-below.ts'
import { unifiedDiff } from '#planning/manifest-patches/unified-diff.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { assertUsed, oneOf, type Surroundings } from '../command-line.ts'
import { folderAt, refuseDirty, writeBelow } from '../plan/repository-files.ts'
import { givenText } from '../source/given-file.ts'
import { harmless, paragraph } from '../terminal/paragraph.ts'
import { table } from '../terminal/terminal.ts'

interface OciCommandOptions {
  readonly write?: boolean
  readonly check?: boolean
  readonly table?: string
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly style: OciOptions['style']
  readonly interval: string
  readonly mirror?: 'home-operations'
  readonly allowUpgrade?: boolean
  readonly allowUnseen?: boolean
  readonly online?: boolean
  readonly copySecretRef?: boolean
  readonly pruneRepositories?: boolean
  readonly unused?: boolean
  readonly output: 'diff' | 'table' | 'json'
}

const collected = (text: string, before: readonly string[]): readonly string[] => [...before, text]

/** As Flux reads an interval. */
function interval(text: string): string {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) throw new InvalidArgumentError('It must be a duration as 1h or 30m.')
  return text
}

export function addOci(migrate: Command, surroundings: Surroundings): void {
  migrate
    .command('oci [path]')
    .description(
      "changes a Flux repository's releases from charts of HelmRepositories to OCI artefacts; shows the change, or writes it",
    )
    .option('--write', 'change the files; without it the change is only shown')
    .option('--check', 'end with 3 where something would change')
    .option('--table <file>', 'further rows of where charts are published: url, charts, oci, tag, since')
    .option('--include <glob>', 'only releases of this name, namespace/name or file; may be given often', collected, [])
    .option('--exclude <glob>', 'not releases of this name, namespace/name or file; may be given often', collected, [])
    .option(
      '--style <style>',
      'where sources are written: keep as most of the repository, same-file or separate-file',
      oneOf('keep', 'same-file', 'separate-file'),
      'keep',
    )
    .option('--interval <duration>', 'of sources whose chart and repository have none', interval, '1h')
    .option(
      '--mirror <name>',
      'take charts that upstream does not publish from a mirror: home-operations',
      oneOf('home-operations'),
    )
    .option('--allow-upgrade', 'take the first version that is published where the own one is older')
    .option('--allow-unseen', 'take versions that are older than any that was seen at their registry')
    .option('--online', 'ask the registries whether each tag is there, as anybody may ask')
    .option('--copy-secret-ref', "name Secrets that you copy into the releases' namespaces")
    .option('--prune-repositories', 'remove HelmRepositories that nothing names any more')
    .option('--unused', 'with --prune-repositories: also those that nothing named before')
    .option('-o, --output <form>', 'diff, table or json', oneOf('diff', 'table', 'json'), 'diff')
    .addHelpText(
      'after',
      [
        '\nVersions stay as they are, and so does every other byte of the files. Nothing is asked of a registry',
        'without --online; with it a release whose tag is not there is refused.',
        'Exit codes: 0 done or nothing to do, 1 a release was refused or a file could',
        'not be read, 2 bad usage or input, 3 with --check: something would change.',
        'Example: ballast migrate oci .',
        'Example: ballast migrate oci . --write --prune-repositories',
        'Example: ballast migrate oci . -o table --mirror home-operations',
      ].join('\n'),
    )
    .action(async (path: string | undefined, options: OciCommandOptions) =>
      surroundings.end(await migrateFolder(path ?? '.', options, surroundings)),
    )
}

async function migrateFolder(path: string, options: OciCommandOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal, environment, signal } = surroundings
  assertUsed({ '--unused': options.unused }, options.pruneRepositories === true, '--prune-repositories')
  if (options.write === true && options.check === true)
    throw new CommandRefused('--check only looks and --write changes: give one of them')
  const rows = options.table === undefined ? [] : readChartSources(options.table, givenText(options.table, '--table'))
  const root = folderAt(path, 'PATH')
  const repository = readRepository(root)
  const asked: OciOptions = {
    rows,
    mirror: options.mirror !== undefined,
    allowUpgrade: options.allowUpgrade === true,
    allowUnseen: options.allowUnseen === true,
    copySecrets: options.copySecretRef === true,
    style: options.style,
    interval: options.interval,
    include: options.include,
    exclude: options.exclude,
    prune: options.pruneRepositories !== true ? 'nothing' : options.unused === true ? 'unused' : 'freed',
  }
  const migrated = (more: Partial<OciOptions> = {}) => {
    try {
      return migrateToOci(repository, file => textBelow(root, file), { ...asked, ...more })
    } catch (error) {
      throw new CommandRefused(`${messageOf(error)}; nothing was written`, exitCodes.failed)
    }
  }
  // What would be written if every tag were there is what is asked for.
  const artefacts = options.online === true ? taggedIn(migrated({ allowUnseen: true })) : []
  const migration = migrated(options.online === true ? { looks: await lookForTags(artefacts, { signal }) } : {})
  const { changes, releases } = migration
  const keeper = refuseDirtyWhere(options.write === true, root, changes, environment)
  const diff = changes.map(change => unifiedDiff({ ...change, path: `${keeper}${change.path}` })).join('')
  if (options.output === 'json') terminal.write(JSON.stringify(document(migration, repository.findings, diff), undefined, 2))
  else {
    if (options.output === 'diff' && diff !== '') terminal.write(diff.trimEnd())
    const tell = (line: string) => (options.output === 'table' ? terminal.write(line) : terminal.say(line))
    for (const line of reportLines(migration, repository.findings, options.online === true)) tell(line)
  }
  if (options.write === true) for (const line of writeBelow(root, changes)) terminal.say(line)
  if (options.check === true && changes.length > 0) return exitCodes.notSo
  const isBad =
    releases.some(({ outcome }) => outcome === 'refused') || repository.findings.some(({ id }) => id === 'file-unreadable')
  return isBad ? exitCodes.failed : exitCodes.done
}

function taggedIn({ releases }: OciMigration) {
  // What Flux fills in nobody knows before.
  return releases.flatMap(({ to: address, tag }) =>
    address === undefined || tag === undefined || tag.includes('${') ? [] : [{ address, tag }],
  )
}

/** Git takes names from the top of the repository. @throws CommandRefused where something is to be written that git could not bring back */
function refuseDirtyWhere(
  isWritten: boolean,
  root: string,
  changes: OciMigration['changes'],
  environment: Surroundings['environment'],
): string {
  const { isKept, prefix } = refuseDirty(root, isWritten ? changes : [], environment)
  if (isWritten && !isKept && changes.length > 0)
    throw new CommandRefused(
      `${root} is in no git repository: what --write changes could not be brought back; leave it out and use the diff`,
    )
  return prefix
}

function document({ releases, repositories, changes }: OciMigration, skipped: readonly Finding[], diff: string) {
  return {
    apiVersion: 'cli.ballast.dev/v1',
    kind: 'OciMigration',
    releases,
    repositories,
    changes: changes.map(({ path, before, after }) => ({
      file: path,
      what: before === undefined ? 'written' : after === undefined ? 'removed' : 'changed',
    })),
    diff,
    skipped: skipped.map(({ id, file, message }) => ({ id, file, message })),
  }
}

/** Releases that moved, those that stay with the reasons, repositories, and what it means for a cluster. */
function reportLines(
  { releases, repositories, changes }: OciMigration,
  skipped: readonly Finding[],
  isAsked: boolean,
): readonly string[] {
  const moved = releases.filter(({ outcome }) => outcome === 'migrated')
  const there = moved.filter(({ isThere }) => isThere === true).length
  const refused = releases.filter(({ outcome }) => outcome === 'refused')
  const left = releases.filter(({ outcome }) => outcome === 'left')
  const said = (row: ReleaseRow) => [
    ...paragraph(
      `${row.because ?? ''} [${row.reason ?? ''}]`,
      `${row.outcome} ${harmless(row.release)} (${harmless(row.file)}:${row.line}): `,
      '  ',
    ),
    ...(row.fix === undefined ? [] : paragraph(`fix: ${row.fix}`, '  ', '  ')),
  ]
  const unread = skipped.filter(({ id }) => id === 'file-unreadable')
  const counted = [...Map.groupBy(left, ({ reason }) => reason ?? '')].map(([reason, rows]) => `${rows.length} ${reason}`)
  return [
    ...(moved.length === 0 ? [] : movedLines(moved)),
    ...refused.flatMap(said),
    ...left.filter(({ reason }) => reason === 'no-oci-source' || reason === 'source-missing').flatMap(said),
    ...repositories.map(({ repository, file, outcome, because }) =>
      harmless(`${outcome} HelmRepository ${repository} (${file}): ${because}`),
    ),
    ...unread.map(({ file, message }) => harmless(`not read: ${file}: ${message}`)),
    `${releases.length} releases: ${moved.length} to migrate, ${refused.length} refused, ${left.length} left as they are${counted.length === 0 ? '' : ` (${counted.join(', ')})`}; ${skipped.length - unread.length} files not looked into`,
    ...(changes.length === 0
      ? ['nothing to do']
      : moved.length === 0
        ? []
        : paragraph(
            `${isAsked ? `${there} of ${moved.length} are at their registries${there < moved.length ? '; the others were not checked: ranges, what Flux fills in, and those with a note' : ''}` : 'Not checked against a registry'}. Flux upgrades each release once and deletes its old HelmChart; no release is installed anew, since no chart changes its name.`,
            '',
            '',
          )),
  ]
}

function movedLines(moved: readonly ReleaseRow[]): readonly string[] {
  const rows = moved.map(({ release, from = '', to = '', version = '' }) => [release, from, to, version].map(harmless))
  const notes = moved.flatMap(({ release, notes: own }) => own.map(note => harmless(`note on ${release}: ${note}`)))
  return [
    table(
      ['release', 'old source', 'new source', 'version'].map(title => ({ title })),
      rows,
    ),
    ...notes,
  ]
}
