// Requests to one registry (OCI distribution 1.1): who we are, tokens, how long an answer may take, and what is tried again.
import { z } from 'zod'
import type { Credentials } from './credentials.ts'

export interface ConnectionOptions {
  /** `https://ghcr.io` */
  readonly origin: string
  readonly credentials: Credentials | undefined
  /** Waits so many milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>
  /** Is told of what is tried again. */
  readonly say: (line: string) => void
}

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT'
  /** A path of the registry, or where it sent us. */
  readonly at: string | URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Statuses that are an answer and no error, besides 2xx. */
  readonly also?: readonly number[]
}

/** What a registry refuses, in its own words. */
export class RegistryRefusal extends Error {
  override name = 'RegistryRefusal'
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

/** A request that got no answer, or one that says "later". */
class Passing extends Error {
  readonly afterMs: number | undefined

  constructor(message: string, afterMs?: number) {
    super(message)
    this.afterMs = afterMs
  }
}

/** After each failure it is tried again so many milliseconds later; then it is given up. */
const pausesMs = [1_000, 2_000, 4_000, 8_000]
/** A registry may ask for a longer pause; never for more than this. */
const pauseLimitMs = 60_000
const answerLimitMs = 60_000
/** The slowest line on which a blob still arrives, in bytes a millisecond (32 KiB/s). */
const slowestLine = 32
const passingStatuses: readonly number[] = [408, 429, 500, 502, 503, 504]
/** The most that is read of an answer; a manifest has 4 MiB at most. */
const answerBytes = 4 * 2 ** 20

const errorsAnswer = z.object({
  errors: z.array(z.object({ code: z.string(), message: z.string().optional() })).min(1),
})
const tokenAnswer = z.object({ token: z.string().optional(), access_token: z.string().optional() })

export class RegistryConnection {
  readonly #options: ConnectionOptions
  /** What the last challenge was met with, by repository. */
  readonly #authorization = new Map<string, string>()

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  get origin(): string {
    return this.#options.origin
  }

  /**
   * Does what may be done twice until it is done.
   * @throws RegistryRefusal where the registry will not have it; Error where it does not answer, or says "later" five times
   */
  async persistently<Result>(what: string, act: () => Promise<Result>): Promise<Result> {
    for (let tried = 0; ; tried++) {
      try {
        return await act()
      } catch (error) {
        const pauseMs = pausesMs[tried]
        if (!(error instanceof Passing)) throw error
        if (pauseMs === undefined)
          throw new Error(`${what}: ${error.message}; tried ${tried + 1} times. The same command goes on from there.`)
        const ms = Math.min(error.afterMs ?? pauseMs, pauseLimitMs)
        this.#options.say(`${what}: ${error.message}; again in ${ms / 1000} s`)
        await this.#options.wait(ms)
      }
    }
  }

  /** One request for the repository, with a token where one is asked for. @throws RegistryRefusal, or what {@link persistently} tries again */
  async ask(repository: string, request: RegistryRequest): Promise<Response> {
    let answer = await this.#send(repository, request)
    const challenge = answer.headers.get('www-authenticate')
    if (answer.status === 401 && challenge !== null) {
      await answer.body?.cancel()
      this.#authorization.set(repository, await this.#authorize(repository, challenge))
      answer = await this.#send(repository, request)
    }
    if (answer.ok || request.also?.includes(answer.status) === true) return answer
    const said = await this.#words(answer)
    const where = `${request.method} ${new URL(request.at, this.origin).pathname} at ${this.origin}`
    if (passingStatuses.includes(answer.status)) throw new Passing(`${where}: ${said}`, pauseOf(answer))
    const advice =
      answer.status === 401 || answer.status === 403
        ? this.#options.credentials === undefined
          ? `; docker's configuration has no credentials for it: log in with docker, helm or skopeo`
          : '; the credentials of docker’s configuration may not push there'
        : ''
    throw new RegistryRefusal(`${where}: ${said}${advice}`, answer.status)
  }

  /** The answer's body as JSON. */
  async json(answer: Response): Promise<unknown> {
    return JSON.parse((await this.bytes(answer)).toString('utf8'))
  }

