// Writes the mirror's files to nodes from outside, by one pod a node, and notes on the node what was written.

import { type ControllerContext, type Leading, standardAgentNamespace } from '#coordination/capability.ts'
import { unmarkNode } from '#coordination/effects/taint.ts'
import type { NodeFileSet, NodeFiles } from '#coordination/ports/node-files.ts'
import { wallOf } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isNotFound, StatusError } from '#kube/objects/status.ts'
import type { ReadinessConfig } from '../config.ts'
import type { ReadinessMetrics } from '../metrics.ts'
import { capabilityName, mirrorConfigAnnotation } from '../names.ts'
import { type NodeFacts, nodeFacts } from '../node-facts.ts'
import { nodeReference } from '../telling.ts'
import { configurationLabel, configurationPod, configurationPodName, endOf, wantedAnnotation } from './configuration-pod.ts'
import {
  type ConfigurationMemory,
  type ConfigurationStep,
  configurationStep,
  configurationTimes,
  noMemory,
} from './node-configuration.ts'

/** Pods at a time: each is short, and a whole cluster may be new at once. */
const mostPods = 50
const fieldManager = `ballast-${capabilityName}`

interface ConfigurerOptions {
  readonly leading: Leading
  readonly context: Pick<ControllerContext, 'clock' | 'events' | 'log' | 'identity' | 'informers'>
  readonly nodes: Informer<Node>
  readonly metrics?: Pick<ReadinessMetrics, 'configured'> | undefined
}

export class NodeConfigurer {
  readonly #options: ConfigurerOptions
  readonly #pods: Informer<Pod>
  /** Its times are of `elapsed()`: time of day may be set meanwhile. */
  readonly #memory = new Map<string, ConfigurationMemory>()
  readonly #states = new Map<string, 'todo' | 'running' | 'done'>()

  constructor(options: ConfigurerOptions) {
    this.#options = options
    this.#pods = options.context.informers.of<Pod>(builtIn.pods)
  }

  /** Whether a pod is one of ours. */
  static owns({ metadata }: KubeObject): boolean {
    return metadata.labels?.[configurationLabel] === 'true'
  }

  /** How far it is on a node. */
  stateOf({ name }: Pick<NodeFacts, 'name'>): 'todo' | 'running' | 'done' {
    return this.#states.get(name) ?? 'todo'
  }

  /**
   * One step on each node. Without `files` nothing is begun; pods that are there are taken away.
   * @returns after how many milliseconds to look again though nothing changes; `undefined`: only then
   */
  async look(
    config: Pick<ReadinessConfig, 'baseImages' | 'configureNodes'>,
    files: NodeFiles | undefined,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    if (!config.configureNodes) return undefined
    const { clock } = this.#options.context
    const nowMs = clock.now()
    const facts = [...this.#options.nodes.store.list()].map(nodeFacts)
    const uids = new Set(facts.map(({ uid }) => uid))
    for (const uid of this.#memory.keys()) if (!uids.has(uid)) this.#memory.delete(uid)
    let running = 0
    const dueMs: number[] = []
    for (const node of facts) {
      const set =
        files === undefined || node.address === undefined ? undefined : files.filesFor({ name: node.name, ip: node.address })
      const step = this.#step(node, set, { config, nowMs })
      this.#states.set(
        node.name,
        step.kind === 'done' ? 'done' : step.kind === 'wait' && this.#podOn(node) === undefined ? 'todo' : 'running',
      )
      if (step.kind === 'wait' && step.untilMs !== undefined) dueMs.push(Math.max(0, step.untilMs - nowMs))
      if (this.#podOn(node) !== undefined) running++
      if (step.kind === 'create' && running++ >= mostPods) continue
      const next = await this.#act(node, step, { set, files }, signal)
      if (next !== undefined) dueMs.push(next)
    }
    return dueMs.length === 0 ? undefined : Math.min(...dueMs)
  }

  #podOn({ name }: Pick<NodeFacts, 'name'>): Pod | undefined {
    return this.#pods.store.get(this.#namespace, configurationPodName(name))
  }

  #step(
    node: NodeFacts,
    set: NodeFileSet | undefined,
    { config, nowMs }: { readonly config: Pick<ReadinessConfig, 'baseImages'>; readonly nowMs: number },
  ): ConfigurationStep {
    const pod = this.#podOn(node)
    if (set === undefined && pod === undefined) return { kind: 'wait', untilMs: undefined, why: 'nobody says what to write' }
    return configurationStep(node, {
      digest: set?.digest ?? '',
      pod:
        pod === undefined
          ? undefined
          : {
              end: endOf(pod),
              isLeaving: pod.metadata.deletionTimestamp !== undefined && pod.metadata.deletionTimestamp !== null,
              digest: pod.metadata.annotations?.[wantedAnnotation] ?? '',
            },
      memory: this.#memoryOf(node),
      images: { baseImages: config.baseImages, ownImage: this.#ownImage() },
      nowMs,
    })
  }

  /** With its times as the time of day is now. */
  #memoryOf({ uid }: NodeFacts): ConfigurationMemory {
    const { clock } = this.#options.context
    const memory = this.#memory.get(uid) ?? noMemory
    const wall = (ms: number | undefined) => (ms === undefined ? undefined : wallOf(clock, ms))
    return { ...memory, exhaustedMs: wall(memory.exhaustedMs), failedMs: wall(memory.failedMs) }
  }

