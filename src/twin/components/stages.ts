// Objects that go from one state to the next by themselves: what a controller that is not there would do, as TwinStages say it.

import { evaluateCel } from '#kube/cel/cel.ts'
import { applyMergePatch } from '#kube/objects/merge-patch.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isConflict, isNotFound, StatusError } from '#kube/objects/status.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { durationMs } from '#kube/time/duration.ts'
import type { ResourceKey, Writer } from '../access.ts'
import { isFields } from '../json-value.ts'
import type { StageSpec } from '../own-kinds/stage-spec.ts'
import { checkCel } from './cel-check.ts'
import type { ComponentContext } from './component.ts'
import type { WorkQueue } from './loop.ts'
import { keyOf, splitKey, timeText } from './workloads/pod-state.ts'

const writer: Writer = { manager: 'ballast-twin', user: 'system:ballast-twin' }
const source = { component: 'ballast-twin', writer }
const definitions: ResourceKey = 'customresourcedefinitions.apiextensions.k8s.io'
/** A stage that goes on matching what it has made plays no faster than this. */
const replayMs = 1_000

interface Stage {
  readonly name: string
  readonly spec: StageSpec
  readonly delayMs: number
  readonly jitterMs: number
  readonly resource: ResourceKey
  readonly onPlayed: () => void
  readonly onProblem: (problems: readonly Problem[]) => void
}

interface Pending {
  readonly stage: Stage
  /** When it is due by the loop's clock. */
  readonly dueMs: number
}

interface StageOptions {
  readonly onPlayed?: () => void
  /** Told where an expression or a write fails; other objects go on. */
  readonly onProblem?: (problems: readonly Problem[]) => void
}

export class Stages {
  readonly #context: ComponentContext
  readonly #resourceOf: (group: string, kind: string) => ResourceKey | undefined
  readonly #queue: WorkQueue
  readonly #stages = new Map<ResourceKey, Map<string, Stage>>()
  readonly #followed = new Map<ResourceKey, () => void>()
  readonly #pending = new Map<string, Pending>()
  readonly #lastPlayed = new Map<string, { readonly stage: string; readonly atMs: number }>()

  constructor(context: ComponentContext, resourceOf: (group: string, kind: string) => ResourceKey | undefined) {
    this.#context = context
    this.#resourceOf = resourceOf
    this.#queue = context.loop.queue('stages', key => this.#sync(key))
  }

