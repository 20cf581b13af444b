import { expect, test } from 'vitest'
import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import { VirtualClock } from '#kube/clock.ts'
import { person } from '../components/cluster-for-tests.ts'
import { startTwin } from '../twin.ts'
import { readSeries, sourceAnnotation, valueAt } from './source-series.ts'

const minuteMs = 60_000

test.each<[string, number, number | undefined]>([
  ['queue', 0, 0],
  ['queue', 4 * minuteMs - 1, 0],
  ['queue', 4 * minuteMs, 7],
  ['queue', 10 * minuteMs, 0],
  ['queue', 14 * minuteMs, 7],
  ['late', 30_000, undefined],
  ['late', minuteMs, 1],
  ['same', 5_000, 3],
  ['nobody', 0, undefined],
  ['toString', 0, undefined],
])('%s is, after %i ms, %s', (name, elapsedMs, expected) => {
  const series = readSeries('{kind: json, every: 10m, values: {queue: {4m: 7, 0s: 0}, late: {1m: 1}, same: 3}}')
  expect(valueAt(series, name, elapsedMs)).toBe(expected)
})

test.each([
  ['kind: graphite\nvalues: {}', /kind/],
  ['kind: json', /values/],
  ['kind: json\nvalues: {a: {soon: 1}}', /values.a: soon: expected a duration/],
  ['kind: json\nevery: 0s\nvalues: {}', /every: expected a duration above 0/],
  ['kind: json\nvalues: {}\nmore: 1', /more/],
  ['just text', /^ballast.dev\/twin-source: [^:]/],
  ['{', /^ballast.dev\/twin-source: /],
  ['kind: json\nvalues: {queue: 3, queue.size: 2}', /values.queue.size: it is a field of what is a number/],
  ['kind: json\nevery: 1m\nvalues: {a: {2m: 1}}', /values.a: a step begins after/],
  ['kind: json\nvalues: {a: {1m: 1, 60s: 2}}', /values.a: two steps/],
])('%s is refused', (text, words) => {
  expect(() => readSeries(text)).toThrow(words)
})

test('a Service answers under the names that it has in the cluster, and nobody else does', async () => {
  const clock = new VirtualClock(0)
  await using twin = await startTwin({ clock, seed: 1, objects: [] })
  const service = (name: string, port: number, annotation: string) => {
    const metadata = { name, namespace: 'default', annotations: { [sourceAnnotation]: annotation } }
    twin.access.create('services', { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port }] } }, person)
  }
  service('prometheus', 9090, 'kind: prometheus\nvalues: {sum(queue): {0s: 0, 10m: 4}}')
  service('torrents', 8080, 'kind: json\nvalues: {queue.size: {0s: 2}, queue.failed: 0, speed: 1.5}')
  service('wrong', 80, 'kind: other')
  await using http = new OutgoingHttp({ clock, dial: twin.sources })
  const ask = async (url: string) => {
    const { status, body } = await http.ask({ url: new URL(url), signal: new AbortController().signal, mostBytes: 10_000 })
    return { status, answer: JSON.parse(body.toString()) as unknown }
  }
  const queue = 'http://prometheus.default.svc:9090/api/v1/query?query=sum%28queue%29'
  const vector = (value: [number, string]) => ({
    status: 'success',
    data: { resultType: 'vector', result: [{ metric: {}, value }] },
  })
  expect(await ask(queue)).toEqual({ status: 200, answer: vector([0, '0']) })
  await clock.advance(11 * minuteMs)
  expect(await ask(queue)).toEqual({ status: 200, answer: vector([660, '4']) })
  expect(await ask('http://torrents.default:8080/api/v2/queue')).toEqual({
    status: 200,
    answer: { queue: { size: 2, failed: 0 }, speed: 1.5 },
  })
  expect((await ask('http://prometheus.default:9090/graph')).status).toBe(404)
  expect(await ask('http://wrong.default.svc.cluster.local')).toMatchObject({ status: 500 })
  for (const host of [
    ...['prometheus.other:9090', 'prometheus:9090', 'prometheus.default.pod:9090', 'prometheus.default.svc.example.org:9090'],
    ...['prometheus.default', 'registry.example', '169.254.169.254'],
  ])
    await expect(ask(`http://${host}/`)).rejects.toThrow(/the twin has no source at/)
})
