// Images on nodes before pods need them: offered by the mirror, taken by whoever knows what is going to run where (a move, a window, a
// drain, a rise). It is a hint: whoever asks goes on whatever becomes of it.
import { port } from '../capability.ts'

interface PullWish {
  /** The capability that asks: its windows bound when images are pulled. */
  readonly requester: string
  /** As pods name them. At most 64. */
  readonly images: readonly string[]
  /** Names of nodes. */
  readonly nodes: readonly string[]
  /** When nobody wants it any more, in milliseconds since 1970. */
  readonly deadlineMs: number
}

/** How one image stands on one node when the asking ended. */
export interface PullOutcome {
  readonly node: string
  readonly image: string
  readonly outcome:
    | 'present'
    | 'failed'
    /** The deadline came first: the agent goes on. */
    | 'under-way'
    /** No agent answered there. */
    | 'unreachable'
    /** The requester's windows are closed until after the deadline. */
    | 'outside-window'
  readonly message?: string
}

export interface PullAhead {
  /** Resolves when every image is there or has failed, or at the deadline. @throws `signal.reason` only */
  pull(wish: PullWish, signal: AbortSignal): Promise<readonly PullOutcome[]>
}

export const pullAheadPort = port<PullAhead>('pull-ahead')
