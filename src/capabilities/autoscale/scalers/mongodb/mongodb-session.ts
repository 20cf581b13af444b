// The few commands of MongoDB that count documents. Its own driver follows a deployment to any address that it names, and keeps connections
// and timers to all of them.
import { createHash } from 'node:crypto'
import { Binary, type Document, deserialize, serialize } from 'bson'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import { ByteStream, type StreamPlace } from '../byte-stream.ts'
import type { SocketPlace } from '../guarded-socket.ts'
import { firstOpened, type OpenConnection } from '../kept-connection.ts'
import type { Outgoing } from '../outgoing.ts'
import type { ScalerWorld } from '../scaler.ts'
import { type ScramHash, scram } from '../scram.ts'
import { type MongoLogin, type MongoPlace, mongoPlaceByRecords } from './mongodb-place.ts'

/** The kind of a message, and bytes before what it says. */
const opMsg = 2013
const headBytes = 21
const noSuchCommand = 59

type Tls = StreamPlace['tls']

interface Around extends Pick<ScalerWorld, 'clock' | 'outgoing'> {
  readonly tls: Tls
}

export class MongoSession implements OpenConnection {
  readonly #stream: ByteStream
  readonly #ends = new AbortController()
  #count = 0

  /** With a member that may be asked by the place's `readPreference`. @throws AnswerError; OutsideError; `signal.reason` */
  static async open(written: MongoPlace, { clock, outgoing, tls }: Around, signal: AbortSignal): Promise<MongoSession> {
    const place = written.isSrv ? await mongoPlaceByRecords(written) : written
    const to = (server: SocketPlace, limited: AbortSignal) => MongoSession.#greeted(place, { ...server, tls }, outgoing, limited)
    return await firstOpened(place.servers, { clock, outgoing, who: 'MongoDB', signal }, async (server, limited) => {
      const { session, primary } = await to(server, limited)
      if (session !== undefined) return session
      // The member that it names is reached by the same rules.
      const named = await to(primary, limited)
      if (named.session === undefined) throw new OutsideError('MongoDB: the server that is named as primary is none')
      return named.session
    })
  }

  static async #greeted(
    place: MongoPlace,
    at: StreamPlace,
    outgoing: Outgoing,
    signal: AbortSignal,
  ): Promise<
    | { readonly session: MongoSession; readonly primary?: undefined }
    | { readonly session?: undefined; readonly primary: SocketPlace }
  > {
    return await ByteStream.open(at, outgoing, signal, async stream => {
      const session = new MongoSession(stream)
      const hello = await session.#hello(place.login)
      const primary = otherMember(hello, place)
      if (primary !== undefined) {
        stream[Symbol.dispose]()
        return { primary }
      }
      if (place.login !== undefined) await session.#proven(place.login, hello)
      return { session }
    })
  }

  private constructor(stream: ByteStream) {
    this.#stream = stream
  }

  get isOpen(): boolean {
    return !this.#ends.signal.aborted && !this.#stream.hasMore
  }

  /** How many documents match. @throws AnswerError; OutsideError */
  async count(of: {
    readonly database: string
    readonly collection: string
    readonly filter: Document
    readonly readPreference: string
    readonly mostMs: number
  }): Promise<number> {
    const answer = await this.#command({
      aggregate: of.collection,
      pipeline: [{ $match: of.filter }, { $group: { _id: 1, n: { $sum: 1 } } }],
      cursor: {},
      maxTimeMS: Math.ceil(of.mostMs),
      $db: of.database,
      $readPreference: { mode: of.readPreference },
    })
    const [first] = listIn(listIn(answer['cursor'], 'firstBatch'))
    if (first === undefined) return 0
    const counted = Number((first as Document)['n'])
    if (!Number.isFinite(counted)) throw new AnswerError('MongoDB: the count is no number')
    return counted
  }

  [Symbol.dispose](): void {
    this.#ends.abort()
    this.#stream[Symbol.dispose]()
  }

  async #hello(login: MongoLogin | undefined): Promise<Document> {
    const more = {
      helloOk: true,
      ...(login === undefined || login.mechanism !== undefined
        ? {}
        : { saslSupportedMechs: `${login.source}.${login.username}` }),
      $db: 'admin',
    }
    try {
      return await this.#command({ hello: 1, ...more })
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== noSuchCommand) throw error
      // Servers before 4.4 call it by its old name.
      return await this.#command({ isMaster: 1, ...more })
    }
  }

  async #proven(login: MongoLogin, hello: Document): Promise<void> {
    const { source, username, password } = login
    const known = hello['saslSupportedMechs']
    const mechanism =
      login.mechanism ?? (Array.isArray(known) && known.includes('SCRAM-SHA-256') ? 'SCRAM-SHA-256' : 'SCRAM-SHA-1')
    if (mechanism === 'MONGODB-X509') {
      await this.#command({ authenticate: 1, mechanism, $db: '$external' })
      return
    }
    let conversation: Document | undefined
    const say = async (payload: Buffer): Promise<Buffer> => {
      const step: Document =
        conversation === undefined
          ? { saslStart: 1, mechanism, payload: new Binary(payload), autoAuthorize: 1, options: { skipEmptyExchange: true } }
          : { saslContinue: 1, conversationId: conversation['conversationId'], payload: new Binary(payload) }
      conversation = await this.#command({ ...step, $db: source })
      const said = conversation['payload']
      return said instanceof Binary ? Buffer.from(said.value()) : Buffer.alloc(0)
    }
    if (mechanism === 'PLAIN') {
      await say(Buffer.from(`\0${username}\0${password}`))
      return
    }
    const hash: ScramHash = mechanism === 'SCRAM-SHA-1' ? 'sha1' : 'sha256'
    // The older way takes a digest for the password, as servers store it.
    const digest = () => createHash('md5').update(`${username}:mongo:${password}`).digest('hex')
    await scram(hash, { username, password: hash === 'sha1' ? digest() : password, who: 'MongoDB' }, say)
    if (conversation?.['done'] !== true) await say(Buffer.alloc(0))
    if (conversation?.['done'] !== true) throw new AnswerError('MongoDB does not keep to SCRAM')
  }

  /** @throws Refused where the server says no; AnswerError where it does not keep to the protocol; OutsideError */
  async #command(command: Document): Promise<Document> {
    const number = ++this.#count
    const body = serialize(command)
    const head = Buffer.alloc(headBytes)
    head.writeInt32LE(headBytes + body.length, 0)
    head.writeInt32LE(number, 4)
    head.writeInt32LE(opMsg, 12)
    this.#stream.again()
    this.#stream.write(Buffer.concat([head, body]))
    const started = await this.#stream.exactly(headBytes)
    const [length, answered, kind, flags] = [0, 8, 12, 16].map(at => started.readInt32LE(at))
    // Neither a checksum, nor more than one answer was asked for.
    if (length === undefined || length <= headBytes || answered !== number || kind !== opMsg || flags !== 0 || started[20] !== 0)
      throw new AnswerError('what answers there is no MongoDB')
    return checked(documentIn(await this.#stream.exactly(length - headBytes)))
  }
}

