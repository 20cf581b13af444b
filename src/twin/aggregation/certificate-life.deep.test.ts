// The life of our certificates in a cluster of virtual time: the Secret, the bundle in all that names us, and calls that never fail.
import { X509Certificate } from 'node:crypto'
import { Agent as HttpsAgent, request } from 'node:https'
import { TLSSocket } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { CertificateKeeper } from '#kube/server/certificate-keeper.ts'
import { certificatesIn, isVouchedFor, presentedChain } from '#kube/server/certificate-trust.ts'
import { certificateLife } from '#kube/server/certificates.ts'
import { startWebhookServer, type WebhookServer } from '#kube/server/webhook.ts'
import { fieldsAt, itemsAt, textAt } from '../json-value.ts'
import { startTestTwin, type TestClient } from '../twin-for-tests.ts'

const minuteMs = 60_000
const secret = { namespace: 'default', name: 'ballast-tls' } as const
const secretPath = '/api/v1/namespaces/default/secrets/ballast-tls'
const annotations = { 'ballast.dev/cabundle-inject': 'default/ballast-tls' }

const hook = (name: string) => ({
  name,
  clientConfig: { url: 'https://localhost/validate/x' },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  failurePolicy: 'Ignore',
  rules: [{ operations: ['CREATE'], apiGroups: ['nobody'], apiVersions: ['v1'], resources: ['xs'] }],
})

const wanting: readonly KubeObject[] = [
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'hooks', annotations },
    webhooks: [hook('a.ballast.dev'), hook('b.ballast.dev')],
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'others' },
    webhooks: [hook('a.others.dev')],
  },
  {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1.things.example.io', annotations },
    spec: {
      group: 'things.example.io',
      version: 'v1',
      groupPriorityMinimum: 100,
      versionPriority: 10,
      service: { namespace: 'default', name: 'ballast' },
    },
  },
]

interface Kept extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly client: TestClient
  /** Replicas, each with its informers. */
  readonly keepers: readonly CertificateKeeper[]
  readonly servers: readonly WebhookServer[]
  /** The state of the Secret's rotation, each time it changed. */
  readonly leaves: string[]
}

