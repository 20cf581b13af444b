// Figures of image mirrors: read from real answers over HTTP, and what becomes of those that do not answer.
import { createServer, type Server } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { samplesOf } from './metric-lines.ts'
import { MirrorPoll, mirrorAddresses, readingOf } from './mirror-poll.ts'

const metrics = `# HELP spegel_mirror_requests_total Requests.
# TYPE spegel_mirror_requests_total counter
spegel_mirror_requests_total{registry="docker.io",cache="hit"} 7
spegel_mirror_requests_total{registry="docker.io",cache="miss"} 2
spegel_mirror_requests_total{registry="r.test:5000",cache="miss"} 1 1767225600000
ballast_mirror_bytes_total{source="peer",direction="in"} 1.5e+09
ballast_mirror_bytes_total{source="relay",direction="in"} 500
ballast_mirror_bytes_total{source="local",direction="out"} 9
ballast_mirror_bytes_total{source="peer",direction="out"} 300
other{a="b"} NaN
`

test('a page of metrics as a reading', () =>
  expect(readingOf(metrics)).toEqual({
    kind: 'read',
    registries: new Map([
      ['docker.io', { hits: 7, misses: 2 }],
      ['r.test:5000', { hits: 0, misses: 1 }],
    ]),
    bytesIn: 1_500_000_500,
    bytesOut: 309,
  }))

describe('lines of metrics', () => {
  const names = new Set(['a'])
  test.each([
    ['a 1', [{ name: 'a', labels: {}, value: 1 }]],
    ['a{x="1",y="a\\"b\\\\c\\nd"} 2.5', [{ name: 'a', labels: { x: '1', y: 'a"b\\c\nd' }, value: 2.5 }]],
    ['a{x="}"} 3', [{ name: 'a', labels: { x: '}' }, value: 3 }]],
    ['b 1', []],
    ['a', []],
    ['a x', []],
    ['# a 1', []],
    ['', []],
  ])('%s', (text, expected) => expect(samplesOf(text, names)).toEqual(expected))
})

const ready = { conditions: [{ type: 'Ready', status: 'True' }], phase: 'Running' }
function cluster(args: readonly string[]): readonly KubeObject[] {
  const containers = [{ name: 'mirror', image: 'registry.test/ballast:1', args }]
  const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'm', uid: 'ds', controller: true }
  const node = (name: string, address: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name },
    status: { addresses: [{ type: 'InternalIP', address }], conditions: [{ type: 'Ready', status: 'True' }] },
  })
  return [
    node('one', '127.0.0.1'),
    node('two', '::1'),
    node('three', '127.0.0.3'),
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'm', namespace: 'mirrors', uid: 'ds' },
      spec: { selector: {}, template: { metadata: {}, spec: { containers } } },
    },
    ...['one', 'two', 'three'].map((nodeName, at) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `m-${nodeName}`, namespace: 'mirrors', uid: `pod-${at}`, ownerReferences: [owner] },
      spec: { nodeName, containers },
      status: nodeName === 'three' ? { phase: 'Running' } : ready,
    })),
  ]
}
const ours = ['agent', '--role=mirror']
const stateOf = (args: readonly string[]) => buildClusterState(cluster(args)).state

test('whom to ask: nodes with a ready mirror of ours', () => {
  expect(mirrorAddresses(stateOf(ours))).toEqual(
    new Map([
      ['one', '127.0.0.1'],
      ['two', '::1'],
    ]),
  )
  expect(mirrorAddresses(stateOf(['registry']))).toEqual(new Map())
})

describe('asking', () => {
  let server: Server | undefined
  afterEach(() => server?.close())

  test('who answers is read, who does not is silent with the reason; the next round comes by itself while somebody looks', async () => {
    let asked = 0
    server = createServer((_, response) => {
      asked++
      response.end(metrics)
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen(0, '127.0.0.1', resolve)
    await promise
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const clock = new VirtualClock(0)
    let rounds = 0
    using poll = new MirrorPoll({
      state: () => stateOf(ours),
      read: async (url, signal) => await (await fetch(url, { signal })).text(),
      port: () => port,
      wallClock: clock,
      onRound: () => rounds++,
      signal: new AbortController().signal,
    })
    expect(poll.current).toBeUndefined()
    poll.follow(true)
    await poll.round()
    expect(poll.current?.readings.get('one')).toMatchObject({ kind: 'read', bytesOut: 309 })
    expect(poll.current?.readings.get('two')).toMatchObject({
      kind: 'silent',
      because: expect.stringMatching(/^http:\/\/\[::1\]:\d+\/metrics: /),
    })
    expect([asked, rounds]).toEqual([1, 1])
    await clock.advance(30_000)
    await expect.poll(() => rounds).toBe(2)
    expect(asked).toBe(2)
    poll.follow(false)
    await clock.advance(300_000)
    expect([asked, rounds]).toEqual([2, 2])
  })
})
