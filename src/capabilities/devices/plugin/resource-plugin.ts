// One resource before the kubelet: served, registered, and again whenever something shows that the kubelet does not know it any more. A socket has
// a name of its own each time: newer kubelets tell plugins apart by it, and refuse a second one at the path of the first.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '#kube/clock.ts'
import { Wake } from '#kube/controllers/wake.ts'
import { longestSocketPath, type PluginDirectory } from '#kube/grpc/plugin-directory.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { Random } from '#kube/random.ts'
import type { Offer } from '../discovery/offers.ts'
import type { DeviceMetrics } from '../metrics.ts'
import { kubeletSocket, resourceFile } from '../names.ts'
import { handOver, isUpstreamBeside, upstreamSockets } from './hand-over.ts'
import { type PluginAnswers, PluginServer } from './plugin-server.ts'
import { NotRegistered, register } from './register.ts'

const times = {
  /** From registration to the stream that the kubelet opens. */
  streamMs: 5_000,
  firstRetryMs: 100,
  longestRetryMs: 30_000,
  /** What lasted less long counts as a failure: two plugins of one resource are not to fight. */
  steadyMs: 30_000,
  listenMs: 10_000,
  /** After a stream of several ended, the list is said again so often: see `#watched`. */
  sayAgainMs: [20, 100, 1_000, 5_000],
  /** And the plugin is registered again after so long, doubled each time that did not help. */
  firstAgainMs: 50,
  mostAgain: 5,
  /** While upstream's plugin is there it is looked at so often: it may have registered after ours, and then its end takes all devices along. */
  besideMs: 1_000,
  /** An agent that is there for so long serves: one in a pod of a DaemonSet ends then. */
  yieldMs: 2_000,
} as const

interface PluginContext {
  readonly directory: PluginDirectory
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly metrics?: DeviceMetrics | undefined
  /** It serves only while no agent of ours on the node does, and leaves the resource to one that comes. */
  readonly isStandIn?: boolean | undefined
}

type State = 'starting' | 'waits for the kubelet' | 'registered' | 'left to the agent'

export class ResourcePlugin implements AsyncDisposable {
  readonly resource: string
  readonly #context: PluginContext
  readonly #answersOf: (offer: () => Offer) => PluginAnswers
  readonly #stop = new AbortController()
  readonly #wake: Wake
  readonly #running: Promise<void>
  #offer: Offer
  #server: PluginServer | undefined
  #state: State = 'starting'
  #why = ''

  constructor(offer: Offer, answersOf: (offer: () => Offer) => PluginAnswers, context: PluginContext) {
    this.resource = offer.resource
    this.#offer = offer
    this.#answersOf = answersOf
    this.#context = context
    this.#wake = new Wake(context.clock)
    this.#running = this.#run(this.#stop.signal)
  }

  get isRegistered(): boolean {
    return this.#state === 'registered'
  }

  /** It serves, or an agent does in its place. */
  get isWell(): boolean {
    return this.isRegistered || this.#state === 'left to the agent'
  }

  get state(): string {
    return this.#why === '' || this.isRegistered ? this.#state : `${this.#state}: ${this.#why}`
  }

