// AWS: how questions are signed, what SQS and CloudWatch are asked, and what their answers come to.
import type { RequestListener } from 'node:http'
import type { LookupFunction } from 'node:net'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { describeSources, opened, readOf, signal, type Texts } from '../testdata/hostile-sources.ts'
import { scalerWorld } from '../testdata/scaler-world.ts'
import { saying, sourceServer } from '../testdata/source-server.ts'
import { awsSigned } from './aws-api.ts'

const auth = { awsAccessKeyID: 'AKID', awsSecretAccessKey: 's3cret' }
const nowMs = 1_700_000_000_000

const attributes = (visible: unknown, hidden: unknown = '0', delayed: unknown = '0') =>
  saying(
    JSON.stringify({
      Attributes: {
        ApproximateNumberOfMessages: visible,
        ApproximateNumberOfMessagesNotVisible: hidden,
        ApproximateNumberOfMessagesDelayed: delayed,
      },
    }),
  )
const coded = (code: string, values: readonly number[]) => {
  const inner = `<StatusCode>${code}</StatusCode><Values>${values.map(value => `<member>${value}</member>`).join('')}</Values>`
  const result = `<GetMetricDataResult><MetricDataResults><member>${inner}</member></MetricDataResults></GetMetricDataResult>`
  return saying(`<GetMetricDataResponse>${result}</GetMetricDataResponse>`, 'text/xml')
}
const results = (...values: readonly (readonly unknown[])[]) => {
  const members = values.map(
    one => `<member><Id>c1</Id><Values>${one.map(value => `<member>${value}</member>`).join('')}</Values></member>`,
  )
  const inner = `<GetMetricDataResult><MetricDataResults>${members.join('')}</MetricDataResults></GetMetricDataResult>`
  return saying(`<?xml version="1.0"?><GetMetricDataResponse xmlns="x">${inner}</GetMetricDataResponse>`, 'text/xml')
}

const sqs = (url: string, more: Texts = {}): Texts => ({
  ...{ awsEndpoint: url, awsRegion: 'eu-west-1', queueURL: 'https://sqs.eu-west-1.amazonaws.com/123/orders' },
  ...more,
})
const watch = (url: string, more: Texts = {}): Texts => ({
  ...{ awsEndpoint: url, awsRegion: 'eu-west-1', namespace: 'AWS/SQS', metricName: 'Depth', minMetricValue: '1' },
  ...{ dimensionName: 'Queue;Zone', dimensionValue: 'orders;a b', targetMetricValue: '5' },
  ...more,
})

describeSources([
  {
    ...{ type: 'aws-sqs-queue', metadata: sqs, auth, hasOwnAuth: true },
    answer: attributes('3', '4'),
    word: attributes('many'),
  },
  {
    ...{ type: 'aws-cloudwatch', metadata: watch, auth, hasOwnAuth: true },
    answer: results([7, 1]),
    word: results(['many']),
  },
])

describe('a signature', () => {
  test("is that of AWS's own example", () => {
    const question = { url: new URL('https://example.amazonaws.com/'), method: 'GET', headers: {}, body: '' } as const
    const place = { region: 'us-east-1', service: 'service', nowMs: Date.parse('2015-08-30T12:36:00Z') }
    const login = { keyId: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', sessionToken: undefined }
    expect(awsSigned({ ...question, ...place }, login)['authorization']).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    )
  })

  test('is that of botocore, with a body, headers and a token of a session', () => {
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.GetQueueAttributes' }
    const url = new URL('https://sqs.eu-west-1.amazonaws.com/')
    const question = { url, method: 'POST', headers, body: '{"a":1}', region: 'eu-west-1', service: 'sqs', nowMs } as const
    expect(awsSigned(question, { keyId: 'AKID', secret: 's3cret', sessionToken: 't0ken' })).toEqual({
      ...headers,
      'x-amz-date': '20231114T221320Z',
      'x-amz-security-token': 't0ken',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKID/20231114/eu-west-1/sqs/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=3dbc550d12e03c89bf1642eb19a36a95e79b9ef543ee153f8da5940b21965875',
    })
  })
})

const types = [
  ['aws-sqs-queue', sqs, attributes('7'), 'sqs'],
  ['aws-cloudwatch', watch, results([7]), 'monitoring'],
] as const

