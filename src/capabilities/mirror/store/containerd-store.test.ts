import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { parsePattern } from '#kube/values/regex.ts'
import { StoreUnavailable } from '../contract.ts'
import { everything, type RegistryFilters } from '../filters.ts'
import { type Digest, parseDigest } from '../reference.ts'
import { openContainerdStore } from './containerd-store.ts'
import { buffered } from './content-reader.ts'
import { Announced } from './testdata/announced.ts'
import { ReplayedContainerd, recordedVersions, recordingOf } from './testdata/replayed-containerd.ts'
import { SmallContainerd } from './testdata/small-containerd.ts'

const never = new AbortController().signal
const source = (host: string, repository: string) => ({ [`containerd.io/distribution.source.${host}`]: repository })

interface Site extends AsyncDisposable {
  readonly containerd: SmallContainerd
  readonly store: ReturnType<typeof openContainerdStore>
  readonly announced: Announced
  readonly clock: VirtualClock
}

async function site(
  options: {
    readonly filters?: RegistryFilters
    readonly isAbsent?: boolean
    readonly isUnmounted?: boolean
    readonly onPulled?: (name: string) => void
  } = {},
) {
  const stack = new AsyncDisposableStack()
  const containerd = stack.use(await SmallContainerd.start())
  if (options.isAbsent === true) containerd.server.stop()
  const clock = new VirtualClock(0)
  const store = stack.use(
    openContainerdStore({
      socket: containerd.server.socket,
      namespace: 'k8s.io',
      contentPath: options.isUnmounted === true ? '/nowhere' : containerd.contentPath,
      registryConfigPath: '/etc/containerd/certs.d',
      filters: options.filters ?? everything,
      clock,
      random: () => 0,
      log: silentLog,
      ...(options.onPulled === undefined ? {} : { onPulled: options.onPulled }),
    }),
  )
  const announced = stack.use(new Announced(store))
  const made: Site = { containerd, store, announced, clock, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  return made
}

const name = 'registry.test/acme/app:v1'
const isUnavailable = (error: unknown) => error instanceof StoreUnavailable

describe('announcing', () => {
  test('takes up an image with the parts of it that are here, by its own event alone', async () => {
    await using at = await site()
    await at.announced.until(() => at.announced.lists === 1)
    const { manifest, config, layer } = at.containerd.placeImage(name, 'layer')
    at.containerd.tell('/images/create', name)
    await at.announced.becomes(name, manifest, config, layer)
    expect(at.store.images()).toEqual([
      {
        name,
        registry: 'registry.test',
        digest: manifest,
        parts: new Map([manifest, config, layer].map(part => [part, sizeIn(at, part)])),
      },
    ])
  })

  test('tells of an image that was pulled: not of one that was imported, nor of one that was here', async () => {
    const pulled: string[] = []
    await using at = await site({ onPulled: image => pulled.push(image) })
    const before = at.containerd.placeImage(name, 'layer')
    at.containerd.label(before.manifest, source('registry.test', 'acme/app'))
    await at.announced.becomes(name, before.manifest, before.config, before.layer)
    at.containerd.tell('/images/update', name)
    const imported = 'registry.test/acme/imported:v1'
    at.containerd.placeImage(imported, 'other')
    at.containerd.tell('/images/create', imported)
    const fresh = 'registry.test/acme/fresh:v1'
    const { manifest } = at.containerd.placeImage(fresh, 'fresh')
    at.containerd.label(manifest, source('registry.test', 'acme/fresh'))
    at.containerd.tell('/images/create', fresh)
    await at.announced.until(() => at.announced.keys.has(fresh))
    await vi.waitUntil(() => pulled.length > 0, { timeout: 120_000 })
    expect(pulled).toEqual([fresh])
  })

  test('case 27: a label has no port, the registry that is mirrored has one', async () => {
    await using at = await site({ filters: { registries: new Set(['registry.test:5000']), patterns: [] } })
    await at.announced.until(() => at.announced.lists === 1)
    const digest = at.containerd.place('layer', source('registry.test', 'acme/app'))
    at.containerd.place('other', source('ghcr.io', 'acme/app'))
    at.containerd.tell('/content/create', digest)
    await at.announced.becomes(digest)
  })

  test('waits for the labels of fresh content', async () => {
    await using at = await site()
    await at.announced.until(() => at.announced.lists === 1)
    const digest = at.containerd.place('layer')
    const asked = at.containerd.infoAsked(digest)
    at.containerd.tell('/content/create', digest)
    await asked
    at.containerd.label(digest, source('registry.test', 'acme/app'))
    await passes(at, () => at.announced.keys.has(digest))
    expect([...at.announced.keys]).toEqual([digest])
  })

  test('is not asked about what containerd asked for: its event says enough, and its labels come later', async () => {
    await using at = await site()
    await at.announced.until(() => at.announced.lists === 1)
    const digest = at.containerd.place('layer')
    at.store.expect?.(digest)
    at.containerd.tell('/content/create', digest, 5)
    await at.announced.becomes(digest)
    expect([at.containerd.infos, (await at.store.info(digest, never))?.size]).toEqual([[], 5])
    // Listed before its labels come, it is announced as before.
    await at.clock.advance(15 * 60_000)
    await at.announced.until(() => at.announced.lists === 2)
    expect([...at.announced.keys]).toEqual([digest])
    at.containerd.removeContent(digest)
    at.containerd.tell('/content/delete', digest)
    await at.announced.becomes()
  })

  test('is asked about what was not asked for, or whose event says no size', async () => {
    await using at = await site()
    await at.announced.until(() => at.announced.lists === 1)
    const labels = source('registry.test', 'acme/app')
    const [strange, unsaid] = [at.containerd.place('strange', labels), at.containerd.place('unsaid', labels)]
    at.store.expect?.(unsaid)
    at.containerd.tell('/content/create', strange, 7)
    at.containerd.tell('/content/create', unsaid)
    await at.announced.becomes(strange, unsaid)
    expect(at.containerd.infos.toSorted()).toEqual([strange, unsaid].toSorted())
  })

  test('case 28: of two tags of one manifest the one that goes takes nothing else along', async () => {
    await using at = await site()
    const second = 'registry.test/acme/app:v2'
    const { manifest, config, layer } = at.containerd.placeImage(name, 'layer')
    at.containerd.images.set(second, manifest)
    await at.announced.becomes(name, second, manifest, config, layer)
    at.containerd.images.delete(name)
    at.containerd.tell('/images/delete', name)
    await at.announced.becomes(second, manifest, config, layer)
  })

  test('withdraws content that is deleted, and the tag that cannot be pulled without it', async () => {
    await using at = await site()
    const { manifest, config, layer } = at.containerd.placeImage(name, 'layer')
    await at.announced.becomes(name, manifest, config, layer)
    at.containerd.removeContent(layer)
    at.containerd.tell('/content/delete', layer)
    await at.announced.becomes(manifest, config)
  })

  test('looks again after an image was deleted: nobody tells that its content is collected', async () => {
    await using at = await site()
    const { manifest, config, layer } = at.containerd.placeImage(name, 'layer')
    for (const part of [manifest, config, layer]) at.containerd.label(part, source('registry.test', 'acme/app'))
    await at.announced.becomes(name, manifest, config, layer)
    at.containerd.images.delete(name)
    at.containerd.tell('/images/delete', name)
    await at.announced.becomes(manifest, config, layer)
    for (const part of [manifest, config, layer]) at.containerd.removeContent(part)
    const until = at.announced.becomes()
    await at.clock.advance(2_000)
    await until
    expect(at.announced.lists).toBe(1)
  })

  test('every 15 min the whole is compared, in both directions', async () => {
    await using at = await site()
    const before = at.containerd.placeImage(name, 'layer')
    await at.announced.becomes(name, before.manifest, before.config, before.layer)
    at.containerd.images.delete(name)
    for (const part of [before.manifest, before.config, before.layer]) at.containerd.removeContent(part)
    const { manifest, config, layer } = at.containerd.placeImage('registry.test/acme/other:v1', 'other layer')
    const until = at.announced.becomes('registry.test/acme/other:v1', manifest, config, layer)
    await at.clock.advance(15 * 60_000)
    await until
  })

  test('case 31: containerd stops and comes back with other images: a full list, equal to the store', async () => {
    await using at = await site()
    const before = at.containerd.placeImage(name, 'layer')
    await at.announced.becomes(name, before.manifest, before.config, before.layer)
    at.containerd.server.stop()
    await goes(at)
    expect(at.store.health().problems).toMatchObject([{ reason: 'ContainerdUnreachable' }])
    await at.clock.advance(30_000)
    at.containerd.images.delete(name)
    const { manifest, config, layer } = at.containerd.placeImage('registry.test/acme/other:v1', 'other layer')
    await at.containerd.server.listen()
    await comesBack(at)
    await at.announced.becomes('registry.test/acme/other:v1', manifest, config, layer)
    expect(at.announced.lists).toBe(2)
  })

  test('a name that is none, a filtered registry and a filtered tag leave the others alone', async () => {
    const latest = parsePattern(':latest$')
    if (!latest.ok) throw new Error(latest.problem.expected)
    await using at = await site({ filters: { registries: new Set(['registry.test']), patterns: [latest.value] } })
    const { manifest, config, layer } = at.containerd.placeImage(name, 'layer')
    for (const other of ['no name/at all', 'registry.test/UPPER:v1', 'ghcr.io/acme/app:v1', 'registry.test/acme/app:latest'])
      at.containerd.placeImage(other, `layer of ${other}`)
    at.containerd.images.set('sha256/broken', manifest)
    await at.announced.becomes(name, manifest, config, layer)
    expect(at.store.images().map(image => image.name)).toEqual([name])
  })

  test('a child manifest that comes later brings its image', async () => {
    await using at = await site()
    await at.announced.until(() => at.announced.lists === 1)
    const { manifest, config, layer } = at.containerd.placeImage(name, 'layer')
    const index = at.containerd.place(JSON.stringify({ schemaVersion: 2, manifests: [{ digest: manifest }] }))
    at.containerd.images.set(name, index)
    const bytes = at.containerd.contents.get(manifest)?.bytes ?? ''
    at.containerd.removeContent(manifest)
    at.containerd.tell('/images/create', name)
    await at.announced.becomes(index)
    at.containerd.place(bytes)
    at.containerd.tell('/content/create', manifest)
    await at.announced.becomes(name, index, manifest, config, layer)
  })
})

describe('looking up', () => {
  test('a tag leads to a digest, a digest to its size and its own media type', async () => {
    await using at = await site()
    const { manifest, layer } = at.containerd.placeImage(name, 'layer')
    expect(await at.store.resolve(name, never)).toBe(manifest)
    expect(await at.store.resolve('registry.test/acme/app:v9', never)).toBeUndefined()
    expect(await at.store.info(manifest, never)).toMatchObject({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      isManifest: true,
    })
    expect(await at.store.info(layer, never)).toEqual({
      digest: layer,
      size: 5,
      mediaType: 'application/octet-stream',
      isManifest: false,
    })
  })

  test('what events told of is not asked of containerd again', async () => {
    await using at = await site()
    const { manifest, config, layer } = at.containerd.placeImage(name, 'layer')
    await at.announced.becomes(name, manifest, config, layer)
    at.containerd.server.hangs = true
    expect(await at.store.info(layer, never)).toMatchObject({ size: 5, mediaType: 'application/octet-stream', isManifest: false })
    truncateSync(fileOf(at, layer), 3) // then it is asked, as ever
    const asked = at.store.info(layer, never).catch((error: unknown) => error)
    await at.clock.advance(1_000)
    expect(await asked).toBeUndefined()
  })

  test('a file that our namespace does not have is not there', async () => {
    await using at = await site()
    const digest = at.containerd.place('of another namespace')
    at.containerd.contents.delete(digest)
    expect(await at.store.info(digest, never)).toBeUndefined()
    await expect(at.store.open(digest)).rejects.toThrow('is not in the store')
  })

  test('a file that was cut is not there', async () => {
    await using at = await site()
    const digest = at.containerd.place('whole')
    truncateSync(fileOf(at, digest), 3)
    expect(await at.store.info(digest, never)).toBeUndefined()
    await expect(at.store.open(digest)).rejects.toThrow('has 3 bytes instead of 5')
  })

  test('a file that becomes shorter while it is read ends as an error, not as an end', async () => {
    await using at = await site()
    const digest = at.containerd.place('x'.repeat(3_000_000))
    const stream = await at.store.open(digest)
    const reading = buffered(stream, never)
    stream.once('data', () => truncateSync(fileOf(at, digest), 1_500_000))
    await expect(reading).rejects.toThrow('too early')
  })

  test('a file that is removed while it is read is read to its end', async () => {
    await using at = await site()
    const bytes = 'y'.repeat(3_000_000)
    const digest = at.containerd.place(bytes)
    const stream = await at.store.open(digest)
    stream.once('data', () => at.containerd.removeContent(digest))
    expect((await buffered(stream, never)).equals(Buffer.from(bytes))).toBe(true)
  })

  test.each([
    ['as files', false],
    ['through the API where files are not mounted', true],
  ])('reads %s, whole and in part', async (_how, isUnmounted) => {
    await using at = await site({ isUnmounted })
    const digest = at.containerd.place('0123456789')
    const empty = at.containerd.place('')
    const text = async (range?: { start: number; end: number }) =>
      (await buffered(await at.store.open(digest, range), never)).toString()
    expect(await text()).toBe('0123456789')
    expect(await text({ start: 2, end: 5 })).toBe('2345')
    expect(await text({ start: 7, end: 99 })).toBe('789')
    expect((await at.store.read(empty, 10, never)).length).toBe(0)
    await expect(at.store.read(digest, 9, never)).rejects.toThrow('10 bytes, more than 9')
    expect(await at.store.info(digest, never)).toMatchObject({ size: 10, mediaType: 'application/octet-stream' })
  })

  test('fails within a second when containerd hangs', async () => {
    await using at = await site()
    await at.announced.until(() => at.announced.lists === 1)
    at.containerd.server.hangs = true
    const asked = at.store.resolve(name, never).catch((error: unknown) => error)
    await at.clock.advance(1_000)
    expect(await asked).toSatisfy(isUnavailable)
    await at.clock.advance(15_000)
    expect(at.store.health().isUp).toBe(false)
    at.containerd.server.hangs = false
    await comesBack(at)
  })

  test('an aborted look-up ends with its reason', async () => {
    await using at = await site()
    at.containerd.server.hangs = true
    const stop = new AbortController()
    const asked = at.store.resolve(name, stop.signal)
    stop.abort(new Error('client went away'))
    await expect(asked).rejects.toThrow('client went away')
  })

  test('serves what lies as files for a minute after containerd went, and tags not at all', async () => {
    await using at = await site()
    const { manifest, config, layer } = at.containerd.placeImage(name, 'layer')
    await at.announced.becomes(name, manifest, config, layer)
    const strange = parseDigest(`sha256:${'a'.repeat(64)}`)
    if (strange === undefined) throw new Error('no digest')
    writeFileSync(fileOf(at, strange), 'of another namespace')
    at.containerd.server.stop()
    await goes(at)
    expect(await at.store.info(layer, never)).toMatchObject({ size: 5 })
    expect((await at.store.read(layer, 5, never)).toString()).toBe('layer')
    await expect(at.store.resolve(name, never)).rejects.toSatisfy(isUnavailable)
    await expect(at.store.info(strange, never)).rejects.toSatisfy(isUnavailable)
    await at.clock.advance(61_000)
    await expect(at.store.info(layer, never)).rejects.toSatisfy(isUnavailable)
  })

  test('containerd may come after us', async () => {
    await using at = await site({ isAbsent: true })
    const { manifest } = at.containerd.placeImage(name, 'layer')
    await expect(at.store.resolve(name, never)).rejects.toSatisfy(isUnavailable)
    expect(at.store.health()).toMatchObject({ isUp: false, version: undefined })
    await at.clock.advance(10_000)
    await at.containerd.server.listen()
    await comesBack(at)
    await at.announced.until(keys => keys.has(name))
    expect(await at.store.resolve(name, never)).toBe(manifest)
    expect(at.store.health()).toEqual({ isUp: true, version: '2.1.9', problems: [] })
  })
})

describe.each(recordedVersions)('containerd %s as recorded', version => {
  test('is followed from an empty store to an empty store', async () => {
    const recording = recordingOf(version)
    await using containerd = await ReplayedContainerd.start(recording)
    const clock = new VirtualClock(0)
    await using store = openContainerdStore({
      socket: containerd.server.socket,
      namespace: 'k8s.io',
      contentPath: '',
      registryConfigPath: '/etc/containerd/certs.d',
      filters: { registries: new Set(['registry.test:5000']), patterns: [] },
      clock,
      random: () => 0,
      log: silentLog,
    })
    await using announced = new Announced(store)
    await announced.until(() => announced.lists === 1)
    expect([...announced.keys]).toEqual([])
    expect(store.health()).toMatchObject({ isUp: true, problems: [] })
    expect(store.health().version).toContain(version)

    const { name: image, digest, manifest, config, layers, others } = recording.image
    const isEarly = version === '2.1.9' // says what comes before there is an image
    const meanwhile = [digest, manifest, config, layers[0] ?? '', ...others]
    expect(containerd.next()).toBe('a layer comes in')
    if (isEarly) await announced.becomes(...meanwhile)

    expect(containerd.next()).toBe('pulled')
    // ctr of 1.x leaves the other platform alone.
    const parts = [digest, manifest, config, ...layers, ...(isEarly ? others : [])]
    await announced.becomes(`${image}:v1`, ...parts)
    expect(await store.resolve(`${image}:v1`, never)).toBe(digest)
    expect(await store.info(digestIn(manifest), never)).toMatchObject({ isManifest: true })
    expect(await store.info(digestIn(config), never)).toMatchObject({ mediaType: 'application/vnd.oci.image.config.v1+json' })
    expect((await store.read(digestIn(layers[0]), 10_000, never)).length).toBeGreaterThan(1_000)

    expect(containerd.next()).toBe('named twice')
    await announced.becomes(`${image}:v1`, `${image}:v2`, ...parts)
    expect(containerd.next()).toBe('one name removed')
    await announced.becomes(`${image}:v2`, ...parts)
    expect(containerd.next()).toBe('collected')
    await announced.until(keys => !keys.has(`${image}:v2`))
    const until = announced.becomes()
    await clock.advance(2_000)
    await until
  })
})

/** Until `is` holds: the clock goes on, and sockets, which know no clock, have as much time as a busy machine gives them. */
async function passes(at: Site, is: () => boolean): Promise<void> {
  const goOn = async () => {
    await at.clock.advance(20)
    return is()
  }
  await vi.waitUntil(goOn, { timeout: 120_000, interval: 2 })
}

const comesBack = (at: Site) => passes(at, () => at.store.health().isUp)
const goes = (at: Site) => passes(at, () => !at.store.health().isUp)

function digestIn(text: string | undefined): Digest {
  const digest = parseDigest(text ?? '')
  if (digest === undefined) throw new Error(`${text} is no digest`)
  return digest
}

const fileOf = (at: Site, digest: Digest) => join(at.containerd.contentPath, 'blobs', 'sha256', digest.slice(7))
const sizeIn = (at: Site, digest: Digest) => at.containerd.contents.get(digest)?.bytes.length ?? 0
