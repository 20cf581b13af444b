import { Agent, type Dispatcher, request } from 'undici'
import { beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import type { AdmissionRequest, Webhook } from './admission.ts'
import { issueAuthority, issueLeaf, type KeyPair } from './certificates.ts'
import { startWebhookServer, type WebhookServer } from './webhook.ts'

const deny: Webhook = {
  kind: 'validating',
  name: 'pods',
  failurePolicy: 'Fail',
  handle: () => ({ kind: 'denied', message: 'no' }),
}
const review = JSON.stringify({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: { uid: 'u1', kind: {}, resource: {}, operation: 'CREATE', userInfo: {} },
})

async function made(name: string): Promise<{ readonly authority: KeyPair; readonly leaf: KeyPair }> {
  const authority = await issueAuthority({ commonName: name, nowMs: systemClock.now() })
  const leaf = await issueLeaf(authority, {
    commonName: name,
    dnsNames: ['localhost'],
    usages: ['server'],
    nowMs: systemClock.now(),
  })
  return { authority, leaf }
}

let first: Awaited<ReturnType<typeof made>>
let second: Awaited<ReturnType<typeof made>>

beforeAll(async () => {
  first = await made('first')
  second = await made('second')
})

const start = () =>
  startWebhookServer({ webhooks: [deny], tls: first.leaf, port: 0, host: 'localhost', clock: systemClock, log: silentLog })

/** A client with connections of its own that trusts `ca`. */
function clientOf(ca: string): AsyncDisposable & { readonly agent: Dispatcher } {
  const agent = new Agent({ connect: { ca } })
  return { agent, [Symbol.asyncDispose]: () => agent.destroy() }
}

function post(server: WebhookServer, { agent: dispatcher }: { readonly agent: Dispatcher }, body = review) {
  return request(`https://localhost:${server.port}/validate/pods`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    dispatcher,
    body,
  })
}

describe('the webhook server', () => {
  test('answers over TLS', async () => {
    await using server = await start()
    await using client = clientOf(first.authority.certificate)
    const answer = await post(server, client)
    expect(await answer.body.json()).toMatchObject({
      response: { uid: 'u1', allowed: false, status: { code: 403, message: 'no' } },
    })
  })

  test('refuses a body over 8 MiB with 413 and lives on', async () => {
    await using server = await start()
    await using client = clientOf(first.authority.certificate)
    const big = await post(server, client, 'x'.repeat(8 * 1024 * 1024 + 1))
    expect(big.statusCode).toBe(413)
    await big.body.dump()
    const answer = await post(server, client)
    expect(answer.statusCode).toBe(200)
    await answer.body.dump()
  })

  test('asked to, it lets nobody through the handshake who has no certificate of the authority (clientAuthority)', async () => {
    const handled: string[] = []
    const handle = ({ uid }: AdmissionRequest) => {
      handled.push(uid)
      return { kind: 'allowed' } as const
    }
    const webhook: Webhook = { ...deny, handle }
    const nowMs = systemClock.now()
    await using server = await startWebhookServer({
      webhooks: [webhook],
      tls: first.leaf,
      clientAuthority: second.authority.certificate,
      port: 0,
      host: 'localhost',
      clock: systemClock,
      log: silentLog,
    })
    const as = async (authority: KeyPair | undefined) => {
      const own = authority && (await issueLeaf(authority, { commonName: 'kube-apiserver', usages: ['client'], nowMs }))
      const agent = new Agent({
        connect: { ca: first.authority.certificate, ...(own && { cert: own.certificate, key: own.key }) },
      })
      try {
        return (await post(server, { agent })).statusCode
      } catch (error) {
        return error instanceof Error ? 'refused' : error
      } finally {
        await agent.destroy()
      }
    }
    expect(await as(undefined)).toBe('refused')
    expect(await as(first.authority)).toBe('refused')
    expect(handled).toEqual([])
    expect(await as(second.authority)).toBe(200)
    // A renewed certificate of the server asks for the same.
    server.setCertificate(first.leaf)
    expect(await as(undefined)).toBe('refused')
    expect(handled).toEqual(['u1'])
  })

  test('exchanges its certificate while it runs: who trusts both authorities sees no failure (case 31)', async () => {
    await using server = await start()
    const both = `${first.authority.certificate}\n${second.authority.certificate}`
    const failures: unknown[] = []
    let calls = 0
    const ask = async () => {
      // A connection of its own each time, so that each sees the certificate of its moment.
      await using client = clientOf(both)
      calls++
      try {
        await (await post(server, client)).body.dump()
      } catch (error) {
        failures.push(error)
      }
    }
    const rounds = async () => {
      for (let round = 0; round < 15; round++) await Promise.all([ask(), ask()])
    }
    const running = rounds()
    server.setCertificate(second.leaf)
    await ask()
    server.setCertificate(first.leaf)
    await ask()
    server.setCertificate(second.leaf)
    await running
    expect({ failures, calls }).toEqual({ failures: [], calls: 32 })
    await using onlySecond = clientOf(second.authority.certificate)
    expect((await post(server, onlySecond)).statusCode).toBe(200)
  })
})
