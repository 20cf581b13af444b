// What a controller process says of itself on /livez and /readyz; filled by the controller, read by whoever serves it.
import type { Check } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import type { HealthCheck } from '#kube/server/health.ts'

/** The kubelet may kill a process that goes on leading so long after its Lease was lost. */
const longestLostMs = 20_000

export class ControllerHealth {
  readonly #sources = new Map<string, () => readonly Check[]>()
  readonly #live: (() => Check)[] = []

  /** Checks under a group's name, such as a capability's, until disposed of. */
  add(group: string, source: () => readonly Check[]): Disposable {
    this.#sources.set(group, source)
    return { [Symbol.dispose]: () => (this.#sources.get(group) === source ? this.#sources.delete(group) : undefined) }
  }

  /** Health of the Lease: it fails while something leads on though the Lease was lost more than 20 s ago. Disposed of when nothing leads any more. */
  watchTerm(term: AbortSignal, clock: Clock): Disposable {
    let lostMs: number | undefined
    const onLost = () => {
      lostMs = clock.elapsed()
    }
    term.addEventListener('abort', onLost, { once: true })
    const check = (): Check => {
      const sinceMs = lostMs === undefined ? 0 : clock.elapsed() - lostMs
      const isOk = sinceMs <= longestLostMs
      return {
        name: 'lease',
        ok: isOk,
        ...(isOk ? {} : { message: `led on for ${Math.round(sinceMs / 1000)} s without the Lease` }),
      }
    }
    const added = this.addLive(check)
    return {
      [Symbol.dispose]: () => {
        term.removeEventListener('abort', onLost)
        added[Symbol.dispose]()
      },
    }
  }

  /** A check of whether this process is worth keeping, until disposed of. What is away outside of it must never fail one. */
  addLive(check: () => Check): Disposable {
    this.#live.push(check)
    return {
      [Symbol.dispose]: () => {
        const at = this.#live.indexOf(check)
        if (at >= 0) this.#live.splice(at, 1)
      },
    }
  }

  live(): readonly HealthCheck[] {
    const checks = this.#live.map(check => check())
    const hasLease = checks.some(({ name }) => name === 'lease')
    return (hasLease ? checks : [{ name: 'lease', ok: true }, ...checks]).map(check => healthCheck('process', check))
  }

  /** Groups that still say something: what has not ended takes its checks away when it does. */
  groups(): readonly string[] {
    return [...this.#sources.keys()]
  }

  ready(): readonly HealthCheck[] {
    return Array.from(this.#sources).flatMap(([group, source]) => source().map(check => healthCheck(group, check)))
  }
}

/** `/readyz/<group>` asks all of a group; a check's own name says its group first, with `-` where a path may have no `/`. */
function healthCheck(group: string, check: Check): HealthCheck {
  const own = check.name.startsWith(`${group}/`) ? check.name.slice(group.length + 1) : check.name
  return {
    name: group === 'process' ? own : `${group}-${own}`.replaceAll('/', '-'),
    group,
    isGating: check.isGating !== false,
    ...(check.state === undefined ? {} : { state: check.state }),
    check: () => (check.ok ? undefined : (check.message ?? check.state ?? 'not ready')),
  }
}
