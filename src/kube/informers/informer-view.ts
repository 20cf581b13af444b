// What a holder of a watch sees of it.
import type { KubeObject } from '../objects/objects.ts'
import type { GroupVersionResource } from '../objects/resource.ts'
import type { ReflectorState } from './reflector.ts'
import type { ReflectorCounts } from './reflector-counts.ts'
import type { Change, ObjectReader } from './store.ts'

export interface Informer<T extends KubeObject> {
  readonly resource: GroupVersionResource
  readonly store: ObjectReader<T>
  /** Resolves after the first list; never rejects. */
  readonly synced: Promise<void>
  /** False again while objects are listed anew because somebody needs more of their fields. */
  readonly isSynced: boolean
  readonly state: ReflectorState
  /** Why it is not as it should be; `undefined` when it is. */
  readonly problem: string | undefined
  /** When the server was last heard, in milliseconds of the clock's `elapsed()`. */
  readonly lastEventElapsed: number
  readonly counts: ReflectorCounts
  /** Bytes that the objects take, judged by some of them. */
  readonly estimatedBytes: number
  /** Calls `handler` for each present object (`initial`) and then for each change, synchronously and in order. Returns what ends that. */
  onChange(handler: (change: Change<T>) => void): () => void
  /** Makes the answer of a write visible at once. */
  observe(object: T): void
  /** Tries again now where it waits. */
  retryNow(): void
  /** It may be listed and not watched: what is there is as old as the last list. */
  readonly isPolled: boolean
  /** Resolves when what is in `namespace` (`undefined`: everywhere) after the call is in the store: at once where a watch tells of it. */
  freshen(namespace: string | undefined): Promise<void>
}