async function keep(
  options: { readonly replicas?: number; readonly leafMs?: number; readonly authorityMs?: number } = {},
): Promise<Kept> {
  await using stack = new AsyncDisposableStack()
  const { clock, client, twin } = stack.use(await startTestTwin(wanting))
  const stop = new AbortController()
  const leaves: string[] = []
  const servers: WebhookServer[] = []
  const keepers: CertificateKeeper[] = []
  for (let replica = 0; replica < (options.replicas ?? 1); replica++) {
    const random = seededRandom(replica + 1)
    const api: Api = openApi(twin.transport({ admin: true }), { clock, userAgent: `replica-${replica}` })
    const informers = new Informers(api, { clock, random, signal: stop.signal })
    const ready = Promise.withResolvers<void>()
    let server: WebhookServer | undefined
    const keeper = new CertificateKeeper({
      api,
      informers,
      clock,
      random,
      log: silentLog,
      secret,
      names: {
        authorityName: 'ballast',
        ...(options.authorityMs === undefined ? {} : { authorityLifeMs: options.authorityMs }),
        leaf: {
          commonName: 'ballast',
          dnsNames: ['localhost'],
          usages: ['server'],
          ...(options.leafMs === undefined ? {} : { lifeMs: options.leafMs }),
        },
      },
      onCertificate(tls) {
        if (leaves.at(-1) !== tls.certificate) leaves.push(tls.certificate)
        if (server !== undefined) return server.setCertificate(tls)
        void startWebhookServer({ webhooks: [], tls, port: 0, host: 'localhost', clock, log: silentLog }).then(started => {
          server = started
          started.setCertificate(keeper.current?.leaf ?? tls)
          servers.push(started)
          ready.resolve()
        })
      },
    })
    keepers.push(keeper)
    const running = keeper.run(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error
    })
    stack.defer(async () => {
      stop.abort(new Error('the test is over'))
      await running
      await server?.[Symbol.asyncDispose]()
      await informers[Symbol.asyncDispose]()
    })
    await clock.runUntil(() => keeper.current !== undefined, { limitMs: minuteMs })
    await ready.promise
  }
  const running = stack.move()
  return { clock, client, keepers, servers, leaves, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** The bundle that clients are told of, as PEM, from each place that wants one. */
async function injected(client: TestClient): Promise<readonly string[]> {
  const decoded = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString()
  const hooks = await client.get('/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hooks')
  const service = await client.get('/apis/apiregistration.k8s.io/v1/apiservices/v1.things.example.io')
  return [
    ...itemsAt(hooks.body, 'webhooks').map(one => decoded(textAt(one, 'clientConfig', 'caBundle'))),
    decoded(textAt(service.body, 'spec', 'caBundle')),
  ]
}

describe('the Secret', () => {
  test('is made once, by one of three replicas, and all serve with it', async () => {
    await using kept = await keep({ replicas: 3 })
    await kept.clock.quiet()
    const { body } = await kept.client.get(secretPath)
    expect(body).toMatchObject({ type: 'kubernetes.io/tls', metadata: { annotations: { 'ballast.dev/cert-generation': '1' } } })
    const certificate = Buffer.from(textAt(body, 'data', 'tls.crt') ?? '', 'base64').toString()
    expect(kept.keepers.map(keeper => keeper.current?.leaf.certificate)).toEqual([certificate, certificate, certificate])
    expect(Object.keys(fieldsAt(body, 'data') ?? {}).sort()).toEqual([
      'authority.crt',
      'authority.key',
      'ca.crt',
      'times.json',
      'tls.crt',
      'tls.key',
    ])
  })

  test.each([
    ['deleted', (client: TestClient) => client.call('DELETE', secretPath)],
    [
      'edited',
      (client: TestClient) => client.patch(secretPath, 'merge', { data: { 'tls.crt': Buffer.from('oops').toString('base64') } }),
    ],
    ['given another bundle', (client: TestClient) => client.patch(secretPath, 'merge', { data: { 'ca.crt': '' } })],
  ])('that was %s is restored, and serving goes on from memory', async (_what, harm) => {
    await using kept = await keep()
    const before = kept.keepers[0]?.current?.leaf.certificate
    await harm(kept.client)
    await kept.clock.quiet()
    const { body } = await kept.client.get(secretPath)
    expect(Buffer.from(textAt(body, 'data', 'tls.crt') ?? '', 'base64').toString()).toBe(before)
    expect(kept.leaves).toEqual([before])
  })

  test('is renewed at two thirds of the leaf’s life, by one of two', async () => {
    await using kept = await keep({ replicas: 2, leafMs: 6 * 60 * minuteMs })
    const first = kept.leaves[0] ?? ''
    const { notBeforeMs, notAfterMs } = certificateLife(first)
    const shareOf = (share: number) => notBeforeMs + (notAfterMs - notBeforeMs) * share - kept.clock.now()
    await kept.clock.advance(shareOf(0.61))
    expect(kept.leaves).toEqual([first])
    await kept.clock.advance(shareOf(0.73))
    expect(kept.leaves).toHaveLength(2)
    expect(kept.keepers.map(keeper => keeper.current?.leaf.certificate)).toEqual([kept.leaves[1], kept.leaves[1]])
  })
})

describe('the bundle', () => {
  test('goes into all that wants it and nothing else, with force on that field alone', async () => {
    await using kept = await keep()
    await kept.clock.quiet()
    const bundles = await injected(kept.client)
    expect(new Set(bundles)).toEqual(new Set([kept.keepers[0]?.current?.authority.certificate.trim().concat('\n')]))
    const { body } = await kept.client.get('/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hooks')
    const [entry] = itemsAt(body, 'metadata', 'managedFields').filter(one => one['manager'] === 'ballast-certs')
    const keys = ['a.ballast.dev', 'b.ballast.dev'].map(name => [
      `k:{"name":"${name}"}`,
      { '.': {}, 'f:name': {}, 'f:clientConfig': { 'f:caBundle': {} } },
    ])
    expect(fieldsAt(entry, 'fieldsV1')).toEqual({ 'f:webhooks': Object.fromEntries(keys) })
    const others = await kept.client.get('/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/others')
    expect(textAt(itemsAt(others.body, 'webhooks')[0], 'clientConfig', 'caBundle')).toBeUndefined()
  })

  test('that others write is restored, at most once a minute', async () => {
    await using kept = await keep()
    await kept.clock.quiet()
    const foreign = Buffer.from('-----BEGIN CERTIFICATE-----').toString('base64')
    const path = '/apis/apiregistration.k8s.io/v1/apiservices/v1.things.example.io'
    const bundle = async () => textAt((await kept.client.get(path)).body, 'spec', 'caBundle')
    const own = await bundle()
    const writeForeign = () => kept.client.patch(path, 'merge', { spec: { caBundle: foreign } })
    await kept.clock.advance(minuteMs)
    await writeForeign()
    await kept.clock.quiet()
    expect(await bundle()).toBe(own)
    await writeForeign()
    await kept.clock.advance(minuteMs - 1)
    expect(await bundle()).toBe(foreign)
    await kept.clock.advance(1)
    expect(await bundle()).toBe(own)
  })
})

type Chain = ReturnType<typeof presentedChain>
const chains = new WeakMap<TLSSocket, Chain>()

/** What a server showed. A client's socket tells it once. */
function chainOf(socket: TLSSocket): Chain {
  const chain = chains.get(socket) ?? presentedChain(socket.getPeerX509Certificate())
  chains.set(socket, chain)
  return chain
}

/** One call over TLS, judged by the bundle that is injected at that time. */
function call(port: number, agent: HttpsAgent, judge: (chain: Chain) => string | undefined): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const sent = request(
    { host: 'localhost', port, path: '/validate/x', method: 'GET', agent, rejectUnauthorized: false },
    response => {
      const { socket } = response
      const problem = socket instanceof TLSSocket ? judge(chainOf(socket)) : 'no TLS'
      response.resume()
      response.once('end', () =>
        resolve(problem ?? (response.statusCode === 404 ? undefined : `answered ${response.statusCode}`)),
      )
    },
  )
  sent.once('error', error => resolve(error.message))
  sent.end()
  return promise
}

