// What one viewer may do, as the API server says: asked for when it is needed, kept for a while, so that views need not wait for it.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { Turns } from '#kube/controllers/turns.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

/** One verb on one resource. */
export interface Right {
  readonly verb: string
  /** Empty for the core group. */
  readonly group: string
  readonly resource: string
  readonly namespace?: string
  readonly name?: string
}

/** Whether the viewer has it. @throws where the API server cannot be asked */
type AskRight = (right: Right, signal: AbortSignal) => Promise<boolean>

const reviewTimeoutMs = 10_000
/** Nobody waits longer for an answer than this: until it comes nothing is allowed. */
const longestWaitMs = 2_000
/** How long an answer holds: to read, and to act. */
const readingLifeMs = 60_000
const actingLifeMs = 10_000
/** After a review that failed the server is left alone for a moment. */
const afterFailureMs = 5_000
/** While the server cannot be asked its last answer holds, at most so long. */
const staleLifeMs = 600_000
const mostAtOnce = 8
/** Rights of one viewer; those not asked about for longest are forgotten first. */
const mostRights = 5_000

interface Known {
  readonly isAllowed: boolean
  readonly askedMs: number
}

/** `patch namespaces//shop`: the same for the same right. */
export function rightKey({ verb, group, resource, namespace = '', name = '' }: Right): string {
  return JSON.stringify([verb, group, resource, namespace, name])
}

export class ViewerRights {
  readonly #ask: AskRight
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #known = new Map<string, Known>()
  readonly #failedMs = new Map<string, number>()
  readonly #flights = new Map<string, Promise<void>>()
  readonly #turns = new Turns(mostAtOnce)

  /** `signal` ends what is being asked. */
  constructor(ask: AskRight, clock: Clock, signal: AbortSignal) {
    this.#ask = ask
    this.#clock = clock
    this.#signal = signal
  }

  /** What was answered last; undefined: nothing that still holds. */
  known(right: Right): boolean | undefined {
    const key = rightKey(right)
    const known = this.#known.get(key)
    if (known === undefined) return undefined
    const ageMs = this.#clock.elapsed() - known.askedMs
    return ageMs <= (this.#failedMs.has(key) ? staleLifeMs : lifeOf(right) + longestWaitMs) ? known.isAllowed : undefined
  }

  /** Asks for those of `rights` whose answers are too old. Resolves when all are known, or after two seconds; never rejects. */
  async learn(rights: Iterable<Right>): Promise<void> {
    const asked = Array.from(rights, right => this.#learnOne(right)).filter(one => one !== undefined)
    if (asked.length === 0) return
    const given = new AbortController()
    const waited = this.#clock.after(longestWaitMs, given.signal).catch(() => {
      // All were answered before.
    })
    await Promise.race([Promise.all(asked), waited])
    given.abort()
  }

  #learnOne(right: Right): Promise<void> | undefined {
    const key = rightKey(right)
    const nowMs = this.#clock.elapsed()
    const known = this.#known.get(key)
    if (known !== undefined && nowMs - known.askedMs < lifeOf(right)) return undefined
    const failedMs = this.#failedMs.get(key)
    if (failedMs !== undefined && nowMs - failedMs < afterFailureMs) return undefined
    const flying = this.#flights.get(key)
    if (flying !== undefined) return flying
    const flight = this.#review(key, right).finally(() => this.#flights.delete(key))
    this.#flights.set(key, flight)
    return flight
  }

  async #review(key: string, right: Right): Promise<void> {
    try {
      using _turn = await this.#turns.take(this.#signal)
      const isAllowed = await this.#ask(right, this.#signal)
      this.#failedMs.delete(key)
      this.#known.delete(key)
      this.#known.set(key, { isAllowed, askedMs: this.#clock.elapsed() })
    } catch {
      // Who cannot be asked about may nothing; it is asked again in a moment. The cause is in the log of the requests.
      this.#failedMs.delete(key)
      this.#failedMs.set(key, this.#clock.elapsed())
    }
    for (const map of [this.#known, this.#failedMs]) {
      for (const oldest of map.keys()) {
        if (map.size <= mostRights) break
        map.delete(oldest)
      }
    }
  }
}

function lifeOf({ verb }: Right): number {
  return verb === 'list' ? readingLifeMs : actingLifeMs
}

const selfReviews = { group: 'authorization.k8s.io', version: 'v1', resource: 'selfsubjectaccessreviews' } as const
const subjectReviews = { group: 'authorization.k8s.io', version: 'v1', resource: 'subjectaccessreviews' } as const

/** Asks whether whoever `api` speaks for may. */
export function askingForOneself(api: Api): AskRight {
  return (right, signal) => review(api, { kind: 'SelfSubjectAccessReview', of: selfReviews, subject: {}, right, signal })
}

/** Asks whether somebody else may: for this `api` needs the right to create SubjectAccessReviews. */
export function askingFor(api: Api, subject: { readonly name: string; readonly groups: readonly string[] }): AskRight {
  const user = { user: subject.name, groups: subject.groups }
  return (right, signal) => review(api, { kind: 'SubjectAccessReview', of: subjectReviews, subject: user, right, signal })
}

interface Review {
  readonly kind: string
  readonly of: typeof selfReviews | typeof subjectReviews
  readonly subject: object
  readonly right: Right
  readonly signal: AbortSignal
}

async function review(api: Api, { kind, of, subject, right, signal }: Review): Promise<boolean> {
  const { verb, group, resource, namespace = '', name = '' } = right
  const spec = { ...subject, resourceAttributes: { verb, group, version: '*', resource, namespace, name } }
  const object = { apiVersion: 'authorization.k8s.io/v1', kind, metadata: { name: '' }, spec }
  const answer = await api.resource<KubeObject>(of).create(object, { signal, timeoutMs: reviewTimeoutMs })
  const status: unknown = answer['status']
  return typeof status === 'object' && status !== null && isTrue(status, 'allowed') && !isTrue(status, 'denied')
}

function isTrue(status: object, field: string): boolean {
  return Reflect.get(status, field) === true
}
