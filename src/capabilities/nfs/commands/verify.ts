// `ballast nfs verify`: whether archives of snapshots are whole, and would restore. Where the share is not mounted, an identifier has it mounted to read.

import { mkdtempSync, rmdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Surroundings } from '#cli/command-line.ts'
import { systemClock } from '#kube/clock.ts'
import { messageOf, silentLog } from '#kube/log.ts'
import { isOutside, OutsideError } from '#kube/outside-error.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { onShare } from '../driver/on-share.ts'
import { spoilsMount } from '../driver/refusals.ts'
import { ShareFiles } from '../driver/share-files.ts'
import { cleanPath } from '../driver/share-path.ts'
import { readSnapshotId } from '../driver/snapshot-id.ts'
import type { FileWorkResult } from '../files/file-work.ts'
import { FileWorkers } from '../files/file-workers.ts'
import { oneLine } from '../inventory/told.ts'
import { kernelTable, type MountTable } from '../mounts/mount-table.ts'
import { Mounter } from '../mounts/mounter.ts'
import { machinePrograms, type RunProgram } from '../mounts/program.ts'
import { SharedMounts } from '../mounts/shared-mounts.ts'

interface VerifyOptions {
  readonly mountOptions: string
  readonly output: 'table' | 'json'
}

/** Archives of one command. */
const mostVerified = 1_000

export function addVerify(nfs: Command, surroundings: Surroundings): void {
  nfs
    .command('verify <archives...>')
    .description('reads archives of snapshots from their beginning to their end: whether they are whole, and would restore')
    .option('--mount-options <list>', 'with which the share of an identifier is mounted, beside ro', '')
    .option(
      '-o, --output <format>',
      'table or json',
      (text: string): 'table' | 'json' => {
        if (text === 'table' || text === 'json') return text
        throw new CommandRefused(`--output: found ${JSON.stringify(text)}, expected table or json`)
      },
      'table',
    )
    .addHelpText(
      'after',
      [
        '\nAn archive is a file, or the snapshotHandle of a VolumeSnapshotContent: that needs root and mount.nfs,',
        'which the pod of the controller has.',
        'Exit codes: 0 all are whole, 1 failed, 2 bad usage, 3 one is damaged or could not be read.',
        'Example: ballast nfs verify /mnt/nas/snapshot-1/pvc-1.tar.gz',
        "Example: kubectl -n ballast-agent exec deploy/ballast-nfs-controller -- ballast nfs verify 'nas#export#snapshot-1#snapshot-1#pvc-1'",
      ].join('\n'),
    )
    .action(async (archives: readonly string[], options: VerifyOptions) =>
      surroundings.end(await verifyAll(archives, options, surroundings)),
    )
}

interface Verdict {
  readonly archive: string
  readonly isWhole: boolean
  /** Why it is not, or what restoring it would leave out. */
  readonly problems: readonly string[]
  readonly entries?: number
  readonly contentBytes?: number
  readonly sha256?: string
  readonly seal?: 'right' | 'wrong' | 'none'
}

async function verifyAll(archives: readonly string[], options: VerifyOptions, { terminal }: Surroundings): Promise<ExitCode> {
  if (archives.length > mostVerified)
    throw new CommandRefused(`found ${archives.length} archives, expected at most ${mostVerified}`)
  const verdicts: Verdict[] = []
  await using verifier = new Verifier()
  for (const archive of archives) {
    const verdict = await verifier.verify(archive, options.mountOptions)
    verdicts.push(verdict)
    if (options.output === 'table') terminal.write(verdictLine(verdict))
  }
  if (options.output === 'json') terminal.write(JSON.stringify({ archives: verdicts }, undefined, 2))
  return verdicts.every(({ isWhole }) => isWhole) ? exitCodes.done : exitCodes.notSo
}

export function verdictLine({ archive, isWhole, problems, entries, contentBytes, sha256, seal }: Verdict): string {
  const figures = entries === undefined ? '' : `, ${entries} entries, ${contentBytes} bytes, sha256 ${sha256}`
  const sealed = seal === 'none' ? ', with no checksum of its own to compare with' : ''
  const why = problems.length === 0 ? '' : `: ${problems.map(oneLine).join('; ')}`
  return `${oneLine(archive)}: ${isWhole ? 'whole' : 'NOT whole'}${figures}${sealed}${why}`
}

interface Machine {
  readonly run: RunProgram
  readonly table: MountTable
}

/** Mounts what it has to, and takes it away at its end. */
export class Verifier implements AsyncDisposable {
  readonly #workers = new FileWorkers({ clock: systemClock })
  readonly #files = new ShareFiles(this.#workers, systemClock)
  readonly #machine: Machine
  #mounted: { readonly folder: string; readonly shares: SharedMounts } | undefined

  constructor(machine: Machine = { run: machinePrograms(systemClock), table: kernelTable }) {
    this.#machine = machine
  }

  /** @param archive a path, or the identifier of a snapshot */
  async verify(archive: string, mountOptions: string): Promise<Verdict> {
    try {
      const result = archive.split('#').length === 5 ? await this.#ofId(archive, mountOptions) : await this.#ofFile(archive)
      const { problems, entries, contentBytes, sha256, seal } = result
      const wrong = seal === 'wrong' ? ['the checksum in it is another one: it was changed since'] : []
      const all = [...wrong, ...problems]
      return { archive, isWhole: all.length === 0, problems: all, entries, contentBytes, sha256, seal }
    } catch (error) {
      if (!isOutside(error)) throw error
      return { archive, isWhole: false, problems: [messageOf(error)] }
    }
  }

  async #ofFile(archive: string): Promise<FileWorkResult<'verify'>> {
    const path = resolve(archive)
    return await this.#files.verify({ server: '', root: dirname(path), path: basename(path) })
  }

  async #ofId(id: string, mountOptions: string): Promise<FileWorkResult<'verify'>> {
    const read = readSnapshotId(id)
    if ('problem' in read) throw new OutsideError(`${oneLine(id)}: ${read.problem}`)
    const options = mountOptions === '' ? ['ro'] : ['ro', mountOptions]
    return await onShare(this.#shares(), read, options, 'failed to look at an archive', async share => {
      const folder = { ...share, path: cleanPath(read.name) }
      const found = await this.#files.archiveOf(folder, read.source)
      if (found === undefined) throw new OutsideError(`${oneLine(id)}: there is no archive of ${oneLine(read.source)}`)
      return await this.#files.verify({ ...folder, path: `${folder.path}/${found.name}` })
    })
  }

  #shares(): SharedMounts {
    if (this.#mounted === undefined) {
      const folder = mkdtempSync(join(tmpdir(), 'ballast-verify-'))
      const mounter = new Mounter({ ...this.#machine, clock: systemClock })
      const shares = new SharedMounts({ mounter, directory: folder, clock: systemClock, log: silentLog, spoils: spoilsMount })
      this.#mounted = { folder, shares }
    }
    return this.#mounted.shares
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#workers[Symbol.asyncDispose]()
    if (this.#mounted === undefined) return
    const { folder, shares } = this.#mounted
    await shares[Symbol.asyncDispose]()
    // What could not be unmounted stays, and is never removed from here.
    if (
      statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true &&
      kernelTable.mounts().every(({ target }) => !target.startsWith(`${folder}/`))
    )
      rmdirSync(folder)
  }
}
