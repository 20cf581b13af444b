// Reads containerd's directory of hosts files for the check of it: only what that looks at, and not more than is plausible.
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Log, messageOf } from '#kube/log.ts'
import { isDraft } from './directory-tree.ts'
import type { HostsFileFact } from './hosts-check.ts'

const mostDirectories = 4_096
const largestFile = 1024 * 1024
const fileName = 'hosts.toml'

/** `undefined` where the directory is not there, or not mounted, or cannot be read: then nothing is known of it. */
export async function lookAtHostsFiles(root: string, log: Log): Promise<readonly HostsFileFact[] | undefined> {
  try {
    const names = (await readdir(root)).toSorted()
    const found: HostsFileFact[] = []
    for (const name of names.filter(name => !isDraft(name)).slice(0, mostDirectories)) {
      const fact = await hostsFileOf(root, name)
      if (fact !== undefined) found.push(fact)
    }
    return found
  } catch (error) {
    log.debug({ directory: root, why: messageOf(error) }, 'The directory of hosts files is not looked at.')
    return undefined
  }
}

/** A directory without a file counts as well: containerd takes it and asks nobody's mirror. */
async function hostsFileOf(root: string, name: string): Promise<HostsFileFact | undefined> {
  const path = `${name}/${fileName}`
  try {
    const { size } = await lstat(join(root, path))
    if (size > largestFile) return { path, content: '' }
    return { path, content: await readFile(join(root, path), 'utf8') }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return { path, content: '' }
    if (code === 'ENOTDIR') return undefined
    throw error
  }
}
