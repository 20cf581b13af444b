// Several replicas share the kubelets: each asks its share, passes on what it read, and takes the others' from them. What does not come is
// asked by ourselves, so that a replica that hangs, lies or is of another version costs a second question and nothing else.
import type { ApiEndpoint, Check } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import { TurnOrder } from '#kube/controllers/turn-order.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Replica } from '#kube/server/replicas/ready-replicas.ts'
import type { NodeReading } from '../decode/reading.ts'
import type { NodeShares } from '../scrape/scraper.ts'
import { PassedOn } from './passed-on.ts'
import { decodeAnswer, type Heard } from './points-message.ts'
import { isMissed, nextQuestionMs, ownerOf, restMs, type Sharing, sharingOf } from './share-of-nodes.ts'

const pointsPath = '/ballast/points'

/** A node's own 64 MiB of text are a fraction of that as numbers; with what an answer may have before it. */
const largestAnswer = 16 * 1024 * 1024
/** Answers that one asks for at once, one after the other: hundreds of megabytes. */
const mostPieces = 64
/** Replicas that are named in a check. */
const namedReplicas = 3

interface SharedNodesOptions {
  readonly apis: Pick<ApiEndpoint, 'answerReplicas' | 'askReplica' | 'replicasBy'>
  /** EndpointSlices of our namespace, as they are now; undefined while they were not read, or may not be. */
  readonly slices: () => Iterable<KubeObject> | undefined
  readonly resolutionMs: number
  readonly clock: Clock
  readonly log: Log
  /** Names this life. */
  readonly instance: string
}

/** What takes a reading that another replica made, for one of the nodes that are measured. */
interface Taking {
  isMeasured(node: string): boolean
  /** Milliseconds since what is kept of a node was read; undefined for nothing. */
  ageMs(node: string): number | undefined
  take(node: string, reading: NodeReading, received: { readonly wallMs: number; readonly elapsedMs: number }): void
}

/** One that we ask. */
interface Peer {
  replica: Replica
  readonly stop: AbortController
  readonly asking: Promise<void>
  /** `elapsed()` of its last good answer, or of when it was first seen. */
  heardMs: number
  failure: string | undefined
  /** Its life and the number of the last that we have. */
  instance: string
  number: number
}

type Answer = Awaited<ReturnType<typeof decodeAnswer>> & {
  /** `elapsed()` when it came. */
  readonly atMs: number
}

/** Whose nodes are while the same replicas share them. */
class Owners {
  readonly among: string
  readonly #sharing: Sharing
  readonly #known = new Map<string, string | undefined>()

  constructor(among: string, sharing: Sharing) {
    this.among = among
    this.#sharing = sharing
  }

  /** Undefined: ours. */
  of(node: string): string | undefined {
    const known = this.#known.get(node)
    if (known !== undefined || this.#known.has(node)) return known
    const owner = ownerOf(node, this.#sharing)
    this.#known.set(node, owner)
    return owner
  }

  forget(node: string): void {
    this.#known.delete(node)
  }
}

/** Some 50 µs each. */
const takenInTurn = 32

export class SharedNodes implements NodeShares, AsyncDisposable {
  readonly #options: SharedNodesOptions
  readonly #passedOn: PassedOn
  readonly #peers = new Map<string, Peer>()
  readonly #answering: Disposable
  readonly #turns = new TurnOrder()
  /** When the owner of a node, we or another, last read it, by `elapsed()`. */
  readonly #heardMs = new Map<string, number>()
  /** Who last asked a node or passed it on; ourselves for `undefined`. */
  readonly #readBy = new Map<string, string | undefined>()
  #owners = new Owners('', undefined)
  #ready: Sharing
  #taking: Taking | undefined

  constructor(options: SharedNodesOptions) {
    const { clock } = options
    this.#options = options
    this.#passedOn = new PassedOn(options)
    this.#answering = options.apis.answerReplicas({
      path: pointsPath,
      contentType: 'application/vnd.ballast.points',
      answer: async query => this.#passedOn.answer(query, clock.elapsed()),
    })
  }

  /** From now on what others read is taken there. */
  begin(taking: Taking): void {
    this.#taking = taking
    this.follow()
  }

