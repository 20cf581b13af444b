// What scalers read from real servers (test/real/scalers), and from what those answered when it was recorded.

export interface ScalerCase {
  readonly name: string
  readonly type: string
  /** `address` is host:port. */
  readonly metadata: (address: string) => Readonly<Record<string, string>>
  readonly auth?: Readonly<Record<string, string>> | ((address: string) => Readonly<Record<string, string>>)
  /** As upstream's own tests name it for such a trigger. */
  readonly metric: string
  /** A value, or what its error says. */
  readonly expected: number | RegExp
}

const redis = (name: string, listName: string, expected: number | RegExp, more: Partial<ScalerCase> = {}): ScalerCase => ({
  ...{ name, type: 'redis', metric: `s0-redis-${listName}`, expected },
  metadata: address => ({ address, listName }),
  ...more,
})
const stream = (name: string, metadata: Readonly<Record<string, string>>, expected: number | RegExp): ScalerCase => ({
  ...{ name, type: 'redis-streams', metric: `s0-redis-streams-${metadata['stream']}`, expected },
  metadata: address => ({ address, ...metadata }),
})

const login = { password: 'of-the-server' }

/** The server holds what `test/real/scalers/servers.ts` writes. */
export const redisCases: readonly ScalerCase[] = [
  redis('a list', 'list', 7, { auth: login }),
  redis('a set', 'set', 2, { auth: login }),
  redis('a sorted set', 'zset', 3, { auth: login }),
  redis('a hash', 'hash', 1, { auth: login }),
  redis('nothing', 'nothing', 0, { auth: login }),
  redis('a text', 'text', /unsupported key type: string/, { auth: login }),
  redis('without a login', 'list', /NOAUTH/),
  redis('with a wrong one', 'list', /WRONGPASS/, { auth: { password: 'wrong' } }),
  { ...stream('a stream', { stream: 'jobs' }, 5), auth: login },
  { ...stream('what was taken and not done', { stream: 'jobs', consumerGroup: 'g' }, 2), auth: login },
  { ...stream('what was not taken', { stream: 'jobs', consumerGroup: 'g', lagCount: '5' }, 3), auth: login },
  { ...stream('a group that is not there yet', { stream: 'jobs', consumerGroup: 'other', lagCount: '5' }, 5), auth: login },
  { ...stream('a stream that is not there yet', { stream: 'none', consumerGroup: 'g', lagCount: '5' }, 0), auth: login },
  { ...stream('a group of a stream that is not there', { stream: 'none', consumerGroup: 'g' }, /NOGROUP/), auth: login },
]

const query = (
  name: string,
  expression: string,
  expected: number | RegExp,
  more: Readonly<Record<string, string>> = {},
): ScalerCase => ({
  ...{ name, type: 'prometheus', metric: 's0-prometheus', expected },
  metadata: address => ({ serverAddress: `http://${address}`, query: expression, threshold: '5', ...more }),
})

/** The server has three series of `share`: 1, 2.5 and NaN. */
export const prometheusCases: readonly ScalerCase[] = [
  query('a sum', 'sum(share{of!="none"})', 3.5),
  query('one series', 'share{of="two"}', 2.5),
  query('a scalar', 'scalar(share{of="two"}) * 2', 5),
  query('a text', '"many"', /text of 4 characters, not a number/),
  query('nothing', 'absent_metric', 0),
  query('nothing, which is an error', 'absent_metric', /result is empty/, { ignoreNullValues: 'false' }),
  query('no number', 'share{of="none"}', 0),
  query('no number, which is an error', 'share{of="none"}', /NaN/, { ignoreNullValues: 'false' }),
  query('infinity', 'sum(share{of="two"}) / 0', 0),
  query('several series', 'share', /more than one/),
  query('a range', 'share[1m]', /value list is empty|more than one/, { ignoreNullValues: 'false' }),
  query('what is no query', 'sum(', /status 400/),
  {
    ...{ name: "the server's own metrics", type: 'metrics-api', metric: 's0-metric-api-prometheus_ready', expected: 1 },
    metadata: address => ({
      url: `http://${address}/metrics`,
      format: 'prometheus',
      valueLocation: 'prometheus_ready',
      targetValue: '5',
    }),
  },
  {
    ...{ name: 'a path of gjson', type: 'metrics-api', metric: 's0-metric-api-data-activeTargets-#', expected: 1 },
    metadata: address => ({ url: `http://${address}/api/v1/targets`, valueLocation: 'data.activeTargets.#', targetValue: '5' }),
  },
]

const jetStream = (name: string, expected: number | RegExp, more: Readonly<Record<string, string>> = {}): ScalerCase => ({
  ...{ name, type: 'nats-jetstream', metric: `s0-nats-jetstream-${more['stream'] ?? 'JOBS'}`, expected },
  metadata: address => ({ natsServerMonitoringEndpoint: address, account: '$G', stream: 'JOBS', consumer: 'worker', ...more }),
})

/** The server has a stream of five messages, two of which a consumer took. */
export const natsCases: readonly ScalerCase[] = [
  jetStream('a consumer', 5),
  jetStream('another consumer', /consumer "none" not found/, { consumer: 'none' }),
  jetStream('another stream', /not found in stream "NONE"/, { stream: 'NONE' }),
  jetStream('another account', /not found/, { account: 'none' }),
]
