// How far a long snapshot has come, told on its VolumeSnapshot now and then: who waits for it sees that it comes on.

import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { FileWorkProgress } from '../files/file-work.ts'
import type { Content } from '../jobs/snapshot/snapshot-kinds.ts'

/** A snapshot that takes less is told of at its end alone. */
const firstMs = 60_000
/** Between two notes of one snapshot. */
const everyMs = 300_000
/** Snapshots that are followed at once; works at once are fewer. */
const mostFollowed = 64

interface ProgressOptions {
  readonly clock: Clock
  readonly events: Pick<EventRecorder, 'emit'>
  /** Before the UID of a VolumeSnapshot in the name of its snapshot. */
  readonly prefix: string
  /** Its content, where the cluster has one. */
  readonly contentNamed: (name: string) => Content | undefined
}

export class SnapshotProgress {
  readonly #options: ProgressOptions
  /** When the next note of a snapshot is due. */
  readonly #dueMs = new Map<string, number>()

  constructor(options: ProgressOptions) {
    this.#options = options
  }

  /** A snapshot, by the name by which the driver knows it, has come so far. */
  told(name: string, { entries, bytes }: FileWorkProgress): void {
    const { clock, events, prefix, contentNamed } = this.#options
    const nowMs = clock.elapsed()
    const dueMs = this.#dueMs.get(name)
    if (dueMs === undefined) {
      if (this.#dueMs.size < mostFollowed) this.#dueMs.set(name, nowMs + firstMs)
      return
    }
    if (nowMs < dueMs) return
    this.#dueMs.set(name, nowMs + everyMs)
    const {
      kind,
      apiVersion,
      namespace,
      name: snapshot,
      uid,
    } = contentNamed(`snapcontent-${name.slice(prefix.length + 1)}`)?.spec.volumeSnapshotRef ?? {}
    if (snapshot === undefined || namespace === undefined) return
    const note = `${entries} files and folders, ${bytes} bytes are packed so far`
    events.emit({
      type: 'Normal',
      reason: 'SnapshotProgress',
      action: 'SnapshotProgress',
      regarding: {
        apiVersion: apiVersion ?? 'snapshot.storage.k8s.io/v1',
        kind: kind ?? 'VolumeSnapshot',
        namespace,
        name: snapshot,
        ...(uid === undefined ? {} : { uid }),
      },
      note,
      component: 'ballast-nfs',
      distinction: note,
    })
  }

  /** It is packed, or was given up. */
  ended(name: string): void {
    this.#dueMs.delete(name)
  }
}
