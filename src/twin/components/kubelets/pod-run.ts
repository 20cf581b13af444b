// One pod on its node, from admission to its end: the order in which a kubelet pulls, starts, probes, restarts and stops.
// It only moves when told that time has come; what it does to the cluster goes through `PodRunEffects`.
import type { Container, Pod } from '#kube/objects/objects.ts'
import type { Random } from '#kube/random.ts'
import { formatDurationMs } from '#kube/time/duration.ts'
import type { EventText } from '../event-recorder.ts'
import type { Pull } from './image-pulls.ts'
import {
  exitOf,
  failureOf,
  initExitMs,
  readyMs,
  restartAfterMs,
  restartBackOffMs,
  runForMs,
  sandboxMs,
  startMs,
  terminationMs,
} from './kubelet-profile.ts'
import type { PullError } from './node-trouble.ts'
import { type ContainerFacts, type ContainerState, containerIdOf, isSidecar, type PodFacts } from './pod-status.ts'

export interface PodRunEffects {
  readonly random: Random
  now(): number
  event(text: EventText): void
  /** Stores the facts as the pod's status. */
  write(facts: PodFacts): void
  hasImage(image: string): boolean
  /** What is wrong with pulling it at present. */
  pullError(image: string): PullError | undefined
  pull(image: string): Pull
  pulled(image: string, bytes: number): void
  address(): string | undefined
}

type Stage =
  | { readonly kind: 'sandbox' }
  | { readonly kind: 'pull'; readonly container: Container }
  | { readonly kind: 'start'; readonly container: Container }
  | { readonly kind: 'init-exit'; readonly container: Container }
  | { readonly kind: 'ready' }
  | { readonly kind: 'exit' }
  | { readonly kind: 'restart'; readonly names: readonly string[] }
  | { readonly kind: 'restart-at-once'; readonly names: readonly string[] }
  | { readonly kind: 'stopped' }

/** When the run has to be stepped again; `isTransient`: somebody may wait for it. */
export interface NextStep {
  readonly delayMs: number
  readonly isTransient: boolean
}

export class PodRun {
  readonly #effects: PodRunEffects
  #pod: Pod
  #facts: PodFacts
  readonly #stages: Stage[]
  #pull: Pull | undefined
  #failures = 0
  #isStopping = false
  #isKilled = false

  /** A pod that was just bound to the node. */
  static admitted(pod: Pod, hostIp: string | undefined, effects: PodRunEffects): PodRun {
    const reason = (pod.spec.initContainers ?? []).length > 0 ? 'PodInitializing' : 'ContainerCreating'
    const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
    const waiting: ContainerFacts = { state: { kind: 'waiting', reason }, restarts: 0, containerId: '' }
    const containers = new Map(all.map(container => [container.name, waiting]))
    const facts = { containers, hasSandbox: false, podIp: undefined, hostIp, startedMs: effects.now() }
    return new PodRun(pod, facts, stagesOf(pod), effects)
  }

  /** A pod that runs already, as its status says. */
  static running(pod: Pod, facts: PodFacts, effects: PodRunEffects): PodRun {
    return new PodRun(pod, facts, runForMs(pod) === undefined ? [] : [{ kind: 'exit' }], effects)
  }

  private constructor(pod: Pod, facts: PodFacts, stages: readonly Stage[], effects: PodRunEffects) {
    this.#pod = pod
    this.#facts = facts
    this.#stages = [...stages]
    this.#effects = effects
  }

  get facts(): PodFacts {
    return this.#facts
  }

  /** All containers have ended and will not run again. */
  get isStopped(): boolean {
    return this.#isStopping && this.#stages.length === 0
  }