  /** From now on this is offered: the kubelet is told where it is anything else than before. */
  offer(offer: Offer): void {
    const isSame = isDeepStrictEqual(offer, this.#offer)
    this.#offer = offer
    if (!isSame) this.#server?.say()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the plugin is stopped', 'AbortError'))
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { directory, clock, log, random } = this.#context
    using _watched = directory.onChange(() => this.#wake.wake())
    let retryMs: number = times.firstRetryMs
    while (!signal.aborted) {
      await this.#whileAgentServes(signal)
      const startMs = clock.elapsed()
      let kubelet = directory.stamp(kubeletSocket)
      try {
        if (kubelet === undefined) throw new NotRegistered(`there is no ${kubeletSocket} in ${directory.path}`)
        const why = await this.#life(kubelet, signal)
        log.info({ resource: this.resource, why }, 'the plugin registers again')
      } catch (error) {
        if (signal.aborted) break
        if (!isOutside(error)) throw error
        this.#tell(messageOf(error))
      }
      this.#state = 'waits for the kubelet'
      if (directory.stamp(kubeletSocket) !== kubelet) continue
      if (clock.elapsed() - startMs >= times.steadyMs) retryMs = times.firstRetryMs
      const untilMs = clock.elapsed() + Math.ceil(retryMs * (0.8 + 0.4 * random()))
      retryMs = Math.min(times.longestRetryMs, retryMs * 2)
      // A kubelet that comes is asked at once.
      for (
        kubelet = directory.stamp(kubeletSocket);
        directory.stamp(kubeletSocket) === kubelet && clock.elapsed() < untilMs && !signal.aborted;
      )
        await this.#wake.wait(Math.max(1, Math.ceil(untilMs - clock.elapsed())), signal)
      if (directory.stamp(kubeletSocket) !== kubelet) retryMs = times.firstRetryMs
    }
    this.#state = 'starting'
  }

  /** The agent's socket is the lock: who answers at it holds it, and its end lets it go. */
  async #whileAgentServes(signal: AbortSignal): Promise<void> {
    const { directory, log, isStandIn = false } = this.#context
    if (!isStandIn) return
    let isTold = false
    while (!signal.aborted && (await isAgentThere(directory, this.resource, signal))) {
      if (!isTold) log.info({ resource: this.resource }, 'the agent of the node offers it: it is left to that')
      isTold = true
      this.#state = 'left to the agent'
      this.#why = ''
      await this.#wake.wait(times.besideMs, signal)
    }
  }

  /** From a socket to what is wrong with it, in words. @throws NotRegistered, errors of the system */
  async #life(kubelet: string, signal: AbortSignal): Promise<string> {
    const { directory, clock, log, random, metrics } = this.#context
    const prefix = `${resourceFile(this.resource)}-`
    await directory.sweep(prefix, signal)
    const name = socketName(directory.path, this.#context.isStandIn === true ? `${prefix}${standInMark}` : prefix, random)
    const answers = this.#answersOf(() => this.#offer)
    const server = new PluginServer(answers, () => this.#wake.wake())
    try {
      await within(server.listen(join(directory.path, name)), times.listenMs, clock)
      this.#server = server
      const own = directory.stamp(name)
      await register({ directory: directory.path, endpoint: name, resource: this.resource }, clock, signal)
      metrics?.registrations.inc({ resource: this.resource })
      log.info({ resource: this.resource, socket: name, devices: this.#offer.shares.size }, 'the plugin is registered')
      this.#state = 'registered'
      this.#why = ''
      return await this.#watched({ name, own, kubelet, prefix, server }, signal)
    } finally {
      this.#server = undefined
      const end = () => server.close()
      if (signal.aborted && this.isRegistered) await handOver({ directory, resource: this.resource, own: name, clock, log }, end)
      else await end()
    }
  }

  /**
   * Until something is wrong: the kubelet is another one, the socket is gone, or nobody listens to a stream.
   *
   * Kubelets up to 1.36 know plugins by their resource alone. When an older plugin of the resource ends, such a kubelet ends the connection of the
   * newest in its place, and counts no device as healthy. So the newest registers twice where there is an older one: the second connection
   * ends, the list that is said on the first makes the devices healthy again within moments, and a third registration makes up for the second.
   */
  async #watched({ name, own, kubelet, prefix, server }: Life, signal: AbortSignal): Promise<string> {
    const { directory, clock, log } = this.#context
    const again = () => register({ directory: directory.path, endpoint: name, resource: this.resource }, clock, signal)
    if (others(directory, { resource: this.resource, prefix, name }).length > 0) await this.#orTold(again, signal)
    let withoutMs: number | undefined = clock.elapsed()
    let streams = 0
    let sayAt: readonly number[] = []
    let againAtMs = Number.POSITIVE_INFINITY
    let tries = 0
    let isBeside = false
    let agentSinceMs: number | undefined
    for (;;) {
      signal.throwIfAborted()
      const isAgent = this.#context.isStandIn === true && (await isAgentThere(directory, this.resource, signal))
      agentSinceMs = isAgent ? (agentSinceMs ?? clock.elapsed()) : undefined
      if (agentSinceMs !== undefined && clock.elapsed() - agentSinceMs >= times.yieldMs) return 'the agent of the node offers it'
      const wasBeside = isBeside
      isBeside = await isUpstreamBeside(directory, this.resource, signal)
      signal.throwIfAborted()
      const nowMs = clock.elapsed()
      if (directory.stamp(kubeletSocket) !== kubelet) return 'the kubelet started anew'
      if (directory.stamp(name) !== own) return 'the socket is gone'
      if (server.streams > 0) withoutMs = undefined
      else if (withoutMs === undefined) return 'the kubelet ended the stream'
      else if (nowMs - withoutMs >= times.streamMs) return 'the kubelet opened no stream'
      if (server.streams < streams) {
        if (tries >= times.mostAgain) return 'the kubelet ends one stream after the other'
        server.say()
        sayAt = times.sayAgainMs.map(afterMs => nowMs + afterMs)
        againAtMs = nowMs + times.firstAgainMs * 2 ** tries
        tries += 1
        log.info({ resource: this.resource }, 'another plugin of the resource ended, and the kubelet one of our streams with it')
      } else if (wasBeside && !isBeside && tries === 0) {
        server.say()
        againAtMs = nowMs
        log.info({ resource: this.resource }, "upstream's plugin ended: ours is registered again")
      }
      streams = server.streams
      if (sayAt.some(atMs => atMs <= nowMs)) {
        server.say()
        sayAt = sayAt.filter(atMs => atMs > nowMs)
        if (sayAt.length === 0) tries = 0
      }
      if (againAtMs <= nowMs) {
        againAtMs = Number.POSITIVE_INFINITY
        await this.#orTold(again, signal)
        continue
      }
      const nextMs = Math.min(
        withoutMs === undefined ? Number.POSITIVE_INFINITY : withoutMs + times.streamMs,
        againAtMs,
        ...sayAt,
        nowMs + (isBeside || agentSinceMs !== undefined ? times.besideMs : times.longestRetryMs),
      )
      await this.#wake.wait(Math.max(1, Math.ceil(nextMs - nowMs)), signal)
    }
  }

  /** Newer kubelets refuse a second registration at one path: the first one holds then. */
  async #orTold(again: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await again()
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      this.#context.log.debug({ resource: this.resource, why: messageOf(error) }, 'the kubelet does not take the plugin twice')
    }
  }

  #tell(why: string): void {
    if (why !== this.#why)
      this.#context.log.warn({ resource: this.resource, why }, 'the plugin is not registered: it tries again')
    this.#why = why
  }
}

interface Life {
  readonly name: string
  /** What tells our socket from another one at its path. */
  readonly own: string | undefined
  readonly kubelet: string
  readonly prefix: string
  readonly server: PluginServer
}

/** In names of sockets of plugins in pods of DaemonSets; those of agents have a number there. */
const standInMark = 'pod-'
const agentEnd = /^[0-9a-f]{8}\.sock$/

/** Does an agent of ours answer for the resource? */
async function isAgentThere(directory: PluginDirectory, resource: string, signal: AbortSignal): Promise<boolean> {
  const prefix = `${resourceFile(resource)}-`
  for (const { name } of directory.sockets(prefix))
    if (agentEnd.test(name.slice(prefix.length)) && (await directory.answers(name, signal))) return true
  return false
}

/** Sockets of other plugins for the resource: of our own kind, and as upstream's programs call theirs. */
function others(directory: PluginDirectory, { resource, prefix, name: own }: OtherThan): readonly string[] {
  const ofOurs = directory.sockets(prefix).map(({ name }) => name)
  return [...ofOurs, ...upstreamSockets(directory, resource)].filter(name => name !== own)
}

interface OtherThan {
  readonly resource: string
  readonly prefix: string
  readonly name: string
}

/** A new one each time; without its prefix where that would be too long for the kernel. */
function socketName(directory: string, prefix: string, random: Random): string {
  const number = Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')
  const name = `${prefix}${number}.sock`
  if (Buffer.byteLength(join(directory, name)) <= longestSocketPath) return name
  return `${createHash('sha256').update(prefix).digest('hex').slice(0, 16)}-${number}.sock`
}

async function within(work: Promise<void>, limitMs: number, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<never>()
  const cancel = clock.schedule(limitMs, () => late.reject(new NotRegistered(`the socket does not listen after ${limitMs} ms`)))
  try {
    await Promise.race([work, late.promise])
  } finally {
    cancel()
  }
}
