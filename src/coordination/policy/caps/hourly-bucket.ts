// The cap per hour as a bucket of tokens that refills evenly, worked out anew from what was granted and what others did.
import type { PermitRecord } from '../../permits/permit-record.ts'
import type { Question } from '../question.ts'
import { isCounted } from './cap-use.ts'

const hourMs = 3_600_000
/** A bucket that was not full once within a day is taken as full at that day's beginning. */
const lookBackMs = 24 * hourMs

interface HourlyBucket {
  /** Whole tokens there are. */
  readonly tokens: number
  /** The intent's batch has taken its token within the hour: its further steps take none. */
  readonly isCounted: boolean
  /** Milliseconds until the first token, where there is none; `undefined`: never. */
  readonly nextMs: number | undefined
}

type Asked = Pick<Question, 'ledger' | 'observed' | 'policy' | 'nowMs'> & { readonly intent: Pick<Question['intent'], 'batch'> }

/** The bucket now. What others take beyond the last token is not owed: it would stop us for longer than it lasts. */
export function hourlyBucket({ intent, ledger, observed, policy, nowMs }: Asked): HourlyBucket {
  const bucket = new Bucket(policy.caps.perHour, nowMs - lookBackMs)
  const sinceMs = nowMs - lookBackMs
  const others = observed.since(sinceMs).filter(({ kind }) => kind !== 'scaled')
  let next = 0
  const othersUntil = (ms: number) => {
    for (; next < others.length; next++) {
      const atMs = others[next]?.atMs ?? ms
      if (atMs > ms) return
      bucket.take(atMs, undefined)
    }
  }
  for (const permit of inOrder(ledger.grantedSince(sinceMs))) {
    if (!isCounted(permit) || permit.ending === 'withdrawn') continue
    // What says that it was granted in time to come was written by hand, or under a clock that was set back.
    const atMs = Math.min(grantedMs(permit), nowMs)
    othersUntil(atMs)
    bucket.take(atMs, permit.batch)
  }
  othersUntil(nowMs)
  return bucket.at(nowMs, intent.batch)
}

class Bucket {
  readonly #perHour: number
  readonly #full: number
  readonly #batches = new Map<string, number>()
  /** In parts of a token, of which `perHour` come in each millisecond: whole numbers, so that a limit is met exactly. */
  #parts: number
  #atMs: number

  constructor(perHour: number, atMs: number) {
    this.#perHour = perHour
    this.#full = perHour * hourMs
    this.#parts = this.#full
    this.#atMs = atMs
  }

  take(atMs: number, batch: string | undefined): void {
    this.#refill(atMs)
    if (this.#hasTaken(batch, atMs)) return
    if (batch !== undefined) this.#batches.set(batch, atMs)
    this.#parts = Math.max(0, this.#parts - hourMs)
  }

  at(nowMs: number, batch: string | undefined): HourlyBucket {
    this.#refill(nowMs)
    return {
      tokens: Math.floor(this.#parts / hourMs),
      isCounted: this.#hasTaken(batch, nowMs),
      nextMs: this.#perHour < 1 ? undefined : Math.max(1, Math.ceil((hourMs - this.#parts) / this.#perHour)),
    }
  }

  #refill(untilMs: number): void {
    if (untilMs <= this.#atMs) return
    this.#parts = Math.min(this.#full, this.#parts + (untilMs - this.#atMs) * this.#perHour)
    this.#atMs = untilMs
  }

  #hasTaken(batch: string | undefined, nowMs: number): boolean {
    const takenMs = batch === undefined ? undefined : this.#batches.get(batch)
    return takenMs !== undefined && nowMs - takenMs < hourMs
  }
}

/** In order of their grants, as a ledger that is indexed by time has them. */
function inOrder(permits: readonly PermitRecord[]): readonly PermitRecord[] {
  const isOrdered = permits.every((permit, index) => index === 0 || grantedMs(permits[index - 1]) <= grantedMs(permit))
  return isOrdered ? permits : permits.toSorted((a, b) => grantedMs(a) - grantedMs(b))
}

function grantedMs(permit: PermitRecord | undefined): number {
  return permit?.grant?.atMs ?? 0
}
