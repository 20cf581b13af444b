// A part that does as it is told, wrong things too; and this process's fault handlers in the hands of a test.
import type { Running } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import { type Owner, ownedClock } from '../parts/part-owner.ts'
import { processFaults } from '../parts/process-faults.ts'
import { embeddedEnding } from '../surroundings.ts'
import { type FaultSource } from '../parts/fault-source.ts'

interface Life {
  readonly clock: Clock
  readonly config: unknown
  readonly signal: AbortSignal
  readonly owner: Owner
}

export interface Script {
  start?: (life: Life) => Promise<void> | void
  health?: () => void
  end?: (life: Life) => Promise<void> | void
  reconfigure?: (config: unknown) => 'applied' | 'restart-part'
}

/** Starts parts by `script`, which may change between lives; remembers each life. */
export class BreakingPart {
  readonly script: Script
  readonly lives: Life[] = []
  ended = 0
  readonly #clock: Clock

  constructor(clock: Clock, script: Script = {}) {
    this.#clock = clock
    this.script = script
  }

  async start(of: Omit<Life, 'clock'>): Promise<Running<unknown>> {
    const life = { ...of, clock: ownedClock(this.#clock, of.owner) }
    this.lives.push(life)
    await this.script.start?.(life)
    return {
      health: () => {
        this.script.health?.()
        return [{ name: 'own', ok: true }]
      },
      reconfigure: async config => this.script.reconfigure?.(config) ?? 'restart-part',
      [Symbol.asyncDispose]: async () => {
        this.ended++
        await this.script.end?.(life)
      },
    }
  }
}

const events = ['unhandledRejection', 'uncaughtException'] as const

/** Faults of this process as `processFaults` sees them; the test runner's own handlers are back when it is disposed of. */
export function faultsOfThisProcess(): FaultSource & Disposable {
  const runners = events.map(event => ({ event, listeners: process.rawListeners(event) }))
  for (const event of events) process.removeAllListeners(event)
  const faults = processFaults(code => {
    throw new Error(`a fault without an owner would have ended the process with ${code}`)
  }, embeddedEnding)
  return {
    onUnowned: listener => faults.onUnowned(listener),
    [Symbol.dispose]: () => {
      faults[Symbol.dispose]()
      for (const { event, listeners } of runners)
        for (const listener of listeners) process.on(event, (...args: unknown[]) => Reflect.apply(listener, process, args))
    },
  }
}
