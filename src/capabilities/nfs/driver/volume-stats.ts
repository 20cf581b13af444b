// Figures of volumes for a while: kubelets ask for each volume each minute, and each question is one to the server.

import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import type { Of } from '#kube/protobuf-message.ts'
import type { csiMessages } from '../csi/messages.ts'

type Stats = Of<typeof csiMessages.measuredVolume>

/** Volumes of a node that are remembered. */
const mostVolumes = 2_000

export class VolumeStats {
  readonly #clock: Clock
  readonly #goodMs: number
  readonly #kept = new LRUCache<string, { readonly stats: Stats; readonly atMs: number }>({ max: mostVolumes })
  readonly #asked = new Map<string, Promise<Stats>>()

  constructor(goodMs: number, clock: Clock) {
    this.#goodMs = goodMs
    this.#clock = clock
  }

  /** The figures of `key`, which ends with its path; who asks while somebody does gets the same answer. @throws what `measure` throws */
  async of(key: string, measure: () => Promise<Stats>): Promise<Stats> {
    const kept = this.#kept.get(key)
    if (kept !== undefined && this.#clock.elapsed() - kept.atMs < this.#goodMs) return kept.stats
    const running = this.#asked.get(key)
    if (running !== undefined) return await running
    const asked = measure()
    this.#asked.set(key, asked)
    try {
      const stats = await asked
      this.#kept.set(key, { stats, atMs: this.#clock.elapsed() })
      return stats
    } finally {
      this.#asked.delete(key)
    }
  }

  /** What was known of a path is not so any more. */
  forget(path: string): void {
    for (const key of this.#kept.keys()) if (key.endsWith(`\n${path}`)) this.#kept.delete(key)
  }
}
