import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { openOwnWebhooks, readWebhookHost } from './own-webhooks.ts'

// biome-ignore format: a table
test.each<[string, ReturnType<typeof readWebhookHost>]>([
  ['ballast.example',      { host: 'ballast.example' }],
  ['ballast.example:8443', { host: 'ballast.example', port: 8443 }],
  ['10.0.0.1:443',         { host: '10.0.0.1', port: 443 }],
  ['fd00::1',              { host: 'fd00::1' }],
  ['[fd00::1]:443',        { host: 'fd00::1', port: 443 }],
])('--webhook-host %s', (text, address) => expect(readWebhookHost(text)).toEqual(address))

test.each(['', 'https://a', 'a:b', 'a:0', 'a:70000', '[fd00::1', 'a/b'])('--webhook-host %j is refused with words', text =>
  expect(() => readWebhookHost(text)).toThrow(/^--webhook-host: found .*, expected HOST, HOST:PORT or \[ADDRESS\]:PORT$/),
)

describe('certificates from files', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-webhooks-'))
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  async function write(): Promise<string> {
    const nowMs = systemClock.now()
    const authority = await issueAuthority({ commonName: 'installer', nowMs })
    const tls = await issueLeaf(authority, { commonName: 'w', ipAddresses: ['127.0.0.1'], usages: ['server'], nowMs })
    writeFileSync(join(directory, 'tls.crt'), tls.certificate)
    writeFileSync(join(directory, 'tls.key'), tls.key)
    writeFileSync(join(directory, 'ca.crt'), authority.certificate)
    return authority.certificate
  }

  test('are served, and served anew when they changed; a file that is half written changes nothing', async () => {
    const clock = new VirtualClock(systemClock.now())
    const first = await write()
    await using webhooks = await openOwnWebhooks({ host: '127.0.0.1', port: 0, certificates: directory, clock, log: silentLog })
    expect(await statusUnder(first, webhooks.clientConfig('/x'))).toBe(404)
    writeFileSync(join(directory, 'tls.key'), 'half')
    await clock.advance(10_000)
    expect(await statusUnder(first, webhooks.clientConfig('/x'))).toBe(404)
    const second = await write()
    await clock.advance(10_000)
    expect(await statusUnder(second, webhooks.clientConfig('/x'))).toBe(404)
    expect(webhooks.clientConfig('/x')['caBundle']).toBe(Buffer.from(second).toString('base64'))
  })

  test('that are not there refuse the start', async () =>
    expect(
      openOwnWebhooks({ host: 'a', port: 0, certificates: join(directory, 'none'), clock: systemClock, log: silentLog }),
    ).rejects.toThrow('expected the files tls.crt, tls.key, ca.crt in PEM'))
})

async function statusUnder(ca: string, { url }: Readonly<Record<string, unknown>>): Promise<number> {
  const agent = new Agent({ connect: { ca } })
  const answer = await request(String(url), { dispatcher: agent, method: 'POST', body: '{}' })
  await answer.body.dump()
  await agent.destroy()
  return answer.statusCode
}
