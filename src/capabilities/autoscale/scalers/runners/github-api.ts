// Questions to GitHub: how we prove ourselves, what its limit of rate says, and what did not change since it was asked for last.
import { createPrivateKey, createSign, type KeyObject } from 'node:crypto'
import type { Clock } from '#kube/clock.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import { TriggerProblem } from '../../triggers/parameters.ts'
import { jsonOf, type SourceHttp } from '../outgoing.ts'

/** Pages that are remembered with their tags. */
const mostRemembered = 5_000
/** Before a token of an application ends, a new one is asked for. */
const renewsBeforeMs = 60_000
/** Where GitHub's clock is behind ours. */
const skewSeconds = 30
/** GitHub counts requests by the hour: a limit that is to end later is not believed. */
const longestLimitMs = 3_600_000
/** How long the word of an application counts. */
const proofSeconds = 120

export interface GithubApp {
  readonly applicationId: number
  readonly installationId: number
  readonly key: KeyObject
}

/** @throws TriggerProblem that shows nothing of the key */
export function appKeyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    // What Node says may hold parts of the key.
    throw new TriggerProblem('appKey cannot be read: expected a private key in PEM')
  }
}

/** The limit of requests is reached: what was known last counts. */
export class RateLimited extends OutsideError {
  override readonly name = 'RateLimited'
}

interface GithubSettings {
  readonly base: URL
  readonly http: SourceHttp
  readonly clock: Clock
  readonly proof: string | GithubApp
  readonly remembers: boolean
}

export class GithubApi {
  readonly #settings: GithubSettings
  readonly #remembered = new Map<string, { readonly tag: string; readonly said: unknown }>()
  #token: { readonly text: string; readonly untilMs: number } | undefined
  #limitedUntilMs = 0

  constructor(settings: GithubSettings) {
    this.#settings = settings
  }

  get isLimited(): boolean {
    return this.#settings.clock.now() < this.#limitedUntilMs
  }

  /** What is at the path; undefined where nothing is. @throws RateLimited; AnswerError; `signal.reason` */
  async ask(path: string, signal: AbortSignal): Promise<unknown> {
    const { http, remembers } = this.#settings
    const known = remembers ? this.#remembered.get(path) : undefined
    const headers = {
      accept: 'application/vnd.github.v3+json',
      'x-github-api-version': '2022-11-28',
      authorization: `Bearer ${await this.#proof(signal)}`,
      ...(known === undefined ? {} : { 'if-none-match': known.tag }),
    }
    const answer = await http.ask(this.#url(path), { signal, headers })
    this.#noteLimit(answer.headers)
    if (answer.status === 304 && known !== undefined) return known.said
    if (answer.status === 404) return undefined
    if (answer.status !== 200) {
      if (this.isLimited) throw new RateLimited('GitHub API rate limit exceeded')
      throw new AnswerError(`the GitHub REST API answered with status ${answer.status}`)
    }
    const said = jsonOf(answer, 'GitHub')
    const tag = textAt(answer.headers, 'etag')
    if (remembers && tag !== undefined) {
      this.#remembered.delete(path)
      this.#remembered.set(path, { tag, said })
      for (const [oldest] of this.#remembered) {
        if (this.#remembered.size <= mostRemembered) break
        this.#remembered.delete(oldest)
      }
    }
    return said
  }

  #url(path: string): URL {
    const { base } = this.#settings
    return new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base)
  }

  #noteLimit(headers: Readonly<Record<string, unknown>>): void {
    const number = (name: string) => {
      const value = Number(textAt(headers, name) ?? Number.NaN)
      return Number.isFinite(value) && value >= 0 ? value : undefined
    }
    const remaining = number('x-ratelimit-remaining')
    if (remaining === undefined) return
    const [reset, seconds] = [number('x-ratelimit-reset'), number('retry-after')]
    const afterMs = seconds === undefined ? 0 : this.#settings.clock.now() + seconds * 1_000
    const untilMs = Math.max(remaining === 0 && reset !== undefined ? reset * 1_000 : 0, afterMs)
    this.#limitedUntilMs = Math.min(untilMs, this.#settings.clock.now() + longestLimitMs)
  }

  async #proof(signal: AbortSignal): Promise<string> {
    const { proof, http, clock } = this.#settings
    if (typeof proof === 'string') return proof
    if (this.#token !== undefined && clock.now() < this.#token.untilMs - renewsBeforeMs) return this.#token.text
    const answer = await http.ask(this.#url(`/app/installations/${proof.installationId}/access_tokens`), {
      ...{ method: 'POST', signal },
      headers: { accept: 'application/vnd.github.v3+json', authorization: `Bearer ${wordOf(proof, clock.now())}` },
    })
    if (answer.status < 200 || answer.status > 299)
      throw new AnswerError(`GitHub gives the application no token: status ${answer.status}`)
    const said = jsonOf(answer, 'GitHub')
    const text = textAt(said, 'token')
    const untilMs = Date.parse(textAt(said, 'expires_at') ?? '')
    if (text === undefined || text === '' || Number.isNaN(untilMs))
      throw new AnswerError('GitHub answered without a token and its end')
    this.#token = { text, untilMs }
    return text
  }
}

/** A JSON web token that the application signs. */
function wordOf({ applicationId, key }: GithubApp, nowMs: number): string {
  const now = Math.floor(nowMs / 1_000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iat: now - skewSeconds, exp: now - skewSeconds + proofSeconds, iss: String(applicationId) }
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`
}
