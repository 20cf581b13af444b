// One source for those who look, while what is behind it changes: at first something that loads, then the cluster, then a twin begun anew.
import type { Picture, PictureSource } from '../picture.ts'

/** Each source has an epoch of its own, so that who looks sees the exchange by the epoch. */
export class ChangingSource implements PictureSource {
  readonly #listeners = new Set<() => void>()
  #source: PictureSource
  #end: (() => void) | undefined

  constructor(first: PictureSource) {
    this.#source = first
  }

  /** From now on this one. The one before is not ended: it is its maker's. */
  show(source: PictureSource): void {
    if (source === this.#source) return
    this.#source = source
    if (this.#end === undefined) return
    this.#end()
    this.#end = source.onChange(() => this.#tell())
    this.#tell()
  }

  current(): Picture {
    return this.#source.current()
  }

  async prepare(): Promise<void> {
    await this.#source.prepare?.()
  }

  onChange(listener: () => void): () => void {
    // The same function may listen twice.
    const own = () => listener()
    this.#listeners.add(own)
    this.#end ??= this.#source.onChange(() => this.#tell())
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size > 0) return
      this.#end?.()
      this.#end = undefined
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}
