import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import type { LentBody } from '../lent-body.ts'
import { type Digest, parseDigest } from '../reference.ts'
import { blobPath } from './blob-files.ts'
import { followIngest } from './following.ts'
import { ingestPath, ingestTotal, isRefOf } from './ingests.ts'

const digest = parseDigest(`sha256:${'1'.repeat(64)}`) ?? fail()
const other = parseDigest(`sha256:${'2'.repeat(64)}`) ?? fail()
let root = ''
let resources = new DisposableStack()

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ballast-ingests-'))
  mkdirSync(join(root, 'blobs', 'sha256'), { recursive: true })
})
afterEach(() => {
  resources.dispose()
  resources = new DisposableStack()
  rmSync(root, { recursive: true, force: true })
})

function begin(ref: string, data: string, total = ''): string {
  const directory = join(root, 'ingest', ref.replaceAll('/', '-'))
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'ref'), ref)
  writeFileSync(join(directory, 'data'), data)
  if (total !== '') writeFileSync(join(directory, 'total'), total)
  return join(directory, 'data')
}
function commit(path: string): void {
  renameSync(path, blobPath(root, digest))
  rmSync(dirname(path), { recursive: true })
}
const follow = (path: string, start = 0, stallMs = 5_000, clock = systemClock) =>
  resources.adopt(followIngest({ root, digest, path, start, stallMs, clock }), body => body.destroy())
/** The next bytes as text; `undefined` at the end. */
async function textOf(reading: LentBody): Promise<string | undefined> {
  using piece = await reading.next()
  return piece === undefined ? undefined : String(piece.bytes)
}

describe('the reference of a download', () => {
  // biome-ignore format: a table
  test.each<[string, string, Digest, boolean]>([
    ['of a layer',                `k8s.io/12/layer-${digest}`,   digest, true],
    ['of a manifest',             `k8s.io/3/manifest-${digest}`, digest, true],
    ['of other content',          `k8s.io/12/layer-${digest}`,   other,  false],
    ['of another namespace',      `moby/12/layer-${digest}`,     digest, false],
    ['with something behind',     `k8s.io/12/layer-${digest}-x`, digest, false],
  ])('%s', (_name, ref, of, expected) => {
    expect(isRefOf(ref, { namespace: 'k8s.io', digest: of })).toBe(expected)
  })
})

describe('a download', () => {
  test('is found by its reference in our namespace, the furthest of several', async () => {
    begin(`k8s.io/1/layer-${other}`, 'abcdef')
    begin(`moby/2/layer-${digest}`, 'abcdefgh')
    begin(`k8s.io/3/layer-${digest}`, 'a')
    const path = begin(`k8s.io/4/layer-${digest}`, 'abc', '10\n')
    expect(await ingestPath(root, 'k8s.io', digest)).toBe(path)
    expect(await ingestTotal(path)).toBe(10)
    expect(await ingestPath(join(root, 'absent'), 'k8s.io', digest)).toBeUndefined()
  })

  test('is read as it grows, to its commit', async () => {
    const path = begin(`k8s.io/1/layer-${digest}`, '0123')
    const reading = follow(path, 2)
    expect(await textOf(reading)).toBe('23')
    appendFileSync(path, '456')
    expect(await textOf(reading)).toBe('456')
    appendFileSync(path, '789')
    commit(path)
    expect(await textOf(reading)).toBe('789')
    expect(await textOf(reading)).toBeUndefined()
  })

  test('that was committed and deleted is read to its end from what is open', async () => {
    const path = begin(`k8s.io/1/layer-${digest}`, '0123')
    const reading = follow(path)
    expect(await textOf(reading)).toBe('0123')
    commit(path)
    expect(await textOf(reading)).toBeUndefined()
  })

  test('that another writer finished first is read on from the committed file', async () => {
    const path = begin(`k8s.io/1/layer-${digest}`, '0123')
    const reading = follow(path)
    expect(await textOf(reading)).toBe('0123')
    writeFileSync(blobPath(root, digest), '0123456789')
    expect(await textOf(reading)).toBe('456789')
    expect(await textOf(reading)).toBeUndefined()
  })

  test('may be followed from where it has not come to yet', async () => {
    const path = begin(`k8s.io/1/layer-${digest}`, '0123')
    const reading = follow(path, 6)
    const next = textOf(reading)
    appendFileSync(path, '45')
    appendFileSync(path, '6789')
    expect(await next).toBe('6789')
    commit(path)
    expect(await textOf(reading)).toBeUndefined()
  })

  test('that vanishes fails', async () => {
    const path = begin(`k8s.io/1/layer-${digest}`, '0123')
    const reading = follow(path)
    await textOf(reading)
    rmSync(dirname(path), { recursive: true })
    await expect(reading.next()).rejects.toThrow('vanished after 4 bytes')
  })

  test('that begins anew fails', async () => {
    const path = begin(`k8s.io/1/layer-${digest}`, '0123')
    const reading = follow(path)
    await textOf(reading)
    truncateSync(path, 1)
    await expect(reading.next()).rejects.toThrow('began anew')
  })

  test('that stands still fails after the time it is given', async () => {
    const clock = new VirtualClock(0)
    const reading = follow(begin(`k8s.io/1/layer-${digest}`, '0123'), 0, 1_000, clock)
    await textOf(reading)
    const next = reading.next().catch((error: unknown) => String(error))
    let said: unknown
    void next.then(end => (said = end))
    while (said === undefined) await clock.advance(10)
    expect(said).toContain('stands still after 4 bytes')
  })

  test('that is nowhere fails', async () => {
    await expect(follow(join(root, 'ingest', 'none', 'data')).next()).rejects.toThrow('is gone')
  })
})

function fail(): never {
  throw new Error('no digest')
}
