// What scalers read from real brokers (test/real/scalers/broker-servers.ts), and from what those answered when it was recorded.
import type { ScalerCase } from './scaler-cases.ts'

const amqp = (
  name: string,
  queueName: string,
  expected: number | RegExp,
  more: { readonly login?: string; readonly vhost?: string } = {},
): ScalerCase => ({
  ...{ name, type: 'rabbitmq', metric: `s0-rabbitmq-${queueName}`, expected },
  metadata: address => ({
    ...{ queueName, mode: 'QueueLength', value: '5' },
    host: `amqp://${more.login ?? 'worker:of-the-server'}@${address}/${more.vhost ?? ''}`,
  }),
})

export const amqpCases: readonly ScalerCase[] = [
  amqp('a queue', 'jobs', 5),
  amqp('an empty queue', 'none', 0),
  amqp('the vhost by its name', 'jobs', 5, { vhost: '%2F' }),
  amqp('no such queue', 'other', /^RabbitMQ: 404 NOT_FOUND$/),
  amqp('no such vhost', 'jobs', /^RabbitMQ: 530 NOT_ALLOWED$/, { vhost: 'other' }),
  amqp('a wrong password', 'jobs', /^RabbitMQ: 403 ACCESS_REFUSED$/, { login: 'worker:hunter2' }),
]

/** The same server by its management API, whose numbers come some seconds later. */
export const managementCases: readonly ScalerCase[] = amqpCases.slice(0, 2).map(one => ({
  ...one,
  metadata: address => ({ ...one.metadata(address), host: `http://worker:of-the-server@${address}/` }),
}))

const tube = (name: string, tubeName: string, expected: number, more: Readonly<Record<string, string>> = {}): ScalerCase => ({
  ...{ name, type: 'beanstalkd', metric: `s0-beanstalkd-${tubeName}`, expected },
  metadata: address => ({ server: address, tube: tubeName, value: '5', ...more }),
})

export const beanstalkdCases: readonly ScalerCase[] = [
  tube('jobs that wait', 'mail', 4),
  tube('and those whose time has not come', 'mail', 6, { includeDelayed: 'true' }),
  tube('no such tube', 'none', 0),
]

const lag = (
  name: string,
  more: Readonly<Record<string, string>>,
  expected: number | RegExp,
  auth: Readonly<Record<string, string>> = {},
): ScalerCase => ({
  ...{ name, type: 'kafka', metric: `s0-kafka-${more['topic'] ?? 'jobs'}`, expected, auth },
  metadata: address => ({ bootstrapServers: address, consumerGroup: 'workers', topic: 'jobs', ...more }),
})

/** Six messages lie in the first of four partitions; the group has committed the beginning of all but the last. */
export const kafkaCases: readonly ScalerCase[] = [
  lag('a group', {}, 7),
  lag('not more than partitions', { lagThreshold: '1' }, 4),
  lag('more than partitions', { lagThreshold: '1', allowIdleConsumers: 'true' }, 7),
  lag('not more than partitions with lag', { lagThreshold: '1', limitToPartitionsWithLag: 'true' }, 2),
  lag('equally many partitions', { lagThreshold: '3', ensureEvenDistributionOfPartitions: 'true' }, 12),
  lag('one partition', { partitionLimitation: '0' }, 6),
  lag('partitions that are not there', { partitionLimitation: '7-9' }, /at least one active partition/),
  lag('nothing committed', { partitionLimitation: '3' }, 1),
  lag('nothing committed, to zero', { partitionLimitation: '3', scaleToZeroOnInvalidOffset: 'true' }, 0),
  lag('another group, from the beginning', { consumerGroup: 'others', offsetResetPolicy: 'earliest' }, 6),
  lag('another group, from the end', { consumerGroup: 'others' }, 4),
  lag('no such topic', { topic: 'none' }, /error 3 UNKNOWN_TOPIC_OR_PARTITION/),
  { ...lag('all topics of the group', { topic: '' }, 7), metric: 's0-kafka-workers-topics' },
  { ...lag('several topics', {}, 7), type: 'apache-kafka' },
]

/** At the listener that wants a login. */
export const kafkaLoginCases: readonly ScalerCase[] = ['plaintext', 'scram_sha256', 'scram_sha512'].flatMap(sasl => [
  lag(sasl, { sasl }, 7, { username: 'worker', password: 'of-the-server' }),
  lag(`${sasl}, a wrong password`, { sasl }, /58 SASL_AUTHENTICATION_FAILED/, { username: 'worker', password: 'hunter2' }),
])
