// The few questions to a cluster of Kafka that say how far a group is behind, in versions that Kafka 1.0 to 4 know. Libraries for it keep
// connections and timers of their own, follow a cluster to any address that it names, or need a native build.
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import { ByteStream, type StreamPlace } from '../byte-stream.ts'
import { firstOpened, type OpenConnection } from '../kept-connection.ts'
import type { Outgoing } from '../outgoing.ts'
import type { ScalerWorld } from '../scaler.ts'
import { scram } from '../scram.ts'
import { int8, int16, int32, int64, KafkaReader, lengthAndBytes, list, text } from './kafka-bytes.ts'
import { nothingCommitted, type PartitionOffsets } from './kafka-lag.ts'

/** Brokers that one look asks. */
const mostBrokers = 64

export interface KafkaPlaces {
  /** Asked in turn, until one answers. */
  readonly servers: readonly { readonly host: string; readonly port: number }[]
  readonly tls: StreamPlace['tls']
  readonly login:
    | { readonly how: 'plain' | 'sha256' | 'sha512'; readonly username: string; readonly password: string }
    | undefined
}

interface Wanted {
  readonly group: string
  /** Empty: all that the group has committed. */
  readonly topics: readonly string[]
  readonly isWanted: (partition: number) => boolean
  /** Where nothing is committed, what is kept counts. */
  readonly needsEarliest: boolean
}

/** Number and version of each question. */
const api = {
  listOffsets: [2, 1],
  metadata: [3, 4],
  offsetFetch: [9, 3],
  findCoordinator: [10, 1],
  saslHandshake: [17, 1],
  apiVersions: [18, 0],
  saslAuthenticate: [36, 0],
} as const

const latest = -1
const earliest = -2

const meanings: Readonly<Record<number, string>> = {
  ...{ 3: 'UNKNOWN_TOPIC_OR_PARTITION', 5: 'LEADER_NOT_AVAILABLE', 6: 'NOT_LEADER_OR_FOLLOWER', 7: 'REQUEST_TIMED_OUT' },
  ...{ 14: 'COORDINATOR_LOAD_IN_PROGRESS', 15: 'COORDINATOR_NOT_AVAILABLE', 16: 'NOT_COORDINATOR', 17: 'INVALID_TOPIC' },
  ...{ 24: 'INVALID_GROUP_ID', 29: 'TOPIC_AUTHORIZATION_FAILED', 30: 'GROUP_AUTHORIZATION_FAILED', 35: 'UNSUPPORTED_VERSION' },
  ...{ 33: 'UNSUPPORTED_SASL_MECHANISM', 34: 'ILLEGAL_SASL_STATE', 58: 'SASL_AUTHENTICATION_FAILED', 69: 'GROUP_ID_NOT_FOUND' },
}

/** @throws AnswerError for every code but 0 */
function checked(code: number, what: string): void {
  if (code === 0) return
  throw new AnswerError(`Kafka, ${what}: error ${code}${meanings[code] === undefined ? '' : ` ${meanings[code]}`}`)
}

class Broker implements Disposable {
  readonly #stream: ByteStream
  #count = 0

  static async open(place: StreamPlace, login: KafkaPlaces['login'], outgoing: Outgoing, signal: AbortSignal): Promise<Broker> {
    return await ByteStream.open(place, outgoing, signal, async stream => {
      const broker = new Broker(stream)
      await broker.#greet(login)
      return broker
    })
  }

  private constructor(stream: ByteStream) {
    this.#stream = stream
  }

  get isClean(): boolean {
    return !this.#stream.hasMore
  }

  async ask(which: keyof typeof api, ...body: readonly Buffer[]): Promise<KafkaReader> {
    const [key, version] = api[which]
    const number = ++this.#count
    const question = Buffer.concat([int16(key), int16(version), int32(number), text('ballast'), ...body])
    this.#stream.again()
    this.#stream.write(lengthAndBytes(question))
    const length = (await this.#stream.exactly(4)).readInt32BE()
    if (length < 4) throw new AnswerError('what answers there is no Kafka')
    const answer = await this.#stream.exactly(length)
    if (answer.readInt32BE() !== number) throw new AnswerError('what answers there is no Kafka')
    return new KafkaReader(answer.subarray(4))
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]()
  }

