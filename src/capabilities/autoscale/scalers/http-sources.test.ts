// Scalers that ask by HTTP: what they are given, what they ask, what they make of answers, and what sources do that mean no good.
import type { RequestListener } from 'node:http'
import { describe, expect, test } from 'vitest'
import { describeSources, names, opened, readOf, type SourceRow, signal, type Texts } from './testdata/hostile-sources.ts'
import { scalerWorld } from './testdata/scaler-world.ts'
import { saying, sourceServer } from './testdata/source-server.ts'

const prometheusAnswer = (...result: readonly unknown[]) =>
  saying(
    JSON.stringify({ status: 'success', data: { resultType: 'vector', result: result.map(value => ({ metric: {}, value })) } }),
  )

/** One trigger of each type, and an answer that says 7. */
const rows: readonly SourceRow[] = [
  {
    type: 'prometheus',
    metadata: url => ({ serverAddress: url, query: 'sum(up)', threshold: '5' }),
    answer: prometheusAnswer([1, '7']),
  },
  {
    type: 'metrics-api',
    metadata: url => ({ url: `${url}/queue`, valueLocation: 'jobs.waiting', targetValue: '5' }),
    answer: saying('{"jobs":{"waiting":7}}'),
  },
  {
    type: 'rabbitmq',
    metadata: url => ({ host: `${url}/shop`, queueName: 'jobs', mode: 'QueueLength', value: '5' }),
    answer: saying('{"messages":7}'),
    hasOwnAuth: true,
  },
]

describeSources(rows)

describe('addresses', () => {
  test.each([
    ['127.0.0.1', 'http://127.0.0.1:9'],
    ['127.1.2.3', 'http://localhost:9'],
    ['169.254.169.254', 'http://169.254.169.254'],
    ['169.254.169.254', 'http://prometheus.media.svc'],
    ['::1', 'http://[::1]:9'],
    ['::ffff:169.254.169.254', 'http://prometheus.media.svc'],
    ['64:ff9b::a9fe:a9fe', 'http://prometheus.media.svc'],
    ['fe80::1', 'http://prometheus.media.svc'],
    ['0.0.0.0', 'http://0.0.0.0:9'],
    ['fd00:ec2::254', 'http://prometheus.media.svc'],
  ])('%s is not reached as %s', async (address, url) => {
    expect(
      await readOf('prometheus', { serverAddress: url, query: 'a', threshold: '5' }, {}, { allowed: [], lookup: names(address) }),
    ).toMatch(/not to be reached from here/)
  })

  test('an answer may not be larger than it may', async () => {
    await using source = await sourceServer((_request, response) => void response.end(Buffer.alloc(16 * 1024 * 1024 + 1, 32)))
    expect(await readOf('prometheus', { serverAddress: source.url, query: 'a', threshold: '5' })).toMatch(/larger than 16777216/)
  })
})

describe('prometheus', () => {
  const metadata = (url: string, more: Texts = {}) => ({ serverAddress: `${url}/base/`, query: 'a + b', threshold: '5', ...more })

  test('what it asks', async () => {
    await using source = await sourceServer(prometheusAnswer([1, '7']))
    const more = { namespace: 'media', queryParameters: 'dedup=true,x=a b', customHeaders: 'X-Scope-OrgID=me' }
    await readOf('prometheus', metadata(source.url, more))
    const url = new URL(source.asked[0]?.path ?? '', source.url)
    expect(url.pathname).toBe('/base/api/v1/query')
    expect(Object.fromEntries(url.searchParams)).toEqual({
      ...{ query: 'a + b', namespace: 'media', dedup: 'true', x: 'a b' },
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    })
    expect(source.asked[0]?.headers).toMatchObject({ 'x-scope-orgid': 'me' })
  })

  test.each<[string, RequestListener, unknown, unknown]>([
    ['nothing', prometheusAnswer(), [0, false], /result is empty/],
    ['an empty value', prometheusAnswer([]), [0, false], /value list is empty/],
    ['NaN', prometheusAnswer([1, 'NaN']), [0, false], /NaN/],
    ['Inf', prometheusAnswer([1, '+Inf']), [0, false], /Inf/],
    ['less than nothing', prometheusAnswer([1, '-3']), [-3, false], [-3, false]],
    ['a scalar', saying('{"data":{"resultType":"scalar","result":[1,"4"]}}'), [4, true], [4, true]],
    ['two series', prometheusAnswer([1, '1'], [1, '2']), /more than one/, /more than one/],
  ])('%s, by ignoreNullValues', async (_name, answer, ignoring, minding) => {
    await using source = await sourceServer(answer)
    const check = async (read: unknown, expected: unknown) =>
      expected instanceof RegExp ? expect(read).toMatch(expected) : expect(read).toEqual(expected)
    await check(await readOf('prometheus', metadata(source.url)), ignoring)
    await check(await readOf('prometheus', metadata(source.url, { ignoreNullValues: 'false' })), minding)
  })

  test('oauth: a token is asked for once, and by the form where the server wants that', async () => {
    await using source = await sourceServer((request, response) => {
      if (request.url !== '/token') return prometheusAnswer([1, '7'])(request, response)
      if (request.headers.authorization !== undefined) return saying('{}', 'application/json', 401)(request, response)
      saying('{"access_token":"t0ken","expires_in":3600}')(request, response)
    })
    await using world = scalerWorld()
    const auth = {
      oauthTokenURI: `${source.url}/token`,
      clientID: 'me',
      clientSecret: 'secret',
      scopes: 'a,b',
      endpointParams: 'audience=x',
    }
    await using scaler = await opened('prometheus', metadata(source.url, { authModes: 'oauth' }), { auth }, world)
    for (let time = 0; time < 3; time++) await scaler.read('m', signal)
    expect(source.asked.map(({ path }) => path.replace(/\?.*/, ''))).toEqual([
      ...['/token', '/token'],
      ...['/base/api/v1/query', '/base/api/v1/query', '/base/api/v1/query'],
    ])
    expect(Object.fromEntries(new URLSearchParams(source.asked[1]?.body))).toEqual({
      ...{ grant_type: 'client_credentials', scope: 'a b', audience: 'x', client_id: 'me', client_secret: 'secret' },
    })
    expect(source.asked.at(-1)?.headers.authorization).toBe('Bearer t0ken')
  })
})

