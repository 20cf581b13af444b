// What the image mirrors of a cluster count, read from each of them now and then while somebody looks.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { Cancel, Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { DaemonSet } from '#kube/objects/objects.ts'
import { mirrorAmong } from '#twin/components/kubelets/image-mirrors.ts'
import type { MirrorReading, MirrorsPicture } from '../picture.ts'
import { samplesOf } from './metric-lines.ts'

/** Reads a page of metrics; at most a mebibyte of it. */
export type ReadMetrics = (url: string, signal: AbortSignal) => Promise<string>

interface MirrorPollOptions {
  readonly state: () => ClusterState
  readonly read: ReadMetrics
  /** Port of the metrics on each node. */
  readonly port: () => number
  readonly wallClock: Clock
  /** Told after each round. */
  readonly onRound: () => void
  readonly signal: AbortSignal
}

const everyMs = 30_000
const mostAtOnce = 32
const answerLimitMs = 3_000

/** One reading of each mirror every 30 s while `follow` is on; what was read last stays until the node or its mirror is gone. */
export class MirrorPoll implements Disposable {
  readonly #options: MirrorPollOptions
  readonly #readings = new Map<string, MirrorReading>()
  #picture: MirrorsPicture | undefined
  #timer: Cancel | undefined
  #isFollowed = false
  #round: Promise<void> | undefined

  constructor(options: MirrorPollOptions) {
    this.#options = options
  }

  /** `undefined` before the first round. */
  get current(): MirrorsPicture | undefined {
    return this.#picture
  }

  follow(isOn: boolean): void {
    this.#isFollowed = isOn
    this.#timer?.()
    this.#timer = undefined
    if (isOn) void this.round()
  }

  /** One round, or the one under way. Never rejects: who does not answer is silent. */
  round(): Promise<void> {
    this.#round ??= this.#read().finally(() => {
      this.#round = undefined
      const { wallClock, signal } = this.#options
      if (this.#isFollowed && !signal.aborted) this.#timer = wallClock.schedule(everyMs, () => void this.round())
    })
    return this.#round
  }

  [Symbol.dispose](): void {
    this.follow(false)
  }

  async #read(): Promise<void> {
    const { state, onRound, signal } = this.#options
    const targets = mirrorAddresses(state())
    for (const node of this.#readings.keys()) if (!targets.has(node)) this.#readings.delete(node)
    const waiting = [...targets]
    const worker = async () => {
      for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift())
        this.#readings.set(next[0], await this.#reading(next[1]))
    }
    await Promise.all(Array.from({ length: Math.min(mostAtOnce, waiting.length) }, worker))
    if (signal.aborted) return
    this.#picture = { readings: new Map(this.#readings), pulls: undefined }
    onRound()
  }

  async #reading(address: string): Promise<MirrorReading> {
    const { read, port, signal } = this.#options
    const host = address.includes(':') ? `[${address}]` : address
    const url = `http://${host}:${port()}/metrics`
    try {
      return readingOf(await read(url, AbortSignal.any([signal, AbortSignal.timeout(answerLimitMs)])))
    } catch (error) {
      return { kind: 'silent', because: `${url}: ${messageOf(error)}` }
    }
  }
}

/** The first internal address of each node on which a mirror of ours is ready. */
export function mirrorAddresses(state: ClusterState): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>()
  for (const object of state.objects('DaemonSet')) {
    const { spec, metadata } = object as DaemonSet
    // Those of upstream are on the pods' network, under other ports.
    if (mirrorAmong(spec.template.spec.containers)?.relays !== true) continue
    for (const { nodeName, isReady } of state.podsOf(metadata.uid ?? '')) {
      const node = nodeName === undefined ? undefined : state.nodes.get(nodeName)
      const address = node?.object.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address
      if (isReady && node !== undefined && address !== undefined) addresses.set(node.name, address)
    }
  }
  return addresses
}

const names: ReadonlySet<string> = new Set(['spegel_mirror_requests_total', 'ballast_mirror_bytes_total'])

/** What a mirror's page of metrics says. */
export function readingOf(text: string): MirrorReading {
  const registries = new Map<string, { hits: number; misses: number }>()
  let bytesIn = 0
  let bytesOut = 0
  for (const { name, labels, value } of samplesOf(text, names)) {
    const { registry = '', cache, direction } = labels
    if (name === 'spegel_mirror_requests_total') {
      const sum = registries.get(registry) ?? { hits: 0, misses: 0 }
      registries.set(registry, cache === 'hit' ? { ...sum, hits: sum.hits + value } : { ...sum, misses: sum.misses + value })
    } else if (direction === 'in') bytesIn += value
    else if (direction === 'out') bytesOut += value
  }
  return { kind: 'read', registries, bytesIn, bytesOut }
}
