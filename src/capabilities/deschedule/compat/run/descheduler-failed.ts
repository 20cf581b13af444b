// How the drop-in ends where upstream ends with 1.

/** It cannot be started so, or cannot go on: upstream ends with 1 and these words. */
export class DeschedulerFailed extends Error {
  override readonly name = 'DeschedulerFailed'
}
