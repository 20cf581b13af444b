// What takes an upstream's place where one sleeps before the other wakes: a section of the controller's configuration, or a process of its own.
import type { Proof } from '#upstreams/proof.ts'
import type { Now } from './both.ts'
import type { Loop, Ours, Situation, Theirs } from './place.ts'
import type { Access, Swap } from './step.ts'

export interface OwnSide {
  /** What is committed to Git where ours is reconciled from there: that it works, and that it does not. */
  readonly committed: { readonly on: string; readonly off: string }
  /** Why ours that is there cannot take upstream's place as it is, with what to do; `undefined`: it can, or nothing is there. */
  obstacle(swap: Swap, now: Now): Promise<string | undefined>
  /** Rights to install it, and to switch it. */
  needsToInstall(swap: Swap, now: Now): readonly Access[]
  needsToSwitch(swap: Swap, ours: Ours | undefined): readonly Access[]
  /** It is there with its rights and settings, and sleeps. */
  install(swap: Swap, now: Now): Promise<void>
  installed(swap: Swap, now: Now): Promise<Proof>
  /** Before anything is switched: would both do the same? */
  compare(swap: Swap, now: Now): Promise<Proof>
  isAsleep(swap: Swap, situation: Situation): Proof
  isAwake(swap: Swap, situation: Situation, theirs: Theirs): Proof
  /** Until nothing of it may act any more. @throws StepFailed where it does not end */
  sleep(swap: Swap): Promise<void>
  wake(swap: Swap, theirs: Theirs): Promise<void>
  /** Its workload, where it has one that is awake: how many pods it had is kept. */
  awakeLoops(situation: Situation): readonly Loop[]
  readonly words: OwnWords
}

/** As a person would do it, with the names of this very cluster. */
interface OwnWords {
  installTitle(swap: Swap, ours: Ours | undefined): string
  install(swap: Swap, theirs: Loop, ours: Ours | undefined): string
  installUndo(swap: Swap, theirs: Loop, ours: Ours | undefined): string
  shadow(swap: Swap, theirs: Loop): string
  /** Once upstream sleeps: ours is waked. */
  wake(swap: Swap, theirs: Loop, ours: Ours | undefined): string
  /** Ours to sleep, then upstream awake by `wakeTheirs`. */
  back(swap: Swap, theirs: Loop, ours: Ours | undefined, wakeTheirs: string): string
}
