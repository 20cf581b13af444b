// Blobs of other nodes: small ones checked whole, large ones passed on as they come, each brought once for all who ask for it at a time.
import type { Found, FoundElsewhere, NotFound, Peer, PeerBodyPlace, Wanted } from '../contract.ts'
import { LentBody } from '../lent-body.ts'
import type { Digest } from '../reference.ts'
import { Slabs, slabBytes } from '../slabs.ts'
import type { CarriedBodies } from './carried/carried-bodies.ts'
import type { Holder, Holders } from './carried/holders.ts'
import type { Suspicion } from './carried/suspicion.ts'
import { type Fetching, mostRounds, notFound } from './fetching.ts'
import { type PeerRequest, pathOf, rangeText } from './peers/peer-client.ts'
import type { Finding } from './race/finder.ts'
import { broughtBy, findOrJoin, type Joined } from './relay/relay-together.ts'
import type { Won } from './transfer/body-source.ts'
import type { Grant } from './transfer/byte-budget.ts'
import { KeptBytes } from './transfer/kept-bytes.ts'
import { Transfer } from './transfer/transfer.ts'
import { SharedWork } from './transfer/waited-work.ts'

/** What a transfer holds between peer and readers: the first where there is little left for all, the second where there is enough. */
const leastWindow = 524_288
const mostWindow = 1_048_576
/** Slabs of a transfer with readers that went on alone, and still send what they had of it. */
const mostSlabs = 16
/** A blob up to this size is checked whole, whatever `verifyBufferBytes` says: four of them fit in what the process may hold. */
const largestChecked = 4_194_304
/** A blob up to this size is checked whole even where a data plane could carry it: that costs less than a second request. */
const largestCheckedOfCarried = 65_536

/** Somebody else's download that still goes on, from a byte on, where nobody has the blob. */
type JoinDownload = (wanted: Wanted, digest: Digest, start: number, signal: AbortSignal) => Promise<Joined>

interface BlobsOptions {
  readonly fetching: Fetching
  readonly verifyBufferBytes: number
  readonly join: JoinDownload
  /** How long those that have it are looked for before others are asked who loads it. */
  readonly settleMs: number
  readonly carried: CarriedBodies
  readonly suspicion: Pick<Suspicion, 'check'>
  readonly holders: Holders
}

/** A peer has it, and a data plane gets it there. */
interface Named {
  readonly outcome: 'named'
  readonly won: Won
  readonly attempts: number
}

/** What is there for all who asked at a time. */
interface Opened {
  readonly outcome: 'found'
  /** Size of the whole. */
  readonly size: number
  /** First and last byte that `content` brings. */
  readonly start: number
  readonly end: number
  readonly digest: Digest
  readonly mediaType: string
  readonly attempts: number
  readonly source: 'peer' | 'relay'
  readonly content: { attach(start: number, end: number): LentBody | undefined }
}

export class Blobs {
  readonly #options: BlobsOptions
  readonly #opening = new SharedWork<Opened | Named | NotFound>()
  /** Transfers of whole blobs that go on. */
  readonly #running = new Map<Digest, Opened>()
  #transfers = 0

  constructor(options: BlobsOptions) {
    this.#options = options
  }

  get inFlight(): number {
    return this.#transfers + this.#opening.size
  }