test('100 calls a second fail not once while leaf and authority are renewed', async () => {
  // Lives are short so that all of it happens in three hours; what is judged by is the cluster's time.
  await using kept = await keep({ replicas: 2, leafMs: 30 * minuteMs, authorityMs: 2 * 60 * minuteMs })
  const { clock, client, servers } = kept
  let calls = 0
  const failures: string[] = []
  const bundlesSeen = new Set<string>()
  const second = async () => {
    const bundles = await injected(client)
    for (const bundle of bundles) bundlesSeen.add(bundle)
    // Every place may be whom a client trusts by; connections are of this second.
    const agents = bundles.map(() => new HttpsAgent({ keepAlive: true, maxSockets: 1 }))
    const authorities = bundles.map(bundle => certificatesIn(bundle))
    const nowMs = clock.now()
    for (let at = 0; at < 100; at++) {
      const place = at % bundles.length
      const agent = agents[place]
      const port = servers[at % servers.length]?.port
      if (agent === undefined || port === undefined) throw new Error('nothing to call')
      calls++
      const problem = await call(port, agent, chain =>
        isVouchedFor(chain, authorities[place] ?? [], nowMs, 'server') ? undefined : 'not trusted',
      )
      if (problem !== undefined) failures.push(`${new Date(nowMs).toISOString()}: ${problem}`)
      await clock.advance(10)
    }
    for (const agent of agents) agent.destroy()
  }
  let seen = ''
  const state = () => JSON.stringify(kept.keepers.map(keeper => keeper.current))
  const endMs = clock.now() + 3 * 60 * minuteMs
  while (clock.now() < endMs) {
    if (state() !== seen) {
      // Something was renewed a moment ago: the seconds after it are looked at whole.
      seen = state()
      await second()
      await second()
    }
    await clock.advance(Math.min(endMs - clock.now(), 20_000))
  }
  expect(failures).toEqual([])
  expect(calls).toBeGreaterThan(2_000)
  expect(kept.leaves.length).toBeGreaterThan(6)
  // One authority, it and the next, the next one alone: a bundle is the same before and after the next one takes over.
  const [alone, both, next, ...more] = [...bundlesSeen].map(bundle =>
    certificatesIn(bundle).map(({ fingerprint256 }) => fingerprint256),
  )
  expect(both).toEqual([...(next ?? []), ...(alone ?? [])])
  expect(more).toEqual([])
})

