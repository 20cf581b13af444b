// NSQ and Solr: what they are asked, and what their answers come to.
import type { RequestListener } from 'node:http'
import { describe, expect, test } from 'vitest'
import { scalerKind } from './registry.ts'
import { describeSources, opened, readOf, signal, type Texts } from './testdata/hostile-sources.ts'
import { openedTrigger, scalerWorld } from './testdata/scaler-world.ts'
import { saying, sourceServer } from './testdata/source-server.ts'

const json = (value: unknown, status = 200) => saying(JSON.stringify(value), 'application/json', status)
const nsq = (url: string, more: Texts = {}): Texts => ({
  ...{ nsqLookupdHTTPAddresses: url.replace('http://', ''), topic: 'orders', channel: 'worker' },
  ...more,
})
const solr = (url: string, more: Texts = {}): Texts => ({ host: `${url}/`, collection: 'shop', targetQueryValue: '5', ...more })
const login = { username: 'me', password: 'secret' }

/** A server that is both: it names itself as the one that has the topic. */
const nsqServer =
  (topic: object, producers?: readonly object[]): RequestListener =>
  (request, response) => {
    const port = request.socket.localPort
    const own = [{ broadcast_address: '127.0.0.1', http_port: port }]
    const said = request.url?.startsWith('/lookup')
      ? { producers: producers ?? own }
      : {
          topics: [
            { topic_name: 'other', depth: 99, channels: [] },
            { topic_name: 'orders', ...topic },
          ],
        }
    json(said)(request, response)
  }
const channel = (depth: unknown, more: object = {}) => ({ channel_name: 'worker', depth, paused: false, ...more })

describeSources([
  {
    ...{ type: 'nsq', metadata: nsq, hasOwnAuth: true },
    answer: nsqServer({ depth: 1, channels: [channel(7)] }),
    word: nsqServer({ depth: 1, channels: [channel('many')] }),
  },
  {
    ...{ type: 'solr', metadata: solr, auth: login, hasOwnAuth: true },
    answer: json({ response: { numFound: 7 } }),
    word: json({ response: { numFound: 'many' } }),
  },
])

describe('nsq', () => {
  test('what it asks, and the name of its metric', async () => {
    await using source = await sourceServer(nsqServer({ depth: 1, channels: [channel(7)] }))
    await using world = scalerWorld()
    await using scaler = await opened('nsq', nsq(source.url, { activationDepthThreshold: '7' }), { index: 3 }, world)
    expect(await scaler.metrics(signal)).toMatchObject([
      { external: { metric: { name: 's3-nsq-orders-worker' }, target: { averageValue: '10' } } },
    ])
    expect(await scaler.read('m', signal)).toEqual({ values: [{ name: 'm', value: 7 }], isActive: false })
    expect(source.asked.map(({ path }) => path)).toEqual([
      '/lookup?topic=orders',
      '/stats?format=json&include_clients=false&include_mem=false&topic=orders',
    ])
  })

  test.each<[string, object, number]>([
    ['a channel that is paused', { depth: 5, channels: [channel(7, { paused: true })] }, 0],
    ['no channel yet', { depth: 5, channels: [] }, 5],
    ['another channel only', { depth: 5, channels: [{ channel_name: 'x', depth: 9 }] }, 5],
  ])('%s', async (_name, topic, value) => {
    await using source = await sourceServer(nsqServer(topic))
    expect(await readOf('nsq', nsq(source.url))).toEqual([value, value > 0])
  })

  test('servers that two lookups name are asked once, and one that does not know the topic is none', async () => {
    await using source = await sourceServer(nsqServer({ depth: 5, channels: [channel(7)] }))
    await using empty = await sourceServer(json({ message: 'TOPIC_NOT_FOUND' }, 404))
    const place = source.url.replace('http://', '')
    const nsqLookupdHTTPAddresses = `${place}, ${place},${empty.url.replace('http://', '')}`
    expect(await readOf('nsq', nsq('', { nsqLookupdHTTPAddresses }))).toEqual([7, true])
    expect(source.asked).toHaveLength(3)
    expect(await readOf('nsq', nsq(empty.url))).toEqual([0, false])
  })

  test('a lookup cannot lead to the data of a cloud, nor to more servers than are asked', async () => {
    const at = (address: string) => ({ broadcast_address: address, http_port: 80 })
    await using source = await sourceServer(nsqServer({}, [at('169.254.169.254')]))
    expect(await readOf('nsq', nsq(source.url))).toMatch(/not to be reached from here/)
    const many = Array.from({ length: 65 }, (_none, index) => at(`10.0.0.${index}`))
    await using crowd = await sourceServer(nsqServer({}, many))
    expect(await readOf('nsq', nsq(crowd.url))).toBe('65 servers of NSQ have the topic, of at most 64')
  })

  test.each<[Texts, RegExp]>([
    [{ nsqLookupdHTTPAddresses: '' }, /missing required parameter "nsqLookupdHTTPAddresses"/],
    [{ topic: '' }, /missing required parameter "topic"/],
    [{ channel: '' }, /missing required parameter "channel"/],
    [{ depthThreshold: '0' }, /depthThreshold must be a positive integer/],
    [{ depthThreshold: 'a' }, /depthThreshold/],
    [{ activationDepthThreshold: '-1' }, /activationDepthThreshold must be greater than or equal to 0/],
    [{ useHttps: 'a' }, /useHttps/],
    [{ unsafeSsl: 'a' }, /unsafeSsl/],
  ])('%o is refused', async (more, message) => {
    expect(await readOf('nsq', nsq('http://a:1', more))).toMatch(message)
  })
})

