// The store against real containerds of three lines: what it announces, serves, follows, and how it stands a restart.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { message, nested, text } from '#kube/protobuf-message.ts'
import { systemRandom } from '#kube/random.ts'
import { type Digest, parseDigest } from '../../../../src/capabilities/mirror/reference.ts'
import { ContainerdClient } from '../../../../src/capabilities/mirror/store/containerd-client.ts'
import { openContainerdStore } from '../../../../src/capabilities/mirror/store/containerd-store.ts'
import { buffered } from '../../../../src/capabilities/mirror/store/content-reader.ts'
import { Announced } from '../../../../src/capabilities/mirror/store/testdata/announced.ts'
import type { Check } from '../../check.ts'
import { type ContainerdLine, containerdLines, type NodeContainerd, startNodeContainerd } from '../containerd.ts'
import { type SmallRegistry, startSmallRegistry } from './small-registry.ts'

const never = new AbortController().signal
const registryName = 'registry.test:5000'
const name = `${registryName}/acme/app`
const limitMs = 20_000

interface Site extends AsyncDisposable {
  readonly registry: SmallRegistry
  readonly containerd: NodeContainerd
  readonly store: ReturnType<typeof openContainerdStore>
  readonly announced: Announced
  /** `ctr images pull` of a tag. */
  pull(tag: string): Promise<void>
  ctr(...args: readonly string[]): Promise<string>
}

interface SiteOptions {
  readonly discardUnpackedLayers?: boolean
  readonly configPath?: string
  /** Content is read through the API. */
  readonly isUnmounted?: boolean
}

async function site(line: ContainerdLine, options: SiteOptions = {}): Promise<Site> {
  await using stack = new AsyncDisposableStack()
  const registry = stack.use(await startSmallRegistry())
  const hosts = mkdtempSync(join(tmpdir(), 'ballast-hosts-'))
  stack.defer(() => rmSync(hosts, { recursive: true, force: true }))
  mkdirSync(join(hosts, registryName))
  writeFileSync(join(hosts, registryName, 'hosts.toml'), `[host.'http://${registry.host}']\n`)
  const { configPath = hosts, isUnmounted = false, ...rest } = options
  const containerd = stack.use(await startNodeContainerd({ line, configPath, ...rest }))
  const store = stack.use(
    openContainerdStore({
      socket: containerd.socket,
      namespace: 'k8s.io',
      contentPath: isUnmounted ? '/nowhere' : '',
      registryConfigPath: hosts,
      filters: { registries: new Set([registryName]), patterns: [] },
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    }),
  )
  const announced = stack.use(new Announced(store))
  const ctr = async (...args: readonly string[]) => {
    const done = await containerd.ctr(...args)
    if (done.code !== 0) throw new Error(`ctr ${args.join(' ')}: ${done.stderr}`)
    return done.stdout
  }
  const pull = async (tag: string) => {
    const done = await containerd.pull(`${name}:${tag}`, { hostsDirectory: hosts })
    if (done.code !== 0) throw new Error(`pull of ${tag}: ${done.stderr}`)
  }
  await within(
    'a first list',
    announced.until(() => announced.lists > 0),
  )
  const made = stack.move()
  return { registry, containerd, store, announced, pull, ctr, [Symbol.asyncDispose]: () => made.disposeAsync() }
}

async function announces(line: ContainerdLine): Promise<string> {
  await using at = await site(line)
  const image = at.registry.push('acme/app', 'v1', { layerBytes: [300_000, 5_000_000], inIndex: true })
  at.registry.tag('acme/app', 'v2', image.digest)
  const own = [image.digest, image.manifest, image.config, ...image.layers]
  await at.pull('v1')
  await within(
    'all of v1',
    at.announced.until(keys => [`${name}:v1`, ...own].every(key => keys.has(key))),
  )
  await at.pull('v2')
  await within(
    'v2',
    at.announced.until(keys => keys.has(`${name}:v2`)),
  )
  await at.ctr('images', 'rm', '--sync', `${name}:v1`)
  await within(
    'v1 gone',
    at.announced.until(keys => !keys.has(`${name}:v1`)),
  )
  expectThat(own.every(key => at.announced.keys.has(key)) && at.announced.keys.has(`${name}:v2`), 'v2 and all content stay')
  for (const digest of own) {
    const info = await at.store.info(digestIn(digest), never)
    expectThat(info?.size === at.registry.bytesOf(digest).length, `${digest} has its size`)
    const bytes = await at.store.read(digestIn(digest), 10_000_000, never)
    expectThat(bytes.equals(at.registry.bytesOf(digest)), `${digest} is read byte for byte`)
  }
  await removeAll(at)
  await within(
    'nothing announced',
    at.announced.until(keys => keys.size === 0),
  )
  return `${at.containerd.version}: tags and ${own.length} digests came and went with their images, nothing is left`
}