  /** Plays a stage until the result is disposed; a kind that is not served yet is waited for. @throws InputError */
  set(name: string, spec: StageSpec, { onPlayed = () => undefined, onProblem = () => undefined }: StageOptions = {}): Disposable {
    const { group, kind } = spec.ref
    checkCel(spec.match, 'spec.match')
    const times = { delayMs: milliseconds(spec.delay, 'spec.delay'), jitterMs: milliseconds(spec.jitter, 'spec.jitter') }
    const stack = new DisposableStack()
    const begin = () => {
      const resource = this.#resourceOf(group, kind)
      if (resource === undefined) return false
      stack.use(this.#begin({ name, spec, ...times, resource, onPlayed, onProblem }))
      return true
    }
    if (begin()) return stack
    const cancel = this.#context.access.subscribe(definitions, () => {
      if (begin()) cancel()
    })
    stack.defer(cancel)
    return stack
  }

  #begin(stage: Stage): Disposable {
    const { resource, name } = stage
    const stages = this.#stages.get(resource) ?? new Map<string, Stage>()
    stages.set(name, stage)
    this.#stages.set(resource, stages)
    const { access } = this.#context
    if (!this.#followed.has(resource)) {
      const follow = access.subscribe(resource, ({ type, object }) => {
        if (type === 'DELETED') this.#forget(resource, object)
        else this.#queue.add(`${resource} ${keyOf(object)}`)
      })
      this.#followed.set(resource, follow)
    }
    for (const object of access.list(resource)) this.#queue.add(`${resource} ${keyOf(object)}`)
    return {
      [Symbol.dispose]: () => {
        if (stages.get(name) === stage) stages.delete(name)
        for (const [key, pending] of this.#pending) if (pending.stage === stage) this.#pending.delete(key)
        if (stages.size > 0) return
        this.#followed.get(resource)?.()
        this.#followed.delete(resource)
      },
    }
  }

  #forget(resource: ResourceKey, object: KubeObject): void {
    const key = `${resource} ${keyOf(object)}`
    this.#pending.delete(key)
    this.#lastPlayed.delete(key)
    this.#queue.remove(key)
  }

  #sync(key: string): void {
    const resource = key.slice(0, key.indexOf(' '))
    const { namespace, name } = splitKey(key.slice(resource.length + 1))
    const { access, clock } = this.#context
    const object = access.get(resource, namespace, name)
    if (object === undefined) return
    const pending = this.#pending.get(key)
    if (pending !== undefined && this.#matches(pending.stage, object)) {
      const leftMs = pending.dueMs - clock.elapsed()
      if (leftMs > 0.5) {
        this.#queue.addAfter(key, leftMs)
        return
      }
      this.#pending.delete(key)
      this.#lastPlayed.set(key, { stage: pending.stage.name, atMs: clock.elapsed() })
      this.#play(pending.stage, object)
      return
    }
    this.#pending.delete(key)
    const chosen = this.#choose(resource, object)
    if (chosen === undefined) return
    const delayMs = this.#delay(key, chosen)
    this.#pending.set(key, { stage: chosen, dueMs: clock.elapsed() + delayMs })
    this.#queue.addAfter(key, delayMs)
  }

  #delay(key: string, { name, delayMs, jitterMs }: Stage): number {
    const { clock, random } = this.#context
    const drawn = delayMs + (jitterMs > 0 ? jitterMs * random() : 0)
    const last = this.#lastPlayed.get(key)
    return last?.stage === name ? Math.max(drawn, last.atMs + replayMs - clock.elapsed()) : drawn
  }

  /** Chooses among the stages that match, by weight. */
  #choose(resource: ResourceKey, object: KubeObject): Stage | undefined {
    const matching = [...(this.#stages.get(resource)?.values() ?? [])]
      .filter(stage => this.#matches(stage, object))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    if (matching.length < 2) return matching[0]
    const weights = matching.map(stage => stage.spec.weight ?? 1)
    let drawn = this.#context.random() * weights.reduce((sum, weight) => sum + weight, 0)
    return matching.find((_, index) => {
      drawn -= weights[index] ?? 0
      return drawn < 0
    })
  }

  #matches(stage: Stage, object: KubeObject): boolean {
    const outcome = evaluateCel(stage.spec.match, { self: object })
    // A field that is not there yet is no fault of the expression.
    return outcome.ok && outcome.value === true
  }

  #play(stage: Stage, object: KubeObject): void {
    const { access, events } = this.#context
    const { patch, event } = stage.spec
    try {
      if (patch !== undefined) {
        const merge = this.#filled(patch.merge, object)
        const merged = applyMergePatch(object, merge) as KubeObject
        access.update(stage.resource, merged, writer, patch.subresource === undefined ? {} : { subresource: patch.subresource })
      }
      if (event !== undefined) events.record(object, source, event)
      if (stage.spec.delete === true) access.remove(stage.resource, object.metadata.namespace, object.metadata.name, writer)
      stage.onPlayed()
    } catch (error) {
      if (error instanceof InputError) stage.onProblem(error.problems)
      else if (!(error instanceof StatusError)) throw error
      else if (!isConflict(error) && !isNotFound(error)) stage.onProblem([refusedWrite(stage, object, error)])
    }
  }

  /** The patch with the values of its expressions. @throws InputError */
  #filled(value: unknown, self: KubeObject): unknown {
    if (Array.isArray(value)) return value.map(item => this.#filled(item, self))
    if (isFields(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#filled(item, self)]))
    const source = typeof value === 'string' ? /^\$\((.*)\)$/s.exec(value)?.[1] : undefined
    if (source === undefined) return value
    const outcome = evaluateCel(source, { self, now: timeText(this.#context.clock.now()) })
    if (outcome.ok) return typeof outcome.value === 'bigint' ? Number(outcome.value) : outcome.value
    throw new InputError([
      { code: 'twin-expression', where: 'spec.patch.merge', found: outcome.problem, expected: `a value of ${source}` },
    ])
  }
}

function refusedWrite({ spec }: Stage, object: KubeObject, error: StatusError): Problem {
  const where = `${spec.ref.kind} ${keyOf(object)}`
  return { code: 'twin-stage-refused', where, found: error.message, expected: 'a patch that the API server takes' }
}

function milliseconds(text: string | undefined, where: string): number {
  if (text === undefined) return 0
  return Math.max(0, durationMs(text, where))
}
