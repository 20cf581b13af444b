// Connections to the sources that triggers name. Whoever may write a ScaledObject chooses where we connect to, so that addresses are judged
// when a connection is made, answers have a limit, and no message holds what a source is asked with.
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { type AddressGuard, guardedAddresses, guardedLookup } from '#kube/client/address-guard.ts'
import type { Dial } from '#kube/client/dispatcher.ts'
import { type Answer, OutgoingHttp } from '#kube/client/outgoing-http.ts'
import { type Clock, systemClock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import { TriggerProblem } from '../triggers/parameters.ts'
import { countAnswer } from './asking.ts'

/** Bytes of one answer. */
const mostAnswerBytes = 16 * 1024 * 1024
/** Upstream's client follows as many. */
const mostRedirects = 10
/** The connections to one server of one kind of settings. */
const mostConnections = 8
const keepAliveMs = 60_000

export interface SourceTls {
  readonly authority?: string | undefined
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  readonly isInsecure?: boolean | undefined
}

interface SourceQuestion {
  readonly signal: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
  readonly method?: 'GET' | 'POST'
  readonly body?: string
  /** Default: more than any source says. */
  readonly mostBytes?: number
  /** Default: a longer answer is an error. */
  readonly whenLonger?: 'cut' | 'fail'
  /** Redirects that are followed on its own host. */
  readonly mostRedirects?: number
}

/** HTTP to sources, with one set of settings. */
export interface SourceHttp extends AsyncDisposable {
  /** The answer, whatever its status. @throws `signal.reason`; Error where none came whole and in time, without query or credentials */
  ask(url: string | URL, question: SourceQuestion): Promise<Answer>
}

interface OutgoingSettings {
  readonly clock: Clock
  /** One request that says nothing else ends after it. */
  readonly timeoutMs: number
  readonly guard: AddressGuard
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly lookup?: LookupFunction
  /** Where hosts are in truth that nobody can reach, as those of a twin; it judges them itself. HTTP alone. */
  readonly dial?: Dial | undefined
}

interface Shared {
  readonly http: OutgoingHttp
  users: number
}

export class Outgoing implements AsyncDisposable {
  readonly #settings: OutgoingSettings
  /** By their settings: triggers with the same ones share connections. */
  readonly #shared = new Map<string, Shared>()

  constructor(settings: OutgoingSettings) {
    this.#settings = settings
  }

  get timeoutMs(): number {
    return this.#settings.timeoutMs
  }

  /** It holds nothing until it is first asked: a trigger that cannot be opened after all has nothing to give back. */
  http(tls: SourceTls, timeoutMs: number = this.#settings.timeoutMs): SourceHttp {
    let held: { readonly http: OutgoingHttp; readonly giveBack: () => Promise<void> } | undefined
    let isOpen = true
    return {
      ask: async (url, question) => {
        if (!isOpen) throw new OutsideError('the trigger is closed')
        held ??= this.#take(tls, timeoutMs)
        return await ask(held.http, url, question)
      },
      [Symbol.asyncDispose]: async () => {
        isOpen = false
        const taken = held
        held = undefined
        await taken?.giveBack()
      },
    }
  }

  /** Where a source is in truth that others name so; undefined: where its name says. @throws Error where it is nowhere */
  async dialled(host: string, port: number): Promise<{ readonly host: string; readonly port: number } | undefined> {
    return await this.#settings.dial?.(host, port)
  }

  /** Where `host` is, for connections that are no HTTP. @throws AddressRefused; Error where it is not known; `signal.reason` */
  async addresses(host: string, signal: AbortSignal): Promise<readonly LookupAddress[]> {
    const { guard, lookup, dial } = this.#settings
    if (dial !== undefined) throw new OutsideError(`${host}: sources are asked by HTTP alone here`)
    return await guardedAddresses(host, guard, { lookup, signal })
  }

  /** For sockets that look names up themselves. An address that is written as one is not looked up: `addresses` judges it. */
  get lookup(): LookupFunction {
    const { guard, lookup } = this.#settings
    return guardedLookup(guard, lookup ?? systemLookup)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#shared.values()].map(({ http }) => http[Symbol.asyncDispose]()))
    this.#shared.clear()
  }

  #take(tls: SourceTls, timeoutMs: number) {
    const key = JSON.stringify([timeoutMs, tls.authority, tls.certificate, tls.key, tls.isInsecure])
    const shared = this.#shared.get(key) ?? { http: this.#open(tls, timeoutMs), users: 0 }
    this.#shared.set(key, shared)
    shared.users++
    const giveBack = async () => {
      if (--shared.users > 0) return
      this.#shared.delete(key)
      await shared.http.close()
    }
    return { http: shared.http, giveBack }
  }

  #open(tls: SourceTls, timeoutMs: number): OutgoingHttp {
    const { clock, guard, environment, lookup, dial } = this.#settings
    return new OutgoingHttp({
      ...{ clock, guard, tls, mostConnections, keepAliveMs, dial },
      ...{ connectMs: timeoutMs, answerMs: timeoutMs, wholeMs: timeoutMs },
      ...(environment === undefined ? {} : { environment }),
      ...(lookup === undefined ? {} : { lookup }),
    })
  }
}

