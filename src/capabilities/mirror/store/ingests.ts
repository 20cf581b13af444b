// Downloads that containerd has under way, as files: `ingest/<dir>/ref`, `total`, and `data`, which grows and becomes the blob's file when
// it is committed.
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Digest } from '../reference.ts'
import { fileSize, isMissing } from './blob-files.ts'

/** Directories that are looked through. */
const mostIngests = 1_024

/** Whether a download's `ref` (`k8s.io/12/layer-sha256:…`) is one of this digest in this namespace. */
export function isRefOf(ref: string, { namespace, digest }: { readonly namespace: string; readonly digest: Digest }): boolean {
  return ref.startsWith(`${namespace}/`) && ref.endsWith(`-${digest}`)
}

/** Path of the growing file of a digest; the largest where it is loaded twice, `undefined` where it is not loaded. */
export async function ingestPath(root: string, namespace: string, digest: Digest): Promise<string | undefined> {
  let best: { readonly path: string; readonly size: number } | undefined
  for (const directory of (await directoriesIn(join(root, 'ingest'))).slice(0, mostIngests)) {
    const ref = await textIn(join(root, 'ingest', directory, 'ref'))
    if (ref === undefined || !isRefOf(ref.trim(), { namespace, digest })) continue
    const path = join(root, 'ingest', directory, 'data')
    const size = await fileSize(path)
    if (size !== undefined && (best === undefined || size > best.size)) best = { path, size }
  }
  return best?.path
}

/** Bytes that a download will have, as the file beside its data says; 0 where it does not. */
export async function ingestTotal(path: string): Promise<number> {
  const total = Number((await textIn(join(dirname(path), 'total'))) ?? '')
  return Number.isSafeInteger(total) && total > 0 ? total : 0
}

async function directoriesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path)
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