  async #greet(login: KafkaPlaces['login']): Promise<void> {
    const versions = await this.ask('apiVersions')
    checked(versions.int16(), 'its versions')
    const known = new Map(versions.list(() => [versions.int16(), [versions.int16(), versions.int16()] as const]))
    for (const [name, [key, version]] of Object.entries(api)) {
      const [from, to] = known.get(key) ?? [0, -1]
      // Brokers without logins may not know how to log in.
      if ((version < from || version > to) && (login !== undefined || !name.startsWith('sasl')))
        throw new AnswerError(`Kafka does not know ${name} in version ${version}`)
    }
    if (login === undefined) return
    const mechanism = { plain: 'PLAIN', sha256: 'SCRAM-SHA-256', sha512: 'SCRAM-SHA-512' }[login.how]
    checked((await this.ask('saslHandshake', text(mechanism))).int16(), `SASL ${mechanism}`)
    const say = async (message: Buffer) => {
      const answer = await this.ask('saslAuthenticate', lengthAndBytes(message))
      // Its words may hold what it was told.
      checked(answer.int16(), 'our login')
      answer.text()
      return answer.bytes()
    }
    if (login.how === 'plain') await say(Buffer.from(`\0${login.username}\0${login.password}`))
    else await scram(login.how, { ...login, who: 'Kafka' }, say)
  }
}

type Partitions = ReadonlyMap<string, readonly { readonly partition: number; readonly leader: number }[]>

export class KafkaCluster implements OpenConnection {
  readonly #places: KafkaPlaces
  readonly #outgoing: Outgoing
  /** By host and port. */
  readonly #brokers = new Map<string, Broker>()
  readonly #ends = new AbortController()
  #addresses = new Map<number, { readonly host: string; readonly port: number }>()
  #first: Broker | undefined

