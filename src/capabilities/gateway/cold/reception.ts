// What the gateway does for those that wait: starts are followed and learned, pages kept up to date, models loaded, lists answered from memory.
import type { Registry } from 'prom-client'
import { request } from 'undici'
import type { Dial } from '#kube/client/dispatcher.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Endpoint } from '../endpoints/targets.ts'
import { CachedLists } from '../llm/cached-lists.ts'
import { WarmModels } from '../llm/warm-model.ts'
import type { Route } from '../routing/route.ts'
import type { BootObjects } from './boot-facts.ts'
import { BootWatch } from './boot-watch.ts'
import { ColdStarts, type Progress } from './cold-start.ts'
import { coldStartMetrics } from './cold-start-metrics.ts'
import type { Boot } from './learned-boots.ts'
import { ProgressStreams } from './progress-stream.ts'
import { retryAfterSeconds } from './ready-estimate.ts'

/** What a start is followed by. */
interface Watched {
  readonly objects: BootObjects
  readonly changing: ConstructorParameters<typeof BootWatch>[0]['changing']
}

interface ReceptionOptions {
  readonly clock: Clock
  readonly log: Log
  /** Absent: nobody collects. */
  readonly metrics?: Registry | undefined
  readonly watched: Watched
  readonly dial?: Dial | undefined
  readonly routeOf: (key: string) => Route | undefined
  /** Ready endpoints, whether they have their model or not, and requests that are with them. */
  readonly trafficOf: (key: string) => { readonly endpoints: number; readonly isAsked: boolean }
  readonly isReady: (key: string) => boolean
  /** People look at the page of a route. */
  readonly onWanted: (key: string) => void
  /** One more endpoint of a route has its model. */
  readonly onWarm: (key: string) => void
  /** What is known of a route's starts after one more. */
  readonly onLearned: (key: string, boots: readonly Boot[]) => void
}

export class Reception implements Disposable {
  readonly starts: ColdStarts
  readonly pages: ProgressStreams
  readonly lists: CachedLists
  readonly #models: WarmModels<Endpoint>
  readonly #watch: BootWatch

  constructor(options: ReceptionOptions) {
    const { clock, log, metrics, watched, dial, routeOf, trafficOf, isReady, onWanted, onWarm, onLearned } = options
    this.starts = new ColdStarts({ clock, metrics: metrics === undefined ? undefined : coldStartMetrics(metrics), onLearned })
    this.#models = new WarmModels<Endpoint>({
      ...{ clock, log },
      ask: (endpoint, asked, signal) => askedOf(endpoint, asked, { dial, signal }),
      onWarm: key => {
        this.look(key)
        onWarm(key)
      },
    })
    this.#watch = new BootWatch({
      ...{ clock, starts: this.starts, objects: watched.objects, changing: watched.changing, routeOf },
      trafficOf: key => ({ ...trafficOf(key), loading: this.#models.loading(key) }),
    })
    this.pages = new ProgressStreams({ clock, starts: this.starts, isReady, onWanted })
    this.lists = new CachedLists(clock)
  }

  /** Somebody waits for the target of a route. */
  begin(key: string): void {
    if (this.starts.begin(key)) this.#watch.look(key)
  }

  /** Endpoints or requests of a route changed. */
  look(key: string): void {
    if (this.starts.progress(key) !== undefined) this.#watch.look(key)
  }

  progress(key: string): Progress | undefined {
    return this.starts.progress(key)
  }

  /** Seconds after which another try is worth it. */
  retryAfterSeconds(key: string): number {
    return retryAfterSeconds(this.starts.leftMs(key))
  }

  /** Endpoints of a route that have the model; the others are asked to load it, each once. */
  warm(key: string, model: string, ready: readonly Endpoint[]): readonly Endpoint[] {
    return this.#models.warm(key, model, ready)
  }

  /** A route is no more. */
  forget(key: string): void {
    this.starts.forget(key)
    this.lists.forget(key)
    this.#models.forget(key)
  }

  [Symbol.dispose](): void {
    this.pages[Symbol.dispose]()
    this.#watch[Symbol.dispose]()
    this.#models[Symbol.dispose]()
    this.starts[Symbol.dispose]()
  }
}

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: readonly string[]
  readonly body: string
}

/** @returns the status. @throws Error where nobody answers */
async function askedOf(
  endpoint: Endpoint,
  asked: Asked,
  { dial, signal }: { readonly dial: Dial | undefined; readonly signal: AbortSignal },
): Promise<number> {
  const { host, port } = dial === undefined ? endpoint : await dial(endpoint.host, endpoint.port)
  const { statusCode, body } = await request(`http://${host.includes(':') ? `[${host}]` : host}:${port}${asked.path}`, {
    method: 'POST',
    headers: [...asked.headers],
    body: asked.body,
    headersTimeout: 0,
    bodyTimeout: 0,
    signal,
  })
  await body.dump({ limit: mostAnswerBytes, signal })
  return statusCode
}

/** Bytes of what a server says to a model that is loaded. */
const mostAnswerBytes = 64 * 1024
