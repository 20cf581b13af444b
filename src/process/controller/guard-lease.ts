// The Leases by which an upstream elects its own leader, held by us while our capability acts: so the old and the new never act together,
// also when a chart brings the old one back.
import type { Capability } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import { type Leader, LeaseElection } from '#kube/leases/lease.ts'
import type { Lease } from '#kube/leases/lease-record.ts'
import type { Log } from '#kube/log.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { Random } from '#kube/random.ts'
import type { CapabilitySettings } from '../configuration/controller-settings.ts'
import type { LeaseTimes } from '../parts/tuning.ts'

interface GuardOptions {
  readonly api: Api
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Ours, as on our own Lease. */
  readonly identity: string
  /** Who led before us and acts no more: its guards are ours at once. */
  readonly outlived: string
  /** Where a Lease is made that is nowhere yet. */
  readonly namespace: string
  /** Where Leases are looked for beside our own namespace, where that is not the whole cluster. */
  readonly namespaces?: readonly string[] | undefined
  readonly times: LeaseTimes | undefined
}

/** Leases that are ours. Disposing gives them back. */
interface HeldGuard extends AsyncDisposable {
  /** Aborted when one of them is lost. */
  readonly lost: AbortSignal
}

interface Holding {
  readonly users: Set<symbol>
  readonly stop: AbortController
  readonly held: Promise<HeldGuard>
}

export class GuardLeases {
  readonly #options: GuardOptions
  /** By capability: its parts share what they hold. */
  readonly #holdings = new Map<string, Holding>()

  constructor(options: GuardOptions) {
    this.#options = options
  }

  /** Names of the Leases that guard a capability; none where it replaces nothing, or the installer does not want it. */
  static of({ replaces }: Capability, { guardLease }: Pick<CapabilitySettings, 'guardLease'>): readonly string[] {
    return guardLease.enabled ? replaces.flatMap(({ leases }) => leases) : []
  }

  /** Resolves when all of `names` are ours, however long others hold them. @throws `signal.reason` when aborted before */
  async hold(
    capability: string,
    wanted: { readonly names: readonly string[]; readonly namespace: string | undefined },
    signal: AbortSignal,
  ): Promise<HeldGuard> {
    const user = Symbol(capability)
    const holding = this.#holdings.get(capability) ?? this.#begin(capability, wanted)
    holding.users.add(user)
    const leave = async () => {
      holding.users.delete(user)
      if (holding.users.size > 0) return
      if (this.#holdings.get(capability) === holding) this.#holdings.delete(capability)
      holding.stop.abort(new DOMException('the guard is over', 'AbortError'))
      // What could not be held has nothing to give back.
      const held = await holding.held.catch(() => undefined)
      await held?.[Symbol.asyncDispose]()
    }
    try {
      const { lost } = await settledOr(holding.held, signal)
      return { lost, [Symbol.asyncDispose]: leave }
    } catch (error) {
      await leave()
      throw error
    }
  }

  #begin(capability: string, wanted: { readonly names: readonly string[]; readonly namespace: string | undefined }): Holding {
    const stop = new AbortController()
    const held = this.#holdAll(wanted, stop.signal)
    // The waiting caller gets the failure.
    held.catch(() => undefined)
    const holding = { users: new Set<symbol>(), stop, held }
    this.#holdings.set(capability, holding)
    const forget = () => (this.#holdings.get(capability) === holding ? this.#holdings.delete(capability) : undefined)
    held.then(({ lost }) => lost.addEventListener('abort', forget, { once: true }), forget)
    return holding
  }

  async #holdAll(
    { names, namespace }: { readonly names: readonly string[]; readonly namespace: string | undefined },
    signal: AbortSignal,
  ): Promise<HeldGuard> {
    const lost = new AbortController()
    await using stack = new AsyncDisposableStack()
    for (const name of names) {
      const places = namespace === undefined ? await this.#placesUntilDone(name, signal) : [namespace]
      for (const place of places) stack.use(await this.#holdOne({ namespace: place, name }, lost, signal))
    }
    const whole = stack.move()
    return { lost: lost.signal, [Symbol.asyncDispose]: () => whole.disposeAsync() }
  }

  #placesUntilDone(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const { clock, log } = this.#options
    return untilDone(() => this.#placesOf(name, signal), { clock, log, what: `Leases called ${name} are looked for` }, signal)
  }

  /** Wherever there is a Lease of this name, else our own namespace. */
  async #placesOf(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const { api, namespace: own, namespaces = [] } = this.#options
    const leases = api.resource<Lease>(builtIn.leases)
    const places =
      namespaces.length === 0
        ? (await leases.list({ fieldSelector: `metadata.name=${name}`, signal })).items
            // A proxy may leave the selector out: another's Lease does not say where this one lies.
            .filter(({ metadata }) => metadata.name === name)
            .map(({ metadata }) => metadata.namespace)
        : await Promise.all(
            [...new Set([...namespaces, own])].map(async namespace =>
              (await isThere(leases.get(name, { namespace, signal }))) ? namespace : undefined,
            ),
          )
    const found = places.filter(place => place !== undefined).sort()
    return found.length === 0 ? [own] : found
  }

  async #holdOne(
    of: { readonly namespace: string; readonly name: string },
    lost: AbortController,
    signal: AbortSignal,
  ): Promise<AsyncDisposable> {
    const { log, times } = this.#options
    const election = new LeaseElection({ ...this.#options, ...of, ...times })
    const end = new AbortController()
    const won = Promise.withResolvers<void>()
    const lease = `${of.namespace}/${of.name}`
    const running = election.run(async (leader: Leader) => {
      log.info({ lease }, "an upstream's Lease is held")
      won.resolve()
      await aborted(leader.signal)
      if (end.signal.aborted) return
      log.warn({ lease, holder: election.holder }, "an upstream's Lease was lost")
      lost.abort(leader.signal.reason)
      // It is stood for again by whoever holds next.
      end.abort(leader.signal.reason)
    }, end.signal)
    running.catch(error => {
      won.reject(error)
      lost.abort(error)
    })
    const release = async () => {
      end.abort(new DOMException('the guard is given back', 'AbortError'))
      await running.catch(() => undefined) // it was told as lost
    }
    try {
      await settledOr(won.promise, signal)
    } catch (error) {
      await release()
      throw error
    }
    return { [Symbol.asyncDispose]: release }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** `promise`, or the signal's reason. */
async function isThere(reading: Promise<unknown>): Promise<boolean> {
  try {
    await reading
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

async function settledOr<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, ended])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
