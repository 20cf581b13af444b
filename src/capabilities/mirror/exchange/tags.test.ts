// Tags and manifests of other nodes: nothing is answered that containerd could not go on with.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { digestOf } from '../testdata/memory-store.ts'
import { type Behaviour, breakAfter, found, PeerBed, readBody, refuse, serve } from './testdata/peer-bed.ts'

const imageType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'
const image = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: imageType, config: {}, layers: [] }))
const index = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: indexType,
    manifests: [
      { digest: digestOf('attestation'), platform: { os: 'unknown', architecture: 'unknown' } },
      { digest: digestOf(image), platform: { os: 'linux', architecture: 'riscv64' } },
    ],
  }),
)
const key = 'ghcr.io/acme/app:v2'
const asMirror =
  (contents: Readonly<Record<string, Buffer>>): Behaviour =>
  (request, response) => {
    const name = /\/manifests\/([^?]+)/.exec(request.url ?? '')?.[1] ?? ''
    const bytes = contents[name]
    // The media type that a peer says is of no matter.
    return bytes === undefined ? refuse(404)(request, response) : serve(bytes, { 'content-type': 'text/html' })(request, response)
  }

describe('a tag that a peer has', () => {
  test('of an image: HEAD says its digest, type and length; the GET by digest that follows asks nobody', async () => {
    await using bed = await PeerBed.open(1)
    const peer = bed.has(1, key, asMirror({ v2: image }))
    const head = found(await bed.manifest({ method: 'HEAD', tag: 'v2' }))
    expect(head).toMatchObject({
      digest: digestOf(image),
      size: image.length,
      mediaType: imageType,
      body: undefined,
      source: 'peer',
    })
    const get = found(await bed.manifest({ digest: digestOf(image) }))
    expect((await readBody(get.body)).bytes).toEqual(image)
    expect(peer.asked).toEqual(['GET /v2/acme/app/manifests/v2?ns=ghcr.io'])
  })

  test('of an index: one of its platforms is fetched too', async () => {
    await using bed = await PeerBed.open(1)
    const peer = bed.has(1, key, asMirror({ v2: index, [digestOf(image)]: image }))
    expect(await bed.manifest({ method: 'HEAD', tag: 'v2' })).toMatchObject({ outcome: 'found', mediaType: indexType })
    expect(peer.asked).toEqual(['v2', digestOf(image)].map(name => `GET /v2/acme/app/manifests/${name}?ns=ghcr.io`))
  })

  test('of an index none of whose platforms it has: not found, or what the next one has', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, key, asMirror({ v2: index }))
    expect(await bed.manifest({ tag: 'v2' })).toMatchObject({ outcome: 'not-found', reason: 'failed' })
    bed.has(2, key, asMirror({ v2: image }))
    expect(await bed.manifest({ tag: 'v2' })).toMatchObject({ outcome: 'found', digest: digestOf(image) })
  })

  test('of an index whose platform this node has: found', async () => {
    await using bed = await PeerBed.open(1)
    bed.store.put(image)
    bed.has(1, key, asMirror({ v2: index }))
    expect(await bed.manifest({ tag: 'v2' })).toMatchObject({ outcome: 'found' })
  })

  test('whose bytes are not its digest: the peer is left alone', async () => {
    await using bed = await PeerBed.open(1)
    bed.has(1, key, serve(index, { 'docker-content-digest': digestOf(image) }))
    expect(await bed.manifest({ method: 'HEAD', tag: 'v2' })).toMatchObject({ outcome: 'not-found' })
    expect(bed.exchange.state().quarantined).toMatchObject([{ peer: 'P1' }])
  })

  test.each<readonly [string, Behaviour]>([
    ['something that is no manifest', serve(Buffer.from('{"layers":"none"}'))],
    [
      'more than 4 MiB',
      (_request, response) =>
        void response.writeHead(200, { 'content-length': 4_194_305, 'docker-content-digest': digestOf('x') }).flushHeaders(),
    ],
    ['half of it', breakAfter(image, 10)],
  ])('that leads to %s: not found', async (_name, behave) => {
    await using bed = await PeerBed.open(1)
    bed.has(1, key, behave)
    expect(await bed.manifest({ tag: 'v2' })).toMatchObject({ outcome: 'not-found', reason: 'failed' })
  })

  test('a manifest is not gone on with, but fetched from the next', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, digestOf(image), breakAfter(image, 10))
    const second = bed.has(2, digestOf(image), serve(image))
    expect(found(await bed.manifest({ digest: digestOf(image) })).mediaType).toBe(imageType)
    expect(second.asked).toEqual([`GET /v2/acme/app/manifests/${digestOf(image)}?ns=ghcr.io`])
  })
})

describe('tags that are not answered', () => {
  test('with `never`: no peer is asked', async () => {
    await using bed = await PeerBed.open(1, { tags: 'never' })
    const peer = bed.has(1, key, serve(image))
    expect(await bed.manifest({ tag: 'v2' })).toMatchObject({ outcome: 'not-found', attempts: 0, reason: 'registry-up' })
    expect(peer.asked).toEqual([])
  })

  test('with `fallback`: while the registry answers anything, and no longer when it is gone twice', async () => {
    const registry = createServer((_request, response) => response.writeHead(503).end())
    const port = await listening(registry)
    await using bed = await PeerBed.open(1, { tags: 'fallback' }, { schemeOf: () => 'http' })
    const name = `127.0.0.1:${port}`
    bed.has(1, `${name}/acme/app:v2`, serve(image))
    const asked = new Promise<string>(resolve => registry.once('request', ({ method, url }) => resolve(`${method} ${url}`)))
    expect(await bed.manifest({ registry: name, tag: 'v2' })).toMatchObject({ reason: 'registry-up' })
    expect(await asked).toBe('HEAD /v2/')
    registry.closeAllConnections()
    await new Promise(resolve => registry.close(resolve))
    await vi.waitUntil(
      async () => {
        await bed.clock.advance(30_000)
        return bed.exchange.answersTags(name)
      },
      { timeout: 50_000, interval: 20 },
    )
    expect(await bed.manifest({ registry: name, tag: 'v2' })).toMatchObject({ outcome: 'found' })
  })
})

async function listening(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