describe.each(types)('%s', (type, metadata, answer, service) => {
  test.each<[Texts, Texts, Texts, Texts]>([
    [{}, auth, {}, { authorization: 'AKID' }],
    [{}, { ...auth, awsSessionToken: 't0ken' }, {}, { 'x-amz-security-token': 't0ken' }],
    [{}, { awsAccessKeyId: 'AKID2', awsSecretAccessKey: 'b' }, {}, { authorization: 'AKID2' }],
    [{ awsAccessKeyID: 'AKID3', awsSecretAccessKeyFromEnv: 'S' }, {}, { S: 'b' }, { authorization: 'AKID3' }],
    [{ awsAccessKeyIDFromEnv: 'K', awsSecretAccessKeyFromEnv: 'S' }, {}, { K: 'AKID4', S: 'b' }, { authorization: 'AKID4' }],
  ])('signs, with %o, %o and %o', async (more, login, env, expected) => {
    await using source = await sourceServer(answer)
    expect(await readOf(type, metadata(source.url, more), { auth: login, env })).toEqual([7, true])
    for (const [name, value] of Object.entries(expected)) expect(source.asked[0]?.headers[name]).toContain(value)
    expect(source.asked[0]?.headers.authorization).toMatch(new RegExp(`/eu-west-1/${service}/aws4_request`))
  })

  test.each<[Texts, Texts, RegExp]>([
    [{}, {}, /awsAccessKeyID not found/],
    [{}, { awsAccessKeyID: 'AKID' }, /awsSecretAccessKey not found/],
    [{ awsSecretAccessKey: 's3cret' }, { awsAccessKeyID: 'AKID' }, /awsSecretAccessKey not found/],
    [{}, { ...auth, awsRoleArn: 'arn:aws:iam::1:role/a' }, /awsRoleArn is not in Ballast yet/],
    [{ identityOwner: 'operator' }, auth, /identityOwner "operator" is not in Ballast yet/],
    [{ awsRegion: '' }, auth, /missing required parameter "awsRegion"/],
    [{ awsEndpoint: '', awsRegion: 'evil.test/' }, auth, /expected a region/],
    [{ awsEndpoint: 'ftp://a' }, auth, /expected http/],
  ])('%o with %o is refused', async (more, login, message) => {
    const read = await readOf(type, metadata('http://a', more), { auth: login })
    expect(read).toMatch(message)
    expect(read).not.toContain('s3cret')
  })

  test.each([
    ['eu-west-1', 'eu-west-1.amazonaws.com'],
    ['cn-north-1', 'cn-north-1.amazonaws.com.cn'],
  ])('without an endpoint that of %s is asked', async (awsRegion, host) => {
    const lookup: LookupFunction = (_host, _options, done) => done(new Error('away'), [])
    const read = await readOf(type, metadata('', { awsEndpoint: '', awsRegion }), { auth }, { lookup })
    expect(read).toBe(`POST https://${service}.${host}/: away`)
  })

  test.each<[string, RequestListener, string]>([
    ['JSON', saying('{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"123456"}', 'a/b', 400), '400: QueueDoesNotExist'],
    [
      'XML',
      saying('<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>', 'text/xml', 403),
      '403: AccessDenied',
    ],
  ])('an error in %s is told by its code', async (_name, refusal, words) => {
    await using source = await sourceServer(refusal)
    expect(await readOf(type, metadata(source.url), { auth })).toMatch(new RegExp(`answered with status ${words}$`))
  })
})

describe('aws-sqs-queue', () => {
  const all = ['', 'NotVisible', 'Delayed'].map(more => `ApproximateNumberOfMessages${more}`)

  test.each<[Texts, readonly string[], number]>([
    [{}, all.slice(0, 2), 3],
    [{ scaleOnInFlight: 'false' }, all.slice(0, 1), 1],
    [{ scaleOnDelayed: 'true' }, all, 7],
    [{ scaleOnInFlight: 'false', scaleOnDelayed: 'true' }, [all[0] ?? '', all[2] ?? ''], 5],
  ])('%o asks for %o', async (more, names, value) => {
    await using source = await sourceServer(attributes('1', '2', '4'))
    expect(await readOf('aws-sqs-queue', sqs(source.url, more), { auth })).toEqual([value, true])
    expect(source.asked[0]?.headers['x-amz-target']).toBe('AmazonSQS.GetQueueAttributes')
    expect(JSON.parse(source.asked[0]?.body ?? '')).toEqual({ QueueUrl: sqs('')['queueURL'], AttributeNames: names })
  })

  test.each<[Texts, string]>([
    [{}, 's3-aws-sqs-orders'],
    [{ queueURL: 'my.Queue' }, 's3-aws-sqs-my-Queue'],
  ])('%o: the name of its metric', async (more, name) => {
    await using world = scalerWorld()
    await using scaler = await opened('aws-sqs-queue', sqs('http://a', more), { auth, index: 3 }, world)
    expect(await scaler.metrics(signal)).toMatchObject([{ external: { metric: { name }, target: { averageValue: '5' } } }])
  })

  test.each<[Texts, RegExp]>([
    [{ queueURL: '' }, /missing required parameter "queueURL"/],
    [{ queueURL: 'https://sqs.eu-west-1.amazonaws.com/orders' }, /cannot get queueName from queueURL/],
    [{ queueURL: 'https://sqs.eu-west-1.amazonaws.com/123/' }, /cannot get queueName from queueURL/],
    [{ queueLength: 'a' }, /queueLength/],
    [{ activationQueueLength: 'a' }, /activationQueueLength/],
    [{ scaleOnInFlight: 'a' }, /scaleOnInFlight/],
  ])('%o is refused', async (more, message) => {
    expect(await readOf('aws-sqs-queue', sqs('http://a', more), { auth })).toMatch(message)
  })
})

