// The stream: topics that a viewer may see, over one answer that goes on. What the viewer may see is asked again while it does.
import * as z from 'zod'
import { podsRight, type Reading } from '../access/reading-rights.ts'
import { type Right, rightKey } from '../access/rights.ts'
import type { Viewer } from '../access/viewer.ts'
import { freezeRights, mostMissed, type Seen } from '../access/viewing-of.ts'
import type { ApiError } from '../contract.ts'
import type { Picture } from '../picture.ts'
import type { StreamRefusal, StreamSink, Subscription, Told } from '../stream/subscription.ts'
import { topicKindOf } from '../stream/topics.ts'
import { type Answer, type FlowTarget, refusal } from './answer.ts'
import { badValue } from './query.ts'
import { type Call, getNow, type Route } from './route.ts'
import type { Services } from './services.ts'
import { forbidden } from './viewed.ts'

/** Names of topics, with commas between. */
const longestTopics = 2_048
/** How often it is asked whether the viewer still is and still may. */
const checkMs = 60_000
/** Views ask for several rights one after the other: they are asked for together. */
const gatherMs = 100

export const streamRoutes: readonly Route[] = [
  getNow('/api/v1/stream', { topics: z.string().min(1).max(longestTopics) }, async (call): Promise<Answer> => {
    const topics = [...new Set(call.query.topics.split(',').filter(topic => topic !== ''))]
    const stream = new ViewerStream(call, topics)
    const refused = await stream.begin()
    if (refused !== undefined) return refused
    return {
      kind: 'flow',
      status: 200,
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no',
        'cache-control': 'no-store, no-transform',
      },
      begin: target => stream.attach(target),
    }
  }),
]

class ViewerStream {
  readonly #services: Services
  readonly #viewer: Viewer
  readonly #topics: readonly string[]
  readonly #lastEventId: string | undefined
  readonly #ending = new AbortController()
  /** Rights that this stream's views asked for, by key. */
  readonly #more = new Map<string, Right>()
  #waiting: Uint8Array[] = []
  #target: FlowTarget | undefined
  #subscription: Subscription | undefined
  #missing: Disposable | undefined
  #key: string | undefined
  #epoch = ''
  #isChecking = false
  #cancelCheck: (() => void) | undefined
  #cancelGather: (() => void) | undefined

