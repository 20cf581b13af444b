// The loop of the operator: looks at each object that something changed for, decides purely, writes what differs. All that it knows stands in
// objects, so that whoever leads next goes on from any point; one object that cannot be served holds up no other.

import { isDeepStrictEqual } from 'node:util'
import type { Check, ControllerContext, Leading, Running } from '#coordination/capability.ts'
import { standardAgentNamespace } from '#coordination/capability.ts'
import { createOwnDaemonSet, updateOwnDaemonSet } from '#coordination/effects/own-daemon-sets.ts'
import { type ReconcileResult, reconciled, runWorkers } from '#kube/controllers/controller.ts'
import { backgroundPriority, WorkQueue } from '#kube/controllers/queue.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import { problemSentence } from '#kube/problem.ts'
import { programVersion } from '#kube/version.ts'
import type { DevicesConfig } from '../config.ts'
import { capabilityName } from '../names.ts'
import type { DaemonSet } from './daemon-set.ts'
import { pluginPodSelector } from './operator-rights.ts'
import type { OperatorConfig, OperatorSettings } from './operator-settings.ts'
import { type DeviceName, isOwnDevice, kindOf, pluginGroup, pluginsOf, pluginVersion } from './plugin-kinds.ts'
import { specOf } from './plugin-schema.ts'
import { writeImages, writeStatus } from './plugin-writes.ts'
import { controllerOf, type Decision, reconcilePlugin } from './reconcile.ts'
import type { PluginObject } from './wanted-daemon-set.ts'
import { WebhookKeeper } from './webhook-keeper.ts'

const times = {
  /** Changes of so long are looked at together: a DaemonSet counts each of its pods. */
  gatherMs: 100,
  /** What nobody told of is found. */
  resyncMs: 10 * 60_000,
  /** What somebody has to do something about is looked at again, for what no watch tells. */
  refusedMs: 60_000,
  /** Configurations of webhooks are looked at. */
  keepMs: 60_000,
  keepRetryMs: 10_000,
} as const

/** Starts the loop where we lead and it is wanted. Ending it leaves everything where it is: plugins go on. */
export async function startOperator(
  context: ControllerContext,
  config: DevicesConfig,
  outer: AbortSignal,
): Promise<Running<DevicesConfig>> {
  const { leading, informers, webhooks } = context
  if (leading === undefined) throw new Error('objects of device plugins are served only where we lead')
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const work = config.operator.enabled ? new Operator(context, leading, config) : undefined
  const keeping = new Keeping(context, new WebhookKeeper(leading.effects, webhooks), config.operator)
  await informers.allSynced(signal)
  const running = Promise.all([work?.run(signal), keeping.run(signal)])
  return {
    health: () => [...(work?.health() ?? []), ...keeping.health()],
    reconfigure: async next =>
      isDeepStrictEqual(next.operator, config.operator) &&
      next.gpu.enabled === config.gpu.enabled &&
      next.npu.enabled === config.npu.enabled
        ? 'applied'
        : 'restart-part',
    switchedOff: end => keeping.end(end),
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('the operator of device plugins is stopped', 'AbortError'))
      await running
      work?.[Symbol.dispose]()
    },
  }
}

/** `gpu/igpu` */
type Key = `${DeviceName}/${string}`

const keyOf = (device: DeviceName, name: string): Key => `${device}/${name}`

class Operator implements Disposable {
  readonly #context: ControllerContext
  readonly #leading: Leading
  readonly #config: OperatorConfig
  readonly #settings: OperatorSettings
  /** What agents offer by themselves. */
  readonly #offered: ReadonlySet<DeviceName>
  readonly #objects: ReadonlyMap<DeviceName, Informer<KubeObject>>
  readonly #daemonSets: Informer<DaemonSet>
  readonly #pods: Informer<Pod>
  readonly #queue: WorkQueue<Key>
  readonly #unsubscribe: readonly (() => void)[]
  /** Objects that are not served as they ask, with the reason that was told. */
  readonly #refused = new Map<Key, string>()

