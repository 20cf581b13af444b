// What the label `scaler` of KEDA's metrics says of a trigger without a name: its scaler's own name in KEDA, by the type of the trigger.

// Where it is not the type in camel case with the word Scaler.
const others: Readonly<Record<string, string>> = {
  activemq: 'activeMQScaler',
  beanstalkd: 'BeanstalkdScaler',
  cpu: 'cpuMemoryScaler',
  influxdb: 'influxDBScaler',
  memory: 'cpuMemoryScaler',
  'metrics-api': 'metricsAPIScaler',
  mysql: 'mySQLScaler',
  'nats-jetstream': 'natsJetStreamScaler',
  postgresql: 'postgreSQLScaler',
  rabbitmq: 'rabbitMQScaler',
  'redis-cluster': 'redisScaler',
  'redis-cluster-streams': 'redisStreamsScaler',
  'redis-sentinel': 'redisScaler',
  'redis-sentinel-streams': 'redisStreamsScaler',
}

/** The name that people gave the trigger, else its scaler's. */
export function scalerName({ name, type }: { readonly name?: string | undefined; readonly type: string }): string {
  if (name !== undefined && name !== '') return name
  return others[type] ?? `${type.replaceAll(/-(\w)/g, (_all, letter: string) => letter.toUpperCase())}Scaler`
}
