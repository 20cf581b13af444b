// The door of mode `token`: a bearer token is shown once, reviewed by the API server, and stands behind a cookie from then on.
import { createHash } from 'node:crypto'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { empty, json, refusal, type WholeAnswer } from '../http/answer.ts'
import type { Asked } from '../http/asked.ts'
import { cookieOf, setCookie } from './cookies.ts'
import { askingForOneself, ViewerRights } from './rights.ts'
import { longestSessionMs, type Session, Sessions } from './sessions.ts'
import { expiryOf, reviewToken } from './token-review.ts'
import type { Admission, Door } from './viewer.ts'

/** The prefix holds the browser to `Secure`, this host alone and `Path=/`. */
const sessionCookie = '__Host-ballast'
export const longestToken = 12_000
/** A token that was taken back ends its session within this time. */
const reviewLifeMs = 60_000

interface TokenDoorOptions {
  readonly api: Api
  readonly viewerApi: (token: string) => Api
  readonly audiences: readonly string[]
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

export class TokenDoor implements Door, Disposable {
  readonly #options: TokenDoorOptions
  readonly #sessions: Sessions

  constructor(options: TokenDoorOptions) {
    this.#options = options
    this.#sessions = new Sessions(options.clock)
  }

  async admit(asked: Asked): Promise<Admission> {
    const id = cookieOf(asked.headers.cookie, sessionCookie)
    const session = id === undefined ? undefined : this.#sessions.of(id)
    if (id === undefined || session === undefined)
      return { kind: 'refused', canSignIn: true, refusal: this.#refusal(id !== undefined) }
    if (!(await this.#isStillGood(id, session))) return { kind: 'refused', canSignIn: true, refusal: this.#refusal(true) }
    return { kind: 'viewer', viewer: session.viewer }
  }

  /** `POST /api/v1/session`: reviews the token and begins a session. */
  async signIn(token: string): Promise<WholeAnswer> {
    const { api, audiences, signal, clock, viewerApi, log } = this.#options
    let reviewed: Awaited<ReturnType<typeof reviewToken>>
    try {
      reviewed = await reviewToken(api, token, { audiences, signal })
    } catch (error) {
      log.warn({ err: messageOf(error) }, 'a token could not be reviewed')
      return refusal('token-not-reviewed', {
        status: 503,
        message: 'The API server cannot be asked whether this token is good.',
        remedy: 'Try again in a moment.',
        headers: { 'retry-after': '5' },
      })
    }
    if (!reviewed.isGood) {
      log.info({ because: reviewed.because }, 'a sign-in was refused')
      return refusal('token-refused', {
        status: 401,
        message: 'The API server does not take this token.',
        remedy: 'Take a new one, as from kubectl create token NAME.',
      })
    }
    const nowMs = clock.now()
    const expiryMs = expiryOf(token)
    // The server just took it: an end that lies behind is told by another clock, and the next review tells.
    const endsMs = Math.min(
      nowMs + longestSessionMs,
      expiryMs === undefined || expiryMs <= nowMs ? Number.POSITIVE_INFINITY : expiryMs,
    )
    const { name, groups } = reviewed
    const own = viewerApi(token)
    const { id } = this.#sessions.open(token, endsMs, (secret, ended) => ({
      name,
      groups,
      id: createHash('sha256').update(secret).digest('base64url'),
      rights: new ViewerRights(askingForOneself(own), clock, AbortSignal.any([ended, signal])),
      isReadingAll: false,
      api: own,
      isSpokenFor: false,
      ended,
      stillIs: async () => {
        const session = this.#sessions.of(secret)
        return session !== undefined && (await this.#isStillGood(secret, session))
      },
    }))
    const cookie = setCookie(sessionCookie, id, { path: '/', maxAgeSeconds: (endsMs - nowMs) / 1_000, isSecure: true })
    return json({ name, groups }, { headers: { 'set-cookie': cookie } })
  }

  /** `DELETE /api/v1/session`: ends it, with its streams. */
  signOut(asked: Asked): WholeAnswer {
    const id = cookieOf(asked.headers.cookie, sessionCookie)
    if (id !== undefined) this.#sessions.end(id)
    return empty(204, { 'set-cookie': setCookie(sessionCookie, '', { path: '/', maxAgeSeconds: 0, isSecure: true }) })
  }

  [Symbol.dispose](): void {
    this.#sessions[Symbol.dispose]()
  }

  /** Looks at the token again once a minute. While nobody can be asked the session goes on. */
  async #isStillGood(id: string, session: Session): Promise<boolean> {
    const { api, audiences, signal, clock, log } = this.#options
    if (clock.elapsed() - session.checkedMs < reviewLifeMs) return true
    const before = session.checkedMs
    session.checkedMs = clock.elapsed()
    try {
      const reviewed = await reviewToken(api, session.token, { audiences, signal })
      if (reviewed.isGood && reviewed.name === session.viewer.name) return true
      this.#sessions.end(id)
      return false
    } catch (error) {
      session.checkedMs = before
      log.warn({ err: messageOf(error) }, 'the token of a session could not be reviewed again')
      return true
    }
  }

  #refusal(wasSignedIn: boolean): WholeAnswer {
    return refusal(wasSignedIn ? 'session-over' : 'sign-in-needed', {
      status: 401,
      message: wasSignedIn ? 'Your session is over.' : 'You are not signed in.',
      remedy: 'Sign in with a bearer token of the cluster.',
    })
  }
}
