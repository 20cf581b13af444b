// RabbitMQ by AMQP, beanstalkd: what triggers may say, as upstream's own tables have it.
import { describe, expect, test } from 'vitest'
import { amqpPlace } from './rabbitmq-amqp.ts'
import { scalerKind } from './registry.ts'
import { openedTrigger, scalerWorld } from './testdata/scaler-world.ts'

type Texts = Readonly<Record<string, string>>
const { signal } = new AbortController()

async function metricOf(type: string, metadata: Texts, more: Parameters<typeof openedTrigger>[2] = {}) {
  await using world = scalerWorld()
  try {
    const kind = await scalerKind(type)
    if (kind === undefined) throw new Error(`no scaler ${type}`)
    await using scaler = await kind.open(openedTrigger(type, metadata, more), world)
    const [metric] = await scaler.metrics(signal)
    const external = metric?.type === 'External' ? metric.external : undefined
    return [external?.metric.name, external?.target.type === 'AverageValue' ? external.target.averageValue : undefined]
  } catch (error) {
    return (error as Error).message
  }
}

async function expectMetric(found: unknown, expected: unknown): Promise<void> {
  if (expected instanceof RegExp) expect(found).toMatch(expected)
  else expect(found).toEqual(expected)
}

describe('rabbitmq by AMQP', () => {
  const given = { vhostName: undefined, username: undefined, password: undefined, tls: undefined }
  const certificate = { certificate: 'c', key: 'k' }
  test.each<[string, object, object]>([
    [
      'amqp://',
      {},
      { host: 'localhost', port: 5672, vhost: '/', login: { username: 'guest', password: 'guest' }, tls: undefined },
    ],
    ['amqps://', {}, { port: 5671, tls: {} }],
    ['amqp://user:sercet@somehost.com:5236/vhost', {}, { host: 'somehost.com', port: 5236, vhost: 'vhost' }],
    ['amqp://me:p%40%20s@[fd00::1]/%2Fa', {}, { host: 'fd00::1', vhost: '/a', login: { username: 'me', password: 'p@ s' } }],
    [
      'amqp://me:a@h/v',
      { vhostName: 'o/v', username: 'you', password: 'b' },
      { vhost: 'o/v', login: { username: 'you', password: 'b' } },
    ],
    ['amqps://user:pass@rabbit:5671/', { tls: certificate }, { login: { username: 'user', password: 'pass' } }],
    ['amqps://CN=username@rabbit:5671/', { tls: certificate }, { login: undefined }],
    ['amqps://rabbit.namespace.svc:5671/', { tls: certificate }, { login: undefined, tls: certificate }],
    ['amqp://h?auth_mechanism=external&heartbeat=3', {}, { login: undefined }],
  ])('%s with %o', (host, more, expected) => {
    expect(amqpPlace({ ...given, host, ...more }, 'n')).toMatchObject(expected)
  })

  test.each<[string, RegExp]>([
    ['http://me:hunter2@h', /AMQP scheme must be either/],
    ['amqp://me:hunter 2@h', /expected one such as/],
    ['amqp://me:hunter2%zz@h', /hexadecimal/],
    ['amqps://me:hunter2@h?cacertfile=/etc/passwd', /cacertfile is not taken/],
    ['amqp://me:hunter2@h?auth_mechanism=magic', /plain or external/],
    [`amqp://me:hunter2@h/${'v'.repeat(256)}`, /longer than 255/],
  ])('%s is refused', (host, message) => {
    expect(() => amqpPlace({ ...given, host }, 'n')).toThrow(message)
    expect(() => amqpPlace({ ...given, host }, 'n')).not.toThrow('hunter')
  })

  const of = (more: Texts) => ({ queueName: 'sample', host: 'amqp://', ...more })
  test.each<[Texts, Texts, unknown]>([
    [of({ mode: 'QueueLength', value: '20', host: 'amqps://' }), {}, ['s0-rabbitmq-sample', '20']],
    [of({}), {}, ['s0-rabbitmq-sample', '20']],
    [of({ queueLength: '7' }), {}, ['s0-rabbitmq-sample', '7']],
    [of({ host: 'amqp://h', protocol: 'amqp' }), {}, ['s0-rabbitmq-sample', '20']],
    [of({ mode: 'MessageRate', value: '1000' }), {}, /must be HTTP to use trigger mode MessageRate/],
    [of({ mode: 'DeliverGetRate', value: '1000' }), {}, /must be HTTP to use trigger mode DeliverGetRate/],
    [of({ useRegex: 'true' }), {}, /useRegex=true only with HTTP/],
    [of({ excludeUnacknowledged: 'true' }), {}, /excludeUnacknowledged=true only with HTTP/],
    [of({ mode: 'QueueLength', value: '1000', timeout: '10' }), {}, /doesn't support custom timeouts/],
    [of({ queueName: 'q'.repeat(256) }), {}, /longer than 255/],
    [of({}), { oauthTokenURI: 'https://a', clientID: 'b', clientSecret: 'c' }, /only supported with HTTP/],
    [of({}), { tls: 'enable', cert: 'c' }, /both key and certificate/],
    [of({}), { username: 'a' }, /given together/],
  ])('%o with %o', async (metadata, auth, expected) => {
    await expectMetric(await metricOf('rabbitmq', metadata, { auth }), expected)
  })
})

describe('beanstalkd', () => {
  const of = (more: Texts) => ({ server: 'localhost:3000', tube: 'stats-tube', value: '1', ...more })
  test.each<[Texts, unknown]>([
    [{}, /missing required parameter "server"/],
    [of({ tube: 'delayed', includeDelayed: 'true' }), ['s0-beanstalkd-delayed', '1']],
    [of({ tube: 'no-delayed' }), ['s0-beanstalkd-no-delayed', '1']],
    [of({ tube: 'a/b' }), ['s0-beanstalkd-a-2Fb', '1']],
    [of({ server: '' }), /missing required parameter "server"/],
    [of({ tube: '' }), /missing required parameter "tube"/],
    [of({ value: '' }), /missing required parameter "value"/],
    [of({ value: 'lots' }), /value/],
    [of({ timeout: '1000' }), ['s0-beanstalkd-stats-tube', '1']],
    [of({ timeout: '-1' }), /cannot be negative/],
    [of({ activationValue: '10' }), ['s0-beanstalkd-stats-tube', '1']],
    [of({ activationValue: 'AA' }), /activationValue/],
    [of({ server: 'localhost' }), /expected host:port/],
    [of({ tube: 'a\r\ndelete 1' }), /expected up to 200/],
  ])('%o', async (metadata, expected) => {
    await expectMetric(await metricOf('beanstalkd', metadata), expected)
  })
})

test.each<[string, Texts, RegExp]>([
  ['beanstalkd', { server: '127.0.0.1:99999', tube: 't', value: '1' }, /^server: expected host:port/],
  ['etcd', { endpoints: '127.0.0.1:99999', watchKey: 'k', value: '1' }, /^endpoints .*: expected host:port/],
  ['solr', { host: 'http://a', collection: '..', targetQueryValue: '1' }, /^collection: expected a name/],
  ['solr', { host: 'http://a', collection: 'a/b', targetQueryValue: '1' }, /^collection: expected a name/],
  ['aws-sqs-queue', { queueURL: 'https://sqs/1/q%zz', awsRegion: 'eu-west-1' }, /^queueURL: a % that/],
  ['activemq', { restAPITemplate: 'http://a/x:brokerName=a%zz,destinationName=b/QueueSize' }, /^restAPITemplate: a % that/],
])('%s with %o is refused by the name of the parameter', async (type, metadata, message) => {
  expect(await metricOf(type, metadata, { auth: { username: 'a', password: 'b' } })).toMatch(message)
})