  constructor(context: ControllerContext, leading: Leading, config: DevicesConfig) {
    const { informers, clock, identity } = context
    this.#context = context
    this.#leading = leading
    this.#config = config.operator
    const { ownImage } = config.operator
    this.#settings = {
      ...config.operator,
      ownImage: ownImage === '' ? `ghcr.io/ballast-dev/ballast:${programVersion}` : ownImage,
      namespace: identity.agentNamespace ?? standardAgentNamespace,
    }
    this.#offered = new Set((['gpu', 'npu'] as const).filter(device => config.agent.enabled && config[device].enabled))
    this.#objects = new Map(
      config.operator.devices.map(device => [device, informers.of<KubeObject>(pluginsOf(device), { optional: true })]),
    )
    this.#daemonSets = informers.of<DaemonSet>(builtIn.daemonsets)
    this.#pods = informers.of<Pod>(builtIn.pods, { labelSelector: pluginPodSelector })
    this.#queue = new WorkQueue<Key>({ clock })
    this.#unsubscribe = [
      ...Array.from(this.#objects, ([device, objects]) =>
        objects.onChange(({ type, object }) => {
          const key = keyOf(device, object.metadata.name)
          if (type === 'DELETED') this.#refused.delete(key)
          this.#queue.addAfter(key, times.gatherMs)
        }),
      ),
      this.#daemonSets.onChange(({ object }) => this.#lookAtOwner(object)),
      this.#pods.onChange(({ type, object, previous }) => {
        if (type === 'MODIFIED' && previous?.spec?.nodeName === object.spec?.nodeName) return
        const owner = controllerOf(object)
        if (owner?.kind !== 'DaemonSet') return
        const daemonSet = this.#daemonSets.store.get(object.metadata.namespace, owner.name)
        if (daemonSet !== undefined) this.#lookAtOwner(daemonSet)
      }),
    ]
  }

  health(): readonly Check[] {
    const count = Array.from(this.#objects.values(), ({ store }) => store.size).reduce((sum, size) => sum + size, 0)
    const refused = this.#refused.size === 0 ? '' : `, of which ${this.#refused.size} are not served as they ask`
    return [{ name: 'device-plugin-operator', ok: true, state: `${count} objects of device plugins${refused}` }]
  }

  /** Until `signal` is aborted; never rejects but for what nobody foresaw. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    const workers = runWorkers(
      {
        name: 'device-plugin-operator',
        queue: this.#queue,
        concurrency: 2,
        clock,
        log,
        reconcile: (key, limit) => this.#reconcile(key, limit),
      },
      signal,
    )
    await Promise.all([workers, this.#resync(signal)])
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#queue[Symbol.dispose]()
  }

  #lookAtOwner(daemonSet: DaemonSet): void {
    const owner = controllerOf(daemonSet)
    if (owner === undefined || !owner.apiVersion.startsWith(`${pluginGroup}/`)) return
    const device = this.#config.devices.find(one => kindOf(one) === owner.kind)
    if (device !== undefined) this.#queue.addAfter(keyOf(device, owner.name), times.gatherMs)
  }

  async #resync(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#context.clock.after(times.resyncMs, signal).catch((reason: unknown) => {
        if (!signal.aborted) throw reason
      })
      if (signal.aborted) return
      for (const [device, { store }] of this.#objects)
        for (const { metadata } of store.list()) this.#queue.add(keyOf(device, metadata.name), backgroundPriority)
    }
  }

  async #reconcile(key: Key, signal: AbortSignal): Promise<ReconcileResult> {
    const slash = key.indexOf('/')
    const device = this.#config.devices.find(one => one === key.slice(0, slash))
    const object = device === undefined ? undefined : this.#objects.get(device)?.store.get(undefined, key.slice(slash + 1))
    if (device === undefined || object === undefined) return reconciled
    const read = specOf(device, object)
    if (!read.ok) return this.#refuse(key, object, device, read.problems.map(problemSentence).join('; '))
    const plugin: PluginObject = { device, object, spec: read.value }
    const decision = reconcilePlugin(plugin, {
      daemonSets: [...this.#daemonSets.store.list()],
      pods: [...this.#pods.store.list()],
      settings: this.#settings,
      nowMs: this.#context.clock.now(),
    })
    try {
      return await this.#carryOut(key, plugin, decision, signal)
    } catch (error) {
      // What the server refuses of this object is told on it; all else is tried again by the queue, which tells of it.
      if (error instanceof StatusError && isRefusal(error)) return this.#refuse(key, object, device, messageOf(error))
      throw error
    }
  }

  async #carryOut(key: Key, plugin: PluginObject, decision: Decision, signal: AbortSignal): Promise<ReconcileResult> {
    const { effects } = this.#leading
    const { device, object } = plugin
    const { images, daemonSet: change, status } = decision
    if (images !== undefined) {
      const written = await writeImages(effects, plugin, images, signal)
      // The watch brings the object as it is then, and it is decided anew.
      if (written.kind === 'written') this.#objects.get(device)?.observe(written.object)
      this.#context.log.info({ object: key, ...images }, 'an image of a device plugin is brought up to what is served')
      return { kind: 'again' }
    }
    if (change.kind === 'create' || change.kind === 'update') {
      const by = { requester: capabilityName, signal }
      const written =
        change.kind === 'create'
          ? await createOwnDaemonSet(effects, change.object, by)
          : await updateOwnDaemonSet(effects, change.object, by)
      if (written.kind === 'outdated') return { kind: 'again' }
      this.#daemonSets.observe(written.object)
      const { name, namespace } = written.object.metadata
      const differs = change.kind === 'update' ? change.differs.join(', ') : 'it was not there'
      this.#context.log.info(
        { object: key, daemonSet: `${namespace}/${name}`, differs },
        'the DaemonSet of a device plugin is written',
      )
      if (change.kind === 'create') this.#tellTwice(device, object, name)
      this.#queue.addAfter(key, times.gatherMs)
    }
    if (status !== undefined) {
      const written = await writeStatus(effects, plugin, status, signal)
      if (written.kind === 'outdated') return { kind: 'again' }
      this.#objects.get(device)?.observe(written.object)
    }
    if (change.kind === 'refuse') return this.#refuse(key, object, device, change.reason)
    this.#refused.delete(key)
    return reconciled
  }

  #refuse(key: Key, object: KubeObject, device: DeviceName, why: string): ReconcileResult {
    if (this.#refused.get(key) !== why) {
      this.#refused.set(key, why)
      this.#context.log.warn({ object: key, why }, 'an object of a device plugin is not served as it asks')
      this.#tell(device, object, 'NotServed', why)
    }
    return { kind: 'after', delayMs: times.refusedMs }
  }

  /** Two plugins of one resource on a node take it from each other. */
  #tellTwice(device: DeviceName, object: KubeObject, daemonSet: string): void {
    if (!isOwnDevice(device) || !this.#offered.has(device)) return
    const why = `agents of Ballast offer ${device}s too: on a node with both, the newer of DaemonSet ${daemonSet} and the agent wins; set capabilities.devices.agent.enabled or capabilities.devices.${device}.enabled to false, or delete this object`
    this.#context.log.warn({ object: `${device}/${object.metadata.name}`, why }, 'devices are offered twice')
    this.#tell(device, object, 'OfferedTwice', why)
  }

  #tell(device: DeviceName, { metadata }: KubeObject, reason: string, note: string): void {
    this.#context.events.emit({
      type: 'Warning',
      reason,
      action: 'Reconcile',
      regarding: {
        apiVersion: `${pluginGroup}/${pluginVersion}`,
        kind: kindOf(device),
        name: metadata.name,
        ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
      },
      note,
      distinction: note,
    })
  }
}

