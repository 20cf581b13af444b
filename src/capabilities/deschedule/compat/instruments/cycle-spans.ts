// Cycles as traces: a span for the cycle, one for each plugin by its name, one for each eviction, named as upstream names them.
import type { Clock } from '#kube/clock.ts'
import type { Random } from '#kube/random.ts'
import type { EvictionWish } from '../contract.ts'
import type { CycleStep } from '../cycle.ts'
import type { EvictionOutcome } from '../eviction.ts'
import type { CycleListener } from './cycle-listener.ts'

type Attributes = Readonly<Record<string, string>>

interface SpanEvent {
  readonly name: string
  readonly atNs: bigint
  readonly attributes: Attributes
}

/** A span that is over. Times in nanoseconds since 1970, identities in hexadecimal digits. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  /** Empty: the first of its trace. */
  readonly parentId: string
  readonly name: string
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
}

interface SpansOptions {
  readonly clock: Clock
  readonly random: Random
  /** The share of cycles that is traced, 0 to 1. */
  readonly sampleRate: number
  /** Takes the spans of a cycle when it is over. */
  readonly take: (spans: readonly Span[]) => void
}

/** Most spans of one cycle; further evictions are left out. */
const mostSpans = 2048

interface OpenSpan {
  readonly spanId: string
  readonly parentId: string
  readonly name: string
  readonly startNs: bigint
  readonly attributes: Attributes
  readonly events: SpanEvent[]
}

/** The one cycle that is under way. */
interface OpenTrace {
  readonly traceId: string
  readonly cycle: OpenSpan
  readonly profiles: OpenSpan
  readonly spans: Span[]
  plugin?: OpenSpan | undefined
  eviction?: OpenSpan | undefined
}

export class CycleSpans implements CycleListener {
  readonly #options: SpansOptions
  /** Offset to the clock that never goes back, so that no span ends before it began. */
  readonly #offsetMs: number
  #trace: OpenTrace | undefined

  constructor(options: SpansOptions) {
    this.#options = options
    this.#offsetMs = options.clock.now() - options.clock.elapsed()
  }

  cycleBegan(): void {
    this.#trace = undefined
    if (this.#options.random() >= this.#options.sampleRate) return
    const cycle = this.#begin('', 'runDeschedulerLoop')
    this.#trace = { traceId: this.#identity(32), cycle, profiles: this.#begin(cycle.spanId, 'runProfiles'), spans: [] }
  }

  step(step: CycleStep): void {
    const trace = this.#trace
    if (trace === undefined) return
    switch (step.kind) {
      case 'begin': {
        const { strategy, profile, point } = step.plugin
        trace.plugin = this.#begin(trace.profiles.spanId, strategy, { plugin: strategy, profile, operation: point })
        break
      }
      case 'evict':
        trace.eviction = this.#beginEviction(trace, step.wish)
        break
      case 'limit': {
        const span = this.#beginEviction(trace, step.wish)
        this.#fail(span, step.wish, step.refusal.result)
        this.#end(trace, span)
        break
      }
      case 'end':
        if (trace.plugin === undefined) break
        if (step.error !== undefined) this.#note(trace.plugin, 'Plugin Execution Failed', { err: step.error })
        this.#end(trace, trace.plugin, 'kept')
        trace.plugin = undefined
        break
      case 'breath':
        break
    }
  }

  answered(wish: EvictionWish, outcome: EvictionOutcome): void {
    const trace = this.#trace
    if (trace?.eviction === undefined) return
    if (outcome.kind === 'failed' || outcome.kind === 'unknown') this.#fail(trace.eviction, wish, outcome.message)
    this.#end(trace, trace.eviction)
    trace.eviction = undefined
  }

  backgroundEnded(): void {
    // It belongs to no cycle.
  }

  cycleEnded(error?: string): void {
    const trace = this.#trace
    this.#trace = undefined
    if (trace === undefined) return
    if (error !== undefined) this.#note(trace.cycle, 'Descheduling loop failed', { err: error })
    for (const open of [trace.eviction, trace.plugin, trace.profiles, trace.cycle])
      if (open !== undefined) this.#end(trace, open, 'kept')
    this.#options.take(trace.spans)
  }

  #beginEviction(trace: OpenTrace, { pod, reason }: EvictionWish): OpenSpan {
    const parent = trace.plugin ?? trace.profiles
    const attributes = { podName: pod.name, podNamespace: pod.namespace, reason, operation: 'evict' }
    return this.#begin(parent.spanId, 'EvictPod', attributes)
  }

  #fail(span: OpenSpan, { pod }: EvictionWish, why: string): void {
    this.#note(span, 'Eviction Failed', { node: pod.nodeName ?? '', err: why })
  }

  #begin(parentId: string, name: string, attributes: Attributes = {}): OpenSpan {
    return { spanId: this.#identity(16), parentId, name, startNs: this.#nowNs(), attributes, events: [] }
  }

  #note(span: OpenSpan, name: string, attributes: Attributes): void {
    span.events.push({ name, atNs: this.#nowNs(), attributes })
  }

  #end(trace: OpenTrace, span: OpenSpan, place: 'kept' | 'where there is room' = 'where there is room'): void {
    if (place === 'kept' || trace.spans.length < mostSpans)
      trace.spans.push({ ...span, traceId: trace.traceId, endNs: this.#nowNs() })
  }

  #nowNs(): bigint {
    return BigInt(Math.round((this.#offsetMs + this.#options.clock.elapsed()) * 1000)) * 1000n
  }

  #identity(digits: number): string {
    return Array.from({ length: digits }, () => Math.floor(this.#options.random() * 16).toString(16)).join('')
  }
}