  /** The answer's body, of a bounded size. @throws what {@link persistently} tries again, where it breaks off */
  async bytes(answer: Response): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    let size = 0
    try {
      for await (const chunk of answer.body ?? []) {
        size += chunk.length
        if (size > answerBytes) break
        chunks.push(chunk)
      }
    } catch (error) {
      throw new Passing(causeOf(error))
    }
    if (size > answerBytes) throw new Error(`${answer.url}: an answer of more than ${answerBytes} bytes`)
    return Buffer.concat(chunks)
  }

  async #send(repository: string, request: RegistryRequest): Promise<Response> {
    const { method, at, headers = {}, body } = request
    const url = new URL(at, this.origin)
    if (url.protocol !== new URL(this.origin).protocol)
      throw new Error(`${this.origin} sends us to ${url.origin}: ${new URL(this.origin).protocol}// was asked for`)
    const authorization = url.origin === this.origin ? this.#authorization.get(repository) : undefined
    const limitMs = answerLimitMs + (body?.length ?? 0) / slowestLine
    return await this.#fetch(url, {
      method,
      headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
      signal: AbortSignal.timeout(Math.ceil(limitMs)),
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
    })
  }

  async #fetch(url: URL, request: RequestInit): Promise<Response> {
    try {
      return await fetch(url, request)
    } catch (error) {
      throw new Passing(`${request.method ?? 'GET'} ${url.origin}${url.pathname}: ${causeOf(error)}`)
    }
  }

  async #authorize(repository: string, challenge: string): Promise<string> {
    const { credentials } = this.#options
    const scheme = /^\s*(\w+)/.exec(challenge)?.[1]?.toLowerCase()
    const basic =
      credentials !== undefined && 'user' in credentials
        ? `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`
        : undefined
    if (scheme === 'basic') {
      if (basic === undefined)
        throw new RegistryRefusal(
          `${this.origin} wants a user and a password, and docker's configuration has none for it: log in with docker, helm or skopeo`,
          401,
        )
      return basic
    }
    const values = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]))
    const realm = values.get('realm') ?? ''
    if (scheme !== 'bearer' || !URL.canParse(realm))
      throw new Error(`${this.origin} asks who we are in a way that is not known here: ${challenge.slice(0, 200)}`)
    const url = new URL(realm)
    if (url.protocol !== 'https:' && this.origin.startsWith('https:'))
      throw new Error(`${this.origin} wants its credentials sent to ${url.origin}, in clear text: they are not sent`)
    const scope = `repository:${repository}:pull,push`
    const service = values.get('service')
    const words = new URLSearchParams({ scope, ...(service === undefined ? {} : { service }) })
    const signal = AbortSignal.timeout(answerLimitMs)
    let answer: Response
    if (credentials !== undefined && 'identityToken' in credentials) {
      words.set('grant_type', 'refresh_token')
      words.set('refresh_token', credentials.identityToken)
      words.set('client_id', 'ballast-push')
      answer = await this.#fetch(url, { method: 'POST', body: words, signal })
    } else {
      for (const [name, value] of words) url.searchParams.set(name, value)
      answer = await this.#fetch(url, { signal, headers: basic === undefined ? {} : { authorization: basic } })
    }
    if (passingStatuses.includes(answer.status)) throw new Passing(`a token of ${url.origin}: ${await this.#words(answer)}`)
    if (!answer.ok)
      throw new RegistryRefusal(`${url.origin} gives no token for ${scope}: ${await this.#words(answer)}`, answer.status)
    const { token, access_token } = tokenAnswer.parse(await this.json(answer))
    return `Bearer ${token ?? access_token ?? ''}`
  }

  async #words(answer: Response): Promise<string> {
    const text = (await this.bytes(answer)).toString('utf8')
    const told = errorsAnswer.safeParse(jsonOrNothing(text))
    const words = told.success
      ? told.data.errors.map(({ code, message = '' }) => `${code} ${message}`.trim()).join('; ')
      : text.replaceAll(/\s+/g, ' ').slice(0, 200)
    return `${answer.status} ${words}`.trim()
  }
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a proxy's page: its text is told
  }
}

function pauseOf(answer: Response): number | undefined {
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}
