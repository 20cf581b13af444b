// When changes have settled (config-reload P2): each waits for further ones, but none longer than the most.

/**
 * The moment from which on the workload may be reloaded for all its changes, in milliseconds since 1970. `pendingSinceMs` is when the
 * first of them came, which a later change of the same source would hide.
 */
export function settledAt(
  changedAtMs: readonly number[],
  {
    pendingSinceMs,
    debounceMs,
    maxWaitMs,
  }: { readonly pendingSinceMs: number; readonly debounceMs: number; readonly maxWaitMs: number },
): number {
  const last = changedAtMs.reduce((latest, ms) => Math.max(latest, ms), pendingSinceMs)
  return Math.min(last + debounceMs, pendingSinceMs + Math.max(debounceMs, maxWaitMs))
}