  /** @throws `signal.reason` when aborted */
  async fetch(wanted: Wanted, digest: Digest, signal: AbortSignal): Promise<Found | FoundElsewhere | NotFound> {
    if (this.#options.fetching.options.quarantine.hasDigest(digest))
      return notFound(digest, { attempts: 0, reason: 'quarantined' })
    if (wanted.method === 'HEAD') return await this.#head(wanted, digest, signal)
    const { range } = wanted
    const running = this.#running.get(digest)
    if (running !== undefined) {
      const span = spanOf(range, running.size)
      const found = span === undefined ? undefined : foundOf(running, span, range !== undefined)
      if (found !== undefined) return found
    }
    const isWhole = isFromStart(range)
    if (isWhole) this.#suspect(wanted, digest)
    const held = this.#held(wanted, digest)
    if (held !== undefined) return held
    // What is known of a request that failed before holds for this one alone.
    if (!isWhole || (wanted.carrying?.failed ?? []).length > 0) return await this.#apart(wanted, digest, signal)
    const opened = await this.#opening.join(digest, stop => this.#open(wanted, digest, undefined, stop), signal)
    if (opened.outcome === 'not-found') return opened
    if (opened.outcome === 'named') return this.#elsewhere(wanted, opened)
    // Where its beginning has been handed out already, this one is brought alone.
    const found = foundOf(opened, opened, range !== undefined)
    return found ?? (await this.#apart(wanted, digest, signal))
  }

  async #head(wanted: Wanted, digest: Digest, signal: AbortSignal): Promise<Found | NotFound> {
    const finding = await this.#options.fetching.find(digest, requestOf(wanted, digest, undefined), signal)
    const { attempts } = finding
    if (finding.outcome === 'nobody') return notFound(digest, finding)
    const { size, mediaType } = finding.won.answer.head
    return { outcome: 'found', size, range: undefined, digest, mediaType, body: undefined, source: 'peer', attempts }
  }

  /** Not shared with others: a part of it, or all of it where others are further. */
  async #apart(wanted: Wanted, digest: Digest, signal: AbortSignal): Promise<Found | FoundElsewhere | NotFound> {
    const opened = await this.#open(wanted, digest, wanted.range, signal)
    if (opened.outcome === 'not-found') return opened
    if (opened.outcome === 'named') return this.#elsewhere(wanted, opened)
    const found = foundOf(opened, opened, wanted.range !== undefined)
    if (found === undefined) throw new Error(`a transfer of ${digest} that nobody reads has no beginning`)
    return found
  }

