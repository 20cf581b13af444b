// How far a group of consumers of Kafka is behind.
import {
  boolean,
  defaulted,
  here,
  hereOrEnv,
  hereOrSecret,
  integer,
  integerRanges,
  listOf,
  NotInBallast,
  oneOf,
  optional,
  readParameters,
  required,
  secret,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { KeptConnection } from '../kept-connection.ts'
import { type OpenedTrigger, oneMetric, type Scaler, type ScalerKind, type ScalerWorld } from '../scaler.ts'
import { KafkaCluster, type KafkaPlaces } from './kafka-cluster.ts'
import { type LagRules, type PreviousOffsets, totalLag } from './kafka-lag.ts'

/** Partitions in one range of `partitionLimitation`. */
const longestRange = 100_000
/** Brokers that a trigger names: they are asked one after the other. */
const mostServers = 16

const shared = {
  bootstrapServers: required(listOf(text), hereOrEnv('host:port of brokers')),
  consumerGroup: required(text, hereOrEnv('the group')),
  partitionLimitation: optional(integerRanges(longestRange), here('partitions that count, such as 1,3,5-8')),
  lagThreshold: defaulted(integer, '10', here('amount aimed at')),
  activationLagThreshold: defaulted(integer, '0', here('active above it')),
  offsetResetPolicy: defaulted(oneOf('latest', 'earliest'), 'latest', here('where consumers begin that committed nothing')),
  allowIdleConsumers: defaulted(boolean, 'false', here('there may be more replicas than partitions')),
  excludePersistentLag: defaulted(boolean, 'false', here('partitions whose consumer stands still do not count')),
  scaleToZeroOnInvalidOffset: defaulted(boolean, 'false', here('partitions without a committed offset do not count')),
  limitToPartitionsWithLag: defaulted(boolean, 'false', here('there are not more replicas than partitions with lag')),
  ensureEvenDistributionOfPartitions: defaulted(boolean, 'false', here('replicas have equally many partitions each')),
  tls: defaulted(oneOf('enable', 'disable'), 'disable', hereOrSecret('brokers speak TLS')),
  ca: optional(text, secret('whom we trust, PEM')),
  cert: optional(text, secret('PEM')),
  key: optional(text, secret('PEM')),
  keyPassword: optional(text, secret('of the key')),
  username: optional(text, secret('of SASL')),
  password: optional(text, secret('of SASL')),
}

const kafkaParameters = {
  ...shared,
  topic: optional(text, hereOrEnv('without it all topics that the group has committed')),
  version: optional(text, here('of the brokers; they say it themselves')),
  fullMetadata: defaulted(boolean, 'true', here('changes nothing here: only what is needed is asked for')),
  unsafeSsl: defaulted(boolean, 'false', here('certificates are not checked')),
  sasl: defaulted(
    oneOf('none', 'plaintext', 'scram_sha256', 'scram_sha512', 'oauthbearer', 'gssapi'),
    'none',
    hereOrSecret('how to log in; oauthbearer and gssapi are not in Ballast yet'),
  ),
}

const apacheParameters = {
  ...shared,
  topic: optional(listOf(text), hereOrEnv('the topics')),
  sasl: defaulted(
    oneOf('none', 'plaintext', 'scram_sha256', 'scram_sha512', 'gssapi', 'aws_msk_iam'),
    'none',
    hereOrSecret('how to log in; gssapi and aws_msk_iam are not in Ballast yet'),
  ),
}

type Shared = ReturnType<typeof readParameters<typeof shared>>

export const kafka: ScalerKind = {
  types: ['kafka'],
  about: 'how far a group of consumers of Kafka is behind',
  parameters: kafkaParameters,
  async open(trigger, world) {
    const given = readParameters(kafkaParameters, trigger.given, 'kafka')
    const { topic, version, fullMetadata, sasl, unsafeSsl } = given
    if (version !== undefined && !/^(0\.\d+\.\d+\.\d+|[1-9]\d*\.\d+\.\d+)$/.test(version))
      throw new TriggerProblem('error parsing kafka version: expected one such as 1.0.0')
    if (!fullMetadata && topic === undefined) throw new TriggerProblem('topic must be specified when fullMetadata is false')
    const topics = topic === undefined ? [] : [topic]
    return opened(trigger, world, { ...given, topics, sasl, unsafeSsl })
  },
}

export const apacheKafka: ScalerKind = {
  types: ['apache-kafka'],
  about: 'how far a group of consumers of Kafka is behind, over several topics',
  parameters: apacheParameters,
  async open(trigger, world) {
    const given = readParameters(apacheParameters, trigger.given, 'apache-kafka')
    if (given.topic === undefined)
      throw new NotInBallast(
        'apache-kafka without a topic is not in Ballast: name the topics, or use kafka, which takes those of the group',
      )
    return opened(trigger, world, { ...given, topics: [...new Set(given.topic)], sasl: given.sasl, unsafeSsl: false })
  },
}

type Given = Shared & { readonly topics: readonly string[]; readonly sasl: string; readonly unsafeSsl: boolean }

function opened(trigger: OpenedTrigger, { clock, outgoing }: ScalerWorld, given: Given): Scaler {
  checkRules(given)
  const { topics, consumerGroup: group, partitionLimitation, activationLagThreshold } = given
  const rules: LagRules = given
  const places: KafkaPlaces = { servers: serversOf(given.bootstrapServers), tls: tlsOf(given), login: loginOf(given) }
  const limited = topics.length === 0 || partitionLimitation === undefined ? undefined : new Set(partitionLimitation)
  const wanted = {
    ...{ group, topics, isWanted: (partition: number) => limited?.has(partition) ?? true },
    needsEarliest: given.offsetResetPolicy === 'earliest' && !given.scaleToZeroOnInvalidOffset,
  }
  const previous: PreviousOffsets = new Map()
  const kept = new KeptConnection({
    ...{ clock, outgoing, who: 'Kafka', connectMs: outgoing.timeoutMs * places.servers.length },
    open: signal => KafkaCluster.open(places, { clock, outgoing }, signal),
  })
  return oneMetric(trigger, {
    tail: topics.length > 0 ? `kafka-${trigger.type === 'kafka' ? topics[0] : topics.join(',')}` : `kafka-${group}-topics`,
    ...{ target: given.lagThreshold, activation: activationLagThreshold },
    async read(signal) {
      const offsets = await kept.ask(cluster => cluster.offsets(wanted), signal)
      const { lag, whole } = totalLag(offsets, rules, previous)
      return { value: lag, isActive: whole > activationLagThreshold }
    },
    close: async () => kept[Symbol.dispose](),
  })
}

function checkRules(given: Given): void {
  const { topics, allowIdleConsumers, limitToPartitionsWithLag, ensureEvenDistributionOfPartitions } = given
  const problem =
    given.lagThreshold <= 0
      ? '"lagThreshold" must be positive number'
      : given.activationLagThreshold < 0
        ? '"activationLagThreshold" must be a non-negative number'
        : allowIdleConsumers && limitToPartitionsWithLag
          ? 'allowIdleConsumers and limitToPartitionsWithLag cannot be set simultaneously'
          : topics.length === 0 && limitToPartitionsWithLag
            ? 'topic must be specified when using limitToPartitionsWithLag'
            : limitToPartitionsWithLag && ensureEvenDistributionOfPartitions
              ? 'limitToPartitionsWithLag and ensureEvenDistributionOfPartitions cannot be set simultaneously'
              : topics.length === 0 && ensureEvenDistributionOfPartitions
                ? 'topic must be specified when using ensureEvenDistributionOfPartitions'
                : undefined
  if (problem !== undefined) throw new TriggerProblem(problem)
}

function serversOf(servers: readonly string[]): KafkaPlaces['servers'] {
  if (servers.length > mostServers) throw new TriggerProblem(`bootstrapServers: at most ${mostServers} servers`)
  return servers.map(serverOf)
}

function serverOf(server: string): KafkaPlaces['servers'][number] {
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(server) ?? []
  const host = bracketed ?? plain
  if (host === '' || Number(port) < 1 || Number(port) > 65_535)
    throw new TriggerProblem('bootstrapServers: expected host:port,host:port')
  return { host, port: Number(port) }
}

function tlsOf({ tls, ca, cert, key, keyPassword, unsafeSsl }: Given): KafkaPlaces['tls'] {
  if (tls === 'disable') return undefined
  if (cert !== undefined && key === undefined) throw new TriggerProblem('key must be provided with cert')
  if (key !== undefined && cert === undefined) throw new TriggerProblem('cert must be provided with key')
  return { authority: ca, certificate: cert, key, passphrase: keyPassword, isInsecure: unsafeSsl }
}

function loginOf({ sasl, username, password }: Given): KafkaPlaces['login'] {
  if (sasl === 'none') return undefined
  const how = sasl === 'plaintext' ? 'plain' : sasl === 'scram_sha256' ? 'sha256' : sasl === 'scram_sha512' ? 'sha512' : undefined
  if (how === undefined)
    throw new NotInBallast(`sasl ${sasl} is not in Ballast yet: plaintext, scram_sha256 and scram_sha512 are`)
  if (username === undefined) throw new TriggerProblem('no username given')
  if (password === undefined) throw new TriggerProblem('no password given')
  return { how, username, password }
}
