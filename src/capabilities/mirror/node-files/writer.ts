// Writes containerd's hosts files. What was there before is set aside once, whole, before anything is touched; what others wrote since is
// theirs: it stays, or is kept aside where ours has to stand in its place.
import { isAbsolute, join, normalize } from 'node:path'
import { InputError } from '#kube/problem.ts'
import { becomeTree, draftOf, readTree, type Tree, takeAway, withDraft } from './directory-tree.ts'
import { fatesOfWriting } from './fate.ts'
import { type FileOperations, realFiles } from './file-operations.ts'
import { readRecord, recordName, writeRecord } from './hosts-record.ts'
import { parseHostsWish } from './hosts-wish.ts'
import { keptAt, keptName } from './kept-aside.ts'
import type { ConfigurationOptions, WrittenConfiguration } from './options.ts'
import { backupName, carryOut, dropDrafts, isSpecial, lookAround, recordOf } from './own-directory.ts'
import { digestOfTree, wantedTree } from './wanted-tree.ts'

/**
 * Writes the hosts files of `options`, sets aside what was there before (once: a backup that is there is never written again), removes
 * what is ours and wanted no more. What others added stays; what they changed of ours is kept aside (`_backup/_kept`). Done again with the
 * same options it writes nothing.
 * @throws InputError before a file is touched; FileFault naming the path that could not be read or written
 */
export const writeConfiguration = (options: ConfigurationOptions): Promise<WrittenConfiguration> =>
  writeConfigurationBy(realFiles, options)

export async function writeConfigurationBy(files: FileOperations, options: ConfigurationOptions): Promise<WrittenConfiguration> {
  const { log, existing, nowMs } = options
  const parsed = parseHostsWish(options)
  const root = checkedDirectory(options.registryConfigPath)
  await files.makeDirectory(root)
  const backup = join(root, backupName)
  if ((await files.look(backup))?.kind !== 'directory') await setAside(files, root, backup)
  const before = await readBackup(files, root)
  const { tree: wanted, warnings } = wantedTree(parsed, before, existing)
  for (const warning of warnings) log.warn({ directory: root }, warning)
  const record = await readRecord(files, root)
  const paths = new Set([...wanted.keys(), ...before.keys(), ...(record?.entries.keys() ?? [])])
  const { present, drafts } = await lookAround(files, root, { paths, isEveryFile: record === undefined })
  await dropDrafts(files, root, drafts)
  const fates = fatesOfWriting({ present, before, record }, wanted)
  const { whileWriting, complete } = recordOf(wanted, { before, left: fates.left, old: record })
  const begin = () => writeRecord(files, root, whileWriting)
  const { kept, ...changes } = await carryOut(files, { root, present, fates, keptAt: keptAt(nowMs), begin })
  await writeRecord(files, root, complete)
  for (const { path, place } of kept)
    log.warn(
      { directory: root, path },
      `${path} was written by others and gave way to ours: it is kept as ${backupName}/${keptName}/${place}`,
    )
  for (const path of fates.left) log.warn({ directory: root, path }, `${path} was changed by others since, and stays as it is`)
  const digest = digestOfTree(wanted)
  log.info(
    { directory: root, written: changes.written, removed: changes.removed, unchanged: changes.unchanged.length, digest },
    "containerd's hosts files are as they should be",
  )
  return { ...changes, kept: kept.map(({ place }) => place), left: fates.left, digest }
}

/** What was configured before us. @throws FileFault */
export function readBackup(files: FileOperations, root: string): Promise<Tree> {
  return readTree(files, join(root, backupName), path => path === keptName)
}

/** Absolute, and no more than the directory itself. @throws InputError */
export function checkedDirectory(path: string): string {
  const found = normalize(path).replace(/\/+$/, '')
  if (isAbsolute(path) && found !== '' && !path.split('/').includes('..') && !path.includes('\0')) return found
  const expected = 'an absolute path such as "/etc/containerd/certs.d"'
  throw new InputError([{ code: 'registry-config-path', where: 'containerdRegistryConfigPath', found: path, expected }])
}

/** A copy that appears all at once: whoever is stopped before leaves none, and everything where it was. */
async function setAside(files: FileOperations, root: string, backup: string): Promise<void> {
  const draft = draftOf(backup)
  await takeAway(files, draft)
  // One that is left says nothing of what is here now: its backup was put back.
  await takeAway(files, join(root, recordName))
  const before: Tree = await readTree(files, root, isSpecial)
  await withDraft(files, draft, async () => {
    await files.makeDirectory(draft)
    await becomeTree(files, { root: draft, wanted: before })
    await takeAway(files, backup)
    await files.rename(draft, backup)
  })
  await files.flush(root)
}