describe('aws-cloudwatch', () => {
  const asked = async (more: Texts) => {
    await using source = await sourceServer(results([7]))
    const clock = new VirtualClock(nowMs)
    expect(await readOf('aws-cloudwatch', watch(source.url, more), { auth }, { clock })).toEqual([7, true])
    return Object.fromEntries(new URLSearchParams(source.asked[0]?.body))
  }
  const query = 'MetricDataQueries.member.1'
  const fixed = { Action: 'GetMetricData', Version: '2010-08-01', ScanBy: 'TimestampDescending' }

  test('a metric', async () => {
    expect(await asked({ metricUnit: 'Count/Second', awsAccountId: '123' })).toEqual({
      ...fixed,
      ...{ StartTime: '2023-11-14T22:05:00Z', EndTime: '2023-11-14T22:10:00Z' },
      ...{ [`${query}.Id`]: 'c1', [`${query}.ReturnData`]: 'true', [`${query}.AccountId`]: '123' },
      ...{ [`${query}.MetricStat.Metric.Namespace`]: 'AWS/SQS', [`${query}.MetricStat.Metric.MetricName`]: 'Depth' },
      [`${query}.MetricStat.Metric.Dimensions.member.1.Name`]: 'Queue',
      [`${query}.MetricStat.Metric.Dimensions.member.1.Value`]: 'orders',
      [`${query}.MetricStat.Metric.Dimensions.member.2.Name`]: 'Zone',
      [`${query}.MetricStat.Metric.Dimensions.member.2.Value`]: 'a b',
      ...{ [`${query}.MetricStat.Period`]: '300', [`${query}.MetricStat.Stat`]: 'Average' },
      [`${query}.MetricStat.Unit`]: 'Count/Second',
    })
  })

  test('an expression', async () => {
    const window = { metricStatPeriod: '60', metricCollectionTime: '120', metricEndTimeOffset: '30' }
    expect(await asked({ expression: 'SELECT MAX("a")', namespace: '', ...window })).toEqual({
      ...fixed,
      ...{ StartTime: '2023-11-14T22:10:00Z', EndTime: '2023-11-14T22:12:00Z' },
      ...{ [`${query}.Id`]: 'q1', [`${query}.Expression`]: 'SELECT MAX("a")', [`${query}.Period`]: '60' },
    })
  })

  test.each<[string, RequestListener, unknown, unknown]>([
    ['the newest value', results([2.5, 9]), [2.5, true], [2.5, true]],
    ['no value', results([]), [1, true], /empty metric data received/],
    ['no result', results(), [1, true], [1, true]],
    ['an error of the service', coded('InternalError', []), /InternalError/, /InternalError/],
    ['a part of the values', coded('PartialData', [2.5]), [2.5, true], [2.5, true]],
    ['more than there may be', saying(`<a>${'b'.repeat(65_536)}</a>`), /more than 65536 characters/, /more than/],
    ['NaN', results(['NaN']), /not a number/, /not a number/],
  ])('%s, by ignoreNullValues', async (_name, answer, ...expected) => {
    await using source = await sourceServer(answer)
    for (const [index, ignoreNullValues] of ['true', 'false'].entries()) {
      const read = await readOf('aws-cloudwatch', watch(source.url, { ignoreNullValues }), { auth })
      const wanted = expected[index]
      if (wanted instanceof RegExp) expect(read).toMatch(wanted)
      else expect(read).toEqual(wanted)
    }
  })

  test.each<[Texts, RegExp]>([
    [{ namespace: '' }, /namespace not given/],
    [{ metricName: '' }, /metric name not given/],
    [{ dimensionName: '' }, /dimension name not given/],
    [{ dimensionValue: '' }, /dimension value not given/],
    [{ dimensionValue: 'orders' }, /not matching in size/],
    [{ targetMetricValue: '' }, /missing required parameter "targetMetricValue"/],
    [{ minMetricValue: '' }, /missing required parameter "minMetricValue"/],
    [{ targetMetricValue: 'aa' }, /targetMetricValue/],
    [{ activationTargetMetricValue: 'aa' }, /activationTargetMetricValue/],
    [{ metricUnit: 'Hour' }, /metricUnit 'Hour' is not one of/],
    [{ metricStatPeriod: '0' }, /can not be smaller than 1/],
    [{ metricStatPeriod: '25' }, /has to be one of/],
    [{ metricStatPeriod: '100' }, /multiple of 60/],
    [{ metricCollectionTime: '100' }, /multiple of metricStatPeriod\(300\)/],
    [{ metricCollectionTime: '-300' }, /must be greater than 0/],
    [{ metricEndTimeOffset: 'a' }, /metricEndTimeOffset/],
  ])('%o is refused', async (more, message) => {
    expect(await readOf('aws-cloudwatch', watch('http://a', more), { auth })).toMatch(message)
  })
})
