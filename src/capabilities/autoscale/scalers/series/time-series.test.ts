// Databases of time series and logs: InfluxDB, Graphite and Loki; what they are asked, and what counts as no value.
import type { RequestListener } from 'node:http'
import { describe, expect, test } from 'vitest'
import { describeSources, opened, readOf, signal, type Texts } from '../testdata/hostile-sources.ts'
import { scalerWorld } from '../testdata/scaler-world.ts'
import { saying, sourceServer } from '../testdata/source-server.ts'

const token = 't0ken'

const csv = (type: string, value: string, def = '') =>
  [
    `#datatype,string,long,dateTime:RFC3339,${type},string`,
    '#group,false,false,false,false,true',
    `#default,_result,,,${def},`,
    ',result,table,_time,_value,_field',
    `,,0,2026-01-01T00:00:00Z,${value},"a ""b"", c"`,
    `,,0,2026-01-01T00:01:00Z,99,more`,
    '',
    '',
  ].join('\r\n')
const csvAnswer = (type: string, value: string, def = '') => saying(csv(type, value, def), 'text/csv')
const series = (...points: readonly (readonly unknown[])[]) =>
  saying(JSON.stringify([{ target: 'a', tags: {}, datapoints: points }]))
const vector = (...values: readonly unknown[]) =>
  saying(
    JSON.stringify({ status: 'success', data: { resultType: 'vector', result: values.map(value => ({ metric: {}, value })) } }),
  )

const influx = (url: string, more: Texts = {}) => ({
  ...{ serverURL: url, organizationName: 'acme', query: 'from(bucket: "a")', thresholdValue: '5' },
  ...more,
})
const third = (url: string, more: Texts = {}) =>
  influx(url, { influxVersion: '3', database: 'test', metricKey: 'level', query: 'SELECT level FROM lakes', ...more })
const graphite = (url: string, more: Texts = {}) => ({
  ...{ serverAddress: `${url}/base/`, query: 'sum(a.*,"x")', queryTime: '-30Seconds' },
  ...more,
})
const loki = (url: string, more: Texts = {}) => ({ serverAddress: url, query: 'sum(rate({a="b"}[1m]))', threshold: '5', ...more })

describeSources([
  {
    ...{ type: 'influxdb', metadata: influx, auth: { authToken: token }, hasOwnAuth: true },
    answer: csvAnswer('double', '7'),
    word: csvAnswer('string', 'many'),
  },
  {
    ...{ type: 'influxdb', metadata: third, auth: { authToken: token }, hasOwnAuth: true },
    answer: saying('[{"level":7}]'),
    word: saying('[{"level":{"many":1}}]'),
  },
  { type: 'graphite', metadata: graphite, answer: series([7, 1]), word: series(['many', 1]), hasOwnAuth: true },
  { type: 'loki', metadata: loki, answer: vector([1, '7']) },
])