/** The server will say the same again, until somebody changes the object or our rights. */
const isRefusal = ({ code }: StatusError) => code === 403 || code === 422 || code === 400

/** Configurations of webhooks, looked after while the part runs. */
class Keeping {
  readonly #context: ControllerContext
  readonly #keeper: WebhookKeeper
  readonly #config: OperatorConfig
  #problem: string | undefined

  constructor(context: ControllerContext, keeper: WebhookKeeper, config: OperatorConfig) {
    this.#context = context
    this.#keeper = keeper
    this.#config = config
  }

  health(): readonly Check[] {
    return this.#problem === undefined
      ? []
      : [{ name: 'device-plugin-webhook', ok: false, isGating: false, message: this.#problem }]
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    while (!signal.aborted) {
      let delayMs: number = times.keepMs
      try {
        await this.#keeper.keep(this.#config, signal)
        this.#problem = undefined
      } catch (error) {
        if (signal.aborted) return
        if (!isOutside(error)) throw error
        this.#problem = messageOf(error)
        delayMs = times.keepRetryMs
        log.warn({ capability: capabilityName, why: this.#problem }, 'the configurations of webhooks are not kept, tried again')
      }
      await clock.after(delayMs, signal).catch((reason: unknown) => {
        if (!signal.aborted) throw reason
      })
    }
  }

  /** Without us nobody answers, and what fails closed would let nobody write objects. */
  async end(signal: AbortSignal): Promise<void> {
    await this.#keeper.keep({ ...this.#config, enabled: false }, signal)
  }
}
