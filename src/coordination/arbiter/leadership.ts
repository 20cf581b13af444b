// What the arbiter and the effects need of the Lease: to know that we lead, and to prove it.

export interface Leadership {
  /** `leaseTransitions` of our acquisition. */
  readonly transitions: number
  /** @throws when the last successful renewal, by our monotonic clock, is older than the renew deadline. Before each effect. */
  assert(): void
  /** Renews the Lease by compare-and-swap on its resourceVersion. @throws when it is not ours any more. Before each batch of grants. */
  confirm(signal: AbortSignal): Promise<void>
  /** What is written on the Lease: by earlier leaders too. */
  annotations(): Readonly<Record<string, string>>
  /** Resolves when nobody who led before can believe to lead still; waits where the Lease was absent: it may have been deleted. */
  outlast(signal: AbortSignal): Promise<void>
  /** As `confirm`, and writes `annotations` with it; they stay, also on a Lease that is deleted and made anew. */
  annotate(annotations: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>
}
