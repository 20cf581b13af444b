// The agent's role: looks at its node, publishes what it finds, and looks again when time or the machine says so. It writes its NodeFeature
// and nothing else.

import { existsSync } from 'node:fs'
import type { NodeContext, Running } from '#coordination/capability.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject, OwnerReference } from '#kube/objects/objects.ts'
import { durationMs } from '#kube/time/duration.ts'
import { programVersion } from '#kube/version.ts'
import { HostTree } from '#machines/host-tree.ts'
import type { FeaturesConfig } from '../config.ts'
import type { CpuidSource } from '../discovery/cpu/cpuid-registers.ts'
import { readCpuid } from '../discovery/cpu/read-cpuid.ts'
import { type Discovery, discover } from '../discovery/discover.ts'
import { nodeFeature } from '../discovery/node-feature.ts'
import type { WorkerConfig } from '../discovery/worker-config.ts'
import { publishedForAnnotation, workerPodAnnotation, workerVersionAnnotation } from '../names.ts'
import { prunedSpec } from '../rules/references.ts'
import { devicesSeen, featureFilesSeen } from './changes.ts'
import { type WorkerMetrics, workerMetrics } from './metrics.ts'
import { ownersOf } from './owners.ts'
import { Publisher } from './publisher.ts'
import type { WantedFeatures } from './wanted-features.ts'

const times = {
  /** A shorter interval is taken for this one, as upstream does. */
  leastIntervalMs: 1_000,
  /** Feature files are looked after so often, and devices every fifth time. */
  pollMs: 1_000,
  devicesEvery: 5,
  /** The server is asked whether all is still there, give or take a tenth: whoever deletes the object takes the node's labels along. */
  checkMs: 600_000,
} as const

/** Where a pod has the host's directories. */
const podPrefix = '/host-'

/** The machine that this process runs on. */
interface Surroundings {
  readonly tree: HostTree
  readonly architecture: string
  /** Asked once. @throws Error where no way is open */
  readonly cpuid: (tell: (what: string, about: object) => void) => CpuidSource
}

/** This one; without `prefix` the host's directories are where the place has them. */
export function thisMachine(prefix = ''): Surroundings {
  const found = existsSync(`${podPrefix}sys`) ? podPrefix : '/'
  const tree = new HostTree({ hostPrefix: prefix === '' ? found : prefix, ownRoot: '/' })
  const { arch } = process
  return { tree, architecture: arch, cpuid: tell => readCpuid(tree, arch, tell) }
}

/** Looks and publishes until it is disposed of. What it published stays. */
export async function startWorker(
  context: NodeContext,
  config: FeaturesConfig,
  outer: AbortSignal,
  surroundings: Surroundings = thisMachine(),
): Promise<Running<FeaturesConfig>> {
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const worker = new Worker(context, config.worker, surroundings)
  const running = worker.run(signal).finally(() => worker[Symbol.asyncDispose]())
  return {
    // The probe of a pod that cannot write now must not end it: what it last published holds.
    health: () => [{ name: 'features-worker', ok: worker.hasLooked, state: worker.state }],
    reconfigure: async next => {
      worker.reconfigure(next.worker)
      return 'applied'
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('the worker is stopped', 'AbortError'))
      await running
    },
  }
}

/** Looks once, publishes, and is done. @throws StatusError where the server does not take it */
export async function publishOnce(
  context: NodeContext,
  config: WorkerConfig,
  signal: AbortSignal,
  surroundings: Surroundings,
): Promise<void> {
  await using worker = new Worker(context, config, surroundings)
  await worker.once(signal)
}

/** What is compared to know whether something changed. */
interface Seen {
  readonly files: string
  readonly devices: string
}

class Worker implements AsyncDisposable {
  hasLooked = false
  state = 'it has not looked yet'
  readonly #context: NodeContext
  readonly #surroundings: Surroundings
  readonly #publisher: Publisher | undefined
  readonly #metrics: WorkerMetrics | undefined
  readonly #told = new Set<string>()
  #config: WorkerConfig
  #cpuid: CpuidSource | undefined
  #owners: readonly OwnerReference[] | undefined
  /** Absent: everything that is found is published. */
  #wanted: WantedFeatures | undefined
  #isChanged = false

  constructor(context: NodeContext, config: WorkerConfig, surroundings: Surroundings) {
    const { api, identity, metrics } = context
    this.#context = context
    this.#config = config
    this.#surroundings = surroundings
    this.#publisher = api === undefined ? undefined : new Publisher({ api, namespace: identity.namespace })
    this.#metrics = metrics === undefined ? undefined : workerMetrics(metrics)
  }

  reconfigure(config: WorkerConfig): void {
    this.#config = config
    this.#owners = undefined
    this.#isChanged = true
  }

  /** One look, published. */
  async once(signal: AbortSignal): Promise<void> {
    await this.#hear(signal)
    await this.#publish(this.#look(), signal)
  }