  /** The kubelet put an end to it. */
  get isEnded(): boolean {
    return this.#facts.ended !== undefined
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  /** Takes note of a changed object. */
  observe(pod: Pod): void {
    this.#pod = pod
  }

  /** Writes the first status. `undefined`: nothing will happen by itself. */
  begin(): NextStep | undefined {
    if (this.#stages[0]?.kind === 'sandbox') this.#effects.write(this.#facts)
    return this.#enter()
  }

  /** The time of the present stage has come. */
  step(): NextStep | undefined {
    const stage = this.#stages[0]
    if (stage === undefined) return undefined
    const again = this.#finish(stage)
    if (again !== undefined) return again
    this.#stages.shift()
    return this.#enter()
  }

  /** Sends SIGTERM; what was going to happen otherwise does not. */
  stop(graceSeconds: number): NextStep | undefined {
    const running = [...this.#facts.containers].filter(([, facts]) => facts.state.kind === 'running')
    if (!this.#isStopping) {
      for (const [name] of running)
        this.#effects.event({ type: 'Normal', reason: 'Killing', message: `Stopping container ${name}` })
    }
    this.#isStopping = true
    this.#stages.length = 0
    this.#stages.push({ kind: 'stopped' })
    const { delayMs, isKilled } = terminationMs(this.#pod, graceSeconds)
    this.#isKilled = isKilled
    return { delayMs: running.length === 0 ? 0 : delayMs, isTransient: true }
  }

  /** Containers die where nobody told them to: of memory, or with their node. They come back as the pod's policy has it. */
  die(
    names: readonly string[],
    { exitCode, reason }: { readonly exitCode: number; readonly reason: string },
  ): NextStep | undefined {
    const running = names.filter(name => this.#facts.containers.get(name)?.state.kind === 'running')
    if (running.length === 0 || this.isEnded) return this.#enter()
    this.#end(running, exitCode, reason)
    if (this.#isStopping) {
      this.#effects.write(this.#facts)
      return transient(0)
    }
    this.#stages.splice(0)
    this.#restartOf(running, exitCode)
    this.#effects.write(this.#facts)
    return this.#enter()
  }

  /** The kubelet itself ends containers to start them anew: no failure, so nothing backs off. */
  restart(names: readonly string[], why: (name: string) => string): NextStep | undefined {
    for (const name of names) this.#effects.event({ type: 'Normal', reason: 'Killing', message: why(name) })
    this.#end(names, 143, 'Error')
    const others = this.#stages.filter(({ kind }) => kind !== 'ready' && kind !== 'exit')
    this.#stages.splice(0, this.#stages.length, { kind: 'restart-at-once', names }, ...others)
    this.#effects.write(this.#facts)
    return this.#enter()
  }

  /** Kills the containers for good; the pod is Failed for that reason. */
  evict(ended: { readonly reason: string; readonly message: string }): void {
    this.#stages.splice(0)
    this.#end([...this.#facts.containers.keys()], 137, 'Error')
    this.#facts = { ...this.#facts, ended }
    this.#effects.write(this.#facts)
  }

  #enter(): NextStep | undefined {
    const stage = this.#stages[0]
    if (stage === undefined) return undefined
    switch (stage.kind) {
      case 'sandbox':
        return transient(sandboxMs(this.#effects.random))
      case 'pull':
        return this.#enterPull(stage.container)
      case 'start':
        return transient(startMs(this.#effects.random))
      case 'init-exit':
        return transient(initExitMs(this.#effects.random))
      case 'ready':
        return this.#enterReady()
      case 'exit':
        return transient(runForMs(this.#pod) ?? 0)
      case 'restart':
        // A crash loop never ends: nobody can wait for it.
        return { delayMs: restartAfterMs(this.#pod) ?? restartBackOffMs(this.#failures++), isTransient: false }
      case 'restart-at-once':
        return transient(startMs(this.#effects.random))
      case 'stopped':
        return transient(0)
    }
  }

  #enterPull(container: Container): NextStep {
    const image = container.image ?? ''
    if (this.#pullError(image) !== undefined) return transient(1000)
    if (container['imagePullPolicy'] !== 'Always' && this.#effects.hasImage(image)) {
      this.#effects.event({ type: 'Normal', reason: 'Pulled', message: `Container image "${image}" already present on machine` })
      this.#pull = undefined
      return transient(0)
    }
    this.#effects.event({ type: 'Normal', reason: 'Pulling', message: `Pulling image "${image}"` })
    this.#pull = this.#effects.pull(image)
    return transient(this.#pull.totalMs)
  }

  #enterReady(): NextStep | undefined {
    const delayMs = readyMs(this.#pod)
    const willBeReady = failureOf(this.#pod) === undefined
    if (delayMs === 0 && willBeReady) this.#setReady()
    this.#effects.write(this.#facts)
    if (!willBeReady || delayMs === 0) {
      this.#stages.shift()
      return this.#enter()
    }
    return transient(delayMs)
  }

  /** A step comes back where the stage is not over yet. */
  #finish(stage: Stage): NextStep | undefined {
    switch (stage.kind) {
      case 'sandbox':
        this.#facts = { ...this.#facts, hasSandbox: true, podIp: this.#effects.address() }
        return undefined
      case 'pull':
        return this.#finishPull(stage.container)
      case 'start':
        return this.#finishStart(stage.container)
      case 'init-exit':
        this.#end([stage.container.name], 0, 'Completed')
        this.#effects.write(this.#facts)
        return undefined
      case 'ready':
        this.#setReady()
        this.#effects.write(this.#facts)
        return undefined
      case 'exit':
        return this.#finishExit()
      case 'restart':
      case 'restart-at-once':
        return this.#finishRestart(stage.names)
      case 'stopped':
        this.#end([...this.#facts.containers.keys()], this.#isKilled ? 137 : 0, this.#isKilled ? 'Error' : 'Completed')
        this.#effects.write(this.#facts)
        return undefined
    }
  }

  #finishPull(container: Container): NextStep | undefined {
    const image = container.image ?? ''
    const error = this.#pullError(image)
    if (error !== undefined) return this.#failPull(container, image, error)
    const state = this.#facts.containers.get(container.name)?.state
    if (state?.kind === 'waiting' && pullFailures.has(state.reason)) {
      this.#failures = 0
      this.#setState(container.name, { kind: 'waiting', reason: 'ContainerCreating' })
      this.#effects.write(this.#facts)
      return this.#enterPull(container)
    }
    const pull = this.#pull
    if (pull !== undefined) {
      const times = `${formatDurationMs(pull.transferMs)} (${formatDurationMs(pull.totalMs)} including waiting)`
      const message = `Successfully pulled image "${image}" in ${times}. Image size: ${pull.bytes} bytes.`
      this.#effects.event({ type: 'Normal', reason: 'Pulled', message })
    }
    this.#effects.pulled(image, pull?.bytes ?? 0)
    return undefined
  }

  #pullError(image: string): PullError | undefined {
    return failureOf(this.#pod) === 'ImagePullBackOff' ? 'ErrImagePull' : this.#effects.pullError(image)
  }

  #failPull(container: Container, image: string, error: PullError): NextStep {
    if (error === 'InvalidImageName') {
      const why = `couldn't parse image name "${image}": invalid reference format`
      const message = `Failed to apply default image tag "${image}": ${why}`
      this.#failWith(container, error, message)
      this.#effects.event({ type: 'Warning', reason: 'InspectFailed', message })
      return { delayMs: restartBackOffMs(this.#failures++), isTransient: false }
    }
    const state = this.#facts.containers.get(container.name)?.state
    if (state?.kind === 'waiting' && state.reason === 'ErrImagePull') {
      const message = `Back-off pulling image "${image}"`
      this.#failWith(container, 'ImagePullBackOff', message)
      this.#effects.event({ type: 'Normal', reason: 'BackOff', message })
      return { delayMs: restartBackOffMs(this.#failures++), isTransient: false }
    }
    this.#failWith(container, 'ErrImagePull', `failed to pull image "${image}": not found`)
    this.#effects.event({ type: 'Warning', reason: 'Failed', message: `Failed to pull image "${image}": not found` })
    return { delayMs: 1000, isTransient: false }
  }

  #failWith(container: Container, reason: string, message: string): void {
    this.#setState(container.name, { kind: 'waiting', reason, message })
    this.#effects.write(this.#facts)
  }

  #finishStart(container: Container): NextStep | undefined {
    if (failureOf(this.#pod) === 'CreateContainerConfigError') {
      this.#setState(container.name, {
        kind: 'waiting',
        reason: 'CreateContainerConfigError',
        message: 'configmap or secret not found',
      })
      this.#effects.event({ type: 'Warning', reason: 'Failed', message: 'Error: configmap or secret not found' })
      this.#effects.write(this.#facts)
      return { delayMs: 10_000, isTransient: false }
    }
    this.#run(container.name, isSidecar(container))
    return undefined
  }

  #finishExit(): undefined {
    const { code, reason } = exitOf(this.#pod)
    const names = this.#pod.spec.containers.map(container => container.name)
    this.#end(names, code, reason)
    this.#restartOf(names, code)
    this.#effects.write(this.#facts)
    return undefined
  }

  /** Containers that ended wait for their restart, where there is one. */
  #restartOf(names: readonly string[], exitCode: number): void {
    const policy = this.#pod.spec.restartPolicy ?? 'Always'
    if (policy === 'Never' || (policy === 'OnFailure' && exitCode === 0)) return
    if (this.#hasRunWell(names)) this.#failures = 0
    if (this.#failures > 0) this.#waitForRestart(names)
    this.#stages.push({ kind: 'restart', names })
  }

  /** Ten minutes without an end: an old failure counts no more. */
  #hasRunWell(names: readonly string[]): boolean {
    return names.every(name => {
      const state = this.#facts.containers.get(name)?.state
      return state?.kind === 'terminated' && state.finishedMs - state.startedMs >= backOffForgottenMs
    })
  }

  #finishRestart(names: readonly string[]): undefined {
    for (const name of names) {
      const before = this.#facts.containers.get(name)
      this.#run(name, false)
      const facts = this.#facts.containers.get(name)
      if (before !== undefined && facts !== undefined) this.#put(name, { ...facts, restarts: before.restarts + 1 })
    }
    const next: Stage[] = [{ kind: 'ready' }]
    if (runForMs(this.#pod) !== undefined) next.push({ kind: 'exit' })
    // Before what other containers still wait for.
    this.#stages.splice(1, 0, ...next)
    return undefined
  }

  #waitForRestart(names: readonly string[]): void {
    for (const name of names) {
      const before = this.#facts.containers.get(name)
      if (before === undefined) continue
      const state: ContainerState = {
        kind: 'waiting',
        reason: 'CrashLoopBackOff',
        message: `back-off restarting failed container=${name}`,
      }
      this.#put(name, { ...before, state, lastState: before.state })
      this.#effects.event({ type: 'Warning', reason: 'BackOff', message: `Back-off restarting failed container ${name}` })
    }
  }

  #run(name: string, isReady: boolean): void {
    const before = this.#facts.containers.get(name)
    const state: ContainerState = { kind: 'running', startedMs: this.#effects.now(), isReady }
    const lastState = before?.state.kind === 'terminated' ? before.state : before?.lastState
    const containerId = containerIdOf(this.#effects.random)
    this.#put(name, { state, restarts: before?.restarts ?? 0, containerId, ...(lastState === undefined ? {} : { lastState }) })
    this.#effects.event({ type: 'Normal', reason: 'Created', message: `Created container: ${name}` })
    this.#effects.event({ type: 'Normal', reason: 'Started', message: `Started container ${name}` })
  }

  #setReady(): void {
    for (const [name, facts] of this.#facts.containers) {
      if (facts.state.kind === 'running' && !facts.state.isReady) this.#setState(name, { ...facts.state, isReady: true })
    }
  }

  #end(names: readonly string[], exitCode: number, reason: string): void {
    const finishedMs = this.#effects.now()
    for (const name of names) {
      const facts = this.#facts.containers.get(name)
      if (facts?.state.kind === 'running')
        this.#setState(name, { kind: 'terminated', startedMs: facts.state.startedMs, finishedMs, exitCode, reason })
      else if (facts?.state.kind === 'waiting' && this.#isStopping) {
        // Upstream's word for a container that never ran when its pod was stopped.
        this.#setState(name, {
          kind: 'terminated',
          startedMs: finishedMs,
          finishedMs,
          exitCode: 137,
          reason: 'ContainerStatusUnknown',
        })
      }
    }
  }

  #setState(name: string, state: ContainerState): void {
    const before = this.#facts.containers.get(name)
    if (before !== undefined) this.#put(name, { ...before, state })
  }

  #put(name: string, facts: ContainerFacts): void {
    this.#facts = { ...this.#facts, containers: new Map(this.#facts.containers).set(name, facts) }
  }
}

const pullFailures: ReadonlySet<string> = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName'])
const backOffForgottenMs = 600_000

function transient(delayMs: number): NextStep {
  return { delayMs, isTransient: true }
}

/** Init containers run to their end one by one, sidecars among them only start; then the containers in order. */
function stagesOf(pod: Pod): readonly Stage[] {
  const stages: Stage[] = [{ kind: 'sandbox' }]
  for (const container of pod.spec.initContainers ?? []) {
    stages.push({ kind: 'pull', container }, { kind: 'start', container })
    if (!isSidecar(container)) stages.push({ kind: 'init-exit', container })
  }
  for (const container of pod.spec.containers) stages.push({ kind: 'pull', container }, { kind: 'start', container })
  stages.push({ kind: 'ready' })
  if (runForMs(pod) !== undefined) stages.push({ kind: 'exit' })
  return stages
}
