import { mkdir, rename, writeFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { everything } from '../filters.ts'
import { agentTlsName, type PrefetchState } from '../prefetch.ts'
import { KeptCounts } from '../testdata/kept-counts.ts'
import { digestOf, MemoryStore } from '../testdata/memory-store.ts'
import { ScriptedExchange } from '../testdata/scripted-exchange.ts'
import { ContentFinder } from './content-finder.ts'
import { PeerCertificates } from './peer-certificates.ts'
import { PeerDoor } from './peer-door.ts'
import { RegistryFront } from './registry-front.ts'

const blob = '0123456789'
const target = `/v2/acme/app/blobs/${digestOf(blob)}?ns=x.io`

const authority = (commonName: string) => issueAuthority({ commonName, nowMs: systemClock.now() })
const leaf = (of: KeyPair) =>
  issueLeaf(of, {
    commonName: agentTlsName,
    dnsNames: [agentTlsName],
    usages: ['server', 'client'],
    nowMs: systemClock.now(),
  })

async function place(directory: string, ca: KeyPair, pair: KeyPair): Promise<void> {
  const files = { 'ca.crt': ca.certificate, 'tls.crt': pair.certificate, 'tls.key': pair.key }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(directory, `.${name}`), text)
    await rename(join(directory, `.${name}`), join(directory, name))
  }
}

async function site(prefetched: (readonly string[])[] = []) {
  const directory = join(await temporaryDirectory(), 'tls')
  await mkdir(directory)
  const clock = new VirtualClock(0)
  const certificates = await PeerCertificates.open({ directory, clock, log: silentLog })
  const store = new MemoryStore()
  store.put(blob)
  const exchange = new ScriptedExchange()
  const counts = new KeptCounts()
  const shared = { counts, clock: systemClock, log: silentLog }
  const finder = new ContentFinder({ filters: everything, headerTimeoutMs: 3_000, store, exchange, ...shared })
  const readiness = () => ({ isReady: true, reason: '' })
  const meter = { begin: () => () => undefined }
  const front = new RegistryFront({ finder, readiness, meter, limitUpload: undefined, ...shared })
  const prefetcher = {
    ask: async (images: readonly string[]) => {
      prefetched.push(images)
      return images.map((image): PrefetchState => ({ image, state: 'queued' }))
    },
  }
  const settings = { peerTlsAddress: '127.0.0.1:0' }
  const door = new PeerDoor({ settings, prefetcher, clock: systemClock, log: silentLog }, { front, certificates })
  await door.open()
  onTestFinished(async () => {
    await door[Symbol.asyncDispose]()
    await certificates[Symbol.asyncDispose]()
  })
  return { directory, certificates, door, exchange, store }
}

interface Said {
  readonly ca: KeyPair
  readonly pair?: KeyPair
  readonly method?: string
  readonly path?: string
  readonly body?: string
}

function ask(port: number | undefined, { ca, pair, method = 'GET', path = target, body }: Said) {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number | undefined; readonly body: string }>()
  const own = pair === undefined ? {} : { cert: pair.certificate, key: pair.key }
  const request = httpsRequest(
    { host: '127.0.0.1', port, servername: agentTlsName, ca: ca.certificate, ...own, method, path, agent: false },
    async response => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(Buffer.from(chunk))
      resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() })
    },
  )
  request.on('error', reject)
  request.end(body)
  return promise
}

test('it opens when the certificate comes, and takes the next while it runs', async () => {
  const { directory, certificates, door } = await site()
  expect(door.port).toBeUndefined()
  const ca = await authority('one')
  const first = await leaf(ca)
  await place(directory, ca, first)
  await certificates.look()
  await expect.poll(() => door.port).toBeTypeOf('number')
  expect(await ask(door.port, { ca, pair: first })).toEqual({ status: 200, body: blob })
  const second = await leaf(ca)
  await place(directory, ca, second)
  await certificates.look()
  await expect.poll(() => shownBy(door.port, ca, first)).toBe(second.certificate.trim())
})

test('half of a renewal changes nothing', async () => {
  const { directory, certificates } = await site()
  const [ca, other] = [await authority('one'), await authority('two')]
  const first = await leaf(ca)
  await place(directory, ca, first)
  await certificates.look()
  await writeFile(join(directory, 'tls.crt'), (await leaf(other)).certificate)
  await certificates.look()
  expect(certificates.current?.certificate).toBe(first.certificate)
})

test('nobody gets through without a certificate of the same authority', async () => {
  const { directory, certificates, door } = await site()
  const [ca, other] = [await authority('one'), await authority('two')]
  await place(directory, ca, await leaf(ca))
  await certificates.look()
  await expect.poll(() => door.port).toBeTypeOf('number')
  await expect(ask(door.port, { ca })).rejects.toThrow()
  await expect(ask(door.port, { ca, pair: await leaf(other) })).rejects.toThrow()
})

test('others get what is here, and nobody is asked for them', async () => {
  const { directory, certificates, door, exchange, store } = await site()
  const ca = await authority('one')
  const pair = await leaf(ca)
  await place(directory, ca, pair)
  await certificates.look()
  await expect.poll(() => door.port).toBeTypeOf('number')
  store.remove(digestOf(blob))
  expect((await ask(door.port, { ca, pair })).status).toBe(404)
  expect(exchange.asked).toEqual([])
})

test('images to pull beforehand are checked and handed on', async () => {
  const prefetched: (readonly string[])[] = []
  const { directory, certificates, door } = await site(prefetched)
  const ca = await authority('one')
  const pair = await leaf(ca)
  await place(directory, ca, pair)
  await certificates.look()
  await expect.poll(() => door.port).toBeTypeOf('number')
  const post = (body: string, method = 'POST') => ask(door.port, { ca, pair, method, path: '/ballast/prefetch', body })
  const images = ['docker.io/library/nginx:1.29']
  const taken = await post(JSON.stringify({ images }))
  expect([taken.status, JSON.parse(taken.body)]).toEqual([202, { images: [{ image: images[0], state: 'queued' }] }])
  for (const body of ['', '{', '[]', '{"images":[]}', '{"images":["nginx"]}', '{"images":["a/b:c"],"more":1}'])
    expect((await post(body)).status).toBe(400)
  expect((await post(JSON.stringify({ images: ['x'.repeat(70_000)] }))).status).toBe(413)
  expect((await post('', 'GET')).status).toBe(405)
  expect(prefetched).toEqual([images])
})

/** The certificate that the other side shows, in PEM. */
function shownBy(port: number | undefined, ca: KeyPair, pair: KeyPair): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const own = { ca: ca.certificate, cert: pair.certificate, key: pair.key }
  const socket = connectTls({ host: '127.0.0.1', port, servername: agentTlsName, ...own }, () => {
    resolve(socket.getPeerX509Certificate()?.toString().trim() ?? '')
    socket.destroy()
  })
  socket.on('error', reject)
  return promise
}
