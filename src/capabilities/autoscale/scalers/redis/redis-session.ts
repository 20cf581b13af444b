// A few commands to Redis, Valkey, KeyDB or Dragonfly (RESP 2) over one connection for one look. A library of Redis keeps connections, topologies
// and timers of its own, follows a cluster to any address it is told, and reads an answer of any size: none of that may be here.
import { AnswerError } from '#kube/outside-error.ts'
import { ByteStream, type StreamPlace } from '../byte-stream.ts'
import type { Outgoing } from '../outgoing.ts'

export type Reply = number | string | null | readonly Reply[] | RedisError

/** What the server says is wrong; its first word is a code, such as `NOSCRIPT`. */
export class RedisError extends AnswerError {}

/** Lists in lists. */
const mostDepth = 8
/** Members of one list: the lists that are asked for have one of each consumer group, and its fields. */
const mostMembers = 100_000

interface Login {
  readonly username: string | undefined
  readonly password: string | undefined
}

export class RedisSession implements Disposable {
  readonly #stream: ByteStream
  /** It serves one look, and ends with it. */
  readonly #bound: Disposable

  /** @throws Error where nobody answers; RedisError where the login is refused; `signal.reason` */
  static async open(
    place: StreamPlace,
    { login, database }: { readonly login: Login; readonly database: number },
    outgoing: Outgoing,
    signal: AbortSignal,
  ): Promise<RedisSession> {
    return await ByteStream.open(place, outgoing, signal, async stream => {
      const session = new RedisSession(stream, signal)
      try {
        const { username, password } = login
        if (password !== undefined || username !== undefined)
          await session.ask('AUTH', ...(username === undefined ? [] : [username]), password ?? '')
        if (database !== 0) await session.ask('SELECT', String(database))
        return session
      } catch (error) {
        session[Symbol.dispose]()
        throw error
      }
    })
  }

  private constructor(stream: ByteStream, signal: AbortSignal) {
    this.#stream = stream
    this.#bound = stream.boundTo(signal)
  }

  /** @throws RedisError; Error where the answer does not come whole */
  async ask(...words: readonly string[]): Promise<Exclude<Reply, RedisError>> {
    const sent = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
    this.#stream.write(`*${words.length}\r\n${sent.join('')}`)
    const reply = await this.#reply(0)
    if (reply instanceof RedisError) throw reply
    return reply
  }

  async #reply(depth: number): Promise<Reply> {
    if (depth > mostDepth) throw new AnswerError('Redis answered with lists in lists without end')
    const line = await this.#stream.line()
    const rest = line.slice(1)
    switch (line[0]) {
      case '+':
        return rest
      case '-':
        return new RedisError(rest)
      case ':':
        return countOf(rest)
      case '$': {
        const length = countOf(rest)
        if (length < 0) return null
        const text = (await this.#stream.exactly(length + 2)).subarray(0, length)
        return text.toString()
      }
      case '*': {
        const length = countOf(rest)
        if (length < 0) return null
        if (length > mostMembers) throw new AnswerError(`Redis announced a list of ${length}`)
        const members: Reply[] = []
        for (let index = 0; index < length; index++) members.push(await this.#reply(depth + 1))
        return members
      }
      default:
        throw new AnswerError('what answers there is no Redis')
    }
  }

  [Symbol.dispose](): void {
    this.#bound[Symbol.dispose]()
    this.#stream[Symbol.dispose]()
  }
}

function countOf(text: string): number {
  const count = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(count)) throw new AnswerError('what answers there is no Redis')
  return count
}
