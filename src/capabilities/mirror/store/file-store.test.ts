import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { type Digest, parseDigest } from '../reference.ts'
import { buffered } from './content-reader.ts'
import { fileStore } from './file-store.ts'
import { Announced } from './testdata/announced.ts'

const never = new AbortController().signal
const name = 'registry.test/acme/app:v1'

function place(directory: string, content: string): Digest {
  const hex = createHash('sha256').update(content).digest('hex')
  mkdirSync(join(directory, 'blobs', 'sha256'), { recursive: true })
  writeFileSync(join(directory, 'blobs', 'sha256', hex), content)
  const digest = parseDigest(`sha256:${hex}`)
  if (digest === undefined) throw new Error('no digest')
  return digest
}

test('a directory in the OCI layout is a store, and what comes into it is announced', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-layout-'))
  try {
    await using store = await fileStore(directory, { clock: systemClock, log: silentLog, everyMs: 5 })
    await using announced = new Announced(store)
    await announced.until(() => announced.lists === 1)
    const layer = place(directory, '0123456789')
    await announced.becomes(layer)
    const config = place(directory, '{"architecture":"amd64","os":"linux","rootfs":{}}')
    const manifest = place(
      directory,
      JSON.stringify({ schemaVersion: 2, config: { digest: config }, layers: [{ digest: layer }] }),
    )
    const annotations = { 'org.opencontainers.image.ref.name': name }
    writeFileSync(join(directory, 'index.json'), JSON.stringify({ manifests: [{ digest: manifest, annotations }] }))
    await announced.becomes(layer, config, manifest, name)
    expect(await store.resolve(name, never)).toBe(manifest)
    expect(await store.info(manifest, never)).toMatchObject({ isManifest: true })
    expect(await store.info(layer, never)).toMatchObject({ size: 10, isManifest: false })
    expect((await buffered(await store.open(layer, { start: 2, end: 5 }), never)).toString()).toBe('2345')
    expect(await store.inFlight(layer, never)).toBeUndefined()
    expect(store.images().map(image => image.parts.size)).toEqual([3])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