describe('metrics-api', () => {
  const metadata = (url: string, more: Texts = {}) => ({ url: `${url}/metrics`, valueLocation: 'a', targetValue: '5', ...more })

  test.each<[Texts, Texts, unknown]>([
    [{ authMode: 'apiKey' }, { apiKey: 'k' }, { path: '/metrics', 'x-api-key': 'k' }],
    [{ authMode: 'apiKey', keyParamName: 'X-Other' }, { apiKey: 'k' }, { path: '/metrics', 'x-other': 'k' }],
    [{ authMode: 'apiKey', method: 'query' }, { apiKey: 'k' }, { path: '/metrics?api_key=k' }],
    [{ authMode: 'apiKey' }, { apiKey: 'k', method: 'query', keyParamName: 'q' }, { path: '/metrics?q=k' }],
  ])('%o with %o asks as %o', async (more, auth, expected) => {
    await using source = await sourceServer(saying('{"a":7}'))
    expect(await readOf('metrics-api', metadata(source.url, more), { auth })).toEqual([7, true])
    const [asked] = source.asked
    expect({ path: asked?.path, ...asked?.headers }).toMatchObject(expected as object)
  })

  test.each(['custom', 'oauth'])('authModes %s is refused', async authModes => {
    const auth = { customAuthHeader: 'a', customAuthValue: 'b', oauthTokenURI: 'http://x', clientID: 'a' }
    expect(await readOf('metrics-api', metadata('http://127.0.0.1', { authModes }), { auth })).toMatch(/not known to this scaler/)
  })

  test.each<[Texts, RegExp]>([
    [{ targetValue: '0' }, /no targetValue/],
    [{ targetValue: 'aa' }, /targetValue/],
    [{ activationTargetValue: 'aa' }, /activationTargetValue/],
    [{ format: 'toml' }, /must be one of/],
    [{ valueLocation: '' }, /missing required parameter "valueLocation"/],
    [{ valueLocation: 'a.#(b' }, /parenthesis/],
    [{ valueLocation: '{a=b', format: 'prometheus' }, /expected a metric/],
    [{ url: 'ftp://127.0.0.1' }, /expected http/],
    [{ url: 'http://me:hunter2@' }, /cannot be read/],
    [{ aggregateFromKubeServiceEndpoints: 'true', url: 'http://queue' }, /expected service.namespace/],
    [{ timeout: '-1s' }, /cannot be negative/],
  ])('%o is refused', async (more, message) => {
    expect(await readOf('metrics-api', metadata('http://127.0.0.1', more))).toMatch(message)
  })

  test.each<[string, number]>([
    ['average', 6],
    ['sum', 12],
    ['max', 8],
    ['min', 4],
  ])('each ready endpoint of a Service is asked once, and what fails is left out: %s', async (aggregationType, expected) => {
    const values: Texts = { one: '4', two: '8', three: '"many"' }
    await using source = await sourceServer((request, response) =>
      saying(`{"a":${values[(request.headers.host ?? '').replace(/:.*/, '')]}}`)(request, response),
    )
    const port = Number(new URL(source.url).port)
    const endpoints = ['one', 'two', 'one', 'three', '169.254.1.1'].map(address => ({ address, ports: [port] }))
    const asked = metadata(`http://queue.media.svc:${port}`, { aggregateFromKubeServiceEndpoints: 'true', aggregationType })
    const read = await readOf('metrics-api', asked, {}, { endpoints, lookup: names('127.0.0.1') })
    expect(read).toEqual([expected, expected > 0])
    expect(source.asked).toHaveLength(3)
  })

  test('endpoints that all fail are an error, and so is a Service without any', async () => {
    const asked = metadata('http://queue.media.svc:1', { aggregateFromKubeServiceEndpoints: 'true' })
    const endpoints = [{ address: '169.254.1.1', ports: [1] }]
    expect(await readOf('metrics-api', asked, {}, { endpoints })).toMatch(/from the 1 endpoints, .*not to be reached/)
    expect(await readOf('metrics-api', asked)).toMatch(/no ready endpoint/)
  })
})

