import { once } from 'node:events'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Log, silentLog } from '#kube/log.ts'
import { type Contact, multiaddressOf } from '../address.ts'
import { bootstrapOf } from './bootstrap.ts'
import { dnsBootstrap } from './bootstrap-dns.ts'
import { fileBootstrap, mostInAFile, parseBootstrapFile } from './bootstrap-file.ts'
import { contactsOf, httpBootstrap } from './bootstrap-http.ts'

const signal = new AbortController().signal
const textsOf = (contacts: readonly Contact[]) => contacts.flatMap(({ addresses }) => addresses.map(multiaddressOf))
const id = '12D3KooWCeCSdi82fZebGrerkrqu7kW7hSxTFV2Ndps1FcgE89ro'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ballast-bootstrap-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describe('bootstrap by names', () => {
  it('takes three addresses of each family, sorted as numbers, with our own port', async () => {
    const resolve = async (_name: string, family: 4 | 6) =>
      family === 4 ? ['10.0.0.20', '10.0.0.3', '10.0.0.100', '9.0.0.1'] : ['fd00::10', 'fd00::9']
    expect(textsOf(await dnsBootstrap('peers', 5_001, resolve).find(signal))).toEqual([
      '/ip4/9.0.0.1/tcp/5001',
      '/ip4/10.0.0.3/tcp/5001',
      '/ip4/10.0.0.20/tcp/5001',
      '/ip6/fd00::9/tcp/5001',
      '/ip6/fd00::10/tcp/5001',
    ])
  })

  it('fails only where both families fail', async () => {
    const none = (failing: readonly number[]) => async (_name: string, family: 4 | 6) => {
      if (failing.includes(family)) throw new Error(`no IPv${family}`)
      return ['10.0.0.1']
    }
    expect(await dnsBootstrap('peers', 1, none([6])).find(signal)).toHaveLength(1)
    await expect(dnsBootstrap('peers', 1, none([4, 6])).find(signal)).rejects.toThrow('peers has no address')
  })
})

describe('bootstrap by a file', () => {
  it('has an address a line, comments, and says which lines are none', () => {
    const { contacts, problems } = parseBootstrapFile('# nodes\n10.0.0.1\n\n[fd00::1]:7 # two\nnode-3\n', 5_001, 'f')
    expect(textsOf(contacts)).toEqual(['/ip4/10.0.0.1/tcp/5001', '/ip6/fd00::1/tcp/7'])
    expect(problems).toEqual([expect.stringContaining('f:5: found "node-3"')])
  })

  it('is cut at 64 addresses', () => {
    const text = Array.from({ length: 100 }, (_, index) => `10.0.0.${index}`).join('\n')
    expect(parseBootstrapFile(text, 1, 'f').contacts).toHaveLength(mostInAFile)
  })

  it('is read again when it changes, and warns once of a version', async () => {
    const path = join(directory, 'peers')
    const warnings: string[] = []
    const log: Log = { ...silentLog, warn: (_facts, message) => warnings.push(message) }
    const bootstrap = fileBootstrap(path, 5_001, log)
    await expect(bootstrap.find(signal)).rejects.toThrow(/ENOENT/)
    writeFileSync(path, '10.0.0.1\nnobody\n')
    expect([(await bootstrap.find(signal)).length, (await bootstrap.find(signal)).length, warnings.length]).toEqual([1, 1, 1])
    writeFileSync(path, '10.0.0.1\n10.0.0.2\n')
    utimesSync(path, 1, 1)
    expect(await bootstrap.find(signal)).toHaveLength(2)
  })
})

describe('bootstrap over HTTP', () => {
  it.each([
    ['a list', `[{"ID":"${id}","Addrs":["/ip4/10.0.0.1/tcp/5001"]}]`, ['/ip4/10.0.0.1/tcp/5001']],
    [
      'one object, as up to 0.7',
      `{"ID":"${id}","Addrs":["/ip4/10.0.0.1/udp/5001/quic-v1","/ip4/10.0.0.1/tcp/5001"]}`,
      ['/ip4/10.0.0.1/tcp/5001'],
    ],
    ['without an id', '[{"ID":"","Addrs":["/ip4/10.0.0.1/tcp/5001"]}]', ['/ip4/10.0.0.1/tcp/5001']],
    ['without an address', `[{"ID":"${id}","Addrs":[]}]`, []],
    [
      'more than three',
      `[${Array.from({ length: 5 }, (_, index) => `{"Addrs":["/ip4/10.0.0.${index + 1}/tcp/1"]}`).join()}]`,
      ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.2/tcp/1', '/ip4/10.0.0.3/tcp/1'],
    ],
  ])('reads %s', (_name, text, addresses) => {
    expect(textsOf(contactsOf(text, 'there'))).toEqual(addresses)
  })

  it.each(['', 'null', '[1]', '{"ID":1}'])('refuses %j', text => {
    expect(() => contactsOf(text, 'there')).toThrow(/there answered with/)
  })

  it.each([
    ['/id', 'list'],
    ['/', 'object'],
  ])('serves itself at /id, with the URL ending in %j as a %s', async (path, form) => {
    const port = await freePort()
    const bootstrap = httpBootstrap({
      url: `http://127.0.0.1:${port}${path}`,
      address: `127.0.0.1:${port}`,
      certificateDirectory: '',
    })
    await using _served = await bootstrap.serve?.(() => ({ id, addresses: [{ ip: '10.0.0.1', family: 4, port: 5_001 }] }))
    const answer: unknown = await (await fetch(`http://127.0.0.1:${port}/id`)).json()
    expect(Array.isArray(answer) ? 'list' : 'object').toBe(form)
    expect(await bootstrap.find(signal)).toEqual([{ id, addresses: [{ ip: '10.0.0.1', family: 4, port: 5_001 }] }])
    expect((await fetch(`http://127.0.0.1:${port}/other`)).status).toBe(404)
    expect((await fetch(`http://127.0.0.1:${port}/id`, { method: 'POST' })).status).toBe(405)
  })

  it('wants certificate and key, or none of both', () => {
    writeFileSync(join(directory, 'tls.crt'), 'x')
    expect(() => httpBootstrap({ url: 'https://10.0.0.1:1/id', address: '', certificateDirectory: directory })).toThrow(
      /tls.crt only/,
    )
  })
})

describe('a kind', () => {
  it.each([
    [{ kind: 'dns' }, /dns-bootstrap-domain/],
    [{ kind: 'http' }, /http-bootstrap-url/],
    [
      { kind: 'static', staticPeers: ['/ip4/10.0.0.1/tcp/1', 'x', 'y'] },
      /static-bootstrap-peers\[1\][\s\S]*static-bootstrap-peers\[2\]/,
    ],
    [{ kind: 'file' }, /bootstrap-file/],
    [{ kind: 'kubernetes' }, /bootstrap-kind/],
  ] as const)('%j without what it needs says what', (settings, message) => {
    expect(() => bootstrapOf({ settings, routerPort: 5_001, log: silentLog })).toThrow(message)
  })

  it('static has the ids that were written', async () => {
    const settings = { kind: 'static' as const, staticPeers: [`/ip4/10.0.0.1/tcp/1/p2p/${id}`] }
    expect(await bootstrapOf({ settings, routerPort: 5_001, log: silentLog }).find(signal)).toMatchObject([{ id }])
  })
})
