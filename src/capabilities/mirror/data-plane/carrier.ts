// Between the front and nginx: what a request that came by it says besides, and the headers of an answer whose body nginx is to carry.
import type { IncomingMessage } from 'node:http'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { CarriedBody, FoundElsewhere } from '../contract.ts'
import type { ContentHead } from '../front/answers.ts'
import type { CarriedAnswer, Carrier } from '../front/registry-front.ts'
import { type BodyOrders, type Carried, lost, type Order } from './body-orders.ts'
import { filePath, peerPath, planeHeaders } from './nginx-configuration.ts'
import { type Written, writtenBy } from './worker-bytes.ts'

/** Peers after another for one request: each is a way through nginx's own paths, of which it allows ten. */
const mostPeers = 3
/** So often it is looked whether peers give enough. */
const lookMs = 1_000
/** Judged over all of its time, a body whose length is not known would hide behind what its process wrote for others long ago. */
const windowMs = 10_000
/** All of it may have been written, and nginx said nothing of it for so long: its word is lost, as on a full disk. */
const silentMs = 60_000
/** What is wrong with files is said so often at most. */
const toldAgainMs = 60_000

interface Fetching {
  readonly order: Order
  readonly body: CarriedBody
  /** From when on it is judged, and what its process had written by then, or a little before; undefined: that cannot be seen. */
  since: Sample | undefined
}

/** What a process had written at a time of the clock's `elapsed`. */
interface Sample {
  readonly ms: number
  readonly written: number
}

interface CarrierOptions {
  readonly orders: BodyOrders
  readonly clock: Clock
  readonly log: Log
  /** Hears what nginx said of bodies that have ended. */
  readonly hear: () => void
  /** Ends a process of nginx with what it carries. */
  readonly endWorker: (worker: number) => void
  /** What is seen of what a process has written; left out: as the kernel counts it. */
  readonly written?: (worker: number) => Written
}

export class NginxCarrier implements Carrier, Disposable {
  readonly #options: CarrierOptions
  readonly #fetching = new Set<Fetching>()
  /** The last of each process: taken once a second at most, however many bodies begin. */
  #samples: ReadonlyMap<number, Sample> = new Map()
  /** Processes that were gone at the last look. */
  #gone: ReadonlySet<number> = new Set()
  #cancelLook: (() => void) | undefined
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(options: CarrierOptions) {
    this.#options = options
  }

  remote({ headers }: IncomingMessage): string | undefined {
    return textOf(headers[planeHeaders.remote])
  }

  failed({ headers }: IncomingMessage): readonly string[] | undefined {
    // Who asks again because a body ended is answered by what is known of that.
    this.#options.hear()
    const again = numberOf(headers[planeHeaders.again])
    const failed = again === undefined ? [] : this.#options.orders.failed(again)
    return failed.length >= mostPeers ? undefined : failed
  }

  waitedMs({ headers }: IncomingMessage): number {
    const seconds = Number(headers[planeHeaders.since])
    // A clock that was set says nothing.
    return seconds > 0 ? Math.max(0, this.#options.clock.now() - seconds * 1_000) : 0
  }

  file(path: string, { status, headers: told, length }: ContentHead, request: IncomingMessage): CarriedAnswer {
    const { number, ended } = this.#options.orders.give({ ...this.#by(request), length, peer: undefined }, insteadOf(request))
    this.#lookSoon()
    void ended.then(carried => this.#judgeFile(path, carried))
    return { headers: { ...told, ...noBody, 'x-accel-redirect': filePath(number, path, status === 206) }, ended }
  }

  peer({ place, digest, mediaType, length }: Omit<FoundElsewhere, 'outcome'>, request: IncomingMessage): CarriedAnswer {
    const { peer, way, range, authorization } = place
    const order = this.#options.orders.give({ ...this.#by(request), length, peer }, insteadOf(request))
    this.#watch(order, place.begin())
    const headers = {
      'content-type': range === undefined ? mediaType : 'application/octet-stream',
      'docker-content-digest': digest,
      ...noBody,
      'x-accel-redirect': peerPath(order.number, way, place),
      ...(range === undefined ? {} : { [planeHeaders.range]: range }),
      ...(length === undefined ? {} : { [planeHeaders.length]: length }),
      ...(authorization === undefined ? {} : { [planeHeaders.authorization]: authorization }),
    }
    return { headers, ended: order.ended }
  }

  [Symbol.dispose](): void {
    this.#cancelLook?.()
  }

  #by({ headers }: IncomingMessage): { readonly worker: number } {
    return { worker: numberOf(headers[planeHeaders.worker]) ?? 0 }
  }

  /** A file that the agent sees and nginx cannot send is lost to everybody: rights of the node, or of its kernel, may say so. */
  #judgeFile(path: string, { status }: Carried): void {
    const { clock, log } = this.#options
    if (status < 400 || status === 416 || clock.elapsed() - this.#toldMs < toldAgainMs) return
    this.#toldMs = clock.elapsed()
    log.warn({ path, status }, 'nginx could not send a file that is here: it may lack the right to read it')
  }

  #watch(order: Order, body: CarriedBody): void {
    const fetching: Fetching = { order, body, since: this.#sampled(order.worker) }
    this.#fetching.add(fetching)
    void order.ended.then(carried => {
      this.#fetching.delete(fetching)
      body.ended(carried)
    })
    this.#lookSoon()
  }

  #lookSoon(): void {
    this.#cancelLook ??= this.#options.clock.schedule(lookMs, () => this.#look())
  }