  /** Peers of which one may have given wrong bytes: containerd asks again for what it was just given whole. */
  #suspects(wanted: Wanted, digest: Digest): readonly Peer[] {
    return wanted.carrying?.isContainerd === true && isFromStart(wanted.range) ? this.#options.carried.suspects(digest) : []
  }

  #suspect(wanted: Wanted, digest: Digest): void {
    const peers = this.#suspects(wanted, digest)
    const request = requestOf({ ...wanted, method: 'GET' }, digest, undefined)
    if (peers.length > 0) this.#options.suspicion.check({ digest, request, peers })
  }

  #elsewhere(wanted: Wanted, { won: { peer, answer }, attempts }: Named): FoundElsewhere {
    if (answer.place === undefined) throw new TypeError('a peer that answered from nowhere')
    const { size, mediaType, digest } = answer.head
    const span = spanOf(wanted.range, size)
    const length = span === undefined ? undefined : span.end - span.start + 1
    return {
      outcome: 'elsewhere',
      place: this.#place(wanted, digest, { peer, place: answer.place }),
      digest,
      mediaType,
      length,
      attempts,
    }
  }

  /** A peer that gave something of the same image a moment ago: it is asked without another look-up. */
  #held(wanted: Wanted, digest: Digest): FoundElsewhere | undefined {
    const { carried, holders, fetching } = this.#options
    const { quarantine, finder, slow, clock } = fetching.options
    const { carrying } = wanted
    if (carrying === undefined || carrying.failed.length > 0) return undefined
    const suspects = this.#suspects(wanted, digest).map(({ id }) => id)
    const breaks = carried.breaks(digest)
    const usable = holders
      .of(wanted)
      .filter(({ peer: { id } }) => !quarantine.bars(id, digest) && breaks?.has(id) !== true && !suspects.includes(id))
      .filter(({ peer: { id } }) => !slow.has(id, clock.elapsed()))
    const use = ({ peer: { id } }: Holder) => finder.uses.uses.get(id) ?? 0
    const [first] = usable.toSorted((one, other) => use(one) - use(other))
    if (first === undefined) return undefined
    const mediaType = 'application/octet-stream'
    return { outcome: 'elsewhere', place: this.#place(wanted, digest, first), digest, mediaType, length: undefined, attempts: 1 }
  }

  #place(wanted: Wanted, digest: Digest, { peer, place }: Holder): PeerBodyPlace {
    const { carried } = this.#options
    const { range, registry, repository } = wanted
    const isContainerd = wanted.carrying?.isContainerd === true
    const start = range === undefined ? 0 : 'start' in range ? range.start : undefined
    const isToEnd = range === undefined || !('end' in range) || range.end === undefined
    return {
      peer,
      ...place,
      target: pathOf(requestOf(wanted, digest, undefined)),
      range: range === undefined ? undefined : rangeText(range),
      begin: () => carried.begin({ digest, registry, repository, peer, place, start, isToEnd, isContainerd }),
    }
  }

  async #open(wanted: Wanted, digest: Digest, range: Wanted['range'], signal: AbortSignal): Promise<Opened | Named | NotFound> {
    const { fetching, join, settleMs, carried } = this.#options
    const { clock } = fetching.options
    const { carrying } = wanted
    const request = requestOf(wanted, digest, range)
    const breaks = carrying === undefined ? undefined : carried.breaks(digest)
    const avoid = new Set(carrying?.failed)
    for (const { id } of this.#suspects(wanted, digest)) avoid.add(id)
    let attempts = 0
    for (let round = 0; round < mostRounds; round++) {
      const find = async (stop: AbortSignal) => {
        const how = { avoid, ...(breaks === undefined ? {} : { breaks }) }
        if (carrying === undefined) return await fetching.find(digest, request, stop, how)
        return ofHead(await fetching.find(digest, requestOf({ ...wanted, method: 'HEAD' }, digest, undefined), stop, how))
      }
      const start = round === 0 ? startOf(range) : undefined
      const brought =
        start === undefined
          ? broughtBy(await find(signal))
          : await findOrJoin({ find, join: stop => join(wanted, digest, start, stop), headStartMs: settleMs, clock }, signal)
      if (brought.outcome === 'not-joined') return brought.answer
      if (brought.outcome === 'found-nobody') {
        const { finding } = brought
        const reason = round === 0 || finding.reason === 'timeout' ? finding.reason : 'failed'
        return notFound(digest, { attempts: attempts + finding.attempts, reason, beyond: finding.beyond })
      }
      const { won } = brought
      attempts += brought.attempts
      if (won.isHeadOnly === true) {
        const { size } = won.answer.head
        if (spanOf(range, size) === undefined) return notFound(digest, { attempts, reason: 'range', beyond: size })
        if (size > largestCheckedOfCarried) return { outcome: 'named', won, attempts }
      }
      const whole = won.isHeadOnly === true ? await this.#asked(request, digest, won, signal) : won
      const opened = whole === undefined ? undefined : await this.#take(request, digest, whole, attempts, signal)
      if (opened !== undefined) return opened
      avoid.add(won.peer.id)
    }
    return notFound(digest, { attempts, reason: 'failed' })
  }

  /** The body of a peer that gave its head; `undefined`: it does not give it. */
  async #asked(request: PeerRequest, digest: Digest, { peer }: Won, signal: AbortSignal): Promise<Won | undefined> {
    const finding = await this.#options.fetching.find(digest, request, signal, { peers: [peer] })
    return finding.outcome === 'won' ? finding.won : undefined
  }

  /** `undefined`: it broke off, or was not what it should be, and nobody has got a byte. */
  async #take(
    request: PeerRequest,
    digest: Digest,
    won: Won,
    attempts: number,
    signal: AbortSignal,
  ): Promise<Opened | undefined> {
    const { fetching, verifyBufferBytes } = this.#options
    const { size, start, end, mediaType, isInFlight } = won.answer.head
    const isWhole = start === 0 && end === size - 1
    const head = {
      outcome: 'found' as const,
      ...{ size, start, end, digest, mediaType, attempts },
      source: isInFlight ? ('relay' as const) : ('peer' as const),
    }
    // A download that goes on comes as fast as its registry sends, and what is taken however slow it is as fast as that: read whole it might be
    // too late for an answer.
    const { slow, clock } = fetching.options
    const mayBeSlow = isInFlight || slow.takesAny(digest, clock.elapsed())
    if (isWhole && !mayBeSlow && size <= Math.min(verifyBufferBytes, largestChecked)) {
      const checked = await fetching.readChecked(digest, request, won, signal)
      return checked === undefined ? undefined : { ...head, content: new KeptBytes(checked) }
    }
    let window: Grant
    try {
      window = await fetching.options.budget.take(leastWindow, mostWindow, signal)
    } catch (error) {
      won.answer.body.destroy()
      throw error
    }
    return this.#begun({ request, won, window, head, isWhole })
  }

  #begun({ request, won, window, head, isWhole }: Begun): Opened {
    const { fetching } = this.#options
    const { digest, start, end, source: from } = head
    const slabs = new Slabs(Math.floor(window.bytes / slabBytes), window[Symbol.dispose])
    const source = fetching.source(digest, request, won, slabs)
    let bytes = 0
    const transfer = new Transfer({
      clock: fetching.options.clock,
      ...{ source, start, end },
      digest: isWhole ? digest : undefined,
      onBytes: count => {
        bytes += count
      },
      makeRoom: () => slabs.grow(mostSlabs),
      apart: (first, last) => this.#goOnApart(request, digest, { start: first, end: last }),
      onEnd: how => {
        this.#transfers--
        slabs[Symbol.dispose]()
        if (this.#running.get(digest)?.content === transfer) this.#running.delete(digest)
        fetching.options.counts.served(request.registry, from, 'in', bytes)
        if (how !== 'poisoned') return
        fetching.options.quarantine.addDigest(digest)
        fetching.poisoned(digest, request, [...source.delivered.keys()])
      },
    })
    const opened: Opened = { ...head, content: transfer }
    this.#transfers++
    if (isWhole) this.#running.set(digest, opened)
    // Those who wait for it take hold of its beginning first.
    setImmediate(() => void transfer.run())
    return opened
  }

  async #goOnApart(
    request: PeerRequest,
    digest: Digest,
    range: { readonly start: number; readonly end: number },
  ): Promise<LentBody> {
    const { registry, repository } = request
    const wanted: Wanted = { route: 'blobs', method: 'GET', registry, repository, digest, range }
    const found = await this.#apart(wanted, digest, new AbortController().signal)
    if (found.outcome === 'found' && found.body instanceof LentBody) return found.body
    throw new Error('nobody goes on for a slow reader')
  }
}

