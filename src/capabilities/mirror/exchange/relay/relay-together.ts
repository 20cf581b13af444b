// Two ways to a blob: from those that have it whole, and from those that load it just now. The first stream is taken.
import type { Clock } from '#kube/clock.ts'
import type { NotFound } from '../../contract.ts'
import type { Finding } from '../race/finder.ts'
import type { Won } from '../transfer/body-source.ts'

export type Joined = { readonly won: Won; readonly attempts: number } | NotFound

interface Ways {
  readonly find: (signal: AbortSignal) => Promise<Finding>
  /** Who loads it is not asked before so many milliseconds: where somebody has it whole, nobody needs to be asked. */
  readonly headStartMs: number
  readonly join: (signal: AbortSignal) => Promise<Joined>
  readonly clock: Clock
}

type Brought =
  | { readonly outcome: 'won'; readonly won: Won; readonly attempts: number }
  | { readonly outcome: 'found-nobody'; readonly finding: Finding & { readonly outcome: 'nobody' } }
  | { readonly outcome: 'not-joined'; readonly answer: NotFound }

/** One for all: what it says of where it was made costs more than all else here, and nobody reads it. */
const overtaken = new DOMException('another way was faster', 'AbortError')

/** After these answers of those that have it nothing is gained by somebody who loads it. */
const isLast = (reason: NotFound['reason']): boolean => reason === 'range' || reason === 'quarantined'

/**
 * The stream of whoever brings one first. Where none does: what asking those that have it came to, where that says more than that nobody
 * does, else what those that load it said. @throws `signal.reason` when aborted
 */
export async function findOrJoin({ find, join, headStartMs, clock }: Ways, signal: AbortSignal): Promise<Brought> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const finding = find(either)
  const joining = joinUnlessFound(finding, clock.after(headStartMs, either), () => join(either))
  let taken: Won | undefined
  try {
    const brought = await firstOf(finding, joining, () => clock.after(headStartMs, either))
    if (brought.outcome === 'won') taken = brought.won
    return brought
  } finally {
    stop.abort(overtaken)
    for (const way of [finding, joining]) void letGo(way, taken)
  }
}

/** `undefined`: there was no need to. */
async function joinUnlessFound(
  finding: Promise<Finding>,
  pause: Promise<void>,
  join: () => Promise<Joined>,
): Promise<Joined | undefined> {
  const found = await Promise.race([finding, pause])
  return found !== undefined && isOver(found) ? undefined : await join()
}

async function firstOf(
  finding: Promise<Finding>,
  joining: Promise<Joined | undefined>,
  pause: () => Promise<void>,
): Promise<Brought> {
  const first = await Promise.race([finding.then(found => ({ found })), joining.then(joined => ({ joined }))])
  if ('found' in first && isOver(first.found)) return broughtBy(first.found)
  if ('joined' in first && first.joined !== undefined && 'won' in first.joined) return { outcome: 'won', ...first.joined }
  if ('joined' in first && first.joined !== undefined && 'outcome' in first.joined && first.joined.reason === 'leading') {
    // Others wait for what this node is to fetch. The one that says so is near to the digest: it would know who has it.
    const found = await Promise.race([finding, pause()])
    return found !== undefined && isOver(found) ? broughtBy(found) : { outcome: 'not-joined', answer: first.joined }
  }
  // One of them has ended without a stream.
  const [found, joined] = await Promise.all([finding, joining])
  if (joined === undefined || found.outcome === 'won') return broughtBy(found)
  if ('won' in joined) return { outcome: 'won', won: joined.won, attempts: joined.attempts + found.attempts }
  if (found.reason === 'slow') return joined.reason === 'no-peer' ? broughtBy(found) : { outcome: 'not-joined', answer: joined }
  return found.reason === 'no-peer' ? { outcome: 'not-joined', answer: joined } : broughtBy(found)
}

const isOver = (finding: Finding): boolean => finding.outcome === 'won' || isLast(finding.reason)

export const broughtBy = (finding: Finding): Brought =>
  finding.outcome === 'won' ? finding : { outcome: 'found-nobody', finding }

/** Ends a stream that came second. */
async function letGo(way: Promise<Finding | Joined | undefined>, taken: Won | undefined): Promise<void> {
  const late = await way.catch(() => undefined) // aborted, as was wanted; other faults were thrown to whom it concerns
  if (late !== undefined && 'won' in late && late.won !== taken) late.won.answer.body.on('error', () => undefined).destroy()
}
