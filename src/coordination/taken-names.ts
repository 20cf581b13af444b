// Names that capabilities bring, each of which only one may have: a second holder is refused, with both.

interface Held {
  readonly name: string
  /** Who brings it: `reload`, `ballast doctor`. */
  readonly by: string
}

/** @throws Error naming each of `names` that two hold, with both; `what` they are: `finding` */
export function assertDistinct(what: string, names: Iterable<Held>): void {
  const holders = new Map<string, string>()
  const refusals: string[] = []
  for (const { name, by } of names) {
    const holder = holders.get(name)
    if (holder === undefined) holders.set(name, by)
    else refusals.push(`${what} ${JSON.stringify(name)} of ${by} is taken by ${holder}`)
  }
  if (refusals.length > 0) throw new Error(refusals.join('; '))
}
