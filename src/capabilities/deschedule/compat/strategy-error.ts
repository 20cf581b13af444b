/** What a strategy cannot work without is missing: it ends for this cycle, the other plugins run. The message is upstream's. */
export class StrategyError extends Error {
  override readonly name = 'StrategyError'
}