  constructor({ services, viewer, asked, picture }: Call<unknown>, topics: readonly string[]) {
    this.#services = services
    this.#viewer = viewer
    this.#topics = topics
    const last = asked.headers['last-event-id']
    this.#lastEventId = Array.isArray(last) ? last[0] : last
    for (const right of topics.flatMap(topic => topicRights(topic, picture))) this.#more.set(rightKey(right), right)
    asked.gone.addEventListener('abort', () => this.#end(), { once: true })
  }

  /**
   * Subscribes; what is to be answered where that is refused. Topics that the viewer may not see are told as withheld, also where these are
   * all: a refused stream would read as a session that is over.
   */
  async begin(): Promise<Answer | undefined> {
    const { access, source, signal, hub } = this.#services
    const picture = source.current()
    const seen = await access.seen(this.#viewer, picture, [...this.#more.values()])
    if (this.#topics.length === 0 || this.#topics.some(topic => topicKindOf(topic) === undefined)) return noTopics
    if (this.#ending.signal.aborted || this.#viewer.ended?.aborted === true) return ended
    const subscription = hub.subscribe({ ...this.#told(seen), lastEventId: this.#lastEventId, sink: this.#sink() })
    if (!subscription.accepted) return refusalOf(subscription)
    this.#subscription = subscription
    this.#checkLater()
    const end = source.onChange(() => this.#lookAt(source.current()))
    this.#epoch = lifeOf(picture)
    const over = this.#viewer.ended
    const signOut = () => this.#subscription?.end('session-ended')
    over?.addEventListener('abort', signOut, { once: true })
    const shutDown = () => this.#subscription?.end('shutdown')
    signal.addEventListener('abort', shutDown, { once: true })
    this.#ending.signal.addEventListener('abort', () => {
      end()
      over?.removeEventListener('abort', signOut)
      signal.removeEventListener('abort', shutDown)
    })
    return undefined
  }

  /** From now on bytes go there; those that waited first. */
  attach(target: FlowTarget): void {
    this.#target = target
    target.ended.addEventListener('abort', () => this.#end(), { once: true })
    for (const bytes of this.#waiting) target.write(bytes)
    this.#waiting = []
    if (this.#ending.signal.aborted) target.end()
  }

  /** What `seen` may be told, and what is said of the rest. */
  #told(seen: Seen): Told {
    const hidden = hiddenTopics(this.#topics, seen)
    this.#key = seen.viewing.key
    this.#missing?.[Symbol.dispose]()
    this.#missing = this.#services.access.onMiss(this.#key, right => this.#missed(right))
    return {
      topics: this.#topics.filter(topic => !hidden.has(topic)),
      viewing: seen.viewing,
      withheld: Array.from(hidden, ([topic, { what, right }]) => ({ topic, error: errorOf(what, right) })),
    }
  }

  #sink(): StreamSink {
    return {
      write: bytes => this.#write(bytes),
      drained: () => this.#target?.drained() ?? Promise.resolve(),
      ended: this.#ending.signal,
      end: () => this.#end(),
    }
  }

  #write(bytes: Uint8Array): boolean {
    if (this.#target !== undefined) return this.#target.write(bytes)
    this.#waiting.push(bytes)
    return true
  }

  #missed(right: Right): void {
    if (this.#more.size >= mostMissed || this.#more.has(rightKey(right))) return
    this.#more.set(rightKey(right), right)
    this.#services.access.want(this.#viewer, [right])
    this.#cancelGather ??= this.#services.clock.schedule(gatherMs, () => {
      this.#cancelGather = undefined
      void this.#check()
    })
  }

  /** What was said of rights while a cluster was loaded, or of another one, is said again. */
  #lookAt(picture: Picture): void {
    const life = lifeOf(picture)
    if (life === this.#epoch) return
    this.#epoch = life
    void this.#check()
  }

  #checkLater(): void {
    this.#cancelCheck = this.#services.clock.schedule(checkMs, () => {
      this.#checkLater()
      void this.#check()
    })
  }

  async #check(): Promise<void> {
    if (this.#isChecking || this.#ending.signal.aborted) return
    this.#isChecking = true
    try {
      if (!(await this.#viewer.stillIs())) {
        this.#subscription?.end('session-ended')
        return
      }
      const picture = this.#services.source.current()
      const seen = await this.#services.access.seen(this.#viewer, picture, [...this.#more.values()])
      if (this.#ending.signal.aborted || seen.viewing.key === this.#key) return
      this.#subscription?.change(this.#told(seen))
    } finally {
      this.#isChecking = false
    }
  }

  #end(): void {
    if (this.#ending.signal.aborted) return
    this.#ending.abort()
    this.#cancelCheck?.()
    this.#cancelGather?.()
    this.#missing?.[Symbol.dispose]()
    this.#target?.end()
  }
}

/** Changes with what the rights depend on. */
function lifeOf({ epoch, loading, mode }: Picture): string {
  return `${epoch} ${mode} ${loading === undefined}`
}

function errorOf(what: string, right: Right): ApiError['error'] {
  const { error }: ApiError = JSON.parse(String(forbidden(what, right).body))
  return error
}

interface Hidden {
  readonly what: string
  readonly right: Right
}

const readingOf: Readonly<Record<string, { readonly what: string; readonly reading: Reading }>> = {
  overview: { what: 'nodes', reading: 'nodes' },
  node: { what: 'nodes', reading: 'nodes' },
  images: { what: 'images', reading: 'nodes' },
  page: { what: 'pages', reading: 'nodes' },
  plan: { what: 'plans', reading: 'plans' },
  permits: { what: 'permits', reading: 'permits' },
}

/** The topics that the viewer may not see, each with what is lacking. */
function hiddenTopics(topics: readonly string[], seen: Seen): ReadonlyMap<string, Hidden> {
  const hidden = new Map<string, Hidden>()
  for (const topic of topics) {
    const kind = topicKindOf(topic)
    const needs = kind === undefined ? undefined : readingOf[kind]
    const right = needs === undefined ? undefined : seen.lacking(needs.reading)
    if (needs !== undefined && right !== undefined) hidden.set(topic, { what: needs.what, right })
    const namespace = kind === 'workload' ? workloadOf(topic).namespace : null
    if (namespace !== null && !seen.viewing.sees(namespace)) {
      hidden.set(topic, { what: topic.slice(topic.indexOf(':') + 1), right: podsRight(namespace) })
    }
  }
  return hidden
}

/** What the views of one topic are sure to ask. */
function topicRights(topic: string, { ownNamespace }: Picture): readonly Right[] {
  if (topicKindOf(topic) !== 'workload') return []
  const ref = workloadOf(topic)
  const reading = ref.namespace === null ? [] : [podsRight(ref.namespace)]
  return [...reading, ...freezeRights(ref, ownNamespace)]
}

function workloadOf(topic: string) {
  const [namespace = '', kind = '', name = ''] = topic.slice(topic.indexOf(':') + 1).split('/')
  return { namespace: namespace === '' ? null : namespace, kind, name }
}

const noTopics = badValue(
  'topics',
  '',
  'names of topics with commas between: overview, permits, twin, plan:NAME, node:NAME, workload:NS/KIND/NAME',
)

const ended = refusal('dashboard-ends', { status: 503, message: 'The dashboard is ending.', headers: { 'retry-after': '5' } })

function refusalOf({ because, limit, retryAfterSeconds }: StreamRefusal): Answer {
  if (because === 'topics') return badValue('topics', '', `1 to ${limit} topics`)
  if (because === 'ended') return ended
  const whose = because === 'streams' ? '' : ' of yours'
  return refusal('too-many-streams', {
    status: 503,
    message: `${limit} streams${whose} are open, and no more are kept.`,
    remedy: 'Close other tabs, or ask again in a while; the page asks by itself.',
    headers: { 'retry-after': String(retryAfterSeconds) },
  })
}