describe('influxdb', () => {
  test('what it asks', async () => {
    await using source = await sourceServer(csvAnswer('long', '7'))
    expect(await readOf('influxdb', influx(`${source.url}/base`), { auth: { authToken: token } })).toEqual([7, true])
    const [asked] = source.asked
    expect(asked).toMatchObject({ path: '/base/api/v2/query?org=acme', headers: { authorization: `Token ${token}` } })
    expect(JSON.parse(asked?.body ?? '')).toMatchObject({
      ...{ query: 'from(bucket: "a")', type: 'flux' },
      dialect: { header: true, delimiter: ',', annotations: ['datatype', 'group', 'default'] },
    })
  })

  test('without a token none is sent, and places of parameters', async () => {
    await using source = await sourceServer(csvAnswer('double', '7'))
    const { serverURL, organizationName, ...metadata } = influx(source.url)
    expect(await readOf('influxdb', metadata, { auth: { serverURL, organizationName } })).toEqual([7, true])
    const fromEnv = { ...metadata, serverURL, organizationNameFromEnv: 'ORG', authTokenFromEnv: 'TOKEN' }
    const more = { env: { ORG: 'umbrella', TOKEN: 'of-env' }, auth: { authToken: 'of-auth', organizationName: 'no' } }
    expect(await readOf('influxdb', fromEnv, more)).toEqual([7, true])
    expect(source.asked.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ['/api/v2/query?org=acme', undefined],
      ['/api/v2/query?org=umbrella', 'Token of-env'],
    ])
  })

  test.each<[string, RequestListener, unknown]>([
    ['a double', csvAnswer('double', '2.5'), [2.5, true]],
    ['a default', csvAnswer('double', '', '4'), [4, true]],
    ['no value', csvAnswer('double', ''), /not a number/],
    ['NaN', csvAnswer('double', 'NaN'), /not a number/],
    ['infinity', csvAnswer('double', '+Inf'), /not a number/],
    ['an unsigned number', csvAnswer('unsignedLong', '7'), /unsignedLong could not be converted into a float/],
    ['a text', csvAnswer('string', '7'), /type string could not be converted into a float/],
    ['nothing', saying('\r\n', 'text/csv'), /no results found from query/],
    ['a table without rows', saying(csv('double', '1').split('\r\n').slice(0, 4).join('\r\n'), 'text/csv'), /no results found/],
    ['no column', saying(csv('double', '1').replace('_value', 'value'), 'text/csv'), /no column _value/],
    [
      'an error',
      saying('#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,from(bucket),1\r\n'),
      /an error$/,
    ],
    ['a long cell between quotes', saying(csv('double', '1').replace('"a ""b"", c"', `"${'""'.repeat(16_000)}"`)), [1, true]],
    ['a quote that nothing closes', saying(`#datatype,string\r\n"${'a'.repeat(60_000)}`), /no results found/],
    ['more than there may be', saying(','.repeat(65_537)), /more than 65536 characters/],
    ['CSV without annotations', saying('a,b\r\n1,2\r\n', 'text/csv'), /no annotated CSV/],
  ])('%s', async (_name, answer, expected) => {
    await using source = await sourceServer(answer)
    const read = await readOf('influxdb', influx(source.url))
    if (expected instanceof RegExp) expect(read).toMatch(expected)
    else expect(read).toEqual(expected)
  })

  test.each<[Texts, string]>([
    [{}, '/api/v3/query_influxql'],
    [{ queryType: 'influxQL' }, '/api/v3/query_influxql'],
    [{ queryType: 'FlightSQL', organizationName: '' }, '/api/v3/query_sql'],
  ])('version 3 with %o asks %s', async (more, path) => {
    await using source = await sourceServer(saying('[{"level":7},{"level":8.5}]'))
    expect(await readOf('influxdb', third(source.url, more), { auth: { authToken: token } })).toEqual([8.5, true])
    expect(source.asked[0]).toMatchObject({ path, headers: { authorization: `Bearer ${token}` } })
    expect(JSON.parse(source.asked[0]?.body ?? '')).toEqual({ db: 'test', q: 'SELECT level FROM lakes', format: 'json' })
  })

  test.each<[string, unknown]>([
    ['[]', [0, false]],
    ['[{"other":1}]', 'level is missing, not a number'],
    ['[{"level":"7"}]', 'level is a text, not a number'],
    ['{"level":7}', 'InfluxDB answered without a list of rows'],
  ])('version 3 answers %s', async (answer, expected) => {
    await using source = await sourceServer(saying(answer))
    expect(await readOf('influxdb', third(source.url))).toEqual(expected)
  })

  test.each<[Texts, RegExp]>([
    [{ serverURL: '' }, /missing required parameter "serverURL"/],
    [{ organizationName: '' }, /organizationName is required if influxVersion is 2/],
    [{ query: '' }, /missing required parameter "query"/],
    [{ thresholdValue: '' }, /no threshold value given/],
    [{ thresholdValue: '0' }, /no threshold value given/],
    [{ activationThresholdValue: 'aa' }, /activationThresholdValue/],
    [{ influxVersion: '1' }, /must be one of \[2 3\]/],
    [{ influxVersion: '3', metricKey: 'a' }, /database is required if influxVersion is 3/],
    [{ influxVersion: '3', database: 'a' }, /metricKey is required if influxVersion is 3/],
    [{ influxVersion: '3', database: 'a', metricKey: 'a', queryType: 'sql' }, /query type must be/],
    [{ authToken: token }, /DEPRECATED/],
  ])('%o is refused', async (more, message) => {
    const read = await readOf('influxdb', influx('http://a', more))
    expect(read).toMatch(message)
    expect(read).not.toContain(token)
  })
})