  /** Until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, random, node } = this.#context
    let checkAtMs = clock.elapsed()
    while (!signal.aborted) {
      this.#isChanged = false
      try {
        await this.#hear(signal)
        this.#wanted?.taken()
        const seen = this.#seen()
        const found = this.#look()
        if (clock.elapsed() >= checkAtMs) {
          this.#publisher?.forget()
          checkAtMs = Math.ceil(clock.elapsed() + times.checkMs * (0.9 + 0.2 * random()))
        }
        // What changes meanwhile is found by the next look.
        await untilDone(() => this.#publish(found, signal), { clock, log, what: `the features of ${node} are published` }, signal)
        await this.#untilNextLook({ found, seen, checkAtMs }, signal)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#wanted?.[Symbol.asyncDispose]()
    this.#wanted = undefined
  }

  /** Follows the list of what rules look at, where no more than that is to be published. */
  async #hear(signal: AbortSignal): Promise<void> {
    const { api, identity, clock, random, log } = this.#context
    const { publish, noPublish } = this.#config.core
    if (publish === 'full' || noPublish || api === undefined) return await this[Symbol.asyncDispose]()
    if (this.#wanted === undefined) {
      using _held = clock.hold()
      // It brings watches, which who publishes everything does without.
      const { WantedFeatures } = await import('./wanted-features.ts')
      this.#wanted = new WantedFeatures({ api, namespace: identity.namespace, clock, random, log, signal })
    }
    await this.#wanted.synced(signal)
  }

  #look(): Discovery {
    const { clock, node } = this.#context
    const { tree, architecture } = this.#surroundings
    const startMs = clock.elapsed()
    const tell = (what: string, about: object) => this.#tell(what, about)
    this.#cpuid ??= this.#askProcessor(tell)
    const machine = { tree, cpuid: this.#cpuid, architecture, nodeName: node, nowMs: clock.now(), tell }
    const found = discover(machine, this.#config)
    this.#metrics?.seconds.observe({ node }, (clock.elapsed() - startMs) / 1_000)
    return found
  }

  #askProcessor(tell: (what: string, about: object) => void): CpuidSource {
    try {
      return this.#surroundings.cpuid(tell)
    } catch (error) {
      tell('the processor cannot be asked', { why: messageOf(error) })
      return { kind: 'names', way: 'none', flags: new Set(), vendor: '', family: 0, model: 0, hypervisor: false }
    }
  }

  async #publish(found: Discovery, signal: AbortSignal): Promise<void> {
    const { api, identity, node, log } = this.#context
    const { core } = this.#config
    if (!core.noPublish && this.#publisher !== undefined && api !== undefined) {
      const { name, namespace, podUid } = identity
      const pod = podUid === undefined ? undefined : { name, namespace, uid: podUid }
      this.#owners ??= await ownersOf(core, { api, node, pod }, signal)
      const outcome = await this.#publisher.publish(this.#object(found, this.#owners, podUid), signal)
      if (outcome === 'written') log.info({ node, labels: found.labels.size }, 'the features of the node are published')
    }
    this.hasLooked = true
    this.state = `${found.labels.size} labels are asked for`
  }

  #object(found: Discovery, owners: readonly OwnerReference[], podUid: string | undefined): KubeObject {
    const { metadata, spec, ...rest } = nodeFeature(this.#context.node, found)
    const { references, digest } = this.#wanted?.current ?? {}
    const annotations = {
      [workerVersionAnnotation]: programVersion,
      ...(podUid === undefined ? {} : { [workerPodAnnotation]: podUid }),
      ...(digest === undefined ? {} : { [publishedForAnnotation]: digest }),
    }
    return {
      ...rest,
      spec: prunedSpec(spec, references),
      metadata: { ...metadata, annotations, ...(owners.length === 0 ? {} : { ownerReferences: [...owners] }) },
    }
  }

  #seen(): Seen {
    const { tree } = this.#surroundings
    return { files: featureFilesSeen(tree), devices: this.#config.core.hotplug === 'off' ? '' : devicesSeen(tree) }
  }

  /** Until the interval is over, a line expires, files or devices changed, or the server is to be asked again. */
  async #untilNextLook(
    { found, seen, checkAtMs }: { readonly found: Discovery; readonly seen: Seen; readonly checkAtMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#context
    const { tree } = this.#surroundings
    const { sleepInterval, hotplug } = this.#config.core
    const intervalMs = durationMs(sleepInterval)
    const atMs = Math.min(
      checkAtMs,
      intervalMs <= 0 ? Number.POSITIVE_INFINITY : clock.elapsed() + Math.max(times.leastIntervalMs, intervalMs),
    )
    for (let round = 1; ; round += 1) {
      await clock.after(Math.min(times.pollMs, Math.max(1, Math.ceil(atMs - clock.elapsed()))), signal)
      const isExpired = found.expiresMs !== undefined && clock.now() > found.expiresMs
      if (this.#isChanged || isExpired || clock.elapsed() >= atMs || this.#wanted?.isDue === true) return
      if (featureFilesSeen(tree) !== seen.files) return
      if (hotplug === 'on' && round % times.devicesEvery === 0 && devicesSeen(tree) !== seen.devices) return
    }
  }

  /** Each once: a machine lacks the same things at each look. */
  #tell(what: string, about: object): void {
    const sentence = `${what} ${JSON.stringify(about)}`
    if (this.#told.has(sentence)) return
    if (this.#told.size >= mostTold) this.#told.clear()
    this.#told.add(sentence)
    this.#context.log.info({ ...about }, what)
  }
}

/** Sentences that are not told twice. */
const mostTold = 1_000
