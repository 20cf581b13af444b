// What the leader does for the mirrors: tells them of each other, keeps their certificates, and has images pulled before they are needed.
import { Bell } from '#coordination/arbiter/bell.ts'
import {
  type Check,
  type ControllerContext,
  type Leading,
  type Running,
  standardAgentNamespace,
} from '#coordination/capability.ts'
import { nodeFilesPort } from '#coordination/ports/node-files.ts'
import { pullAheadPort } from '#coordination/ports/pull-ahead.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import type { DaemonSet, Deployment, KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { AgentCertificates } from './agent-certificates.ts'
import { AgentClient } from './agent-client.ts'
import type { MirrorConfig } from './config.ts'
import { nodeFilesOf } from './node-files-port.ts'
import { addressOf, mirrorNodes } from './peer-list.ts'
import { PeerListKeeper } from './peer-list-keeper.ts'
import { type PrefetchSubject, prefetchPlan } from './pulling/prefetch-plan.ts'
import { PullingAhead } from './pulling/pulling-ahead.ts'

export const requester = 'mirror'

const intervals = {
  /** Nodes that join together are one change. */
  settleMs: 1_000,
  /** Whatever happens. */
  lookMs: 300_000,
  retryMs: 10_000,
  /** An image that failed on a node, or an agent that did not answer. */
  againMs: 300_000,
} as const
/** Time for one question about the images of an annotation; where it takes longer, the controller asks again. */
const pullLimitMs = 1_800_000

/** Starts it. The returned part ends it and waits for that; lists and certificates stay for the mirrors. */
export async function startMirrorController(
  context: ControllerContext,
  config: MirrorConfig,
  outer: AbortSignal,
): Promise<Running<MirrorConfig>> {
  const { leading } = context
  if (leading === undefined) throw new Error('the mirrors are served only where it leads')
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const serving = new MirrorController(context, leading, config)
  serving.offer()
  const running = serving.run(signal).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  return {
    health: () => serving.health(),
    reconfigure: async () => 'restart-part',
    async [Symbol.asyncDispose]() {
      stop.abort(new DOMException('the mirrors are not served any more', 'AbortError'))
      await running
      await serving[Symbol.asyncDispose]()
    },
  }
}

class MirrorController implements AsyncDisposable {
  readonly #context: ControllerContext
  readonly #config: MirrorConfig
  readonly #nodes: Informer<Node>
  readonly #namespaces: Informer<KubeObject>
  readonly #deployments: Informer<Deployment>
  readonly #daemonSets: Informer<DaemonSet>
  readonly #bell: Bell
  readonly #certificates: AgentCertificates
  readonly #peers: PeerListKeeper
  readonly #client: AgentClient
  readonly #ahead: PullingAhead
  /** By node (its name and UID) and image: until when it need not be asked for, in milliseconds of the clock's `elapsed()`. */
  readonly #settled = new Map<string, number>()
  readonly #told = new Set<string>()
  readonly #pulls = new Set<string>()
  #changes = 1

