// Cold starts that are under way: from the first request that has to wait to the first answer, stage by stage.
import type { Cancel, Clock } from '#kube/clock.ts'
import { type BootPosition, type BootStage, bootStages } from './boot-stage.ts'
import type { ColdStartMetrics } from './cold-start-metrics.ts'
import { type Boot, learnedOf, leftMs, longestBootMs, mergedBoots, withBoot } from './learned-boots.ts'
import type { Trouble } from './pod-trouble.ts'

/** A target is ready, and nobody asks it any more: the start is over. */
const unaskedMs = 60_000

/** Stages that each start passes, as far as anybody knows before. */
const expected: ReadonlySet<BootStage> = new Set(['queued', 'node-ready', 'image', 'container', 'ready'])

export interface StageProgress {
  readonly stage: BootStage
  readonly state: 'done' | 'now' | 'ahead'
  /** Milliseconds in it until now; absent: it was not passed. */
  readonly tookMs?: number
  /** Milliseconds that it takes in the middle; absent: nothing was learned. */
  readonly usualMs?: number
  /** It was passed, or is likely to be. */
  readonly isExpected: boolean
}

export interface Progress {
  readonly stage: BootStage
  readonly sentence: string
  readonly trouble?: Trouble
  /** Milliseconds in this stage. */
  readonly sinceMs: number
  /** Milliseconds since the start began. */
  readonly totalMs: number
  /** Milliseconds that are left; absent: nobody knows. */
  readonly etaMs?: number
  readonly stages: readonly StageProgress[]
}

/** The start has come on, or is over. */
type OnStep = () => void

class Start {
  readonly beganMs: number
  enteredMs: number
  position: BootPosition = { stage: 'queued', sentence: 'the target is woken' }
  /** Milliseconds in stages that were left; one that was left twice has both. */
  readonly tookMs = new Map<BootStage, number>()
  /** It was on its way when we began to look: how long it takes is not to be seen. */
  isPartial = false
  isLookedAt = false
  readonly cancelOverdue: Cancel
  cancelUnasked: Cancel | undefined

  constructor(nowMs: number, cancelOverdue: Cancel) {
    this.beganMs = nowMs
    this.enteredMs = nowMs
    this.cancelOverdue = cancelOverdue
  }
}

export class ColdStarts implements Disposable {
  readonly #clock: Clock
  readonly #metrics: ColdStartMetrics | undefined
  readonly #onLearned: (route: string, boots: readonly Boot[]) => void
  readonly #starts = new Map<string, Start>()
  readonly #boots = new Map<string, readonly Boot[]>()
  readonly #watchers = new Map<string, Set<OnStep>>()

  /** `onLearned` is told what is to be remembered of a route, after each start. */
  constructor(options: {
    readonly clock: Clock
    readonly metrics?: ColdStartMetrics | undefined
    readonly onLearned?: (route: string, boots: readonly Boot[]) => void
  }) {
    this.#clock = options.clock
    this.#metrics = options.metrics
    this.#onLearned = options.onLearned ?? (() => undefined)
  }

