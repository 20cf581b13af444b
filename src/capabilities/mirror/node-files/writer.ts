// Writes containerd's hosts files. What was there before is set aside once, whole, before anything is touched.
import { isAbsolute, join, normalize } from 'node:path'
import { InputError } from '#kube/problem.ts'
import { becomeTree, draftOf, readTree, type Tree, takeAway, withDraft } from './directory-tree.ts'
import { type FileOperations, realFiles } from './file-operations.ts'
import { parseHostsWish } from './hosts-wish.ts'
import type { ConfigurationOptions, WrittenConfiguration } from './options.ts'
import { digestOfTree, wantedTree } from './wanted-tree.ts'

/** What was configured before us; upstream's name for it, so that either can clean up after the other. */
export const backupName = '_backup'

/**
 * Writes the hosts files of `options`, sets aside what was there before (once: a backup that is there is never written again), removes
 * what does not belong. Done again with the same options it writes nothing.
 * @throws InputError before a file is touched; FileFault naming the path that could not be read or written
 */
export const writeConfiguration = (options: ConfigurationOptions): Promise<WrittenConfiguration> =>
  writeConfigurationBy(realFiles, options)

export async function writeConfigurationBy(files: FileOperations, options: ConfigurationOptions): Promise<WrittenConfiguration> {
  const parsed = parseHostsWish(options)
  const root = checkedDirectory(options.registryConfigPath)
  await files.makeDirectory(root)
  const backup = join(root, backupName)
  if ((await files.look(backup))?.kind !== 'directory') await setAside(files, root, backup)
  const before = await readTree(files, backup)
  const { tree, warnings } = wantedTree(parsed, before, options.existing)
  for (const warning of warnings) options.log.warn({ directory: root }, warning)
  const changes = await becomeTree(files, { root, wanted: tree, isLeft: isBackup })
  const digest = digestOfTree(tree)
  options.log.info(
    { directory: root, written: changes.written, removed: changes.removed, unchanged: changes.unchanged.length, digest },
    "containerd's hosts files are as they should be",
  )
  return { ...changes, digest }
}

/** Absolute, and no more than the directory itself. @throws InputError */
export function checkedDirectory(path: string): string {
  const found = normalize(path).replace(/\/+$/, '')
  if (isAbsolute(path) && found !== '' && !path.split('/').includes('..') && !path.includes('\0')) return found
  const expected = 'an absolute path such as "/etc/containerd/certs.d"'
  throw new InputError([{ code: 'registry-config-path', where: 'containerdRegistryConfigPath', found: path, expected }])
}

export const isBackup = (path: string): boolean => path === backupName

/** A copy that appears all at once: whoever is stopped before leaves none, and everything where it was. */
async function setAside(files: FileOperations, root: string, backup: string): Promise<void> {
  const draft = draftOf(backup)
  await takeAway(files, draft)
  const before: Tree = await readTree(files, root, isBackup)
  await withDraft(files, draft, async () => {
    await files.makeDirectory(draft)
    await becomeTree(files, { root: draft, wanted: before })
    await takeAway(files, backup)
    await files.rename(draft, backup)
  })
  await files.flush(root)
}
