// For which metric of which object a source is asked just now. Requests are counted by it, deep below scalers that say nothing of it.
import { AsyncLocalStorage } from 'node:async_hooks'

/** What is asked for. */
export interface AskedMetric {
  readonly owner: { readonly kind: 'ScaledObject' | 'ScaledJob'; readonly namespace: string; readonly name: string }
  readonly trigger: { readonly type: string; readonly name?: string | undefined }
  readonly metric: string
}

/** Counts what sources answer. */
export interface AskedCounts {
  /** One request by HTTP; `status` is undefined where no answer came. */
  answered(asked: AskedMetric, answer: { readonly status: number | undefined; readonly seconds: number }): void
  /** A query came to nothing. */
  empty(asked: AskedMetric, ignoresNull: boolean): void
}

const asking = new AsyncLocalStorage<{ readonly asked: AskedMetric; readonly counts: AskedCounts }>()

/** Runs `read`, so that what it asks counts for this metric; without counts it only runs. */
export function askedFor<Result>(
  asked: AskedMetric,
  counts: AskedCounts | undefined,
  read: () => Promise<Result>,
): Promise<Result> {
  return counts === undefined ? read() : asking.run({ asked, counts }, read)
}

/** A request is over that began `seconds` ago. What is asked for no metric, as when a trigger is opened, is not counted. */
export function countAnswer(status: number | undefined, seconds: number): void {
  const now = asking.getStore()
  now?.counts.answered(now.asked, { status, seconds })
}

/** A query came to nothing. */
export function countEmpty(ignoresNull: boolean): void {
  const now = asking.getStore()
  now?.counts.empty(now.asked, ignoresNull)
}
