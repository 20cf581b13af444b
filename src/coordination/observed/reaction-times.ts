// How far apart the times of one deed may be.

/** Times of one write differ by less: managed fields and ages are whole seconds of several components' clocks. */
export const toleranceMs = 5_000
/** Between a write and the pods that come or go by it. */
export const reactionMs = 120_000