async function followsDownload(line: ContainerdLine): Promise<string> {
  await using at = await site(line)
  const { layers } = at.registry.push('acme/app', 'v1', { layerBytes: [20_000_000] })
  const layer = digestIn(layers[0])
  const bytes = at.registry.bytesOf(layer)
  const held = at.registry.hold(layer, 8_000_000)
  const pulling = at.pull('v1')
  await Promise.race([held.reached, pulling])
  const begun = await eventually('an ingest', async () => {
    const found = await at.store.inFlight(layer, never)
    return found !== undefined && found.offset > 4_000_000 ? found : undefined
  })
  expectThat(begun.total === bytes.length, `its total is ${begun.total}`)
  expectThat((await at.store.info(layer, never)) === undefined, 'it is not content yet')
  const readings = [0, 1_000, 6_000_000].map(async start => ({
    start,
    bytes: await buffered(await at.store.follow(layer, start, 10_000), never),
  }))
  held.letGo()
  for (const { start, bytes: read } of await Promise.all(readings)) {
    expectThat(read.equals(bytes.subarray(start)), `followed from ${start}`)
  }
  await pulling
  return `${at.containerd.version}: three read along from ${begun.offset} of ${begun.total} bytes on, each to the last byte`
}

async function failsWithDownload(line: ContainerdLine): Promise<string> {
  await using at = await site(line)
  const { layers } = at.registry.push('acme/app', 'v1', { layerBytes: [20_000_000] })
  const layer = digestIn(layers[0])
  const held = at.registry.hold(layer, 8_000_000)
  const pulling = at.pull('v1').catch((error: unknown) => error)
  await Promise.race([held.reached, pulling])
  await eventually('an ingest', () => at.store.inFlight(layer, never))
  const startedMs = systemClock.elapsed()
  const stalled = await problemOf(buffered(await at.store.follow(layer, 0, 500), never))
  expectThat(stalled.includes('stands still'), `a stall is told: ${stalled}`)
  const stallMs = Math.round(systemClock.elapsed() - startedMs)
  const vanishing = problemOf(buffered(await at.store.follow(layer, 0, 20_000), never))
  for (const line of (await at.ctr('content', 'active')).split('\n')) {
    const [ref = ''] = line.split(/\s/)
    if (ref.endsWith(layer)) await at.ctr('content', 'rm', ref).catch(() => undefined) // 1.x removes what is whole only
  }
  await at.containerd.stop()
  rmSync(join(at.containerd.contentPath, 'ingest'), { recursive: true })
  const vanished = await vanishing
  expectThat(vanished.includes('vanished'), `what vanishes is told: ${vanished}`)
  held.cut()
  await pulling
  return `${at.containerd.version}: a stall ended after ${stallMs} ms, a vanished download at once`
}

async function servesWhileCollected(line: ContainerdLine): Promise<string> {
  await using at = await site(line)
  const { layers } = at.registry.push('acme/app', 'v1', { layerBytes: [50_000_000] })
  const layer = digestIn(layers[0])
  await at.pull('v1')
  await within(
    'the layer',
    at.announced.until(keys => keys.has(layer)),
  )
  const stream = await at.store.open(layer)
  const first = await takeOne(stream)
  await removeAll(at)
  await eventually('its collection', async () => ((await at.store.info(layer, never)) === undefined ? true : undefined))
  const read = Buffer.concat([first, await buffered(stream, never)])
  expectThat(read.equals(at.registry.bytesOf(layer)), 'what was open is read to its end')
  return `${at.containerd.version}: collected after ${first.length} of ${read.length} bytes, the stream came whole`
}

async function standsRestart(line: ContainerdLine): Promise<string> {
  await using at = await site(line)
  const image = at.registry.push('acme/app', 'v1', { layerBytes: [300_000] })
  const layer = digestIn(image.layers[0])
  at.registry.tag('acme/app', 'v2', image.digest)
  await at.pull('v1')
  await within(
    'v1',
    at.announced.until(keys => keys.has(`${name}:v1`)),
  )
  await at.containerd.stop('SIGKILL')
  await eventually('the loss', async () => (at.store.health().isUp ? undefined : true))
  expectThat((await at.store.info(layer, never))?.size === at.registry.bytesOf(layer).length, 'its files are served')
  const startedMs = systemClock.elapsed()
  await at.store.resolve(`${name}:v1`, never).then(
    () => expectThat(false, 'a tag is not answered'),
    () => undefined,
  )
  const failedMs = Math.round(systemClock.elapsed() - startedMs)
  expectThat(failedMs < 1_100, `a look-up failed after ${failedMs} ms`)
  await at.containerd.start()
  const upMs = systemClock.elapsed()
  await within(
    'a list after the restart',
    at.announced.until(() => at.announced.lists > 1),
  )
  const backMs = Math.round(systemClock.elapsed() - upMs)
  await at.pull('v2')
  await within(
    'v2',
    at.announced.until(keys => keys.has(`${name}:v2`) && keys.has(`${name}:v1`)),
  )
  return `${at.containerd.version}: look-ups failed after ${failedMs} ms, the full list came ${backMs} ms after it served again`
}

