// The agent's role: what it asks, and the conditions that it writes, in the reporter's words.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { httpConditionOf, readinessConfiguration } from '../src/capabilities/readiness/config.ts'
import { startReporter } from '../src/capabilities/readiness/reporter/reporter.ts'
import { checksOf, conditionToWrite, healthOf } from '../src/capabilities/readiness/reporter/reporter-decision.ts'

const nowMs = Date.parse('2026-03-02T04:00:00Z')
const url = 'http://NODE_IP:8080/ok'
const config = readinessConfiguration.parse({
  rules: [
    { name: 'web', nodeSelector: { matchLabels: { role: 'web' } }, require: [{ http: url }] },
    { name: 'other', require: [{ condition: 'A=True' }] },
  ],
})

test('it asks the mirror, and what the rules of its node ask for', () => {
  expect(checksOf(config, { labels: { role: 'web' }, address: '[fd00::7]' })).toEqual([
    { url: 'http://[fd00::7]:29997/readyz', condition: 'ballast.dev/MirrorReady', isMirror: true },
    { url: 'http://[fd00::7]:8080/ok', condition: httpConditionOf(url), isMirror: false },
  ])
  expect(checksOf(config, { labels: {}, address: '10.0.0.7' })).toHaveLength(1)
})

const mirror = { url: 'http://m/readyz', condition: 'ballast.dev/MirrorReady', isMirror: true }
test.each([
  [mirror, { kind: 'answered', status: 200, body: '' }, 'True', 'Serving'],
  [mirror, { kind: 'answered', status: 500, body: 'NoPeers: no peer answered within 30s' }, 'False', 'NoPeers'],
  [
    mirror,
    { kind: 'answered', status: 500, body: 'ContainerdUnreachable: gone; NoPeers: none' },
    'False',
    'ContainerdUnreachable',
  ],
  [mirror, { kind: 'answered', status: 500, body: '' }, 'False', 'EndpointNotReady'],
  [mirror, { kind: 'answered', status: 500, body: 'NotAnnounced: not yet' }, 'False', 'NotAnnounced'],
  [mirror, { kind: 'unreachable', why: 'refused' }, 'False', 'EndpointConnectionError'],
  [{ ...mirror, isMirror: false }, { kind: 'answered', status: 204, body: '' }, 'True', 'EndpointOK'],
  [{ ...mirror, isMirror: false }, { kind: 'answered', status: 302, body: '' }, 'False', 'EndpointNotReady'],
] as const)('%j, %j: %s %s', (check, answer, status, reason) => {
  expect(healthOf(check, answer)).toMatchObject({ status, reason })
})

test('what keeps a mirror from being of use is said although it serves', () => {
  const ready = { kind: 'answered', status: 200, body: '' } as const
  expect(healthOf(mirror, ready, [{ reason: 'LayersDiscarded', message: 'thrown away' }])).toEqual({
    status: 'True',
    reason: 'LayersDiscarded',
    message: 'Endpoint reports ready at http://m/readyz, but: thrown away',
  })
})

test('what says the same is written again only for its heartbeat', () => {
  const health = { status: 'True', reason: 'Serving', message: 'm' } as const
  const first = conditionToWrite([], { type: 'T', health, nowMs, heartbeatMs: 300_000 })
  expect(first).toMatchObject({ lastTransitionTime: '2026-03-02T04:00:00Z' })
  if (first === undefined) return
  const later = (ms: number, how: Parameters<typeof conditionToWrite>[1]['health'] = health) =>
    conditionToWrite([first], { type: 'T', health: how, nowMs: nowMs + ms, heartbeatMs: 300_000 })
  expect(later(299_000)).toBeUndefined()
  expect(later(300_000)).toMatchObject({ lastTransitionTime: '2026-03-02T04:00:00Z', lastHeartbeatTime: '2026-03-02T04:05:00Z' })
  expect(later(10_000, { ...health, status: 'False' })).toMatchObject({ lastTransitionTime: '2026-03-02T04:00:10Z' })
})

interface EventObject extends KubeObject {
  readonly reason: string
  readonly message: string
  readonly involvedObject: { readonly kind: string; readonly name: string }
}

const eventLine = ({ metadata, reason, message, involvedObject: of }: EventObject) =>
  `${metadata.namespace} ${of.kind} ${of.name} ${reason}: ${message}`

test('it writes the condition of its node, and no other', async () => {
  const clock = new VirtualClock(nowMs)
  const status = { conditions: [{ type: 'Ready', status: 'True' }], addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] }
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {}, status }
  const twin = await startTwin({ clock, seed: 1, objects: [node] })
  const notices = {
    instance: 'a',
    problems: [{ reason: 'ConfigurationMissing', message: 'no hosts.toml' }],
    events: [{ number: 1, reason: 'PoisonedBlob', message: 'sha256:x', atMs: nowMs }],
  }
  const server = createServer((request, response) => {
    if (request.url === '/ballast/notices') response.end(JSON.stringify(notices))
    else response.writeHead(500).end('NoPeers: nobody')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const section = readinessConfiguration.parse({ agent: { mirror: `http://NODE_IP:${port}/readyz` } })
  const around = { clock, random: seededRandom(1), log: silentLog, node: 'n1', api }
  const identity = { name: 'a', namespace: 'ballast-agent', instance: 'a_1' }
  const ports = { take: () => undefined, offer: () => undefined }
  const running = await startReporter({ ...around, identity, ports }, section, new AbortController().signal)
  const conditions = () => (twin.access.list('nodes') as readonly Node[])[0]?.status?.conditions ?? []
  await expect
    .poll(() => conditions().find(({ type }) => type === 'ballast.dev/MirrorReady'))
    .toMatchObject({ status: 'False', reason: 'NoPeers' })
  expect(conditions().find(({ type }) => type === 'Ready')?.status).toBe('True')
  const events = () => (twin.access.list('events') as readonly EventObject[]).map(eventLine)
  await expect
    .poll(() => events().toSorted())
    .toEqual(['default Node n1 MirrorIgnored: no hosts.toml', 'default Node n1 PoisonedBlob: sha256:x'])
  expect(running.health()).toEqual([{ name: 'readiness-reporter', ok: true }])
  await running[Symbol.asyncDispose]()
  server.close()
  await twin.stop()
})
