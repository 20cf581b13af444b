// What scalers that speak HTTP read from real servers, which `test/real/scalers/http-servers.ts` starts and fills.
import type { ScalerCase } from './scaler-cases.ts'

type Texts = Readonly<Record<string, string>>
type Expected = ScalerCase['expected']

const login = { authToken: 'me:of-the-server' }
const from = 'from(bucket: "shop") |> range(start: 2023-01-01T00:00:00Z)'
const flux = (name: string, query: string, expected: Expected, auth: Texts = login): ScalerCase => ({
  ...{ name, type: 'influxdb', metric: 's0-influxdb-shop', expected, auth },
  metadata: address => ({ serverURL: `http://${address}`, organizationName: 'shop', query, thresholdValue: '5' }),
})
const field = (of: string) => `${from} |> filter(fn: (r) => r._field == "${of}")`
const mapped = (to: string) => `${field('jobs')} |> map(fn: (r) => ({_value: ${to}}))`

/** The server has one point: a length of 7.5, 3 jobs, a name. */
const influxdb: readonly ScalerCase[] = [
  flux('a number', field('length'), 7.5),
  flux('a whole number', field('jobs'), 3),
  flux('how many', `${from} |> count()`, 1),
  flux('a text', field('name'), /type string could not be converted/),
  flux('an unsigned number', mapped('uint(v: r._value)'), /type unsignedLong could not be converted/),
  flux('NaN', mapped('float(v: "NaN")'), /text of 3 characters, not a number/),
  flux('no column of values', `${field('jobs')} |> map(fn: (r) => ({other: 1}))`, /no column _value/),
  flux('nothing', field('none'), /no results found/),
  flux('what is no query', 'from(bucket:', /status 500/),
  flux('a wrong login', field('jobs'), /status 401/, { authToken: 'me:wrong' }),
  flux('no login', field('jobs'), /status 401/, {}),
]

const target = (name: string, query: string, expected: Expected, queryTime = '-10minutes'): ScalerCase => ({
  ...{ name, type: 'graphite', metric: 's0-graphite', expected },
  metadata: address => ({ serverAddress: `http://${address}`, query, queryTime }),
})

/** The server has points of the last minutes in `shop.queue` (5, then 7.5) and in `shop.other`, none in `shop.empty`. */
const graphite: readonly ScalerCase[] = [
  target('the newest number', 'shop.queue', 7.5),
  target('a function', 'scale(sumSeries(shop.queue),2)', 15),
  target('no series', 'shop.nothing', 0),
  target('a series without a number', 'shop.empty', /no point of the series has a value/),
  target('several series', 'shop.{queue,other}', /several series/),
  target('an unknown function', 'nonsense(shop.queue)', /status (400|500)|no JSON/),
  target('what is no time', 'shop.queue', /status 400|no JSON/, 'yesteryear'),
]

const signing = { awsAccessKeyID: 'AKID', awsSecretAccessKey: 'of-the-server' }
const queue = (name: string, expected: Expected, more: Texts = {}): ScalerCase => ({
  ...{ name, type: 'aws-sqs-queue', metric: `s0-aws-sqs-${more['queueURL'] ?? 'orders'}`, expected, auth: signing },
  metadata: address => ({
    ...{ awsEndpoint: `http://${address}`, awsRegion: 'eu-west-1' },
    ...{ queueURL: 'http://sqs.eu-west-1.amazonaws.com/123456789012/orders' },
    ...more,
  }),
})

/** The server has five messages in `orders`, two of which are taken, and one that is delayed. */
const sqs: readonly ScalerCase[] = [
  queue('messages, taken ones too', 5),
  queue('messages that nobody took', 3, { scaleOnInFlight: 'false' }),
  queue('delayed messages too', 6, { scaleOnDelayed: 'true' }),
  queue('a queue that is not there', /status 400: \w*NonExistentQueue|status 400: QueueDoesNotExist/, { queueURL: 'none' }),
]

/** By the names of their recordings. */
export const httpCases = { influxdb, graphite, sqs }

const metric = (name: string, expected: Expected, more: Texts = {}): ScalerCase => ({
  ...{ name, type: 'aws-cloudwatch', metric: 's0-aws-cloudwatch', expected, auth: signing },
  metadata: address => ({
    ...{ awsEndpoint: `http://${address}`, awsRegion: 'eu-west-1', namespace: 'shop', metricName: 'depth' },
    ...{ dimensionName: 'queue', dimensionValue: 'orders', metricStat: 'Maximum', metricStatPeriod: '60' },
    ...{ metricCollectionTime: '7200', targetMetricValue: '5', minMetricValue: '1' },
    ...more,
  }),
})

/** What is asked says the time, so that it is not replayed. The server has points of 2.5 and 7.5 within the last hour. */
export const cloudWatchCases: readonly ScalerCase[] = [
  metric('the newest value', 7.5),
  metric('no value', 1, { metricName: 'other' }),
  metric('no value, which is an error', /empty metric data received/, { metricName: 'other', ignoreNullValues: 'false' }),
]