  /** Each of the servers has the time of one: the first may be away. @throws what the last of them threw; `signal.reason` */
  static async open(
    places: KafkaPlaces,
    { clock, outgoing }: Pick<ScalerWorld, 'clock' | 'outgoing'>,
    signal: AbortSignal,
  ): Promise<KafkaCluster> {
    const cluster = new KafkaCluster(places, outgoing)
    try {
      cluster.#first = await firstOpened(places.servers, { clock, outgoing, who: 'Kafka', signal }, (server, limited) =>
        cluster.#brokerAt(server, limited),
      )
      return cluster
    } catch (error) {
      cluster[Symbol.dispose]()
      throw error
    }
  }

  private constructor(places: KafkaPlaces, outgoing: Outgoing) {
    this.#places = places
    this.#outgoing = outgoing
  }

  get isOpen(): boolean {
    return !this.#ends.signal.aborted && [...this.#brokers.values()].every(broker => broker.isClean)
  }

  /** All partitions that are wanted. @throws AnswerError; OutsideError */
  async offsets({ group, topics, isWanted, needsEarliest }: Wanted): Promise<readonly PartitionOffsets[]> {
    const coordinator = await this.#coordinatorOf(group)
    const names = topics.length > 0 ? topics : [...(await committedIn(coordinator, group, undefined)).keys()]
    if (names.length === 0) return []
    const partitions = await this.#partitionsOf(names, isWanted)
    const committed = await committedIn(coordinator, group, partitions)
    const ends = await this.#offsetsAt(partitions, latest)
    const isMissing = (topic: string, partition: number) => committed.get(topic)?.get(partition) === nothingCommitted
    const missing = new Map([...partitions].map(([topic, all]) => [topic, all.filter(one => isMissing(topic, one.partition))]))
    const starts = needsEarliest ? await this.#startsOf(missing) : new Map<string, Map<number, number>>()
    // A partition whose end is not told counts as none.
    return [...ends].flatMap(([topic, found]) =>
      [...found].map(([partition, end]) => ({
        ...{ topic, partition, latest: end },
        committed: committed.get(topic)?.get(partition),
        earliest: starts.get(topic)?.get(partition),
      })),
    )
  }

  [Symbol.dispose](): void {
    this.#ends.abort()
    for (const broker of this.#brokers.values()) broker[Symbol.dispose]()
    this.#brokers.clear()
  }

  async #brokerAt(place: { readonly host: string; readonly port: number }, signal = this.#ends.signal): Promise<Broker> {
    const key = `${place.host}:${place.port}`
    const known = this.#brokers.get(key)
    if (known !== undefined) return known
    if (this.#brokers.size >= mostBrokers) throw new AnswerError(`Kafka names more than ${mostBrokers} brokers`)
    const { tls, login } = this.#places
    const broker = await Broker.open({ ...place, tls }, login, this.#outgoing, signal)
    this.#brokers.set(key, broker)
    return broker
  }

  get #any(): Broker {
    if (this.#first === undefined) throw new OutsideError('Kafka: no broker')
    return this.#first
  }

  async #coordinatorOf(group: string): Promise<Broker> {
    const answer = await this.#any.ask('findCoordinator', text(group), int8(0))
    answer.int32()
    checked(answer.int16(), `the coordinator of group ${group}`)
    answer.text()
    answer.int32()
    return await this.#brokerAt(placeIn(answer))
  }

  async #partitionsOf(topics: readonly string[], isWanted: (partition: number) => boolean): Promise<Partitions> {
    // A topic that is asked for is not made.
    const answer = await this.#any.ask('metadata', list(topics, text), int8(0))
    answer.int32()
    const brokers = answer.list(() => {
      const node = answer.int32()
      const place = placeIn(answer)
      answer.text()
      return [node, place] as const
    })
    this.#addresses = new Map(brokers)
    answer.text()
    answer.int32()
    const found = answer.list(() => {
      const code = answer.int16()
      const name = answer.text()
      answer.int8()
      const partitions = answer.list(() => {
        answer.int16()
        const one = { partition: answer.int32(), leader: answer.int32() }
        answer.list(() => answer.int32())
        answer.list(() => answer.int32())
        return one
      })
      checked(code, `topic ${name}`)
      const wanted = partitions.filter(one => isWanted(one.partition))
      if (wanted.length === 0) throw new AnswerError(`expected at least one active partition within the topic '${name}'`)
      return [name, wanted] as const
    })
    const absent = topics.find(topic => !found.some(([name]) => name === topic))
    if (absent !== undefined) throw new AnswerError(`Kafka says nothing of topic ${absent}`)
    return new Map(found)
  }

  /** Upstream goes on without them. */
  async #startsOf(missing: Partitions): Promise<ReadonlyMap<string, ReadonlyMap<number, number>>> {
    if ([...missing.values()].every(one => one.length === 0)) return new Map()
    try {
      return await this.#offsetsAt(missing, earliest)
    } catch (error) {
      if (error instanceof AnswerError) return new Map()
      throw error
    }
  }

  async #offsetsAt(partitions: Partitions, when: number): Promise<Map<string, Map<number, number>>> {
    const byLeader = new Map<number, Map<string, number[]>>()
    for (const [topic, all] of partitions)
      for (const { partition, leader } of all) {
        const topics = byLeader.get(leader) ?? new Map<string, number[]>()
        byLeader.set(leader, topics)
        topics.set(topic, [...(topics.get(topic) ?? []), partition])
      }
    const found = new Map<string, Map<number, number>>()
    for (const [leader, topics] of byLeader) {
      const place = this.#addresses.get(leader)
      if (place === undefined) throw new AnswerError(`Kafka, topic ${[...topics.keys()][0]}: a partition has no leader`)
      const one = ([topic, numbers]: readonly [string, readonly number[]]) =>
        Buffer.concat([text(topic), list(numbers, number => Buffer.concat([int32(number), int64(when)]))])
      const answer = await (await this.#brokerAt(place)).ask('listOffsets', int32(-1), list([...topics], one))
      answer.list(() => {
        const topic = answer.text()
        const ends = found.get(topic) ?? new Map<number, number>()
        found.set(topic, ends)
        answer.list(() => {
          const partition = answer.int32()
          checked(answer.int16(), `partition ${partition} of topic ${topic}`)
          answer.int64()
          ends.set(partition, answer.int64())
        })
      })
    }
    return found
  }
}

/** What a group committed; all of it where no partitions are named. */
async function committedIn(coordinator: Broker, group: string, partitions: Partitions | undefined) {
  const one = ([topic, all]: readonly [string, readonly { readonly partition: number }[]]) =>
    Buffer.concat([text(topic), list(all, ({ partition }) => int32(partition))])
  const topics = partitions === undefined ? int32(-1) : list([...partitions], one)
  const answer = await coordinator.ask('offsetFetch', text(group), topics)
  answer.int32()
  const found = new Map<string, Map<number, number>>()
  answer.list(() => {
    const topic = answer.text()
    const offsets = new Map<number, number>()
    found.set(topic, offsets)
    answer.list(() => {
      const [partition, offset] = [answer.int32(), answer.int64()]
      answer.text()
      checked(answer.int16(), `group ${group}, partition ${partition} of topic ${topic}`)
      offsets.set(partition, offset)
    })
  })
  checked(answer.int16(), `group ${group}`)
  return found
}

function placeIn(answer: KafkaReader): { readonly host: string; readonly port: number } {
  const place = { host: answer.text(), port: answer.int32() }
  if (place.host === '' || place.port < 1 || place.port > 65_535) throw new AnswerError('Kafka names a broker without an address')
  return place
}
