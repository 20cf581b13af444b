// One source for those who look, while what is behind it changes: at first something that loads, then the cluster, then a twin begun anew.
import type { OwnPage, Picture, PictureSource } from '../picture.ts'

/** Each source has an epoch of its own, so that who looks sees the exchange by the epoch. */
export class ChangingSource implements PictureSource {
  readonly #listeners = new Set<() => void>()
  #source: PictureSource
  #end: (() => void) | undefined

  readonly #pages: readonly OwnPage[]
  #last: { readonly of: Picture; readonly picture: Picture } | undefined

  /** `pages` are those of this program: what is behind it knows of none. */
  constructor(first: PictureSource, pages: readonly OwnPage[] = []) {
    this.#source = first
    this.#pages = pages
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
    const of = this.#source.current()
    if (this.#pages.length === 0) return of
    if (this.#last?.of !== of) this.#last = { of, picture: { ...of, pages: this.#pages } }
    return this.#last.picture
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