/** The server says no. */
class Refused extends AnswerError {
  readonly code: number

  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

function documentIn(bytes: Buffer): Document {
  try {
    return deserialize(bytes)
  } catch {
    // What the library says may show what was answered.
    throw new AnswerError('what answers there is no MongoDB')
  }
}

/** Its words may show parts of the query: the code and its name are told. */
function checked(answer: Document): Document {
  if (Number(answer['ok']) === 1) return answer
  const [code, name] = [Number(answer['code'] ?? 0), answer['codeName']]
  const named = typeof name === 'string' && /^[A-Za-z]\w{2,60}$/.test(name) ? `${name} ` : ''
  throw new Refused(`MongoDB: ${named}(${Number.isSafeInteger(code) ? code : 0})`, code)
}

function listIn(found: unknown, key?: string): readonly unknown[] {
  const value = key === undefined ? found : (found as Document | undefined)?.[key]
  if (!Array.isArray(value)) throw new AnswerError('MongoDB answered without documents')
  return value
}

/** Who is to be asked in this member's place; undefined: it may be asked itself. @throws AnswerError where nobody is known who may */
function otherMember(hello: Document, { isDirect, replicaSet, readPreference }: MongoPlace): SocketPlace | undefined {
  if (isDirect) return undefined
  if (replicaSet !== undefined && hello['setName'] !== replicaSet)
    throw new AnswerError(`MongoDB: the server is not a member of the replica set ${replicaSet}`)
  const isPrimary = hello['isWritablePrimary'] === true || hello['ismaster'] === true
  const isSecondary = hello['secondary'] === true
  const isFit = {
    primary: isPrimary,
    secondary: isSecondary,
    primaryPreferred: isPrimary,
    secondaryPreferred: isSecondary || isPrimary,
    nearest: isSecondary || isPrimary,
  }[readPreference]
  if (isFit) return undefined
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(String(hello['primary'] ?? '')) ?? []
  const host = bracketed ?? plain
  if (readPreference === 'primaryPreferred' && isSecondary && host === '') return undefined
  if (readPreference === 'secondary') throw new OutsideError('MongoDB: the server is no secondary')
  if (host === '' || Number(port) < 1 || Number(port) > 65_535) throw new OutsideError('MongoDB: the server knows of no primary')
  return { host, port: Number(port) }
}
