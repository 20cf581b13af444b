// The end of a process by the time that it was given, whatever hangs: how that time is shared out, and the thread that ends what does not
// end by itself. Loaded before all else, so that a signal during the start is heard.
import { Worker } from 'node:worker_threads'

/** What Kubernetes grants a pod that says nothing. */
const standardGraceSeconds = 30
/** What our pods are given (`terminationGracePeriodSeconds`); they are told by the variable, and both are written from here. */
export const podGraceSeconds = 60
export const graceVariable = 'BALLAST_TERMINATION_GRACE_SECONDS'

/** Before the kubelet kills: the process still says what did not end. */
const lastWordsMs = 2_000
/** Listeners close, the Lease and Events that wait are written. */
const closingMs = 3_000
/** From the abort of a part to the moment when it counts as stuck, and a little to tell it. */
const abortedPartsMs = 7_000
const leastPartsMs = 1_000

/** How long after the signal what is to have ended, in milliseconds. */
export interface Grace {
  /** Parts in order; then they are aborted. At most `wanted`. */
  parts(wanted: number): number
  /** Everything in order; then it is told what still runs. */
  readonly inOrderMs: number
  /** The process, in whatever state. */
  readonly atAllMs: number
}

/** What the variable says that pods are told by, else what Kubernetes grants where nobody says. */
export function graceOf(environment: Readonly<Record<string, string | undefined>>): Grace {
  const said = Number(environment[graceVariable] ?? '')
  const graceMs = (Number.isFinite(said) && said > 0 ? said : standardGraceSeconds) * 1_000
  const atAllMs = Math.max(lastWordsMs, graceMs - lastWordsMs)
  const inOrderMs = Math.max(lastWordsMs, atAllMs - closingMs)
  return {
    parts: wanted => Math.min(wanted, Math.max(leastPartsMs, inOrderMs - abortedPartsMs)),
    inOrderMs,
    atAllMs,
  }
}

/**
 * In a thread of its own, since the loop may be what hangs. It waits by its own loop, for a thread that is blocked cannot be ended with the
 * process; asks the main loop to end, and a second later ends the process.
 */
const thread = `
const { parentPort, workerData: { afterMs, parent } } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const begin = () => setTimeout(() => {
  parentPort.postMessage('late')
  setTimeout(() => {
    try { writeSync(2, 'ballast: its loop does not turn, and it was to end: it is killed\\n') } finally { process.kill(process.pid, 'SIGKILL') }
  }, 1000)
}, afterMs)
const look = () => process.ppid === parent ? void setTimeout(look, 1000) : void begin()
if (parent === undefined) begin()
else look()
`
const heapMegabytes = 16
const youngMegabytes = 2

/** Ends this process, or sees to it that it ends. */
export class LastResort {
  readonly #onLate: () => void
  readonly #say: (words: string) => void
  #isBegun = false

  /** `onLate` ends the process at once where the loop still turns; `say` writes words for a person. */
  constructor(onLate: () => void, say: (words: string) => void) {
    this.#onLate = onLate
    this.#say = say
  }

  /** From now on the process has so many milliseconds. The first call counts. */
  begin(afterMs: number): void {
    if (this.#isBegun) return
    this.#isBegun = true
    this.#start({ afterMs })
  }

  /** The process has so many milliseconds from the moment when the one that started it is gone. Where that cannot be seen (Windows), nothing happens. */
  afterParent(afterMs: number): void {
    this.#start({ afterMs, parent: process.ppid })
  }

  #start(workerData: { readonly afterMs: number; readonly parent?: number }): void {
    try {
      const worker = new Worker(thread, {
        eval: true,
        workerData,
        execArgv: [],
        env: {},
        resourceLimits: { maxOldGenerationSizeMb: heapMegabytes, maxYoungGenerationSizeMb: youngMegabytes },
      })
      worker.on('message', this.#onLate)
      worker.on('error', error => this.#failed(error))
      // What ends by itself does not wait for it. Last: a listener is waited for.
      worker.unref()
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error)
    this.#say(`ballast: the thread that sees to the end of this process is not there: ${why}`)
  }
}