  constructor(context: ControllerContext, leading: Leading, config: MirrorConfig) {
    const { clock, informers } = context
    this.#context = context
    this.#config = config
    this.#nodes = informers.of<Node>(builtIn.nodes)
    this.#namespaces = informers.of(builtIn.namespaces)
    this.#deployments = informers.of<Deployment>(builtIn.deployments)
    this.#daemonSets = informers.of<DaemonSet>(builtIn.daemonsets)
    this.#bell = new Bell(clock)
    this.#certificates = new AgentCertificates(context)
    this.#peers = new PeerListKeeper(context)
    this.#client = new AgentClient({ clock, identity: () => this.#certificates.identity })
    this.#ahead = new PullingAhead({
      clock,
      addressOf: name => this.#addressOf(name),
      ask: (address, images, signal) => this.#client.ask({ address, port: config.peerPort }, images, signal),
      windowOpensMs: name => leading.arbiter.windowOpensMs(name),
    })
  }

  offer(): void {
    const { ports } = this.#context
    ports.offer(pullAheadPort, this.#ahead)
    if (this.#config.nodeConfiguration.mode === 'operator') ports.offer(nodeFilesPort, nodeFilesOf(this.#config))
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#certificates.run(signal), this.#following(signal)])
  }

  health(): readonly Check[] {
    const certificates = { name: 'mirror-certificates', ok: true } as const
    const count = this.#peers.count
    return [
      this.#certificates.isPublished ? certificates : { ...certificates, message: 'not handed out to the agents yet' },
      { name: 'mirror-peers', ok: true, message: count === undefined ? 'no list was written yet' : `${count} nodes are listed` },
    ]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]()
  }

  #addressOf(name: string): string | undefined {
    const node = this.#nodes.store.get(undefined, name)
    return node === undefined ? undefined : addressOf(node)
  }

  async #following(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    const informers = [this.#nodes, this.#namespaces, this.#deployments, this.#daemonSets]
    await Promise.all(informers.map(informer => informer.synced))
    using stack = new DisposableStack()
    for (const informer of informers)
      stack.defer(
        informer.onChange(() => {
          this.#changes++
          this.#bell.ring()
        }),
      )
    while (!signal.aborted) {
      const seen = this.#changes
      let limitMs: number = intervals.lookMs
      try {
        await this.#peers.keep(this.#mirrorNodes(), signal)
        this.#prefetch(signal)
      } catch (error) {
        signal.throwIfAborted()
        log.warn({ why: messageOf(error) }, 'the list of mirrors could not be kept, tried again')
        limitMs = intervals.retryMs
      }
      await clock.after(intervals.settleMs, signal)
      await this.#bell.until(() => (this.#changes === seen ? undefined : true), { limitMs, signal })
    }
  }

  #allNodes(): readonly Node[] {
    return [...this.#nodes.store.list()]
  }

  #mirrorNodes(): readonly Node[] {
    const namespace = this.#context.identity.agentNamespace ?? standardAgentNamespace
    return this.#allNodes().filter(mirrorNodes(this.#daemonSets.store.list(), namespace))
  }

  /** Begins what annotations ask for and is not under way; does not wait for it. */
  #prefetch(signal: AbortSignal): void {
    const nodes = this.#allNodes()
    const { subjects, wanted } = prefetchPlan({
      nodes,
      namespaces: [...this.#namespaces.store.list()],
      deployments: [...this.#deployments.store.list()],
    })
    for (const subject of subjects) this.#tell(subject)
    const nowMs = this.#context.clock.elapsed()
    for (const [key, untilMs] of this.#settled) if (untilMs <= nowMs) this.#settled.delete(key)
    const uids = new Map(nodes.map(({ metadata }) => [metadata.name, metadata.uid ?? '']))
    for (const [node, images] of wanted) {
      const keyOf = (image: string) => `${node} ${uids.get(node)} ${image}`
      const left = images.filter(image => !this.#settled.has(keyOf(image)))
      if (left.length === 0 || this.#pulls.has(node)) continue
      this.#pulls.add(node)
      void this.#pull(node, left, keyOf, signal)
    }
  }

  async #pull(node: string, images: readonly string[], keyOf: (image: string) => string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    try {
      const deadlineMs = clock.now() + pullLimitMs
      for (const { image, outcome, message } of await this.#ahead.pull(
        { requester, images, nodes: [node], deadlineMs },
        signal,
      )) {
        const isThere = outcome === 'present'
        this.#settled.set(keyOf(image), isThere ? Number.POSITIVE_INFINITY : clock.elapsed() + intervals.againMs)
        if (isThere) log.info({ node, image }, 'an image is on its node beforehand')
        else if (outcome !== 'outside-window')
          log.warn({ node, image, outcome, why: message }, 'an image was not pulled beforehand')
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ node, why: messageOf(error) }, 'images were not pulled beforehand')
    } finally {
      this.#pulls.delete(node)
    }
  }

  /** Says once what is wrong with an annotation. */
  #tell({ object, reasons }: PrefetchSubject): void {
    const { kind, metadata } = object
    const place = [kind ?? 'object', metadata.namespace, metadata.name].filter(part => part !== undefined).join(' ')
    for (const reason of reasons) {
      const key = `${place}: ${reason}`
      if (this.#told.has(key)) continue
      this.#told.add(key)
      this.#context.log.warn({ object: place, why: reason }, 'not all is pulled beforehand that an annotation asks for')
    }
  }
}