async function ask(http: OutgoingHttp, written: string | URL, { signal, ...question }: SourceQuestion): Promise<Answer> {
  const url = urlOf(written)
  const beganMs = systemClock.elapsed()
  const seconds = () => (systemClock.elapsed() - beganMs) / 1_000
  try {
    const answer = await http.ask({ mostBytes: mostAnswerBytes, mostRedirects, ...question, url, signal, redirectsStay: true })
    countAnswer(answer.status, seconds())
    return answer
  } catch (error) {
    signal.throwIfAborted()
    countAnswer(undefined, seconds())
    throw new OutsideError(`${question.method ?? 'GET'} ${shownUrl(url)}: ${messageOf(error)}`)
  }
}

/** @throws TriggerProblem that does not show what was written, since it may hold a password */
export function urlOf(written: string | URL): URL {
  if (typeof written !== 'string') return written
  if (!URL.canParse(written)) throw new TriggerProblem('an address cannot be read: expected one such as http://prometheus:9090')
  const url = new URL(written)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TriggerProblem(`an address of ${url.protocol}//, expected http:// or https://`)
  return url
}

/** A part of an address. @throws TriggerProblem with the name of the parameter that has it */
export function decoded(part: string, parameter: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // Its own words do not name the parameter.
    throw new TriggerProblem(`${parameter}: a % that no two hexadecimal digits follow`)
  }
}

/** Without user, password and query. */
function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`
}

/** @throws AnswerError with the status */
export function successOf(answer: Answer, who: string): Answer {
  if (answer.status < 200 || answer.status > 299) throw new AnswerError(`${who} answered with status ${answer.status}`)
  return answer
}

/** @throws AnswerError where it is no JSON */
export function jsonOf(answer: Answer, who: string): unknown {
  try {
    return JSON.parse(answer.body.toString())
  } catch {
    // A parser's own words show what was answered, which may be secret.
    const type = answer.contentType === '' ? 'of no type' : answer.contentType.slice(0, 60)
    throw new AnswerError(`${who} answered with ${answer.body.length} bytes ${type}, which are no JSON`)
  }
}

/** @throws AnswerError where it is neither a number nor a text of one */
export function numberOf(found: unknown, what: string): number {
  const value = typeof found === 'number' ? found : typeof found === 'string' && found.trim() !== '' ? Number(found) : Number.NaN
  if (!Number.isFinite(value)) throw new AnswerError(`${what} is ${kindOf(found)}, not a number`)
  return value
}

/** What kind of value a source answered with. Never the value: it may be secret, and conditions are read by many. */
export function kindOf(found: unknown): string {
  if (found === undefined) return 'missing'
  if (found === null) return 'null'
  if (typeof found === 'string') return `a text of ${found.length} characters`
  if (typeof found === 'number') return Number.isFinite(found) ? 'a number' : 'infinite'
  if (Array.isArray(found)) return 'a list'
  return typeof found === 'object' ? 'an object' : `a ${typeof found}`
}