describe('graphite', () => {
  test('what it asks', async () => {
    await using source = await sourceServer(series([7, 1]))
    await readOf('graphite', graphite(source.url), { auth: { username: 'me', password: 'secret' } })
    const [asked] = source.asked
    const url = new URL(asked?.path ?? '', source.url)
    expect(url.pathname).toBe('/base/render')
    expect(Object.fromEntries(url.searchParams)).toEqual({ from: '-30Seconds', target: 'sum(a.*,"x")', format: 'json' })
    expect(asked?.headers.authorization).toBe(`Basic ${btoa('me:secret')}`)
  })

  test.each<[string, RequestListener, unknown]>([
    ['no series', saying('[]'), [0, false]],
    ['no points', series(), [0, false]],
    ['the newest that is not null', series([1, 10], [8.5, 20], [null, 30]), [8.5, true]],
    ['nothing but null', series([null, 10], [null, 20]), /no point of the series has a value/],
    ['a series of nothing', saying('[{}]'), /without datapoints/],
    ['points that are null', saying('[{"target":"x","datapoints":null}]'), /without datapoints/],
    ['several series', saying('[{"datapoints":[]},{"datapoints":[]}]'), /several series/],
  ])('%s', async (_name, answer, expected) => {
    await using source = await sourceServer(answer)
    const read = await readOf('graphite', graphite(source.url))
    if (expected instanceof RegExp) expect(read).toMatch(expected)
    else expect(read).toEqual(expected)
  })

  test.each<[Texts, Texts, RegExp]>([
    [{ serverAddress: '' }, {}, /missing required parameter "serverAddress"/],
    [{ query: '' }, {}, /missing required parameter "query"/],
    [{ queryTime: '' }, {}, /missing required parameter "queryTime"/],
    [{ threshold: 'one' }, {}, /threshold/],
    [{ activationThreshold: 'one' }, {}, /activationThreshold/],
    [{ authModes: 'bearer' }, { token }, /not known to this scaler/],
    [{ authModes: 'basic' }, {}, /username is required/],
  ])('%o with %o is refused', async (more, auth, message) => {
    expect(await readOf('graphite', graphite('http://a', more), { auth })).toMatch(message)
  })
})

describe('loki', () => {
  test.each([
    ['', '/loki/api/v1/query'],
    ['/', '/loki/api/v1/query'],
    ['/loki', '/loki/api/v1/query'],
    ['/loki/api/v1/', '/loki/api/v1/query'],
    ['/loki/api/v1/query', '/loki/api/v1/query'],
    ['/gateway', '/gateway/loki/api/v1/query'],
  ])('below %o it asks %s', async (path, asked) => {
    await using source = await sourceServer(vector([1, '7']))
    expect(await readOf('loki', loki(`${source.url}${path}`, { tenantName: 'acme' }))).toEqual([7, true])
    const url = new URL(source.asked[0]?.path ?? '', source.url)
    expect([url.pathname, Object.fromEntries(url.searchParams)]).toEqual([asked, { query: 'sum(rate({a="b"}[1m]))' }])
    expect(source.asked[0]?.headers['x-scope-orgid']).toBe('acme')
  })

  test.each<[string, RequestListener, unknown, unknown]>([
    ['nothing', vector(), [0, false], /result is empty/],
    ['an empty value', vector([]), [0, false], /value list is empty/],
    ['no value', vector([1]), /no value/, /no value/],
    ['null', vector([1, null]), [0, false], [0, false]],
    ['NaN', vector([1, 'NaN']), /a text of 3 characters, not a number/, /not a number/],
    [
      'a failure',
      saying('{"status":"error","data":{"resultType":"vector","result":[]}}'),
      /without status success/,
      /without status/,
    ],
    [
      'an element without a value',
      saying('{"status":"success","data":{"resultType":"vector","result":[{}]}}'),
      /without a value/,
      /without/,
    ],
    ['lines', saying('{"status":"success","data":{"resultType":"streams","result":[]}}'), /no vector/, /no vector/],
    ['two series', vector([1, '1'], [1, '2']), /more than one/, /more than one/],
  ])('%s, by ignoreNullValues', async (_name, answer, ...expected) => {
    await using source = await sourceServer(answer)
    for (const [index, ignoreNullValues] of ['true', 'false'].entries()) {
      const read = await readOf('loki', loki(source.url, { ignoreNullValues }))
      const wanted = expected[index]
      if (wanted instanceof RegExp) expect(read).toMatch(wanted)
      else expect(read).toEqual(wanted)
    }
  })

  test.each<[Texts, RegExp]>([
    [{ serverAddress: '' }, /missing required parameter "serverAddress"/],
    [{ query: '' }, /missing required parameter "query"/],
    [{ threshold: '' }, /missing required parameter "threshold"/],
    [{ threshold: 'one' }, /threshold/],
    [{ activationThreshold: 'one' }, /activationThreshold/],
    [{ ignoreNullValues: 'xxxx' }, /ignoreNullValues/],
  ])('%o is refused', async (more, message) => {
    expect(await readOf('loki', loki('http://a', more))).toMatch(message)
  })
})

test.each<[string, Texts, string]>([
  ['influxdb', influx('http://a'), 's3-influxdb-acme'],
  ['influxdb', third('http://a', { database: 'a/b' }), 's3-influxdb-a-b'],
  ['graphite', graphite('http://a'), 's3-graphite'],
  ['loki', loki('http://a'), 's3-loki'],
])('%s with %o: the name of its metric', async (type, metadata, name) => {
  await using world = scalerWorld()
  await using scaler = await opened(type, metadata, { index: 3 }, world)
  expect(await scaler.metrics(signal)).toMatchObject([{ external: { metric: { name } } }])
})
