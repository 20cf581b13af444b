// The agent's role: asks the kubelet what there is and what pods hold, and publishes it by NUMA node. It looks again when time, a pod or the kubelet's
// files say so.

import type { NodeContext, Running } from '#coordination/capability.ts'
import { messageOf } from '#kube/log.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { isOutside, OutsideError } from '#kube/outside-error.ts'
import { durationMs } from '#kube/time/duration.ts'
import type { HostTree } from '#machines/host-tree.ts'
import type { FeaturesConfig } from '../config.ts'
import { fileStamp } from '../publishing/changes.ts'
import { thisMachine } from '../publishing/worker.ts'
import { configzOf, readPolicy } from './kubelet-configuration.ts'
import type { TopologyPolicy } from './kubelet-policy.ts'
import { KubeletSocket } from './kubelet-socket.ts'
import { NodePods } from './node-pods.ts'
import { nodeTopology } from './node-topology.ts'
import { kindsOfCores, numaNodes } from './numa-nodes.ts'
import type { HeldByPod } from './pod-resources-api.ts'
import { scanErrors } from './topology-metrics.ts'
import { TopologyPublisher } from './topology-publisher.ts'
import { excludedOn, type TopologySettings } from './topology-settings.ts'
import { zonesOf } from './zones.ts'

const times = {
  /** Files of the kubelet and pods are looked after so often: no look comes sooner after another. */
  pollMs: 1_000,
  /** What failed is tried again after this, doubled up to the last; so is a kind that the API server does not have yet. */
  firstRetryMs: 5_000,
  lastRetryMs: 60_000,
} as const

/** Below the directory of the kubelet's state, and below its `device-plugins`. */
const stateFiles = ['cpu_manager_state', 'memory_manager_state', 'kubelet_internal_checkpoint']
/** Sentences that are not told twice. */
const mostTold = 1_000

interface Surroundings {
  readonly tree: HostTree
}

/** Looks and publishes until it is disposed of. What it published stays. */
export async function startTopologyUpdater(
  context: NodeContext,
  { topology }: Pick<FeaturesConfig, 'topology'>,
  outer: AbortSignal,
  surroundings: Surroundings = thisMachine(),
): Promise<Running<Pick<FeaturesConfig, 'topology'>>> {
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const updater = new Updater(context, topology, { surroundings, signal })
  const running = updater.run(signal)
  return {
    health: () => [{ name: 'topology-updater', ok: updater.hasPublished, state: updater.state }],
    reconfigure: async next => {
      // The socket is the only thing that was opened by the settings.
      if (next.topology.podResourcesSocket !== topology.podResourcesSocket) return 'restart-part'
      updater.reconfigure(next.topology)
      return 'applied'
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('the topology updater is stopped', 'AbortError'))
      await running
      await updater[Symbol.asyncDispose]()
    },
  }
}

/** Looks once, publishes, and is done. @throws OutsideError where the kubelet says nothing or the server does not take it */
export async function publishTopologyOnce(
  context: NodeContext,
  settings: TopologySettings,
  signal: AbortSignal,
  surroundings: Surroundings,
): Promise<void> {
  await using updater = new Updater(context, settings, { surroundings, signal })
  await updater.once(signal)
}

/** What the kubelet, the kernel and the API server say at one time. */
interface Scan {
  readonly zones: ReturnType<typeof zonesOf>['zones']
  readonly pods: readonly HeldByPod[]
  readonly kindsOfCores: readonly (readonly [string, string])[]
  readonly policy: TopologyPolicy
}

interface Opening {
  readonly surroundings: Surroundings
  readonly signal: AbortSignal
}

class Updater implements AsyncDisposable {
  hasPublished = false
  state = 'it waits for the pods of its node'
  readonly #context: NodeContext
  readonly #tree: HostTree
  readonly #socket: KubeletSocket
  readonly #pods: NodePods
  readonly #publisher: TopologyPublisher
  readonly #told = new Set<string>()
  #settings: TopologySettings
  /** Read at the first look and by the interval: it changes with a new start of the kubelet alone. */
  #policy: TopologyPolicy | undefined
  #cores: Scan['kindsOfCores'] = []
  #isChanged = false

  constructor(context: NodeContext, settings: TopologySettings, { surroundings, signal }: Opening) {
    const { api, clock, random, log, node, identity } = context
    if (api === undefined) throw new Error('the topology updater needs the API server')
    this.#context = context
    this.#settings = settings
    this.#tree = surroundings.tree
    this.#socket = new KubeletSocket({ socket: settings.podResourcesSocket || this.#tree.host(standardSocket), clock })
    this.#pods = new NodePods({ api, node, clock, random, log, signal })
    this.#publisher = new TopologyPublisher({ api, clock, log, namespace: identity.namespace })
    if (context.metrics !== undefined) scanErrors(context.metrics)
  }

  reconfigure(settings: TopologySettings): void {
    this.#settings = settings
    this.#policy = undefined
    this.#isChanged = true
  }

  /** One look, published. A kind that is not there yet is waited for. */
  async once(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context
    await this.#pods.synced(signal)
    const scan = await this.#scan(true, signal)
    for (let retryMs: number = times.firstRetryMs; ; retryMs = Math.min(times.lastRetryMs, retryMs * 2)) {
      try {
        await this.#publish(scan, signal)
        return
      } catch (error) {
        if (!isNotFound(error)) throw error
        this.#tell('the API server has no NodeResourceTopologies yet', { why: messageOf(error) })
        await clock.after(retryMs, signal)
      }
    }
  }

