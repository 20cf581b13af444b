// Pins of kubelets over real TLS, with the ConfigMap in a twin: who is not believed hears nothing of who asks.

import { X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { listening } from '#kube/server/listening.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { KnownContainers } from '../src/capabilities/metrics/decode/known-containers.ts'
import { KubeletPins } from '../src/capabilities/metrics/pins/kubelet-pins.ts'
import { keyOf, pinsName, pinText } from '../src/capabilities/metrics/pins/pin-rules.ts'
import { isFailure, KubeletClient } from '../src/capabilities/metrics/scrape/kubelet-client.ts'

const namespace = 'kube-system'
const body = 'node_cpu_usage_seconds_total 1 1000\nnode_memory_working_set_bytes 5 1000\n'
const { signal } = new AbortController()
const stack = new AsyncDisposableStack()
let twin: Twin
let admin: Api
let keys: KeyPair[]

beforeAll(async () => {
  twin = stack.use(await startTwin({ clock: systemClock, objects: ['n1', 'n2', 'n3'].map(nodeOf), components: false }))
  admin = open()
  const authority = await issueAuthority({ commonName: 'nobody knows it', nowMs: systemClock.now() })
  const leaf = () =>
    issueLeaf(authority, { commonName: 'kubelet', dnsNames: ['x'], usages: ['server'], nowMs: systemClock.now() })
  keys = [await leaf(), await leaf(), await leaf()]
})
afterAll(() => stack.disposeAsync())

const nodeOf = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {}, status: {} })

function open(user?: string): Api {
  const api = openApi(twin.transport(user === undefined ? { admin: true } : { token: user }), {
    clock: systemClock,
    userAgent: 'test',
  })
  stack.defer(() => api.close())
  return api
}

const configMaps = () => admin.resource<KubeObject>(builtIn.configmaps)
const uidOf = async (name: string) => (await admin.resource<KubeObject>(builtIn.nodes).get(name, { signal })).metadata.uid ?? ''
const kept = async () => (await configMaps().get(pinsName, { namespace, signal }))['data']
const write = (data: Readonly<Record<string, string | null>> | undefined) =>
  data === undefined
    ? configMaps()
        .delete(pinsName, { namespace, signal })
        .then(
          () => undefined,
          () => undefined,
        )
    : configMaps().patch(pinsName, { type: 'merge', body: { data } }, { namespace, signal, fieldManager: 'hand' })

class Kubelet implements AsyncDisposable {
  readonly #server: Server
  readonly heard: string[] = []
  url = ''

  static async start(pair: KeyPair): Promise<Kubelet> {
    const made = new Kubelet(pair)
    made.url = `https://127.0.0.1:${await listening(made.#server, { port: 0, host: '127.0.0.1' })}/metrics/resource`
    return made
  }

  private constructor(pair: KeyPair) {
    this.#server = createServer({ cert: pair.certificate, key: pair.key }, (request, response) => {
      this.heard.push(request.headers.authorization ?? 'nobody')
      response.end(body)
    })
  }

  /** Another key, as of one that was exchanged; connections break off. */
  become(pair: KeyPair): void {
    this.#server.setSecureContext({ cert: pair.certificate, key: pair.key })
    this.#server.closeAllConnections()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }
}

function replica(api: Api = admin, nodes: () => Iterable<string> | undefined = () => undefined) {
  const pins = new KubeletPins({ api, namespace, nodes, clock: systemClock, log: silentLog })
  const client = stack.use(
    new KubeletClient({
      ...{ clock: systemClock, timeoutMs: 5_000, format: 'text', gzip: false, pins },
      trust: { authority: undefined, isInsecure: false },
      token: async () => 'secret',
    }),
  )
  const ask = async (kubelet: Kubelet, name: string, uid?: string) => {
    const answer = await client.scrape(kubelet.url, new KnownContainers(), signal, { name, uid: uid ?? (await uidOf(name)) })
    return isFailure(answer) ? `${answer.reason}: ${answer.message}` : 'served'
  }
  return { ask, pins, client }
}

