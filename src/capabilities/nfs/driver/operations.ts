// One call at a time for one thing: a second one for it is refused, and its caller comes again.

import { status } from '@grpc/grpc-js'
import { CallRefused } from '#kube/grpc/served-method.ts'

export class Operations {
  readonly #running = new Set<string>()

  /**
   * Runs `work` while nobody else works on `key`. Where `work` leaves something behind that hangs, it says so by `until`: the key is free after it.
   * @param volumeId how the caller is told
   * @throws CallRefused ABORTED; what `work` throws
   */
  async alone<T>(key: string, volumeId: string, work: (until: (gone: Promise<void>) => void) => Promise<T>): Promise<T> {
    if (this.#running.has(key))
      throw new CallRefused(status.ABORTED, `An operation with the given Volume ID ${volumeId} already exists`)
    this.#running.add(key)
    const left: Promise<void>[] = []
    try {
      return await work(gone => left.push(gone))
    } finally {
      if (left.length === 0) this.#running.delete(key)
      else void Promise.all(left).finally(() => this.#running.delete(key))
    }
  }
}
