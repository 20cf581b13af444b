// Downloads that containerd has under way, as files: `ingest/<dir>/ref`, `total`, and `data`, which grows and becomes the blob's file when
// it is committed.
import type { FileHandle } from 'node:fs/promises'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '#kube/clock.ts'
import type { Digest } from '../reference.ts'
import { slabBytes } from '../slabs.ts'
import { blobPath, fileSize, isMissing, openFile } from './blob-files.ts'

const pollMs = 10
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

interface FollowOptions {
  readonly root: string
  readonly digest: Digest
  /** Of the growing file. */
  readonly path: string
  readonly start: number
  /** No new byte for so long ends it. */
  readonly stallMs: number
  readonly clock: Clock
}

/**
 * The bytes of a download from `start` on as they come, until containerd has committed it with all of them.
 * @throws Error where it vanishes, begins anew, or stands still for `stallMs`
 */
export async function* followIngest(options: FollowOptions): AsyncGenerator<Buffer> {
  const { root, digest, path, stallMs, clock } = options
  const committed = blobPath(root, digest)
  let handle = (await openFile(path)) ?? (await openFile(committed))
  if (handle === undefined) throw new Error(`the download of ${digest} is gone`)
  let isCommittedFile = false
  try {
    let at = options.start
    let grewMs = clock.elapsed()
    let largest = 0 // a reader may begin ahead of the download
    for (;;) {
      const piece = await readAt(handle, at)
      if (piece.length > 0) {
        at += piece.length
        largest = Math.max(largest, at)
        yield piece
        grewMs = clock.elapsed() // after it was taken: a slow reader is no stall
        continue
      }
      const isGrowing = (await fileSize(path)) !== undefined
      const whole = await fileSize(committed) // asked last: the file is moved there before the directory goes
      if (whole !== undefined) {
        if (at === whole) return
        if (at > whole) throw new Error(`${digest} has ${whole} bytes, ${at} were read`)
        // Another writer's file was committed, or bytes came between the two looks.
        if (!isCommittedFile) handle = await replaced(handle, committed)
        isCommittedFile = true
        continue
      }
      if (!isGrowing) throw new Error(`the download of ${digest} vanished after ${at} bytes`)
      const { size } = await handle.stat()
      if (size < largest) throw new Error(`the download of ${digest} began anew`)
      if (size > largest) grewMs = clock.elapsed()
      largest = size
      if (clock.elapsed() - grewMs > stallMs) throw new Error(`the download of ${digest} stands still after ${at} bytes`)
      await clock.after(pollMs)
    }
  } finally {
    await handle.close()
  }
}

async function replaced(handle: FileHandle, path: string): Promise<FileHandle> {
  const next = await openFile(path)
  if (next === undefined) return handle // deleted again: what is open has the same bytes
  await handle.close()
  return next
}

async function readAt(handle: FileHandle, at: number): Promise<Buffer> {
  const { size } = await handle.stat()
  if (size <= at) return Buffer.alloc(0)
  const piece = Buffer.allocUnsafe(Math.min(slabBytes, size - at))
  const { bytesRead } = await handle.read(piece, 0, piece.length, at)
  return piece.subarray(0, bytesRead)
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