const pinOf = async (name: string, pair: KeyPair) =>
  pinText({ key: keyOf(new X509Certificate(pair.certificate)), uid: await uidOf(name) })
const pair = (at: number): KeyPair => keys[at] ?? { certificate: '', key: '' }

describe('a kubelet whose key is pinned', () => {
  test('the first key is kept, another one hears nothing, by this process or the next', async () => {
    await write(undefined)
    await using kubelet = await Kubelet.start(pair(0))
    const { ask, pins } = replica()
    expect(await ask(kubelet, 'n1')).toBe('served')
    expect(await kept()).toEqual({ n1: await pinOf('n1', pair(0)) })
    kubelet.become(pair(1))
    expect(await ask(kubelet, 'n1')).toMatch(/^pin: the kubelet shows another key/)
    expect(await replica().ask(kubelet, 'n1')).toMatch(/^pin: the kubelet shows another key/)
    expect(kubelet.heard).toEqual(['Bearer secret'])
    expect(pins.check()).toMatchObject({ ok: false, isGating: false, state: '1 pinned, n1: changed' })
    // By hand, without a restart.
    await write({ n1: null })
    expect(await ask(kubelet, 'n1')).toBe('served')
    expect(await kept()).toEqual({ n1: await pinOf('n1', pair(1)) })
    expect(pins.check()).toMatchObject({ ok: true, state: '1 pinned' })
  })

  test('a Node object that was made anew may have another key; a watch that is behind overwrites nothing', async () => {
    await write(undefined)
    await using kubelet = await Kubelet.start(pair(0))
    const before = await uidOf('n2')
    const { ask } = replica()
    expect(await ask(kubelet, 'n2')).toBe('served')
    await admin.resource<KubeObject>(builtIn.nodes).delete('n2', { signal })
    await admin.resource<KubeObject>(builtIn.nodes).create(nodeOf('n2'), { signal })
    kubelet.become(pair(1))
    expect(await ask(kubelet, 'n2', before)).toMatch(/^pin: the kubelet shows another key/)
    expect(await ask(kubelet, 'n2')).toBe('served')
    expect(await kept()).toEqual({ n2: await pinOf('n2', pair(1)) })
    expect(await replica().ask(kubelet, 'n2', before)).toMatch(/^pin: the Node object is another/)
    expect(await kept()).toEqual({ n2: await pinOf('n2', pair(1)) })
  })

  test('a connection that is open is believed no longer than its pin', async () => {
    await write(undefined)
    await using kubelet = await Kubelet.start(pair(0))
    const { ask, pins } = replica()
    expect(await ask(kubelet, 'n1')).toBe('served')
    await write({ n1: await pinOf('n1', pair(1)) })
    const stop = new AbortController()
    // Its first look is at once.
    const running = pins.run(stop.signal).catch(() => undefined)
    await expect.poll(() => ask(kubelet, 'n1')).toMatch(/^pin: the kubelet shows another key/)
    stop.abort(new Error('over'))
    await running
  })

  test('two nodes with one address are believed each by its own pin', async () => {
    await write(undefined)
    await using kubelet = await Kubelet.start(pair(0))
    const { ask } = replica()
    expect(await ask(kubelet, 'n1')).toBe('served')
    await write({ n3: await pinOf('n3', pair(1)) })
    expect(await ask(kubelet, 'n3')).toMatch(/^pin: the kubelet shows another key/)
    expect(kubelet.heard).toHaveLength(1)
  })

  test('several replicas that begin at once pin one key of each node, and lose none', async () => {
    await write(undefined)
    await using first = await Kubelet.start(pair(0))
    await using second = await Kubelet.start(pair(1))
    const replicas = Array.from({ length: 4 }, () => replica())
    // Half of them are led elsewhere: nobody knows who is right, but no two keys are believed.
    const asked = await Promise.all(
      replicas.flatMap(({ ask }, at) =>
        ['n1', 'n2', 'n3'].map(async name => [name, at % 2, await ask(at % 2 === 0 ? first : second, name)] as const),
      ),
    )
    const pins = await kept()
    expect(Object.keys(Object(pins)).toSorted()).toEqual(['n1', 'n2', 'n3'])
    for (const [name, at, said] of asked) {
      const isPinned = Object(pins)[name] === (await pinOf(name, pair(at)))
      expect([name, at, said]).toEqual([name, at, isPinned ? 'served' : expect.stringMatching(/^pin:/)])
    }
  })
})

