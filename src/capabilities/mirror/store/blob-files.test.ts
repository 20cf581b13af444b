// Blobs as files, read into memory that is used again.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { LentBody } from '../lent-body.ts'
import { type Digest, parseDigest } from '../reference.ts'
import { slabBytes } from '../slabs.ts'
import { blobPath, openBlob } from './blob-files.ts'

const bytes = Buffer.from(Array.from({ length: 3 * slabBytes + 17 }, (_, index) => (index * 31) % 251))

async function placed(content = bytes): Promise<{ readonly root: string; readonly digest: Digest; readonly path: string }> {
  const root = mkdtempSync(join(tmpdir(), 'blobs-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const digest = parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`)
  if (digest === undefined) throw new Error('no digest')
  const path = blobPath(root, digest)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  return { root, digest, path }
}

async function opened(range = {}, atOnce?: number): Promise<LentBody & { readonly path: string }> {
  const { root, digest, path } = await placed()
  const body = await openBlob(root, { digest, size: bytes.length }, range, atOnce)
  if (body === undefined) throw new Error('not there')
  onTestFinished(() => void body.destroy())
  return Object.assign(body, { path })
}

/** All pieces, each copied while it is lent. */
async function taken(body: LentBody): Promise<{ readonly bytes: Buffer; readonly memories: number; readonly largest: number }> {
  const pieces: Buffer[] = []
  const memories = new Set<unknown>()
  for (let piece = await body.next(); piece !== undefined; piece = await body.next()) {
    pieces.push(Buffer.from(piece.bytes))
    memories.add(piece.bytes.buffer)
    piece[Symbol.dispose]()
    piece[Symbol.dispose]()
  }
  return { bytes: Buffer.concat(pieces), memories: memories.size, largest: Math.max(...pieces.map(({ length }) => length)) }
}

test.each([
  ['all', {}, undefined],
  ['from 7 on', { start: 7 }, undefined],
  ['from 7 to 9', { start: 7, end: 9 }, undefined],
  ['all in small pieces', {}, 16_384],
  ['the last byte', { start: bytes.length - 1 }, undefined],
])(
  '%s, two pieces of memory after each other, or as a stream',
  async (_name, range: { start?: number; end?: number }, atOnce) => {
    const wanted = bytes.subarray(range.start ?? 0, (range.end ?? bytes.length - 1) + 1)
    const got = await taken(await opened(range, atOnce))
    expect(got.bytes.equals(wanted)).toBe(true)
    expect(got.memories).toBeLessThanOrEqual(2)
    expect(got.largest).toBeLessThanOrEqual(atOnce ?? slabBytes)
    const copies: Buffer[] = []
    for await (const piece of await opened(range, atOnce)) copies.push(piece)
    expect(Buffer.concat(copies).equals(wanted)).toBe(true)
  },
)

test('pieces that are kept are not written over', async () => {
  const body = await opened()
  const kept = [await body.next(), await body.next(), await body.next()]
  expect(Buffer.concat(kept.map(piece => piece?.bytes ?? Buffer.alloc(0))).equals(bytes.subarray(0, 3 * slabBytes))).toBe(true)
  for (const piece of kept) piece?.[Symbol.dispose]()
})

test('a file that was cut since it was opened fails', async () => {
  const body = await opened()
  await truncate(body.path, slabBytes)
  await expect(taken(body)).rejects.toThrow('bytes too early')
})

test('one that is closed ends, and closes its file', async () => {
  const body = await opened()
  const closed = new Promise(resolve => body.once('close', resolve))
  const piece = await body.next()
  body.destroy()
  await closed
  await expect(body.next()).rejects.toThrow('closed')
  expect(piece?.bytes.equals(bytes.subarray(0, slabBytes))).toBe(true)
  piece?.[Symbol.dispose]()
})

test('another size than said is refused; nothing is nothing', async () => {
  const { root, digest } = await placed()
  await expect(openBlob(root, { digest, size: 3 })).rejects.toThrow('instead of 3')
  rmSync(blobPath(root, digest))
  expect(await openBlob(root, { digest, size: 3 })).toBeUndefined()
})
