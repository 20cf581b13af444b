// Every type of trigger that KEDA knows: those that are here, loaded when a trigger asks for one, and those that are not, by name.
import type { ScalerKind } from './scaler.ts'

type Load = () => Promise<ScalerKind>

const redisList: Load = async () => (await import('./redis/redis.ts')).redisList
const redisStream: Load = async () => (await import('./redis/redis.ts')).redisStream

const external: Load = async () => (await import('./external/external.ts')).external

const kinds: Readonly<Record<string, Load>> = {
  cron: async () => (await import('./calendar/cron.ts')).cron,
  'time-window': async () => (await import('./calendar/time-window.ts')).timeWindowTrigger,
  cpu: async () => (await import('./cpu-memory.ts')).cpuMemory,
  memory: async () => (await import('./cpu-memory.ts')).cpuMemory,
  prometheus: async () => (await import('./series/prometheus.ts')).prometheus,
  'metrics-api': async () => (await import('./metrics-api.ts')).metricsApi,
  'kubernetes-workload': async () => (await import('./kubernetes.ts')).kubernetesWorkload,
  'kubernetes-resource': async () => (await import('./kubernetes.ts')).kubernetesResource,
  rabbitmq: async () => (await import('./rabbitmq.ts')).rabbitmq,
  'nats-jetstream': async () => (await import('./nats-jetstream.ts')).natsJetStream,
  influxdb: async () => (await import('./series/influxdb.ts')).influxdb,
  graphite: async () => (await import('./series/graphite.ts')).graphite,
  loki: async () => (await import('./series/loki.ts')).loki,
  elasticsearch: async () => (await import('./search/elasticsearch.ts')).elasticsearch,
  opensearch: async () => (await import('./search/opensearch.ts')).opensearch,
  etcd: async () => (await import('./etcd.ts')).etcd,
  'aws-sqs-queue': async () => (await import('./aws/aws-sqs-queue.ts')).awsSqsQueue,
  'aws-cloudwatch': async () => (await import('./aws/aws-cloudwatch.ts')).awsCloudwatch,
  activemq: async () => (await import('./activemq.ts')).activemq,
  nsq: async () => (await import('./nsq.ts')).nsq,
  solr: async () => (await import('./search/solr.ts')).solr,
  'github-runner': async () => (await import('./runners/github-runner.ts')).githubRunner,
  'forgejo-runner': async () => (await import('./runners/forgejo-runner.ts')).forgejoRunner,
  mongodb: async () => (await import('./mongodb/mongodb.ts')).mongodb,
  temporal: async () => (await import('./temporal/temporal.ts')).temporal,
  external,
  'external-push': external,
  postgresql: async () => (await import('./sql/postgresql.ts')).postgresql,
  mysql: async () => (await import('./sql/mysql.ts')).mysql,
  mssql: async () => (await import('./sql/mssql.ts')).mssql,
  beanstalkd: async () => (await import('./beanstalkd.ts')).beanstalkd,
  kafka: async () => (await import('./kafka/kafka.ts')).kafka,
  'apache-kafka': async () => (await import('./kafka/kafka.ts')).apacheKafka,
  redis: redisList,
  'redis-cluster': redisList,
  'redis-sentinel': redisList,
  'redis-streams': redisStream,
  'redis-cluster-streams': redisStream,
  'redis-sentinel-streams': redisStream,
}

/** Types of KEDA 2.21 that have no scaler here; `external` takes one in that somebody else runs. */
const all =
  'activemq apache-kafka arangodb artemis-queue aws-cloudwatch aws-dynamodb aws-dynamodb-streams aws-kinesis-stream aws-sqs-queue azure-app-insights azure-blob azure-cosmosdb azure-data-explorer azure-eventhub azure-log-analytics azure-monitor azure-pipelines azure-queue azure-servicebus beanstalkd cassandra clickhouse couchdb cpu cron datadog dynatrace elastic-forecast elasticsearch etcd external external-push forgejo-runner gcp-cloudtasks gcp-pubsub gcp-spanner gcp-stackdriver gcp-storage github-runner graphite huawei-cloudeye ibmmq influxdb kafka kubernetes-resource kubernetes-workload liiklus loki memory metrics-api mongodb mssql mysql nats-jetstream new-relic nsq opensearch openstack-metric openstack-swift postgresql predictkube prometheus pulsar rabbitmq redis redis-cluster redis-cluster-streams redis-sentinel redis-sentinel-streams redis-streams selenium-grid solace-direct-messaging solace-event-queue solarwinds solr splunk splunk-observability sumologic temporal'

const known = new Set(all.split(' '))

/** `missing`: KEDA has it, we do not; `unknown`: nobody has. */
export function standingOf(type: string): 'here' | 'missing' | 'unknown' {
  if (Object.hasOwn(kinds, type)) return 'here'
  return known.has(type) ? 'missing' : 'unknown'
}

/** Ours alone: KEDA knows no such type. */
export const isOurs = (type: string): boolean => Object.hasOwn(kinds, type) && !known.has(type)

/** The scaler of a type; undefined where there is none here. */
export async function scalerKind(type: string): Promise<ScalerKind | undefined> {
  return Object.hasOwn(kinds, type) ? await kinds[type]?.() : undefined
}