describe('solr', () => {
  test.each<[Texts, string]>([
    [{}, '*:*'],
    [{ query: 'a:b c' }, 'a:b c'],
  ])('with %o it asks for %s', async (more, q) => {
    await using source = await sourceServer(json({ response: { numFound: 7 } }))
    expect(await readOf('solr', solr(source.url, more), { auth: login })).toEqual([7, true])
    const url = new URL(source.asked[0]?.path ?? '', source.url)
    expect([url.pathname, Object.fromEntries(url.searchParams)]).toEqual(['/solr/shop/select', { q, wt: 'json' }])
    expect(source.asked[0]?.headers.authorization).toBe(`Basic ${btoa('me:secret')}`)
  })

  test.each([401, 404, 500])('the status %i is an error, though its JSON finds nothing', async status => {
    await using source = await sourceServer(json({ response: { numFound: 0 } }, status))
    expect(await readOf('solr', solr(source.url), { auth: login })).toBe(`Solr answered with status ${status}`)
  })

  test('null is an error', async () => {
    await using source = await sourceServer(json(null))
    expect(await readOf('solr', solr(source.url), { auth: login })).toBe('numFound is missing, not a number')
  })

  test.each<[Texts, Texts, RegExp]>([
    [{ host: '' }, login, /unable to|missing required parameter "host"/],
    [{ collection: '' }, login, /missing required parameter "collection"/],
    [{ targetQueryValue: '' }, login, /missing required parameter "targetQueryValue"/],
    [{ targetQueryValue: '0' }, login, /no targetQueryValue given/],
    [{ targetQueryValue: 'aa' }, login, /targetQueryValue/],
    [{ activationTargetQueryValue: 'aa' }, login, /activationTargetQueryValue/],
    [{}, { username: 'me' }, /missing required parameter "password"/],
    [{}, { password: 'secret' }, /missing required parameter "username"/],
  ])('%o with %o is refused', async (more, auth, message) => {
    expect(await readOf('solr', solr('http://a', more), { auth })).toMatch(message)
  })
})

test('a trigger that cannot be opened holds nothing: the connection goes with the last that used it', async () => {
  const gone = Promise.withResolvers<void>()
  await using source = await sourceServer((request, response) => {
    request.socket.once('close', () => gone.resolve())
    saying('{"response":{"numFound":3}}')(request, response)
  })
  await using world = scalerWorld()
  const kind = await scalerKind('solr')
  const trigger = openedTrigger('solr', solr(source.url), { auth: login })
  const scaler = await kind?.open(trigger, world)
  expect(await scaler?.read('m', signal)).toMatchObject({ values: [{ value: 3 }] })
  await expect(kind?.open({ ...trigger, metricType: 'Utilization' }, world)).rejects.toThrow('Utilization')
  await scaler?.[Symbol.asyncDispose]()
  await gone.promise
  await expect(scaler?.read('m', signal)).rejects.toThrow('closed')
})