  #written(worker: number): Written {
    return (this.#options.written ?? writtenBy)(worker)
  }

  /** As if it were of now: what was written since the sample counts for the body that begins, which makes it no slower. */
  #sampled(worker: number): Sample | undefined {
    const ms = this.#options.clock.elapsed()
    const known = this.#samples.get(worker)
    if (known !== undefined && ms - known.ms < lookMs) return { ms, written: known.written }
    const written = this.#written(worker)
    if (typeof written !== 'number') return undefined
    // Processes come and go: those that were not seen lately are forgotten.
    this.#samples = new Map([...this.#samples].filter(([, sample]) => ms - sample.ms < lookMs)).set(worker, { ms, written })
    return { ms, written }
  }

  /** Peers that give too little are left: their process is ended, and with it what else it carries. Clients go on from where they are. */
  #look(): void {
    const { clock, log, endWorker, hear, orders } = this.#options
    hear()
    const nowMs = clock.elapsed()
    const ending = new Set<number>()
    const seen = new Map<number, Written>()
    for (const { worker } of orders.open) if (!seen.has(worker)) seen.set(worker, this.#written(worker))
    for (const fetching of this.#fetching) {
      const { order, body } = fetching
      const { number, worker, length, startedMs, peer } = order
      const written = seen.get(worker)
      // One that is over, or whose process is gone, is nobody's fault any more.
      if (!orders.has(number) || worker === 0 || written === 'gone') continue
      if (written !== undefined) fetching.since ??= { ms: nowMs, written }
      const since = fetching.since ?? { ms: startedMs, written: 0 }
      const elapsedMs = nowMs - since.ms
      // What it wrote for all is the most that it can have written for this one.
      const bytes = Math.min(length ?? Number.POSITIVE_INFINITY, (written ?? Number.POSITIVE_INFINITY) - since.written)
      // All of it may be there, and only the word of it missing: ending the process would cost others what comes well.
      const mayBeWhole = written !== undefined && bytes === length
      if (mayBeWhole && nowMs - startedMs > silentMs) orders.end(number, lost)
      if (mayBeWhole || !body.isTooSlow({ elapsedMs, bytes })) {
        if (written !== undefined && length === undefined && elapsedMs >= windowMs) fetching.since = { ms: nowMs, written }
        continue
      }
      log.info({ peer: peer?.id, bytes, of: length, elapsedMs: Math.round(elapsedMs) }, 'a peer gives too little and is left')
      body.left()
      ending.add(worker)
      // A process that is ended says nothing of what it carried.
      orders.end(number, lost)
    }
    for (const worker of ending) endWorker(worker)
    for (const { number, worker } of [...orders.open]) if (ending.has(worker)) orders.end(number, lost)
    // What it said last may have been read a moment before it ended: the next look decides.
    for (const { number, worker } of [...orders.open]) if (this.#gone.has(worker)) orders.end(number, lost)
    this.#gone = new Set([...seen].flatMap(([worker, written]) => (written === 'gone' ? [worker] : [])))
    this.#cancelLook = orders.isIdle ? undefined : clock.schedule(lookMs, () => this.#look())
  }
}

const noBody = { 'content-length': 0 } as const

const insteadOf = ({ headers }: IncomingMessage): number | undefined => numberOf(headers[planeHeaders.again])

const textOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)

function numberOf(value: string | string[] | undefined): number | undefined {
  const text = textOf(value)
  return text !== undefined && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined
}