describe('rabbitmq', () => {
  const of = (url: string, more: Texts = {}) => ({ host: `${url.replace('//', '//me:hunter2@')}/`, queueName: 'a/b', ...more })
  const queue = (messages: number, published: number, delivered: number) => ({
    ...{ messages, messages_ready: messages - 1 },
    message_stats: { publish_details: { rate: published }, deliver_get_details: { rate: delivered } },
  })

  test('N1: the name of its metric, and amounts that are none', async () => {
    await using world = scalerWorld()
    for (const [value, amount] of [
      ['1e16', '10P'],
      ['-1', '0'],
      ['2.5', '2500m'],
    ] as const) {
      await using scaler = await opened('rabbitmq', of('http://a', { mode: 'QueueLength', value }), { index: 3 }, world)
      expect(await scaler.metrics(signal)).toMatchObject([
        { external: { metric: { name: 's3-rabbitmq-a-2Fb' }, target: { averageValue: amount } } },
      ])
    }
  })

  test.each<[string, Texts, string]>([
    ['/', {}, '/api/queues/%2F/a%2Fb'],
    ['/%2F', {}, '/api/queues/%2F/a%2Fb'],
    ['/my%2Fhost', {}, '/api/queues/my%2Fhost/a%2Fb'],
    ['/sub/path/host', {}, '/sub/path/api/queues/host/a%2Fb'],
    ['/host', { vhostName: 'v/h' }, '/api/queues/v%2Fh/a%2Fb'],
    [
      '/host',
      { useRegex: 'true', queueName: '^a.*$', pageSize: '7' },
      '/api/queues/host?page=1&use_regex=true&pagination=false&name=%5Ea.*%24&page_size=7',
    ],
  ])('with the path %s and %o it asks %s', async (path, more, asked) => {
    await using source = await sourceServer(saying(JSON.stringify({ messages: 1, items: [{ messages: 1 }], page_count: 1 })))
    const metadata = of(source.url, more)
    expect(await readOf('rabbitmq', { ...metadata, host: metadata.host.replace(/\/$/, path) })).toEqual([1, true])
    expect(source.asked[0]).toMatchObject({ path: asked, headers: { authorization: `Basic ${btoa('me:hunter2')}` } })
  })

  test.each<[string, object, unknown]>([
    ['QueueLength', queue(4, 1, 2), [4, true]],
    ['QueueLength', queue(2, 9, 9), [2, false]],
    ['MessageRate', queue(4, 1.5, 0), [1.5, true]],
    ['DeliverGetRate', queue(4, 1.5, 1), [1, false]],
    ['PublishedToDeliveredRatio', queue(4, 9, 3), [3, true]],
    ['PublishedToDeliveredRatio', queue(4, 9, 0), [2, true]],
    ['PublishedToDeliveredRatio', queue(4, 0, 0), [0, false]],
    ['ExpectedQueueConsumptionTime', queue(10, 4, 2), [6, true]],
    ['ExpectedQueueConsumptionTime', queue(10, 4, 0), [2, true]],
    ['ExpectedQueueConsumptionTime', queue(0, 0, 0), [0, false]],
  ])('%s of %o', async (mode, said, expected) => {
    await using source = await sourceServer(saying(JSON.stringify(said)))
    expect(await readOf('rabbitmq', of(source.url, { mode, value: '5', activationValue: '2' }))).toEqual(expected)
  })

  test.each<[Texts, object, unknown]>([
    [{ operation: 'sum' }, { items: [queue(3, 0, 0), queue(4, 0, 0)] }, [7, true]],
    [{ operation: 'avg' }, { items: [queue(3, 0, 0), queue(4, 0, 0)] }, [3, true]],
    [{ operation: 'max' }, { items: [queue(3, 0, 0), queue(4, 0, 0)] }, [4, true]],
    [{ excludeUnacknowledged: 'true' }, { items: [queue(3, 0, 0)] }, [2, true]],
    [{}, { items: [] }, [0, false]],
    [{}, { items: [], page_count: 2 }, expect.stringContaining('more queues')],
  ])('several queues %o of %o', async (more, said, expected) => {
    await using source = await sourceServer(saying(JSON.stringify(said)))
    expect(await readOf('rabbitmq', of(source.url, { useRegex: 'true', ...more }))).toEqual(expected)
  })

  test.each<[Texts, Texts, RegExp]>([
    [{ host: '' }, {}, /missing required parameter "host"/],
    [{ host: 'http://me:hunter2@a', protocol: 'amqp' }, {}, /AMQP scheme must be either/],
    [{ protocol: 'x' }, {}, /protocol/],
    [{ host: 'ftp://a' }, {}, /unknown host URL scheme/],
    [{ host: 'a' }, {}, /can't parse host/],
    [{ queueLength: '5', mode: 'QueueLength' }, {}, /queueLength is deprecated/],
    [{ value: '5' }, {}, /mode must be specified/],
    [{ mode: 'QueueLength' }, {}, /value must be specified/],
    [{ mode: 'Feelings', value: '5' }, {}, /must be one of/],
    [{ pageSize: '0' }, {}, /pageSize should be 1/],
    [{ operation: 'min' }, {}, /must be one of/],
    [{}, { username: 'a' }, /given together/],
    [{}, { username: 'a', password: 'b', clientID: 'c', oauthTokenURI: 'http://t' }, /cannot be combined/],
  ])('%o with %o is refused', async (more, auth, message) => {
    const read = await readOf('rabbitmq', of('http://a', more), { auth })
    expect(read).toMatch(message)
    expect(read).not.toContain('hunter2')
  })
})

describe('nats-jetstream', () => {
  const answer = (more: object = {}, leader = 'one', pending = 6) => ({
    ...more,
    account_details: [
      {
        id: 'other',
        name: 'other',
        stream_detail: [{ name: 's', consumer_detail: [{ name: 'c', num_pending: 99, num_ack_pending: 0 }] }],
      },
      {
        id: 'A',
        name: 'acme',
        stream_detail: [
          { name: 's', consumer_detail: [{ name: 'c', num_pending: pending, num_ack_pending: 1, cluster: { leader } }] },
        ],
      },
    ],
  })
  const of = (url: string, more: Texts = {}) => ({
    natsServerMonitoringEndpoint: url.replace('http://', ''),
    account: 'acme',
    stream: 's',
    consumer: 'c',
    ...more,
  })

  test.each<[Texts, unknown]>([
    [{}, [7, true]],
    [{ account: '', accountID: 'A' }, [7, true]],
    [{ activationLagThreshold: '7' }, [7, false]],
    [{ consumer: 'x' }, 'consumer "x" not found in stream "s"'],
    [{ stream: 'x' }, 'consumer "c" not found in stream "x"'],
    [{ account: '' }, 'no account name or id given'],
    [{ lagThreshold: 'x' }, expect.stringContaining('lagThreshold')],
  ])('%o', async (more, expected) => {
    await using source = await sourceServer(saying(JSON.stringify(answer())))
    expect(await readOf('nats-jetstream', of(source.url, more))).toEqual(expected)
    if (Array.isArray(expected)) expect(source.asked[0]?.path).toMatch(/^\/jsz\?acc=(acme|A)&consumers=true&config=true$/)
  })

  test.each([
    ['is advertised', { connect_urls: ['one.nats:4222', 'two.nats:4222'] }],
    ['is a pod of the StatefulSet', { cluster: { urls: ['one.nats.media:6222', 'two.nats.media:6222'] } }],
  ])('the server that leads the consumer is asked where it %s', async (_name, info) => {
    const hosts = { ...info, server_name: 'one' }
    await using source = await sourceServer((request, response) => {
      const server = (request.headers.host ?? '').startsWith('two') ? 'two' : 'one'
      const said =
        request.url === '/varz'
          ? { ...hosts, server_name: server }
          : answer({ meta_cluster: { cluster_size: 2 } }, 'two', server === 'two' ? 40 : 1)
      saying(JSON.stringify(said))(request, response)
    })
    const url = source.url.replace('127.0.0.1', 'nats.media')
    expect(await readOf('nats-jetstream', of(url), {}, { lookup: names('127.0.0.1') })).toEqual([41, true])
  })
})