describe('pins that cannot be kept', () => {
  test('rubbish is told and stays, and hurts nobody else', async () => {
    await write(undefined)
    await using kubelet = await Kubelet.start(pair(0))
    await configMaps().create(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: pinsName }, data: { n1: '<html>', other: '' } },
      { namespace, signal },
    )
    const { ask } = replica()
    expect(await ask(kubelet, 'n1')).toMatch(/^pin: what ConfigMap kube-system\/ballast-kubelet-pins has of it is no pin/)
    expect(kubelet.heard).toEqual([])
    expect(await ask(kubelet, 'n2')).toBe('served')
    expect(await kept()).toEqual({ n1: '<html>', other: '', n2: await pinOf('n2', pair(0)) })
  })

  test('a ConfigMap that may not be written, or not be read, believes nobody anew', async () => {
    await write(undefined)
    await using kubelet = await Kubelet.start(pair(0))
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'stranger', namespace } }
    await admin.resource<KubeObject>(builtIn.serviceaccounts).create(account, { namespace, signal })
    const stranger = open(await twin.issueToken({ namespace, serviceAccount: 'stranger' }))
    const { ask, pins } = replica(stranger)
    expect(await ask(kubelet, 'n1')).toMatch(
      /^pin: ConfigMap .* cannot be read or written \(.*forbidden.*kubelets without a pin are not asked/i,
    )
    expect(kubelet.heard).toEqual([])
    expect(pins.check()).toMatchObject({ ok: false, state: expect.stringContaining('cannot be read or written') })
    await configMaps().create(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: pinsName },
        data: { n1: await pinOf('n1', pair(0)) },
        immutable: true,
      },
      { namespace, signal },
    )
    const second = replica()
    expect(await second.ask(kubelet, 'n1')).toBe('served')
    expect(await second.ask(kubelet, 'n2')).toMatch(/^pin: ConfigMap .* cannot be read or written/)
    // What is pinned stays believed.
    expect(await second.ask(kubelet, 'n1')).toBe('served')
    expect(await kept()).toEqual({ n1: await pinOf('n1', pair(0)) })
    await write(undefined)
  })

  test('whose node is not known is not asked', async () => {
    await using kubelet = await Kubelet.start(pair(0))
    const { client } = replica()
    expect(await client.scrape(kubelet.url, new KnownContainers(), signal)).toMatchObject({ reason: 'pin' })
    expect(kubelet.heard).toEqual([])
  })
})

test('nodes that are gone for an hour are forgotten, unless nobody knows which there are', async () => {
  await write(undefined)
  const pin = await pinOf('n1', pair(0))
  const data = { n1: pin, gone: pin }
  await configMaps().create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: pinsName }, data }, { namespace, signal })
  const clock = new VirtualClock(systemClock.now())
  let nodes: readonly string[] | undefined
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  stack.defer(() => api.close())
  const pins = new KubeletPins({ api, namespace, nodes: () => nodes, clock, log: silentLog })
  const stop = new AbortController()
  const running = pins.run(stop.signal).catch(() => undefined)
  await clock.advance(7_200_000)
  expect(await kept()).toEqual(data)
  nodes = ['n1']
  await clock.advance(3_500_000)
  expect(await kept()).toEqual(data)
  await clock.advance(300_000)
  await expect.poll(kept).toEqual({ n1: pin })
  stop.abort(new Error('over'))
  await running
})