  /** A request has to wait, or its client was sent a page. @returns whether it is the first one of a start */
  begin(route: string): boolean {
    if (this.#starts.has(route)) return false
    // What takes so long is no start that anybody learns from: it is told of anew.
    const cancel = this.#clock.schedule(longestBootMs, () => this.abandon(route))
    this.#starts.set(route, new Start(this.#clock.elapsed(), cancel))
    this.#step(route)
    return true
  }

  /** What the cluster says of the route's target now. Without a start that is under way it is nothing. */
  observe(route: string, position: BootPosition): void {
    const start = this.#starts.get(route)
    if (start === undefined) return
    const nowMs = this.#clock.elapsed()
    const before = start.position
    start.position = position
    if (!start.isLookedAt) {
      start.isLookedAt = true
      start.isPartial = position.stage !== 'queued'
      if (start.isPartial && position.sinceMs !== undefined) {
        const agoMs = Math.min(longestBootMs, Math.max(0, this.#clock.now() - position.sinceMs))
        start.enteredMs = Math.min(start.enteredMs, nowMs - agoMs)
      }
    } else if (before.stage !== position.stage) leave(start, before.stage, nowMs)
    if (position.stage !== 'ready') {
      start.cancelUnasked?.()
      start.cancelUnasked = undefined
    } else start.cancelUnasked ??= this.#clock.schedule(unaskedMs, () => this.#over(route, { isAsked: false }))
    const isStill =
      before.stage === position.stage &&
      before.sentence === position.sentence &&
      before.trouble?.sentence === position.trouble?.sentence
    if (!isStill) this.#step(route)
  }

  /** The first request of a start was answered. */
  answered(route: string): void {
    this.#over(route, { isAsked: true })
  }

  /** Nobody waits any more, or the target cannot be started: nothing is learned. */
  abandon(route: string): void {
    const start = this.#starts.get(route)
    if (start === undefined) return
    this.#end(route, start)
    this.#step(route)
  }

  /** How far it is; undefined: none is under way. */
  progress(route: string): Progress | undefined {
    const start = this.#starts.get(route)
    return start === undefined ? undefined : progressOf(start, this.learned(route), this.#clock.elapsed())
  }

  /** Routes that are starting. */
  underWay(): Iterable<string> {
    return this.#starts.keys()
  }

  /** Milliseconds that are left of a start, or of one that would begin now; undefined: nobody knows. */
  leftMs(route: string): number | undefined {
    const start = this.#starts.get(route)
    if (start === undefined) return leftMs(this.learned(route), 'queued', 0)
    return leftMs(this.learned(route), start.position.stage, this.#clock.elapsed() - start.enteredMs)
  }

  learned(route: string): readonly Boot[] {
    return this.#boots.get(route) ?? []
  }

  /** What was learned before, or by another process. */
  remember(route: string, boots: readonly Boot[]): void {
    this.#boots.set(route, mergedBoots(this.learned(route), boots))
  }

  /** Calls `onStep` when a start of the route begins, comes on or is over. */
  watch(route: string, onStep: OnStep): Disposable {
    const watchers = this.#watchers.get(route) ?? new Set()
    watchers.add(onStep)
    this.#watchers.set(route, watchers)
    return {
      [Symbol.dispose]: () => {
        watchers.delete(onStep)
        if (watchers.size === 0 && this.#watchers.get(route) === watchers) this.#watchers.delete(route)
      },
    }
  }

  /** The route is no more. */
  forget(route: string): void {
    this.abandon(route)
    this.#boots.delete(route)
    this.#metrics?.forget(route)
  }

  [Symbol.dispose](): void {
    for (const [route, start] of [...this.#starts]) this.#end(route, start)
    this.#watchers.clear()
  }

  #over(route: string, { isAsked }: { readonly isAsked: boolean }): void {
    const start = this.#starts.get(route)
    if (start === undefined) return
    leave(start, start.position.stage, this.#clock.elapsed())
    // It waited for somebody, who says nothing of how long it takes.
    if (!isAsked) start.tookMs.delete('ready')
    this.#end(route, start)
    if (!start.isPartial) {
      const boot = { endedMs: this.#clock.now(), tookMs: Object.fromEntries(start.tookMs) }
      const boots = withBoot(this.learned(route), boot)
      this.#boots.set(route, boots)
      this.#metrics?.started(route, boot)
      this.#onLearned(route, boots)
    }
    this.#step(route)
  }

  #end(route: string, start: Start): void {
    start.cancelOverdue()
    start.cancelUnasked?.()
    this.#starts.delete(route)
  }

  #step(route: string): void {
    for (const onStep of [...(this.#watchers.get(route) ?? [])]) onStep()
  }
}

function leave(start: Start, stage: BootStage, nowMs: number): void {
  start.tookMs.set(stage, (start.tookMs.get(stage) ?? 0) + nowMs - start.enteredMs)
  start.enteredMs = nowMs
}

function progressOf(start: Start, boots: readonly Boot[], nowMs: number): Progress {
  const { position, tookMs, enteredMs, beganMs } = start
  const at = bootStages.indexOf(position.stage)
  const sinceMs = nowMs - enteredMs
  const etaMs = leftMs(boots, position.stage, sinceMs)
  const stages = bootStages.map((stage, index): StageProgress => {
    const before = tookMs.get(stage)
    const took = index === at ? (before ?? 0) + sinceMs : before
    const usual = learnedOf(boots, stage)?.p50Ms
    return {
      stage,
      state: index < at ? 'done' : index === at ? 'now' : 'ahead',
      ...(took === undefined ? {} : { tookMs: took }),
      ...(usual === undefined ? {} : { usualMs: usual }),
      isExpected: took !== undefined || (index > at && (usual !== undefined || expected.has(stage))),
    }
  })
  return {
    stage: position.stage,
    sentence: position.sentence,
    ...(position.trouble === undefined ? {} : { trouble: position.trouble }),
    sinceMs,
    totalMs: nowMs - Math.min(beganMs, enteredMs),
    ...(etaMs === undefined ? {} : { etaMs }),
    stages,
  }
}
