// Whom a token speaks for and who may do what, asked of the API server behind us: TokenReview and SubjectAccessReview, with
// answers kept for ten seconds and a few tries where it does not answer.
import { createHash } from 'node:crypto'
import type { Api } from '../client/api.ts'
import type { Clock } from '../clock.ts'
import { messageOf } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import { StatusError } from '../objects/status.ts'
import type { Random } from '../random.ts'
import { absent, type Caller, type Proof } from './caller.ts'
import { ExpiringCache, SingleFlight } from './expiring-cache.ts'
import type { PathRequest, ResourceRequest } from './request-info.ts'

const tokenReviews = { group: 'authentication.k8s.io', version: 'v1', resource: 'tokenreviews' } as const
const accessReviews = { group: 'authorization.k8s.io', version: 'v1', resource: 'subjectaccessreviews' } as const

const standardLifeMs = 10_000
const tokensLimit = 8_192
const decisionsLimit = 8_192
/** Longer ones are asked each time: they would fill the cache with what one caller makes up. */
const largestAttributes = 10_000
const longestToken = 65_536
const reviewTimeoutMs = 10_000
const reviewTries = 5
const firstWaitMs = 500
const waitFactor = 1.5
const waitJitter = 0.2

/** How long answers are good; 0 asks each time. */
export interface ReviewLives {
  readonly tokenMs: number
  readonly allowedMs: number
  readonly refusedMs: number
}

interface ReviewsOptions {
  readonly api: Api
  /** Where it is asked who may do what. */
  readonly accessApi: Api
  /** Ten seconds each unless given. */
  readonly lives?: ReviewLives
  readonly clock: Clock
  readonly random: Random
  /** Ends what is being asked. */
  readonly signal: AbortSignal
}

interface Decision {
  readonly isAllowed: boolean
  readonly reason: string
}

/** What the API server says of callers. */
export class DelegatedReviews {
  readonly #options: ReviewsOptions
  readonly #tokens: ExpiringCache<Proof>
  readonly #decisions: ExpiringCache<Decision>
  readonly #tokenFlights = new SingleFlight<Proof>()
  readonly #decisionFlights = new SingleFlight<Decision>()

  constructor(options: ReviewsOptions) {
    this.#options = options
    this.#tokens = new ExpiringCache(options.clock, tokensLimit)
    this.#decisions = new ExpiringCache(options.clock, decisionsLimit)
  }

  /** Whom a bearer token speaks for. A server that cannot be asked is a failed proof, and is asked again next time. */
  async callerOf(token: string): Promise<Proof> {
    if (token === '') return absent
    if (token.length > longestToken) return { kind: 'failed', why: 'the token is too long' }
    // Tokens are not kept in memory longer than the request that brought them.
    const key = createHash('sha256').update(token).digest('base64')
    const known = this.#tokens.get(key)
    if (known !== undefined) return known
    return this.#tokenFlights.run(key, async () => {
      try {
        const proof = proofOf(await this.#ask(tokenReviews, 'TokenReview', { token }))
        this.#tokens.set(key, proof, this.#options.lives?.tokenMs ?? standardLifeMs)
        return proof
      } catch (error) {
        return { kind: 'failed', why: `the token could not be reviewed: ${messageOf(error)}` }
      }
    })
  }

  /** Whether `caller` may do what is asked. @throws Error when the server cannot be asked: then nobody may */
  async decide(caller: Caller, asked: ResourceRequest | PathRequest): Promise<Decision> {
    const spec = accessSpec(caller, asked)
    const key = JSON.stringify(spec)
    const known = this.#decisions.get(key)
    if (known !== undefined) return known
    return this.#decisionFlights.run(key, async () => {
      const status = await this.#ask(accessReviews, 'SubjectAccessReview', spec)
      const decision = { isAllowed: status['allowed'] === true && status['denied'] !== true, reason: textOf(status['reason']) }
      const { allowedMs = standardLifeMs, refusedMs = standardLifeMs } = this.#options.lives ?? {}
      const lifeMs = decision.isAllowed ? allowedMs : refusedMs
      if (attributesLength(asked) <= largestAttributes) this.#decisions.set(key, decision, lifeMs)
      return decision
    })
  }

  /** The status of a review. @throws Error after the last try */
  async #ask(resource: typeof tokenReviews | typeof accessReviews, kind: string, spec: object): Promise<Fields> {
    const { clock, random, signal } = this.#options
    const api = resource === tokenReviews ? this.#options.api : this.#options.accessApi
    const review = { apiVersion: `${resource.group}/${resource.version}`, kind, metadata: { name: '' }, spec }
    for (let attempt = 1, waitMs = firstWaitMs; ; attempt++, waitMs *= waitFactor) {
      try {
        const options = { signal, timeoutMs: reviewTimeoutMs }
        return fieldsOf((await api.resource<KubeObject>(resource).create(review, options))['status'])
      } catch (error) {
        if (signal.aborted || attempt >= reviewTries || !mayPass(error)) throw error
        await clock.after(waitMs * (1 + waitJitter * random()), signal)
      }
    }
  }
}

/** What another try may find gone: a broken connection, or an API server that is not well. */
function mayPass(error: unknown): boolean {
  return !(error instanceof StatusError) || error.code >= 500 || error.code === 429
}

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function proofOf(status: Fields): Proof {
  const user = fieldsOf(status['user'])
  const name = textOf(user['username'])
  if (status['authenticated'] !== true || name === '')
    return { kind: 'failed', why: textOf(status['error']) || 'the token is not good' }
  const uid = textOf(user['uid'])
  const extra = Object.entries(fieldsOf(user['extra'])).map(([key, values]) => [key, textsOf(values)] as const)
  return {
    kind: 'caller',
    caller: { name, ...(uid === '' ? {} : { uid }), groups: textsOf(user['groups']), extra: Object.fromEntries(extra) },
  }
}

function accessSpec(caller: Caller, asked: ResourceRequest | PathRequest): object {
  const attributes =
    asked.kind === 'path'
      ? { nonResourceAttributes: { path: asked.path, verb: asked.verb } }
      : {
          resourceAttributes: {
            namespace: asked.namespace ?? '',
            verb: asked.verb,
            group: asked.group,
            version: asked.version,
            resource: asked.resource,
            subresource: asked.subresource ?? '',
            name: asked.name ?? '',
          },
        }
  return {
    ...attributes,
    user: caller.name,
    groups: caller.groups,
    ...(caller.uid === undefined ? {} : { uid: caller.uid }),
    ...(Object.keys(caller.extra).length === 0 ? {} : { extra: caller.extra }),
  }
}

function attributesLength(asked: ResourceRequest | PathRequest): number {
  const parts =
    asked.kind === 'path'
      ? [asked.path, asked.verb]
      : [asked.namespace, asked.verb, asked.group, asked.version, asked.resource, asked.subresource, asked.name]
  return parts.reduce((length, part) => length + (part?.length ?? 0), 0)
}