interface Begun {
  readonly request: PeerRequest
  readonly won: Won
  readonly window: Grant
  readonly head: Omit<Opened, 'content'>
  readonly isWhole: boolean
}

interface Span {
  readonly start: number
  readonly end: number
}

const ofHead = (finding: Finding): Finding =>
  finding.outcome === 'won' ? { ...finding, won: { ...finding.won, isHeadOnly: true } } : finding

/** `undefined` where the first of these bytes can no longer be had there. */
function foundOf(opened: Opened, span: Span, isRangeAsked: boolean): Found | undefined {
  const { size, digest, mediaType, source, attempts } = opened
  const body = opened.content.attach(span.start, span.end)
  if (body === undefined) return undefined
  const range = isRangeAsked ? { start: span.start, end: span.end } : undefined
  return { outcome: 'found', size, range, digest, mediaType, body, source, attempts }
}

/** Whether all of it is wanted. */
const isFromStart = (range: Wanted['range']): boolean =>
  range === undefined || ('start' in range && range.start === 0 && range.end === undefined)

/** First byte of what is wanted to the end; `undefined` where only a part is. */
function startOf(range: Wanted['range']): number | undefined {
  if (range === undefined) return 0
  return 'start' in range && range.end === undefined ? range.start : undefined
}

/** The bytes that are meant; `undefined` where there are none. */
function spanOf(range: Wanted['range'], size: number): Span | undefined {
  if (range === undefined) return { start: 0, end: size - 1 }
  if ('last' in range) return range.last === 0 ? undefined : { start: Math.max(0, size - range.last), end: size - 1 }
  return range.start >= size ? undefined : { start: range.start, end: Math.min(range.end ?? size - 1, size - 1) }
}

function requestOf({ registry, repository, method }: Wanted, digest: Digest, range: Wanted['range']): PeerRequest {
  return { route: 'blobs', method, registry, repository, digest, tag: undefined, range }
}