  /** Looks who the replicas are: called when that may have changed, and before each tick. */
  follow(): void {
    const { apis, slices } = this.#options
    const found = slices()
    const ready = found === undefined ? undefined : apis.replicasBy(found)
    const others = ready?.others ?? []
    for (const [name, { stop }] of this.#peers)
      if (!others.some(other => other.name === name)) {
        this.#peers.delete(name)
        stop.abort(new DOMException('the replica is gone', 'AbortError'))
      }
    for (const replica of others) {
      const known = this.#peers.get(replica.name)
      if (known === undefined) this.#peers.set(replica.name, this.#begun(replica))
      else known.replica = replica
    }
    this.#ready = ready === undefined ? undefined : { own: ready.own, others: others.map(({ name }) => name) }
    if (others.length === 0) this.#passedOn.clear()
  }

  isOurs(node: string): boolean {
    return this.#currentOwners().of(node) === undefined
  }

  isMissed(node: string): boolean {
    return this.isOurs(node) || isMissed(this.#heardMs.get(node), this.#now)
  }

  get areShared(): boolean {
    return this.#peers.size > 0
  }

  asked(node: string): void {
    this.#readBy.set(node, undefined)
  }

  answered(node: string, reading: NodeReading, wallMs: number): void {
    const isOwners = this.isOurs(node)
    const nowMs = this.#options.clock.elapsed()
    if (isOwners) this.#heardMs.set(node, nowMs)
    if (this.areShared) this.#passedOn.keep({ node, receivedMs: wallMs, isOwners, reading }, nowMs)
  }

  forget(node: string): void {
    this.#passedOn.forget(node)
    this.#heardMs.delete(node)
    this.#readBy.delete(node)
    this.#owners.forget(node)
  }

  /** Who reads what. */
  check(): Check {
    const name = 'replicas'
    const counts = new Map<string | undefined, number>()
    for (const by of this.#readBy.values()) counts.set(by, (counts.get(by) ?? 0) + 1)
    const own = `asks ${counts.get(undefined) ?? 0} of ${this.#readBy.size}`
    counts.delete(undefined)
    const taken = [...counts].toSorted().map(([by, count]) => `${count} from ${by}`)
    const failed = [...this.#peers].flatMap(([peer, { failure }]) =>
      failure === undefined ? [] : [`nothing from ${peer}: ${failure}`],
    )
    const alone = this.areShared ? [] : ['no other replica is ready']
    const told = [...taken, ...failed, ...alone]
    const rest = told.length > namedReplicas ? [`${told.length - namedReplicas} more`] : []
    return { name, ok: failed.length === 0, isGating: false, state: [own, ...told.slice(0, namedReplicas), ...rest].join(', ') }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#answering[Symbol.dispose]()
    const peers = [...this.#peers.values()]
    this.#peers.clear()
    for (const { stop } of peers) stop.abort(new DOMException('nodes are shared no more', 'AbortError'))
    await Promise.all(peers.map(({ asking }) => asking))
  }

  get #now() {
    const { clock, resolutionMs } = this.#options
    return { nowMs: clock.elapsed(), resolutionMs }
  }

  /** Worked out once for each list of those who share. */
  #currentOwners(): Owners {
    const sharing = sharingOf(this.#ready, name => this.#peers.get(name)?.heardMs ?? -Infinity, this.#now)
    const among = sharing === undefined ? '' : [sharing.own, ...sharing.others].join('\n')
    if (this.#owners.among !== among) this.#owners = new Owners(among, sharing)
    return this.#owners
  }

  #begun(replica: Replica): Peer {
    const stop = new AbortController()
    const started = Promise.withResolvers<void>()
    const peer: Peer = {
      replica,
      stop,
      asking: started.promise,
      heardMs: this.#options.clock.elapsed(),
      failure: undefined,
      instance: '',
      number: 0,
    }
    this.#ask(peer, stop.signal).then(started.resolve, (error: unknown) => {
      if (stop.signal.aborted) started.resolve()
      else started.reject(error)
    })
    return peer
  }

  /** Until `signal`: what fails is tried again. @throws `signal.reason` */
  async #ask(peer: Peer, signal: AbortSignal): Promise<never> {
    const { clock, log, resolutionMs } = this.#options
    for (let failures = 0, pieces = 0; ; ) {
      const answer = await this.#answerOf(peer, signal)
      signal.throwIfAborted()
      if (typeof answer === 'string') {
        if (answer !== peer.failure)
          log.warn({ replica: peer.replica.name, why: answer }, 'a replica passes no points on: its nodes are asked from here')
        peer.failure = answer
        failures++
        await clock.after(Math.min(restMs.least * 2 ** Math.min(failures - 1, 10), resolutionMs), signal)
        continue
      }
      if (peer.failure !== undefined) log.info({ replica: peer.replica.name }, 'a replica passes its points on again')
      peer.failure = undefined
      failures = 0
      await this.#takeAll(peer, answer, signal)
      pieces = answer.isCut ? pieces + 1 : 0
      if (pieces % mostPieces === 0) await clock.after(nextQuestionMs(this.#heardOf(peer.replica.name), this.#now), signal)
    }
  }

  *#heardOf(replica: string): Generator<number> {
    const owners = this.#currentOwners()
    for (const [node, heardMs] of this.#heardMs) if (owners.of(node) === replica) yield heardMs
  }

  /** What a replica says since we last asked, or why that cannot be used. @throws `signal.reason` */
  async #answerOf(peer: Peer, signal: AbortSignal): Promise<Answer | string> {
    const { apis, clock } = this.#options
    const query = new URLSearchParams({ instance: peer.instance, after: String(peer.number) })
    try {
      const { status, body } = await apis.askReplica(peer.replica, `${pointsPath}?${query}`, { mostBytes: largestAnswer, signal })
      if (status !== 200) return `it answered with status ${status}`
      const atMs = clock.elapsed()
      // Turns of the loop are nothing that a virtual clock sees.
      using _held = clock.hold()
      const answer = await decodeAnswer(body, this.#turns.next)
      const apart = clockApart(answer.heard, { nowMs: clock.now(), mostMs: this.#options.resolutionMs })
      if (apart !== undefined) return apart
      const isNews = answer.instance !== peer.instance || answer.upTo > peer.number
      return answer.isCut && !isNews ? 'it says that there is more, and sends nothing' : { ...answer, atMs }
    } catch (error) {
      signal.throwIfAborted()
      return messageOf(error)
    }
  }

  async #takeAll(peer: Peer, { atMs, heard, instance, upTo }: Answer, signal: AbortSignal): Promise<void> {
    using _held = this.#options.clock.hold()
    for (const [at, one] of heard.entries()) {
      if (at % takenInTurn === 0) await this.#turns.next()
      signal.throwIfAborted()
      this.#take(peer, one, atMs)
    }
    peer.instance = instance
    peer.number = upTo
    peer.heardMs = atMs
  }

  #take(peer: Peer, { node, ageMs, receivedMs, isOwners, reading }: Heard, atMs: number): void {
    const taking = this.#taking
    // A node that we do not know yet, or no more: it comes again with its next points.
    if (taking === undefined || !taking.isMeasured(node)) return
    const elapsedMs = atMs - ageMs
    const heardMs = this.#heardMs.get(node)
    // While whose it is reads it, nobody else's word counts: not against our own reading, and not for a third's.
    if (isOwners && this.#currentOwners().of(node) === peer.replica.name)
      this.#heardMs.set(node, Math.max(elapsedMs, heardMs ?? -Infinity))
    else if (!isMissed(heardMs, this.#now)) return
    const keptAgeMs = taking.ageMs(node)
    if (keptAgeMs !== undefined && this.#options.clock.elapsed() - keptAgeMs >= elapsedMs) return
    this.#readBy.set(node, peer.replica.name)
    taking.take(node, reading, { wallMs: receivedMs, elapsedMs })
  }
}

/**
 * In what way the clock of whoever read these differs from ours by more than `mostMs`; undefined while it does not. By a wrong clock all kubelets
 * seem to have been set.
 */
function clockApart(
  heard: readonly Heard[],
  { nowMs, mostMs }: { readonly nowMs: number; readonly mostMs: number },
): string | undefined {
  for (const { receivedMs, ageMs } of heard) {
    const aheadMs = receivedMs + ageMs - nowMs
    if (Math.abs(aheadMs) > mostMs)
      return `its clock is ${Math.round(Math.abs(aheadMs) / 1_000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} ours`
  }
  return undefined
}
