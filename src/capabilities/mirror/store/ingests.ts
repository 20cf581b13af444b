// Downloads that containerd has under way, as files: `ingest/<dir>/ref`, `total`, and `data`, which grows and becomes the blob's file when
// it is committed.
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LRUCache } from 'lru-cache'
import type { Digest } from '../reference.ts'
import { atMost } from '../remembered.ts'
import { fileSize, isMissing } from './blob-files.ts'

/** Directories that are looked through. */
const mostIngests = 1_024
/** Directories of which it is remembered what they are the download of: all are looked at for each request of a node that waits. */
const mostRefs = 4_096
const refs = new LRUCache<string, string>(atMost(mostRefs))

/** Whether a download's `ref` (`k8s.io/12/layer-sha256:…`) is one of this digest in this namespace. */
export function isRefOf(ref: string, { namespace, digest }: { readonly namespace: string; readonly digest: Digest }): boolean {
  return ref.startsWith(`${namespace}/`) && ref.endsWith(`-${digest}`)
}

/** Path of the growing file of a digest; the largest where it is loaded twice, `undefined` where it is not loaded. */
export async function ingestPath(root: string, namespace: string, digest: Digest): Promise<string | undefined> {
  const directories = directoriesIn(join(root, 'ingest'))
    .slice(0, mostIngests)
    .map(name => join(root, 'ingest', name))
  const found = await Promise.all(directories.map(refOf))
  const paths = directories
    .filter((_directory, index) => isRefOf(found[index] ?? '', { namespace, digest }))
    .map(directory => join(directory, 'data'))
  if (paths.length < 2) return paths[0]
  const sizes = await Promise.all(paths.map(fileSize))
  const largest = Math.max(...sizes.map(size => size ?? -1))
  return paths[sizes.indexOf(largest)]
}

/** What a directory says it is the download of. Its name is made of that, so it says the same for ever. */
async function refOf(directory: string): Promise<string | undefined> {
  const known = refs.get(directory)
  if (known !== undefined) return known
  const ref = (await textIn(join(directory, 'ref')))?.trim()
  // It may have been made only just now, and be empty still.
  if (ref !== undefined && ref !== '') refs.set(directory, ref)
  return ref
}

/** Bytes that a download will have, as the file beside its data says; 0 where it does not. */
export async function ingestTotal(path: string): Promise<number> {
  const total = Number((await textIn(join(dirname(path), 'total'))) ?? '')
  return Number.isSafeInteger(total) && total > 0 ? total : 0
}

/** At once, for each request: there are few, and a thread that is asked instead costs more. */
function directoriesIn(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function textIn(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined // committed or given up since it was listed
    throw error
  }
}
