// Which servers do not answer: whoever would mount from one of them is told at once, in place of waiting for two minutes each.

import { connect } from 'node:net'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'

/** Where NFS 4 listens, and NFS 3 as a rule. */
const nfsPort = 2_049
const probeLimitMs = 3_000
const probeEveryMs = 5_000
/** After so long one call tries again, whatever the probe says: a server may be reached in a way that the probe is not. */
const closesAfterMs = 60_000
/** Servers that are remembered at once. */
const mostServers = 1_000

/** Whether somebody listens there. */
type Probe = (server: string, port: number) => Promise<boolean>

interface BreakerOptions {
  readonly clock: Clock
  readonly log: Log
  readonly probe?: Probe
  /** Told when a server goes and comes. */
  readonly onChange?: (server: string, isReachable: boolean) => void
}

export class Breaker implements Disposable {
  readonly #options: BreakerOptions
  readonly #probe: Probe
  readonly #open = new Map<string, { readonly sinceMs: number; readonly port: number }>()
  readonly #stop = new AbortController()

  constructor(options: BreakerOptions) {
    this.#options = options
    this.#probe = options.probe ?? dialled(options.clock)
  }

  /** Servers that do not answer now. */
  unreachable(): readonly string[] {
    return [...this.#open.keys()]
  }

  /** For how many milliseconds a server has not answered; undefined where a call may try it. */
  openFor(server: string): number | undefined {
    const open = this.#open.get(server)
    if (open === undefined) return undefined
    const forMs = this.#options.clock.elapsed() - open.sinceMs
    return forMs < closesAfterMs ? forMs : undefined
  }

  /** A mount from a server was not done in time: from now on it is asked whether it is there. Resolves when that is known. */
  async suspect(server: string, port = nfsPort): Promise<void> {
    if (await this.#probe(server, port)) {
      this.#close(server)
      return
    }
    const isNew = !this.#open.has(server)
    if (isNew && this.#open.size >= mostServers) return
    this.#open.set(server, { sinceMs: this.#options.clock.elapsed(), port })
    if (!isNew) return
    this.#options.log.warn({ server, port }, 'an NFS server does not answer')
    this.#options.onChange?.(server, false)
    this.#watch(server, port)
  }

  /** A mount came about. */
  succeeded(server: string): void {
    this.#close(server)
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
    this.#open.clear()
  }

  #watch(server: string, port: number): void {
    const cancel = this.#options.clock.schedule(probeEveryMs, () => {
      if (!this.#open.has(server) || this.#stop.signal.aborted) return
      void this.#probe(server, port).then(isThere => {
        if (isThere) this.#close(server)
        else this.#watch(server, port)
      })
    })
    this.#stop.signal.addEventListener('abort', cancel, { once: true })
  }

  #close(server: string): void {
    if (!this.#open.delete(server)) return
    this.#options.log.info({ server }, 'an NFS server answers again')
    this.#options.onChange?.(server, true)
  }
}

/** By a connection of TCP, which is closed at once. */
function dialled(clock: Clock): Probe {
  return (server, port) => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const socket = connect({ host: server.replace(/^\[(.*)\]$/, '$1'), port })
    const cancel = clock.schedule(probeLimitMs, () => socket.destroy(new Error('no answer')))
    socket.once('connect', () => {
      resolve(true)
      socket.destroy()
    })
    // Why it is not there is nobody's matter here.
    socket.once('error', () => resolve(false))
    socket.once('close', () => {
      cancel()
      resolve(false)
    })
    return promise
  }
}