  /** Until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#pods.synced(signal)
      let isTick = true
      for (let failures = 0; ; ) {
        this.#isChanged = false
        const seen = this.#seen()
        const startMs = this.#context.clock.elapsed()
        failures = (await this.#look(isTick, signal)) ? 0 : failures + 1
        isTick = await this.#untilNextLook({ seen, startMs, failures }, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket[Symbol.dispose]()
    await this.#pods[Symbol.asyncDispose]()
  }

  /** @returns whether all went well */
  async #look(isTick: boolean, signal: AbortSignal): Promise<boolean> {
    const { log, metrics } = this.#context
    let scan: Scan | undefined
    try {
      scan = await this.#scan(isTick, signal)
      await this.#publish(scan, signal)
      return true
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      const why = messageOf(error)
      if (scan === undefined && metrics !== undefined) scanErrors(metrics).inc()
      const what = scan === undefined ? 'what pods hold is not known' : 'the topology is not published'
      // The same trouble is told once as long as it lasts.
      const state = `${what}, tried again: ${why}`
      if (state !== this.state) log.warn({ why }, `${what}, tried again`)
      this.state = state
      return false
    }
  }

  async #scan(isTick: boolean, signal: AbortSignal): Promise<Scan> {
    const { node } = this.#context
    const policy = await this.#policyNow(isTick, signal)
    const tell = (what: string, about: object) => this.#tell(what, about)
    const nodes = numaNodes(this.#tree, tell)
    if (nodes.length === 0) throw new OutsideError('the kernel tells of no NUMA nodes')
    const allocatable = await this.#socket.allocatable(signal)
    const pods = await this.#socket.pods(signal)
    const counted = await this.#pods.counted(pods, this.#settings.watchNamespace, signal)
    const excluded = excludedOn(node, this.#settings)
    const { zones, problems } = zonesOf({ nodes, allocatable, pods: counted, excluded })
    for (const why of problems) tell('something of what the kubelet says does not count', { why })
    return { zones, pods, kindsOfCores: this.#cores, policy }
  }

  /** @throws OutsideError where it was never read: without it a scheduler would be told wrong. */
  async #policyNow(isTick: boolean, signal: AbortSignal): Promise<TopologyPolicy> {
    const known = this.#policy
    if (known !== undefined && !isTick) return known
    const { clock, nodeAddress } = this.#context
    const { apiAuthTokenFile: tokenFile, kubeletConfigUri } = this.#settings
    this.#cores = kindsOfCores(this.#tree)
    try {
      const uri = kubeletConfigUri === '' && nodeAddress !== undefined ? configzOf(nodeAddress) : kubeletConfigUri
      if (uri === '') throw new OutsideError('nobody says at which address the kubelet of the node is')
      const read = await readPolicy(uri, { clock, tree: this.#tree, tokenFile }, signal)
      this.#policy = read
      return read
    } catch (error) {
      if (known === undefined || signal.aborted || !isOutside(error)) throw error
      this.#tell('the policies of the kubelet cannot be read anew', { why: messageOf(error) })
      return known
    }
  }

  async #publish({ zones, pods, policy, kindsOfCores: cores }: Scan, signal: AbortSignal): Promise<void> {
    const { node, log } = this.#context
    const { noPublish, podsFingerprint } = this.#settings
    const said = podsFingerprint ? pods : undefined
    if (!noPublish) {
      const outcome = await this.#publisher.publish(
        owners => nodeTopology({ node, zones, policy, kindsOfCores: cores, pods: said, owners }),
        signal,
      )
      if (outcome === 'written')
        log.info({ node, zones: zones.length, pods: pods.length }, 'the topology of the node is published')
    }
    this.hasPublished = true
    this.state = `${zones.length} zones, ${pods.length} pods`
  }

  /** @returns whether it is the interval that is over */
  async #untilNextLook(
    { seen, startMs, failures }: { readonly seen: Seen; readonly startMs: number; readonly failures: number },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock } = this.#context
    const retryMs = Math.min(times.lastRetryMs, times.firstRetryMs * 2 ** Math.min(failures - 1, 10))
    for (;;) {
      const intervalMs = durationMs(this.#settings.sleepInterval)
      const tickMs = intervalMs <= 0 ? Number.POSITIVE_INFINITY : startMs + Math.max(times.pollMs, intervalMs)
      const dueMs = failures === 0 ? tickMs : Math.min(tickMs, startMs + retryMs)
      await clock.after(Math.max(1, Math.min(times.pollMs, Math.ceil(dueMs - clock.elapsed()))), signal)
      if (clock.elapsed() >= tickMs) return true
      if (this.#isChanged || clock.elapsed() >= dueMs) return false
      const now = this.#seen()
      // While it fails, news do not hurry it: the kubelet or the server is away.
      if (failures === 0 && (now.files !== seen.files || now.pods !== seen.pods)) return false
    }
  }

  #seen(): Seen {
    const { kubeletStateDir: directory } = this.#settings
    if (directory === '') return { files: '', pods: this.#pods.changes }
    const directories = [directory, `${directory}/device-plugins`]
    const files = directories.flatMap(path => stateFiles.map(name => fileStamp(`${path}/${name}`)))
    return { files: files.join('\n'), pods: this.#pods.changes }
  }

  /** Each once: a machine and a kubelet lack the same things at each look. */
  #tell(what: string, about: object): void {
    const sentence = `${what} ${JSON.stringify(about)}`
    if (this.#told.has(sentence)) return
    if (this.#told.size >= mostTold) this.#told.clear()
    this.#told.add(sentence)
    this.#context.log.warn({ ...about }, what)
  }
}

/** What is compared to know whether something changed. */
interface Seen {
  readonly files: string
  readonly pods: number
}

const standardSocket = 'var/lib/kubelet/pod-resources/kubelet.sock'
