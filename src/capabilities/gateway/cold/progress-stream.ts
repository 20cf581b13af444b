// Keeps pages of waiting people up to date: one event a second, and one that says that the target is ready.
import type { Cancel, Clock } from '#kube/clock.ts'
import type { ColdStarts } from './cold-start.ts'
import { waitView } from './wait-view.ts'

/** Pages that are kept up to date; further ones ask again by themselves. */
const mostOfRoute = 200
const mostOfAll = 1_000
const everyMs = 1_000
/** The browser connects anew after the end, so that no connection lives for ever. */
const longestMs = 600_000
/** People who look at the page want the target; it is said so often. */
const wantedMs = 10_000

/** The client's side of a stream. */
interface Sink {
  answer(status: number, reason: string, headers: readonly string[]): void
  /** False: `onDrain` says when more is taken. */
  write(chunk: string): boolean
  onDrain(drained: () => void): void
  end(): void
  /** Called once, when all is sent or the connection is gone. */
  onClose(closed: () => void): void
}

class Stream {
  readonly sink: Sink
  readonly untilMs: number
  isFull = false

  constructor(sink: Sink, untilMs: number) {
    this.sink = sink
    this.untilMs = untilMs
  }

  /** Nothing is sent to a client that has not taken what was sent before: the next view says more. */
  write(text: string): void {
    if (this.isFull || this.sink.write(text)) return
    this.isFull = true
    this.sink.onDrain(() => {
      this.isFull = false
    })
  }
}

/** The streams of one route. */
interface Watched {
  readonly streams: Set<Stream>
  readonly watch: Disposable
  cancel: Cancel
  wantedMs: number
}

export class ProgressStreams implements Disposable {
  readonly #clock: Clock
  readonly #starts: Pick<ColdStarts, 'progress' | 'watch'>
  readonly #isReady: (route: string) => boolean
  readonly #onWanted: (route: string) => void
  readonly #routes = new Map<string, Watched>()
  #all = 0

  /** `onWanted` is called again and again while somebody looks at a page of the route. */
  constructor(options: {
    readonly clock: Clock
    readonly starts: Pick<ColdStarts, 'progress' | 'watch'>
    readonly isReady: (route: string) => boolean
    readonly onWanted: (route: string) => void
  }) {
    this.#clock = options.clock
    this.#starts = options.starts
    this.#isReady = options.isReady
    this.#onWanted = options.onWanted
  }

  /** Pages that are kept up to date at this moment. */
  get size(): number {
    return this.#all
  }

  /** Answers with a stream of the route's progress. @returns false: there are too many, and nothing was sent */
  open(route: string, sink: Sink): boolean {
    const known = this.#routes.get(route)
    if (this.#all >= mostOfAll || (known?.streams.size ?? 0) >= mostOfRoute) return false
    sink.answer(200, 'OK', [
      ...['Content-Type', 'text/event-stream; charset=utf-8', 'Cache-Control', 'no-store'],
      ...['X-Accel-Buffering', 'no', 'X-Content-Type-Options', 'nosniff'],
    ])
    const stream = new Stream(sink, this.#clock.elapsed() + longestMs)
    const watched = known ?? this.#begin(route)
    watched.streams.add(stream)
    this.#all++
    sink.onClose(() => this.#drop(route, stream))
    // A client of the same moment may be gone.
    if (!watched.streams.has(stream)) return true
    stream.write('retry: 3000\n\n')
    stream.write(this.#isReady(route) ? readyEvent : this.#event(route))
    if (this.#isReady(route)) this.#end(route, stream)
    return true
  }

  [Symbol.dispose](): void {
    for (const [route, { streams }] of [...this.#routes]) for (const stream of [...streams]) this.#end(route, stream)
  }

  #begin(route: string): Watched {
    const watched: Watched = {
      streams: new Set(),
      watch: this.#starts.watch(route, () => this.#tell(route)),
      cancel: this.#clock.schedule(everyMs, () => this.#tick(route)),
      wantedMs: this.#clock.elapsed(),
    }
    this.#routes.set(route, watched)
    this.#onWanted(route)
    return watched
  }

  #tick(route: string): void {
    const watched = this.#routes.get(route)
    if (watched === undefined) return
    const nowMs = this.#clock.elapsed()
    watched.cancel = this.#clock.schedule(everyMs, () => this.#tick(route))
    if (nowMs - watched.wantedMs >= wantedMs) {
      watched.wantedMs = nowMs
      this.#onWanted(route)
    }
    this.#tell(route)
    for (const stream of [...watched.streams]) if (nowMs >= stream.untilMs) this.#end(route, stream)
  }

  /** One text for all that look. */
  #tell(route: string): void {
    const watched = this.#routes.get(route)
    if (watched === undefined) return
    const isReady = this.#isReady(route)
    const text = isReady ? readyEvent : this.#event(route)
    for (const stream of [...watched.streams]) {
      stream.write(text)
      if (isReady) this.#end(route, stream)
    }
  }

  #event(route: string): string {
    return `event: progress\ndata: ${JSON.stringify(waitView(this.#starts.progress(route)))}\n\n`
  }

  #end(route: string, stream: Stream): void {
    this.#drop(route, stream)
    stream.sink.end()
  }

  #drop(route: string, stream: Stream): void {
    const watched = this.#routes.get(route)
    if (watched === undefined || !watched.streams.delete(stream)) return
    this.#all--
    if (watched.streams.size > 0) return
    watched.cancel()
    watched.watch[Symbol.dispose]()
    this.#routes.delete(route)
  }
}

const readyEvent = 'event: ready\ndata: {}\n\n'
