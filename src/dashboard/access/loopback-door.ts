// The door of mode `loopback`: whoever reaches the port is `local`, with the rights of the process. On a machine shared with others a
// one-time key in the printed address is demanded, and a cookie from then on.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { redirect, refusal } from '../http/answer.ts'
import type { Asked } from '../http/asked.ts'
import { cookieOf, isSameSecret, newSecret, setCookie } from './cookies.ts'
import { askingForOneself, ViewerRights } from './rights.ts'
import type { Admission, Door, Viewer } from './viewer.ts'

interface LoopbackOptions {
  readonly api: Api
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly basePath: string
  /** Undefined: none is demanded. */
  readonly key: string | undefined
  /** Cookies know no ports: two dashboards of one machine have two names. */
  readonly cookieName: () => string
}

export class LoopbackDoor implements Door {
  readonly #options: LoopbackOptions
  readonly #viewer: Viewer
  /** What the cookie says once the key was shown. */
  #cookie: string | undefined

  constructor(options: LoopbackOptions) {
    const { api, clock, signal } = options
    this.#options = options
    this.#viewer = {
      name: 'local',
      groups: [],
      id: 'local',
      rights: new ViewerRights(askingForOneself(api), clock, signal),
      isReadingAll: true,
      api,
      isSpokenFor: false,
      ended: undefined,
      stillIs: () => Promise.resolve(true),
    }
  }

  admit(asked: Asked): Promise<Admission> {
    return Promise.resolve(this.#admission(asked))
  }

  #admission(asked: Asked): Admission {
    const { key, basePath, cookieName } = this.#options
    const shown = asked.query.get('key')
    const cookie = cookieOf(asked.headers.cookie, cookieName())
    const isKnown =
      key === undefined || (this.#cookie !== undefined && cookie !== undefined && isSameSecret(cookie, this.#cookie))
    // The key is of no use any more, but it must not stay in the address.
    if (isKnown && shown !== null && !isApi(asked))
      return { kind: 'answer', answer: redirect(303, addressWithoutKey(asked, basePath)) }
    if (isKnown) return { kind: 'viewer', viewer: this.#viewer }
    if (shown !== null && this.#cookie === undefined && isSameSecret(shown, key) && isMeant(asked)) {
      this.#cookie = newSecret()
      const given = setCookie(cookieName(), this.#cookie, { path: basePath, isSecure: false })
      return { kind: 'answer', answer: redirect(303, addressWithoutKey(asked, basePath), { 'set-cookie': given }) }
    }
    return { kind: 'refused', canSignIn: false, refusal: this.#refusal(shown !== null) }
  }

  #refusal(isShown: boolean) {
    const isUsed = isShown && this.#cookie !== undefined
    return refusal('key-needed', {
      status: 401,
      message: isUsed
        ? 'This key was used already, by another browser.'
        : isShown
          ? 'This key is not the one that was printed.'
          : 'This dashboard wants the key that was printed when it started.',
      remedy: isUsed ? 'Start it again: it prints a new key.' : 'Open the whole address that was printed, with ?key=…',
    })
  }
}

function isApi({ segments }: Asked): boolean {
  return segments[0] === 'api'
}

/** A browser that only looks ahead does not use the key up. */
function isMeant({ method, headers }: Asked): boolean {
  return method === 'GET' && !/prefetch|prerender/i.test(String(headers['sec-purpose'] ?? headers['purpose'] ?? ''))
}

function addressWithoutKey({ path, query }: Asked, basePath: string): string {
  const rest = new URLSearchParams(query)
  rest.delete('key')
  return `${basePath}${path.replace(/^\/+/, '')}${rest.size === 0 ? '' : `?${rest}`}`
}
