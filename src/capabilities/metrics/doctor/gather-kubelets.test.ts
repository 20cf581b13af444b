// Real TLS servers in the place of kubelets, each with a certificate or a silence of its own; the API server is a twin.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as plainServer } from 'node:http'
import { createServer as secureServer } from 'node:https'
import { type Server, type Socket, createServer as silentServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { OwnFacts } from '#doctor/facts.ts'
import { openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { tokenConfig } from '#kube/credentials/cluster-config.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { listening } from '#kube/server/listening.ts'
import { startTwin } from '#twin/twin.ts'
import { gatherKubelets } from './gather-kubelets.ts'
import { judgeKubelets } from './kubelet-judgement.ts'
import { kubeletDocument, kubeletLines } from './kubelet-report.ts'
import { kubeletFindings } from './metrics-checks.ts'

const { signal } = new AbortController()
const exposition = 'container_cpu_usage_seconds_total{container="app",namespace="shop",pod="web"} 1 1767225600000\n'
const dayMs = 86_400_000

/** By address: where it is on loopback. */
class Site implements AsyncDisposable {
  readonly places = new Map<string, number | string>()
  /** Headers `authorization` that came, by address. */
  readonly told = new Map<string, (string | undefined)[]>()
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()

  async open(address: string, server: Server): Promise<void> {
    server.on('connection', socket => this.#sockets.add(socket))
    this.#servers.push(server)
    this.places.set(address, await listening(server, { port: 0, host: '127.0.0.1' }))
  }

  /** A kubelet with this pair, which answers so. */
  async kubelet(address: string, pair: KeyPair, status = 200): Promise<void> {
    const told: (string | undefined)[] = []
    this.told.set(address, told)
    const server = secureServer(
      { cert: pair.certificate, key: pair.key, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        told.push(request.headers.authorization)
        response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4' }).end(status === 200 ? exposition : '')
      },
    )
    await this.open(address, server)
  }

  readonly dial = async (host: string) => {
    const place = this.places.get(host) ?? 'EHOSTUNREACH'
    if (typeof place === 'string') throw Object.assign(new Error(`connect ${place} ${host}`), { code: place })
    return { host: '127.0.0.1', port: place }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    for (const server of this.#servers) {
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      await promise
    }
  }
}

const node = (name: string, addresses: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { addresses: Object.entries(addresses).map(([type, address]) => ({ type, address })) },
})

const request = (name: string, username: string, change: object = {}): KubeObject => ({
  apiVersion: 'certificates.k8s.io/v1',
  kind: 'CertificateSigningRequest',
  metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {
    signerName: 'kubernetes.io/kubelet-serving',
    username,
    groups: ['system:nodes'],
    request: 'YQ==',
    usages: ['server auth'],
    ...change,
  },
})

async function look(site: Site, nodes: readonly KubeObject[], authority: string, ours?: OwnFacts) {
  const clock = new VirtualClock(Date.parse('2026-03-01T00:00:00Z'))
  const requests = [
    request('csr-own', 'system:node:own'),
    request('csr-stranger', 'system:node:nobody'),
    request('csr-person', 'jane', { groups: ['system:authenticated'] }),
    request('csr-client', 'system:node:own', { signerName: 'kubernetes.io/kube-apiserver-client-kubelet' }),
  ]
  await using twin = await startTwin({ clock, seed: 1, objects: requests })
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const config = tokenConfig({ server: 'https://cluster.test', token: 'viewer', authority, isInsecure: true, source: 'a test' })
  const facts = { objects: nodes, unread: [], nowMs: systemClock.now(), ours }
  const gathered = await gatherKubelets(
    { facts, api, config, environment: {}, clock: systemClock, signal, dial: site.dial },
    { contactMs: 400, allContactsMs: 20_000 },
  )
  const judgement = judgeKubelets(gathered)
  return {
    gathered,
    judgement,
    findings: kubeletFindings(gathered, judgement),
    lines: kubeletLines(gathered, judgement).join('\n'),
  }
}

test('each kubelet is told what is the matter with it, and only who is believed is told who asks', async () => {
  await using site = new Site()
  const nowMs = systemClock.now()
  const [cluster, other, own] = await Promise.all(
    ['kubernetes', 'strange', 'own'].map(commonName => issueAuthority({ commonName, nowMs })),
  )
  if (cluster === undefined || other === undefined || own === undefined) throw new Error('no authorities')
  const leaf = (by: KeyPair, names: readonly string[], atMs = nowMs) =>
    issueLeaf(by, {
      commonName: 'kubelet',
      dnsNames: names.filter(name => /[a-z]/.test(name)),
      ipAddresses: names.filter(name => !/[a-z]/.test(name)),
      usages: ['server'],
      nowMs: atMs,
      lifeMs: dayMs,
    })
  await site.kubelet('10.0.0.1', await leaf(cluster, ['10.0.0.1', 'fine']))
  site.places.set('fine', 'ENOTFOUND')
  await site.kubelet('10.0.0.2', own)
  await site.kubelet('10.0.0.3', await leaf(other, ['10.0.0.3']))
  await site.kubelet('10.0.0.4', await leaf(cluster, ['named']))
  site.places.set('named', site.places.get('10.0.0.4') ?? 0)
  await site.kubelet('10.0.0.5', await leaf(cluster, ['10.0.0.5'], nowMs - 2 * dayMs))
  await site.kubelet('10.0.0.6', await leaf(cluster, ['10.0.0.6']), 401)
  await site.kubelet('10.0.0.7', await leaf(cluster, ['10.0.0.7']), 403)
  site.places.set('10.0.0.8', 'ECONNREFUSED')
  await site.open(
    '10.0.0.9',
    silentServer(() => undefined),
  )
  await site.open(
    '10.0.0.10',
    plainServer((_request, response) => response.end('<html>')),
  )
  const addresses = {
    fine: { InternalIP: '10.0.0.1', Hostname: 'fine' },
    own: { InternalIP: '10.0.0.2' },
    other: { InternalIP: '10.0.0.3' },
    named: { InternalIP: '10.0.0.4', Hostname: 'named' },
    over: { InternalIP: '10.0.0.5' },
    whom: { InternalIP: '10.0.0.6' },
    may: { InternalIP: '10.0.0.7' },
    refused: { InternalIP: '10.0.0.8' },
    silent: { InternalIP: '10.0.0.9' },
    plain: { InternalIP: '10.0.0.10' },
    away: { InternalIP: '10.0.0.11' },
    twice: { InternalIP: '10.0.0.1' },
    none: {},
  }
  const { gathered, judgement, findings, lines } = await look(
    site,
    Object.entries(addresses).map(([name, of]) => node(name, of)),
    cluster.certificate,
  )
  expect(
    judgement.rows.map(row => [
      `${row.node} ${row.type}`,
      row.doubts.join(' '),
      row.answer?.kind === 'refused' ? row.answer.reason : row.answer?.kind,
    ]),
  ).toEqual([
    ['fine InternalIP', '', 'served'],
    ['fine Hostname', 'no-name', undefined],
    ['own InternalIP', 'self-signed wrong-name', undefined],
    ['other InternalIP', 'unknown-authority', undefined],
    ['named InternalIP', 'wrong-name', undefined],
    ['named Hostname', '', 'served'],
    ['over InternalIP', 'expired', undefined],
    ['whom InternalIP', '', 'unauthorized'],
    ['may InternalIP', '', 'forbidden'],
    ['refused InternalIP', 'refused', undefined],
    ['silent InternalIP', 'timeout', undefined],
    ['plain InternalIP', 'no-tls', undefined],
    ['away InternalIP', 'no-route', undefined],
    ['twice InternalIP', '', 'served'],
  ])
  const believed = ['10.0.0.1', '10.0.0.4', '10.0.0.6', '10.0.0.7']
  for (const [address, told] of site.told)
    expect([address, [...new Set(told)]]).toEqual([address, believed.includes(address) ? ['Bearer viewer'] : []])
  expect(gathered.pending.map(({ name, node: of }) => [name, of]).toSorted()).toEqual([
    ['csr-own', 'own'],
    ['csr-person', undefined],
    ['csr-stranger', undefined],
  ])
  expect(judgement.shared).toEqual([{ address: '10.0.0.1:10250', nodes: ['fine', 'twice'] }])
  expect(lines).toContain('none: it says no address')
  expect(lines.match(/kubectl certificate approve \S+/g)).toEqual(['kubectl certificate approve csr-own'])
  expect(findings.map(({ id, object, severity }) => `${severity} ${id} ${object}`).toSorted()).toEqual([
    'error kubelet-refuses Node may',
    'error kubelet-refuses Node whom',
    'error kubelet-untrusted Node named',
    'error kubelet-untrusted Node other',
    'error kubelet-untrusted Node over',
    'error kubelet-untrusted Node own',
    'warn kubelet-certificate-pending CertificateSigningRequest csr-own',
    'warn kubelet-certificate-pending CertificateSigningRequest csr-person',
    'warn kubelet-certificate-pending CertificateSigningRequest csr-stranger',
    'warn kubelet-unreached Node away',
    'warn kubelet-unreached Node plain',
    'warn kubelet-unreached Node refused',
    'warn kubelet-unreached Node silent',
    'warn kubelets-share-address Nodes fine, twice',
  ])
  const document = JSON.parse(JSON.stringify(kubeletDocument(gathered, judgement)))
  expect(document.kubelets[0]).toMatchObject({
    node: 'fine',
    verifies: true,
    certificate: { names: ['fine', '10.0.0.1'], issuer: 'CN=kubernetes' },
  })
  expect([gathered.isPendingRead, document.pendingRequests.length]).toEqual([true, 3])
  // In a pod of ours they may not be read: who waits is not known.
  expect(kubeletDocument({ ...gathered, isPendingRead: false }, judgement)).toMatchObject({ pendingRequests: null })
})

test('from outside all are silent: what the API server knows is told all the same', async () => {
  await using site = new Site()
  const { certificate } = await issueAuthority({ commonName: 'kubernetes', nowMs: systemClock.now() })
  const registration: KubeObject = {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1beta1.metrics.k8s.io' },
    spec: { service: { namespace: 'kube-system', name: 'metrics-server' } },
    status: { conditions: [{ type: 'Available', status: 'False', message: 'no route' }] },
  }
  const { judgement, lines, findings } = await look(site, [node('own', { InternalIP: '10.0.0.2' }), registration], certificate)
  expect(judgement.isOutside).toBe(true)
  for (const words of [
    'exec deploy/ballast-apiserver',
    '10.0.0.2:10250',
    'csr-own',
    'Service kube-system/metrics-server, not available: no route',
  ])
    expect(lines).toContain(words)
  expect(findings.find(({ id }) => id === 'kubelet-unreached')?.fix).toContain('kubectl -n ballast-system exec')
})

test('the configuration says the port and the order', async () => {
  await using site = new Site()
  const authority = await issueAuthority({ commonName: 'kubernetes', nowMs: systemClock.now() })
  const kubelet = { preferredAddressTypes: ['Hostname', 'InternalIP'], port: 10_260 }
  const ours: OwnFacts = {
    ...{ namespace: 'ballast-system', enabled: ['metrics'], isConfigured: true, isRunning: true, account: 'a', rights: [] },
    configurations: { metrics: { kubelet } },
  }
  const { gathered } = await look(site, [node('n', { InternalIP: '10.0.0.2' })], authority.certificate, ours)
  expect([gathered.order, gathered.orderFrom, gathered.tried[0]?.port]).toEqual([
    kubelet.preferredAddressTypes,
    'configuration',
    10_260,
  ])
})

test('with an authority of its own in the configuration, both the certificate and the connection that asks are judged by it', async () => {
  await using site = new Site()
  const nowMs = systemClock.now()
  const [cluster, own] = await Promise.all(['kubernetes', 'own'].map(commonName => issueAuthority({ commonName, nowMs })))
  if (cluster === undefined || own === undefined) throw new Error('no authorities')
  const leaf = { commonName: 'kubelet', dnsNames: [], ipAddresses: ['10.0.0.1'], usages: ['server'], nowMs } as const
  await site.kubelet('10.0.0.1', await issueLeaf(own, leaf))
  const directory = await mkdtemp(join(tmpdir(), 'ballast-authority-'))
  const certificateAuthority = join(directory, 'ca.crt')
  await writeFile(certificateAuthority, own.certificate)
  const ours: OwnFacts = {
    ...{ namespace: 'ballast-system', enabled: ['metrics'], isConfigured: true, isRunning: true, account: 'a', rights: [] },
    configurations: { metrics: { kubelet: { certificateAuthority } } },
  }
  const { judgement } = await look(site, [node('n', { InternalIP: '10.0.0.1' })], cluster.certificate, ours)
  await rm(directory, { recursive: true })
  expect(judgement.rows.map(({ doubts, answer }) => [doubts, answer?.kind])).toEqual([[[], 'served']])
})
