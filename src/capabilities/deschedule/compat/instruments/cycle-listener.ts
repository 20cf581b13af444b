// The face for whoever counts or traces what cycles do. The driver of the cycles calls it; nothing depends on what it hears.
import type { EvictionWish } from '../contract.ts'
import type { CycleStep } from '../cycle.ts'
import type { EvictionOutcome } from '../eviction.ts'
import type { BackgroundEnd } from '../eviction-in-background.ts'

/** Hears of cycles. No method throws, none waits. */
export interface CycleListener {
  /** Before the first step, also of a cycle that is going to be skipped. */
  cycleBegan(): void
  /** Each step that is no breath, before it is acted on. */
  step(step: CycleStep): void
  /** How the eviction of the last `evict` step ended, in a dry run too. */
  answered(wish: EvictionWish, outcome: EvictionOutcome): void
  /** An eviction in background is over: within a cycle or between two. */
  backgroundEnded(end: BackgroundEnd): void
  /** After the last step. `error`: why the cycle was broken off; not that of a plugin, which its step has. */
  cycleEnded(error?: string): void
}

/** One listener for several: each hears everything, in their order. */
export function listenersTogether(listeners: readonly CycleListener[]): CycleListener {
  const each = (tell: (listener: CycleListener) => void) => listeners.forEach(tell)
  return {
    cycleBegan: () => each(listener => listener.cycleBegan()),
    step: step => each(listener => listener.step(step)),
    answered: (wish, outcome) => each(listener => listener.answered(wish, outcome)),
    backgroundEnded: end => each(listener => listener.backgroundEnded(end)),
    cycleEnded: error => each(listener => listener.cycleEnded(error)),
  }
}