  get #namespace(): string {
    return this.#options.context.identity.agentNamespace ?? standardAgentNamespace
  }

  /** Image of the pod that we run in; `undefined` outside of a cluster. */
  #ownImage(): string | undefined {
    const { name, namespace } = this.#options.context.identity
    return this.#pods.store.get(namespace, name)?.spec.containers[0]?.image
  }

  async #act(
    node: NodeFacts,
    step: ConfigurationStep,
    { set, files }: { readonly set: NodeFileSet | undefined; readonly files: NodeFiles | undefined },
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const memory = this.#memory.get(node.uid) ?? noMemory
    const elapsedMs = this.#options.context.clock.elapsed()
    switch (step.kind) {
      case 'done':
      case 'wait':
        return undefined
      case 'create':
        if (set !== undefined && files !== undefined)
          await this.#create(node, step, { set, directories: files.directories }, signal)
        return undefined
      case 'exhausted':
        this.#memory.set(node.uid, { ...memory, exhaustedMs: elapsedMs })
        this.#tell(
          node,
          'Warning',
          'NoBaseImage',
          'no image on the node has a shell that can write its files: ours is pulled for it',
        )
        return configurationTimes.pullMs
      case 'note':
        await this.#note(node, step.digest, signal)
        await this.#remove(node, signal)
        this.#states.set(node.name, 'done')
        this.#tell(node, 'Normal', 'MirrorConfigured', `the mirror's files are on the node (${step.digest.slice(0, 19)})`)
        return undefined
      case 'give-up': {
        await this.#remove(node, signal)
        const isUnsuitable = step.end.kind === 'unsuitable' && !memory.unsuitable.has(step.end.image)
        const next =
          step.end.kind === 'unsuitable' && isUnsuitable
            ? { ...memory, unsuitable: new Set([...memory.unsuitable, step.end.image]) }
            : { ...memory, failedMs: elapsedMs }
        this.#memory.set(node.uid, next)
        if (!isUnsuitable)
          this.#tell(node, 'Warning', 'MirrorConfigFailed', `the mirror's files could not be written: ${step.end.why}`)
        return isUnsuitable ? 0 : configurationTimes.retryMs
      }
      case 'remove':
        await this.#remove(node, signal)
        return undefined
    }
  }

  async #create(
    node: NodeFacts,
    { image, pull }: Extract<ConfigurationStep, { kind: 'create' }>,
    { set, directories }: { readonly set: NodeFileSet; readonly directories: readonly string[] },
    signal: AbortSignal,
  ): Promise<void> {
    const { effects } = this.#options.leading
    effects.leadership.assert()
    const pod = configurationPod({ node, image, pull, set, directories, namespace: this.#namespace })
    const options = { signal, namespace: this.#namespace, fieldManager }
    try {
      this.#pods.observe(await effects.api.resource<Pod>(builtIn.pods).create(pod, options))
      this.#states.set(node.name, 'running')
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      // The watch brings it; or the one before it is not quite gone.
      if (isAlreadyExists(error)) return
      const memory = this.#memory.get(node.uid) ?? noMemory
      this.#memory.set(node.uid, { ...memory, failedMs: this.#options.context.clock.elapsed() })
      this.#tell(node, 'Warning', 'MirrorConfigFailed', `the pod that writes the mirror's files is refused: ${messageOf(error)}`)
    }
  }

  async #note({ name, uid }: NodeFacts, digest: string, signal: AbortSignal): Promise<void> {
    const { leading, nodes } = this.#options
    const marks = () => ({ add: [], remove: [], annotations: { [mirrorConfigAnnotation]: digest } })
    const outcome = await unmarkNode(leading.effects, { node: name, uid, requester: capabilityName, marks }, signal)
    if (outcome.kind !== 'gone') nodes.observe(outcome.node)
  }

  async #remove(node: NodeFacts, signal: AbortSignal): Promise<void> {
    const { effects } = this.#options.leading
    const uid = this.#podOn(node)?.metadata.uid
    effects.leadership.assert()
    try {
      const only = uid === undefined ? {} : { preconditions: { uid } }
      await effects.api
        .resource<Pod>(builtIn.pods)
        .delete(configurationPodName(node.name), { signal, namespace: this.#namespace, gracePeriodSeconds: 0, ...only })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  #tell(node: NodeFacts, type: 'Normal' | 'Warning', reason: string, note: string): void {
    if (reason === 'MirrorConfigured') this.#options.metrics?.configured('written')
    if (reason === 'MirrorConfigFailed') this.#options.metrics?.configured('failed')
    this.#options.context.events.emit({ type, reason, action: 'Configure', regarding: nodeReference(node), note })
  }
}
