// The doors between capabilities of one process: what a part offers, and what others take while it runs.
import type { Port, Ports } from '#coordination/capability.ts'

export class PortBook {
  readonly #faces = new Map<string, unknown>()
  readonly #waiting = new Set<() => void>()

  /** What is offered now, for the process around the parts. */
  take<Face>(port: Port<Face>): Face | undefined {
    // A port is offered with a face of its own type only: `offer` sees to it.
    return this.#faces.get(port.name) as Face | undefined
  }

  /** The doors as one life of a part sees them. Disposing takes back what it offered. */
  forPart(): Ports & Disposable {
    const offered = new Map<string, unknown>()
    return {
      take: port => this.take(port),
      offer: (port, face) => {
        offered.set(port.name, face)
        this.#faces.set(port.name, face)
        for (const look of [...this.#waiting]) look()
      },
      [Symbol.dispose]: () => {
        for (const [name, face] of offered) if (this.#faces.get(name) === face) this.#faces.delete(name)
      },
    }
  }

  /** The first of `ports` that nobody offers. */
  missing(ports: readonly Port<unknown>[]): Port<unknown> | undefined {
    return ports.find(port => !this.#faces.has(port.name))
  }

  /** Resolves when all of `ports` are offered. @throws `signal.reason` */
  async whenOffered(ports: readonly Port<unknown>[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.missing(ports) === undefined) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const look = () => (this.missing(ports) === undefined ? resolve() : undefined)
    const onAbort = () => reject(signal.reason)
    this.#waiting.add(look)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      this.#waiting.delete(look)
      signal.removeEventListener('abort', onAbort)
    }
  }
}
