// One receiver of CloudEvents: what waits for it is bounded, each request has its time, and what cannot be delivered is dropped, counted and
// said. Nobody else waits for it.
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { AnswerError } from '#kube/outside-error.ts'
import { type SourceHttp, successOf, urlOf } from '../scalers/outgoing.ts'
import { type Notice, type NoticePlace, requestOf } from './cloud-event.ts'

/** Events that wait for one receiver; upstream keeps as many for all. */
const mostQueued = 1024
/** Requests to one receiver at a time. */
const atOnce = 2
/** Upstream sends once and tries five times more, at once; ours waits. */
const mostAttempts = 6
const firstRetryMs = 1_000
/** Bytes of an answer that are looked at: nothing is done with it. */
const mostAnswerBytes = 1024
const mostRedirects = 3

interface SinkOptions {
  readonly uri: string
  readonly place: NoticePlace
  readonly http: SourceHttp
  readonly clock: Clock
  /** Told each attempt. */
  readonly onSent: (notice: Notice, state: 'emitted' | 'failed') => void
  /** It fails from now on, or no longer; or it dropped more. */
  readonly onChange: () => void
}

export class Sink implements AsyncDisposable {
  readonly #options: SinkOptions
  readonly #queue: Notice[] = []
  readonly #stop = new AbortController()
  readonly #workers = new Set<Promise<void>>()
  #failure: string | undefined
  #dropped = 0

  constructor(options: SinkOptions) {
    this.#options = options
  }

  /** Why the last event could not be delivered; undefined: it was, or there was none. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** How many events it never got. */
  get dropped(): number {
    return this.#dropped
  }

  get queued(): number {
    return this.#queue.length
  }

  /** Sends it when its turn comes. Returns at once. */
  offer(notice: Notice): void {
    if (this.#stop.signal.aborted) return
    if (this.#queue.length >= mostQueued) {
      this.#drop(`more than ${mostQueued} events wait for it`)
      return
    }
    this.#queue.push(notice)
    if (this.#workers.size >= atOnce) return
    const worker = this.#work().finally(() => this.#workers.delete(worker))
    this.#workers.add(worker)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('nobody is told any more', 'AbortError'))
    this.#queue.length = 0
    await Promise.all(this.#workers)
    await this.#options.http[Symbol.asyncDispose]()
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    const { signal } = this.#stop
    for (let notice = this.#queue.shift(); notice !== undefined && !signal.aborted; notice = this.#queue.shift())
      await this.#deliver(notice, signal)
  }

  async #deliver(notice: Notice, signal: AbortSignal): Promise<void> {
    const { clock, onSent, onChange } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#send(notice, signal)
        onSent(notice, 'emitted')
        if (this.#failure === undefined) return
        this.#failure = undefined
        onChange()
        return
      } catch (error) {
        if (signal.aborted) return
        onSent(notice, 'failed')
        if (attempt >= mostAttempts) {
          this.#drop(messageOf(error))
          return
        }
      }
      try {
        await clock.after(firstRetryMs * 2 ** (attempt - 1), signal)
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
    }
  }

  /** @throws Error why it was not taken; `signal.reason` */
  async #send(notice: Notice, signal: AbortSignal): Promise<void> {
    const { http, place, uri } = this.#options
    const request = requestOf(notice, place)
    let url = urlOf(uri)
    for (let followed = 0; ; followed++) {
      const answer = await http.ask(url, {
        ...{ ...request, method: 'POST', signal },
        ...{ mostBytes: mostAnswerBytes, whenLonger: 'cut', mostRedirects: 0 },
      })
      if (answer.status < 300 || answer.status > 399) {
        successOf(answer, 'the receiver')
        return
      }
      // The other redirects would ask for a page in place of sending the event.
      const { location } = answer.headers
      const isSendable = answer.status === 307 || answer.status === 308
      if (!isSendable || typeof location !== 'string' || !URL.canParse(location, url.href) || followed >= mostRedirects)
        throw new AnswerError(`the receiver redirects with status ${answer.status}`)
      const next = new URL(location, url)
      if (next.origin !== url.origin) throw new AnswerError(`the receiver redirects to another server, ${next.host}`)
      url = next
    }
  }

  #drop(why: string): void {
    this.#dropped++
    this.#failure = why
    this.#options.onChange()
  }
}