async function readsThroughApi(line: ContainerdLine): Promise<string> {
  await using at = await site(line, { isUnmounted: true })
  const { digest, layers } = at.registry.push('acme/app', 'v1', { layerBytes: [20_000_000] })
  const layer = digestIn(layers[0])
  await at.pull('v1')
  await within(
    'v1',
    at.announced.until(keys => keys.has(`${name}:v1`)),
  )
  const bytes = at.registry.bytesOf(layer)
  expectThat((await buffered(await at.store.open(layer), never)).equals(bytes), 'the whole')
  const range = { start: 1_000_001, end: 9_000_000 }
  expectThat(
    (await buffered(await at.store.open(layer, range), never)).equals(bytes.subarray(range.start, range.end + 1)),
    'a part',
  )
  expectThat((await at.store.info(digestIn(digest), never))?.isManifest === true, 'a manifest is one')
  return `${at.containerd.version}: ${bytes.length} bytes whole and in part without a file`
}

async function noticesSettings(line: ContainerdLine): Promise<string> {
  await using at = await site(line, { discardUnpackedLayers: true, configPath: '' })
  const told = at.store.health().problems.map(({ reason }) => reason)
  // 2.x tells neither; what is missing is seen once an image was pulled by the kubelet's way.
  const expected = line === '2' ? [] : ['LayersDiscarded', 'ConfigurationMissing']
  expectThat(told.join() === expected.join(), `it tells ${told.join() || 'nothing'}`)
  return `${at.containerd.version}: ${told.join(', ') || 'says neither setting'}`
}

/** As a kubelet pulls: on 2.x nothing but the missing layers tells of the setting. */
async function noticesDiscardedLayers(line: ContainerdLine): Promise<string> {
  await using at = await site(line, { discardUnpackedLayers: true })
  at.registry.push('acme/app', 'v1', { layerBytes: [300_000], inIndex: true })
  using client = new ContainerdClient({ socket: at.containerd.socket, namespace: 'k8s.io', clock: systemClock })
  await client.call(pullImage, { image: { image: `${name}:v1` } }, never, limitMs)
  await eventually('an image', async () => at.store.images().find(image => image.name === `${name}:v1`))
  const problem = await eventually('LayersDiscarded', async () => {
    const isWithout = at.store.images().every(({ parts }) => parts.size === 3)
    return isWithout ? at.store.health().problems.find(({ reason }) => reason === 'LayersDiscarded') : undefined
  })
  expectThat(!at.announced.keys.has(`${name}:v1`), 'a tag that cannot be pulled from here is not announced')
  return `${at.containerd.version}: ${problem.message}`
}

const pullImage = {
  path: '/runtime.v1.ImageService/PullImage',
  request: message({ image: nested(1, message({ image: text(1) })) }),
  response: message({ ref: text(1) }),
}

/** Every check with each line of containerd. */
export const storeChecks: readonly Check[] = (
  [
    ['announces what is there', announces],
    ['follows a download', followsDownload],
    ['fails with a download', failsWithDownload],
    ['serves what is collected meanwhile', servesWhileCollected],
    ['stands a restart', standsRestart],
    ['reads through the API', readsThroughApi],
    ['notices settings', noticesSettings],
    ['notices discarded layers', noticesDiscardedLayers],
  ] as const
).flatMap(([title, run]) =>
  (Object.keys(containerdLines) as ContainerdLine[]).map(line => ({
    name: `mirror store ${title}, containerd ${line}`,
    run: () => run(line),
  })),
)

/** Also what the CRI named by its configuration; collection follows. */
async function removeAll(at: Site): Promise<void> {
  for (;;) {
    const names = (await at.ctr('images', 'ls', '-q')).split('\n').filter(text => text !== '')
    if (names.length === 0) return
    await at.ctr('images', 'rm', '--sync', ...names)
  }
}

function expectThat(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`not so: ${what}`)
}

async function takeOne(stream: Readable): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    stream.once('error', reject)
    stream.once('data', (piece: Buffer) => {
      stream.pause()
      stream.off('error', reject)
      resolve(piece)
    })
  })
}

async function problemOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'no error',
    (error: unknown) => String(error),
  )
}

async function within<T>(what: string, wanted: Promise<T>): Promise<T> {
  const stop = new AbortController()
  const late = systemClock.after(limitMs, stop.signal).then(
    () => {
      throw new Error(`${what} did not come within ${limitMs} ms`)
    },
    () => wanted, // it came in time
  )
  try {
    return await Promise.race([wanted, late])
  } finally {
    stop.abort()
  }
}

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const untilMs = systemClock.elapsed() + limitMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (systemClock.elapsed() > untilMs) throw new Error(`${what} did not come within ${limitMs} ms`)
    await systemClock.after(20)
  }
}

function digestIn(text: string | undefined): Digest {
  const digest = parseDigest(text ?? '')
  if (digest === undefined) throw new Error(`${text} is no digest`)
  return digest
}