interface Life {
  readonly writes: number
  readonly leaves: number
  readonly faults: readonly string[]
}

/** Three hours of one replica after another, each killed never, or before or after the write that is named; looked at after each write. */
async function lifeKilledAt(kill?: { readonly write: number; readonly when: 'before' | 'after' }): Promise<Life> {
  await using stack = new AsyncDisposableStack()
  const { clock, client, twin } = stack.use(await startTestTwin(wanting))
  const endMs = clock.now() + 3 * 60 * minuteMs
  const faults: string[] = []
  const leaves = new Set<string>()
  let writes = 0
  let served: string | undefined
  const look = async (when: string) => {
    if (served === undefined) return
    const leaf = new X509Certificate(served)
    // A webhook that has no bundle yet was not told to call us.
    for (const bundle of (await injected(client)).filter(text => text !== ''))
      if (!isVouchedFor([leaf], certificatesIn(bundle), clock.now(), 'server')) faults.push(`not trusted ${when}`)
  }
  for (let replica = 1; clock.now() < endMs; replica++) {
    const dead = new AbortController()
    const whole = twin.transport({ admin: true })
    const transport: Transport = {
      ...whole,
      stream: request => whole.stream({ ...request, signal: AbortSignal.any([request.signal, dead.signal]) }),
      async request(request) {
        if (dead.signal.aborted) throw dead.signal.reason
        if (request.verb === 'GET') return whole.request(request)
        const write = ++writes
        const isTheOne = (when: 'before' | 'after') => kill?.write === write && kill.when === when
        if (isTheOne('before')) dead.abort(new Error('killed'))
        dead.signal.throwIfAborted()
        const answer = await whole.request(request)
        await look(`after write ${write}, ${request.verb} ${request.path}`)
        if (isTheOne('after')) dead.abort(new Error('killed'))
        dead.signal.throwIfAborted()
        return answer
      },
    }
    const api = openApi(transport, { clock, userAgent: `replica-${replica}` })
    const random = seededRandom(replica)
    const informers = new Informers(api, { clock, random, signal: dead.signal })
    const keeper = new CertificateKeeper({
      api,
      informers,
      clock,
      random,
      log: silentLog,
      secret,
      names: {
        authorityName: 'ballast',
        authorityLifeMs: 2 * 60 * minuteMs,
        leaf: { commonName: 'ballast', dnsNames: ['localhost'], usages: ['server'], lifeMs: 30 * minuteMs },
      },
      onCertificate(tls) {
        if (dead.signal.aborted) return
        served = tls.certificate
        leaves.add(tls.certificate)
      },
    })
    const running = keeper.run(dead.signal).catch((error: unknown) => {
      if (!dead.signal.aborted) throw error
    })
    while (!dead.signal.aborted && clock.now() < endMs) {
      await clock.advance(5 * minuteMs)
      if (!dead.signal.aborted) await look(new Date(clock.now()).toISOString())
    }
    dead.abort(new Error('the test is over'))
    served = undefined
    await Promise.all([running, informers[Symbol.asyncDispose]()])
  }
  return { writes, leaves: leaves.size, faults }
}

describe('a replica killed at a write', () => {
  test.each(['before', 'after'] as const)(
    '%s every second of them in turn: the next one goes on, and no leaf is served that is not trusted',
    async when => {
      const whole = await lifeKilledAt()
      expect([whole.faults, whole.leaves > 6, whole.writes > 10]).toEqual([[], true, true])
      const wrong: string[] = []
      for (let write = when === 'before' ? 2 : 1; write <= whole.writes; write += 2) {
        const { faults, leaves } = await lifeKilledAt({ write, when })
        if (leaves < whole.leaves - 1) wrong.push(`${when} write ${write}: ${leaves} leaves of ${whole.leaves}`)
        wrong.push(...faults.map(fault => `${when} write ${write}: ${fault}`))
      }
      expect(wrong).toEqual([])
    },
  )
})
