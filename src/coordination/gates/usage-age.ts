// Who measures what nodes and pods use tells the gates here how old its figures are.

export class UsageAge {
  readonly #sources = new Set<() => number | undefined>()

  /** Asks `ageMs` from now on; it answers in milliseconds, `undefined` while nobody needs figures. Disposing forgets it. */
  toldBy(ageMs: () => number | undefined): Disposable {
    this.#sources.add(ageMs)
    return { [Symbol.dispose]: () => this.#sources.delete(ageMs) }
  }

  /** Age of the oldest figures that somebody needs, in milliseconds; `undefined`: nobody does. */
  ageMs(): number | undefined {
    const ages = Array.from(this.#sources, ask => ask()).filter(age => age !== undefined)
    return ages.length === 0 ? undefined : Math.max(...ages)
  }
}
