// The flags of a program, as its container's words have them.

interface Flag {
  readonly name: string
  /** What stands behind `=`, and words that follow; none: it is a switch. */
  readonly values: readonly string[]
}

/** Every flag in its order: `--a=b`, `--a b c`, `--a`, and with one dash. */
export function flagsIn(words: readonly unknown[]): readonly Flag[] {
  const flags: { name: string; values: string[] }[] = []
  for (const word of words.map(String)) {
    const [, name, value] = /^--?([A-Za-z][\w-]*)(?:=([\s\S]*))?$/.exec(word) ?? []
    if (name === undefined) flags.at(-1)?.values.push(word)
    else flags.push({ name, values: value === undefined ? [] : [value] })
  }
  return flags
}
