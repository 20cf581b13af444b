// Somebody who asks each second, and how long nobody answered.

export class Answers {
  readonly #all: { readonly at: number; readonly isAnswered: boolean; readonly said: string }[] = []

  add(isAnswered: boolean, said: string): void {
    this.#all.push({ at: Date.now(), isAnswered, said })
  }

  get last(): { readonly isAnswered: boolean; readonly said: string } | undefined {
    return this.#all.at(-1)
  }

  /** Begins anew. @returns how often it was asked, the longest time without an answer, in seconds, and what was said then */
  taken(): { readonly asked: number; readonly seconds: number; readonly said: readonly string[] } {
    const all = this.#all.splice(0)
    let longest = { seconds: 0, said: [] as readonly string[] }
    let begin: number | undefined
    let said: string[] = []
    for (const answer of all) {
      if (answer.isAnswered) {
        begin = undefined
        said = []
        continue
      }
      begin ??= answer.at
      said.push(answer.said)
      const seconds = Math.round((answer.at - begin) / 1_000) + 1
      if (seconds > longest.seconds) longest = { seconds, said: [...said] }
    }
    return { asked: all.length, ...longest }
  }
}
