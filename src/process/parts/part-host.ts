// The parts of capabilities that run in this process, each on its own: what one of them does wrong is its own affair.
import type { Check } from '#coordination/capability.ts'
import { messageOf } from '#kube/log.ts'
import { type HostedPart, type HostOptions, PartStuckError, Supervised } from './supervised-part.ts'

/** Guarantees: no part waits for another or sees its faults; a part that does not end fails `stuck`. */
export class PartHost implements AsyncDisposable {
  readonly #options: HostOptions
  readonly #parts = new Map<string, Supervised>()
  readonly #stuck = Promise.withResolvers<never>()
  #isOver = false

  constructor(options: HostOptions) {
    this.#options = options
    // The racing caller gets the failure; without one it must not count as unhandled.
    this.#stuck.promise.catch(() => undefined)
  }

  /** Rejects with a PartStuckError when a part does not end; else never settles. */
  get stuck(): Promise<never> {
    return this.#stuck.promise
  }

  /** Begins to run a part; comes back at once. A host that is disposed of begins nothing more. */
  add(part: HostedPart, config: unknown): void {
    if (this.#isOver) return
    const supervised = new Supervised(part, config, this.#options)
    this.#parts.set(part.record.name, supervised)
    supervised.done.catch((error: unknown) => this.#stuck.reject(error))
  }

  has(name: string): boolean {
    return this.#parts.has(name)
  }

  /** Ends a part in order, whose capability is switched off. */
  async remove(name: string): Promise<void> {
    const part = this.#parts.get(name)
    this.#parts.delete(name)
    // How it ended was told, and a part that does not end fails `stuck`.
    await part?.stop({ isSwitchedOff: true }).catch(() => undefined)
  }

  /** Gives a part its changed configuration: it takes it, or is started anew with it; what it refuses leaves it as it was. */
  async configure(name: string, config: unknown): Promise<void> {
    await this.#parts.get(name)?.configure(config)
  }

  /** How a part stands, and its own checks while it runs; `undefined` for one that is not here. */
  checksOf(name: string): readonly Check[] | undefined {
    return this.#parts.get(name)?.checks()
  }

  /** Ends all parts in order, last begun first. @throws PartStuckError; what parts threw while they ended in order, together. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    const failures: unknown[] = []
    for (const part of [...this.#parts.values()].reverse()) {
      try {
        await part.stop()
      } catch (error) {
        failures.push(error)
      }
    }
    this.#parts.clear()
    const stuck = failures.find(error => error instanceof PartStuckError)
    if (stuck !== undefined) throw stuck
    if (failures.length > 0)
      throw new AggregateError(failures, `parts did not end cleanly: ${failures.map(messageOf).join('; ')}`)
  }
}
