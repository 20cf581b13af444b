// A process that has nothing to do goes on until it is told to end: without work nothing else would hold its loop, and Node would end it.
import { systemClock } from '#kube/clock.ts'

const everMs = 2 ** 52

/** Keeps this process there until disposed of. */
export function heldProcess(): Disposable {
  const cancel = systemClock.schedule(everMs, () => undefined)
  return { [Symbol.dispose]: cancel }
}
