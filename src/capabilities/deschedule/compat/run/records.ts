// Where the drop-in's evictions are written down, and who vouches that it may write: DisruptionPermits in the cluster under Ballast's own
// Lease, or this process's memory. Without the rights, or where another process of Ballast keeps the book, memory it is: that one sees the
// evictions and counts them as done by others.
import type { DisruptionPermit } from '#coordination/api.ts'
import { disruptionPermits } from '#coordination/api.ts'
import type { Leadership } from '#coordination/arbiter/leadership.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Leader, LeaseElection } from '#kube/leases/lease.ts'
import { messageOf } from '#kube/log.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import type { DeschedulerLog } from './descheduler-log.ts'
import { permitsInMemory } from './memory-permits.ts'

/** The Lease under which Ballast's book is kept: whoever holds it is the arbiter. */
export const bookLease = 'ballast-controller'
/** For the Lease, longer than it lives after its holder was killed, and for the list; milliseconds. */
const patienceMs = 20_000

export interface Records extends AsyncDisposable {
  /** Permits go where they are kept, all else to the cluster. */
  readonly api: Api
  readonly permits: Informer<DisruptionPermit>
  readonly leadership: Leadership
  /** Why it is memory; absent: the cluster has them. */
  readonly inMemory?: string
}

export interface RecordsOptions {
  readonly api: Api
  readonly informers: Informers
  readonly clock: Clock
  readonly random: Random
  readonly log: DeschedulerLog
  /** Name of the pod or host, and Ballast's own namespace. */
  readonly identity: { readonly name: string; readonly namespace: string }
  /** Why the cluster cannot have them; absent: it can. */
  readonly lack: string | undefined
  /** Leader of upstream's Lease, where one is elected. */
  readonly leader: Leader | undefined
}

/** Opens the book; disposing gives the Lease back. @throws `signal.reason` */
export async function openRecords(options: RecordsOptions, signal: AbortSignal): Promise<Records> {
  const { lack, leader, informers, api } = options
  if (lack !== undefined) return inMemory(options, lack)
  const held = leader === undefined ? await holdBookLease(options, signal) : undefined
  const leadership = leader ?? held?.leader
  if (leadership === undefined)
    return inMemory(options, `another process holds the Lease ${options.identity.namespace}/${bookLease}`)
  const permits = informers.of<DisruptionPermit>(disruptionPermits)
  const close = async () => held?.[Symbol.asyncDispose]()
  try {
    await listed(permits, options, signal)
  } catch (error) {
    await close()
    throw error
  }
  return { api, permits, leadership, [Symbol.asyncDispose]: close }
}

/** @throws Error where the permits cannot be listed for a while */
async function listed(
  permits: Informer<DisruptionPermit>,
  { informers, clock }: Pick<RecordsOptions, 'informers' | 'clock'>,
  signal: AbortSignal,
): Promise<void> {
  const late = new AbortController()
  const cancel = clock.schedule(patienceMs, () => {
    const why = permits.problem === undefined ? '' : `: ${permits.problem}`
    late.abort(new Error(`DisruptionPermits were not listed within ${patienceMs / 1000} s${why}`))
  })
  try {
    await informers.settled(permits, AbortSignal.any([signal, late.signal]))
  } finally {
    cancel()
  }
}

function inMemory(options: RecordsOptions, why: string): Records {
  const { api, leader, log } = options
  log.warned('DisruptionPermits are kept in memory: what was done is forgotten at a restart', { why })
  return {
    ...permitsInMemory(api, options),
    leadership: ofMemory(leader),
    inMemory: why,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** Leadership of a book that nobody else reads. There is no epoch before ours, and only upstream's Lease, where there is one, says that we may act. */
function ofMemory(leader: Leader | undefined): Leadership {
  return {
    transitions: 0,
    assert: () => leader?.assert(),
    confirm: async signal => leader?.confirm(signal),
    annotations: () => ({}),
    outlast: async () => undefined,
    annotate: async () => undefined,
  }
}

interface HeldLease extends AsyncDisposable {
  readonly leader: Leader
}

/** The book's Lease; `undefined` where another one keeps it. */
async function holdBookLease(options: RecordsOptions, signal: AbortSignal): Promise<HeldLease | undefined> {
  const { api, clock, random, log, identity } = options
  const election = new LeaseElection({
    api,
    clock,
    random,
    log: log.machinery,
    namespace: identity.namespace,
    name: bookLease,
    identity: `${identity.name}_${randomUuid(random)}`,
  })
  const end = new AbortController()
  const won = Promise.withResolvers<Leader | undefined>()
  const running = election.run(
    async leader => {
      won.resolve(leader)
      await new Promise<void>(resolve => {
        if (leader.signal.aborted) resolve()
        else leader.signal.addEventListener('abort', () => resolve(), { once: true })
      })
      // Lost, it is stood for anew by the next opening.
      end.abort(leader.signal.reason)
    },
    AbortSignal.any([signal, end.signal]),
  )
  running.catch((error: unknown) => {
    log.failed('The Lease of the book failed', messageOf(error), {})
    won.resolve(undefined)
  })
  const cancel = clock.schedule(patienceMs, () => won.resolve(undefined))
  const onAbort = () => won.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const giveBack = async () => {
    end.abort(new DOMException('the book is closed', 'AbortError'))
    await running.catch(() => undefined) // it was told above
  }
  try {
    const leader = await won.promise
    if (leader !== undefined) return { leader, [Symbol.asyncDispose]: giveBack }
    await giveBack()
    return undefined
  } finally {
    cancel()
    signal.removeEventListener('abort', onAbort)
  }
}
